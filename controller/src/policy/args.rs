//! The flags that are policy: the same in the cluster and on a host.
//!
//! Not what they mean ([`Policy`]). Invariant: what is opened beyond the defaults is opened because somebody
//! who starts the program typed so.

use clap::Args;
use seal_crds::Scope;
use seal_go::template::Branching;

use super::Policy;

/// What is opened at all.
#[derive(Args)]
pub(crate) struct PolicyArgs {
    /// Scopes that are opened. A cluster-wide object can be opened by any tenant who copies it.
    #[arg(
        long,
        env = "SEAL_CONTROLLER_ALLOWED_SCOPES",
        value_delimiter = ',',
        default_value = "strict,namespace-wide",
        value_name = "SCOPE,…"
    )]
    pub(crate) allowed_scopes: Vec<Scope>,
    /// Scopes of Bitnami's format that are opened.
    #[arg(
        long,
        env = "SEAL_CONTROLLER_BITNAMI_ALLOWED_SCOPES",
        value_delimiter = ',',
        default_value = "strict,namespace-wide,cluster-wide",
        value_name = "SCOPE,…"
    )]
    pub(crate) bitnami_allowed_scopes: Vec<Scope>,
    /// Let templates of Bitnami's format branch on values (if, range, with). Whoever may edit a template and
    /// see whether it renders then learns about a value bit by bit.
    #[arg(long, env = "SEAL_CONTROLLER_ALLOW_TEMPLATE_BRANCHING")]
    pub(crate) allow_template_branching: bool,
    /// Allow a Secret type that is refused otherwise, because the control plane acts on it.
    #[arg(long = "allow-type", value_name = "TYPE")]
    pub(crate) allowed_types: Vec<String>,
}

impl PolicyArgs {
    /// The policy these flags ask for.
    pub(crate) fn to_policy(&self) -> Policy {
        Policy {
            scopes: self.allowed_scopes.iter().copied().collect(),
            bitnami_scopes: self.bitnami_allowed_scopes.iter().copied().collect(),
            branching: if self.allow_template_branching { Branching::Allowed } else { Branching::Refused },
            types: self.allowed_types.iter().cloned().collect(),
            ..Policy::default()
        }
    }
}
