//! How large a Secret can become where it is stored, with all that is beside its values.
//!
//! Not how large its values may be together, which Kubernetes says ([`super::MAX_SECRET_SIZE`]). etcd takes a request of
//! 1.5 MiB, and counts in it every key and value of `data`, labels and annotations, and each key once more where
//! managedFields names who owns it.
//!
//! The threat: whoever may edit the object, but not read the Secret, adds labels until etcd refuses it, and so learns
//! how long a value is, or what a template makes of it. So it is bounded here, from what is public: the longest that
//! values can be, and the rest as it stands. Invariant: no check looks at a value.

use crate::format::{Shape, UnsealError};

/// Most bytes of a stored Secret as we make it. What lies between this and etcd's limit is for others' fields.
pub const MAX_STORED_SIZE: usize = 1280 * 1024;

/// Names, owners, the type, our own annotation, and who wrote when.
const FIXED: usize = 8 * 1024;
/// What stands around one key or value: tags and lengths, and the braces of managedFields.
const AROUND: usize = 32;

/// Checks how large a Secret of this shape can be, whose values have at most `values` bytes together.
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
