//! The nearest known word for a mistyped one: flags, commands, platforms, keys.

/// The candidate that `word` was probably meant to be; `None` if no candidate is near enough.
///
/// A candidate is near if at most a third of the word's letters are changed, added, missing or swapped with their
/// neighbour, or if the word is the beginning of this candidate only. Of equally near ones, one with the same letters
/// wins, else the first.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    let bound = (word.chars().count() / 3).max(1);
    let mut best: Option<((usize, bool), &str)> = None;
    let mut prefixed = Vec::new();
    for candidate in candidates {
        let distance = strsim::damerau_levenshtein(&word, candidate);
        // If the distance equals the length of the candidate, no letter matches.
        let near = distance <= bound && distance < candidate.chars().count();
        let rank = (distance, sorted_letters(&word) != sorted_letters(candidate));
        if near && best.is_none_or(|(least, _)| rank < least) {
            best = Some((rank, candidate));
        }
        if word.chars().count() > 1 && candidate.starts_with(word.as_str()) {
            prefixed.push(candidate);
        }
    }
    match (best, prefixed.as_slice()) {
        (Some((_, candidate)), _) => Some(candidate),
        (None, [only]) => Some(only),
        (None, _) => None,
    }
}

fn sorted_letters(word: &str) -> Vec<char> {
    let mut letters: Vec<char> = word.chars().collect();
    letters.sort_unstable();
    letters
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_finds_typing_errors_and_no_other_words() {
        let words = ["amend", "annotation", "insecure", "os", "os-features", "platform"];
        let cases = [
            ("ammend", Some("amend")),
            ("amned", Some("amend")),
            ("Amend", Some("amend")),
            ("insecur", Some("insecure")),
            ("plat", Some("platform")),
            ("anotations", Some("annotation")),
            ("so", Some("os")),
            ("a", None),
            ("bogus", None),
            ("", None),
            ("xy", None),
        ];
        for (word, expected) in cases {
            assert_eq!(nearest(word, words), expected, "{word:?}");
        }
        assert_eq!(nearest("o", ["x", "y"]), None);
        assert_eq!(nearest("amr64", ["amd64", "arm64"]), Some("arm64"));
    }
}
