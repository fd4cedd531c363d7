//! The errors of [`seal_documents`], ready to be printed.

use seal_crds::Reason;
use seal_documents::manifest::{DecodeError, FieldError, FindError, ManifestError, SpliceError};
use seal_documents::source::Spotted;
use seal_documents::yaml::tree::ParseError;

use super::failure::{Explain, Failure, Rule};

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
    ManifestError: |error| match error {
        ManifestError::Unread(_) | ManifestError::Unrendered(_) => Rule::NotYaml,
        ManifestError::Object(error) => error.rule(),
    },
    ParseError: |_| Rule::NotYaml,
    SpliceError: |_| Rule::UnknownLayout,
);

impl<E: Explain> From<Spotted<E>> for Failure {
    fn from(Spotted { error, spot }: Spotted<E>) -> Self {
        Self::from(error).at(*spot)
    }
}
