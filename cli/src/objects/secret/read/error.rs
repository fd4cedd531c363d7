//! Reasons why a Secret of a manifest can't be sealed.
//!
//! Invariant: no message repeats a value, nor a key that may be a part of a value.

use seal_crds::secret::SecretError;
use seal_crds::{ItemName, NameError, Reason};
use seal_documents::manifest::{FieldError, Look};

use crate::objects::secret::check::CheckError;
use crate::talk::failure::{Explain, Rule};

#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadSecretError {
    #[error(transparent)]
    Field(#[from] FieldError),
    #[error(transparent)]
    Name(#[from] NameError),
    #[error(transparent)]
    Metadata(#[from] SecretError),
    #[error(transparent)]
    Check(#[from] CheckError),
    #[error("a Secret has no field {field}")]
    UnknownField { field: String, meant: Option<&'static str> },
    /// The message doesn't repeat the key, which may be a line of a value or a whole value.
    #[error("a key under {under} {rule}")]
    NotItem { under: &'static str, rule: &'static str },
    #[error("item {item} under data isn't base64")]
    NotBase64 { item: ItemName, cut_off: bool, look: Option<Look> },
    #[error("this Secret is a patch ({directive}), and a patch with values can't be sealed")]
    PatchWithValues { directive: String },
    #[error("this Secret was encrypted by SOPS")]
    Sops,
    #[error("a Secret with generateName can't be sealed: its name is part of what is sealed")]
    GeneratedName,
}

impl Explain for ReadSecretError {
    fn rule(&self) -> Rule {
        match self {
            Self::Check(error) => error.rule(),
            Self::Name(_) | Self::NotItem { .. } => Rule::Refused(Reason::InvalidName),
            Self::Field(_) | Self::UnknownField { .. } | Self::NotBase64 { .. } => {
                Rule::Refused(Reason::Malformed)
            }
            Self::Metadata(_) | Self::PatchWithValues { .. } | Self::Sops | Self::GeneratedName => {
                Rule::InvalidSecret
            }
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Field(error) => error.hint(),
            Self::Check(error) => error.hint(),
            Self::UnknownField { meant, .. } => meant.map(|meant| format!("did you mean {meant}?")),
            Self::NotBase64 { look: Some(look), .. } => Some(format!("it {look}")),
            Self::NotBase64 { cut_off: true, .. } => {
                Some("is it cut off? Or put plain text under stringData".to_owned())
            }
            Self::NotBase64 { .. } => {
                Some("put plain text under stringData, which needs no base64".to_owned())
            }
            Self::PatchWithValues { .. } => Some(
                "seal the Secret that it is merged into, with these values; a patch that only removes passes through"
                    .to_owned(),
            ),
            Self::Sops => Some("decrypt it first: sops -d FILE | seal …".to_owned()),
            Self::GeneratedName => Some("write metadata.name instead, or give --name".to_owned()),
            Self::Name(_) | Self::Metadata(_) | Self::NotItem { .. } => None,
        }
    }
}
