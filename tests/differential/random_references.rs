//! References against docker itself: thousands of texts near the grammar's edges, the same ones every time. `rm` on an
//! empty store answers without a network, for each name either what is wrong with it or its normalised form.

use std::collections::BTreeSet;

use testkit::sandbox::{Output, Sandbox, Tool, on_path};
use testkit::skip::skipped;

use super::ours;

const TEXT_COUNT: usize = 10_000;
const SEED: u64 = 2;
const BATCH_SIZE: usize = 200;

/// Docker's error when the store's directory for a name cannot exist; ours says that there is no such manifest.
const TOO_LONG_TO_STORE: &str = "file name too long";

const HOSTS: &[&str] = &[
    "",
    "",
    "",
    "localhost",
    "LOCALHOST",
    "Localhost",
    "docker.io",
    "index.docker.io",
    "registry-1.docker.io",
    "DOCKER.IO",
    "h.x",
    "H.X",
    "h",
    "h.x:5000",
    "h:5000",
    "h:",
    "h:port",
    "h.x:65536",
    "h.x:05",
    "127.0.0.1:5000",
    "[::1]",
    "[::1]:5000",
    "[2001:db8::1]",
    "[2001:DB8::1]:443",
    "[fe80::1%25eth0]",
    "[::1",
    "::1",
    "::1]:5000",
    "[]",
    "[g::]",
    "[1.2.3.4]",
    "[::ffff:1.2.3.4]",
    "foo_bar",
    "foo_bar.com",
    "foo__bar.com:80",
    "a-b.c-d",
    "-a.b",
    "a-.b",
    "a..b",
    ".a",
    "a.",
    "xn--bcher-kva.example",
    "bücher.example",
    "h.x:5000:1",
];

const COMPONENTS: &[&str] = &[
    "a",
    "b0",
    "library",
    "a.b",
    "a_b",
    "a__b",
    "a___b",
    "a-b",
    "a--b",
    "a----b",
    "a.-b",
    "a_.b",
    "a._b",
    "a-_b",
    "_a",
    "a_",
    "-a",
    "a-",
    ".a",
    "a.",
    "A",
    "aB",
    "",
    "é",
    "Ü",
    "ß",
    "ǅ",
    "İ",
    "Ა",
    "Σ",
    "0",
    "latest",
    "a b",
    "a\tb",
    "a+b",
    "a~b",
    "..",
    "v2",
    "%61",
    "a\u{301}",
    "deadbeefdeadbeefdeadbeefdeadbeefdeadbeefdeadbeefdeadbeefdeadbeef",
];

const TAGS: &[&str] = &[
    "",
    "",
    ":1",
    ":latest",
    ":V1.2-rc_3",
    ":_",
    ":_x",
    ":.x",
    ":-x",
    ":",
    "::",
    ":a:b",
    ":a/b",
    ":ü",
    ":A",
    ":a+b",
    ":x.",
    ":x-",
    ":5000",
];

const ALGORITHMS: &[&str] = &[
    "sha256",
    "sha384",
    "sha512",
    "SHA256",
    "sha1",
    "md5",
    "sha256+b64",
    "sha256.x",
    "sha_256",
    "a-b+c.d_e",
    "1sha",
    "sha2 56",
    "",
    "sha256+",
    "é",
    "blake3",
];

const LENGTHS: &[usize] = &[0, 1, 31, 32, 33, 40, 63, 64, 65, 95, 96, 97, 127, 128, 129, 200];

/// What a typing error puts into a text.
const MUTATIONS: &[&str] = &[
    "/", "//", ":", "@", ".", "_", "-", "[", "]", "%", " ", "A", "z", "0", "é", "É", "😀", "\u{a0}", "\u{200b}", "\\",
    "\"", "$", "#", "?", "=", "+", "~", "\u{1}", "\r",
];

/// The numbers of Knuth's MMIX generator, so that every run has the same texts.
struct RandomTexts(u64);

impl RandomTexts {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % bound
    }

    fn choose<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[self.below(choices.len())]
    }

    fn path(&mut self) -> String {
        let mut components = Vec::new();
        for _ in 0..=self.below(4) {
            // Valid ones prevail, or hardly any text would get beyond its path.
            components.push(if self.below(3) == 0 {
                self.choose(COMPONENTS)
            } else {
                self.choose(&["a", "b0", "a.b", "x_y", "p--q"])
            });
        }
        let path = components.join("/");
        match self.below(25) {
            0 => path + &"a".repeat(180 + self.below(100)),
            1 => path + &"/abc".repeat(50 + self.below(20)),
            _ => path,
        }
    }

    fn digest(&mut self) -> String {
        let algorithm = if self.below(2) == 0 { "sha256" } else { self.choose(ALGORITHMS) };
        let length = if self.below(2) == 0 { 64 } else { LENGTHS[self.below(LENGTHS.len())] };
        let digits =
            self.choose(&["0123456789abcdef", "0123456789abcdef", "0123456789abcdef", "ABCDEF", "aF", "g"]).as_bytes();
        let hex: String = (0..length).map(|_| char::from(digits[self.below(digits.len())])).collect();
        let colon = if self.below(12) == 0 { "" } else { ":" };
        format!("@{algorithm}{colon}{hex}")
    }

    fn text(&mut self) -> String {
        let host = self.choose(HOSTS);
        let path = self.path();
        let mut text = if host.is_empty() { path } else { format!("{host}/{path}") };
        match self.below(30) {
            0 => text = self.digest().split_off(1),
            1 => text = host.to_owned(),
            2 => return self.choose(&["0123456789abcdef", "000000000000000A"]).repeat(4),
            _ => {}
        }
        text += if self.below(2) == 0 { self.choose(TAGS) } else { ":1" };
        if self.below(7) == 0 {
            text += &format!(":{}", "t".repeat(126 + self.below(4)));
        }
        if self.below(3) == 0 {
            text += &self.digest();
        }
        for _ in 0..self.below(6).saturating_sub(3) {
            self.mutate(&mut text);
        }
        text
    }

    /// Puts something in, takes something out, or changes something's case.
    fn mutate(&mut self, text: &mut String) {
        let places: Vec<usize> = text.char_indices().map(|(place, _)| place).collect();
        let Some(&place) = places.get(self.below(places.len().max(1))) else { return };
        match self.below(4) {
            0 => drop(text.remove(place)),
            1 => text.truncate(place),
            2 => {
                let upper: String = text.remove(place).to_uppercase().collect();
                text.insert_str(place, &upper);
            }
            _ => text.insert_str(place, self.choose(MUTATIONS)),
        }
    }
}

fn rm(sandbox: &Sandbox, tool: &Tool, texts: &[String]) -> Output {
    let output = sandbox.manifest_command(tool).args(["rm", "--"]).args(texts).run();
    assert_eq!((output.code, output.out().as_str()), (1, ""), "{}: {}", tool.name(), output.err());
    output
}

/// The kind of message that a line is, without the names in it.
fn kind(line: &str) -> &str {
    if line.starts_with("No such manifest: ") { "a reference" } else { line.split(" (").next().unwrap_or_default() }
}

#[test]
fn thousands_of_references_are_parsed_as_docker_does() {
    if !on_path("docker") {
        return skipped("references compared with docker's", "docker is not on the PATH");
    }
    let mut dice = RandomTexts(SEED);
    let texts: Vec<String> = (0..TEXT_COUNT).map(|_| dice.text()).collect();
    let sandbox = Sandbox::new();
    let (mut valid, mut kinds, mut different) = (0, BTreeSet::new(), Vec::new());
    for batch in texts.chunks(BATCH_SIZE) {
        let [docker, ours] = [Tool::Docker, ours()].map(|tool| rm(&sandbox, &tool, batch).err());
        // A line of each for every name; ours adds hints at the end. `\r` is no end of a line here.
        let (mut docker, mut ours) = (docker.split('\n'), ours.split('\n'));
        for text in batch {
            let (want, got) = (docker.next().unwrap_or_default(), ours.next().unwrap_or_default());
            valid += usize::from(want.starts_with("No such manifest: "));
            kinds.insert(kind(want).to_owned());
            let is_too_long_only = want.ends_with(TOO_LONG_TO_STORE) && got.starts_with("No such manifest: ");
            // A control character is itself in docker's line and a question mark in ours.
            let want = want.replace(|c: char| c.is_control() && c != '\t', "?");
            if want != got && !is_too_long_only {
                different.push(format!("{text:?}\n  docker: {want}\n  ours:   {got}"));
            }
        }
    }
    println!("{TEXT_COUNT} references, {valid} of them valid, {} kinds of answers: {kinds:?}", kinds.len());
    assert!(different.is_empty(), "{} differ:\n{}", different.len(), different.join("\n"));
    // The texts must reach every answer, or this test shows little.
    assert!(valid > TEXT_COUNT / 10 && valid < TEXT_COUNT / 2 && kinds.len() >= 8, "{valid} {kinds:?}");
}
