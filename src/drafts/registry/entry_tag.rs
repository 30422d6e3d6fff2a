//! Names of entries: the key that an entry has in its list, and the tag that it is stored under. See
//! `store-format.md`, "Shared drafts".

use std::fmt;

use crate::digest::Digest;
use crate::platform::{self, Platform};
use crate::reference::Reference;

/// The prefix of every entry's tag.
const TAG_PREFIX: &str = "draft.";

/// The maximum length of a tag (distribution-spec, "Pulling manifests"), in characters.
const TAG_LENGTH_MAX: usize = 128;

/// The maximum length of a key, in characters. It leaves room for the list's tag.
const KEY_LENGTH_MAX: usize = 64;

/// The number of hash digits at the end of a shortened text.
const SHORTENED_HASH_DIGITS: usize = 12;

/// The number of hash digits that represent a run.
const RUN_HASH_DIGITS: usize = 8;

/// The part of a tag that represents no run.
const NO_RUN: &str = "0";

/// The number of leading numbers of a Windows version that are its build.
const WINDOWS_BUILD_COMPONENTS: usize = 3;

/// The key of an entry in its list: a platform (`linux/arm64`), or a name that a user chose.
///
/// A platform has a slash, and a name has none.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SharedEntryKey(String);

impl SharedEntryKey {
    /// The key of an image for this platform; `None` if its operating system or architecture is not known.
    ///
    /// The key is the platform as `--require` compares it, with the build of a Windows image.
    pub fn from_platform(platform: &Platform) -> Option<SharedEntryKey> {
        let Platform { os, architecture, variant, os_version, .. } = platform.normalized_for_comparison();
        if [&os, &architecture].iter().any(|word| word.is_empty() || *word == "unknown") {
            return None;
        }
        let mut key = format!("{os}/{architecture}").to_lowercase();
        if !variant.is_empty() {
            key.push('/');
            key.push_str(&variant.to_lowercase());
        }
        if os == "windows" && !os_version.is_empty() {
            let build: Vec<&str> = os_version.split('.').take(WINDOWS_BUILD_COMPONENTS).collect();
            key.push(':');
            key.push_str(&build.join(".").to_lowercase());
        }
        Some(SharedEntryKey(key))
    }

    /// A key that a user chose.
    ///
    /// # Errors
    /// Other characters than `a-z`, `A-Z`, `0-9`, `_` and `-`; more than 64 characters; a name that reads as the key of
    /// a platform. The error is a message for the user.
    pub fn from_name(name: &str) -> Result<SharedEntryKey, &'static str> {
        if name.is_empty() || !name.bytes().all(is_key_byte) {
            return Err("a key is made of a-z, A-Z, 0-9, _ and -");
        }
        if name.len() > KEY_LENGTH_MAX {
            return Err("a key has up to 64 characters");
        }
        if reads_as_platform(name) {
            return Err("this key is reserved for a platform; leave --key out");
        }
        Ok(SharedEntryKey(name.to_owned()))
    }

    /// The key of an entry. It is not checked here, but compared with the tag later.
    pub(super) fn unchecked(text: String) -> SharedEntryKey {
        SharedEntryKey(text)
    }

    /// The key as an entry states it: `linux/arm64`, `windows/amd64:10.0.20348`, or the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is the key of a platform.
    pub fn is_platform(&self) -> bool {
        self.0.contains('/')
    }

    /// Whether the platform has exactly one key. A Windows platform needs its build for that.
    pub fn has_single_key(platform: &Platform) -> bool {
        let Platform { os, os_version, .. } = platform.normalized_for_comparison();
        os != "windows" || os_version.split('.').filter(|number| !number.is_empty()).count() >= WINDOWS_BUILD_COMPONENTS
    }

    /// The key as a part of a tag: `linux-arm64`.
    pub fn tag_part(&self) -> String {
        if !self.is_platform() {
            return self.0.clone();
        }
        let part: String = self.0.chars().map(tag_character).collect();
        shortened(&part, &self.0, KEY_LENGTH_MAX)
    }
}

impl fmt::Display for SharedEntryKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&crate::sanitize::short_line(&self.0))
    }
}

fn tag_character(character: char) -> char {
    match character {
        '/' | ':' => '-',
        'a'..='z' | '0'..='9' | '_' => character,
        _ => '_',
    }
}

fn is_key_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

/// Whether a name reads as the key of a known platform in a tag.
fn reads_as_platform(name: &str) -> bool {
    let words: Vec<&str> = name.split('-').collect();
    let (os, architecture, rest) = match words.as_slice() {
        [os, architecture, rest @ ..] if rest.len() < 2 => (*os, *architecture, rest.first()),
        _ => return false,
    };
    let is_known_os_arch =
        Platform { os: os.into(), architecture: architecture.into(), ..Platform::default() }.is_known_os_arch();
    let is_variant = |word: &&str| platform::known_variants(Some(architecture)).contains(word);
    let is_build = |word: &&str| os == "windows" && word.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_');
    is_known_os_arch && rest.is_none_or(|rest| is_variant(rest) || is_build(rest))
}

/// Shortens a text to at most `limit` characters. A shortened text ends in a hash of `hashed`.
fn shortened(text: &str, hashed: &str, limit: usize) -> String {
    if text.len() <= limit {
        return text.to_owned();
    }
    let start: String = text.chars().take(limit.saturating_sub(SHORTENED_HASH_DIGITS + 1)).collect();
    format!("{start}_{}", hash_digits(hashed, SHORTENED_HASH_DIGITS))
}

/// The first digits of the sha256 hash of a text.
fn hash_digits(text: &str, digits: usize) -> String {
    let digest = Digest::from_bytes(text.as_bytes());
    digest.as_str().split(':').next_back().unwrap_or_default().chars().take(digits).collect()
}

/// The list, the run and the key of an entry. They determine its tag.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryName {
    /// The tag of the list.
    pub list_tag: String,
    /// The full id of the entry's run; `None` outside a run.
    pub run: Option<String>,
    /// The key of the entry in the list.
    pub key: SharedEntryKey,
}

impl EntryName {
    /// The tag that the entry is stored under; at most 128 characters.
    pub fn tag(&self) -> String {
        let (run, key) = (run_part(self.run.as_deref()), self.key.tag_part());
        format!("{TAG_PREFIX}{}.{run}.{key}", list_part(&self.list_tag, &run, &key))
    }

    /// The entry's tag in the repository of `list`.
    pub fn reference(&self, list: &Reference) -> Option<Reference> {
        list.repository().at_tag(&self.tag()).ok()
    }
}

/// The tag of a list as a part of an entry's tag, beside these parts.
fn list_part(list: &str, run: &str, key: &str) -> String {
    let others = TAG_PREFIX.len() + 1 + run.len() + 1 + key.len();
    shortened(list, list, TAG_LENGTH_MAX.saturating_sub(others))
}

/// A run as a part of a tag.
fn run_part(run: Option<&str>) -> String {
    run.map_or_else(|| NO_RUN.to_owned(), |run| hash_digits(run, RUN_HASH_DIGITS))
}

/// The parts of an entry's tag.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TagParts {
    /// The list's tag, shortened if it is too long.
    pub list: String,
    /// The hash of the run, or `0`.
    pub run: String,
    /// The key.
    pub key: String,
}

impl TagParts {
    /// Splits the tag of an entry; `None` for other tags.
    pub fn parse(tag: &str) -> Option<TagParts> {
        let (rest, key) = tag.strip_prefix(TAG_PREFIX)?.rsplit_once('.')?;
        let (list, run) = rest.rsplit_once('.')?;
        let is_hash = run.len() == RUN_HASH_DIGITS && run.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let is_key = !key.is_empty() && key.bytes().all(is_key_byte);
        let is_list = !list.is_empty() && list.bytes().all(|byte| byte == b'.' || is_key_byte(byte));
        let is_entry = tag.len() <= TAG_LENGTH_MAX && is_list && is_key && (is_hash || run == NO_RUN);
        is_entry.then(|| TagParts { list: list.to_owned(), run: run.to_owned(), key: key.to_owned() })
    }

    /// Whether the tag is one of this list.
    pub fn belongs_to_list(&self, list: &str) -> bool {
        list_part(list, &self.run, &self.key) == self.list
    }

    /// Whether the tag is one of this run.
    pub fn belongs_to_run(&self, run: Option<&str>) -> bool {
        run_part(run) == self.run
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(platform: &str) -> SharedEntryKey {
        SharedEntryKey::from_platform(&Platform::parse(platform).unwrap()).unwrap()
    }

    fn name(list: &str, run: Option<&str>, key: SharedEntryKey) -> EntryName {
        EntryName { list_tag: list.into(), run: run.map(str::to_owned), key }
    }

    #[test]
    fn entry_tag_has_list_run_and_key() {
        let run = "github:601234567:16412345678";
        let digits = hash_digits(run, 8);
        let entry = name("1.2.3", Some(run), key("linux/arm64/v8"));
        assert_eq!(entry.tag(), format!("draft.1.2.3.{digits}.linux-arm64"));
        assert_eq!(name("1.2.3", None, key("linux/arm64")).tag(), "draft.1.2.3.0.linux-arm64");
        let parts = TagParts::parse(&entry.tag()).unwrap();
        assert_eq!((parts.list.as_str(), parts.run, parts.key.as_str()), ("1.2.3", digits, "linux-arm64"));
        assert!(TagParts::parse(&entry.tag()).unwrap().belongs_to_list("1.2.3"));
        assert!(!TagParts::parse(&entry.tag()).unwrap().belongs_to_list("1.2"));
        assert!(TagParts::parse(&entry.tag()).unwrap().belongs_to_run(Some(run)));
        assert!(!TagParts::parse(&entry.tag()).unwrap().belongs_to_run(None));
    }

    #[test]
    fn platform_key_is_normalised_as_require_compares_it() {
        for (platform, part) in [
            ("linux/arm64/v8", "linux-arm64"),
            ("linux/aarch64", "linux-arm64"),
            ("linux/amd64/v1", "linux-amd64"),
            ("linux/amd64/v2", "linux-amd64-v2"),
            ("linux/arm", "linux-arm-v7"),
            ("linux/arm/v6", "linux-arm-v6"),
            ("windows/amd64:10.0.20348", "windows-amd64-10_0_20348"),
            ("windows/amd64:10.0.20348.2340", "windows-amd64-10_0_20348"),
            ("LINUX/AMD64", "linux-amd64"),
        ] {
            assert_eq!(key(platform).tag_part(), part, "{platform}");
        }
        assert_eq!(key("windows/amd64:10.0.20348").as_str(), "windows/amd64:10.0.20348");
        assert_eq!(SharedEntryKey::from_platform(&Platform::parse("unknown/unknown").unwrap()), None);
        assert_eq!(SharedEntryKey::from_platform(&Platform::default()), None);
        let derivable = |text: &str| SharedEntryKey::has_single_key(&Platform::parse(text).unwrap());
        assert!(derivable("linux/amd64") && derivable("windows/amd64:10.0.20348"));
        assert!(!derivable("windows/amd64") && !derivable("windows/amd64:10.0"));
    }

    #[test]
    fn named_key_that_reads_as_a_platform_is_refused() {
        for valid in ["fips", "amd64-fips", "A_b-1", "windows-ltsc2022", "linux-amd64-fips", "linux"] {
            assert_eq!(SharedEntryKey::from_name(valid).unwrap().tag_part(), valid);
        }
        for invalid in ["", "a.b", "a/b", "ä", "linux-arm64", "linux-arm-v6", "windows-amd64-10_0_20348"] {
            assert!(SharedEntryKey::from_name(invalid).is_err(), "{invalid}");
        }
        assert!(
            SharedEntryKey::from_name(&"a".repeat(64)).is_ok() && SharedEntryKey::from_name(&"a".repeat(65)).is_err()
        );
    }

    #[test]
    fn tag_parts_are_none_for_other_tags() {
        for other in
            ["1.2.3", "draft", "draft.1", "draft.1.0", "draft..0.x", "draft.1.0.", "draft.1.123.x", "drafts.1.0.x"]
        {
            assert_eq!(TagParts::parse(other), None, "{other}");
        }
        assert!(TagParts::parse("draft.draft.0.x.0.linux-amd64").is_some_and(|parts| parts.list == "draft.0.x"));
    }

    proptest! {
        /// A tag has at most 128 characters, and there is one way to split it into its parts.
        #[test]
        fn entry_tag_has_at_most_128_characters_and_parses_uniquely(
            list in "[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}",
            run in prop::option::of("[ -~]{1,60}"),
            named in "[a-zA-Z0-9_-]{1,64}",
            words in prop::array::uniform3("[a-zA-Z0-9.+ä_-]{1,50}"),
            is_platform in any::<bool>(),
        ) {
            let [os, architecture, variant] = words;
            let platform = Platform { os, architecture, variant, ..Platform::default() };
            let derived = SharedEntryKey::from_platform(&platform);
            let key = if is_platform { derived } else { SharedEntryKey::from_name(&named).ok() };
            prop_assume!(key.is_some());
            let entry = name(&list, run.as_deref(), key.unwrap());
            let tag = entry.tag();
            prop_assert!(tag.len() <= 128, "{tag}");
            let parsed = Reference::parse(&format!("h.x/app:{tag}")).unwrap();
            prop_assert_eq!(parsed.tag(), Some(tag.as_str()));
            let parts = TagParts::parse(&tag).unwrap();
            prop_assert_eq!(&parts.key, &entry.key.tag_part());
            prop_assert!(parts.belongs_to_list(&list) && parts.belongs_to_run(run.as_deref()));
            let whole = format!("draft.{list}.{}.{}", parts.run, parts.key);
            prop_assert_eq!(parts.list == list, whole.len() <= 128);
            prop_assert_eq!(tag == whole, whole.len() <= 128);
            let longer = format!("{list}x");
            prop_assert!(!parts.belongs_to_list(&longer), "{}", longer);
        }
    }
}
