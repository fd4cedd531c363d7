//! The failure of a reconcile: one value for log, metric, Event and condition.
//!
//! It has no error chain. The words of a server or a library are left out, because the API server's
//! validation quotes the values that it refuses. Invariants: `message` is made of fixed words, validated
//! names and public values only; whatever foreign text is in it, it fits into a condition and an Event, and
//! drives no terminal ([`seal_foreign`]).

use std::fmt;

use seal_crds::resources::SpecError;
use seal_crds::{Reason, UnsealError};

use crate::backoff::Whose;

/// Why a reconcile failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// The reason for programs, in the condition, the Event and the metric. It also says whether the failure
    /// waits for somebody's change, or may pass by itself; then the reconcile is tried again for ever, after
    /// growing waits.
    pub(crate) reason: Reason,
    /// The message for people: one fragment in lower case.
    pub(crate) message: String,
}

impl Failure {
    /// A failure. Its reason must be the reason of a failure.
    pub(crate) fn new(reason: Reason, message: impl AsRef<str>) -> Self {
        debug_assert!(reason.is_failure(), "{reason:?} tells a state or an event");
        Self { reason, message: seal_foreign::message(message.as_ref()) }
    }

    /// Whether the failure waits for somebody's change.
    pub(crate) fn is_permanent(&self) -> bool {
        self.reason.is_permanent()
    }

    /// Whether the API server alone is the cause: it is away or busy, for every object.
    pub(crate) fn whose(&self) -> Whose {
        match self.reason {
            Reason::ApiUnavailable | Reason::ApiBusy => Whose::ApiServers,
            _ => Whose::Objects,
        }
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
    /// Every fault of an object waits for a change of the object or of the keys.
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
