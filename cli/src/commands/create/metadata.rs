//! The labels and annotations of `seal create`.
//!
//! Invariant: what a Secret wouldn't get is refused, because the user asked for it by name.

use std::collections::BTreeMap;

use seal_crds::secret::{Mark, SecretError, check_annotations, check_label};

use crate::args::CreateArgs;
use crate::talk::exit::Exit;
use crate::talk::failure::{Explain, Failure, Rule};

#[derive(Debug, thiserror::Error)]
enum MetadataError {
    #[error("{0} wants KEY=VALUE")]
    NoPair(&'static str),
    #[error(transparent)]
    Secret(#[from] SecretError),
    #[error("{0} {1} doesn't go on a Secret: {2}")]
    Marked(&'static str, String, Mark),
}

impl Explain for MetadataError {
    fn rule(&self) -> Rule {
        Rule::Usage
    }

    fn exit(&self) -> Exit {
        Exit::Usage
    }
}

type Strings = BTreeMap<String, String>;

/// Labels and annotations. One that a Secret wouldn't get is refused here, because the user asked for it by
/// name.
pub(super) fn read(args: &CreateArgs) -> Result<(Strings, Strings), Failure> {
    let (labels, annotations) = (pairs(&args.labels, "--label")?, pairs(&args.annotations, "--annotation")?);
    for (key, value) in &labels {
        check_label(key, value).map_err(MetadataError::from)?;
    }
    check_annotations(&annotations).map_err(MetadataError::from)?;
    for (what, strings) in [("label", &labels), ("annotation", &annotations)] {
        let marked = strings.keys().find_map(|key| Some((key, Mark::of(key)?)));
        if let Some((key, mark)) = marked {
            return Err(MetadataError::Marked(what, key.clone(), mark).into());
        }
    }
    Ok((labels, annotations))
}

fn pairs(given: &[String], flag: &'static str) -> Result<Strings, MetadataError> {
    let pair = |text: &String| text.split_once('=').map(|(k, v)| (k.to_owned(), v.to_owned()));
    given.iter().map(|text| pair(text).ok_or(MetadataError::NoPair(flag))).collect()
}
