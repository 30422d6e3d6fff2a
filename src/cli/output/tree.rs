//! Trees drawn with lines: an index, its platforms, their layers.

use crate::sanitize;

/// What stands before a branch, and before all that is below it: of a branch that others follow, and of the last one.
type BranchStrokes = [(&'static str, &'static str); 2];

/// For a terminal that shows UTF-8.
const UNICODE_STROKES: BranchStrokes = [("├─ ", "│  "), ("└─ ", "   ")];

const ASCII_STROKES: BranchStrokes = [("|- ", "|  "), ("`- ", "   ")];

/// A line of text and the trees below it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tree {
    label: String,
    branches: Vec<Tree>,
}

impl Tree {
    /// A tree of one line. Control characters are shown as `?`, because a registry's text must not control the
    /// terminal.
    pub fn new(label: impl AsRef<str>) -> Tree {
        Tree { label: sanitize::short_line(label.as_ref()), branches: Vec::new() }
    }

    /// Adds a branch below the others.
    pub fn push(&mut self, branch: Tree) {
        self.branches.push(branch);
    }

    /// The drawing for a locale (see [`super::terminal::is_utf8`]): a line for each label, every line with its newline.
    pub fn to_text(&self, is_utf8: bool) -> String {
        let mut text = format!("{}\n", self.label);
        self.draw(if is_utf8 { UNICODE_STROKES } else { ASCII_STROKES }, "", &mut text);
        text
    }

    fn draw(&self, strokes: BranchStrokes, margin: &str, text: &mut String) {
        for (index, branch) in self.branches.iter().enumerate() {
            let [inner, last] = strokes;
            let (label_stroke, branch_stroke) = if index + 1 == self.branches.len() { last } else { inner };
            text.push_str(&format!("{margin}{label_stroke}{}\n", branch.label));
            branch.draw(strokes, &format!("{margin}{branch_stroke}"), text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with<const N: usize>(label: &str, branches: [Tree; N]) -> Tree {
        let mut tree = Tree::new(label);
        branches.into_iter().for_each(|branch| tree.push(branch));
        tree
    }

    fn sample() -> Tree {
        let leaf = |label: &str| with(label, []);
        let amd64 = with("linux/amd64", [leaf("layer 1"), leaf("layer 2")]);
        let arm64 = with("linux/arm64", [with("attestation", [leaf("in-toto")])]);
        with("app:1", [amd64, arm64])
    }

    #[test]
    fn trees_are_drawn_with_lines() {
        let expected = "\
app:1
├─ linux/amd64
│  ├─ layer 1
│  └─ layer 2
└─ linux/arm64
   └─ attestation
      └─ in-toto
";
        assert_eq!(sample().to_text(true), expected);
        let ascii = "\
app:1
|- linux/amd64
|  |- layer 1
|  `- layer 2
`- linux/arm64
   `- attestation
      `- in-toto
";
        assert_eq!(sample().to_text(false), ascii);
    }

    #[test]
    fn control_characters_in_a_label_are_replaced() {
        assert_eq!(Tree::new("a\n\u{1b}[2Jb").to_text(true), "a??[2Jb\n");
    }
}
