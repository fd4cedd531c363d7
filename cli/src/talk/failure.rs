//! What the user is told when something can't be done.
//!
//! Every module has its own error type, whose `Display` is a plain fact. Here a
//! fact gains what a person needs beside it: where it is in which file, what to
//! try, how the program ends, and the [rule](Rule) by which programs know it. Printing is [`crate::talk::terminal`]'s.

use std::{error::Error, io, ops::Deref};

use seal_documents::source::Spot;

use crate::talk::exit::Exit;

pub(crate) use crate::talk::rule::Rule;

/// An error that knows its rule, how the program ends with it and what to try.
pub(crate) trait Explain: Error {
    /// What kind of failure it is, for programs.
    fn rule(&self) -> Rule;

    fn exit(&self) -> Exit {
        Exit::Failure
    }

    fn hint(&self) -> Option<String> {
        None
    }
}

/// An error, ready to be printed.
#[derive(Debug)]
pub(crate) struct Failure(Box<Details>);

/// All there is to say about a failure.
#[derive(Debug)]
pub(crate) struct Details {
    #[cfg_attr(not(test), expect(dead_code, reason = "no output has it yet"))]
    pub(crate) rule: Rule,
    pub(crate) exit: Exit,
    /// The fact, and then each of its causes.
    pub(crate) facts: Vec<String>,
    pub(crate) spot: Option<Spot>,
    pub(crate) hint: Option<String>,
    closed_pipe: bool,
}

impl Failure {
    /// The same failure, with the place in a file that it is about.
    pub(crate) fn at(mut self, spot: Spot) -> Self {
        self.0.spot = Some(spot);
        self
    }

    /// The same failure, as the cause of a wider fact.
    pub(crate) fn under(mut self, fact: &impl Error) -> Self {
        self.0.facts.insert(0, fact.to_string());
        self
    }

    /// The same failure, with one more thing to try.
    pub(crate) fn or_try(mut self, other: &str) -> Self {
        self.0.hint = Some(match self.0.hint.take() {
            Some(hint) if hint.ends_with('?') => format!("{hint} Or {other}"),
            Some(hint) => format!("{hint}; or {other}"),
            None => other.to_owned(),
        });
        self
    }

    /// Standard output couldn't be written.
    pub(crate) fn stdout(error: &io::Error) -> Self {
        Self(Box::new(Details {
            rule: Rule::Unwritable,
            exit: Exit::Failure,
            facts: vec!["can't write to standard output".to_owned(), reason(error)],
            spot: None,
            hint: None,
            closed_pipe: error.kind() == io::ErrorKind::BrokenPipe,
        }))
    }

    /// Whether this is only a reader that went away.
    pub(crate) fn is_closed_pipe(&self) -> bool {
        self.0.closed_pipe
    }
}

impl Deref for Failure {
    type Target = Details;

    fn deref(&self) -> &Details {
        &self.0
    }
}

impl<E: Explain> From<E> for Failure {
    fn from(error: E) -> Self {
        let mut facts = vec![error.to_string()];
        let mut source = error.source();
        while let Some(cause) = source {
            facts.push(match cause.downcast_ref::<io::Error>() {
                Some(error) => reason(error),
                None => cause.to_string(),
            });
            source = cause.source();
        }
        let (rule, exit, hint) = (error.rule(), error.exit(), error.hint());
        Self(Box::new(Details { rule, exit, facts, spot: None, hint, closed_pipe: false }))
    }
}

/// The system's words as a fragment, without the number that Rust puts behind them: what Go prints of them too, and
/// what scripts around kubeseal look for.
pub(crate) fn reason(error: &io::Error) -> String {
    let mut text = error.to_string();
    if let Some(end) = text.find(" (os error ") {
        text.truncate(end);
        text[..1].make_ascii_lowercase();
    }
    text
}
