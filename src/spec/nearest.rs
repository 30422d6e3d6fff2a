//! The nearest right word for a wrong one.

/// Words over this are nobody's slip of the finger; it bounds the work too.
const LENGTH_MAX: usize = 40;

/// The word of `known` that `typed` may be a slip of; the first of several that are as near.
pub(super) fn nearest<'w>(typed: &str, known: impl Iterator<Item = &'w str>) -> Option<&'w str> {
    let typed = folded(typed)?;
    let near = match typed.len() {
        0 => return None,
        1..=3 => 1,
        4..=7 => 2,
        _ => 3,
    };
    let mut best: Option<(usize, &str)> = None;
    for word in known {
        let Some(letters) = folded(word) else { continue };
        let distance = distance(&typed, &letters);
        // A word that shares nothing is none, however short.
        if distance <= near && distance < letters.len() && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, word));
        }
    }
    best.map(|(_, word)| word)
}

/// Where a key that stands at the wrong place would be right, for people.
pub(super) fn belongs(key: &str) -> Option<&'static str> {
    match key {
        "architecture" | "os" | "variant" | "osversion" | "osVersion" | "os.version" | "osfeatures" | "osFeatures"
        | "os.features" | "features" => Some("`platform`"),
        "platform" => Some("an entry of `manifests`"),
        "image" | "images" | "tags" | "type" | "attestations" | "require" | "manifests" | "annotations"
        | "artifactType" => Some("the spec itself"),
        _ => None,
    }
}

/// Small letters and digits only, so that `os_version` is `os.version`; `None` where it is too long.
fn folded(word: &str) -> Option<Vec<char>> {
    let letters = word.chars().take(LENGTH_MAX + 1).filter(|c| !matches!(c, '.' | '_' | '-' | ' '));
    let letters: Vec<char> = letters.flat_map(char::to_lowercase).collect();
    (letters.len() <= LENGTH_MAX).then_some(letters)
}

/// Letters put in, left out, exchanged, or swapped with their neighbour.
fn distance(from: &[char], to: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=to.len()).collect();
    for (row, letter) in from.iter().enumerate() {
        let mut line = vec![row + 1];
        for (column, other) in to.iter().enumerate() {
            let cost = |line: &[usize], at: usize| line.get(at).copied().unwrap_or(usize::MAX / 2);
            let mut least = cost(&above, column) + usize::from(letter != other);
            least = least.min(cost(&above, column + 1) + 1).min(cost(&line, column) + 1);
            let is_swap =
                row > 0 && column > 0 && from.get(row - 1) == Some(other) && to.get(column - 1) == Some(letter);
            if is_swap {
                least = least.min(cost(&before, column - 1) + 1);
            }
            line.push(least);
        }
        before = std::mem::replace(&mut above, line);
    }
    above.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_found_and_other_words_are_not() {
        let words = ["architecture", "os", "variant", "os.version", "features"];
        for (typed, expected) in [
            ("achitecture", Some("architecture")),
            ("Architecture", Some("architecture")),
            ("archtiecture", Some("architecture")),
            ("os_version", Some("os.version")),
            ("so", Some("os")),
            ("o", Some("os")),
            ("vairant", Some("variant")),
            ("x", None),
            ("", None),
            ("platform", None),
            ("the word that nobody would type by a slip of a finger", None),
        ] {
            assert_eq!(nearest(typed, words.into_iter()), expected, "{typed}");
        }
    }
}
