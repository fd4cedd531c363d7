//! Decodes a SealedSecret of either format, the same for a cluster and a host.
//!
//! [`crate::policy`] decides whether the object may be opened. Invariant: everything here is public text, and
//! no key is used.

use std::collections::BTreeMap;
use std::sync::Arc;

use seal_crds::bitnami::BitnamiSealed;
use seal_crds::native::NativeSealed;
use seal_crds::resources::{SealedSecretSpec, SealedSecretStatus, bitnami};
use seal_crds::{Format, Place, Sealed};
use serde_json::Value;

use crate::failure::Failure;
use crate::policy::Policy;

/// A SealedSecret as its store holds it.
pub(crate) struct RawObject<'a> {
    pub(crate) format: Format,
    pub(crate) place: Place,
    /// The SealedSecret's own annotations; in the Bitnami format they claim the scope.
    pub(crate) annotations: &'a BTreeMap<String, String>,
    pub(crate) spec: &'a Value,
    /// The last status, which names the keys that opened the object; they are tried first.
    pub(crate) status: Option<&'a SealedSecretStatus>,
}

/// Decodes an object.
///
/// # Errors
///
/// A permanent failure that describes the fault.
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
