//! The flags about keys.
//!
//! Invariant: they come from the command line, and never from the API, so nobody who writes to the API
//! changes whom the cluster seals to.

use seal_crds::keys::Recipient;

/// The flags about keys.
#[derive(Clone, Debug, Default)]
pub(crate) struct Settings {
    /// Offline recipients, which are published beside the primary.
    pub(crate) recovery: Vec<Recipient>,
}
