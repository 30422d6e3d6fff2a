//! Checks a template before it is executed: each member exists in the type that it is taken from, and no function is
//! unknown. The engine itself prints `<no value>` for a member that does not exist, and its errors have no position.
//!
//! It also finds out which members of the outermost value are used, so that nothing else is requested.

use std::collections::BTreeSet;

use gotmpl::parse::{BranchNode, CommandNode, Expr, ListNode, Node, PipeNode, Pos, SmolStr};

use super::kinds::{ANY, Kind, NUMBER, Struct, TEXT};
use super::{FUNCTIONS, TemplateError};
use crate::suggest::nearest;

/// The type of a value as far as it is known.
#[derive(Clone, Copy)]
enum Known {
    /// The outermost value.
    Root,
    Kind(&'static Kind),
}

const UNKNOWN: Known = Known::Kind(&ANY);

/// In [`Used`]: the outermost value is used as a whole.
pub(super) const WHOLE: &str = ".";

/// Members of the outermost value that a template uses.
pub(super) type Used = BTreeSet<&'static str>;

/// Checks a template whose outermost value has this type.
///
/// # Errors
/// The first member or function that does not exist.
pub(super) fn check(text: &str, tree: &ListNode, root: &'static Struct) -> Result<Used, TemplateError> {
    let mut checker = Checker { text, root, used: Used::new(), variables: vec![("$".into(), Known::Root)] };
    checker.list(tree, Known::Root)?;
    Ok(checker.used)
}

struct Checker<'t> {
    text: &'t str,
    root: &'static Struct,
    used: Used,
    variables: Vec<(SmolStr, Known)>,
}

impl Checker<'_> {
    fn list(&mut self, list: &ListNode, dot: Known) -> Result<(), TemplateError> {
        let scope = self.variables.len();
        list.nodes.iter().try_for_each(|node| self.node(node, dot))?;
        self.variables.truncate(scope);
        Ok(())
    }

    fn node(&mut self, node: &Node, dot: Known) -> Result<(), TemplateError> {
        match node {
            Node::Text(_) | Node::Break(_) | Node::Continue(_) => Ok(()),
            Node::List(list) => self.list(list, dot),
            Node::Action(action) => {
                let kind = self.pipe(&action.pipe, dot)?;
                self.whole(kind);
                self.declare(&action.pipe, &[kind]);
                Ok(())
            }
            Node::If(branch) => self.branch(branch, dot, |_, _| (dot, Vec::new())),
            Node::With(branch) => self.branch(branch, dot, |_, kind| (kind, vec![kind])),
            Node::Range(branch) => self.branch(branch, dot, |checker, kind| {
                let (key, element) = checker.elements(kind);
                let declared = if branch.pipe.decl.len() > 1 { vec![key, element] } else { vec![element] };
                (element, declared)
            }),
            Node::Template(template) => Err(self.refuse(template.pos, NO_TEMPLATES)),
            Node::Define(define) => Err(self.refuse(define.pos, NO_TEMPLATES)),
        }
    }

    fn branch(
        &mut self,
        branch: &BranchNode,
        dot: Known,
        inside: impl FnOnce(&mut Self, Known) -> (Known, Vec<Known>),
    ) -> Result<(), TemplateError> {
        let scope = self.variables.len();
        let kind = self.pipe(&branch.pipe, dot)?;
        let (inner, declared) = inside(self, kind);
        let declared = if declared.is_empty() { vec![kind] } else { declared };
        self.declare(&branch.pipe, &declared);
        self.list(&branch.body, inner)?;
        branch.else_body.iter().try_for_each(|body| self.list(body, dot))?;
        self.variables.truncate(scope);
        Ok(())
    }

    fn declare(&mut self, pipe: &PipeNode, kinds: &[Known]) {
        for (place, name) in pipe.decl.iter().enumerate() {
            let kind = kinds.get(place).copied().unwrap_or(UNKNOWN);
            if !pipe.is_assign {
                self.variables.push((name.clone(), kind));
                continue;
            }
            self.whole(kind);
            // It may keep its value, because the assignment need not be executed.
            if let Some((_, known)) = self.variables.iter_mut().rev().find(|(other, _)| other == name) {
                *known = UNKNOWN;
            }
        }
    }

    fn pipe(&mut self, pipe: &PipeNode, dot: Known) -> Result<Known, TemplateError> {
        let mut kind = None;
        for command in &pipe.commands {
            kind = Some(self.command(command, dot, kind)?);
        }
        Ok(kind.unwrap_or(UNKNOWN))
    }

    fn command(&mut self, command: &CommandNode, dot: Known, piped: Option<Known>) -> Result<Known, TemplateError> {
        let Some((first, rest)) = command.args.split_first() else { return Ok(UNKNOWN) };
        let (function, fields): (_, &[SmolStr]) = match first {
            Expr::Identifier(pos, name) => (Some((*pos, name)), &[]),
            Expr::Chain(_, inner, fields) => match &**inner {
                Expr::Identifier(pos, name) => (Some((*pos, name)), fields),
                _ => (None, &[]),
            },
            _ => (None, &[]),
        };
        let Some((pos, name)) = function else {
            let kind = self.expression(first, dot)?;
            for argument in rest {
                let kind = self.expression(argument, dot)?;
                self.whole(kind);
            }
            return Ok(kind);
        };
        self.function(pos, name)?;
        let mut arguments = Vec::new();
        for argument in rest {
            arguments.push(self.expression(argument, dot)?);
        }
        arguments.extend(piped);
        arguments.iter().for_each(|kind| self.whole(*kind));
        let result = self.result(name, &arguments);
        self.fields(first.pos(), result, fields)
    }

    fn function(&self, pos: Pos, name: &str) -> Result<(), TemplateError> {
        if FUNCTIONS.contains(&name) {
            return Ok(());
        }
        let near = nearest(name, FUNCTIONS.iter().copied());
        let meant = near.map(|near| format!(", did you mean '{near}'?")).unwrap_or_default();
        Err(self.refuse(pos, &format!("there is no function {name:?}{meant}")))
    }

    fn result(&mut self, name: &str, arguments: &[Known]) -> Known {
        match (name, arguments) {
            ("index", [of, indexes @ ..]) => indexes.iter().fold(*of, |of, _| self.elements(of).1),
            ("slice", [of, ..]) => *of,
            ("len", _) => Known::Kind(&NUMBER),
            ("json" | "join" | "lower" | "upper" | "print" | "printf" | "println" | "html" | "js" | "urlquery", _) => {
                Known::Kind(&TEXT)
            }
            _ => UNKNOWN,
        }
    }

    fn expression(&mut self, expression: &Expr, dot: Known) -> Result<Known, TemplateError> {
        match expression {
            Expr::Dot(_) => Ok(dot),
            Expr::Field(pos, fields) => self.fields(*pos, dot, fields),
            Expr::Variable(pos, name, fields) => {
                let known = self.variables.iter().rev().find(|(other, _)| other == name).map(|(_, kind)| *kind);
                let known = known.ok_or_else(|| self.refuse(*pos, &format!("there is no variable {name}")))?;
                self.fields(*pos, known, fields)
            }
            Expr::Chain(pos, inner, fields) => {
                let kind = self.expression(inner, dot)?;
                self.fields(*pos, kind, fields)
            }
            Expr::Pipe(_, pipe) => {
                let kind = self.pipe(pipe, dot)?;
                self.declare(pipe, &[kind]);
                Ok(kind)
            }
            Expr::Identifier(pos, name) => {
                self.function(*pos, name)?;
                Ok(UNKNOWN)
            }
            Expr::String(..) => Ok(Known::Kind(&TEXT)),
            Expr::Number(..) | Expr::Bool(..) | Expr::Nil(_) => Ok(UNKNOWN),
        }
    }

    /// A value is used with all its members. Those that JSON does not have are used by their names only.
    fn whole(&mut self, kind: Known) {
        if matches!(kind, Known::Root) {
            self.used.insert(WHOLE);
        }
    }

    fn fields(&mut self, pos: Pos, mut kind: Known, fields: &[SmolStr]) -> Result<Known, TemplateError> {
        for field in fields {
            kind = Known::Kind(self.field(pos, kind, field)?);
        }
        Ok(kind)
    }

    fn field(&mut self, pos: Pos, kind: Known, name: &str) -> Result<&'static Kind, TemplateError> {
        let of = match kind {
            Known::Root => self.root,
            Known::Kind(Kind::Any) => return Ok(&ANY),
            Known::Kind(Kind::Map(element)) => return Ok(element),
            Known::Kind(Kind::Struct(of) | Kind::Pointer(Kind::Struct(of))) => of,
            Known::Kind(Kind::List(_)) => {
                return Err(self.refuse(pos, &format!("a list has no member {name:?}: use range or index")));
            }
            Known::Kind(_) => return Err(self.refuse(pos, &format!("there is no member {name:?} in a text or number"))),
        };
        let Some(member) = of.members.iter().find(|member| member.name == name) else {
            let names: Vec<&str> = of.members.iter().map(|member| member.name).collect();
            let why = format!("there is no member {name:?} of {}, which has {}", of.name, names.join(", "));
            return Err(self.refuse(pos, &why));
        };
        if matches!(kind, Known::Root) {
            self.used.insert(member.name);
        }
        Ok(member.kind)
    }

    /// The types of the keys and the elements that `range` and `index` give.
    fn elements(&mut self, kind: Known) -> (Known, Known) {
        self.whole(kind);
        match kind {
            Known::Kind(Kind::List(element)) => (Known::Kind(&NUMBER), Known::Kind(element)),
            Known::Kind(Kind::Map(element)) => (Known::Kind(&TEXT), Known::Kind(element)),
            _ => (UNKNOWN, UNKNOWN),
        }
    }

    fn refuse(&self, pos: Pos, why: &str) -> TemplateError {
        TemplateError::at(self.text, pos.offset, why)
    }
}

/// Where a node begins, in bytes.
pub(super) fn position(node: &Node) -> usize {
    let pos = match node {
        Node::Text(node) => node.pos,
        Node::List(node) => node.pos,
        Node::Action(node) => node.pos,
        Node::If(node) | Node::With(node) | Node::Range(node) => node.pos,
        Node::Template(node) => node.pos,
        Node::Define(node) => node.pos,
        Node::Break(pos) | Node::Continue(pos) => *pos,
    };
    pos.offset
}

pub(super) const NO_TEMPLATES: &str =
    "define, block and template are not supported: a template cannot call another one";
