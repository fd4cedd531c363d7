//! What a controller at scale must show, and whether a run showed it.
//!
//! Invariant: a target that wasn't measured is said to be so; it is neither met nor missed.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::figure::{BARE_BITNAMI, BARE_NATIVE, Figure, PEER, RSA, SEAL_BITNAMI, SEAL_IDLE, SEAL_NATIVE};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Verdict {
    pub(crate) target: String,
    pub(crate) bound: Bound,
    pub(crate) unit: String,
    /// `None` if the run didn't measure it.
    pub(crate) measured: Option<f64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

impl Verdict {
    pub(crate) fn is_met(&self) -> Option<bool> {
        let measured = self.measured?;
        Some(match self.bound {
            Bound::AtLeast(bound) => measured >= bound,
            Bound::AtMost(bound) => measured <= bound,
        })
    }

    /// Measured, and met or not, in words.
    pub(crate) fn words(&self) -> (String, &'static str) {
        let word = match self.is_met() {
            Some(true) => "met",
            Some(false) => "MISSED",
            None => return ("-".to_owned(), "not measured"),
        };
        (format!("{:.2}{}", self.measured.unwrap_or_default(), self.unit), word)
    }

    /// The bound in words.
    pub(crate) fn bound(&self) -> String {
        match self.bound {
            Bound::AtLeast(bound) => format!("at least {bound}{}", self.unit),
            Bound::AtMost(bound) => format!("at most {bound}{}", self.unit),
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (measured, word) = self.words();
        write!(f, "{}: target {} / measured {measured} / {word}", self.target, self.bound())
    }
}

/// Judges all targets by the figures of a run.
pub(crate) fn judge<'f>(figures: impl Iterator<Item = &'f Figure>) -> Vec<Verdict> {
    let figures: Vec<&Figure> = figures.collect();
    let value = |id: &str, who: &str, x: u64| figures.iter().find(|it| it.id == id)?.value(who, x);
    let verdict = |target: &str, bound, unit: &str, measured: Option<f64>| Verdict {
        target: target.to_owned(),
        bound,
        unit: unit.to_owned(),
        measured: measured.map(crate::sample::round),
    };
    let cold = |who: &str| value("cold", who, 2000);
    let over = |one: Option<f64>, other: Option<f64>| Some(one? / other?);
    let without_rsa = cold(SEAL_BITNAMI).zip(cold(RSA)).map(|(all, rsa)| all - rsa);
    let idle = |who| value("apply", who, 1);
    let beside = |id: &str, x| over(value(id, SEAL_NATIVE, x), value(id, SEAL_IDLE, x));
    let sum = |ids: [&str; 2], x: u64| Some(value(ids[0], SEAL_NATIVE, x)? + value(ids[1], SEAL_NATIVE, x)?);
    let done = ["restart-written", "restart-opened"];
    use Bound::{AtLeast, AtMost};
    vec![
        verdict(
            "2,000 native objects, start to last Ready, as fast as the peer",
            AtLeast(7.0),
            " times",
            over(cold(PEER), cold(SEAL_NATIVE)),
        ),
        verdict(
            "2,000 Bitnami objects, as fast as the peer",
            AtLeast(4.5),
            " times",
            over(cold(PEER), cold(SEAL_BITNAMI)),
        ),
        verdict(
            "2,000 native objects, of the bare client's rate",
            AtLeast(0.8),
            " times",
            over(cold(BARE_NATIVE), cold(SEAL_NATIVE)),
        ),
        verdict(
            "2,000 Bitnami objects, of the bare client's rate, RSA taken off",
            AtLeast(0.8),
            " times",
            over(cold(BARE_BITNAMI), without_rsa),
        ),
        verdict("peak memory over 2,000 objects", AtMost(30.0), " MB", value("memory", SEAL_NATIVE, 2000)),
        verdict("peak memory over 10,000 objects", AtMost(80.0), " MB", value("memory", SEAL_NATIVE, 10_000)),
        verdict(
            "peak memory over 10,000 objects, of the peer's",
            AtMost(1.0),
            " times",
            over(value("memory", SEAL_NATIVE, 10_000), value("memory", PEER, 10_000)),
        ),
        verdict(
            "restart over 2,000 unchanged objects, CPU",
            AtMost(0.3),
            " s",
            value("restart-cpu", SEAL_NATIVE, 2000),
        ),
        verdict("restart over 2,000 unchanged objects, written or opened", AtMost(0.0), "", sum(done, 2000)),
        verdict(
            "restart over 10,000 unchanged objects, CPU",
            AtMost(1.3),
            " s",
            value("restart-cpu", SEAL_NATIVE, 10_000),
        ),
        verdict(
            "restart over 10,000 unchanged objects, written or opened",
            AtMost(0.0),
            "",
            sum(done, 10_000),
        ),
        verdict(
            "apply to visible Secret, native, of the peer's",
            AtMost(0.3),
            " times",
            over(idle(SEAL_NATIVE), idle(PEER)),
        ),
        verdict(
            "apply to visible Secret, Bitnami, of the peer's",
            AtMost(0.5),
            " times",
            over(idle(SEAL_BITNAMI), idle(PEER)),
        ),
        verdict(
            "a change while 10,000 unchanged objects are looked at again, of its idle time",
            AtMost(2.0),
            " times",
            beside("change-again", 10_000),
        ),
        verdict(
            "a change while 10,000 objects are created, of its idle time",
            AtMost(10.0),
            " times",
            beside("change-creating", 10_000),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figure::Unit;
    use crate::sample::Takes;

    fn cold(seal: f64, peer: f64) -> Figure {
        let mut cold = Figure::new("cold", "", Unit::Seconds, Takes::Best, "objects");
        cold.add(SEAL_NATIVE, 2000, seal);
        cold.add(PEER, 2000, peer);
        cold
    }

    #[test]
    fn a_target_is_met_missed_or_not_measured() {
        let found = |figures: &[Figure]| judge(figures.iter())[0].to_string();
        let prefix = "2,000 native objects, start to last Ready, as fast as the peer: target at least 7 times / measured";
        assert_eq!(found(&[cold(5.0, 50.0)]), format!("{prefix} 10.00 times / met"));
        assert_eq!(found(&[cold(10.0, 50.0)]), format!("{prefix} 5.00 times / MISSED"));
        assert_eq!(found(&[]), format!("{prefix} - / not measured"));
    }

    #[test]
    fn what_rsa_takes_is_taken_off() {
        let mut figure = cold(5.0, 50.0);
        for (who, seconds) in [(SEAL_BITNAMI, 10.0), (BARE_BITNAMI, 5.0), (RSA, 5.0)] {
            figure.add(who, 2000, seconds);
        }
        let verdicts = judge(std::iter::once(&figure));
        let found = verdicts.iter().find(|it| it.target.ends_with("RSA taken off")).unwrap();
        assert_eq!((found.measured, found.is_met()), (Some(1.0), Some(true)));
    }
}
