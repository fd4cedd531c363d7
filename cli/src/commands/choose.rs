//! The choice of format and recipients, from the flags together.
//!
//! Recipients and certificates are read in [`crate::keys`]. Invariant: flags that make no sense in the chosen
//! format are refused before anything is read.

use seal_crds::keys::{Certificate, RsaPublicKey};
use seal_crds::native::NamedRecipient;

use crate::args::intent::{self, IntentError, RecipientChoice};
use crate::args::{ClusterArgs, SealFormat, SealingArgs};
use crate::keys::certificate;
use crate::keys::cluster::{Access, Service};
use crate::keys::recipients::{self, looks_like_recipient, shortened};
use crate::objects::sealing::bitnami::BitnamiSealer;
use crate::objects::sealing::{NativeSealer, Sealer};
use crate::talk::exit::Exit;
use crate::talk::failure::{Explain, Failure, Rule};
use crate::talk::terminal;

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
pub(super) fn check(args: &SealingArgs) -> Result<(), Failure> {
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

/// The sealer of the chosen format, with recipients, or with a certificate that hasn't expired.
pub(super) fn sealer(args: SealingArgs) -> Result<Sealer, Failure> {
    check(&args)?;
    let scope = args.scope;
    match args.seal_format {
        SealFormat::Native => {
            let recipients = recipients(args.recipients, args.cluster)?;
            let template_items = args.template_items.into_iter().collect();
            Ok(Sealer::Native(NativeSealer { recipients, scope, template_items }))
        }
        SealFormat::Bitnami => {
            let location = args.cert.as_ref().or(args.recipients.first());
            let key = rsa_key(location, &args.cluster, args.controller_name)?;
            Ok(Sealer::Bitnami(BitnamiSealer { key, scope }))
        }
    }
}

/// The recipients of `-r`, else those of the cluster.
pub(super) fn recipients(given: Vec<String>, cluster: ClusterArgs) -> Result<Vec<NamedRecipient>, Failure> {
    recipients::resolve(&RecipientChoice::new(given, cluster, intent::is_watched())?)
}

/// The key of the certificate of `--cert`, else of the one that the cluster's controller gives. It hasn't expired.
pub(super) fn rsa_key(
    cert: Option<&String>,
    cluster: &ClusterArgs,
    controller_name: Option<String>,
) -> Result<RsaPublicKey, Failure> {
    let certificate = match cert {
        Some(location) => certificate::for_sealing(&certificate::load(location)?, location)?,
        None => from_cluster(cluster, controller_name)?,
    };
    Ok(certificate.public_key().clone())
}

/// The certificate that a cluster's controller gives out.
///
/// # Errors
///
/// [`IntentError::UnnamedController`], if no flag names the cluster and no person is there to see which one
/// it is; and every error of asking it.
fn from_cluster(args: &ClusterArgs, name: Option<String>) -> Result<Certificate, Failure> {
    if args.context.is_none() && !intent::is_watched() {
        return Err(IntentError::UnnamedController.into());
    }
    let default = Service::default();
    let service = Service {
        namespace: args.controller_namespace.as_ref().map_or(default.namespace, ToString::to_string),
        name: name.unwrap_or(default.name),
    };
    let access = Access::from(args);
    let context = match &args.context {
        Some(context) => context.clone(),
        None => access.read()?.current_context.unwrap_or_default(),
    };
    let from = format!("context {context}, Service {}/{}", service.namespace, service.name);
    let certificate = certificate::for_sealing(&certificate::fetch(access, &service)?, &from)?;
    terminal::note(&format!("sealing to {from}: {}", certificate.public_key().fingerprint().short()));
    Ok(certificate)
}
