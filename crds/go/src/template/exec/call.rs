//! Pipelines, operands and calls: the parts of a template that have values.
//!
//! Invariant: with branching refused, a call fails for public reasons only. A call that fails for another reason
//! gives the zero of its type instead.

use super::{MAX_RUN_DEPTH, MAX_VALUE_DEPTH, Outcome, Run, check_size, wrong};
use crate::template::Branching;
use crate::template::bound::{self, Bound, Computed, Prints};
use crate::template::error::GoTemplateError;
use crate::template::function::{Fault, Function, Type};
use crate::template::tree::{Command, Operand, Pipe};
use crate::value::{Kind, Text, Value, Width};

/// The most bytes in memory of an element of a list or map, for each byte that it counts in a size.
const ELEMENT: u64 = 16;

impl<'t> Run<'t> {
    /// Evaluates a pipeline, and declares or assigns its variables.
    pub(super) fn pipe(&mut self, dot: &Computed, pipe: &'t Pipe) -> Outcome<Computed> {
        if self.depth >= MAX_RUN_DEPTH {
            return Err(GoTemplateError::TooDeep { line: pipe.line });
        }
        self.depth += 1;
        let mut last = None;
        for command in &pipe.commands {
            let mut computed = self.command(dot, command, last.take())?;
            // Go unpacks the interface that a command gives. An empty interface (nil) becomes "no value".
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
                false => {
                    self.budget.charge_len(pipe.line, name.len())?;
                    self.variables.push((name.clone(), value.clone()));
                }
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
        let copied = if let Operand::Text(text) = operand { text.len() } else { 0 };
        self.budget.charge_len(line, copied)?;
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
            Operand::Text(text) => Computed::public(Value::text(text)),
            Operand::Field(fields) => self.fields(line, dot.clone(), fields)?,
            Operand::Variable(name, fields) => {
                self.charge_look_up(line, name)?;
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
        self.budget.charge_len(line, field.len())?;
        let value = match &of.value {
            Value::Map(_, items) => items.get(&Text::from(field)).cloned().unwrap_or(Value::Missing),
            Value::Missing => Value::Missing,
            _ if of.bound.kind.is_none() => Value::Missing,
            other => return Err(wrong(line, &format!(".{field}"), "a map", other)),
        };
        let is_public = of.bound.public_keys || !of.bound.secret;
        let bound = match is_public {
            true => Bound { secret: of.bound.secret, ..Bound::of(&value) },
            false => {
                let size = of.bound.size.max(10);
                Bound { kind: None, public_keys: false, prints: Prints::Anything, size, ..of.bound }
            }
        };
        // Measuring a public value walks it. An item is a text, whose length is known without a walk.
        if !of.bound.secret {
            self.budget.charge(line, bound.size)?;
        }
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
            // `and` and `or` are the only functions that don't evaluate all their arguments.
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

    /// `true` if the argument has the type that the parameter needs. A type that is public and wrong is an error; a
    /// type that depends on an item gives `false`.
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
        let is_item = function.name == "index"
            && matches!(arguments, [all, key] if all.bound.public_keys && !key.bound.secret);
        let read = match is_item {
            // Costs no more than a field.
            true => 0,
            false => arguments.iter().map(|argument| argument.bound.size).fold(size, u64::saturating_add),
        };
        let held = if function.makes_elements() { size.saturating_mul(ELEMENT) } else { 0 };
        self.budget.charge(line, read.saturating_add(held))?;

        let secret = arguments.iter().any(|argument| argument.bound.secret);
        let kinds_are_public = arguments.iter().all(|argument| argument.bound.kind.is_some());
        let values: Vec<Value> = arguments.iter().map(|argument| argument.value.clone()).collect();
        let failed = |why| GoTemplateError::Failed { line, function: function.name.to_owned(), why };
        let value = match fits.then(|| (function.run)(&values)) {
            Some(Ok(value)) => value,
            Some(Err(Fault::Type(why))) if kinds_are_public => return Err(failed(why)),
            Some(Err(Fault::Value(why) | Fault::Type(why))) if !secret => return Err(failed(why)),
            _ => function.out.zero(),
        };
        // With branching allowed, and for values made of constants, the value itself may be measured.
        if self.branching == Branching::Allowed || !secret {
            let computed = Computed::public(value);
            self.budget.charge(line, if is_item { computed.bound.size } else { 0 })?;
            return Ok(computed);
        }
        let size = size.max(10);
        debug_assert!(bound::measure(&value).0 <= size, "{} gave more than its bound", function.name);
        debug_assert!(bound::measure(&value).1 <= depth, "{} nests more than its bound", function.name);
        let bound = match is_item {
            true => Bound::of_items(&value),
            false => {
                let (kind, prints) = function.gives(arguments);
                debug_assert!(
                    kind.is_none_or(|kind| kind == value.kind()),
                    "{} gave another type",
                    function.name
                );
                Bound { size, depth, secret, kind, public_keys: false, prints }
            }
        };
        Ok(Computed { value, bound })
    }
}
