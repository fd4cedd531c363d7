//! What becomes of an object's envelopes when nobody needs some of them.
//!
//! Invariant: an object is read leniently here, since an unused envelope makes every reader refuse it; whatever else is
//! wrong with it stays as it is.

use seal_crds::native;
use seal_documents::manifest::{Manifest, Object};

use super::{Change, native_change};
use crate::objects::sealed;
use crate::talk::failure::Failure;

/// An object without the envelopes that nobody needs.
pub(crate) struct Tidied {
    /// The object's namespace and name.
    pub(crate) object_name: String,
    /// The envelopes that went.
    pub(crate) dropped: usize,
    pub(crate) change: Change,
}

/// Drops the envelopes of a native object that no item uses, and second copies; `None` if there is none.
pub(crate) fn tidy(manifest: &Manifest<'_>, object: &Object) -> Result<Option<Tidied>, Failure> {
    let tree = manifest.tree(object);
    let is_patch = tree.get(object.node, "spec").is_none_or(|spec| tree.get(spec, "envelopes").is_none());
    if is_patch {
        return Ok(None);
    }
    let old = manifest.spec(object)?;
    let object_name = sealed::read_name(manifest, object, None, true)?.to_string();
    let mut new = old.clone();
    let dropped = native::tidy_envelopes(&mut new);
    if dropped == 0 {
        return Ok(None);
    }
    let change = native_change(manifest, object, &old, &new);
    Ok(Some(Tidied { object_name, dropped, change }))
}
