//! What the image says about where it comes from: commit, date, and the labels made from both.
//!
//! Invariant: nothing here depends on when or where the build runs. The date is the commit's, or SOURCE_DATE_EPOCH
//! (reproducible-builds.org), or 1970 where there is no Git.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use jiff::Timestamp;

use crate::ImageError;
use crate::cargo::Package;

/// The commit that is built.
pub(crate) struct Source {
    pub(crate) date: Timestamp,
    /// The commit; ends in `-dirty` if the work tree has changes. None without Git.
    revision: Option<String>,
}

impl Source {
    pub(crate) fn of(root: &Path) -> Result<Self, ImageError> {
        let commit = git(root, &["log", "-1", "--format=%H %ct"]);
        let (revision, committed) = commit.as_deref().and_then(|commit| commit.split_once(' ')).unzip();
        let date = match std::env::var("SOURCE_DATE_EPOCH") {
            Ok(epoch) => seconds(&epoch).ok_or(ImageError::Epoch(epoch))?,
            Err(_) => committed.and_then(seconds).unwrap_or(Timestamp::UNIX_EPOCH),
        };
        let is_dirty = git(root, &["status", "--porcelain"]).is_some_and(|changes| !changes.is_empty());
        let revision = revision.map(|commit| format!("{commit}{}", if is_dirty { "-dirty" } else { "" }));
        Ok(Self { date, revision })
    }

    /// The labels of OCI's image-spec, annotations.md.
    pub(crate) fn labels(&self, package: &Package) -> BTreeMap<&'static str, String> {
        let mut labels = BTreeMap::from([
            ("org.opencontainers.image.title", package.name.clone()),
            ("org.opencontainers.image.version", package.version.clone()),
            ("org.opencontainers.image.created", self.date.to_string()),
        ]);
        labels.extend(package.description.clone().map(|it| ("org.opencontainers.image.description", it)));
        labels.extend(package.license.clone().map(|it| ("org.opencontainers.image.licenses", it)));
        labels.extend(self.revision.clone().map(|it| ("org.opencontainers.image.revision", it)));
        labels
    }
}

fn seconds(text: &str) -> Option<Timestamp> {
    Timestamp::from_second(text.parse().ok()?).ok()
}

/// What Git says; none if there is no Git, or no repository.
fn git(root: &Path, args: &[&str]) -> Option<String> {
    let output = Command::new("git").arg("-C").arg(root).args(args).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
