//! The deliberate differences from docker. A difference that is not listed here is an error, and so is one that no
//! longer occurs.

use super::transcript::{Mismatch, Part};

/// One deliberate difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Difference {
    pub(super) script: &'static str,
    /// The step's line as written, "served", or "*" for any step.
    pub(super) step: &'static str,
    pub(super) parts: &'static [Part],
    /// For people, and for docs/differences.md.
    pub(super) why: &'static str,
}

impl Difference {
    pub(super) fn covers(&self, script: &str, mismatch: &Mismatch) -> bool {
        self.script == script && (self.step == "*" || self.step == mismatch.step) && self.parts.contains(&mismatch.part)
    }
}

const CODE: Part = Part::Code;
const OUT: Part = Part::Stdout;
const ERR: Part = Part::Stderr;
const STORE: Part = Part::Store;
const SERVED: Part = Part::Served;
const ALL: &[Part] = &[CODE, OUT, ERR, STORE, SERVED];

const LOOPBACK_IS_PLAIN_HTTP: &str =
    "a loopback registry may speak plain HTTP without --insecure, as docker's own push has it";
const CREATE_IS_ATOMIC: &str =
    "create is all or nothing: docker leaves what it had fetched before a failure, and refuses the retry";
const NAMES_DAMAGED_FILE: &str =
    "a damaged draft is reported with the file's name; docker calls it missing, or gives a Go decoder's words";
const REMOVES_DAMAGED_DRAFT: &str = "rm removes a draft whose entries cannot be read, as there is nothing else to do \
    with it; docker refuses, and the directory has to be found and deleted by hand";
const SHOWS_UNUSUAL_LISTS: &str =
    "a list that is there is shown; docker says that an empty one does not exist and cannot read a nested one";
const SEPARATES_LISTS_OF_ONE_DIRECTORY: &str =
    "two lists that share a directory are told apart and the second is refused; docker mixes them";
const RAW_IS_AUTHORITATIVE: &str =
    "the raw manifest is the truth; the key that it stands under in an edited entry is not";
const CHECKS_SIZE: &str = "a size that is not the manifest's is refused before anything is pushed";
const REF_NAMES_THE_IMAGE: &str = "an edited entry is the image that its Ref names; docker goes by the file's name";
const MOUNTS_ONCE: &str = "each blob is mounted once, from the first repository that has it";
const HAS_HELP_COMMAND: &str = "`manifest help [VERB]` is help; docker's group has no such command";

const INSECURE_NEEDS_PUSH: &str =
    "annotate knows --insecure, for use with --push; without that it says so, where docker's annotate has no such flag";

const KNOWS_NEW_PLATFORMS: &str =
    "annotate knows today's platforms too: loong64, mips, wasm, windows/arm64 and whatever else Go builds for";

const KNOWS_PLATFORM_ALIASES: &str = "annotate takes what kernels and compilers call a platform, and writes what \
    images do: x86_64, aarch64, armv7l, macos; docker refuses them";

const OLD_ENTRIES_KEEP_BYTES: &str = "an old entry is pushed as the bytes that stand in it; docker re-indents them \
    and gives up where the digest differs";
const DECODER_WORDING: &str = "a configuration that is not JSON is reported in our decoder's words";

const BROKEN_CONFIG_IS_AN_ERROR: &str =
    "a broken config.json fails the command that needs a login, by the file's name; docker warns and goes on without";

const INDEX_IS_FLATTENED: &str =
    "an index is taken apart into its images; docker refuses it with `X is a manifest list`";

const INSPECT_SHOWS_ALL_MEMBERS: &str = "inspect shows a list as it is: annotations, artifact types, its own media \
    type; docker shows what is left of it after reading it into a Docker manifest list";

const PUBLISHES_AN_OCI_INDEX: &str = "what a Docker manifest list has no place for, annotations above all, makes push \
    publish an OCI index, with a line on stderr (--type docker refuses it by name); docker drops it without a word";

const SOURCES_IN_OTHER_REGISTRIES: &str =
    "images may come from other registries; docker refuses them, at inspect already";

const WARNS_OF_DUPLICATE_PLATFORM: &str = "a platform that a list has twice is warned of on stderr";

const AMEND_RESOLVES_AGAIN: &str = "create --amend looks at the registry again, and tells of a tag that moved; docker \
    keeps the old image (--offline does that here)";

const DIGEST_COMES_BEFORE_TAG: &str = "a name with a tag and a digest is fetched by its digest, as docker pull has \
    it: the tag may have moved on or be gone; docker manifest asks for the tag";

const WARNS_OF_NO_CHANGE: &str =
    "annotate without a flag warns on stderr that nothing was changed; docker says nothing";

const COMPLETES_VARIANT: &str = "a variant of arm or arm64 that is a bare number gets its `v`, and stderr says so, \
    because no runtime knows it otherwise; docker writes the number";

const SETS_ARTIFACT_TYPE: &str = "in an OCI index an artifact has the artifactType that its manifest says of itself, \
    as oras and podman write it; docker leaves it out";

const OTHER_DIGEST_IN_NAME: &str =
    "a list whose name has the digest of another list is refused; docker pushes it under its tag or its own digest";

const fn difference(script: &'static str, step: &'static str, parts: &'static [Part], why: &'static str) -> Difference {
    Difference { script, step, parts, why }
}

pub(super) const DIFFERENCES: &[Difference] = &[
    difference("create-without-insecure", "*", ALL, LOOPBACK_IS_PLAIN_HTTP),
    difference(
        "create-second-missing",
        "create --insecure {T}/l:1 {R}/app:amd64 {R}/app:missing",
        &[STORE],
        CREATE_IS_ATOMIC,
    ),
    difference("create-second-missing", "create --insecure {T}/l:1 {R}/app:amd64", &[CODE, OUT, ERR], CREATE_IS_ATOMIC),
    difference("create-of-a-list", "*", ALL, INDEX_IS_FLATTENED),
    difference("reference-errors-of-sources", "create --insecure {T}/l {R}/app:amd64 a//b", &[STORE], CREATE_IS_ATOMIC),
    difference(
        "reference-errors-of-sources",
        "create --insecure {T}/l {R}/app@sha256:00",
        &[ERR, STORE],
        CREATE_IS_ATOMIC,
    ),
    difference("reference-errors-of-sources", "inspect {T}/l", &[CODE, OUT, ERR, STORE], CREATE_IS_ATOMIC),
    difference("directory-in-a-list", "*", &[ERR], NAMES_DAMAGED_FILE),
    difference("stranger-in-a-list", "*", &[ERR], NAMES_DAMAGED_FILE),
    difference("list-is-a-file", "*", &[ERR], NAMES_DAMAGED_FILE),
    difference("edited-bad-ref", "*", &[ERR], NAMES_DAMAGED_FILE),
    difference("edited-digest", "*", &[ERR], NAMES_DAMAGED_FILE),
    difference("edited-empty-file", "*", &[ERR], NAMES_DAMAGED_FILE),
    difference("edited-empty-file", "rm {T}/l:1", &[CODE, STORE], REMOVES_DAMAGED_DRAFT),
    difference("edited-truncated", "rm {T}/l:1", &[CODE, STORE], REMOVES_DAMAGED_DRAFT),
    difference("old-entry-reindented", "rm {T}/l:1", &[CODE, ERR, STORE], REMOVES_DAMAGED_DRAFT),
    difference("edited-truncated", "*", &[ERR], NAMES_DAMAGED_FILE),
    difference("edited-wrong-types", "*", &[ERR], NAMES_DAMAGED_FILE),
    difference("old-entry-reindented", "inspect {T}/l:1", &[ERR], NAMES_DAMAGED_FILE),
    difference("old-keys-beside-new", "inspect {T}/l:1", &[ERR], NAMES_DAMAGED_FILE),
    difference("old-keys-beside-new", "inspect -v {T}/l:1", &[ERR], NAMES_DAMAGED_FILE),
    difference("edited-not-an-object", "*", &[ERR], NAMES_DAMAGED_FILE),
    difference("edited-both-kinds", "*", ALL, RAW_IS_AUTHORITATIVE),
    difference("edited-no-manifest", "*", ALL, RAW_IS_AUTHORITATIVE),
    difference("edited-size", "*", ALL, CHECKS_SIZE),
    difference("edited-ref", "*", ALL, REF_NAMES_THE_IMAGE),
    difference("inspect-docker-lists", "inspect --insecure {R}/index:empty", &[CODE, OUT, ERR], SHOWS_UNUSUAL_LISTS),
    difference("inspect-docker-lists", "inspect --insecure -v {R}/index:empty", &[CODE, OUT, ERR], SHOWS_UNUSUAL_LISTS),
    difference("inspect-nested", "inspect --insecure {R}/index:nested", &[CODE, OUT, ERR], SHOWS_UNUSUAL_LISTS),
    difference("inspect-nested", "inspect --insecure -v {R}/index:nested", &[CODE, OUT, ERR], SHOWS_UNUSUAL_LISTS),
    difference("inspect-nested", "create --insecure {T}/l:1 {R}/index:nested", ALL, INDEX_IS_FLATTENED),
    difference("inspect-attested", "inspect --insecure {R}/index:attested", &[OUT], INSPECT_SHOWS_ALL_MEMBERS),
    difference("inspect-oci-index", "inspect --insecure {R}/index:oci", &[OUT], INSPECT_SHOWS_ALL_MEMBERS),
    difference("inspect-oci-index", "inspect --insecure {R}/index:bare", &[OUT], INSPECT_SHOWS_ALL_MEMBERS),
    difference("inspect-odd-lists", "inspect --insecure {R}/index:mixed", &[OUT], INSPECT_SHOWS_ALL_MEMBERS),
    difference("inspect-odd-lists", "inspect --insecure {R}/index:noplatform", &[OUT], INSPECT_SHOWS_ALL_MEMBERS),
    difference("edited-annotations", "inspect {T}/l:1", &[OUT], INSPECT_SHOWS_ALL_MEMBERS),
    difference("edited-annotations", "push --insecure {T}/l:1", &[OUT, ERR], PUBLISHES_AN_OCI_INDEX),
    difference("edited-annotations", "served", &[SERVED], PUBLISHES_AN_OCI_INDEX),
    difference("amend-other-registry-name", "inspect {T}/l:1", &[CODE, OUT, ERR], SOURCES_IN_OTHER_REGISTRIES),
    difference("amend-other-registry-name", "push --insecure {T}/l:1", &[CODE, OUT, ERR], SOURCES_IN_OTHER_REGISTRIES),
    difference("amend-other-registry-name", "served", &[SERVED], SOURCES_IN_OTHER_REGISTRIES),
    difference("push-other-registry", "push --insecure {T}/l:1", &[CODE, OUT, ERR], SOURCES_IN_OTHER_REGISTRIES),
    difference("push-other-registry", "served", &[SERVED], SOURCES_IN_OTHER_REGISTRIES),
    difference("push-draft-to-hub-name", "push --insecure {N}/l:1", &[ERR], SOURCES_IN_OTHER_REGISTRIES),
    difference("push-draft-to-hub-name", "inspect {N}/l:1", &[CODE, OUT, ERR], SOURCES_IN_OTHER_REGISTRIES),
    difference("referrer", "push --insecure {T}/l:1", &[OUT], SETS_ARTIFACT_TYPE),
    difference("referrer", "served", &[SERVED], SETS_ARTIFACT_TYPE),
    difference("create-twins", "push --insecure {T}/l:1", &[ERR], WARNS_OF_DUPLICATE_PLATFORM),
    difference("hand-written-stored", "push --insecure {T}/l:1", &[ERR], WARNS_OF_DUPLICATE_PLATFORM),
    difference("push-artifacts", "push --insecure {T}/l:1", &[ERR], WARNS_OF_DUPLICATE_PLATFORM),
    difference("push-amended-by-digest", "push --insecure {T}/l:1", &[ERR], WARNS_OF_DUPLICATE_PLATFORM),
    difference("push-configs-odd", "push --insecure {T}/l:1", &[ERR], WARNS_OF_DUPLICATE_PLATFORM),
    difference("push-order-of-names", "push --insecure {T}/l:1", &[ERR], WARNS_OF_DUPLICATE_PLATFORM),
    difference("twenty-images", "push --insecure --purge {T}/l:1", &[ERR], WARNS_OF_DUPLICATE_PLATFORM),
    difference("amend-moved-tag", "create --insecure -a {T}/l:1 {T}/a:t", &[ERR, STORE], AMEND_RESOLVES_AGAIN),
    difference("amend-moved-tag", "inspect -v {T}/l:1", &[OUT, STORE], AMEND_RESOLVES_AGAIN),
    difference("push-own-tag-as-source", "create --insecure -a {T}/a:1 {T}/a:1", &[ERR, STORE], AMEND_RESOLVES_AGAIN),
    difference(
        "create-digest-of-nothing",
        "create --insecure {T}/l:1 \
        {R}/app:amd64@{D:app:arm64}",
        &[CODE, OUT, ERR, STORE],
        DIGEST_COMES_BEFORE_TAG,
    ),
    difference("create-of-a-moved-tag", "*", ALL, DIGEST_COMES_BEFORE_TAG),
    difference(
        "inspect-by-digest",
        "inspect --insecure -v {R}/app:whatever@{D:app:amd64}",
        &[CODE, OUT, ERR],
        DIGEST_COMES_BEFORE_TAG,
    ),
    difference("create-under-a-digest", "push --insecure {T}/l@{D:app:amd64}", &[CODE, OUT, ERR], OTHER_DIGEST_IN_NAME),
    difference("create-under-a-digest", "served", &[SERVED], OTHER_DIGEST_IN_NAME),
    difference(
        "create-under-tag-and-digest",
        "push --insecure {T}/l:1@{D:app:amd64}",
        &[CODE, OUT, ERR],
        OTHER_DIGEST_IN_NAME,
    ),
    difference("create-under-tag-and-digest", "served", &[SERVED], OTHER_DIGEST_IN_NAME),
    difference("annotate-missing", "annotate --insecure {T}/l:1 {R}/app:amd64", &[ERR], INSECURE_NEEDS_PUSH),
    difference("annotate-nothing", "annotate {T}/l:1 {R}/app:arm64", &[ERR], WARNS_OF_NO_CHANGE),
    difference(
        "annotate-nothing",
        "annotate {T}/l:1 {R}/app:arm64 --os '' --arch= --variant '' --os-version= \
        --os-features=",
        &[ERR],
        WARNS_OF_NO_CHANGE,
    ),
    difference("annotate-variant-number", "*", ALL, COMPLETES_VARIANT),
    // Of `interop`: what one of the two tools does when it is its turn.
    difference("foreign-keys-in-turns", "inspect {T}/l:1", &[OUT], INSPECT_SHOWS_ALL_MEMBERS),
    difference("foreign-keys-in-turns", "push --insecure {T}/l:1", &[OUT, ERR], PUBLISHES_AN_OCI_INDEX),
    difference("foreign-keys-in-turns", "served", &[SERVED], PUBLISHES_AN_OCI_INDEX),
    difference("odd-images-in-turns", "push --insecure {T}/l:1", &[ERR], WARNS_OF_DUPLICATE_PLATFORM),
    difference("names-that-docker-mixes", "*", ALL, SEPARATES_LISTS_OF_ONE_DIRECTORY),
    difference("annotate-aliases", "*", ALL, KNOWS_PLATFORM_ALIASES),
    difference("annotate-platforms-linux", "*", &[CODE, OUT, ERR, STORE], KNOWS_NEW_PLATFORMS),
    difference("annotate-platforms-others", "*", &[CODE, OUT, ERR, STORE], KNOWS_NEW_PLATFORMS),
    difference("old-entry-oci-beside", "*", ALL, OLD_ENTRIES_KEEP_BYTES),
    difference("configs-broken", "create --insecure {T}/e {R}/odd:notjson", &[ERR], DECODER_WORDING),
    difference("config-broken", "*", &[ERR], BROKEN_CONFIG_IS_AN_ERROR),
    difference("config-empty", "inspect {T}/l:1", &[ERR], BROKEN_CONFIG_IS_AN_ERROR),
    difference("push-missing-blob-second", "*", ALL, MOUNTS_ONCE),
    difference("help-of-help", "?help", &[CODE, OUT, ERR], HAS_HELP_COMMAND),
    difference("help-of-help", "?help create", &[CODE, OUT, ERR], HAS_HELP_COMMAND),
];
