//! Which ratios of a run are far from those of the committed run.
//!
//! Invariant: only ratios of the same name are compared, so a run of other counts, or of few questions, finds nothing
//! wrong that it didn't measure.

use std::fmt;

use crate::figure::Ratio;

/// By how much a ratio may grow before it counts as a regression.
const TOLERANCE: f64 = 1.2;

/// A ratio that is another now.
#[derive(Debug, PartialEq)]
pub(crate) struct Moved {
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

/// The ratios that are more than the tolerance away from those before.
pub(crate) fn moved(before: &[Ratio], now: &[Ratio]) -> Vec<Moved> {
    let find = |name: &str| before.iter().find(|ratio| ratio.name == name).map(|ratio| ratio.value);
    let moved = |ratio: &Ratio| {
        let moved = Moved { name: ratio.name.clone(), before: find(&ratio.name)?, now: ratio.value };
        let is_far = moved.now > moved.before * TOLERANCE || moved.before > moved.now * TOLERANCE;
        is_far.then_some(moved)
    };
    now.iter().filter_map(moved).collect()
}

impl fmt::Display for Moved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, before, now } = self;
        let word = if self.is_worse() { "WORSE" } else { "better" };
        write!(f, "{word}: {name}: {now:.3}, and {before:.3} in the committed run")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ratio(name: &str, value: f64) -> Ratio {
        Ratio { name: name.to_owned(), value }
    }

    #[test]
    fn a_ratio_that_moved_by_more_than_a_fifth_is_told_and_a_smaller_move_is_noise() {
        let before = [ratio("a", 1.0), ratio("b", 1.0), ratio("c", 1.0), ratio("gone", 1.0), ratio("z", 0.0)];
        let now = [ratio("a", 1.19), ratio("b", 1.21), ratio("c", 0.8), ratio("new", 9.0), ratio("z", 0.0)];
        let moved = moved(&before, &now);
        let found: Vec<_> = moved.iter().map(|moved| (moved.name.as_str(), moved.is_worse())).collect();
        assert_eq!(found, [("b", true), ("c", false)]);
        assert_eq!(moved[0].to_string(), "WORSE: b: 1.210, and 1.000 in the committed run");
    }
}
