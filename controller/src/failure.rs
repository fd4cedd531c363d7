//! Why an object is not in place: one value for log, metric, Event and condition.
//!
//! Not an error chain: what a server or a library said stays behind, because the apiserver's validation
//! quotes the values it refuses. Invariants: `message` is made of fixed words, validated names and public
//! values only; whatever words of others are in it, it fits into a condition and an Event, and drives no terminal
//! ([`seal_foreign`]).

use std::fmt;

use seal_crds::resources::SpecError;
use seal_crds::{Reason, UnsealError};

/// A reconcile that didn't get through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// For programs: the condition's reason, the Event's reason, the metric's label. It also says whether the failure
    /// waits for somebody's change, or may pass by itself and is tried again, for ever, ever more slowly.
    pub(crate) reason: Reason,
    /// One sentence for people: a lower-case fragment.
    pub(crate) message: String,
}

impl Failure {
    /// A failure of this reason, which is the reason of one.
    pub(crate) fn new(reason: Reason, message: impl AsRef<str>) -> Self {
        debug_assert!(reason.is_failure(), "{reason:?} tells a state or an event");
        Self { reason, message: seal_foreign::message(message.as_ref()) }
    }

    /// Whether it waits for somebody's change.
    pub(crate) fn is_permanent(&self) -> bool {
        self.reason.is_permanent()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<SpecError> for Failure {
    fn from(error: SpecError) -> Self {
        Self::new(Reason::Malformed, format!("the spec {error}"))
    }
}

impl From<UnsealError> for Failure {
    /// Everything that can be wrong with an object waits for a change of it, or of the keys.
    fn from(error: UnsealError) -> Self {
        Self::new(error.reason(), error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use seal_foreign::{MAX_MESSAGE, is_unprintable};
    use seal_go::template::GoTemplateError;

    use super::*;

    #[test]
    fn whatever_words_of_others_are_in_a_message_it_fits_and_drives_no_terminal() {
        let hostile = format!("\u{1b}]0;\u{7}\u{202e}\u{e0041}\n{}", "x".repeat(500_000));
        let name = hostile.clone();
        let error = Box::new(GoTemplateError::UnknownFunction { line: 1, name });
        for failure in [
            Failure::new(Reason::Malformed, &hostile),
            Failure::new(Reason::ApiError, &hostile),
            UnsealError::GoTemplate { key: "a".parse().unwrap(), error }.into(),
            SpecError::MissingField(hostile).into(),
        ] {
            assert!(failure.message.len() <= MAX_MESSAGE);
            assert!(!failure.message.chars().any(is_unprintable), "{}", failure.message);
            assert!(failure.message.contains(r"\u{1b}]0;\u{7}\u{202e}\u{e0041}\nx"), "{}", failure.message);
        }
    }
}
