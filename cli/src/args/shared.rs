//! Arguments that several commands share.

use std::path::PathBuf;

use clap::builder::{FalseyValueParser, PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum, ValueHint};
use seal_crds::keys::Fingerprint;
use seal_crds::{ItemName, Namespace, Scope};

/// The flags that say to whom, and how, to seal.
#[derive(Args)]
pub(crate) struct SealingArgs {
    /// Seal to this recipient: age1…, 'ssh-ed25519 …', or a file of recipients
    /// (one a line). Repeatable; without it, to those of the rule in .seal.yaml
    /// for the file, else to the cluster's sealing key
    #[arg(short, long = "recipient", value_name = "RECIPIENT|FILE")]
    pub(crate) recipients: Vec<String>,

    /// With --seal-format bitnami: the certificate to seal to, in PEM; without
    /// it, the one that the cluster's controller gives
    #[arg(long, value_name = "FILE|URL", value_hint = ValueHint::AnyPath)]
    pub(crate) cert: Option<String>,

    /// The namespace of Secrets that don't name one. It is part of what is
    /// sealed, so it is never guessed
    #[arg(short, long)]
    pub(crate) namespace: Option<Namespace>,

    /// What the result is tied to: its namespace and name, its namespace, or
    /// nothing at all [default: that of the rule in .seal.yaml, else strict]
    #[arg(long, value_parser = scope_parser())]
    pub(crate) scope: Option<Scope>,

    /// Let template.data use this item. Whoever may edit the SealedSecret then
    /// decides where in the Secret its value appears. Repeatable
    #[arg(long = "template-item", value_name = "ITEM")]
    pub(crate) template_items: Vec<ItemName>,

    /// The format to write
    #[arg(long, value_enum, default_value_t = SealFormat::Native)]
    pub(crate) seal_format: SealFormat,

    #[command(flatten)]
    pub(crate) accept: AcceptArgs,

    #[command(flatten)]
    pub(crate) cluster: ClusterArgs,

    /// With --seal-format bitnami: the Service of the controller [default:
    /// sealed-secrets-controller]
    #[arg(long, value_name = "NAME")]
    pub(crate) controller_name: Option<String>,
}

/// The flag that accepts keys of the rules.
#[derive(Args, Clone, Default)]
pub(crate) struct AcceptArgs {
    /// Seal to this key of .seal.yaml's, although it isn't upstream yet: its
    /// whole fingerprint, compared with what its owner says. Repeatable
    #[arg(long, value_name = "FINGERPRINT")]
    pub(crate) accept: Vec<Fingerprint>,
}

/// The flags by which a value is known to be sealed already, and stays as it is.
#[derive(Args)]
pub(crate) struct KeepArgs {
    /// Open what the destination has already with the identities in this file,
    /// and leave each unchanged value as it is. With -w, that is the version of
    /// the file in Git. - is standard input. Repeatable
    #[arg(short, long = "identity", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) identities: Vec<PathBuf>,

    /// Remember fingerprints of the values on this machine, so that an
    /// unchanged value stays as it is without an identity, too
    #[arg(long, env = "SEAL_REMEMBER", value_parser = FalseyValueParser::new())]
    pub(crate) remember: bool,
}

/// The formats of sealed objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SealFormat {
    /// sealing.dev/v1alpha1
    Native,
    /// bitnami.com/v1alpha1, as kubeseal writes it
    Bitnami,
}

/// The flags that name a cluster.
#[derive(Args, Clone)]
#[command(next_help_heading = "Cluster")]
pub(crate) struct ClusterArgs {
    /// The context of the kubeconfig whose cluster has the sealing key
    #[arg(long)]
    pub(crate) context: Option<String>,

    /// The kubeconfig, if not $KUBECONFIG or ~/.kube/config
    #[arg(long, value_name = "FILE")]
    pub(crate) kubeconfig: Option<PathBuf>,

    /// The namespace of the controller [default: seal-system; for bitnami.com
    /// kube-system]
    #[arg(long, value_name = "NAMESPACE", env = "SEAL_CONTROLLER_NAMESPACE")]
    pub(crate) controller_namespace: Option<Namespace>,
}

impl ClusterArgs {
    /// The namespace of sealed-secrets' keys, `kube-system` by default.
    pub(crate) fn bitnami_namespace(&self) -> &str {
        self.controller_namespace.as_ref().map_or("kube-system", Namespace::as_str)
    }

    /// The namespace of our own controller, `seal-system` by default.
    pub(crate) fn own_namespace(&self) -> &str {
        self.controller_namespace.as_ref().map_or("seal-system", Namespace::as_str)
    }
}

fn scope_parser() -> impl TypedValueParser<Value = Scope> {
    PossibleValuesParser::new(Scope::ALL.map(Scope::as_str))
        .map(|text| text.parse().expect("the possible values are the scopes"))
}
