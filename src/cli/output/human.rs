//! Sizes and ages for people, in the form of docker's own tables (docker's go-units).

use std::time::Duration;

const UNITS: [&str; 7] = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];

/// A size in decimal units with three digits: `7.34MB`, `512B`.
///
/// Docker prints `1e+03kB` between 999.5 and 1000 of a unit; this prints `1MB`.
pub fn size(bytes: u64) -> String {
    // Beyond 2^53 the last bytes are lost. Three digits never show them.
    #[allow(clippy::cast_precision_loss)]
    let mut value = bytes as f64;
    let mut units = UNITS.iter();
    let mut unit = units.next();
    while value >= 999.5 {
        let Some(larger) = units.next() else { break };
        value /= 1000.0;
        unit = Some(larger);
    }
    format!("{}{}", three_digits(value), unit.copied().unwrap_or_default())
}

/// Go's `%.3g` for values below a thousand.
fn three_digits(value: f64) -> String {
    let decimals = match value {
        value if value < 9.995 => 2,
        value if value < 99.95 => 1,
        _ => 0,
    };
    let text = format!("{value:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// An age in one unit: `3 hours ago`, `About a minute ago`.
pub fn ago(age: Duration) -> String {
    format!("{} ago", duration(age))
}

/// A length of time in one unit: `3 hours`, `About a minute`, `2 days`.
pub fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let minutes = seconds / 60;
    // Docker rounds hours and truncates other units.
    let hours = seconds.saturating_add(1800) / 3600;
    match () {
        () if seconds < 1 => "Less than a second".to_owned(),
        () if seconds == 1 => "1 second".to_owned(),
        () if seconds < 60 => format!("{seconds} seconds"),
        () if minutes == 1 => "About a minute".to_owned(),
        () if minutes < 60 => format!("{minutes} minutes"),
        () if hours == 1 => "About an hour".to_owned(),
        () if hours < 48 => format!("{hours} hours"),
        () if hours < 24 * 7 * 2 => format!("{} days", hours / 24),
        () if hours < 24 * 30 * 2 => format!("{} weeks", hours / 24 / 7),
        () if hours < 24 * 365 * 2 => format!("{} months", hours / 24 / 30),
        () => format!("{} years", seconds / 3600 / 24 / 365),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_three_digits() {
        for (bytes, text) in [
            (0, "0B"),
            (1, "1B"),
            (999, "999B"),
            (1000, "1kB"),
            (1024, "1.02kB"),
            (1500, "1.5kB"),
            (7_340_000, "7.34MB"),
            (9_994_000, "9.99MB"),
            (9_996_000, "10MB"),
            (12_000_000, "12MB"),
            (99_960_000, "100MB"),
            (100_400_000, "100MB"),
            (999_400, "999kB"),
            (999_600, "1MB"),
            (5_368_709_120, "5.37GB"),
            (u64::MAX, "18.4EB"),
        ] {
            assert_eq!(size(bytes), text, "{bytes}");
        }
    }

    #[test]
    fn ages_match_docker() {
        const MINUTE: u64 = 60;
        const HOUR: u64 = 60 * MINUTE;
        const DAY: u64 = 24 * HOUR;
        for (seconds, text) in [
            (0, "Less than a second ago"),
            (1, "1 second ago"),
            (59, "59 seconds ago"),
            (MINUTE, "About a minute ago"),
            (2 * MINUTE, "2 minutes ago"),
            (59 * MINUTE + 59, "59 minutes ago"),
            (HOUR, "About an hour ago"),
            (HOUR + 29 * MINUTE, "About an hour ago"),
            (HOUR + 30 * MINUTE, "2 hours ago"),
            (3 * HOUR, "3 hours ago"),
            (47 * HOUR, "47 hours ago"),
            (2 * DAY, "2 days ago"),
            (13 * DAY, "13 days ago"),
            (14 * DAY, "2 weeks ago"),
            (59 * DAY, "8 weeks ago"),
            (60 * DAY, "2 months ago"),
            (729 * DAY, "24 months ago"),
            (730 * DAY, "2 years ago"),
            (3 * 365 * DAY + 5, "3 years ago"),
        ] {
            assert_eq!(ago(Duration::from_secs(seconds)), text, "{seconds}");
        }
        assert!(ago(Duration::MAX).ends_with(" years ago"));
    }
}
