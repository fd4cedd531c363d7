//! How much work the templates of one object may make, all of them together.
//!
//! The threat: a text of a few kilobytes whose steps double with every line, or a thousand texts that each stay just
//! below a limit of their own. So every step is charged, of parsing as of rendering, against one budget. Not a clock:
//! a charge is counted from the text and from the bounds of values, so that whether the budget suffices tells nothing of
//! a value.
//!
//! Invariant: nothing repeats, in a parser or a run, without a charge.

use super::error::GoTemplateError;

/// The budget of an object. A unit is about a byte that is looked at or written.
const UNITS: u64 = 64 << 20;
/// Units of a step that handles no bytes: a node, a command, an operand.
const STEP: u64 = 256;

/// What is left for the templates of one object.
#[derive(Clone)]
pub struct Budget {
    left: u64,
}

impl Budget {
    /// Of an object whose templates have made no work yet.
    pub fn of_object() -> Self {
        Self { left: UNITS }
    }

    /// Charges a step, and the bytes that it handles.
    pub(super) fn charge(&mut self, line: usize, bytes: u64) -> Result<(), GoTemplateError> {
        let left = self.left.checked_sub(STEP.saturating_add(bytes));
        // Once it didn't suffice, it suffices for nothing more.
        self.left = left.unwrap_or(0);
        left.map(drop).ok_or(GoTemplateError::TooMuchWork { line })
    }

    /// [`Budget::charge`] for something in memory.
    pub(super) fn charge_len(&mut self, line: usize, bytes: usize) -> Result<(), GoTemplateError> {
        self.charge(line, u64::try_from(bytes).unwrap_or(u64::MAX))
    }

    /// Units that are left.
    #[cfg(test)]
    pub(super) fn left(&self) -> u64 {
        self.left
    }

    /// How many steps were made at most.
    #[cfg(test)]
    pub(super) fn steps(&self) -> u64 {
        (UNITS - self.left) / STEP
    }
}
