//! Colour: none in a pipe, or as `--color` says. It never changes the text.

use testkit::sandbox::{Output, Sandbox};

use super::OURS;

/// The same without escape sequences.
fn plain(text: &str) -> String {
    let mut plain = String::new();
    for (at, part) in text.split('\u{1b}').enumerate() {
        plain.push_str(if at == 0 { part } else { part.split_once('m').map_or("", |(_, rest)| rest) });
    }
    plain
}

#[test]
fn colour_follows_the_users_choice_and_changes_no_text() {
    let sandbox = Sandbox::new();
    let run = |words: &[&str]| sandbox.command(OURS).args(words.iter().copied()).run();
    let all = |output: &Output| (output.code, output.out(), output.err());
    for words in [&["ls"][..], &["push", "h:5000/app:1"], &["annotate", "h:5000/app:1"], &["version"]] {
        let piped = all(&run(words));
        assert!(!piped.1.contains('\u{1b}') && !piped.2.contains('\u{1b}'), "{piped:?}");
        for (flag, value) in [("--color=always", None), ("--color", Some("always"))] {
            let flags: Vec<&str> = [Some(flag), value].into_iter().flatten().collect();
            // Before the command and after it, last of several.
            for line in [[&flags[..], words].concat(), [&["--color=never"], words, &flags[..]].concat()] {
                let coloured = all(&run(&line));
                let is_painted = coloured.1.contains("\u{1b}[1m") || coloured.2.contains("\u{1b}[31m");
                assert_eq!(is_painted, words != ["version"], "{line:?}: {coloured:?}");
                assert_eq!((coloured.0, plain(&coloured.1), plain(&coloured.2)), piped, "{line:?}");
            }
        }
        for value in ["auto", "never"] {
            assert_eq!(all(&run(&[words, &["--color", value]].concat())), piped);
        }
    }
    let always = sandbox.command(OURS).args(["ls", "--color=always"]).env("NO_COLOR", "1").run().success();
    assert!(always.out().contains("\u{1b}[1m"), "a flag is more than a variable");
}

#[test]
fn an_invalid_colour_choice_is_refused() {
    for words in [&["ls", "--color", "red"][..], &["--color=red", "ls"]] {
        let output = Sandbox::new().command(OURS).args(words.iter().copied()).run();
        assert_eq!(output.code, 125, "{words:?}");
        let expected = "invalid argument \"red\" for \"--color\" flag: must be one of auto, always, never";
        assert_eq!(output.first_err_line(), expected, "{words:?}");
    }
}
