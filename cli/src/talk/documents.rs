//! The errors of [`seal_documents`], ready to be printed.

use seal_crds::Reason;
use seal_documents::manifest::{DecodeError, FieldError, FindError, ManifestError, SpliceError};
use seal_documents::source::Spotted;
use seal_documents::yaml::tree::ParseError;

use super::failure::{Explain, Failure, Rule};
use super::pasted;

/// Each knows what to try, and ends the program as any other failure does.
macro_rules! explain {
    ($($error:ty: $rule:expr),* $(,)?) => {$(
        impl Explain for $error {
            fn rule(&self) -> Rule {
                let rule: fn(&Self) -> Rule = $rule;
                rule(self)
            }

            fn hint(&self) -> Option<String> {
                self.hint()
            }
        }
    )*};
}

explain!(
    DecodeError: |_| Rule::Refused(Reason::Malformed),
    FieldError: |_| Rule::Refused(Reason::Malformed),
    FindError: |_| Rule::Refused(Reason::Malformed),
    ParseError: |_| Rule::NotYaml,
    SpliceError: |_| Rule::UnknownLayout,
);

impl Explain for ManifestError {
    fn rule(&self) -> Rule {
        match self {
            Self::Unread(_) | Self::Unrendered(_) => Rule::NotYaml,
            Self::Object(error) => error.rule(),
            Self::Conflicted { .. } => Rule::Unresolved,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Conflicted { file } => {
                // A name such as <stdin> is no path.
                let file = if file.starts_with('<') { "FILE".into() } else { pasted::path(file) };
                Some(format!("finish the merge: seal resolve {file}"))
            }
            _ => self.hint(),
        }
    }
}

impl<E: Explain> From<Spotted<E>> for Failure {
    fn from(Spotted { error, spot }: Spotted<E>) -> Self {
        Self::from(error).at(*spot)
    }
}
