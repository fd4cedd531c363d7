//! From a manifest to a sealed object, in either format, the same for a cluster and a host.
//!
//! Not the reading of manifests, and not whether the object is welcome ([`crate::policy`] says that of what comes
//! out). Invariant: everything here is public text; no key is at hand.

use std::collections::BTreeMap;
use std::sync::Arc;

use seal_crds::bitnami::BitnamiSealed;
use seal_crds::native::NativeSealed;
use seal_crds::resources::{SealedSecretSpec, SealedSecretStatus, bitnami};
use seal_crds::{Format, Place, Sealed};
use serde_json::Value;

use crate::failure::Failure;
use crate::policy::Policy;

/// What is decoded, as it was found.
pub(crate) struct RawObject<'a> {
    pub(crate) format: Format,
    pub(crate) place: Place,
    /// The SealedSecret's own: in the peer's format they claim the scope.
    pub(crate) annotations: &'a BTreeMap<String, String>,
    pub(crate) spec: &'a Value,
    /// The last status, which names the keys that opened the object.
    pub(crate) status: Option<&'a SealedSecretStatus>,
}

/// Parses a manifest.
///
/// # Errors
///
/// A permanent failure that says what is wrong with it.
pub(crate) fn decode(object: RawObject<'_>, policy: &Policy) -> Result<Arc<dyn Sealed>, Failure> {
    let RawObject { format, place, annotations, spec, status } = object;
    match format {
        Format::Native => {
            let spec = SealedSecretSpec::from_json(spec)?;
            Ok(Arc::new(NativeSealed::parse(place, &spec, &policy.types)?))
        }
        Format::Bitnami => {
            let spec = bitnami::SealedSecretSpec::from_json(spec)?;
            let opened_by = status.map_or(&[][..], |status| &status.opened_by);
            let first = opened_by.iter().filter_map(|key| key.parse().ok()).collect();
            let sealed = BitnamiSealed::parse(place, annotations, &spec, &policy.types, policy.branching)?;
            Ok(Arc::new(sealed.trying_first(first)))
        }
    }
}
