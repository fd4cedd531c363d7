//! The Bitnami format, `bitnami.com/v1alpha1`, byte for byte as sealed-secrets 0.40 reads and writes it.
//!
//! ```text
//! scope:          annotations of the SealedSecret itself: cluster-wide "true" before namespace-wide "true", else strict
//!                                                                                                 (claim)
//! label:          strict "<namespace>/<name>", namespace-wide "<namespace>", cluster-wide ""     (label)
//! encryptedData:  item name → base64(sealed value)                                                (item)
//! data:           base64(sealed value) of a whole Secret as JSON; deprecated, no encryptedData beside it (whole)
//! template:       type, immutable, labels, annotations; data: Go templates over the items, or null to leave one out
//! ```
//!
//! Every item is sealed on its own, to one RSA key, and doesn't say to which. Item names are not bound, so items of
//! one object can be swapped. The format leaves no choice there. Everything that could be made safer without breaking
//! an object is safer: see the table in ARCHITECTURE.md.
//!
//! The schema of the manifest is in [`crate::resources::bitnami`]. Invariant: sealed-secrets and
//! [`Sealed::unseal`](crate::Sealed::unseal) open every result of the verbs [`seal_item`] and
//! [`BitnamiSealed::reseal`], and only under the same label.

mod claim;
mod item;
mod label;
mod object;
mod seal;
mod template;
#[cfg(test)]
mod tests;
mod trial;
mod whole;

pub use claim::{claimed_scope, scope_annotations, scope_of_annotation};
pub use label::Label;
pub use object::{BitnamiSealed, Opened, Resealed};
pub use seal::seal_item;
