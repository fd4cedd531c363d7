//! The failures of a command that looks at many objects.
//!
//! Invariant: each failure is printed once, and the command then tells their number.

use crate::talk::failure::{Explain, Failure, Rule};
use crate::talk::terminal;

#[derive(Debug, thiserror::Error)]
#[error("{}; nothing was written", problems(*.0))]
struct ProblemsError(usize);

impl Explain for ProblemsError {
    fn rule(&self) -> Rule {
        Rule::SeveralProblems
    }
}

fn problems(count: usize) -> String {
    if count == 1 { "1 problem".to_owned() } else { format!("{count} problems") }
}

/// Failures that are printed together, so that people can mend them together.
#[derive(Default)]
pub(crate) struct Problems(Vec<Failure>);

impl Problems {
    pub(crate) fn push(&mut self, failure: Failure) {
        self.0.push(failure);
    }

    /// Returns the value of a success, and keeps the failure otherwise.
    pub(crate) fn keep<T>(&mut self, result: Result<T, Failure>) -> Option<T> {
        result.map_err(|failure| self.push(failure)).ok()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Prints every failure.
    ///
    /// # Errors
    ///
    /// There is at least one failure.
    pub(crate) fn settle(&self) -> Result<(), Failure> {
        if self.is_empty() {
            return Ok(());
        }
        Err(ProblemsError(self.print()).into())
    }

    /// Prints every failure, and returns their number: for a command that does the rest all the same.
    pub(crate) fn print(&self) -> usize {
        self.0.iter().for_each(terminal::print_failure);
        self.0.len()
    }
}

impl Extend<Failure> for Problems {
    fn extend<I: IntoIterator<Item = Failure>>(&mut self, failures: I) {
        self.0.extend(failures);
    }
}
