//! Checks the members and functions of a template before it is executed. The engine itself prints `<no value>` for a
//! member that does not exist, and its errors have no position.
//!
//! The check also returns the members of the outermost value that the template uses, so that nothing else is requested.

use std::collections::BTreeSet;

use gotmpl::parse::{BranchNode, CommandNode, Expr, ListNode, Node, PipeNode, Pos, SmolStr};

use super::go_types::{ANY, GoStruct, GoType, INT, TEXT};
use super::{FUNCTIONS, TemplateError};
use crate::suggest::nearest;

/// The type of a value, as far as it follows from the text of the template.
#[derive(Clone, Copy)]
enum StaticType {
    /// The outermost value.
    Root,
    /// A value of this type.
    GoType(&'static GoType),
}

const UNKNOWN_TYPE: StaticType = StaticType::GoType(&ANY);

/// Stands in [`UsedMembers`] for the outermost value as a whole.
pub(super) const WHOLE_ROOT: &str = ".";

/// Members of the outermost value that a template uses.
pub(super) type UsedMembers = BTreeSet<&'static str>;

/// Checks a template whose outermost value has this type.
///
/// # Errors
/// The first member or function that does not exist.
pub(super) fn check(text: &str, tree: &ListNode, root: &'static GoStruct) -> Result<UsedMembers, TemplateError> {
    let mut checker = Checker { text, root, used: UsedMembers::new(), variables: vec![("$".into(), StaticType::Root)] };
    checker.list(tree, StaticType::Root)?;
    Ok(checker.used)
}

struct Checker<'t> {
    text: &'t str,
    root: &'static GoStruct,
    used: UsedMembers,
    variables: Vec<(SmolStr, StaticType)>,
}

impl Checker<'_> {
    fn list(&mut self, list: &ListNode, dot: StaticType) -> Result<(), TemplateError> {
        let scope = self.variables.len();
        list.nodes.iter().try_for_each(|node| self.node(node, dot))?;
        self.variables.truncate(scope);
        Ok(())
    }

    fn node(&mut self, node: &Node, dot: StaticType) -> Result<(), TemplateError> {
        match node {
            Node::Text(_) | Node::Break(_) | Node::Continue(_) => Ok(()),
            Node::List(list) => self.list(list, dot),
            Node::Action(action) => {
                let value_type = self.pipe(&action.pipe, dot)?;
                self.use_whole(value_type);
                self.declare(&action.pipe, &[value_type]);
                Ok(())
            }
            Node::If(branch) => self.branch(branch, dot, |_, _| (dot, Vec::new())),
            Node::With(branch) => self.branch(branch, dot, |_, value_type| (value_type, vec![value_type])),
            Node::Range(branch) => self.branch(branch, dot, |checker, value_type| {
                let (key, element) = checker.elements(value_type);
                let declared = if branch.pipe.decl.len() > 1 { vec![key, element] } else { vec![element] };
                (element, declared)
            }),
            Node::Template(template) => Err(self.error_at(template.pos, NESTED_TEMPLATES_UNSUPPORTED)),
            Node::Define(define) => Err(self.error_at(define.pos, NESTED_TEMPLATES_UNSUPPORTED)),
        }
    }

    fn branch(
        &mut self,
        branch: &BranchNode,
        dot: StaticType,
        types_inside: impl FnOnce(&mut Self, StaticType) -> (StaticType, Vec<StaticType>),
    ) -> Result<(), TemplateError> {
        let scope = self.variables.len();
        let value_type = self.pipe(&branch.pipe, dot)?;
        let (inner, declared) = types_inside(self, value_type);
        let declared = if declared.is_empty() { vec![value_type] } else { declared };
        self.declare(&branch.pipe, &declared);
        self.list(&branch.body, inner)?;
        branch.else_body.iter().try_for_each(|body| self.list(body, dot))?;
        self.variables.truncate(scope);
        Ok(())
    }

    fn declare(&mut self, pipe: &PipeNode, types: &[StaticType]) {
        for (number, name) in pipe.decl.iter().enumerate() {
            let value_type = types.get(number).copied().unwrap_or(UNKNOWN_TYPE);
            if !pipe.is_assign {
                self.variables.push((name.clone(), value_type));
                continue;
            }
            self.use_whole(value_type);
            // The variable may keep its value, because the assignment may not be executed.
            if let Some((_, variable_type)) = self.variables.iter_mut().rev().find(|(other, _)| other == name) {
                *variable_type = UNKNOWN_TYPE;
            }
        }
    }

    fn pipe(&mut self, pipe: &PipeNode, dot: StaticType) -> Result<StaticType, TemplateError> {
        let mut value_type = None;
        for command in &pipe.commands {
            value_type = Some(self.command(command, dot, value_type)?);
        }
        Ok(value_type.unwrap_or(UNKNOWN_TYPE))
    }

    fn command(
        &mut self,
        command: &CommandNode,
        dot: StaticType,
        piped: Option<StaticType>,
    ) -> Result<StaticType, TemplateError> {
        let Some((first, rest)) = command.args.split_first() else { return Ok(UNKNOWN_TYPE) };
        let (function, fields): (_, &[SmolStr]) = match first {
            Expr::Identifier(pos, name) => (Some((*pos, name)), &[]),
            Expr::Chain(_, inner, fields) => match &**inner {
                Expr::Identifier(pos, name) => (Some((*pos, name)), fields),
                _ => (None, &[]),
            },
            _ => (None, &[]),
        };
        let Some((pos, name)) = function else {
            let value_type = self.expression(first, dot)?;
            for argument in rest {
                let value_type = self.expression(argument, dot)?;
                self.use_whole(value_type);
            }
            return Ok(value_type);
        };
        self.check_function(pos, name)?;
        let mut arguments = Vec::new();
        for argument in rest {
            arguments.push(self.expression(argument, dot)?);
        }
        arguments.extend(piped);
        arguments.iter().for_each(|value_type| self.use_whole(*value_type));
        let result = self.result_type(name, &arguments);
        self.fields(first.pos(), result, fields)
    }

    fn check_function(&self, pos: Pos, name: &str) -> Result<(), TemplateError> {
        if FUNCTIONS.contains(&name) {
            return Ok(());
        }
        let nearest_name = nearest(name, FUNCTIONS.iter().copied());
        let suggestion =
            nearest_name.map(|nearest_name| format!(", did you mean '{nearest_name}'?")).unwrap_or_default();
        Err(self.error_at(pos, &format!("there is no function {name:?}{suggestion}")))
    }

    fn result_type(&mut self, name: &str, arguments: &[StaticType]) -> StaticType {
        match (name, arguments) {
            ("index", [container, indexes @ ..]) => {
                indexes.iter().fold(*container, |container, _| self.elements(container).1)
            }
            ("slice", [container, ..]) => *container,
            ("len", _) => StaticType::GoType(&INT),
            ("json" | "join" | "lower" | "upper" | "print" | "printf" | "println" | "html" | "js" | "urlquery", _) => {
                StaticType::GoType(&TEXT)
            }
            _ => UNKNOWN_TYPE,
        }
    }

    fn expression(&mut self, expression: &Expr, dot: StaticType) -> Result<StaticType, TemplateError> {
        match expression {
            Expr::Dot(_) => Ok(dot),
            Expr::Field(pos, fields) => self.fields(*pos, dot, fields),
            Expr::Variable(pos, name, fields) => {
                let variable_type =
                    self.variables.iter().rev().find(|(other, _)| other == name).map(|(_, value_type)| *value_type);
                let variable_type =
                    variable_type.ok_or_else(|| self.error_at(*pos, &format!("there is no variable {name}")))?;
                self.fields(*pos, variable_type, fields)
            }
            Expr::Chain(pos, inner, fields) => {
                let value_type = self.expression(inner, dot)?;
                self.fields(*pos, value_type, fields)
            }
            Expr::Pipe(_, pipe) => {
                let value_type = self.pipe(pipe, dot)?;
                self.declare(pipe, &[value_type]);
                Ok(value_type)
            }
            Expr::Identifier(pos, name) => {
                self.check_function(*pos, name)?;
                Ok(UNKNOWN_TYPE)
            }
            Expr::String(..) => Ok(StaticType::GoType(&TEXT)),
            Expr::Number(..) | Expr::Bool(..) | Expr::Nil(_) => Ok(UNKNOWN_TYPE),
        }
    }

    /// Records the use of a value as a whole. This excludes members that JSON does not have: they are used by name
    /// only.
    fn use_whole(&mut self, value_type: StaticType) {
        if matches!(value_type, StaticType::Root) {
            self.used.insert(WHOLE_ROOT);
        }
    }

    fn fields(
        &mut self,
        pos: Pos,
        mut value_type: StaticType,
        fields: &[SmolStr],
    ) -> Result<StaticType, TemplateError> {
        for field in fields {
            value_type = StaticType::GoType(self.field(pos, value_type, field)?);
        }
        Ok(value_type)
    }

    fn field(&mut self, pos: Pos, value_type: StaticType, name: &str) -> Result<&'static GoType, TemplateError> {
        let go_struct = match value_type {
            StaticType::Root => self.root,
            StaticType::GoType(GoType::Any) => return Ok(&ANY),
            StaticType::GoType(GoType::Map(element)) => return Ok(element),
            StaticType::GoType(GoType::Struct(go_struct) | GoType::Pointer(GoType::Struct(go_struct))) => go_struct,
            StaticType::GoType(GoType::List(_)) => {
                return Err(self.error_at(pos, &format!("a list has no member {name:?}: use range or index")));
            }
            StaticType::GoType(_) => {
                return Err(self.error_at(pos, &format!("there is no member {name:?} in a text or number")));
            }
        };
        let Some(member) = go_struct.members.iter().find(|member| member.name == name) else {
            let names: Vec<&str> = go_struct.members.iter().map(|member| member.name).collect();
            let reason = format!("there is no member {name:?} of {}, which has {}", go_struct.name, names.join(", "));
            return Err(self.error_at(pos, &reason));
        };
        if matches!(value_type, StaticType::Root) {
            self.used.insert(member.name);
        }
        Ok(member.go_type)
    }

    /// The types of the keys and elements of a value in `range` and `index`.
    fn elements(&mut self, value_type: StaticType) -> (StaticType, StaticType) {
        self.use_whole(value_type);
        match value_type {
            StaticType::GoType(GoType::List(element)) => (StaticType::GoType(&INT), StaticType::GoType(element)),
            StaticType::GoType(GoType::Map(element)) => (StaticType::GoType(&TEXT), StaticType::GoType(element)),
            _ => (UNKNOWN_TYPE, UNKNOWN_TYPE),
        }
    }

    fn error_at(&self, pos: Pos, reason: &str) -> TemplateError {
        TemplateError::at(self.text, pos.offset, reason)
    }
}

/// The offset of a node, in bytes.
pub(super) fn offset(node: &Node) -> usize {
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

pub(super) const NESTED_TEMPLATES_UNSUPPORTED: &str =
    "define, block and template are not supported: a template cannot call another one";
