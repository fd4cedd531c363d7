//! Reasons why a cluster can't be asked, with hints.
//!
//! Invariant: an error is made of fixed words, names of the kubeconfig and codes, since the text of a server
//! or a parser may quote a credential.

use std::time::Duration;

use seal_kubeconfig::{ReadError, RouteError};

use crate::talk::exit::Exit;
use crate::talk::failure::{Explain, Rule};

/// The time that a login program may take: the user may have to type a code into a browser.
pub(super) const LOGIN_DEADLINE: Duration = Duration::from_secs(60);

#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectError {
    #[error(transparent)]
    Route(#[from] RouteError),
    #[error("the login program of context {context} takes longer than {}s", LOGIN_DEADLINE.as_secs())]
    Login { context: String },
    #[error("{server} can't be reached{via}: {reason}")]
    Unreachable { server: String, via: String, reason: String },
    #[error("{server} doesn't answer")]
    Timeout { server: String },
    #[error("{server} doesn't know who is asking (401)")]
    Unauthenticated { server: String, context: String },
    #[error("{server} doesn't let you list sealing keys in namespace {namespace} (403)")]
    Forbidden { server: String, namespace: String },
    #[error("{server} doesn't let you {doing} (403)")]
    NotAllowed { server: String, doing: String },
    #[error("{what} is gone: somebody deleted it meanwhile, or made it anew")]
    Gone { what: String },
    #[error("the API server refuses this change of {what} as invalid (422)")]
    Refused { what: String },
    #[error("somebody else changes {what} again and again")]
    Contended { what: String },
    #[error("{server} has no SealingKeys: the controller isn't installed there")]
    NotInstalled { server: String },
    #[error("{server} is busy (status {code})")]
    Busy { server: String, code: u16 },
    #[error("{server} answered with {what}")]
    Unexpected { server: String, what: String },
}

impl From<ReadError> for ConnectError {
    fn from(error: ReadError) -> Self {
        Self::Route(error.into())
    }
}

impl Explain for ConnectError {
    fn rule(&self) -> Rule {
        Rule::NoCluster
    }

    fn exit(&self) -> Exit {
        match self {
            Self::Route(RouteError::NoContext(_)) => Exit::Usage,
            _ => Exit::Failure,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Route(RouteError::Read(ReadError::Malformed { .. } | ReadError::OtherKind(_))) => {
                return None;
            }
            Self::Route(RouteError::Read(_)) => "give a kubeconfig with --kubeconfig".to_owned(),
            Self::Route(error) => return error.hint(),
            Self::Unauthenticated { context, .. } => {
                format!("does kubectl work there? Log in again to {context}")
            }
            Self::Login { context } => {
                format!("log in with kubectl --context {context} get --raw /version, and try again")
            }
            Self::Unreachable { .. } | Self::Timeout { .. } => {
                "is this the right --context, and is a VPN needed?".to_owned()
            }
            Self::Forbidden { .. } => {
                "the controller's manifests let every authenticated user read them; ask for that role"
                    .to_owned()
            }
            Self::NotAllowed { .. } => {
                "it is for those who administer the cluster; ask one of them".to_owned()
            }
            Self::NotInstalled { .. } => "is this the right --context?".to_owned(),
            Self::Refused { .. } => {
                "are the definitions of the cluster as new as this program? Apply those of its version"
                    .to_owned()
            }
            Self::Gone { .. } => "run it again".to_owned(),
            Self::Busy { .. } | Self::Contended { .. } => "try again in a moment".to_owned(),
            Self::Unexpected { .. } => return None,
        })
    }
}

impl ConnectError {
    /// Whether the reason is that there is no kubeconfig at all.
    pub(super) fn is_absent(&self) -> bool {
        matches!(self, Self::Route(RouteError::Read(ReadError::None | ReadError::Missing(_))))
    }

    /// Whether the cluster is out of reach, so that the user may have to do without it. A slip in the
    /// arguments isn't that.
    pub(super) fn is_out_of_reach(&self) -> bool {
        match self {
            Self::Route(RouteError::Read(error)) => {
                !matches!(error, ReadError::Malformed { .. } | ReadError::OtherKind(_))
            }
            Self::Unreachable { .. } | Self::Timeout { .. } | Self::Forbidden { .. } => true,
            _ => false,
        }
    }
}
