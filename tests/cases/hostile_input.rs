//! Inputs of ten million entries, from the store, a registry and config.json: each is an error with its cause,
//! within a memory limit that the system enforces. `src/fuzzing.rs` has smaller hostile inputs.

use std::fs;
use std::time::Duration;

use testkit::image::{Image, OCI_INDEX, OCI_MANIFEST, sha256};
use testkit::loopback::{Bearer, Fault, Registry, Rule};
use testkit::sandbox::{Output, Sandbox, write_script};

use super::OURS;
use super::client_fixture::{Fixture, reference};

/// Far more than any answer here takes, far less than forever.
const TIME_LIMIT: Duration = Duration::from_secs(60);
/// What the program may take of memory, in kB: the largest file that it reads twice, and some for itself.
const MEMORY_KB_MAX: u32 = 160 * 1024;
const VALUES: usize = 10_000_000;

/// Runs the program with so much memory to write to and no more, in kB.
fn run_with_memory(memory: u32, sandbox: &Sandbox, args: &[&str]) -> Output {
    let limited = format!("ulimit -d {memory} && exec \"$0\" \"$@\"");
    sandbox.command("/bin/sh").args(["-c", &limited, OURS]).args(args.iter().copied()).time_limit(TIME_LIMIT).run()
}

#[track_caller]
fn assert_refused(output: &Output, words: &[&str]) {
    let stderr = output.err();
    assert_eq!(output.code, 1, "{stderr:.2000}");
    for word in words {
        assert!(stderr.contains(word), "no {word} in {stderr:.2000}");
    }
    assert!(stderr.len() < 2000 && !stderr.contains("panicked"), "{stderr:.2000}");
}

fn repeated(item: &str, count: usize) -> String {
    let mut text = format!("{item},").repeat(count);
    text.pop();
    text
}

/// A draft of one image; its list and the directory of its entries.
fn create_draft(registry: &Registry, sandbox: &Sandbox) -> (String, std::path::PathBuf) {
    registry.put_image("app", "1", &Image::docker().platform("linux", "amd64").build());
    let list = format!("{}/list:1", registry.host());
    let _ = sandbox.command(OURS).args(["create", &list, &format!("{}/app:1", registry.host())]).run().success();
    let directory = format!("{}_list-1", registry.host().replace(':', "-"));
    (list, sandbox.store().join(directory))
}

#[test]
fn ten_million_values_in_the_store_take_little_memory() {
    let (registry, sandbox) = (Registry::start(), Sandbox::new());
    let (list, directory) = create_draft(&registry, &sandbox);
    let entry = fs::read_dir(&directory).expect("a directory").next().expect("an entry").expect("an entry").path();
    let text = fs::read_to_string(&entry).expect("an entry");
    for item in ["\"\"", "{\"\":0}"] {
        let oversized =
            text.replacen("\"size\":", &format!("\"urls\":[{}],\"size\":", repeated(item, VALUES / item.len() * 2)), 1);
        fs::write(&entry, &oversized).expect("a large entry");
        let shown = run_with_memory(MEMORY_KB_MAX, &sandbox, &["inspect", &list]);
        assert_refused(&shown, &[&entry.display().to_string(), "more than 500000 values", "hint: "]);
    }
    fs::write(&entry, text).expect("the entry");

    let side = sandbox.store().join(".docker-manifest/lists").join(directory.file_name().expect("a name"));
    let sidecar = fs::read_to_string(&side).expect("a sidecar");
    let oversized = sidecar.replacen('{', &format!("{{\"x\":[{}],", repeated("0", VALUES)), 1);
    fs::write(&side, oversized).expect("a large sidecar");
    // One that nobody could use says nothing, as in a store that docker alone has written.
    assert_eq!(run_with_memory(MEMORY_KB_MAX, &sandbox, &["inspect", &list]).code, 0);
}

#[test]
fn ten_million_lines_of_an_index_take_little_memory() {
    let (registry, sandbox) = (Registry::start(), Sandbox::new());
    let index = |lines: usize| {
        format!("{{\"schemaVersion\":2,\"mediaType\":\"{OCI_INDEX}\",\"manifests\":[{}]}}", repeated("{}", lines))
    };
    registry.put_manifest("app", "huge", OCI_INDEX, index(VALUES).as_bytes());
    registry.put_manifest("app", "large", OCI_INDEX, index(1_300_000).as_bytes());
    for (tag, words) in [("huge", "4194304 bytes"), ("large", "more than 500000 values")] {
        let shown = run_with_memory(MEMORY_KB_MAX, &sandbox, &["inspect", &format!("{}/app:{tag}", registry.host())]);
        assert_refused(&shown, &[words]);
    }
}

/// An index of 4 MiB can name one manifest of 4 MiB tens of thousands of times, each time saying something else of it.
#[test]
fn a_manifest_that_an_index_names_without_end_is_kept_a_bounded_number_of_times() {
    let registry = Registry::start();
    let spec_of_size = |size: usize| {
        let config = "{\"mediaType\":\"application/vnd.oci.image.config.v1+json\",\"size\":2,\"digest\":\
                      \"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a\"}";
        let head = format!("{{\"schemaVersion\":2,\"mediaType\":\"{OCI_MANIFEST}\",\"config\":{config},\"layers\":[]");
        format!("{head},\"annotations\":{{\"x\":\"{}\"}}}}", "x".repeat(size))
    };
    let index = |image: &str, lines: usize| {
        let (digest, size) = (sha256(image.as_bytes()), image.len());
        let platform = "{\"os\":\"linux\",\"architecture\":\"amd64\"}";
        let line = |n: usize| {
            format!(
                "{{\"mediaType\":\"{OCI_MANIFEST}\",\"digest\":\"{digest}\",\"size\":{size},\"platform\":{platform},\
                 \"annotations\":{{\"n\":\"{n}\"}}}}"
            )
        };
        let lines: Vec<String> = (0..lines).map(line).collect();
        format!("{{\"schemaVersion\":2,\"mediaType\":\"{OCI_INDEX}\",\"manifests\":[{}]}}", lines.join(","))
    };
    let cases = [
        ("often", spec_of_size(0), 15_000, "more than 10000\n"),
        ("much", spec_of_size(4_000_000), 5_000, "100663296 bytes"),
    ];
    for (tag, image, lines, words) in cases {
        registry.put_manifest("app", &sha256(image.as_bytes()), OCI_MANIFEST, image.as_bytes());
        registry.put_manifest("app", tag, OCI_INDEX, index(&image, lines).as_bytes());
        let (source, list) = (format!("{}/app:{tag}", registry.host()), format!("{}/list:1", registry.host()));
        let sandbox = Sandbox::new();
        // Each request that runs at once may hold a manifest of 4 MiB.
        let jobs = ["--jobs", "16"];
        for args in [&["create", &list, &source][..], &["inspect", "-v", &source]] {
            let run = run_with_memory(MEMORY_KB_MAX, &sandbox, &[args, &jobs[..]].concat());
            assert_refused(&run, &["brings the manifests taken out of indexes to ", words, "hint: "]);
        }
    }
}

#[test]
fn a_config_json_of_millions_of_values_is_refused_by_name() {
    let (registry, sandbox) = (Registry::builder().basic("me", "password").start(), Sandbox::new());
    registry.put_image("app", "1", &Image::docker().platform("linux", "amd64").build());
    let image = format!("{}/app:1", registry.host());
    for (count, words) in [(7_000_000, "more than 500000 values"), (VALUES, "too large")] {
        let config = sandbox.write_config(&format!("{{\"auths\":{{}},\"x\":[{}]}}", repeated("0", count)));
        let shown = run_with_memory(MEMORY_KB_MAX, &sandbox, &["inspect", &image]);
        assert_refused(&shown, &[&config.display().to_string(), words]);
    }
}

/// What comes in a header, from a token server, in a refusal or from a helper.
#[test]
fn ten_million_items_in_responses_take_little_memory() {
    let header =
        |status, name: &str, value: String| Fault::Status(status, String::new(), vec![(name.to_owned(), value)]);
    let token = format!("{{\"x\":[{}],\"token\":\"a\"}}", repeated("0", VALUES));
    let errors = format!("{{\"errors\":[{}]}}", repeated("{\"code\":\"A\"}", VALUES));
    let challenge = format!("Bearer {}", repeated("a=b", VALUES));
    let cases = [
        ("inspect", Rule::on("GET", "/manifests/"), header(401, "WWW-Authenticate", challenge)),
        ("inspect", Rule::on("GET", "/manifests/"), header(307, "Location", format!("/{}", "a/".repeat(VALUES)))),
        ("inspect", Rule::on("GET", "/manifests/"), header(429, "Retry-After", "9".repeat(VALUES))),
        ("inspect", Rule::on("GET", "/manifests/"), Fault::Status(403, errors, vec![])),
        ("inspect", Rule::tokens(), Fault::Status(200, token, vec![])),
        ("check", Rule::on("POST", "/uploads/"), header(202, "Location", format!("/?{}", "a=b&".repeat(VALUES)))),
        ("check", Rule::on("GET", "/tags/"), header(200, "Link", repeated("</a>; rel=next", VALUES))),
    ];
    for (verb, rule, fault) in cases {
        let kind = format!("{verb} {rule:?}");
        let builder = Registry::builder();
        let is_of_tokens = kind.contains("/token");
        let registry = if is_of_tokens { builder.bearer(Bearer::new().anonymous_pull()) } else { builder }.start();
        registry.put_image("app", "1", &Image::docker().platform("linux", "amd64").build());
        registry.add_fault(rule, fault);
        let name = format!("{}/app{}", registry.host(), if verb == "check" { "" } else { ":1" });
        let output = run_with_memory(MEMORY_KB_MAX, &Sandbox::new(), &[verb, &name]);
        let stderr = output.err() + &output.out();
        assert!(!stderr.contains("panicked") && stderr.len() < 8000, "{kind}: {stderr:.2000}");
        // A check tells what does not work, and that tags cannot be listed keeps nobody from publishing.
        assert!(output.code == 1 || kind.contains("/tags/"), "{kind}: {stderr}");
        assert!(!registry.injected().is_empty(), "{kind}: it was never said");
    }
    let registry = Registry::builder().basic("me", "password").start();
    let mut sandbox = Sandbox::new();
    sandbox.write_config(r#"{"credsStore":"much"}"#);
    let script = "#!/bin/sh\nprintf '{\"x\":['\nyes 0, | head -n 10000000\nprintf '0],\"Secret\":\"s\"}'\n";
    write_script(&sandbox.path().join("docker-credential-much"), script);
    sandbox.set("PATH", format!("{}:/usr/bin:/bin", sandbox.path().display()));
    let shown = run_with_memory(MEMORY_KB_MAX, &sandbox, &["inspect", &format!("{}/app:1", registry.host())]);
    assert_refused(&shown, &["docker-credential-much: its answer is not the JSON of credentials"]);
}

#[test]
fn a_spec_of_ten_million_entries_is_refused() {
    let sandbox = Sandbox::new();
    let entries = [
        format!("image: h.x/a\nmanifests: [{}]\n", repeated("{image: b}", VALUES)),
        format!("image: h.x/a\nmanifests:\n{}", "- \n".repeat(VALUES)),
        format!("image: h.x/a\nmanifests: [{}]\n", repeated("b", 7_000_000)),
        format!("image: h.x/{}\nmanifests: [b]\n", "a".repeat(VALUES)),
        format!("image: h.x/a\nmanifests: {}", "[".repeat(VALUES)),
        format!("image: h.x/a\nannotations: {{{}}}\nmanifests: [b]\n", repeated("a: 1", 2_500_000)),
    ];
    for text in entries {
        sandbox.write("spec.yaml", &text);
        let run = run_with_memory(MEMORY_KB_MAX * 2, &sandbox, &["apply", "-f", "spec.yaml"]);
        assert_refused(&run, &["spec.yaml:"]);
    }
}

#[test]
fn ten_million_tags_are_refused() {
    let registry = Registry::start();
    let page = |tags: usize| format!("{{\"tags\":[{}]}}", repeated("\"a\"", tags));
    let next = |n: usize| ("Link".to_owned(), format!("</v2/app/tags/list?n={n}>; rel=\"next\""));
    let fixture = Fixture::new();
    let tags = || fixture.client.tags(reference(&format!("{}/app:1", registry.host())).repository());
    for (count, words) in [(VALUES, "16777216 bytes"), (3_000_000, "more than 500000 values")] {
        registry.clear_faults();
        registry.add_fault(Rule::on("GET", "tags/list").always(), Fault::Status(200, page(count), vec![]));
        let reason = tags().expect_err("too many").message;
        assert!(reason.contains(words), "{reason:.200}");
    }
    // In pieces that are small enough each.
    registry.clear_faults();
    for n in 0..3 {
        let answer = Fault::Status(200, page(400_000), vec![next(n)]);
        registry.add_fault(Rule::on("GET", "tags/list").nth(n + 1), answer);
    }
    let reason = tags().expect_err("too many").message;
    assert!(reason.contains("more than 1000000 tags"), "{reason:.200}");
}

/// The tests' own premise: a program that takes more is stopped.
#[test]
fn the_memory_limit_of_hostile_input_tests_works() {
    let sandbox = Sandbox::new();
    assert_eq!(run_with_memory(MEMORY_KB_MAX, &sandbox, &["version"]).code, 0);
    let starved = run_with_memory(256, &sandbox, &["version"]);
    assert!(starved.code != 0 && starved.out().is_empty(), "{}", starved.err());
}
