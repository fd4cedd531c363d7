//! All that a run found, as the file that later runs are compared with.
//!
//! Invariant: `BENCHMARKS.md` and the charts follow from this file alone.

use std::path::Path;
use std::{fs, io};

use serde::{Deserialize, Serialize};

use crate::figure::{Figure, Ratio};
use crate::machine::Machine;
use crate::targets::Verdict;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Results {
    pub(crate) machine: Machine,
    pub(crate) answers: Vec<Answer>,
    pub(crate) verdicts: Vec<Verdict>,
}

/// The answer to a question.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Answer {
    /// The name for `ONLY=`.
    pub(crate) question: String,
    /// The question in words.
    pub(crate) asks: String,
    pub(crate) figures: Vec<Figure>,
    pub(crate) ratios: Vec<Ratio>,
    /// How long it took to answer, in seconds.
    pub(crate) took: f64,
}

impl Results {
    /// # Errors
    /// When the file is missing, or isn't a file of results.
    pub(crate) fn read(path: &Path) -> io::Result<Self> {
        Ok(serde_json::from_slice(&fs::read(path)?)?)
    }

    /// The text of the file.
    pub(crate) fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("plain data always serializes") + "\n"
    }

    pub(crate) fn figures(&self) -> impl Iterator<Item = &Figure> {
        self.answers.iter().flat_map(|answer| &answer.figures)
    }
}
