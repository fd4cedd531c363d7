//! The questions, in the order in which they are asked: each has a file.
//!
//! Those about a cluster share one control plane, and what one question leaves there the next one takes if it needs the
//! same. Invariant: each question can be asked alone.

mod apply;
mod check;
mod creating;
mod growth;
mod keys;
mod many;
mod one;
mod reconcile;
mod restart;
mod rotate;

use crate::cluster::Cluster;
use crate::figure::{Figure, Ratio};
use crate::programs::Programs;
use crate::size::Size;

/// A question.
pub(crate) struct Question {
    /// The name for `ONLY=`.
    pub(crate) name: &'static str,
    /// The question in words.
    pub(crate) asks: &'static str,
    pub(crate) answer: fn(&mut Bench) -> (Vec<Figure>, Vec<Ratio>),
}

pub(crate) const QUESTIONS: [Question; 10] = [
    Question { name: "one", asks: "How long does it take to seal one Secret?", answer: one::answer },
    Question { name: "many", asks: "How long does it take to seal a thousand?", answer: many::answer },
    Question {
        name: "rotate",
        asks: "How long does it take to give a thousand files other recipients?",
        answer: rotate::answer,
    },
    Question { name: "check", asks: "How long does it take to check a repository?", answer: check::answer },
    Question { name: "keys", asks: "What does it cost to open an object?", answer: keys::answer },
    Question {
        name: "growth",
        asks: "How does the cost grow with items, recipients and keys?",
        answer: growth::answer,
    },
    Question {
        name: "apply",
        asks: "How long does it take from a SealedSecret to its Secret?",
        answer: apply::answer,
    },
    Question {
        name: "reconcile",
        asks: "How long does a controller need for all objects, and how much memory?",
        answer: reconcile::answer,
    },
    Question {
        name: "creating",
        asks: "How long does one change take while thousands are created, or looked at again?",
        answer: creating::answer,
    },
    Question {
        name: "restart",
        asks: "What does a restart over unchanged objects cost?",
        answer: restart::answer,
    },
];

/// What questions are asked with.
pub(crate) struct Bench {
    pub(crate) size: &'static Size,
    pub(crate) programs: Programs,
    cluster: Option<Cluster>,
}

impl Bench {
    pub(crate) fn new(size: &'static Size, programs: Programs) -> Self {
        Self { size, programs, cluster: None }
    }

    /// The control plane, started for the first question that needs it.
    pub(crate) fn cluster(&mut self) -> &mut Cluster {
        self.cluster.get_or_insert_with(|| Cluster::start(self.programs.clone()))
    }
}
