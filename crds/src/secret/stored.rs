//! A bound on the size of a Secret in etcd, with everything that is stored beside its values.
//!
//! Kubernetes itself limits only the values ([`super::MAX_SECRET_SIZE`]). etcd takes a request of 1.5 MiB. The
//! request holds every key and value of `data`, labels and annotations, and each key once more in managedFields,
//! which name its owner.
//!
//! The threat: an attacker may edit the object, but not read the Secret. The attacker adds labels until etcd refuses
//! the Secret, and so learns the length of a value, or of the text that a template makes of it. So the size is
//! bounded here, from public facts: the largest possible length of the values, and everything else as it is.
//! Invariant: no check looks at a value.

use crate::format::{Shape, UnsealError};

/// The most bytes of a stored Secret as we make it: 1.25 MiB. The rest up to etcd's limit is for the fields of others.
pub const MAX_STORED_SIZE: usize = 1280 * 1024;

/// The bytes for names, owners, the type, our own annotation, and the times and writers in managedFields.
const FIXED: usize = 8 * 1024;
/// The bytes around one key or value: tags and lengths, and the braces of managedFields.
const AROUND: usize = 32;

/// Checks the largest possible size of a Secret of this shape, whose values have at most `values` bytes together.
///
/// # Errors
///
/// [`UnsealError::SecretTooLarge`].
pub(crate) fn check_stored_size(shape: &Shape, values: usize) -> Result<(), UnsealError> {
    let keys = shape.keys.iter().map(|key| 2 * key.as_str().len() + AROUND);
    let metadata = shape.labels.iter().chain(&shape.annotations);
    let metadata = metadata.map(|(key, value)| 2 * key.len() + value.len() + AROUND);
    let size = keys.chain(metadata).fold(values.saturating_add(FIXED), usize::saturating_add);
    if size > MAX_STORED_SIZE { Err(UnsealError::SecretTooLarge { limit: MAX_STORED_SIZE }) } else { Ok(()) }
}
