//! The answer to one question in numbers: who took how much, over what.
//!
//! Not its looks (`report.rs`, `chart.rs`). Invariant: a figure has one unit, and less is better in each.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::sample::{Samples, Takes};

/// The name of our programs in figures.
pub(crate) const SEAL: &str = "seal";
pub(crate) const SEAL_NATIVE: &str = "seal, native";
pub(crate) const SEAL_BITNAMI: &str = "seal, Bitnami";
/// Ours with nothing else to do.
pub(crate) const SEAL_IDLE: &str = "seal, native, idle";
/// The peer without its limit of requests.
pub(crate) const PEER: &str = "sealed-secrets";
pub(crate) const KUBESEAL: &str = "kubeseal";
pub(crate) const AGE: &str = "age";
pub(crate) const BARE_NATIVE: &str = "bare client, native";
pub(crate) const BARE_BITNAMI: &str = "bare client, Bitnami";
pub(crate) const OPENSSL: &str = "OpenSSL";
/// What RSA alone takes of the time of `SEAL_BITNAMI`, on all cores.
pub(crate) const RSA: &str = "RSA alone";

/// What the numbers of a figure count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Unit {
    Seconds,
    Milliseconds,
    Microseconds,
    /// Millions of bytes.
    Megabytes,
    /// Requests, objects: whole things.
    Count,
}

impl Unit {
    pub(crate) fn symbol(self) -> &'static str {
        match self {
            Self::Seconds => "s",
            Self::Milliseconds => "ms",
            Self::Microseconds => "µs",
            Self::Megabytes => "MB",
            Self::Count => "",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Figure {
    /// The name of its chart, and of its ratios.
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) unit: Unit,
    pub(crate) takes: Takes,
    /// What `x` of the points counts, such as `objects`.
    pub(crate) over: String,
    pub(crate) points: Vec<Point>,
    /// Sentences about how it was measured.
    pub(crate) notes: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Point {
    pub(crate) who: String,
    pub(crate) x: u64,
    pub(crate) samples: Samples,
}

/// One number of a figure divided by another. A later run compares these, never times.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Ratio {
    pub(crate) name: String,
    pub(crate) value: f64,
}

impl Figure {
    pub(crate) fn new(id: &str, title: &str, unit: Unit, takes: Takes, over: &str) -> Self {
        let [id, title, over] = [id, title, over].map(str::to_owned);
        Self { id, title, unit, takes, over, points: Vec::new(), notes: Vec::new() }
    }

    pub(crate) fn note(mut self, sentence: impl Into<String>) -> Self {
        self.notes.push(sentence.into());
        self
    }

    /// Adds a sample to the point, which is made on first use.
    pub(crate) fn add(&mut self, who: &str, x: usize, sample: f64) {
        let x = u64::try_from(x).expect("a count fits");
        match self.points.iter_mut().find(|point| point.who == who && point.x == x) {
            Some(point) => point.samples.push(sample),
            None => self.points.push(Point { who: who.to_owned(), x, samples: Samples::new([sample]) }),
        }
    }

    pub(crate) fn value(&self, who: &str, x: u64) -> Option<f64> {
        let point = self.points.iter().find(|point| point.who == who && point.x == x)?;
        Some(point.samples.value(self.takes))
    }

    /// Everybody in the figure: ours first, and then in the order of their first points.
    pub(crate) fn who(&self) -> Vec<&str> {
        let mut seen = BTreeSet::new();
        let all = self.points.iter().map(|point| point.who.as_str()).filter(|who| seen.insert(*who));
        let is_ours = |who: &str| who.split([' ', ',']).next() == Some(SEAL);
        let (ours, others): (Vec<_>, Vec<_>) = all.partition(|who| is_ours(who));
        [ours, others].concat()
    }

    /// Every `x` of the figure, in order.
    pub(crate) fn xs(&self) -> Vec<u64> {
        let xs: BTreeSet<u64> = self.points.iter().map(|point| point.x).collect();
        xs.into_iter().collect()
    }

    /// The ratio of one to another wherever both were measured.
    pub(crate) fn versus(&self, who: &str, other: &str) -> Vec<Ratio> {
        let ratio = |x: u64| {
            let value = crate::sample::round(self.value(who, x)? / self.value(other, x)?);
            let name = format!("{}: {who} / {other}, {x} {}", self.id, self.over);
            value.is_finite().then_some(Ratio { name, value })
        };
        self.xs().into_iter().filter_map(ratio).collect()
    }

    /// What one more thing costs at the end of the line, beside what one costs at its beginning: 1 is a cost that grows
    /// as the things do.
    pub(crate) fn growth(&self, who: &str) -> Option<Ratio> {
        let mut points: Vec<(u64, f64)> =
            self.xs().into_iter().filter_map(|x| Some((x, self.value(who, x)?))).collect();
        let (last, first) = (points.pop()?, *points.first()?);
        #[expect(clippy::cast_precision_loss, reason = "counts are small")]
        let each = |(x, value): (u64, f64)| value / x as f64;
        let value = crate::sample::round(each(last) / each(first));
        let name = format!("{}: {who}, each of {} / each of {} {}", self.id, last.0, first.0, self.over);
        value.is_finite().then_some(Ratio { name, value })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn figure() -> Figure {
        let mut figure = Figure::new("cold", "From start", Unit::Seconds, Takes::Best, "objects");
        for (who, x, seconds) in
            [(PEER, 500, 14.0), (SEAL_NATIVE, 500, 2.0), (SEAL_NATIVE, 2000, 8.0), (SEAL_NATIVE, 500, 1.0)]
        {
            figure.add(who, x, seconds);
        }
        figure.note("Measured on Sunday.")
    }

    #[test]
    fn samples_of_one_point_are_kept_together() {
        let figure = figure();
        assert_eq!(figure.points.len(), 3);
        assert_eq!((figure.value(SEAL_NATIVE, 500), figure.value(PEER, 2000)), (Some(1.0), None));
        assert_eq!((figure.who(), figure.xs()), (vec![SEAL_NATIVE, PEER], vec![500, 2000]));
    }

    #[test]
    fn a_ratio_is_made_where_both_were_measured() {
        let ratios = figure().versus(SEAL_NATIVE, PEER);
        let name = "cold: seal, native / sealed-secrets, 500 objects".to_owned();
        assert_eq!(ratios, [Ratio { name, value: 0.071_43 }]);
        assert_eq!(figure().growth(SEAL_NATIVE).map(|ratio| ratio.value), Some(2.0));
        assert_eq!(figure().growth(PEER), None);
    }
}
