//! Parsers and types of free-form values: references, durations, digests, annotations.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use crate::core::error::CommandError;
use crate::core::error_parts::NameRole;
use crate::core::image_filters::{InvalidName, LocationResult};
use crate::digest::{Digest, DigestError};
use crate::drafts::registry::pipeline_run;
use crate::location::{InvalidLocation, LayoutKind, LayoutReference, Location};
use crate::model::media_type;
use crate::reference::{self, Reference, ReferenceError, Repository};

/// A reference as it was typed, and its parsed form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefArg {
    /// The text as typed; docker's messages quote it.
    pub typed: String,
    /// The normalised reference, or why the text is not a reference.
    pub parsed: Result<Reference, ReferenceError>,
}

impl RefArg {
    /// Reads a word of the command line. An invalid reference is not an error here.
    pub fn new(typed: impl Into<String>) -> RefArg {
        let typed = typed.into();
        RefArg { parsed: Reference::parse(&typed), typed }
    }

    /// The reference. The error has docker's general text.
    pub(crate) fn reference(&self) -> Result<&Reference, CommandError> {
        self.reference_as(NameRole::Any)
    }

    /// The reference. The error has docker's text for this role of the word.
    pub(crate) fn reference_as(&self, role: NameRole) -> Result<&Reference, CommandError> {
        let refuse = |source: &ReferenceError| {
            let (typed, source) = (self.typed.clone(), source.clone());
            CommandError::InvalidName { role, typed, source }
        };
        self.parsed.as_ref().map_err(refuse)
    }

    pub(super) fn from_clap(typed: &str) -> Result<RefArg, std::convert::Infallible> {
        Ok(RefArg::new(typed))
    }
}

/// The location of an image as it was typed, and its parsed form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocationArg {
    /// The text as typed.
    pub typed: String,
    /// The location, or why the text names none.
    parsed: Result<Location, InvalidLocation>,
}

impl LocationArg {
    /// Reads a word of the command line. An invalid location is not an error here.
    pub fn new(typed: impl Into<String>) -> LocationArg {
        let typed = typed.into();
        LocationArg { parsed: Location::parse(&typed), typed }
    }

    /// The location.
    pub(crate) fn location(&self) -> Result<&Location, CommandError> {
        self.parsed.as_ref().map_err(|source| self.invalid(source).into())
    }

    /// The image's name, or why the text is not a name.
    pub(crate) fn location_result(&self) -> LocationResult {
        self.parsed.clone().map_err(|source| self.invalid(&source))
    }

    fn invalid(&self, source: &InvalidLocation) -> InvalidName {
        InvalidName { typed: self.typed.clone(), source: source.clone() }
    }

    /// The reference. A layout is an error.
    pub(crate) fn reference(&self) -> Result<&Reference, CommandError> {
        match self.location()? {
            Location::Registry(reference) => Ok(reference),
            Location::Layout(_) => {
                let reason = "a layout cannot be used here".to_owned();
                Err(CommandError::InvalidLocation { typed: self.typed.clone(), reason })
            }
        }
    }

    pub(super) fn from_clap(typed: &str) -> Result<LocationArg, std::convert::Infallible> {
        Ok(LocationArg::new(typed))
    }
}

/// Reads a maximum of concurrent requests.
///
/// # Errors
/// A message for any other text.
pub fn jobs(typed: &str) -> Result<NonZeroUsize, &'static str> {
    typed.parse().map_err(|_| "not a whole number above zero")
}

/// Reads a number of retries; zero is allowed.
///
/// # Errors
/// A message for any other text.
pub fn retries(typed: &str) -> Result<u32, &'static str> {
    typed.parse().map_err(|_| "not a whole number")
}

/// Reads `on` or `off`.
///
/// # Errors
/// Any other text, in words for people.
pub fn on_or_off(typed: &str) -> Result<bool, &'static str> {
    match typed {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err("neither on nor off"),
    }
}

/// Reads a time limit such as `30s` or `1h30m`; a bare number is seconds. Zero is refused, because every request would
/// fail.
///
/// # Errors
/// A message for any other text.
pub fn time_limit(typed: &str) -> Result<Duration, &'static str> {
    const EXPECTED: &str = "not a time above zero like 30s, 5m or 1h30m";
    let seconds = typed.parse().ok().map(Duration::from_secs);
    seconds.or_else(|| parse_duration(typed)).filter(|time| !time.is_zero()).ok_or(EXPECTED)
}

/// A time to wait, as [`time_limit`]; zero waits for nothing.
pub(super) fn wait_time(typed: &str) -> Result<Duration, &'static str> {
    if ["0", "0s", "0m", "0h"].contains(&typed) { Ok(Duration::ZERO) } else { time_limit(typed) }
}

/// The id of a run.
pub(super) fn run_id(typed: &str) -> Result<String, String> {
    pipeline_run::check_run_id(typed).map(|()| typed.to_owned()).map_err(|reason| format!("it is {reason}"))
}

/// A digest.
pub(super) fn digest(typed: &str) -> Result<Digest, String> {
    typed.parse().map_err(|error: DigestError| error.to_string())
}

/// Reads an age: a time ([`parse_duration`]), or a bare zero. Another bare number has no unit and is refused.
pub(super) fn age(typed: &str) -> Result<Duration, String> {
    const EXPECTED: &str = "not a time like 12h, 30d or 2w";
    let zero = (typed == "0").then_some(Duration::ZERO);
    zero.or_else(|| parse_duration(typed)).ok_or_else(|| {
        let in_days = format!("{typed}d");
        let is_number = typed.bytes().all(|byte| byte.is_ascii_digit()) && parse_duration(&in_days).is_some();
        if is_number { format!("{EXPECTED}; did you mean {in_days}?") } else { EXPECTED.to_owned() }
    })
}

/// Numbers with a unit each: `ms`, `s`, `m`, `h`, `d`, `w`.
fn parse_duration(typed: &str) -> Option<Duration> {
    let mut rest = typed;
    let mut total = None;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let (number, after_number) = rest.split_at(digits);
        let letters = after_number.find(|c: char| c.is_ascii_digit()).unwrap_or(after_number.len());
        let (unit, after_unit) = after_number.split_at(letters);
        let milliseconds: u64 = match unit {
            "ms" => 1,
            "s" => 1000,
            "m" => 60 * 1000,
            "h" => 60 * 60 * 1000,
            "d" => 24 * 60 * 60 * 1000,
            "w" => 7 * 24 * 60 * 60 * 1000,
            _ => return None,
        };
        let part = Duration::from_millis(number.parse::<u64>().ok()?.checked_mul(milliseconds)?);
        total = Some(total.unwrap_or(Duration::ZERO).checked_add(part)?);
        rest = after_unit;
    }
    total
}

/// Reads `KEY=VALUE`. The key is not empty, and the value is all that follows the first `=`.
pub(super) fn key_value(typed: &str) -> Result<(String, String), &'static str> {
    match typed.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("not KEY=VALUE"),
    }
}

/// Reads a tag without a repository.
pub(super) fn tag(typed: &str) -> Result<String, &'static str> {
    match typed {
        "" => Err("must not be empty"),
        tag if reference::is_tag(tag) => Ok(tag.to_owned()),
        _ => Err("not a tag: give it without the repository"),
    }
}

/// Reads an artifact type, which is a media type (RFC 6838; image-spec, "Image Manifest"). Empty removes it.
pub(super) fn artifact_type(typed: &str) -> Result<String, &'static str> {
    let is_valid = typed.is_empty() || media_type::is_well_formed(typed);
    if is_valid { Ok(typed.to_owned()) } else { Err("not a media type like application/vnd.example.app") }
}

/// Reads a media type (RFC 6838).
pub(super) fn media_type(typed: &str) -> Result<String, &'static str> {
    if typed.is_empty() { Err("must not be empty") } else { artifact_type(typed) }
}

/// A repository, without a tag and without a digest.
pub(super) fn repository(typed: &str) -> Result<Repository, String> {
    let reference = Reference::parse(typed).map_err(|error| error.to_string())?;
    let only = Reference::is_repository_only(typed).then(|| reference.repository().clone());
    only.ok_or_else(|| "must have neither a tag nor a digest".to_owned())
}

/// Reads the name of a layout to write.
pub(super) fn output_layout(typed: &str) -> Result<LayoutReference, String> {
    match LayoutReference::parse(typed) {
        Some(Ok(name)) if name.kind == LayoutKind::DockerArchive => {
            Err("an archive of docker save can only be read; write an oci-archive: instead".to_owned())
        }
        Some(name) => name,
        None => Err("not an OCI layout like oci-layout://DIR, oci:./DIR or oci-archive:./FILE".to_owned()),
    }
}

/// Reads a text that is not empty.
pub(super) fn non_empty_text(typed: &str) -> Result<String, &'static str> {
    if typed.is_empty() { Err("must not be empty") } else { Ok(typed.to_owned()) }
}

/// Reads a path that is not empty.
pub(super) fn non_empty_path(typed: &str) -> Result<PathBuf, &'static str> {
    non_empty_text(typed).map(PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_limits_and_ages_are_read_with_their_units() {
        let seconds = |typed: &str| time_limit(typed).map(|time| time.as_secs_f64()).ok();
        let cases = [
            ("30s", Some(30.0)),
            ("90", Some(90.0)),
            ("5m", Some(300.0)),
            ("1h30m", Some(5400.0)),
            ("250ms", Some(0.25)),
            ("2w1d", Some(1_296_000.0)),
            ("0", None),
            ("0s", None),
            ("", None),
            ("-1s", None),
            ("s", None),
            ("5 m", None),
            ("1.5h", None),
            ("5y", None),
            ("1h30", None),
            ("99999999999999999999s", None),
            ("18446744073709551615w", None),
        ];
        for (typed, expected) in cases {
            assert_eq!(seconds(typed), expected, "{typed:?}");
        }
        assert_eq!(age("30d").map(|age| age.as_secs()), Ok(2_592_000));
        assert_eq!(age("0"), Ok(Duration::ZERO));
        let expected = "not a time like 12h, 30d or 2w";
        assert_eq!(age("30"), Err(format!("{expected}; did you mean 30d?")), "an age needs its unit");
        for typed in ["", "x", "30y", "-30", "99999999999999999999"] {
            assert_eq!(age(typed), Err(expected.to_owned()), "{typed:?}");
        }
    }

    #[test]
    fn artifact_types_are_media_types() {
        for typed in ["", "application/vnd.example.app", "x/y", "application/vnd.cncf.helm.config.v1+json"] {
            assert_eq!(artifact_type(typed).as_deref(), Ok(typed));
        }
        let long = format!("application/{}", "x".repeat(128));
        for typed in ["x", "/", "x/", "/y", "a b/c", "a/b/c", "a/b; c=d", "a/b,c", "é/x", ".a/b", "a/b\n", &long] {
            assert!(artifact_type(typed).is_err(), "{typed:?}");
        }
    }

    #[test]
    fn annotations_and_tags_are_validated() {
        assert_eq!(key_value("a=b=c"), Ok(("a".into(), "b=c".into())));
        assert_eq!(key_value("a="), Ok(("a".into(), String::new())));
        assert!(key_value("a").is_err() && key_value("=b").is_err() && key_value("").is_err());
        for (typed, is_tag) in
            [("1.0", true), ("_x-y.z", true), (".x", false), ("", false), ("a:b", false), ("é", false)]
        {
            assert_eq!(tag(typed).is_ok(), is_tag, "{typed:?}");
        }
        assert!(tag(&"x".repeat(128)).is_ok() && tag(&"x".repeat(129)).is_err());
    }
}
