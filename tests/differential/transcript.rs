//! The results of a script, with the registry's address and the sandbox's path taken out, so that two runs can be
//! compared and kept as a golden file.

use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The part of a result in which two tools can differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    Code,
    Stdout,
    Stderr,
    Store,
    Served,
}

/// What one step of a script printed, and the store after it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct StepResult {
    pub(super) line: String,
    pub(super) code: i32,
    pub(super) stdout: String,
    /// The first line of standard error; every line for `rm`, which reports each list on a line.
    pub(super) stderr: Vec<String>,
    /// Relative path → `MODE bytes`.
    pub(super) store: BTreeMap<String, String>,
}

/// A whole script.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Transcript {
    pub(super) steps: Vec<StepResult>,
    /// `REPO:TAG` → status, Content-Type and body; and below it every child and blob of the list.
    pub(super) served: BTreeMap<String, String>,
}

/// One thing that is not the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mismatch {
    /// The step's line as written, or "served".
    pub(super) step: String,
    pub(super) part: Part,
    pub(super) detail: String,
}

impl Transcript {
    /// Everything in which `other` differs from this one, which is the reference.
    pub(super) fn compare(&self, other: &Self) -> Vec<Mismatch> {
        let mut found = Vec::new();
        if self.steps.len() != other.steps.len() {
            found.push(mismatch("(whole script)", Part::Code, "the number of steps differs".to_owned()));
        }
        for (want, got) in self.steps.iter().zip(&other.steps) {
            if want.code != got.code {
                let detail = format!("    want {}, got {}: {}", want.code, got.code, got.stderr.join(" / "));
                found.push(mismatch(&want.line, Part::Code, detail));
            }
            if want.stdout != got.stdout {
                found.push(mismatch(&want.line, Part::Stdout, text_difference(&want.stdout, &got.stdout)));
            }
            if want.stderr != got.stderr {
                let detail = text_difference(&want.stderr.join("\n"), &got.stderr.join("\n"));
                found.push(mismatch(&want.line, Part::Stderr, detail));
            }
            if let Some(detail) = map_difference(&want.store, &got.store) {
                found.push(mismatch(&want.line, Part::Store, detail));
            }
        }
        if let Some(detail) = map_difference(&self.served, &other.served) {
            found.push(mismatch("served", Part::Served, detail));
        }
        found
    }

    /// For a golden file: of a step's store, only the changes are written (null: gone).
    pub(super) fn to_json(&self) -> Value {
        let mut before = BTreeMap::new();
        let mut values = Vec::new();
        for result in &self.steps {
            let mut step = Map::new();
            step.insert("run".into(), json!(result.line));
            step.insert("code".into(), json!(result.code));
            step.insert("stdout".into(), json!(result.stdout));
            step.insert("stderr".into(), json!(result.stderr));
            step.insert("tree".into(), Value::Object(delta(&before, &result.store)));
            values.push(Value::Object(step));
            before.clone_from(&result.store);
        }
        json!({ "steps": values, "served": self.served })
    }

    /// The other way round.
    pub(super) fn from_json(value: &Value) -> Option<Self> {
        let mut store: BTreeMap<String, String> = BTreeMap::new();
        let mut steps = Vec::new();
        for step in value.get("steps")?.as_array()? {
            for (path, change) in step.get("tree")?.as_object()? {
                match change.as_str() {
                    Some(text) => store.insert(path.clone(), text.to_owned()),
                    None => store.remove(path),
                };
            }
            steps.push(StepResult {
                line: step.get("run")?.as_str()?.to_owned(),
                code: i32::try_from(step.get("code")?.as_i64()?).ok()?,
                stdout: step.get("stdout")?.as_str()?.to_owned(),
                stderr: texts(step.get("stderr")?.as_array()?)?,
                store: store.clone(),
            });
        }
        let served = value.get("served")?.as_object()?;
        let served = served.iter().map(|(k, v)| Some((k.clone(), v.as_str()?.to_owned()))).collect::<Option<_>>()?;
        Some(Self { steps, served })
    }
}

fn texts(values: &[Value]) -> Option<Vec<String>> {
    values.iter().map(|value| Some(value.as_str()?.to_owned())).collect()
}

fn delta(before: &BTreeMap<String, String>, after: &BTreeMap<String, String>) -> Map<String, Value> {
    let paths: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let changed = paths.into_iter().filter(|path| before.get(*path) != after.get(*path));
    changed.map(|path| (path.clone(), json!(after.get(path)))).collect()
}

fn mismatch(step: &str, part: Part, detail: String) -> Mismatch {
    Mismatch { step: step.to_owned(), part, detail }
}

fn map_difference(want: &BTreeMap<String, String>, got: &BTreeMap<String, String>) -> Option<String> {
    let mut lines = Vec::new();
    let names: BTreeSet<&String> = want.keys().chain(got.keys()).collect();
    for name in names {
        match (want.get(name), got.get(name)) {
            (Some(_), None) => lines.push(format!("    missing: {name}")),
            (None, Some(text)) => lines.push(format!("    too much: {name} = {}", clip(text, 0))),
            (Some(a), Some(b)) if a != b => lines.push(format!("    {name}:\n{}", text_difference(a, b))),
            _ => {}
        }
    }
    (!lines.is_empty()).then(|| lines.join("\n"))
}

/// The two texts from a little before the place where they part.
fn text_difference(want: &str, got: &str) -> String {
    let same = want.bytes().zip(got.bytes()).take_while(|(a, b)| a == b).count();
    format!("    want {}\n    got  {}", clip(want, same), clip(got, same))
}

fn clip(text: &str, around: usize) -> String {
    let boundary = |mut at: usize| {
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        at
    };
    let from = boundary(around.saturating_sub(80).min(text.len()));
    let to = boundary((around + 200).min(text.len()));
    let dots = |yes: bool| if yes { "…" } else { "" };
    format!("{}{:?}{}", dots(from > 0), &text[from..to], dots(to < text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Transcript {
        let store = |names: &[&str]| names.iter().map(|name| ((*name).to_owned(), "0644 {}".to_owned())).collect();
        let step =
            |line: &str, names: &[&str]| StepResult { line: line.into(), store: store(names), ..StepResult::default() };
        let mut sample = Transcript { steps: vec![step("a", &["x", "y"]), step("b", &["y"])], ..Transcript::default() };
        sample.served.insert("r:t".into(), "404".into());
        sample
    }

    #[test]
    fn a_transcript_survives_its_golden_file() {
        assert_eq!(Transcript::from_json(&sample().to_json()), Some(sample()));
    }

    #[test]
    fn transcripts_are_compared_in_every_part() {
        let change = |f: fn(&mut Transcript)| {
            let mut other = sample();
            f(&mut other);
            sample().compare(&other).into_iter().map(|m| (m.step, m.part)).collect::<Vec<_>>()
        };
        assert_eq!(change(|_| {}), []);
        assert_eq!(change(|t| t.steps[1].code = 1), [("b".into(), Part::Code)]);
        assert_eq!(change(|t| t.steps[0].stdout.push('x')), [("a".into(), Part::Stdout)]);
        assert_eq!(change(|t| t.steps[0].stderr.push("x".into())), [("a".into(), Part::Stderr)]);
        assert_eq!(change(|t| drop(t.steps[1].store.remove("y"))), [("b".into(), Part::Store)]);
        assert_eq!(change(|t| t.served.clear()), [("served".into(), Part::Served)]);
    }
}
