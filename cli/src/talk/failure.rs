//! Failures, as the user is told of them.
//!
//! Every module has its own error type, whose `Display` is a plain fact. A failure adds what a person needs:
//! the spot in a file, a hint, the exit code; and the [rule](Rule) by which programs recognise it.
//! [`crate::talk::terminal`] prints it.

use std::error::Error;
use std::io;
use std::ops::Deref;

use seal_documents::source::Spot;

use crate::talk::exit::Exit;

pub(crate) use crate::talk::rule::Rule;

/// An error that knows its rule, its exit code and its hint.
pub(crate) trait Explain: Error {
    /// The kind of failure, for programs.
    fn rule(&self) -> Rule;

    /// The exit code with which the error ends the program.
    fn exit(&self) -> Exit {
        Exit::Failure
    }

    /// What the user can try, as a sentence without a full stop.
    fn hint(&self) -> Option<String> {
        None
    }
}

/// An error, ready to be printed.
#[derive(Debug)]
pub(crate) struct Failure(Box<Details>);

/// The parts of a failure.
#[derive(Debug)]
pub(crate) struct Details {
    #[cfg_attr(not(test), expect(dead_code, reason = "no output has it yet"))]
    pub(crate) rule: Rule,
    pub(crate) exit: Exit,
    /// The fact, followed by each of its causes.
    pub(crate) facts: Vec<String>,
    pub(crate) spot: Option<Spot>,
    pub(crate) hint: Option<String>,
    closed_pipe: bool,
}

impl Failure {
    /// The same failure, with the spot in a file that it is about.
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

    /// The same failure, with a better thing to try.
    pub(crate) fn hinted(mut self, hint: Option<String>) -> Self {
        self.0.hint = hint.or(self.0.hint);
        self
    }

    /// The failure to write to standard output.
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

    /// Whether the reader of standard output closed the pipe.
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

/// The system's words for an error, without the number that Rust appends. Go prints the same words, and
/// scripts around kubeseal look for them.
pub(crate) fn reason(error: &io::Error) -> String {
    let mut text = error.to_string();
    if let Some(end) = text.find(" (os error ") {
        text.truncate(end);
        text[..1].make_ascii_lowercase();
    }
    text
}
