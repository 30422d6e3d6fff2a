//! Images in OCI layouts in the place of images in registries: `create --push`, `apply`, `inspect`, `platforms`,
//! `export`.

use std::fs;

use serde_json::{Value, json};
use testkit::image::fixtures::{buildx_image, buildx_index};
use testkit::image::{Image, Index};

use super::OURS;
use super::fixture::Fixture;

impl Fixture {
    /// A layout of this image, made from a registry.
    fn write_layout(&self, image: &Image, name: &str) {
        self.registry.put_image("built", "v1", image);
        self.clear_record_and_run_line_ok(&format!("copy --quiet @built:v1 {name}"));
    }

    /// Checks that the registry serves these images with their blobs.
    #[track_caller]
    fn assert_has_images(&self, repository: &str, images: &[&Image]) {
        for image in images {
            let served = self.registry.manifest(repository, &image.digest());
            assert_eq!(served.expect("an image").1, image.manifest);
            assert!(image.blobs().iter().all(|blob| self.registry.has_blob(repository, &testkit::image::sha256(blob))));
        }
    }

    fn child_digests(&self, repository: &str, tag: &str) -> Vec<Value> {
        let list = self.registry.manifest(repository, tag).expect("a list").1;
        let list: Value = serde_json::from_slice(&list).expect("JSON");
        list["manifests"].as_array().expect("children").iter().map(|child| child["digest"].clone()).collect()
    }
}

#[test]
fn layouts_are_published_as_one_list_in_the_order_of_the_command_line() {
    let fixture = Fixture::new();
    let images = ["linux/arm64", "linux/amd64", "linux/s390x", "linux/ppc64le"].map(buildx_image);
    let names = ["oci:./arm64:v1", "oci-archive:./amd64.tar:v1", "oci-layout://s390x:v1", "@other:1"];
    images.iter().zip(names).take(3).for_each(|(image, name)| fixture.write_layout(image, name));
    fixture.registry.put_image("other", "1", &images[3]);
    let line = format!("create --push --format json @app:1 {}", names.join(" "));
    let dry_run = fixture.line_json(&format!("{line} --dry-run"));
    assert_eq!(dry_run["platforms"][0]["from"]["repository"], "oci:./arm64");
    assert_eq!(dry_run["platforms"][1]["from"]["how"], "copy");
    assert!(!fixture.has_written());
    let printed = fixture.line_json(&line);
    assert_eq!(printed["digest"], dry_run["digest"]);
    assert_eq!((&printed["copied"], &printed["mounted"]), (&dry_run["copied"], &dry_run["mounted"]));
    let digests: Vec<Value> = images.iter().map(|image| json!(image.digest())).collect();
    assert_eq!(fixture.child_digests("app", "1"), digests);
    fixture.assert_has_images("app", &images.each_ref());
    // Each blob of a layout takes a look, the beginning of an upload and its end; each manifest one PUT.
    let puts = fixture.registry.requests().iter().filter(|request| request.method == "PUT").count();
    let blobs: usize = images.iter().take(3).map(|image| image.blobs().len()).sum();
    assert_eq!(puts, blobs + images.len() + 1);
    // Once more, and nothing is written. No draft was left.
    let repeated = fixture.line_json(&line);
    assert_eq!((&repeated["unchanged"], &repeated["digest"]), (&json!(true), &printed["digest"]));
    assert!(!fixture.has_written());
    assert_eq!(fixture.clear_record_and_run_line("ls --quiet").success().out(), "");
    // Another repository gets the images from the layouts, too.
    fixture.clear_record_and_run_line_ok(&format!("{line} --tag @second:9"));
    fixture.assert_has_images("second", &images.each_ref());
}

#[test]
fn an_index_of_a_layout_behaves_as_one_of_a_registry() {
    let fixture = Fixture::new();
    let inner = Index::oci().image(&buildx_image("linux/s390x")).build();
    let index = buildx_index(&["linux/amd64", "linux/arm64"]);
    fixture.registry.put_index("built", "plain", &index);
    let image = buildx_image("linux/amd64");
    let nested = Index::oci().image(&image).index(&inner).annotation("own", "kept").build();
    fixture.registry.put_index("built", "nested", &nested);
    for tag in ["plain", "nested"] {
        fixture.clear_record_and_run_line_ok(&format!("copy --quiet @built:{tag} oci:./dir"));
    }
    for (tag, index) in [("plain", &index), ("nested", &nested)] {
        fixture.clear_record_and_run_line_ok(&format!("create --push @app:{tag} oci:./dir:{tag}"));
        assert_eq!(fixture.registry.manifest("app", tag).expect("an index").1, index.manifest, "{tag}: every byte");
        fixture.clear_record_and_run_line_ok(&format!("inspect --check @app:{tag}"));
        let local = fixture.clear_record_and_run_line(&format!("inspect oci:./dir:{tag}")).success().out();
        assert_eq!(local, fixture.clear_record_and_run_line(&format!("inspect --remote @built:{tag}")).success().out());
        assert!(
            fixture
                .clear_record_and_run_line(&format!("inspect --check oci:./dir:{tag}"))
                .success()
                .out()
                .contains("linux/amd64")
        );
        let trees = ["oci:./dir", "@built"].map(|place| {
            let tree = fixture
                .clear_record_and_run_line(&format!("inspect --remote --format tree {place}:{tag}"))
                .success()
                .out();
            tree.lines().skip(1).map(str::to_owned).collect::<Vec<_>>()
        });
        assert_eq!(trees[0], trees[1]);
    }
    let few = fixture
        .line_json("create --push --platform linux/arm64 --attestations drop --format json @few:1 oci:./dir:plain");
    assert_eq!(few["platforms"].as_array().map(Vec::len), Some(1));
    let none = fixture.clear_record_and_run_line("create --push --platform linux/riscv64 @few:2 oci:./dir:plain");
    assert_eq!(none.first_err_line(), "no image for linux/riscv64 in oci:./dir:plain");
    assert_eq!(
        fixture.clear_record_and_run_line("platforms oci:./dir:nested").success().out().lines().last(),
        Some("   - linux/s390x")
    );
    let shown = fixture.line_json("inspect --format json oci:./dir:plain");
    let child = format!("oci:./dir@{}", fixture.child_digests("built", "plain")[0].as_str().expect("a digest"));
    assert_eq!((&shown["reference"], &shown["platforms"][0]["reference"]), (&json!("oci:./dir:plain"), &json!(child)));
    assert_eq!(shown["requests"], 0);
    fixture.clear_record_and_run_line_ok(&format!("inspect {child}"));
}

#[test]
fn specs_name_layouts_relative_to_their_file() {
    let fixture = Fixture::new();
    let images = ["linux/amd64", "linux/arm64"].map(buildx_image);
    fs::create_dir(fixture.path("specs")).expect("a directory");
    fixture.write_layout(&images[0], "oci:./specs/amd64");
    fixture.write_layout(&images[1], "oci:./specs/arm64");
    let spec = format!(
        "image: [{}, {}]\nmanifests:\n  - image: oci:./arm64:v1\n    annotations: {{k: v}}\n  - image: \
         oci-layout://amd64\n",
        fixture.registry.name("app:1"),
        fixture.registry.name("second:1")
    );
    fs::write(fixture.path("specs/list.yaml"), spec).expect("a spec");
    fixture.clear_record_and_run_line_ok("apply --draft -f specs/list.yaml");
    for repository in ["app", "second"] {
        assert_eq!(fixture.child_digests(repository, "1"), [json!(images[1].digest()), json!(images[0].digest())]);
        fixture.assert_has_images(repository, &images.each_ref());
    }
    // The drafts name what the registry has now.
    for repository in ["app", "second"] {
        let draft = fixture.clear_record_and_run_line(&format!("inspect --local -v @{repository}:1")).success().out();
        let name = fixture.registry.name(&format!("{repository}@{}", images[0].digest()));
        assert!(draft.contains(&format!("\"Ref\": \"{name}\"")) && !draft.contains("amd64:v1"), "{draft}");
        fixture.clear_record_and_run_line_ok(&format!("push @{repository}:1"));
        assert!(!fixture.has_written());
    }
    let flags = "apply --template oci:./specs/ARCH:v1 --platforms linux/amd64,linux/arm64 --target @flags:1";
    fixture.clear_record_and_run_line_ok(flags);
    fixture.assert_has_images("flags", &images.each_ref());
    let lacking = fixture.clear_record_and_run_line(&format!("{flags} --platforms linux/s390x --ignore-missing"));
    assert_eq!(lacking.first_err_line(), "cannot open ./specs/s390x: No such file or directory");
    // What `export` writes of a layout, `apply` reads.
    fixture.clear_record_and_run_line_ok("copy --quiet @app:1 oci:./specs/list");
    let exported = fixture.clear_record_and_run_line("export oci:./specs/list -o exported.yaml").success();
    assert!(exported.err().contains("IMAGE in its environment"), "{}", exported.err());
    let name = fixture.registry.name("again:1");
    let repeated = fixture.sandbox.command(OURS).dir(fixture.sandbox.path()).env("IMAGE", &name);
    assert_eq!(repeated.args(["apply", "-f", "exported.yaml"]).run().code, 0);
    assert_eq!(fixture.registry.manifest("again", "1"), fixture.registry.manifest("app", "1"));
}

#[test]
fn a_missing_blob_of_a_layout_is_reported_before_any_request() {
    let fixture = Fixture::new();
    let image = Image::oci().platform("linux", "amd64").layer("a layer").build();
    fixture.write_layout(&image, "oci:./dir");
    let lines = [
        ("create @app:1 oci:./dir:v1", "a draft names only what a registry has"),
        ("add @app:1 oci:./dir:v1", "a draft names only what a registry has"),
        ("create --push @app:1 oci:./dir:v2", "./dir has no image named v2 (it has v1)"),
        ("create --push @app:1 oci:./none", "cannot open ./none: No such file or directory"),
        ("create --push @app:1 oci:./dir:", "oci:./dir:: there is nothing behind the colon"),
        ("create oci:./dir:v1 @app:1", "invalid reference format"),
        ("inspect oci:./dir:v2", "./dir has no image named v2 (it has v1)"),
        ("export oci:./dir", "oci:./dir is no manifest list"),
    ];
    for (line, error) in lines {
        let failed = fixture.clear_record_and_run_line(line);
        assert!(failed.code != 0 && failed.first_err_line().contains(error), "{line}: {}", failed.err());
        assert!(!fixture.has_written(), "{line}");
    }
    let layer = testkit::image::sha256(b"a layer");
    let file = fixture.path("dir/blobs/sha256").join(layer.trim_start_matches("sha256:"));
    for (bytes, error) in [
        (Some("A layer"), format!("{layer} in ./dir is damaged: its bytes have the digest")),
        (Some("short"), format!("{layer} in ./dir is damaged: it has 5 bytes, not 7")),
        (None, format!("./dir does not have {layer}")),
    ] {
        match bytes {
            Some(bytes) => fs::write(&file, bytes).expect("a blob"),
            None => fs::remove_file(&file).expect("a blob"),
        }
        let failed = fixture.clear_record_and_run_line("create --push @app:1 oci:./dir:v1");
        assert!(failed.code == 1 && failed.err().contains(&error), "{}", failed.err());
        assert!(fixture.registry.manifest("app", &image.digest()).is_none());
        // Only bytes that have the right size are found out while they are sent.
        assert_eq!(fixture.has_written(), bytes == Some("A layer"));
    }
    // A child that an index names and the layout does not have.
    let index = Index::oci().image(&image).build();
    fixture.registry.put_image("built", "v1", &image);
    fixture.registry.put_index("built", "list", &index);
    fixture.clear_record_and_run_line_ok("copy --quiet @built:list oci:./list");
    fs::remove_file(fixture.path("list/blobs/sha256").join(image.digest().trim_start_matches("sha256:"))).expect("it");
    let failed = fixture.clear_record_and_run_line("create --push @app:1 oci:./list");
    let expected = format!("no such manifest: oci:./list@{} (linux/amd64), which oci:./list names", image.digest());
    assert_eq!(failed.first_err_line(), expected);
    assert!(
        fixture.clear_record_and_run_line("inspect --check oci:./list").success().out().contains("not in the layout")
    );
}

#[test]
fn a_list_is_written_into_a_layout_and_its_registry_gets_no_request() {
    let fixture = Fixture::new();
    let images = ["linux/arm64", "linux/amd64"].map(buildx_image);
    fixture.write_layout(&images[0], "oci:./arm64");
    fixture.registry.put_image("other", "1", &images[1]);
    let line = "create --push nowhere.invalid/app:1 oci:./arm64 @other:1 --format json --tag more --to";
    for target in ["oci:./dir", "oci-archive:./a.tar"] {
        let dry_run = fixture.line_json(&format!("{line} {target} --dry-run"));
        assert_eq!(
            (&dry_run["tagChanges"][0]["change"], &dry_run["platforms"][0]["from"]["how"]),
            (&json!("new"), &json!("copy"))
        );
        assert!(!fixture.path(&target[target.find("./").expect("a path") + 2..]).exists());
        let printed = fixture.line_json(&format!("{line} {target}"));
        assert_eq!((&printed["digest"], &printed["copied"]), (&dry_run["digest"], &dry_run["copied"]));
        assert_eq!(printed["reference"], format!("{target}:1"));
        assert!(fixture.registry.requests().iter().all(|request| request.target.starts_with("/v2/other/")));
        let repeated = fixture.line_json(&format!("{line} {target}"));
        assert_eq!((&repeated["unchanged"], &repeated["copied"]["blobs"]), (&json!(true), &json!(0)));
        // What was written is whole: it can be published, under each of its names.
        for name in ["1", "more"] {
            fixture.clear_record_and_run_line_ok(&format!("copy --quiet {target}:{name} @from:{name}"));
            assert_eq!(fixture.child_digests("from", name), images.each_ref().map(|image| json!(image.digest())));
        }
        fixture.assert_has_images("from", &images.each_ref());
        let shown = fixture.clear_record_and_run_line(&format!(
            "create --push --quiet nowhere.invalid/app:2 oci:./arm64 --to {target}:own"
        ));
        assert_eq!(shown.code, 0, "{}", shown.err());
    }
    // A draft whose images are in its own repository; the draft stays until --purge.
    let nested = Index::oci().image(&images[0]).index(&Index::oci().image(&images[1]).build()).build();
    images.iter().for_each(|image| drop(fixture.registry.put_image("app", "image", image)));
    fixture.registry.put_index("app", "list", &nested);
    fixture.clear_record_and_run_line_ok("create @app:1 @app:list");
    let stdout = fixture.clear_record_and_run_line("push --to ocidir://pushed @app:1").success().out();
    assert_eq!(stdout, format!("ocidir://pushed:1@{}\n", nested.digest()));
    assert!(!fixture.has_written());
    let verified = fixture
        .clear_record_and_run_line("push --purge --quiet --verify --to ocidir://pushed:again @app:1")
        .success()
        .err();
    assert!(verified.contains("verified: 1 name, 3 manifests, "), "{verified}");
    assert_eq!(fixture.clear_record_and_run_line("exists @app:1").code, 1);
    fixture.clear_record_and_run_line_ok("copy --quiet ocidir://pushed:again @back");
    assert_eq!(fixture.registry.manifest("back", "again").expect("the list").1, nested.manifest);
    // Without a name, as an entry of its own.
    let output = fixture
        .clear_record_and_run_line("create --push --by-digest nowhere.invalid/app:3 oci:./arm64 --to oci:./unnamed")
        .success();
    let digest = output.out().trim_end().replace("oci:./unnamed@", "");
    let index = fs::read_to_string(fixture.path("unnamed/index.json")).expect("index.json");
    assert!(index.contains(&digest) && !index.contains("ref.name"), "{digest}: {index}");
    // Several lists of one file.
    let spec = |tag: &str| format!("image: nowhere.invalid/x:{tag}\nmanifests: [{{image: \"oci:./arm64\"}}]\n");
    fs::write(fixture.path("lists.yaml"), format!("{}---\n{}", spec("a"), spec("b"))).expect("a spec");
    fixture.clear_record_and_run_line_ok("apply -f lists.yaml --to oci-archive:./lists.tar");
    for tag in ["a", "b"] {
        fixture.clear_record_and_run_line_ok(&format!("inspect oci-archive:./lists.tar:{tag}"));
    }
    for (line, error) in [
        ("apply -f lists.yaml --to oci:./one:tag", "the tag of --to applies to one list, and there are 2"),
        ("push --to registry.example.com/app @app:1", "not an OCI layout like oci-layout://DIR"),
        ("push --to docker-archive:./x.tar @app:1", "an archive of docker save can only be read"),
        (
            "create --push --to oci:./x:1 --by-digest @app:3 @other:1",
            "oci:./x:1: with --by-digest the list gets no name",
        ),
        ("create --to oci:./x @app:3 @other:1", "--push"),
        (
            "create --push --to oci:./x --tag @x:1 @app:3 @other:1",
            "is in a registry, and --to writes into a layout alone",
        ),
        ("create --push --to oci:./x --require linux/s390x @app:3 @other:1", "linux/s390x"),
    ] {
        let failed = fixture.clear_record_and_run_line(line);
        assert!(failed.code != 0 && failed.err().contains(error), "{line}: {}", failed.err());
        assert!(!fixture.has_written() && !fixture.path("x").exists() && !fixture.path("one").exists(), "{line}");
    }
}
