//! Memory of the parsers: each gets the largest input that it can get (or 4 MiB, a spec 1 MiB) in several
//! shapes, in a process of its own whose memory is measured. `tests/cases/hostile_input.rs` tests whole files. The size
//! also limits the time: a parser with quadratic time would not return.

use std::fs;
use std::io::{Read, Write};
use std::process::{Command, Stdio};

use super::*;
use crate::env::Env;

/// The maximum memory of one process, in kB. A list of half a million values takes most of it.
const PEAK_MAX: u64 = 96 * 1024;
const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

/// The largest input of each parser in bytes, and the beginning and end of a document that puts the input in a relevant
/// place.
const PARSER_INPUTS: [(&str, usize, &str, &str); 18] = [
    ("build_output", 4 * MIB, "{\"web\":", "}"),
    ("challenge", 32 * KIB, "Bearer realm=\"https://h/t\",scope=", ""),
    ("config", 4 * MIB, "{\"auths\":{\"h:5000\":{\"auth\":", "}}}"),
    ("entry", 4 * MIB, "{\"Ref\":\"h.x/a:1\",\"Descriptor\":{\"size\":", "}}"),
    ("error_response", 64 * KIB, "{\"errors\":", "}"),
    ("helper", MIB, "{\"Secret\":", "}"),
    ("index", 4 * MIB, "{\"manifests\":", "}"),
    ("layout", 4 * MIB, "{\"manifests\":", "}"),
    ("link_header", 32 * KIB, "<", ">; rel=next"),
    ("location_header", 32 * KIB, "/", ""),
    ("manifest", 4 * MIB, "{\"layers\":", "}"),
    ("platform", 128 * KIB, "linux/", ""),
    ("reference", 128 * KIB, "h.x/", ":1"),
    ("shared_entry", 4 * MIB, "{\"schemaVersion\":2,\"manifests\":", "}"),
    ("sidecar", 4 * MIB, "{\"format\":2,\"list\":", "}"),
    ("spec", MIB, "image: h.x/a\nmanifests: ", ""),
    ("template", 64 * KIB, "{{json .}}\n{\"manifests\":", "}"),
    ("token", MIB, "{\"token\":", "}"),
];

/// The inputs: a beginning, what is repeated, and an end.
const SHAPES: [(&str, &str, &str); 9] = [
    ("", "[", ""),
    ("", "{\"a\":", ""),
    ("", "9", ""),
    ("-0.", "9", "e99999999999"),
    ("{", "\"a\":0,", "\"a\":0}"),
    ("[", "null,", "null]"),
    ("\"", "\\ud800", "\""),
    ("[", "0,", "0]"),
    ("{\"a\":0", ",\"a\":{\"\\ud800\":[null]}", "}"),
];

#[test]
fn parser_inputs_exist_for_every_target() {
    assert_eq!(PARSER_INPUTS.map(|input| input.0), TARGETS.map(|target| target.0));
}

/// Whether to give every parser every shape (`make faults`), or a third of the shapes in turn.
fn uses_all_shapes() -> bool {
    Env::from_process().get("FAULTS_WHOLE").is_some_and(|value| value != "0")
}

#[test]
fn each_parser_keeps_within_its_memory() {
    if !uses_all_shapes() {
        testkit::uncaptured_output::print_uncaptured(
            "memory of the parsers: 3 of 9 shapes for each; make faults gives each all of them",
        );
    }
    let program = std::env::current_exe().expect("the path of this program");
    let mut peaks = Vec::new();
    for (name, ..) in PARSER_INPUTS {
        let mut command = Command::new(&program);
        command.args(["--exact", "fuzzing::limits_tests::run_one_parser", "--ignored", "--nocapture"]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it starts");
        child.stdin.take().expect("piped").write_all(name.as_bytes()).expect("it reads");
        let output = child.wait_with_output().expect("it ends");
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{name}: {printed:.2000}");
        let peak = printed.split("peak=").nth(1).and_then(|rest| rest.split(';').next()?.parse().ok());
        peaks.push((name, peak.unwrap_or(u64::MAX)));
    }
    assert!(peaks.iter().all(|(_, peak)| (1..=PEAK_MAX).contains(peak)), "in kB: {peaks:?}");
}

/// Not a test of its own: the one above runs it, with a parser's name on its standard input.
#[test]
#[ignore = "each_parser_keeps_within_its_memory runs it"]
#[allow(clippy::print_stdout, reason = "the test above reads it")]
fn run_one_parser() {
    let mut name = String::new();
    std::io::stdin().read_to_string(&mut name).expect("a name");
    // If it is run by hand with all ignored tests, it has nothing to do.
    let Some((name, most, begin, end)) = PARSER_INPUTS.into_iter().find(|input| input.0 == name) else { return };
    let number = PARSER_INPUTS.iter().position(|input| input.0 == name).unwrap_or_default();
    let is_chosen = |shape: usize| uses_all_shapes() || shape % 3 == number % 3;
    for (_, (first, unit, last)) in SHAPES.into_iter().enumerate().filter(|(shape, _)| is_chosen(*shape)) {
        for (begin, end) in [("", ""), (begin, end)] {
            let room = most - begin.len() - end.len() - first.len() - last.len();
            let text = [begin, first, &unit.repeat(room / unit.len()), last, end].concat();
            run(name, text.as_bytes());
        }
    }
    println!("peak={};", peak_anonymous_kb());
}

/// The peak memory of this process in kB, without its mapped code.
fn peak_anonymous_kb() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("a line of Linux's status file");
    let field = |name: &str| -> u64 {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("a line of Linux's status file");
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    };
    field("VmHWM:") - field("RssFile:")
}
