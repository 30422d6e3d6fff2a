//! Docker and this program in turns on one draft: each must be able to continue what the other has written. Every
//! script runs with both alternating, in both orders, and the result must be as if docker had done everything.

use std::sync::Mutex;

use super::{
    DIFFERENCES, Difference, failures,
    fixture::Fixture,
    ours, pair, report,
    script::{Script, script},
    transcript::Transcript,
    undeclared_and_unseen,
};
use testkit::sandbox::{Tool, on_path};
use testkit::skip::skipped;

/// Each line is run by the other tool than the line before.
pub(super) const SCRIPTS: &[Script] = &[
    script(
        "whole-life",
        &[
            "create --insecure {T}/l:1 {R}/app:amd64 {R}/app:arm64",
            "annotate {T}/l:1 {R}/app:arm64 --variant v9",
            "create --insecure -a {T}/l:1 {R}/oci:amd64",
            "inspect {T}/l:1",
            "inspect {T}/l:1",
            "inspect -v {T}/l:1",
            "inspect -v {T}/l:1",
            "annotate {T}/l:1 {R}/oci:amd64 --os-features a,b --os-version 1",
            "push --insecure {T}/l:1",
            "push --insecure {T}/l:1",
            "rm {T}/l:1",
            "rm {T}/l:1",
        ],
    ),
    script(
        "push-purge-in-turns",
        &[
            "create --insecure {T}/l:1 {R}/app:amd64",
            "push --insecure --purge {T}/l:1",
            "create --insecure {T}/l:1 {R}/app:amd64",
            "inspect {T}/l:1",
            "push --insecure -p {T}/l:1",
            "inspect --insecure {T}/l:1",
        ],
    ),
    script(
        "refusals-in-turns",
        &[
            "create --insecure {T}/l:1 {R}/app:amd64",
            "create --insecure {T}/l:1 {R}/app:arm64",
            "create --insecure {T}/l:1 {R}/app:arm64",
            "annotate {T}/l:1 {R}/app:arm64 --os linux",
            "annotate {T}/l:1 {R}/app:arm64 --os linux",
            "inspect {T}/l:1",
        ],
    ),
    script(
        "every-field-in-turns",
        &[
            "create --insecure {T}/l:1 {R}/win:plain",
            "annotate {T}/l:1 {R}/win:plain --os-version 1",
            "annotate {T}/l:1 {R}/win:plain --os-features x,y",
            "annotate {T}/l:1 {R}/win:plain --variant 'é<&>'",
            "annotate {T}/l:1 {R}/win:plain --os linux --arch arm",
            "inspect -v {T}/l:1 {R}/win:plain",
            "inspect -v {T}/l:1 {R}/win:plain",
            "push --insecure {T}/l:1",
        ],
    ),
    script(
        "odd-images-in-turns",
        &[
            "create --insecure {T}/l:1 {R}/hand:escapes {R}/hand:ocirich {R}/hand:tabs",
            "create --insecure -a {T}/l:1 {R}/hand:unknown {R}/hand:rich {R}/odd:unicode",
            "annotate {T}/l:1 {R}/hand:escapes --variant v1",
            "annotate {T}/l:1 {R}/hand:ocirich --variant v2",
            "annotate {T}/l:1 {R}/hand:unknown --variant v3",
            "inspect -v {T}/l:1",
            "inspect -v {T}/l:1",
            "push --insecure {T}/l:1",
        ],
    ),
    script(
        "old-entries-in-turns",
        &[
            "!seed {N}/app:amd64 app:amd64",
            "!seed {N}/app:arm64 app:arm64",
            "!old {S}_{N}_l-1/{S}_{N}_app-amd64 app:amd64",
            "!old {S}_{N}_l-1/{S}_{N}_app-arm64 app:arm64",
            "inspect -v {T}/l:1",
            "inspect -v {T}/l:1",
            "annotate {T}/l:1 {T}/app:amd64 --variant v2",
            "annotate {T}/l:1 {T}/app:arm64 --variant v7",
            "inspect {T}/l:1",
            "create --insecure -a {T}/l:1 {R}/app:armv7",
            "push --insecure {T}/l:1",
            "rm {T}/l:1",
        ],
    ),
    script(
        "foreign-keys-in-turns",
        &[
            "create --insecure {T}/l:1 {R}/app:amd64",
            "!edit {S}_{N}_l-1/{S}_app-amd64 ,\"platform\" => \
             ,\"annotations\":{\"z\":\"<\",\"a\":\"1\"},\"data\":\"e30=\",\"artifactType\":\"a/b\",\"platform\"",
            "annotate {T}/l:1 {R}/app:amd64 --variant v2",
            "annotate {T}/l:1 {R}/app:amd64 --variant v3",
            "create --insecure -a {T}/l:1 {R}/app:amd64 {R}/app:arm64",
            "inspect -v {T}/l:1",
            "inspect {T}/l:1",
            "push --insecure {T}/l:1",
        ],
    ),
    script(
        "by-digest-in-turns",
        &[
            "create --insecure {T}/l:1 {R}/app@{D:app:amd64}",
            "create --insecure --amend {T}/l:1 {R}/app:arm64@{D:app:arm64}",
            "inspect {T}/l:1 {R}/app@{D:app:amd64}",
            "annotate {T}/l:1 {R}/app:arm64@{D:app:arm64} --variant v8",
            "inspect {T}/l:1",
            "push --insecure {T}/l:1",
        ],
    ),
    script(
        "lists-side-by-side",
        &[
            "create --insecure {T}/l:1 {R}/app:amd64",
            "create --insecure {T}/l:2 {R}/app:arm64",
            "create --insecure -a {T}/l:1 {R}/app:arm64",
            "create --insecure -a {T}/l:2 {R}/app:amd64",
            "push --insecure {T}/l:2",
            "push --insecure {T}/l:1",
            "rm {T}/l:1 {T}/l:2 {T}/l:3",
        ],
    ),
    script(
        "same-repository-in-turns",
        &[
            "create --insecure {R}/app:{N} {R}/app:amd64 {R}/app:arm64",
            "push --insecure {R}/app:{N}",
            "push --insecure {R}/app:{N}",
            "rm {R}/app:{N}",
            "inspect --insecure {R}/app:{N}",
            "inspect --insecure {R}/app:{N}",
        ],
    ),
];

/// Two runs of one script: by docker alone and by the two in turns, against registries of their own. The deliberate
/// differences that were not seen are put with the others.
fn run_in_turns(
    first: &Fixture,
    second: &Fixture,
    script: &Script,
    tools: &[&Tool],
    unseen: &Mutex<Vec<&'static Difference>>,
) -> Option<String> {
    let want: Transcript = first.run(script, &[&Tool::Docker]);
    let (rest, missed) = undeclared_and_unseen(script.name, want.compare(&second.run(script, tools)));
    unseen.lock().expect("no panic holds it").extend(missed);
    report(&rest).map(|text| format!("  {} began\n{text}", tools[0].name()))
}

#[test]
fn docker_and_ours_take_turns_on_one_draft() {
    if !on_path("docker") {
        return skipped("drafts shared with docker", "docker is not on the PATH");
    }
    let unseen = Mutex::new(Vec::new());
    for ours_first in [false, true] {
        let (first, second) = pair("drafts shared with docker");
        let ours = ours();
        let tools = if ours_first { [&ours, &Tool::Docker] } else { [&Tool::Docker, &ours] };
        let failed = failures(SCRIPTS, |script| run_in_turns(&first, &second, script, &tools, &unseen));
        assert!(failed.is_empty(), "{} of {} scripts:\n\n{}\n", failed.len(), SCRIPTS.len(), failed.join("\n\n"));
    }
    // Each is ours in one of the two orders, and there it has to be seen.
    let unseen = unseen.into_inner().expect("no panic holds it");
    for difference in DIFFERENCES {
        let times = unseen.iter().filter(|missed| **missed == difference).count();
        assert!(times < 2, "declared but not seen: {} [{}]: {}", difference.script, difference.step, difference.why);
    }
}
