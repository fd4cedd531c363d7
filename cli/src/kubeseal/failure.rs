//! The failures of kubeseal's command line.
//!
//! The facts use kubeseal's words wherever a script may look for them; the hints are ours. Invariant: no
//! message contains a value of a Secret.

use std::path::PathBuf;

use seal_crds::{Reason, Scope};

use crate::talk::failure::{Explain, Rule};

#[derive(Debug, thiserror::Error)]
pub(super) enum KubesealError {
    #[error("--from-file requires --raw")]
    FromFileWithoutRaw,
    #[error("must provide only one --from-file when encrypting a single item with --raw")]
    ManyFiles,
    #[error("must provide the --name flag with --raw and --scope {0}")]
    RawWithoutName(Scope),
    #[error("Could not read file specified with --secret-file: {}", .0.display())]
    SecretFile(PathBuf, #[source] std::io::Error),
    #[error("no secrets found. Ensure the input is valid and UTF-8 encoded")]
    NoSecrets,
    #[error(
        "secret.data is empty in input Secret, assuming this is an error and aborting. To work with empty data, \
         --allow-empty-data can be used"
    )]
    Empty,
    #[error("missing metadata.name in input Secret")]
    NoName,
    #[error("secret must declare a namespace")]
    NoNamespace,
    #[error("namespace mismatch: input secret is in namespace {found:?} but {wanted:?} was specified")]
    OtherNamespace { found: String, wanted: String },
    #[error("invalid configuration: no configuration has been provided")]
    NoConfiguration,
    #[error("the input is of kind {0:?}, not a Secret")]
    NotSecret(String),
    #[error("a document of the input isn't a Secret")]
    NotObject,
    #[error("a key under {under} {rule}")]
    NotItem { under: &'static str, rule: &'static str },
    #[error("illegal base64 data in item {0}")]
    NotBase64(String),
    #[error("failed to encrypt using an expired certificate on {0}")]
    Expired(String),
    #[error("unsupported output format: {0}")]
    Format(String),
    #[error("the object can't be written as YAML")]
    NotWritten(#[source] seal_go::yaml::NotWritten),
    #[error(
        "the input is of kind {kind:?} and apiVersion {version:?}, not a SealedSecret of bitnami.com/v1alpha1"
    )]
    NotSealed { kind: String, version: String },
    #[error("--merge-into takes one Secret, and the input has {0}")]
    ManySecrets(usize),
    #[error("the SealedSecret is {there}, and what is to be merged would be {new}")]
    OtherScope { there: Scope, new: Scope },
    #[error("no sealed secrets found in the input")]
    NoSealedSecrets,
    #[error("unable to decrypt sealed secret")]
    NotDecodable,
    #[error("unable to decrypt sealed secret: {0}")]
    NotValid(String),
    #[error("cannot validate sealed secret: {0}")]
    Validate(String),
    #[error("unable to rotate secret")]
    NotRotated,
    #[error("cannot re-encrypt secret: {0}")]
    ReEncrypt(String),
    #[error("the controller answered with something else than the SealedSecret that was sent")]
    OtherAnswer,
    #[error("no key could decrypt secret ({0})")]
    NoKey(String),
    #[error("using deprecated 'data' field, use 'encryptedData' or flip the feature flag")]
    DeprecatedData,
    #[error(transparent)]
    Malformed(seal_crds::UnsealError),
    #[error("{0} of the template")]
    Template(String, #[source] seal_go::template::GoTemplateError),
    #[error("Invalid timeout value {0:?}: seconds, or a number with a unit (1s, 2m, 3h)")]
    Timeout(String),
}

impl Explain for KubesealError {
    fn rule(&self) -> Rule {
        match self {
            Self::FromFileWithoutRaw
            | Self::ManyFiles
            | Self::RawWithoutName(_)
            | Self::NoName
            | Self::NoNamespace
            | Self::OtherNamespace { .. }
            | Self::NoConfiguration
            | Self::Format(_)
            | Self::ManySecrets(_)
            | Self::OtherScope { .. }
            | Self::Timeout(_) => Rule::Usage,
            Self::SecretFile(..) => Rule::Unreadable,
            Self::NotWritten(_) => Rule::Unwritable,
            Self::NoSecrets | Self::Empty | Self::NoSealedSecrets => Rule::NothingToDo,
            Self::NotSecret(_)
            | Self::NotObject
            | Self::NotBase64(_)
            | Self::NotSealed { .. }
            | Self::DeprecatedData => Rule::Refused(Reason::Malformed),
            Self::NotItem { .. } => Rule::Refused(Reason::InvalidName),
            Self::Expired(_) => Rule::BadCertificate,
            Self::NotDecodable
            | Self::NotValid(_)
            | Self::Validate(_)
            | Self::NotRotated
            | Self::ReEncrypt(_)
            | Self::OtherAnswer => Rule::ControllerRefused,
            Self::NoKey(_) => Rule::Refused(Reason::CannotOpen),
            Self::Malformed(error) => Rule::Refused(error.reason()),
            Self::Template(..) => Rule::Refused(Reason::InvalidTemplate),
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NoNamespace | Self::NoConfiguration => {
                "give --namespace, or a kubeconfig whose context has one".to_owned()
            }
            Self::NotSecret(_) => "give Secrets only; seal itself passes everything else through".to_owned(),
            Self::Expired(_) => "the controller has a newer one: kubeseal --fetch-cert".to_owned(),
            Self::OtherScope { there, .. } => format!("give --scope {there}, or seal it as a new SealedSecret"),
            Self::ManySecrets(_) => "merge them one after another".to_owned(),
            Self::NoKey(_) => {
                "is it the namespace and name it was sealed for? A backup of all of the cluster's keys has the old \
                 ones too"
                    .to_owned()
            }
            Self::NotWritten(_) => "give -o json".to_owned(),
            Self::DeprecatedData => "seal unseal opens it".to_owned(),
            Self::OtherAnswer => "nothing was written; is it the controller's Service?".to_owned(),
            _ => return None,
        })
    }
}
