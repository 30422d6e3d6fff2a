//! The matrix is complete: each command is in it, or sends no request.

use std::collections::BTreeSet;

use docker_manifest::cli::args;

use super::commands::COMMANDS;
use super::fixture::{ClientAuth, Fixture, Limits, Side};
use super::setups;

/// Those that ask no registry, as they are typed; `{L}` is a draft, `{I}` its one image.
const LOCAL: &[&str] = &[
    "annotate {L} {I} --variant v2",
    "annotate {L} --annotation a=b",
    "completion bash",
    "copy oci-layout://nowhere oci-layout://there-not",
    "exists {L}",
    "exists {L}-not",
    "export --local {L}",
    "inspect {L} {I}",
    "inspect --local {L}",
    "ls",
    "man create",
    "prune --older-than 0 --dry-run",
    "remove {L} linux/amd64",
    "rm {L}",
    "shell-init bash",
    "shim status --dir there-not",
    "version",
    "__complete inspect 127",
    "__complete annotate {L} 127",
    "__complete remove {L} linux",
];

#[test]
fn every_command_is_in_the_matrix_or_sends_no_request() {
    for line in LOCAL {
        let fixture = Fixture::new(ClientAuth::Bearer);
        setups::draft_of_one(&fixture);
        Side::BOTH.iter().for_each(|side| fixture.registry(*side).clear_record());
        let (list, image) = (fixture.list(), fixture.name("team/amd:1"));
        let words: Vec<String> =
            line.split(' ').map(|word| word.replace("{L}", &list).replace("{I}", &image)).collect();
        let output = fixture.run_in_process("docker-manifest", &words, Limits { jobs: 1, retries: 0 });
        let code = i32::from(line.ends_with("-not"));
        assert_eq!(output.code, code, "{line}: {}", output.err());
        let connections = Side::BOTH.map(|side| fixture.registry(side).connections());
        assert_eq!(connections, [0, 0], "{line}");
    }
    let fixture = Fixture::new(ClientAuth::Anonymous);
    let asking = COMMANDS.iter().filter(|command| command.is_ours());
    let asking = asking.filter_map(|command| command.words(&fixture).into_iter().next());
    let local = LOCAL.iter().filter_map(|line| line.split(' ').next().map(str::to_owned));
    let covered: BTreeSet<String> = asking.chain(local).filter(|verb| verb != "__complete").collect();
    let all: BTreeSet<String> = args::clap_command().get_subcommands().map(|verb| verb.get_name().to_owned()).collect();
    assert_eq!(covered, all);
}
