//! The functions of templates: Go's own with a limit, and those that docker and buildx add.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use gotmpl::{FuncMap, Template, TemplateError, Value, ValueFunc};

use super::value::{Types, text};

/// The most bytes of text that one execution may make, so that a template that doubles a text ends.
pub(super) const TEXT_MAX: usize = 256 << 20;

/// Go's functions that make text.
const MAKE_TEXT: [&str; 6] = ["print", "printf", "println", "html", "js", "urlquery"];

/// All functions by name.
pub(super) const FUNCTIONS: &[&str] = &[
    "and", "call", "eq", "ge", "gt", "html", "index", "join", "js", "json", "le", "len", "lower", "lt", "ne", "not",
    "or", "print", "printf", "println", "slice", "split", "title", "upper", "urlquery",
];

/// How much text was made.
#[derive(Debug, Default)]
struct Made(AtomicUsize);

impl Made {
    fn add(&self, bytes: usize) -> Result<(), TemplateError> {
        let before = self.0.fetch_add(bytes, Ordering::Relaxed);
        if before.saturating_add(bytes) > TEXT_MAX {
            return Err(TemplateError::Exec(format!("it makes more than {} MiB of text", TEXT_MAX >> 20)));
        }
        Ok(())
    }
}

/// The functions that are added to Go's own, or take their place.
pub(super) fn functions(types: &Arc<Types>) -> FuncMap {
    let made = Arc::new(Made::default());
    let mut functions = FuncMap::new();
    for name in MAKE_TEXT {
        functions.insert(name.to_owned(), limited(name, &made));
    }
    let types = Arc::clone(types);
    let mut add = |name: &'static str, number: usize, function: fn(&[Value]) -> Result<Value, TemplateError>| {
        let made = Arc::clone(&made);
        let checked = move |values: &[Value]| {
            expect(name, values, number)?;
            made.add(values.iter().map(length).sum())?;
            function(values)
        };
        functions.insert(name.to_owned(), Arc::new(checked));
    };
    add("lower", 1, |values| Ok(text(&word("lower", values.first())?.to_lowercase())));
    add("upper", 1, |values| Ok(text(&word("upper", values.first())?.to_uppercase())));
    add("title", 1, |values| Ok(text(&title(word("title", values.first())?))));
    add("join", 2, join);
    add("split", 2, |values| {
        let (whole, separator) = (word("split", values.first())?, word("split", values.get(1))?);
        Ok(Value::List(whole.split(separator).map(text).collect::<Vec<_>>().into()))
    });
    let json = move |values: &[Value]| {
        expect("json", values, 1)?;
        made.add(values.iter().map(length).sum())?;
        Ok(text(&values.first().map(|value| types.json(value)).transpose()?.unwrap_or_default()))
    };
    functions.insert("json".to_owned(), Arc::new(json));
    functions
}

/// Go's function of this name, which the engine keeps to itself: a template of one call of it.
fn limited(name: &'static str, made: &Arc<Made>) -> ValueFunc {
    let made = Arc::clone(made);
    Arc::new(move |values: &[Value]| {
        let padding = if name == "printf" { paddings(values) } else { 0 };
        made.add(values.iter().map(length).fold(padding, usize::saturating_add))?;
        let arguments: Vec<String> = (0..values.len()).map(|place| format!(" (index . {place})")).collect();
        let call = Template::new(name).parse(&format!("{{{{{name}{}}}}}", arguments.concat()))?;
        let values = Value::List(values.to_vec().into());
        call.execute_to_string(&values).map(|made| text(&made))
    })
}

/// The most bytes that a format adds: each of its verbs may pad its value to this width.
fn paddings(values: &[Value]) -> usize {
    const WIDTH_MAX: usize = 1 << 16;
    let format = values.first().and_then(Value::as_str).unwrap_or_default();
    let has_width = format.contains(|c: char| c.is_ascii_digit() || c == '*');
    if has_width { format.matches('%').count().saturating_mul(WIDTH_MAX) } else { 0 }
}

/// About how many bytes a value prints.
fn length(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::List(items) => items.iter().map(length).fold(2, usize::saturating_add),
        Value::Map(map) => map.iter().fold(2, |sum, (name, value)| sum.saturating_add(name.len() + length(value))),
        _ => 8,
    }
}

fn expect(name: &str, values: &[Value], expected: usize) -> Result<(), TemplateError> {
    let got = values.len();
    if got == expected { Ok(()) } else { Err(TemplateError::ArgCount { name: name.to_owned(), expected, got }) }
}

fn word<'v>(name: &str, value: Option<&'v Value>) -> Result<&'v str, TemplateError> {
    value.and_then(Value::as_str).ok_or_else(|| TemplateError::Exec(format!("{name} takes text")))
}

fn join(values: &[Value]) -> Result<Value, TemplateError> {
    let (Some(Value::List(items)), separator) = (values.first(), word("join", values.get(1))?) else {
        return Err(TemplateError::Exec("join takes a list and a text".to_owned()));
    };
    let words: Vec<&str> = items.iter().map(|item| word("join", Some(item))).collect::<Result<_, _>>()?;
    Ok(text(&words.join(separator)))
}

fn title(text: &str) -> String {
    let mut starts = true;
    let letter = |c: char| {
        let is_first = std::mem::replace(&mut starts, !c.is_alphanumeric());
        if is_first { c.to_uppercase().collect::<String>() } else { c.to_string() }
    };
    text.chars().map(letter).collect()
}
