//! The budget of work for all templates of one object together.
//!
//! The threat: a text of a few kilobytes whose steps double with every line, or a thousand texts that each stay just
//! below a limit of their own. So every step of parsing and of rendering is charged to one budget. The budget is no
//! clock: a charge is computed from the text and from the bounds of values, so an exhausted budget tells nothing
//! about a value.
//!
//! Invariant: every loop of the parser and of a run charges each round.

use super::error::GoTemplateError;

/// The budget of one object, in units. A unit is about one byte read or written.
const UNITS: u64 = 64 << 20;
/// The units of a step that handles no bytes: a statement, a command, an operand.
const STEP: u64 = 256;

/// The units left for the templates of one object.
#[derive(Clone)]
pub struct Budget {
    left: u64,
}

impl Budget {
    /// The full budget of an object.
    pub fn of_object() -> Self {
        Self { left: UNITS }
    }

    /// Charges one step and the bytes that it handles.
    pub(super) fn charge(&mut self, line: usize, bytes: u64) -> Result<(), GoTemplateError> {
        let left = self.left.checked_sub(STEP.saturating_add(bytes));
        // An exhausted budget refuses every later step too.
        self.left = left.unwrap_or(0);
        left.map(drop).ok_or(GoTemplateError::TooMuchWork { line })
    }

    /// [`Budget::charge`] with a length in memory.
    pub(super) fn charge_len(&mut self, line: usize, bytes: usize) -> Result<(), GoTemplateError> {
        self.charge(line, u64::try_from(bytes).unwrap_or(u64::MAX))
    }

    /// The units left.
    #[cfg(test)]
    pub(super) fn left(&self) -> u64 {
        self.left
    }

    /// The most steps that were made.
    #[cfg(test)]
    pub(super) fn steps(&self) -> u64 {
        (UNITS - self.left) / STEP
    }
}
