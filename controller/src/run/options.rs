//! The options of `seal-controller run`: its flags, parsed and checked against each other.
//!
//! [`crate::args`] makes them from the command line. Invariant: no option holds a private key or plaintext.

use std::net::SocketAddr;

use seal_crds::Namespace;

use crate::compat_http;
use crate::keys::bitnami::Making;
use crate::keys::settings::Settings;
use crate::policy::Policy;

/// The options of `run`.
pub(crate) struct Options {
    /// The controller's own namespace, which holds its sealing keys.
    pub(crate) namespace: Namespace,
    /// The namespace that holds the keys of sealed-secrets.
    pub(crate) bitnami_keys: Namespace,
    /// The keys of sealed-secrets' kind to make; `None` makes none.
    pub(crate) bitnami_making: Option<Making>,
    /// The only namespace to watch; `None` watches all of them.
    pub(crate) watch: Option<Namespace>,
    /// The objects that may be opened at all.
    pub(crate) policy: Policy,
    /// Secrets of Bitnami SealedSecrets get no owner, so they outlive their SealedSecrets.
    pub(crate) orphan_bitnami_secrets: bool,
    /// The flags about keys.
    pub(crate) keys: Settings,
    /// How many objects are in hand at once.
    pub(crate) workers: u16,
    /// The address that serves health and metrics.
    pub(crate) listen: SocketAddr,
    /// The endpoints of sealed-secrets; `None` serves none.
    pub(crate) compat: Option<compat_http::Options>,
}
