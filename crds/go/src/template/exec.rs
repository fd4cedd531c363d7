//! The run of a template: walks its tree over the values.
//!
//! Statements, pipelines and fields mean what they mean in Go's `text/template`; the functions are in
//! [`functions`](super::functions). Invariant: with branching refused, every decision that ends in an error is made
//! from [`Bound`](super::bound::Bound)s.

use super::bound::{Bound, Computed, Prints};
use super::budget::Budget;
use super::error::GoTemplateError;
use super::json_object::{GROWTH, JsonObject};
use super::parse::Templates;
use super::tree::{Pipe, Statement};
use super::{Branching, MAX_OUTPUT, Rendered, print};
use crate::Buffer;
use crate::value::{Kind, Value};

mod call;

/// The most levels of evaluation at run time, where templates call templates.
const MAX_RUN_DEPTH: usize = 100;
/// The most levels of lists and maps in a value.
const MAX_VALUE_DEPTH: u32 = 128;

pub(super) fn render(
    templates: &Templates,
    branching: Branching,
    values: &Computed,
    budget: &mut Budget,
) -> Result<Rendered, GoTemplateError> {
    let mut run = Run::new(templates, branching, values, budget);
    run.root()?;
    Ok(run.rendered())
}

/// As [`render`], but gives `None` if the text can't be a JSON object.
pub(super) fn render_json_object(
    templates: &Templates,
    branching: Branching,
    values: &Computed,
    budget: &mut Budget,
) -> Result<Option<Rendered>, GoTemplateError> {
    let mut run = Run { object: Some(JsonObject::new()), ..Run::new(templates, branching, values, budget) };
    run.root()?;
    // Choosing reads both texts.
    run.budget.charge(1, run.out_size.saturating_mul(2))?;
    let Some(text) = run.object.take().and_then(|object| object.choose(std::mem::take(&mut run.out))) else {
        return Ok(None);
    };
    run.out = text;
    Ok(Some(run.rendered()))
}

/// The reason why the walk stopped before the end.
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
    budget: &'t mut Budget,
    variables: Vec<(String, Computed)>,
    out: Buffer,
    /// The second text beside the output, if the output has to be a JSON object.
    object: Option<JsonObject>,
    /// The most bytes that each of the two texts can have so far, from public facts.
    out_size: u64,
    /// `true` once both texts have at least one byte for any items.
    never_empty: bool,
    depth: usize,
}

type Outcome<T> = Result<T, GoTemplateError>;

impl<'t> Run<'t> {
    fn new(
        templates: &'t Templates,
        branching: Branching,
        values: &Computed,
        budget: &'t mut Budget,
    ) -> Self {
        let secret = branching == Branching::Refused;
        let all = Computed { bound: Bound { secret, ..values.bound }, value: values.value.clone() };
        Self {
            templates,
            branching,
            budget,
            variables: vec![("$".to_owned(), all)],
            out: Buffer::default(),
            object: None,
            out_size: 0,
            never_empty: false,
            depth: 0,
        }
    }

    fn rendered(self) -> Rendered {
        let Self { out, out_size, never_empty, .. } = self;
        Rendered { value: out, max_len: out_size, never_empty }
    }

    fn root(&mut self) -> Outcome<()> {
        let all = self.variables[0].1.clone();
        match self.list(&all, &self.templates.root) {
            Ok(()) | Err(Stop::Break | Stop::Continue) => Ok(()),
            Err(Stop::Error(error)) => Err(error),
        }
    }

    fn list(&mut self, dot: &Computed, statements: &'t [Statement]) -> Result<(), Stop> {
        statements.iter().try_for_each(|statement| self.statement(dot, statement))
    }

    fn statement(&mut self, dot: &Computed, statement: &'t Statement) -> Result<(), Stop> {
        match statement {
            Statement::Text(text) => {
                self.charge_output(1, u64::try_from(text.len()).unwrap_or(u64::MAX))?;
                self.never_empty |= !text.is_empty();
                self.out.extend(text);
                self.object.iter_mut().for_each(|object| object.public(text));
            }
            Statement::Action(pipe) => {
                let computed = self.pipe(dot, pipe)?;
                if pipe.variables.is_empty() {
                    self.print(pipe.line, &computed)?;
                }
            }
            Statement::If { pipe, then, otherwise } => {
                let scope = self.variables.len();
                let computed = self.pipe(dot, pipe)?;
                let statements = if computed.value.is_true() { then } else { otherwise };
                self.deeper(pipe.line, |run| run.list(dot, statements))?;
                self.variables.truncate(scope);
            }
            Statement::With { pipe, then, otherwise } => {
                let scope = self.variables.len();
                let computed = self.pipe(dot, pipe)?;
                self.deeper(pipe.line, |run| match computed.value.is_true() {
                    true => run.list(&computed, then),
                    false => run.list(dot, otherwise),
                })?;
                self.variables.truncate(scope);
            }
            Statement::Range { pipe, body, otherwise } => {
                let scope = self.variables.len();
                let done = self.deeper(pipe.line, |run| run.range(dot, pipe, body, otherwise));
                self.variables.truncate(scope);
                match done {
                    Err(Stop::Break) => {}
                    done => done?,
                }
            }
            Statement::Template { name, pipe, line } => self.template(dot, name, pipe.as_ref(), *line)?,
            Statement::Break => return Err(Stop::Break),
            Statement::Continue => return Err(Stop::Continue),
        }
        Ok(())
    }

    fn print(&mut self, line: usize, computed: &Computed) -> Outcome<()> {
        let is_escaped = computed.bound.secret && self.object.is_some();
        let growth = if is_escaped { GROWTH } else { 1 };
        self.charge_output(line, computed.bound.size.saturating_mul(growth))?;
        self.never_empty |= computed.bound.prints != Prints::Anything;
        let start = self.out.len();
        print::print_into(&mut self.out, &computed.value);
        let printed = &self.out.bytes()[start..];
        self.object.iter_mut().for_each(|object| object.value(computed, printed));
        Ok(())
    }

    fn template(
        &mut self,
        dot: &Computed,
        name: &str,
        pipe: Option<&'t Pipe>,
        line: usize,
    ) -> Result<(), Stop> {
        self.budget.charge_len(line, name.len())?;
        let Some(statements) = self.templates.defined.get(name) else {
            let problem = format!("template {name:?} is not defined");
            return Err(GoTemplateError::Syntax { line, problem }.into());
        };
        let dot = match pipe {
            Some(pipe) => self.pipe(dot, pipe)?,
            None => Computed::public(Value::Missing),
        };
        let outside = std::mem::replace(&mut self.variables, vec![("$".to_owned(), dot.clone())]);
        let done = self.deeper(line, |run| run.list(&dot, statements));
        self.variables = outside;
        done
    }

    fn range(
        &mut self,
        dot: &Computed,
        pipe: &'t Pipe,
        body: &'t [Statement],
        otherwise: &'t [Statement],
    ) -> Result<(), Stop> {
        let over = self.pipe(dot, pipe)?;
        self.budget.charge(pipe.line, over.bound.size)?;
        let scope = self.variables.len();
        let pairs: Vec<(Value, Value)> = match &over.value {
            Value::Missing | Value::Nil => Vec::new(),
            Value::Int(width, count) => {
                if pipe.variables.len() > 1 {
                    return Err(
                        wrong(pipe.line, "range with two variables", "a list or map", &over.value).into()
                    );
                }
                self.budget.charge(pipe.line, u64::try_from(*count).unwrap_or(0).saturating_mul(64))?;
                (0..*count).map(|at| (Value::Missing, Value::Int(*width, at))).collect()
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
            self.budget.charge(pipe.line, 0)?;
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
        self.charge_look_up(line, name)?;
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

    /// Charges a look-up, which may compare the name with every variable.
    fn charge_look_up(&mut self, line: usize, name: &str) -> Outcome<()> {
        self.budget.charge_len(line, self.variables.len().saturating_mul(name.len()))
    }

    fn charge_output(&mut self, line: usize, size: u64) -> Outcome<()> {
        self.out_size = self.out_size.saturating_add(size);
        self.budget.charge(line, size)?;
        check_size(line, self.out_size)
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
