//! How many of each thing a run measures.
//!
//! Invariant: the small size asks every question, of so few things that it says nothing of speed. It is for
//! `make test`, which wants to know that the benchmark works.

/// The counts of a run.
#[derive(Debug)]
pub(crate) struct Size {
    pub(crate) name: &'static str,
    /// Objects that both controllers bring into sync.
    pub(crate) objects: &'static [usize],
    /// Objects that only ours does.
    pub(crate) many: usize,
    /// Of so many, the peer brings these into sync before its memory is looked at.
    pub(crate) of_many: usize,
    /// Objects for the peer with a limit of 100 requests a second, and with the one that it ships with.
    pub(crate) limited: (usize, usize),
    /// How often a controller is started over the same objects.
    pub(crate) rounds: usize,
    /// Objects that the bare client writes at once, each tried.
    pub(crate) in_flight: &'static [usize],
    /// Objects that are sent one by one.
    pub(crate) probes: usize,
    /// Single runs of a program.
    pub(crate) runs: usize,
    /// Files that are sealed and rotated, and those of them that kubeseal asks its controller about.
    pub(crate) files: (usize, usize),
    /// Files of the repository that is checked.
    pub(crate) repository: usize,
    /// Counts of items, recipients and keys.
    pub(crate) items: &'static [usize],
    pub(crate) recipients: &'static [usize],
    pub(crate) keys: &'static [usize],
    /// How long an operation is repeated for one sample, in milliseconds.
    pub(crate) repeat: u64,
}

impl Size {
    /// Whether the numbers of such a run say how fast something is.
    pub(crate) fn is_full(&self) -> bool {
        self.name == FULL.name
    }
}

pub(crate) const FULL: Size = Size {
    name: "full",
    objects: &[500, 2000],
    many: 10_000,
    of_many: 500,
    limited: (500, 50),
    rounds: 2,
    in_flight: &[8, 32],
    probes: 200,
    runs: 40,
    files: (1000, 200),
    repository: 5000,
    items: &[1, 10, 100],
    recipients: &[1, 4, 16],
    keys: &[1, 2, 4, 8],
    repeat: 100,
};

pub(crate) const SMALL: Size = Size {
    name: "small",
    objects: &[3, 5],
    many: 9,
    of_many: 2,
    limited: (2, 2),
    rounds: 1,
    in_flight: &[2],
    probes: 3,
    runs: 2,
    files: (4, 2),
    repository: 100,
    items: &[1, 3],
    recipients: &[1, 2],
    keys: &[1, 2],
    repeat: 1,
};
