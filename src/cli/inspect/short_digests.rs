//! Digests that are short enough to read and long enough to distinguish.

use crate::digest::Digest;

/// The number of hexadecimal digits that docker shows of an image's identifier.
const DIGITS_MIN: usize = 12;

/// How many digits of each digest are shown.
pub(crate) struct DigestShortener {
    /// The number of digits; `None` for all.
    digits: Option<usize>,
}

impl DigestShortener {
    /// Shows whole digests.
    pub(crate) fn full() -> DigestShortener {
        DigestShortener { digits: None }
    }

    /// As few digits as distinguish these digests, and at least as many as docker shows.
    pub(crate) fn distinguishing<'a>(digests: impl IntoIterator<Item = &'a Digest>) -> DigestShortener {
        let mut all: Vec<&str> = digests.into_iter().map(digits).collect();
        all.sort_unstable();
        all.dedup();
        let neighbours = all.iter().zip(all.iter().skip(1));
        let shared =
            neighbours.map(|(first, second)| first.bytes().zip(second.bytes()).take_while(|(a, b)| a == b).count());
        DigestShortener { digits: Some(shared.max().map_or(0, |shared| shared + 1).max(DIGITS_MIN)) }
    }

    /// The digest as it is shown: its algorithm and its first digits.
    pub(crate) fn shorten<'a>(&self, digest: &'a Digest) -> &'a str {
        let text = digest.as_str();
        let algorithm = text.len().saturating_sub(digits(digest).len());
        self.digits.and_then(|digits| text.get(..algorithm + digits)).unwrap_or(text)
    }
}

fn digits(digest: &Digest) -> &str {
    digest.as_str().split_once(':').map_or("", |(_, digits)| digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(begin: &str) -> Digest {
        format!("sha256:{begin:0<64}").parse().unwrap()
    }

    #[test]
    fn digests_are_cut_to_the_shortest_distinct_length() {
        let (a, b, c) = (digest("a"), digest("ab12ab12ab12ab1"), digest("ab12ab12ab12ab2"));
        let short = DigestShortener::distinguishing([&a, &a]);
        assert_eq!(short.shorten(&a), "sha256:a00000000000");
        let short = DigestShortener::distinguishing([&a, &b, &c]);
        assert_eq!(
            (short.shorten(&b), short.shorten(&c), short.shorten(&a)),
            ("sha256:ab12ab12ab12ab1", "sha256:ab12ab12ab12ab2", "sha256:a00000000000000")
        );
        assert_eq!(DigestShortener::full().shorten(&a), a.as_str());
        assert_eq!(DigestShortener::distinguishing([]).shorten(&a), "sha256:a00000000000");
    }

    #[test]
    fn digests_of_two_algorithms_with_the_same_digits_are_distinguished() {
        let long: Digest = format!("sha512:{}", "a".repeat(128)).parse().unwrap();
        let short: Digest = format!("sha256:{}", "a".repeat(64)).parse().unwrap();
        let shown = DigestShortener::distinguishing([&long, &short]);
        assert_ne!(shown.shorten(&long), shown.shorten(&short));
        assert_eq!(shown.shorten(&short), short.as_str());
    }
}
