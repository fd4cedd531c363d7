//! Which keys of the map a template names.
//!
//! Not which it uses: a dot inside `with` or `range` may be another value, and counts all the same. Invariant:
//! unless everything is used, a key that isn't found can't be in the output.

use std::collections::BTreeSet;

use super::parse::Templates;
use super::tree::{Node, Operand, Pipe};

pub(super) fn find(templates: &Templates) -> Found {
    let mut found = Found::default();
    found.nodes(&templates.root);
    templates.defined.values().for_each(|nodes| found.nodes(nodes));
    found
}

/// What a template names.
#[derive(Default)]
pub(super) struct Found {
    pub(super) keys: BTreeSet<String>,
    /// Whether the map is also used as a whole.
    pub(super) everything: bool,
    pub(super) functions: BTreeSet<&'static str>,
}

impl Found {
    fn nodes(&mut self, nodes: &[Node]) {
        for node in nodes {
            match node {
                Node::Text(_) | Node::Break | Node::Continue => {}
                Node::Action(pipe) => self.pipe(pipe),
                Node::Template { pipe, .. } => {
                    if let Some(pipe) = pipe {
                        self.template_argument(pipe);
                    }
                }
                Node::If { pipe, then, otherwise }
                | Node::With { pipe, then, otherwise }
                | Node::Range { pipe, body: then, otherwise } => {
                    self.pipe(pipe);
                    self.nodes(then);
                    self.nodes(otherwise);
                }
            }
        }
    }

    /// `{{template "name" .}}` hands the map on, to nodes that are looked at themselves.
    fn template_argument(&mut self, pipe: &Pipe) {
        let hands_on = matches!(pipe.commands.as_slice(), [command]
            if command.arguments.is_empty() && is_map(&command.first));
        if !hands_on {
            self.pipe(pipe);
        }
    }

    fn pipe(&mut self, pipe: &Pipe) {
        for command in &pipe.commands {
            let operands: Vec<&Operand> = std::iter::once(&command.first).chain(&command.arguments).collect();
            match operands.as_slice() {
                [Operand::Function(function), map, Operand::Text(key), rest @ ..]
                    if function.name == "index" && is_map(map) =>
                {
                    self.functions.insert(function.name);
                    self.keys.insert(String::from_utf8_lossy(key).into_owned());
                    rest.iter().for_each(|operand| self.operand(operand));
                }
                operands => operands.iter().for_each(|operand| self.operand(operand)),
            }
        }
    }

    fn operand(&mut self, operand: &Operand) {
        match operand {
            operand if is_map(operand) => self.everything = true,
            Operand::Field(fields) => self.keys.extend(fields.first().cloned()),
            Operand::Variable(name, fields) if name == "$" => self.keys.extend(fields.first().cloned()),
            Operand::Function(function) => drop(self.functions.insert(function.name)),
            Operand::Pipe(pipe) => self.pipe(pipe),
            Operand::Chain(inner, _) => self.operand(inner),
            _ => {}
        }
    }
}

fn is_map(operand: &Operand) -> bool {
    match operand {
        Operand::Dot => true,
        Operand::Variable(name, fields) => name == "$" && fields.is_empty(),
        _ => false,
    }
}
