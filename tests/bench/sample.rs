//! Measured numbers of one thing, and the one number that stands for them.
//!
//! Invariant: there is at least one number, and all are finite. They are kept with four digits: no clock here is better,
//! and a file of results stays small.

use serde::{Deserialize, Serialize};

/// Repeated measurements. In a file they are one text, so that a point is one line however often it was measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub(crate) struct Samples(Vec<f64>);

/// Which number stands for the samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Takes {
    /// The least. Whatever else runs on the machine only ever adds to a time, so of few long runs the least is the
    /// one that was disturbed least.
    Best,
    /// The middle one, for many short runs.
    Median,
    /// The one that 99 of 100 stay below.
    Percentile99,
}

impl Samples {
    /// # Panics
    /// When there is none, or one isn't a number.
    pub(crate) fn new(samples: impl IntoIterator<Item = f64>) -> Self {
        let samples: Vec<f64> = samples.into_iter().map(round).collect();
        assert!(!samples.is_empty() && samples.iter().all(|sample| sample.is_finite()), "{samples:?}");
        Self(samples)
    }

    pub(crate) fn push(&mut self, sample: f64) {
        self.0.extend(Self::new([sample]).0);
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn value(&self, takes: Takes) -> f64 {
        match takes {
            Takes::Best => self.at(0),
            Takes::Median => f64::midpoint(self.at((self.0.len() - 1) / 2), self.at(self.0.len() / 2)),
            Takes::Percentile99 => self.at((self.0.len() * 99).div_ceil(100) - 1),
        }
    }

    /// The least and the most.
    pub(crate) fn range(&self) -> (f64, f64) {
        (self.at(0), self.at(self.0.len() - 1))
    }

    /// The sample with so many below it.
    fn at(&self, index: usize) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        sorted[index]
    }
}

impl From<Samples> for String {
    fn from(samples: Samples) -> Self {
        let texts: Vec<Self> = samples.0.iter().map(ToString::to_string).collect();
        texts.join(" ")
    }
}

impl TryFrom<String> for Samples {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let samples: Result<Vec<f64>, _> = text.split(' ').map(str::parse).collect();
        let samples = samples.map_err(|_| "samples are numbers with one space between them")?;
        if samples.iter().all(|sample| sample.is_finite()) { Ok(Self(samples)) } else { Err("not a number") }
    }
}

/// The number with four significant digits.
pub(crate) fn round(number: f64) -> f64 {
    // Through text, because powers of ten aren't exact in binary, and the text is what is kept.
    format!("{number:.3e}").parse().unwrap_or(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_number_stands_for_the_samples() {
        let samples = Samples::new([4.0, 1.0, 3.0, 2.0]);
        let values = [Takes::Best, Takes::Median, Takes::Percentile99].map(|takes| samples.value(takes));
        assert_eq!((values, samples.range()), ([1.0, 2.5, 4.0], (1.0, 4.0)));
        let hundred = Samples::new((1..=100).map(f64::from));
        assert_eq!((hundred.value(Takes::Percentile99), hundred.value(Takes::Median)), (99.0, 50.5));
        assert_eq!(Samples::new([7.0]).value(Takes::Percentile99), 7.0);
    }

    #[test]
    fn samples_are_kept_as_one_text() {
        let samples = Samples::new([0.25, 1_000_000.0]);
        let text = serde_json::to_string(&samples).unwrap();
        assert_eq!(text, r#""0.25 1000000""#);
        assert_eq!(serde_json::from_str::<Samples>(&text).unwrap(), samples);
        assert!(
            ["\"\"", "\"1 x\"", "\"NaN\""].iter().all(|bad| serde_json::from_str::<Samples>(bad).is_err())
        );
    }

    #[test]
    fn four_digits_are_kept() {
        assert_eq!([0.0, 12_345.6, 0.000_123_456].map(round), [0.0, 12_350.0, 0.000_123_5]);
    }

    #[test]
    #[should_panic(expected = "[]")]
    fn nothing_measured_is_no_sample() {
        drop(Samples::new([]));
    }
}
