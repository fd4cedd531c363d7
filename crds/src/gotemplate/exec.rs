//! A template's tree, walked over the values.
//!
//! The meaning of statements, pipelines and fields is that of Go's `text/template`; what functions do is in
//! [`functions`](super::functions). Invariant: with branching refused, every decision that ends in an error is
//! taken from [`Bound`]s.

use std::collections::BTreeMap;
use std::rc::Rc;

use zeroize::Zeroizing;

use super::bound::{Bound, Computed, kind_of, zero};
use super::error::GoTemplateError;
use super::functions::{Fault, Function, Type};
use super::parse::Templates;
use super::tree::{Command, Node, Operand, Pipe};
use super::value::{Buffer, Kind, Of, Text, Value, Width};
use super::{Branching, MAX_OUTPUT, MAX_WORK, print};

/// How deeply evaluation may nest at run time, where templates call templates.
const MAX_RUN_DEPTH: usize = 100;
/// How deeply values may nest.
const MAX_VALUE_DEPTH: u32 = 128;

pub(super) fn render(
    templates: &Templates,
    branching: Branching,
    values: BTreeMap<Text, Value>,
) -> Result<Zeroizing<Vec<u8>>, GoTemplateError> {
    let all = Value::Map(Of::Text, Rc::new(values));
    let all = match branching {
        Branching::Refused => Computed::item(all),
        Branching::Allowed => Computed::public(all),
    };
    let mut run = Run {
        templates,
        branching,
        variables: vec![("$".to_owned(), all.clone())],
        out: Buffer::default(),
        out_size: 0,
        work: 0,
        depth: 0,
    };
    match run.list(&all, &templates.root) {
        Ok(()) | Err(Stop::Break | Stop::Continue) => Ok(run.out.into_inner()),
        Err(Stop::Error(error)) => Err(error),
    }
}

/// Why walking stopped before the end.
enum Stop {
    Error(GoTemplateError),
    Break,
    Continue,
}

impl From<GoTemplateError> for Stop {
    fn from(error: GoTemplateError) -> Self {
        Self::Error(error)
    }
}

struct Run<'t> {
    templates: &'t Templates,
    branching: Branching,
    variables: Vec<(String, Computed)>,
    out: Buffer,
    /// What the output can have so far, from public facts.
    out_size: u64,
    work: u64,
    depth: usize,
}

type Outcome<T> = Result<T, GoTemplateError>;

impl<'t> Run<'t> {
    fn list(&mut self, dot: &Computed, nodes: &'t [Node]) -> Result<(), Stop> {
        nodes.iter().try_for_each(|node| self.node(dot, node))
    }

    fn node(&mut self, dot: &Computed, node: &'t Node) -> Result<(), Stop> {
        match node {
            Node::Text(text) => {
                self.charge_output(1, u64::try_from(text.len()).unwrap_or(u64::MAX))?;
                self.out.extend(text);
            }
            Node::Action(pipe) => {
                let computed = self.pipe(dot, pipe)?;
                if pipe.variables.is_empty() {
                    self.charge_output(pipe.line, computed.bound.size)?;
                    print::print_into(&mut self.out, &computed.value);
                }
            }
            Node::If { pipe, then, otherwise } => {
                let scope = self.variables.len();
                let computed = self.pipe(dot, pipe)?;
                let nodes = if computed.value.is_true() { then } else { otherwise };
                self.deeper(pipe.line, |run| run.list(dot, nodes))?;
                self.variables.truncate(scope);
            }
            Node::With { pipe, then, otherwise } => {
                let scope = self.variables.len();
                let computed = self.pipe(dot, pipe)?;
                self.deeper(pipe.line, |run| match computed.value.is_true() {
                    true => run.list(&computed, then),
                    false => run.list(dot, otherwise),
                })?;
                self.variables.truncate(scope);
            }
            Node::Range { pipe, body, otherwise } => {
                let scope = self.variables.len();
                let done = self.deeper(pipe.line, |run| run.range(dot, pipe, body, otherwise));
                self.variables.truncate(scope);
                match done {
                    Err(Stop::Break) => {}
                    done => done?,
                }
            }
            Node::Template { name, pipe, line } => self.template(dot, name, pipe.as_ref(), *line)?,
            Node::Break => return Err(Stop::Break),
            Node::Continue => return Err(Stop::Continue),
        }
        Ok(())
    }

    fn template(
        &mut self,
        dot: &Computed,
        name: &str,
        pipe: Option<&'t Pipe>,
        line: usize,
    ) -> Result<(), Stop> {
        let Some(nodes) = self.templates.defined.get(name) else {
            let problem = format!("template {name:?} is not defined");
            return Err(GoTemplateError::Syntax { line, problem }.into());
        };
        let dot = match pipe {
            Some(pipe) => self.pipe(dot, pipe)?,
            None => Computed::public(Value::Missing),
        };
        let outside = std::mem::replace(&mut self.variables, vec![("$".to_owned(), dot.clone())]);
        let done = self.deeper(line, |run| run.list(&dot, nodes));
        self.variables = outside;
        done
    }

    fn range(
        &mut self,
        dot: &Computed,
        pipe: &'t Pipe,
        body: &'t [Node],
        otherwise: &'t [Node],
    ) -> Result<(), Stop> {
        let over = self.pipe(dot, pipe)?;
        let scope = self.variables.len();
        let pairs: Vec<(Value, Value)> = match &over.value {
            Value::Missing | Value::Nil => Vec::new(),
            Value::Int(width, count) => {
                if pipe.variables.len() > 1 {
                    return Err(
                        wrong(pipe.line, "range with two variables", "a list or map", &over.value).into()
                    );
                }
                let count = (*count).min(i64::try_from(MAX_WORK).unwrap_or(i64::MAX));
                self.charge(pipe.line, u64::try_from(count).unwrap_or(0))?;
                (0..count).map(|at| (Value::Missing, Value::Int(*width, at))).collect()
            }
            Value::List(_, items) => {
                items.iter().enumerate().map(|(at, item)| (Value::int(at), item.clone())).collect()
            }
            Value::Map(_, items) => {
                items.iter().map(|(key, item)| (Value::Text(key.clone()), item.clone())).collect()
            }
            other => return Err(wrong(pipe.line, "range", "a list, a map or an integer", other).into()),
        };
        if pairs.is_empty() {
            return self.list(dot, otherwise);
        }
        for (index, item) in pairs {
            self.charge(pipe.line, 64)?;
            let item = Computed::public(item);
            match pipe.variables.as_slice() {
                [] => {}
                [element] => self.set_loop_variable(pipe, 1, element, item.clone())?,
                [key, element, ..] => {
                    self.set_loop_variable(pipe, 2, key, Computed::public(index))?;
                    self.set_loop_variable(pipe, 1, element, item.clone())?;
                }
            }
            let done = self.list(&item, body);
            self.variables.truncate(scope);
            match done {
                Err(Stop::Continue) => {}
                done => done?,
            }
        }
        Ok(())
    }

    fn set_loop_variable(
        &mut self,
        pipe: &Pipe,
        from_top: usize,
        name: &str,
        value: Computed,
    ) -> Outcome<()> {
        if pipe.assigns {
            return self.assign(pipe.line, name, value);
        }
        let at = self.variables.len() - from_top;
        self.variables[at].1 = value;
        Ok(())
    }

    fn assign(&mut self, line: usize, name: &str, value: Computed) -> Outcome<()> {
        match self.variables.iter_mut().rev().find(|(known, _)| known == name) {
            Some((_, variable)) => *variable = value,
            None => {
                let problem = format!("undefined variable {name:?}");
                return Err(GoTemplateError::Syntax { line, problem });
            }
        }
        Ok(())
    }

    fn deeper<T>(
        &mut self,
        line: usize,
        inside: impl FnOnce(&mut Self) -> Result<T, Stop>,
    ) -> Result<T, Stop> {
        if self.depth >= MAX_RUN_DEPTH {
            return Err(GoTemplateError::TooDeep { line }.into());
        }
        self.depth += 1;
        let result = inside(self);
        self.depth -= 1;
        result
    }

    fn charge(&mut self, line: usize, work: u64) -> Outcome<()> {
        self.work = self.work.saturating_add(work).saturating_add(64);
        if self.work > MAX_WORK { Err(GoTemplateError::TooMuchWork { line }) } else { Ok(()) }
    }

    fn charge_output(&mut self, line: usize, size: u64) -> Outcome<()> {
        self.out_size = self.out_size.saturating_add(size);
        self.charge(line, size)?;
        check_size(line, self.out_size)
    }

    /// Declares or assigns the pipeline's variables as well.
    fn pipe(&mut self, dot: &Computed, pipe: &'t Pipe) -> Outcome<Computed> {
        if self.depth >= MAX_RUN_DEPTH {
            return Err(GoTemplateError::TooDeep { line: pipe.line });
        }
        self.depth += 1;
        let mut last = None;
        for command in &pipe.commands {
            let mut computed = self.command(dot, command, last.take())?;
            // Go takes every command's result out of its interface: nothing is left of an empty one.
            if matches!(computed.value, Value::Nil) {
                computed.value = Value::Missing;
                computed.bound.kind = computed.bound.kind.map(|_| Kind::Missing);
            }
            last = Some(computed);
        }
        self.depth -= 1;
        let value = last.unwrap_or_else(|| Computed::public(Value::Missing));
        for name in &pipe.variables {
            match pipe.assigns {
                true => self.assign(pipe.line, name, value.clone())?,
                false => self.variables.push((name.clone(), value.clone())),
            }
        }
        Ok(value)
    }

    fn command(&mut self, dot: &Computed, command: &'t Command, last: Option<Computed>) -> Outcome<Computed> {
        if let Operand::Function(function) = command.first {
            return self.function(dot, command.line, function, &command.arguments, last);
        }
        if !command.arguments.is_empty() || last.is_some() {
            let problem = "what isn't a function can't be given arguments".to_owned();
            return Err(GoTemplateError::Syntax { line: command.line, problem });
        }
        if let Operand::Nil = command.first {
            return Err(GoTemplateError::Syntax {
                line: command.line,
                problem: "nil is not a command".to_owned(),
            });
        }
        self.operand(dot, command.line, &command.first, Type::Reflect)
    }

    fn operand(
        &mut self,
        dot: &Computed,
        line: usize,
        operand: &'t Operand,
        type_: Type,
    ) -> Outcome<Computed> {
        Ok(match operand {
            Operand::Dot => dot.clone(),
            Operand::Nil if type_ == Type::Map => Computed::public(Value::Missing),
            Operand::Nil => Computed::public(Value::Nil),
            Operand::Bool(value) => Computed::public(Value::Bool(*value)),
            Operand::Number(number) => {
                let int = number.int.map(|int| Value::Int(Width::Int, int));
                let float = Value::Float(number.float);
                Computed::public(match type_ {
                    Type::Float => float,
                    Type::Int => int.unwrap_or(float),
                    _ if number.looks_like_float => float,
                    _ => int.unwrap_or(float),
                })
            }
            Operand::Text(text) => Computed::public(Value::Text(text.clone())),
            Operand::Field(fields) => self.fields(line, dot.clone(), fields)?,
            Operand::Variable(name, fields) => {
                let known = self.variables.iter().rev().find(|(known, _)| known == name);
                let Some((_, variable)) = known else {
                    let problem = format!("undefined variable {name:?}");
                    return Err(GoTemplateError::Syntax { line, problem });
                };
                self.fields(line, variable.clone(), fields)?
            }
            Operand::Function(function) => self.function(dot, line, function, &[], None)?,
            Operand::Pipe(pipe) => self.pipe(dot, pipe)?,
            Operand::Chain(inner, fields) => {
                let inner = self.operand(dot, line, inner, Type::Reflect)?;
                self.fields(line, inner, fields)?
            }
        })
    }

    fn fields(&mut self, line: usize, of: Computed, fields: &[String]) -> Outcome<Computed> {
        fields.iter().try_fold(of, |of, field| self.field(line, &of, field))
    }

    fn field(&mut self, line: usize, of: &Computed, field: &str) -> Outcome<Computed> {
        self.charge(line, 0)?;
        let value = match &of.value {
            Value::Map(_, items) => items.get(&Text::from(field)).cloned().unwrap_or(Value::Missing),
            Value::Missing => Value::Missing,
            _ if of.bound.kind.is_none() => Value::Missing,
            other => return Err(wrong(line, &format!(".{field}"), "a map", other)),
        };
        let is_public = of.bound.public_keys || !of.bound.secret;
        let bound = match is_public {
            true => Bound { secret: of.bound.secret, ..Bound::of(&value) },
            false => Bound { kind: None, public_keys: false, size: of.bound.size.max(10), ..of.bound },
        };
        Ok(Computed { value, bound })
    }

    fn function(
        &mut self,
        dot: &Computed,
        line: usize,
        function: &'static Function,
        operands: &'t [Operand],
        last: Option<Computed>,
    ) -> Outcome<Computed> {
        let found = operands.len() + usize::from(last.is_some());
        function.check_arguments(line, found)?;
        let mut arguments = Vec::with_capacity(found);
        let mut fits = true;
        for (at, operand) in operands.iter().enumerate() {
            let type_ = function.type_of(at);
            let argument = type_.accept(self.operand(dot, line, operand, type_)?);
            fits &= self.check(line, function, type_, &argument)?;
            arguments.push(argument);
            // The only functions that don't look at all their arguments.
            let stops = matches!(function.name, "and" | "or") && self.branching == Branching::Allowed;
            if let (true, Some(argument)) = (stops, arguments.last())
                && argument.value.is_true() == (function.name == "or")
            {
                return Ok(argument.clone());
            }
        }
        if let Some(last) = last {
            let type_ = function.type_of(operands.len());
            let last = type_.accept(last);
            fits &= self.check(line, function, type_, &last)?;
            arguments.push(last);
        }
        self.call(line, function, &arguments, fits)
    }

    /// Whether an argument has the type it must have, where that may depend on a value.
    fn check(&self, line: usize, function: &Function, type_: Type, argument: &Computed) -> Outcome<bool> {
        let fits = type_.takes(&argument.value);
        if !fits && argument.bound.kind.is_some() {
            return Err(wrong(line, function.name, type_.name(), &argument.value));
        }
        Ok(fits)
    }

    fn call(
        &mut self,
        line: usize,
        function: &'static Function,
        arguments: &[Computed],
        fits: bool,
    ) -> Outcome<Computed> {
        let Some(size) = function.growth.size(arguments) else {
            return Err(GoTemplateError::SizeFromValue { line, function: function.name.to_owned() });
        };
        check_size(line, size)?;
        let depth = arguments.iter().map(|argument| argument.bound.depth).max().unwrap_or(0);
        let depth = function.depth(depth);
        if depth > MAX_VALUE_DEPTH {
            return Err(GoTemplateError::TooDeep { line });
        }
        let read = arguments.iter().map(|argument| argument.bound.size).fold(size, u64::saturating_add);
        self.charge(line, read)?;

        let secret = arguments.iter().any(|argument| argument.bound.secret);
        let kinds_are_public = arguments.iter().all(|argument| argument.bound.kind.is_some());
        let values: Vec<Value> = arguments.iter().map(|argument| argument.value.clone()).collect();
        let failed = |why| GoTemplateError::Failed { line, function: function.name.to_owned(), why };
        let value = match fits.then(|| (function.run)(&values)) {
            Some(Ok(value)) => value,
            Some(Err(Fault::Type(why))) if kinds_are_public => return Err(failed(why)),
            Some(Err(Fault::Value(why) | Fault::Type(why))) if !secret => return Err(failed(why)),
            _ => zero(function.out),
        };
        // With branching allowed, and for what is made of constants, what it is may be looked at.
        if self.branching == Branching::Allowed || !secret {
            return Ok(Computed::public(value));
        }
        let size = size.max(10);
        debug_assert!(super::bound::measure(&value).0 <= size, "{} gave more than its bound", function.name);
        debug_assert!(
            super::bound::measure(&value).1 <= depth,
            "{} nests more than its bound",
            function.name
        );
        let is_item = function.name == "index"
            && matches!(arguments, [all, key] if all.bound.public_keys && !key.bound.secret);
        let bound = match is_item {
            true => Bound::of_items(&value),
            false => Bound { size, depth, secret, kind: kind_of(function.out), public_keys: false },
        };
        Ok(Computed { value, bound })
    }
}

fn check_size(line: usize, size: u64) -> Outcome<()> {
    match size > MAX_OUTPUT {
        true => Err(GoTemplateError::TooLarge { line, size, limit: MAX_OUTPUT }),
        false => Ok(()),
    }
}

fn wrong(line: usize, whom: &str, expected: &'static str, found: &Value) -> GoTemplateError {
    let found = match found.kind() {
        Kind::Missing | Kind::Nil => "nothing",
        other => other.type_name(),
    };
    GoTemplateError::WrongType { line, whom: whom.to_owned(), expected, found }
}
