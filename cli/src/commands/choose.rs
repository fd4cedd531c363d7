//! The choice of format and recipients, from flags and rules together.
//!
//! Recipients and certificates are read in [`crate::keys`], rules in [`crate::rules`]. Invariants: flags that make no sense
//! in the chosen format are refused before anything is read; a command seals into a file only to what this room chose for
//! that file.

mod chooser;
mod ruled;
mod upstream;

use std::path::Path;

use seal_crds::ItemName;

use crate::args::{SealFormat, SealingArgs};
use crate::keys::recipients::{looks_like_recipient, shortened};
use crate::talk::exit::Exit;
use crate::talk::failure::{Explain, Failure, Rule};

pub(super) use chooser::Chooser;
pub(super) use ruled::Ruled;

#[derive(Debug, thiserror::Error)]
enum ChoiceError {
    #[error("--cert is for --seal-format bitnami")]
    CertificateForNative,
    #[error("--controller-name is for --seal-format bitnami")]
    ServiceForNative,
    #[error("a SealedSecret of bitnami.com is sealed to one certificate, and {0} are given")]
    Several(usize),
    #[error("a SealedSecret of bitnami.com is sealed to a certificate, and {0} is none")]
    NotCertificate(String),
    #[error("--template-item is for the native format")]
    TemplateItem,
}

impl Explain for ChoiceError {
    fn rule(&self) -> Rule {
        Rule::Usage
    }

    fn exit(&self) -> Exit {
        Exit::Usage
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::CertificateForNative => {
                "add --seal-format bitnami, or give recipients with -r (seal keys fetch -o prod.pub)"
                    .to_owned()
            }
            Self::ServiceForNative => "the native format reads SealingKeys, which need no Service".to_owned(),
            Self::Several(_) => "give one, with --cert".to_owned(),
            Self::NotCertificate(_) => "give one with --cert (kubeseal --fetch-cert > cert.pem)".to_owned(),
            Self::TemplateItem => "in that of bitnami.com templates may use every item".to_owned(),
        })
    }
}

/// Checks that the flags make sense together.
fn check(args: &SealingArgs) -> Result<(), Failure> {
    let certificates = args.cert.iter().chain(&args.recipients);
    match args.seal_format {
        SealFormat::Native if args.cert.is_some() => Err(ChoiceError::CertificateForNative),
        SealFormat::Native if args.controller_name.is_some() => Err(ChoiceError::ServiceForNative),
        SealFormat::Native => Ok(()),
        SealFormat::Bitnami if !args.template_items.is_empty() => Err(ChoiceError::TemplateItem),
        SealFormat::Bitnami => match args.recipients.iter().find(|given| looks_like_recipient(given)) {
            // Only a public key is repeated: a private key may stand here by mistake.
            Some(given) if given.starts_with("age1") || given.starts_with("ssh-") => {
                Err(ChoiceError::NotCertificate(shortened(given)))
            }
            Some(_) => Err(ChoiceError::NotCertificate("what -r gives".to_owned())),
            None => match certificates.count() {
                0 | 1 => Ok(()),
                several => Err(ChoiceError::Several(several)),
            },
        },
    }
    .map_err(Failure::from)
}

/// The flags about the sealer that aren't about recipients of the native format.
pub(super) struct SealerFlags {
    format: SealFormat,
    template_items: Vec<ItemName>,
    bitnami: BitnamiFlags,
}

/// The flags about the format of bitnami.com.
pub(super) struct BitnamiFlags {
    pub(super) certificate: Option<CertificateFlag>,
    pub(super) controller_name: Option<String>,
}

/// A certificate as it was typed: a file or a URL.
pub(super) struct CertificateFlag {
    pub(super) location: String,
    /// The flag that it was given with.
    pub(super) flag: &'static str,
}

impl CertificateFlag {
    /// The certificate of `--cert`, else of `-r`.
    pub(super) fn of(cert: Option<&String>, recipient: Option<&String>) -> Option<Self> {
        let of = |location: &String, flag| Self { location: location.clone(), flag };
        cert.map(|location| of(location, "--cert")).or_else(|| recipient.map(|location| of(location, "-r")))
    }
}

/// The rule for one file, for a command that seals nothing.
pub(super) fn rule_of(file: &Path) -> Result<Ruled, Failure> {
    ruled::Books::default().ruled(Some(file))
}

/// The chooser of a command that seals, and its flags about the sealer.
///
/// # Errors
///
/// The flags make no sense together.
pub(super) fn chooser(args: &SealingArgs) -> Result<(Chooser, SealerFlags), Failure> {
    check(args)?;
    let certificate = CertificateFlag::of(args.cert.as_ref(), args.recipients.first());
    let flags = SealerFlags {
        format: args.seal_format,
        template_items: args.template_items.clone(),
        bitnami: BitnamiFlags { certificate, controller_name: args.controller_name.clone() },
    };
    Ok((Chooser::new(args.recipients.clone(), args.cluster.clone(), args.accept.clone()), flags))
}
