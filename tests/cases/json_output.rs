//! The output of every `--format json` against its schema in docs/schema. No schema allows a member that it does
//! not name, and the tests have seen each member that one names.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use docker_manifest::cli::args;
use serde_json::{Value, json};
use testkit::image::fixtures::{artifact, buildx_index, referrer, windows_image};
use testkit::image::{Image, Index, OCI_INDEX, OCI_MANIFEST, sha256};
use testkit::loopback::{Fault, Registry, Rule};
use testkit::sandbox::Output;
use testkit::schema::{Schemas, Validation};

use super::{OURS, two_registry_fixture};

/// The schema of each command's output; the first is that of the command without further flags.
const SCHEMAS: &[(&str, &[&str])] = &[
    ("add", &["publish", "add-shared", "push-shared"]),
    ("annotate", &["publish"]),
    ("apply", &["apply"]),
    ("check", &["check"]),
    ("copy", &["copy"]),
    ("create", &["create", "publish"]),
    ("inspect", &["inspect"]),
    ("ls", &["ls", "ls-shared"]),
    ("platforms", &["platforms"]),
    ("push", &["publish", "push-shared"]),
    ("remove", &["publish"]),
    ("shim", &["shim"]),
    ("version", &["version"]),
];

/// The schemas of no command's own.
const COMMON: [&str; 2] = ["common", "error"];

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/schema")
}

/// A new command or format has to be described, and every schema is linked from the page about JSON.
#[test]
fn every_command_with_json_has_a_schema() {
    let program = args::clap_command();
    let prints_json = |verb: &&clap::Command| {
        let format = verb.get_arguments().find(|flag| flag.get_long() == Some("format"));
        let values = format.map(clap::Arg::get_possible_values).unwrap_or_default();
        values.iter().any(|value| value.get_name() == "json")
    };
    let verbs: BTreeSet<&str> = program.get_subcommands().filter(prints_json).map(clap::Command::get_name).collect();
    let described: BTreeSet<&str> = SCHEMAS.iter().map(|(verb, _)| *verb).collect();
    assert_eq!(verbs, described, "docs/schema has a file for each, and this table names it");
    let page = std::fs::read_to_string(directory().with_file_name("json.md")).expect("docs/json.md");
    let schemas = Schemas::in_directory(&directory());
    let named: BTreeSet<&str> = SCHEMAS.iter().flat_map(|(_, schemas)| *schemas).copied().chain(COMMON).collect();
    let files: BTreeSet<&str> = schemas.names().filter_map(|name| name.strip_suffix(".schema.json")).collect();
    assert_eq!(files, named);
    let unlinked: Vec<&&str> =
        files.iter().filter(|name| !page.contains(&format!("(schema/{name}.schema.json)"))).collect();
    assert!(unlinked.is_empty(), "docs/json.md does not link {unlinked:?}");
}

struct Fixture {
    schemas: Schemas,
    result: Validation,
    /// The registry of lists has no API for referrers.
    registries: two_registry_fixture::Fixture,
}

impl Fixture {
    fn new() -> Fixture {
        let fixture = Fixture {
            schemas: Schemas::in_directory(&directory()),
            result: Validation::default(),
            registries: two_registry_fixture::Fixture::with_registries(
                Registry::start(),
                Registry::builder().without_referrers().start(),
            ),
        };
        fixture.seed();
        fixture
    }

    /// An index with everything that lists have, another one with less, and what refers to its first image.
    fn seed(&self) {
        let arm64 = Image::oci().platform("linux", "arm64").variant("v8").layer("arm").annotation("a", "b").build();
        let amd64 = Image::oci().platform("linux", "amd64").layer("amd").build();
        let base = Image::oci().platform("linux", "ppc64le").layer("base").build();
        let sbom = referrer(&amd64, "application/spdx+json");
        let (windows, chart) = (windows_image("10.0.20348.1"), artifact("application/x.test", b"chart"));
        let inner = Index::oci().image(&Image::oci().platform("linux", "s390x").layer("z").build()).build();
        let lost = json!({"mediaType": OCI_MANIFEST, "digest": sha256(b"lost"), "size": 4,
            "platform": {"os": "linux", "architecture": "riscv64"}});
        let all = Index::oci().image(&amd64).attestation_of(&amd64).image(&arm64).image(&windows);
        let all = all.image_with(&chart, Value::Null, &[("k", "v")]).annotation("list", "1");
        let all = all.artifact_type("application/x.list").subject(&base);
        for image in [&amd64, &arm64, &sbom, &base] {
            self.registries.source.put_image("app", &image.digest(), image);
        }
        self.registries.source.put_image("app", "amd64", &amd64);
        self.registries.source.put_image("app", "arm64", &arm64);
        self.registries.source.put_image("app", "sbom", &sbom);
        let cosign = Image::oci().layer_of_type("application/vnd.dev.cosign.simplesigning.v1+json", "signed").build();
        self.registries.source.put_image("app", &format!("{}.sig", amd64.digest().replace(':', "-")), &cosign);
        self.registries.source.put_index("app", "all", &all.clone().build());
        self.registries.source.put_index("app", "nested", &all.index(&inner).child(lost).build());
        let two = buildx_index(&["linux/amd64", "linux/arm64"]);
        self.registries.source.put_index("app", "two", &two);
        let two = Image { manifest: two.manifest, media_type: two.media_type, ..amd64.clone() };
        let signed = referrer(&two, "application/x.sig");
        let of_sbom = Image::oci().config_raw("{}").artifact_type("application/x.sig").annotation("k", "v");
        let of_sbom = of_sbom.subject(&sbom).build();
        for image in [&signed, &of_sbom] {
            self.registries.source.put_image("app", &image.digest(), image);
        }
        // Cosign has signed something else in the target.
        self.registries.target.put_image("copy", &format!("{}.sig", amd64.digest().replace(':', "-")), &base);
    }

    /// Runs a command line with `--format json`; `@` is the registry of lists, `%` that of images.
    fn run(&self, line: &str) -> Output {
        let Fixture { registries, .. } = self;
        let word = |word: &str| registries.expand_word(word).replace(",@", &format!(",{}", registries.target.name("")));
        registries.sandbox.command(OURS).args(line.split(' ').map(word)).args(["--format", "json"]).run()
    }

    #[track_caller]
    fn check(&mut self, schema: &str, line: &str, value: &Value) {
        let result = self.schemas.check(&format!("{schema}.schema.json"), value);
        assert!(result.violations.is_empty(), "{line}: {:#?}\n{value:#}", result.violations);
        self.result.add(result);
    }

    /// Runs a command line that ends with this code and prints values of this schema.
    #[track_caller]
    fn check_output(&mut self, schema: &str, line: &str, code: i32) {
        let output = self.run(line);
        assert_eq!(output.code, code, "{line}: {}", output.err());
        let values: Vec<Value> =
            serde_json::Deserializer::from_slice(&output.stdout).into_iter().collect::<Result<_, _>>().expect(line);
        assert!(!values.is_empty(), "{line} prints nothing: {}", output.err());
        values.iter().for_each(|value| self.check(schema, line, value));
    }

    /// Runs a command line that fails; the last line of stderr is the failure, and has this member.
    #[track_caller]
    fn check_failure(&mut self, member: &str, line: &str) {
        let output = self.run(line);
        let last = output.err().lines().last().unwrap_or_default().to_owned();
        let value: Value = serde_json::from_str(&last).unwrap_or_else(|_| panic!("{line}: {}", output.err()));
        assert_eq!(value["error"]["exitCode"], output.code, "{line}");
        assert!(value["error"].get(member).is_some(), "{line}: {value:#}");
        self.check("error", line, &value);
    }
}

#[test]
fn every_output_is_as_its_schema_says() {
    let mut fixture = Fixture::new();
    check_reading(&mut fixture);
    check_publishing(&mut fixture);
    check_shared(&mut fixture);
    check_failures(&mut fixture);
    let (open, unused) = fixture.schemas.open_and_unused(&fixture.result);
    assert!(open.is_empty(), "these objects allow members that they do not name: {open:#?}");
    assert!(unused.is_empty(), "nothing here has these members: {unused:#?}");
}

fn check_reading(fixture: &mut Fixture) {
    fixture.check_output("version", "version", 0);
    fixture.check_output("shim", "shim status", 1);
    fixture.check_output("check", "check @", 0);
    for line in [
        "%app:nested --verbose",
        "%app:all --referrers --verbose",
        "%app:amd64 --referrers",
        "%app:all",
        "%app:amd64",
        "%app:sbom",
    ] {
        fixture.check_output("inspect", &format!("inspect {line}"), 0);
    }
    fixture.check_output("platforms", "platforms %app:all", 0);
    fixture.check_output("platforms", "platforms %app:amd64", 0);
    fixture.check_output("create", "create @list:1 %app:all", 0);
    fixture.check_output("inspect", "inspect --local @list:1", 0);
    for name in ["damaged", "broken"] {
        fixture.registries.sandbox.write(format!("home/docker/manifests/{name}/image"), "no JSON");
    }
    fixture.check_output("ls", "ls", 1);
    fixture.check_failure("errors", "ls");
}

fn check_publishing(fixture: &mut Fixture) {
    fixture.check_output("publish", "push --dry-run @list:1", 0);
    fixture.check_output("publish", "push --purge --verify --referrers all -t 2,@other/list:3 @list:1", 0);
    fixture.check_output("publish", "annotate --push @list:1 --annotation k=v", 0);
    fixture.check_output("publish", "remove --push @list:1 linux/arm64/v8", 0);
    // Another list in its place: platforms go, one comes, one changes, and so does what the list says of itself.
    fixture.check_output("create", "create @list:1 %app:two", 0);
    fixture.check_output("publish", "push --dry-run @list:1", 0);
    // An image brings no referrers along that it is not asked for.
    fixture.check_output("publish", "create --push --dry-run @left:1 %app:amd64", 0);
    let image = fixture.registries.source.name("app:amd64");
    fixture.registries.sandbox.write(
        "lists.yaml",
        format!("image: {}\nmanifests: [{{image: {image}}}]\n", fixture.registries.target.name("list:4")),
    );
    fixture.check_output("apply", "apply -f lists.yaml", 0);
    fixture.check_output("copy", "copy --referrers all --platform linux/amd64 %app:two @copy:1", 0);
    fixture.check_output("copy", "copy --referrers all --verify %app:all @copy:2", 0);
    fixture.check_output("copy", "copy %app:two oci:./layout:1", 0);
}

fn check_shared(fixture: &mut Fixture) {
    const BOTH: &str = "--require linux/amd64,linux/arm64";
    fixture.check_output("add-shared", "add --shared --run 7 @shared:1 %app:amd64", 0);
    fixture.check_output("push-shared", &format!("push --shared --run 7 {BOTH} --if-complete --wait 0 @shared:1"), 0);
    fixture.check_output("add-shared", "add --shared @shared:2 %app:amd64", 0);
    fixture.check_output("push-shared", "push --shared --run 7 --require linux/amd64 @shared:1", 0);
    // Something else under the tag of an entry.
    let tag = fixture.registries.target.tags("shared").into_iter().find(|tag| tag.len() > 1).expect("an entry");
    let other = Index::oci().build();
    fixture.registries.target.put_manifest("shared", &tag, OCI_INDEX, &other.manifest);
    fixture.check_output("ls-shared", "ls --shared @shared", 0);
}

fn check_failures(fixture: &mut Fixture) {
    for line in include_str!("../fixtures/failures.jsonl").lines() {
        fixture.check("error", line, &serde_json::from_str(line).expect("JSON"));
    }
    fixture.check_failure("hints", "push --nope @list:1");
    fixture.check_failure("status", "inspect @nothing:1");
    fixture.registries.sandbox.write("wrong.yaml", "image: [\n");
    fixture.check_failure("column", "apply -f wrong.yaml");
    let _ = fixture.run("create --replace @list:6 %app:amd64");
    fixture.check_failure("missing", "push --require linux/s390x --exact @list:6");
    let refused = |code: &str| {
        let body = format!(r#"{{"errors":[{{"code":"{code}","message":"no","detail":"the reason"}}]}}"#);
        Fault::Status(400, body, vec![])
    };
    fixture.registries.target.add_fault(Rule::on("PUT", "/manifests/6").always(), refused("MANIFEST_INVALID"));
    fixture.check_failure("detail", "push @list:6");
    fixture.check_failure("tags", "push -t 7 @list:6");
    fixture.registries.target.clear_faults();
    // A registry that sends an upload to where nobody listens.
    let unused = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    let closed_address = format!("http://{}/v2/fresh/blobs/uploads/1", unused.local_addr().expect("it is bound"));
    drop(unused);
    fixture.registries.target.add_fault(
        Rule::on("POST", "/uploads/").always(),
        Fault::Status(202, String::new(), vec![("Location".to_owned(), closed_address)]),
    );
    fixture.check_failure("address", "create --push @fresh:1 %app:arm64");
    fixture.check_failure("blob", "create --push @fresh:1 %app:arm64");
}
