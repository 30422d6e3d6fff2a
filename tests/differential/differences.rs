//! The deliberate differences from docker. A difference that is not listed here is an error, and so is one that no
//! longer occurs.

use super::transcript::{Mismatch, Part};

/// One deliberate difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Difference {
    pub(super) script: &'static str,
    /// The step's line as written, "served", or "*" for any step.
    pub(super) step: &'static str,
    pub(super) what: &'static [Part],
    /// For people, and for docs/differences.md.
    pub(super) why: &'static str,
}

impl Difference {
    pub(super) fn covers(&self, script: &str, mismatch: &Mismatch) -> bool {
        self.script == script && (self.step == "*" || self.step == mismatch.step) && self.what.contains(&mismatch.what)
    }
}

const CODE: Part = Part::Code;
const OUT: Part = Part::Stdout;
const ERR: Part = Part::Stderr;
const TREE: Part = Part::Tree;
const SERVED: Part = Part::Served;
const ALL: &[Part] = &[CODE, OUT, ERR, TREE, SERVED];

const LOOPBACK: &str = "a loopback registry may speak plain HTTP without --insecure, as docker's own push has it";
const WHOLE: &str =
    "create is all or nothing: docker leaves what it had fetched before a failure, and refuses the retry";
const DAMAGED: &str =
    "a damaged draft is reported with the file's name; docker calls it missing, or gives a Go decoder's words";
const REMOVED: &str = "rm removes a draft whose entries cannot be read, as there is nothing else to do with it; \
     docker refuses, and the directory has to be found and deleted by hand";
const SHOWN: &str =
    "a list that is there is shown; docker says that an empty one does not exist and cannot read a nested one";
const MIXED: &str = "two lists that share a directory are told apart and the second is refused; docker mixes them";
const RAW: &str = "the raw manifest is the truth; the key that it stands under in an edited entry is not";
const SIZE: &str = "a size that is not the manifest's is refused before anything is pushed";
const REF: &str = "an edited entry is the image that its Ref names; docker goes by the file's name";
const ONCE: &str = "each blob is mounted once, from the first repository that has it";
const HELP: &str = "`manifest help [VERB]` is help; docker's group has no such command";

const NEEDS_PUSH: &str =
    "annotate knows --insecure, for use with --push; without that it says so, where docker's annotate has no such flag";

const TODAY: &str =
    "annotate knows today's platforms too: loong64, mips, wasm, windows/arm64 and whatever else Go builds for";

const ALIAS: &str = "annotate takes what kernels and compilers call a platform, and writes what images do: x86_64, \
    aarch64, armv7l, macos; docker refuses them";

const OLD: &str = "an old entry is pushed as the bytes that stand in it; docker re-indents them and gives up where \
    the digest differs";
const WORDS: &str = "a configuration that is not JSON is reported in our decoder's words";

const CONFIG: &str =
    "a broken config.json fails the command that needs a login, by the file's name; docker warns and goes on without";

const APART: &str = "an index is taken apart into its images; docker refuses it with `X is a manifest list`";

const AS_IT_IS: &str = "inspect shows a list as it is: annotations, artifact types, its own media type; docker shows \
    what is left of it after reading it into a Docker manifest list";

const NO_PLACE: &str = "what a Docker manifest list has no place for, annotations above all, makes push publish an \
    OCI index, with a line on stderr (--type docker refuses it by name); docker drops it without a word";

const ELSEWHERE: &str = "images may come from other registries; docker refuses them, at inspect already";

const TWICE: &str = "a platform that a list has twice is warned of on stderr";

const AGAIN: &str = "create --amend looks at the registry again, and tells of a tag that moved; docker keeps the old \
    image (--offline does that here)";

const BY_DIGEST: &str = "a name with a tag and a digest is fetched by its digest, as docker pull has it: the tag may \
    have moved on or be gone; docker manifest asks for the tag";

const NOTHING_SAID: &str = "annotate without a flag warns on stderr that nothing was changed; docker says nothing";

const VARIANT: &str = "a variant of arm or arm64 that is a bare number gets its `v`, and stderr says so, because no \
    runtime knows it otherwise; docker writes the number";

const KIND: &str = "in an OCI index an artifact has the artifactType that its manifest says of itself, as oras and \
    podman write it; docker leaves it out";

const OTHER: &str =
    "a list whose name has the digest of another list is refused; docker pushes it under its tag or its own digest";

const fn d(script: &'static str, step: &'static str, what: &'static [Part], why: &'static str) -> Difference {
    Difference { script, step, what, why }
}

#[rustfmt::skip]
pub(super) const DIFFERENCES: &[Difference] = &[
    d("create-without-insecure", "*", ALL, LOOPBACK),
    d("create-second-missing", "create --insecure {T}/l:1 {R}/app:amd64 {R}/app:missing", &[TREE], WHOLE),
    d("create-second-missing", "create --insecure {T}/l:1 {R}/app:amd64", &[CODE, OUT, ERR], WHOLE),
    d("create-of-a-list", "*", ALL, APART),
    d("reference-errors-of-sources", "create --insecure {T}/l {R}/app:amd64 a//b", &[TREE], WHOLE),
    d("reference-errors-of-sources", "create --insecure {T}/l {R}/app@sha256:00", &[ERR, TREE], WHOLE),
    d("reference-errors-of-sources", "inspect {T}/l", &[CODE, OUT, ERR, TREE], WHOLE),
    d("directory-in-a-list", "*", &[ERR], DAMAGED),
    d("stranger-in-a-list", "*", &[ERR], DAMAGED),
    d("list-is-a-file", "*", &[ERR], DAMAGED),
    d("edited-bad-ref", "*", &[ERR], DAMAGED),
    d("edited-digest", "*", &[ERR], DAMAGED),
    d("edited-empty-file", "*", &[ERR], DAMAGED),
    d("edited-empty-file", "rm {T}/l:1", &[CODE, TREE], REMOVED),
    d("edited-truncated", "rm {T}/l:1", &[CODE, TREE], REMOVED),
    d("old-entry-reindented", "rm {T}/l:1", &[CODE, ERR, TREE], REMOVED),
    d("edited-truncated", "*", &[ERR], DAMAGED),
    d("edited-wrong-types", "*", &[ERR], DAMAGED),
    d("old-entry-reindented", "inspect {T}/l:1", &[ERR], DAMAGED),
    d("old-keys-beside-new", "inspect {T}/l:1", &[ERR], DAMAGED),
    d("old-keys-beside-new", "inspect -v {T}/l:1", &[ERR], DAMAGED),
    d("edited-not-an-object", "*", &[ERR], DAMAGED),
    d("edited-both-kinds", "*", ALL, RAW),
    d("edited-no-manifest", "*", ALL, RAW),
    d("edited-size", "*", ALL, SIZE),
    d("edited-ref", "*", ALL, REF),
    d("inspect-docker-lists", "inspect --insecure {R}/index:empty", &[CODE, OUT, ERR], SHOWN),
    d("inspect-docker-lists", "inspect --insecure -v {R}/index:empty", &[CODE, OUT, ERR], SHOWN),
    d("inspect-nested", "inspect --insecure {R}/index:nested", &[CODE, OUT, ERR], SHOWN),
    d("inspect-nested", "inspect --insecure -v {R}/index:nested", &[CODE, OUT, ERR], SHOWN),
    d("inspect-nested", "create --insecure {T}/l:1 {R}/index:nested", ALL, APART),
    d("inspect-attested", "inspect --insecure {R}/index:attested", &[OUT], AS_IT_IS),
    d("inspect-oci-index", "inspect --insecure {R}/index:oci", &[OUT], AS_IT_IS),
    d("inspect-oci-index", "inspect --insecure {R}/index:bare", &[OUT], AS_IT_IS),
    d("inspect-odd-lists", "inspect --insecure {R}/index:mixed", &[OUT], AS_IT_IS),
    d("inspect-odd-lists", "inspect --insecure {R}/index:noplatform", &[OUT], AS_IT_IS),
    d("edited-annotations", "inspect {T}/l:1", &[OUT], AS_IT_IS),
    d("edited-annotations", "push --insecure {T}/l:1", &[OUT, ERR], NO_PLACE),
    d("edited-annotations", "served", &[SERVED], NO_PLACE),
    d("amend-other-registry-name", "inspect {T}/l:1", &[CODE, OUT, ERR], ELSEWHERE),
    d("amend-other-registry-name", "push --insecure {T}/l:1", &[CODE, OUT, ERR], ELSEWHERE),
    d("amend-other-registry-name", "served", &[SERVED], ELSEWHERE),
    d("push-other-registry", "push --insecure {T}/l:1", &[CODE, OUT, ERR], ELSEWHERE),
    d("push-other-registry", "served", &[SERVED], ELSEWHERE),
    d("push-draft-to-hub-name", "push --insecure {N}/l:1", &[ERR], ELSEWHERE),
    d("push-draft-to-hub-name", "inspect {N}/l:1", &[CODE, OUT, ERR], ELSEWHERE),
    d("referrer", "push --insecure {T}/l:1", &[OUT], KIND),
    d("referrer", "served", &[SERVED], KIND),
    d("create-twins", "push --insecure {T}/l:1", &[ERR], TWICE),
    d("hand-written-stored", "push --insecure {T}/l:1", &[ERR], TWICE),
    d("push-artifacts", "push --insecure {T}/l:1", &[ERR], TWICE),
    d("push-amended-by-digest", "push --insecure {T}/l:1", &[ERR], TWICE),
    d("push-configs-odd", "push --insecure {T}/l:1", &[ERR], TWICE),
    d("push-order-of-names", "push --insecure {T}/l:1", &[ERR], TWICE),
    d("twenty-images", "push --insecure --purge {T}/l:1", &[ERR], TWICE),
    d("amend-moved-tag", "create --insecure -a {T}/l:1 {T}/a:t", &[ERR, TREE], AGAIN),
    d("amend-moved-tag", "inspect -v {T}/l:1", &[OUT, TREE], AGAIN),
    d("push-own-tag-as-source", "create --insecure -a {T}/a:1 {T}/a:1", &[ERR, TREE], AGAIN),
    d("create-digest-of-nothing", "create --insecure {T}/l:1 \
        {R}/app:amd64@{D:app:arm64}", &[CODE, OUT, ERR, TREE], BY_DIGEST),
    d("create-of-a-moved-tag", "*", ALL, BY_DIGEST),
    d("inspect-by-digest", "inspect --insecure -v {R}/app:whatever@{D:app:amd64}", &[CODE, OUT, ERR], BY_DIGEST),
    d("create-under-a-digest", "push --insecure {T}/l@{D:app:amd64}", &[CODE, OUT, ERR], OTHER),
    d("create-under-a-digest", "served", &[SERVED], OTHER),
    d("create-under-tag-and-digest", "push --insecure {T}/l:1@{D:app:amd64}", &[CODE, OUT, ERR], OTHER),
    d("create-under-tag-and-digest", "served", &[SERVED], OTHER),
    d("annotate-missing", "annotate --insecure {T}/l:1 {R}/app:amd64", &[ERR], NEEDS_PUSH),
    d("annotate-nothing", "annotate {T}/l:1 {R}/app:arm64", &[ERR], NOTHING_SAID),
    d("annotate-nothing", "annotate {T}/l:1 {R}/app:arm64 --os '' --arch= --variant '' --os-version= \
        --os-features=", &[ERR], NOTHING_SAID),
    d("annotate-variant-number", "*", ALL, VARIANT),
    // Of `interop`: what one of the two tools does when it is its turn.
    d("foreign-keys-in-turns", "inspect {T}/l:1", &[OUT], AS_IT_IS),
    d("foreign-keys-in-turns", "push --insecure {T}/l:1", &[OUT, ERR], NO_PLACE),
    d("foreign-keys-in-turns", "served", &[SERVED], NO_PLACE),
    d("odd-images-in-turns", "push --insecure {T}/l:1", &[ERR], TWICE),
    d("names-that-docker-mixes", "*", ALL, MIXED),
    d("annotate-aliases", "*", ALL, ALIAS),
    d("annotate-platforms-linux", "*", &[CODE, OUT, ERR, TREE], TODAY),
    d("annotate-platforms-others", "*", &[CODE, OUT, ERR, TREE], TODAY),
    d("old-entry-oci-beside", "*", ALL, OLD),
    d("configs-broken", "create --insecure {T}/e {R}/odd:notjson", &[ERR], WORDS),
    d("config-broken", "*", &[ERR], CONFIG),
    d("config-empty", "inspect {T}/l:1", &[ERR], CONFIG),
    d("push-missing-blob-second", "*", ALL, ONCE),
    d("help-of-help", "?help", &[CODE, OUT, ERR], HELP),
    d("help-of-help", "?help create", &[CODE, OUT, ERR], HELP),
];
