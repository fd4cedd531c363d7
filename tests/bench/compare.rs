//! Which ratios of a run are far from those of the committed run.
//!
//! Invariant: only ratios of the same name are compared, so a run of other counts, or of few questions, finds nothing
//! wrong that it didn't measure. A run in another size than the full one is compared with nothing: some of its ratios have
//! the names of committed ones, and it measures too few things to say how fast they are.

use std::fmt;

use crate::figure::Ratio;
use crate::results::Answer;
use crate::size::Size;

/// By how much a ratio may grow before it counts as a regression.
const TOLERANCE: f64 = 1.2;

/// A ratio that is another now.
#[derive(Debug, PartialEq)]
pub(crate) struct Moved {
    /// The question that it answers.
    question: String,
    name: String,
    before: f64,
    now: f64,
}

impl Moved {
    /// `true` if we are slower, or bigger, in comparison.
    pub(crate) fn is_worse(&self) -> bool {
        self.now > self.before
    }
}

/// The ratios of a run in this size that are more than the tolerance away from those before.
pub(crate) fn moved(size: &Size, before: &[Answer], now: &[Answer]) -> Vec<Moved> {
    if !size.is_full() {
        return Vec::new();
    }
    let all = before.iter().flat_map(|answer| &answer.ratios);
    let find = |name: &str| all.clone().find(|ratio| ratio.name == name).map(|ratio| ratio.value);
    let moved = |question: &str, ratio: &Ratio| {
        let before = find(&ratio.name)?;
        let moved =
            Moved { question: question.to_owned(), name: ratio.name.clone(), before, now: ratio.value };
        let is_far = moved.now > moved.before * TOLERANCE || moved.before > moved.now * TOLERANCE;
        is_far.then_some(moved)
    };
    let now = now.iter().flat_map(|answer| answer.ratios.iter().map(|ratio| (&answer.question, ratio)));
    now.filter_map(|(question, ratio)| moved(question, ratio)).collect()
}

impl fmt::Display for Moved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { question, name, before, now } = self;
        let word = if self.is_worse() { "WORSE" } else { "better" };
        write!(f, "{word}: {name}: {now:.3}, and {before:.3} in the committed run (ONLY={question})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::size::{FULL, SMALL};

    fn answer(question: &str, ratios: &[(&str, f64)]) -> Answer {
        let ratios = ratios.iter().map(|(name, value)| Ratio { name: (*name).to_owned(), value: *value });
        Answer {
            question: question.to_owned(),
            asks: String::new(),
            figures: Vec::new(),
            ratios: ratios.collect(),
            took: 1.0,
        }
    }

    #[test]
    fn a_ratio_that_moved_by_more_than_a_fifth_is_told_and_a_smaller_move_is_noise() {
        let before = [
            answer("one", &[("a", 1.0), ("b", 1.0), ("c", 1.0)]),
            answer("many", &[("gone", 1.0), ("z", 0.0)]),
        ];
        let now = [
            answer("one", &[("a", 1.19), ("b", 1.21)]),
            answer("many", &[("c", 0.8), ("new", 9.0), ("z", 0.0)]),
        ];
        let moved = moved(&FULL, &before, &now);
        let found: Vec<_> = moved.iter().map(|moved| (moved.name.as_str(), moved.is_worse())).collect();
        assert_eq!(found, [("b", true), ("c", false)]);
        assert_eq!(moved[0].to_string(), "WORSE: b: 1.210, and 1.000 in the committed run (ONLY=one)");
    }

    #[test]
    fn a_small_run_is_compared_with_nothing_though_ratios_have_the_same_names() {
        let (before, now) = ([answer("one", &[("a", 1.0)])], [answer("one", &[("a", 9.0)])]);
        assert!(moved(&SMALL, &before, &now).is_empty());
        assert_eq!(moved(&FULL, &before, &now).len(), 1);
    }
}
