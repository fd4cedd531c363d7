//! What a clone lacks of its history.
//!
//! Invariant: a clone counts as whole only if git says so; a setting that makes it partial is believed.

use super::process::output;
use super::{GitError, Repository};

/// Why a clone doesn't have all of its history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gap {
    Shallow,
    Partial,
}

impl Gap {
    /// What the clone is, and how it becomes whole.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Shallow => "the clone is shallow: git fetch --unshallow gets the rest of the history",
            Self::Partial => "the clone is partial: git fetch --refetch --no-filter gets the missing files",
        }
    }
}

impl Repository {
    /// Why the clone doesn't have all of its history; `None` if it has, as far as it knows itself.
    pub(crate) fn gap(&self) -> Result<Option<Gap>, GitError> {
        if let Some(gap) = self.gap.get() {
            return Ok(*gap);
        }
        let gap = self.find_gap()?;
        Ok(*self.gap.get_or_init(|| gap))
    }

    fn find_gap(&self) -> Result<Option<Gap>, GitError> {
        if self.answer("rev-parse", &["--is-shallow-repository"])?.starts_with(b"true") {
            return Ok(Some(Gap::Shallow));
        }
        let settings = r"^(extensions\.partialclone|remote\..*\.(promisor|partialclonefilter))$";
        // The exit code says whether there is such a setting.
        let output = output(self.git.command().args(["config", "--get-regexp", settings]))?;
        Ok(output.is_done.then_some(Gap::Partial))
    }
}
