//! The functions of templates: those of Go, with a limit for text, and those that docker and buildx add.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use gotmpl::{FuncMap, Template, TemplateError as EngineError, Value, ValueFunc};

use super::value::{MapTypes, text};

/// The maximum number of bytes of text that one execution makes, so that a template that keeps doubling a text ends.
pub(super) const TEXT_BYTES_MAX: usize = 256 << 20;

/// Go's functions that make text.
const TEXT_FUNCTIONS: [&str; 6] = ["print", "printf", "println", "html", "js", "urlquery"];

/// All functions by name.
pub(super) const FUNCTIONS: &[&str] = &[
    "and", "call", "eq", "ge", "gt", "html", "index", "join", "js", "json", "le", "len", "lower", "lt", "ne", "not",
    "or", "print", "printf", "println", "slice", "split", "title", "upper", "urlquery",
];

/// Counts the bytes of text that an execution makes.
#[derive(Debug, Default)]
struct TextBudget(AtomicUsize);

impl TextBudget {
    fn spend(&self, bytes: usize) -> Result<(), EngineError> {
        let before = self.0.fetch_add(bytes, Ordering::Relaxed);
        if before.saturating_add(bytes) > TEXT_BYTES_MAX {
            return Err(EngineError::Exec(format!("it makes more than {} MiB of text", TEXT_BYTES_MAX >> 20)));
        }
        Ok(())
    }
}

/// The functions that are added to those of the engine, or replace them.
pub(super) fn functions(types: &Arc<MapTypes>) -> FuncMap {
    let budget = Arc::new(TextBudget::default());
    let mut functions = FuncMap::new();
    for name in TEXT_FUNCTIONS {
        functions.insert(name.to_owned(), within_budget(name, &budget));
    }
    let types = Arc::clone(types);
    let mut add = |name: &'static str, number: usize, function: fn(&[Value]) -> Result<Value, EngineError>| {
        let budget = Arc::clone(&budget);
        let call = move |values: &[Value]| {
            check_argument_count(name, values, number)?;
            budget.spend(values.iter().map(printed_length).sum())?;
            function(values)
        };
        functions.insert(name.to_owned(), Arc::new(call));
    };
    add("lower", 1, |values| Ok(text(&text_argument("lower", values.first())?.to_lowercase())));
    add("upper", 1, |values| Ok(text(&text_argument("upper", values.first())?.to_uppercase())));
    add("title", 1, |values| Ok(text(&title(text_argument("title", values.first())?))));
    add("join", 2, join);
    add("split", 2, |values| {
        let (joined, separator) = (text_argument("split", values.first())?, text_argument("split", values.get(1))?);
        Ok(Value::List(joined.split(separator).map(text).collect::<Vec<_>>().into()))
    });
    let json = move |values: &[Value]| {
        check_argument_count("json", values, 1)?;
        budget.spend(values.iter().map(printed_length).sum())?;
        Ok(text(&values.first().map(|value| types.json(value)).transpose()?.unwrap_or_default()))
    };
    functions.insert("json".to_owned(), Arc::new(json));
    functions
}

/// Go's function of this name within the budget. The engine does not export its functions, so a template with a single
/// call is executed.
fn within_budget(name: &'static str, budget: &Arc<TextBudget>) -> ValueFunc {
    let budget = Arc::clone(budget);
    Arc::new(move |values: &[Value]| {
        let padding = if name == "printf" { padding_bound(values) } else { 0 };
        budget.spend(values.iter().map(printed_length).fold(padding, usize::saturating_add))?;
        let arguments: Vec<String> = (0..values.len()).map(|number| format!(" (index . {number})")).collect();
        let call = Template::new(name).parse(&format!("{{{{{name}{}}}}}", arguments.concat()))?;
        let values = Value::List(values.to_vec().into());
        call.execute_to_string(&values).map(|printed| text(&printed))
    })
}

/// The maximum number of bytes that a format adds: each verb may pad its value to the maximum width.
fn padding_bound(values: &[Value]) -> usize {
    const WIDTH_MAX: usize = 1 << 16;
    let format = values.first().and_then(Value::as_str).unwrap_or_default();
    let has_width = format.contains(|c: char| c.is_ascii_digit() || c == '*');
    if has_width { format.matches('%').count().saturating_mul(WIDTH_MAX) } else { 0 }
}

/// The approximate number of bytes of a printed value.
fn printed_length(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::List(items) => items.iter().map(printed_length).fold(2, usize::saturating_add),
        Value::Map(map) => {
            map.iter().fold(2, |sum, (name, value)| sum.saturating_add(name.len() + printed_length(value)))
        }
        _ => 8,
    }
}

fn check_argument_count(name: &str, values: &[Value], expected: usize) -> Result<(), EngineError> {
    let got = values.len();
    if got == expected { Ok(()) } else { Err(EngineError::ArgCount { name: name.to_owned(), expected, got }) }
}

fn text_argument<'v>(name: &str, value: Option<&'v Value>) -> Result<&'v str, EngineError> {
    value.and_then(Value::as_str).ok_or_else(|| EngineError::Exec(format!("{name} takes text")))
}

fn join(values: &[Value]) -> Result<Value, EngineError> {
    let (Some(Value::List(items)), separator) = (values.first(), text_argument("join", values.get(1))?) else {
        return Err(EngineError::Exec("join takes a list and a text".to_owned()));
    };
    let words: Vec<&str> = items.iter().map(|item| text_argument("join", Some(item))).collect::<Result<_, _>>()?;
    Ok(text(&words.join(separator)))
}

fn title(text: &str) -> String {
    let mut is_word_start = true;
    let capitalize = |c: char| {
        let is_first = std::mem::replace(&mut is_word_start, !c.is_alphanumeric());
        if is_first { c.to_uppercase().collect::<String>() } else { c.to_string() }
    };
    text.chars().map(capitalize).collect()
}
