//! Our commands with registries that differ from the specification or from docker-registry. A harmless habit
//! changes nothing, not even the number of requests; a harmful one is an error with a hint.

mod table;

use testkit::image::{DOCKER_LIST, Image, Index, OCI_INDEX, sha256};
use testkit::loopback::{Bearer, Builder, GeneratedBlob, RecordedRequest, Registry};
use testkit::sandbox::{Output, Sandbox};

use super::OURS;
use super::two_registry_fixture::full_name;

/// A registry with a habit and two images of each form in it, another one that is as they should be with two more, and
/// a place to run in.
struct Fixture {
    with_habit: Registry,
    standard: Registry,
    sandbox: Sandbox,
}

fn image(builder: fn() -> testkit::image::ImageBuilder, architecture: &str, layer: &str) -> Image {
    builder().platform("linux", architecture).layer(layer).build()
}

impl Fixture {
    fn new(configure: impl FnOnce(Builder) -> Builder) -> Fixture {
        let (with_habit, standard) = (configure(Registry::builder()).start(), Registry::start());
        for (registry, place) in [(&with_habit, "habit"), (&standard, "standard")] {
            for architecture in ["amd64", "arm64"] {
                let layer = format!("{place} {architecture}");
                registry.put_image(architecture, "docker", &image(Image::docker, architecture, &layer));
                registry.put_image(architecture, "oci", &image(Image::oci, architecture, &layer));
            }
        }
        Fixture { with_habit, standard, sandbox: Sandbox::new() }
    }

    /// A word of a command line: `@x` is x in the registry with the habit, `%x` is x in the other one.
    fn expand_word(&self, word: &str) -> String {
        full_name(word, &self.with_habit, &self.standard)
    }

    /// Runs a command line with blanks between its words.
    fn run(&self, line: &str) -> Output {
        self.sandbox.command(OURS).args(line.split_whitespace().map(|word| self.expand_word(word))).run()
    }

    /// A failure in these words, each with its hint; nothing on stdout.
    #[track_caller]
    fn assert_fails(&self, line: &str, first: &str, hint: &str) {
        let output = self.run(line);
        let host = self.with_habit.host();
        assert_eq!((output.code, output.out().as_str()), (1, ""), "{line}: {}", output.err());
        // Not the one before a digest.
        let first = first.replace("@/", &format!("{host}/"));
        assert!(output.first_err_line().starts_with(&first), "{line}: {}", output.err());
        let hints: Vec<String> =
            output.err().lines().filter_map(|line| line.strip_prefix("hint: ").map(str::to_owned)).collect();
        assert_eq!(hints, [hint.replace('@', &host)], "{line}: {}", output.err());
    }

    /// All verbs with everything in its place: a list of images from here and one of images from there, both forms.
    #[track_caller]
    fn assert_works(&self) {
        for form in ["docker", "oci"] {
            for (place, list) in [("@", format!("@here/{form}:1")), ("%", format!("@there/{form}:1"))] {
                let images = format!("{place}amd64:{form} {place}arm64:{form}");
                let _ = self.run(&format!("create {list} {images}")).success();
                let pushed = self.run(&format!("push {list}")).success();
                let (_, bytes) = self.with_habit.manifest(&list[1..list.len() - 2], "1").expect("the list is there");
                assert_eq!(pushed.out().lines().last(), Some(sha256(&bytes).as_str()));
                let _ = self.run(&format!("rm {list}")).success();
                let shown = self.run(&format!("inspect {list}")).success().out();
                assert!(shown.contains("amd64") && shown.contains("arm64"), "{shown}");
            }
            assert!(self.run(&format!("inspect --verbose @amd64:{form}")).success().out().contains("amd64"));
        }
        assert_eq!(self.with_habit.open_uploads(), 0);
    }
}

/// `METHOD path`, with what is different each time taken out, and sorted.
fn request_lines(registry: &Registry) -> Vec<String> {
    let line = |request: &RecordedRequest| {
        let path = request.target.split_once("/blobs/uploads/").filter(|(_, rest)| !rest.starts_with('?'));
        let path = path.map_or(request.target.as_str(), |(before, _)| before);
        format!("{} {path}", request.method)
    };
    let mut lines: Vec<String> = registry.requests().iter().map(line).collect();
    lines.sort();
    lines
}

#[test]
fn harmless_habits_cost_no_extra_request() {
    let ordinary = Fixture::new(|habits| habits);
    ordinary.assert_works();
    let expected = request_lines(&ordinary.with_habit);
    for (name, habits) in [
        ("no Docker-Content-Digest", Builder::without_digest_header as fn(Builder) -> Builder),
        ("relative Location", Builder::relative_locations),
        ("chunks of 10 MiB at least", |habits| habits.chunk_min_length(10 << 20)),
        ("no ranges", Builder::without_ranges),
        ("no deletion", Builder::without_deletion),
        ("pages of one tag", |habits| habits.page_limit(1).absolute_links()),
        ("no referrers", Builder::without_referrers),
        ("a web page for referrers", Builder::referrers_as_html),
        ("no nested indexes", Builder::without_nested_indexes),
        ("all of it", |habits| {
            habits.without_digest_header().relative_locations().chunk_min_length(10 << 20).without_ranges()
        }),
    ] {
        let fixture = Fixture::new(habits);
        fixture.assert_works();
        assert_eq!(request_lines(&fixture.with_habit), expected, "{name}");
    }
}

#[test]
fn a_mount_answered_with_an_upload_continues_as_upload() {
    let fixture = Fixture::new(|habits| habits.without_mounts().relative_locations());
    fixture.assert_works();
    let requests = fixture.with_habit.requests();
    let mounts = requests.iter().filter(|request| request.target.contains("?mount=")).count();
    assert!(mounts > 0 && requests.iter().all(|request| !request.target.contains("?mount=") || request.status == 202));
    // Every blob needs one POST only: the upload in the place of the mount is the one that is used.
    let from_here = requests.iter().filter(|request| request.line().starts_with("POST /v2/here/"));
    assert!(from_here.clone().all(|request| request.target.contains("?mount=")) && from_here.count() > 0);
}

#[test]
fn a_large_blob_is_uploaded_with_a_minimum_chunk_length() {
    let fixture = Fixture::new(|habits| habits.chunk_min_length(5 << 20).relative_locations());
    let blob = GeneratedBlob::new(12 << 20, 7);
    let layer = fixture.standard.put_generated_blob("big", &blob);
    let base = image(Image::docker, "amd64", "base");
    let mut manifest: serde_json::Value = serde_json::from_slice(&base.manifest).expect("a manifest");
    (manifest["layers"][0]["digest"], manifest["layers"][0]["size"]) = (layer.as_str().into(), blob.size().into());
    fixture.standard.put_blob("big", &base.config);
    fixture.standard.put_manifest("big", "1", &base.media_type, manifest.to_string().as_bytes());
    let _ = fixture.run("create @dst:1 %big:1").success();
    let _ = fixture.run("push @dst:1").success();
    assert_eq!(fixture.with_habit.blob_size("dst", &layer), Some(12 << 20));
}

#[test]
fn a_list_with_a_subject_is_pushed_with_and_without_an_oci_subject_header() {
    for habits in [|habits: Builder| habits, Builder::without_referrers] {
        let fixture = Fixture::new(habits);
        let amd64 = image(Image::oci, "amd64", "odd amd64");
        let index = Index::oci().image(&amd64).subject(&amd64).build();
        fixture.with_habit.put_index("amd64", "referring", &index);
        let _ = fixture.run("create @dst:1 @amd64:referring").success();
        let _ = fixture.run("push @dst:1").success();
        let (media_type, bytes) = fixture.with_habit.manifest("dst", "1").expect("the list");
        assert_eq!(media_type, OCI_INDEX);
        let list: serde_json::Value = serde_json::from_slice(&bytes).expect("JSON");
        assert_eq!(list["manifests"][0]["digest"], amd64.digest());
    }
}

#[test]
fn a_nested_index_is_flattened_where_the_registry_refuses_it() {
    let fixture = Fixture::new(Builder::without_nested_indexes);
    let inner = Index::oci().image(&image(Image::oci, "amd64", "a")).build();
    let outer = Index::oci().index(&inner).image(&image(Image::oci, "arm64", "b")).build();
    fixture.standard.put_index("nested", "1", &outer);
    let _ = fixture.run("create @dst:1 %nested:1").success();
    // Nothing was changed in it, so it goes as it is, and the registry is the one to refuse that.
    fixture.assert_fails(
        "push -q @dst:1",
        "failed to put manifest @/dst:1: manifest invalid",
        "if the registry refuses this format, publish a Docker manifest list instead with --type docker",
    );
    assert_eq!(fixture.with_habit.tags("dst"), [""; 0]);
    let _ = fixture.run("push --type docker @dst:1").success();
    let shown = fixture.run("inspect --remote @dst:1").success().out();
    assert!(shown.contains("amd64") && shown.contains("arm64") && shown.matches(OCI_INDEX).count() == 0, "{shown}");
}

#[test]
fn push_fails_if_the_registry_stores_another_list() {
    let fixture = Fixture::new(Builder::other_digest_on_put);
    let hint = "the registry changes manifests that are pushed to it; do not trust what it now serves under that name";
    let _ = fixture.run("create @amd64:list @amd64:docker").success();
    fixture.assert_fails(
        "push @amd64:list",
        "failed to put manifest @/amd64:list: it says that it stored sha256:0000",
        hint,
    );
    let _ = fixture.run("create @dst:1 %amd64:oci").success();
    fixture.assert_fails("push -q @dst:1", "failed to put manifest @/dst@sha256:", hint);
    assert_eq!(fixture.with_habit.tags("dst"), [""; 0], "the list is not sent after a child that went wrong");
}

#[test]
fn a_registry_that_refuses_one_list_format_gets_the_other() {
    for status in [400, 415] {
        // Images of the other form are in both.
        for (habits, form, refused, other, media_type, what) in [
            (
                (|habits, status| habits.without_oci(status)) as fn(Builder, u16) -> Builder,
                "docker",
                "oci",
                "docker",
                DOCKER_LIST,
                "a Docker manifest list",
            ),
            (|habits, status| habits.without_docker(status), "oci", "docker", "oci", OCI_INDEX, "an OCI image index"),
        ] {
            let fixture = Fixture::new(|builder| habits(builder, status));
            let _ = fixture.run(&format!("create @dst:1 @amd64:{form} %arm64:{form}")).success();
            let hint = format!("if the registry refuses this format, publish {what} instead with --type {other}");
            let first = "failed to put manifest @/dst:1: manifest invalid: manifest invalid";
            fixture.assert_fails(&format!("push -q --type {refused} @dst:1"), first, &hint);
            assert_eq!(fixture.with_habit.tags("dst"), [""; 0]);
            let _ = fixture.run(&format!("push --type {other} @dst:1")).success();
            assert_eq!(
                fixture.with_habit.manifest("dst", "1").map(|(media_type, _)| media_type).as_deref(),
                Some(media_type)
            );
        }
    }
}

#[test]
fn a_registry_that_refuses_an_image_format_causes_a_rebuild_hint() {
    for (habits, form, name, value) in [
        ((|habits: Builder| habits.without_oci(415)) as fn(Builder) -> Builder, "oci", "Docker's", "false"),
        (|habits| habits.without_docker(415), "docker", "OCI's", "true"),
    ] {
        let fixture = Fixture::new(habits);
        let _ = fixture.run(&format!("create @dst:1 %amd64:{form}")).success();
        let hint = format!(
            "if the registry refuses this format, build the image in {name} (buildx: --output \
             type=image,push=true,oci-mediatypes={value})"
        );
        fixture.assert_fails("push -q @dst:1", "failed to put manifest @/dst@sha256:", &hint);
    }
}

#[test]
fn a_login_is_sent_to_a_registry_that_hides_behind_404() {
    for auth in ["basic", "bearer"] {
        let fixture = Fixture::new(|habits| match auth {
            "basic" => habits.basic("me", "pw").hides_repositories_from_all(),
            _ => habits.bearer(Bearer::new().user("me", "pw")).hides_repositories_from_all(),
        });
        // Nobody is told that there is something, and everybody what to do.
        let read = "check the name; if it is private, log in first with: docker login @";
        fixture.assert_fails("create @dst:1 @amd64:docker", "no such manifest: @/amd64:docker", read);
        fixture.assert_fails("inspect @amd64:docker", "no such manifest: @/amd64:docker", read);
        let _ = fixture.run("create @dst:1 %amd64:docker %arm64:docker").success();
        let write =
            "the repository may be private or may not exist yet: log in with docker login @, or have it created first";
        fixture.assert_fails("push --jobs 1 @dst:1", "failed to copy blob sha256:", write);
        let _ = fixture.run("rm @dst:1").success();
        assert!(
            fixture
                .with_habit
                .requests()
                .iter()
                .all(|request| !request.target.starts_with("/v2/ ") && request.status == 404)
        );
        // Whoever is logged in gets in, as with docker, which asks at the door first.
        fixture.with_habit.clear_record();
        let login = serde_json::json!({"auths": {fixture.with_habit.host(): {"username": "me", "password": "pw"}}});
        fixture.sandbox.write_config(&login.to_string());
        fixture.assert_works();
        let doors = |requests: &[RecordedRequest]| requests.iter().filter(|request| request.target == "/v2/").count();
        fixture.with_habit.clear_record();
        let _ = fixture.run("create @two:1 @amd64:docker @arm64:docker").success();
        assert!(doors(&fixture.with_habit.requests()) <= 2, "{:#?}", request_lines(&fixture.with_habit));
        // What is really not there is a second question, not more.
        fixture.with_habit.clear_record();
        fixture.assert_fails("inspect @amd64:none", "no such manifest: @/amd64:none", read);
        let lines: Vec<String> = fixture
            .with_habit
            .requests()
            .iter()
            .filter(|request| !request.is_token_request())
            .map(RecordedRequest::line)
            .collect();
        assert_eq!(lines, ["GET /v2/amd64/manifests/none 404", "GET /v2/ 401", "GET /v2/amd64/manifests/none 404"]);
    }
}

#[test]
fn a_missing_manifest_costs_one_ping_if_there_is_a_login() {
    let fixture = Fixture::new(|habits| habits);
    assert_eq!(fixture.run("inspect @amd64:none").code, 1);
    assert_eq!(request_lines(&fixture.with_habit), ["GET /v2/amd64/manifests/none"]);
    // Nor where it is another registry that somebody logged in to, or a configuration that is broken: nobody needs it.
    for config in [r#"{"auths": {"other.test": {}}, "credsStore": "none"}"#, "{ not JSON"] {
        fixture.sandbox.write_config(config);
        fixture.with_habit.clear_record();
        assert_eq!(fixture.run("inspect @amd64:none").code, 1);
        assert_eq!(request_lines(&fixture.with_habit), ["GET /v2/amd64/manifests/none"], "{config}");
    }
    // One look, however many are missing.
    fixture.sandbox.write_config(&serde_json::json!({"auths": {fixture.standard.host(): {}}}).to_string());
    for jobs in ["1", "8"] {
        fixture.standard.clear_record();
        assert_eq!(
            fixture.run(&format!("create @dst:1 %amd64:none %arm64:none %amd64:no %arm64:no --jobs {jobs}")).code,
            1
        );
        let pings = fixture.standard.requests().iter().filter(|request| request.target == "/v2/").count();
        assert_eq!(pings, 1, "{jobs} jobs: {:#?}", request_lines(&fixture.standard));
    }
}

#[test]
fn no_helper_is_run_for_a_404_of_a_registry_that_asks_for_no_login() {
    let mut fixture = Fixture::new(|habits| habits);
    let bin = fixture.sandbox.path().join("bin");
    std::fs::create_dir_all(&bin).expect("a directory in the sandbox");
    let request_lines = fixture.sandbox.path().join("asked");
    let script = format!("#!/bin/sh\ncat >>'{}'\nexit 1\n", request_lines.display());
    testkit::sandbox::write_script(&bin.join("docker-credential-test"), &script);
    fixture.sandbox.set_first_on_path(&bin);
    let config = serde_json::json!({"credsStore": "test", "auths": {fixture.with_habit.host(): {}}});
    fixture.sandbox.write_config(&config.to_string());
    assert_eq!(fixture.run("inspect @amd64:none").code, 1);
    assert!(!request_lines.exists(), "nobody has asked for a login");
}

#[test]
fn an_insufficient_login_answered_with_404_gets_a_hint() {
    let bearer = Bearer::new().user("me", "pw").never_grant_scope("repository:amd64");
    let fixture = Fixture::new(|habits| habits.bearer(bearer).hides_repositories_from_authenticated());
    let login = serde_json::json!({"auths": {fixture.with_habit.host(): {"username": "me", "password": "pw"}}});
    fixture.sandbox.write_config(&login.to_string());
    let hint = "check the name; if it is private, log in first with: docker login @";
    fixture.assert_fails("create @dst:1 @amd64:docker", "no such manifest: @/amd64:docker", hint);
    let _ = fixture.run("create @amd64:new %amd64:docker").success();
    let hint =
        "the repository may be private or may not exist yet: log in with docker login @, or have it created first";
    fixture.assert_fails("push --jobs 1 @amd64:new", "failed to copy blob sha256:", hint);
    let _ = fixture.run("create @dst:1 @arm64:docker").success();
    let _ = fixture.run("push @dst:1").success();
}

#[test]
fn a_missing_login_is_reported_once() {
    // Anybody may look, so that the push goes as far as the blobs.
    let fixture = Fixture::new(|habits| habits.bearer(Bearer::new().anonymous_pull()));
    let _ = fixture.run("create @dst:1 %amd64:docker %arm64:docker").success();
    let failed = fixture.run("push @dst:1");
    let (host, stderr) = (fixture.with_habit.host(), failed.err());
    let lines: Vec<&str> = stderr.lines().filter(|line| line.starts_with("failed to ")).collect();
    let [line] = lines[..] else { panic!("{stderr}") };
    assert!(line.contains(&format!("/dst:1: unauthorized: {host} wants a login: ")), "{stderr}");
    assert!(!line.contains("the blob"), "it is named already: {stderr}");
    let hint = format!("hint: log in with: docker login {host}");
    assert_eq!((failed.code, stderr.lines().last()), (1, Some(hint.as_str())));
}
