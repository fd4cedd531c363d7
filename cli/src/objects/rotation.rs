//! Rotates one SealedSecret where it stands in a file: what it needs, and the bytes of the file that change.
//!
//! The commands find the files and print the report. Invariant: in the native format only `spec.envelopes` changes, and
//! `spec.encryptedData` if the values are sealed again; in the Bitnami format only sealed values. Whoever has seen a
//! value stays on record with it, as far as the format can say so.

mod counterpart;
mod offer;

use std::collections::{BTreeMap, BTreeSet};

use seal_crds::format::SealedTo;
use seal_crds::keys::{Fingerprint, Keyring, RsaPublicKey};
use seal_crds::native::{NamedRecipient, NativeSealed, OfferPins, RewrapError};
use seal_crds::resources::Envelope;
use seal_crds::secret::REFUSED_TYPES;
use seal_crds::{Format, bitnami};
use seal_documents::manifest::{Edits, Manifest, Object};
use seal_documents::yaml::tree::NodeId;
use seal_documents::yaml::written::Written;

use crate::objects::name::ObjectName;
use crate::objects::sealed::{self, Extent, OpenError, PublicParts};
use crate::objects::sealing::{self, SealingError};
use crate::talk::failure::{Explain, Failure, Rule};

pub(crate) use counterpart::{Counterpart, Listing, SealedAs, State, at_home, is_at_home, list};
pub(crate) use offer::{Decision, decide};

/// A native SealedSecret as it stands in a file.
pub(crate) struct FoundNative {
    /// The name in the file. On the way to a cluster, a tool such as kustomize may set or change both parts.
    pub(crate) object_name: ObjectName,
    pub(crate) sealed: NativeSealed,
}

/// The settings of a rotation with identities. They are the same for all objects of one run.
pub(crate) struct Settings<'h> {
    /// The private keys that open the objects.
    pub(crate) keys: &'h Keyring,
    /// Whether all values are sealed again.
    pub(crate) reseal: bool,
    /// The data keys that items of patches are sealed under, so that the objects that are patched have to keep them.
    pub(crate) patched: BTreeSet<String>,
}

#[derive(Debug, thiserror::Error)]
#[error("{0} is patched: items of a patch are sealed under its data keys, which --reseal would take away")]
struct PatchedElsewhere(String);

impl Explain for PatchedElsewhere {
    fn rule(&self) -> Rule {
        Rule::PatchedElsewhere
    }

    fn hint(&self) -> Option<String> {
        Some("put the items into the object itself, or rotate without --reseal".to_owned())
    }
}

/// The outcome of looking at one object.
pub(crate) enum Rotation {
    /// It changes.
    Rotated(Rotated),
    /// It doesn't need it.
    Current,
    /// It is a patch, which kustomize merges into a whole object.
    Patch,
}

/// The result of rotating one object.
pub(crate) struct Rotated {
    /// The changes to make in the file.
    pub(crate) edits: Edits,
    /// The byte offset of the object in the file.
    pub(crate) at: usize,
    /// One line about the object, for the report.
    pub(crate) summary: String,
}

/// Reads a native object; `None` for a patch, whether it has items or not.
pub(crate) fn read_native(manifest: &Manifest<'_>, object: &Object) -> Result<Option<FoundNative>, Failure> {
    let at = manifest.tree(object).range(object.node).start;
    if sealed::extent(manifest, object, Format::Native) != Extent::Whole {
        return Ok(None);
    }
    let spec = manifest.spec(object)?;
    let object_name = sealed::read_name(manifest, object, None, true)?;
    // A controller's policy says which types it may make. A file may have every type.
    let allowed: BTreeSet<String> = REFUSED_TYPES.map(str::to_owned).into();
    let place = object_name.to_place();
    let sealed = NativeSealed::parse(place.clone(), &spec, &allowed)
        .map_err(|source| Failure::from(OpenError::new(&place, source)).at(manifest.spot(at)))?;
    Ok(Some(FoundNative { object_name, sealed }))
}

impl FoundNative {
    /// What the object is sealed as, for finding it in a cluster.
    pub(crate) fn sealed_as(&self) -> SealedAs {
        SealedAs::Native { source: self.sealed.source(), data_keys: self.sealed.data_keys() }
    }

    /// The recipients that the object says it is sealed to.
    pub(crate) fn recipients(&self) -> BTreeMap<Fingerprint, SealedTo> {
        self.sealed.sealed_to().flatten().map(|to| (to.fingerprint, to.clone())).collect()
    }

    /// Whether the object says that it is sealed to exactly these recipients, in one envelope without a data key too
    /// many. A lie costs its author the opening: the controller compares what is said with what is sealed in.
    pub(crate) fn is_sealed_to(&self, recipients: &[NamedRecipient]) -> bool {
        let wanted: BTreeSet<Fingerprint> =
            recipients.iter().map(|named| named.recipient.fingerprint()).collect();
        let is_one = self.sealed.sealed_to().count() == 1;
        is_one && self.recipients().into_keys().eq(wanted) && !self.sealed.has_unused_keys()
    }

    /// As [`Self::is_sealed_to`], for an object that keeps data keys for a patch.
    fn is_patched_and_sealed_to(&self, recipients: &[NamedRecipient]) -> bool {
        let pins = OfferPins { required: recipients.to_vec(), optional: Vec::new() };
        self.sealed.sealed_to().count() == 1 && pins.compare(self.sealed.sealed_to()).is_none()
    }

    /// Rotates the object with the identities at hand.
    pub(crate) fn rotate(
        self,
        manifest: &Manifest<'_>,
        object: &Object,
        recipients: &[NamedRecipient],
        settings: &Settings<'_>,
    ) -> Result<Rotation, Failure> {
        let is_patched = self.sealed.data_keys().iter().any(|id| settings.patched.contains(id));
        let is_current = if is_patched {
            self.is_patched_and_sealed_to(recipients)
        } else {
            self.is_sealed_to(recipients)
        };
        if !settings.reseal && is_current {
            return Ok(Rotation::Current);
        }
        let place = self.object_name.to_place();
        let cannot_open = |source| Failure::from(OpenError::new(&place, source));
        let cannot = |error| match error {
            RewrapError::Unseal(source) => cannot_open(source),
            RewrapError::Seal(source) => SealingError::new(&self.object_name, source).into(),
        };
        let before = Before::of(&self.sealed);
        let located =
            |failure: Failure| failure.at(manifest.spot(manifest.tree(object).range(object.node).start));
        if is_patched && settings.reseal {
            return Err(located(PatchedElsewhere(self.object_name.to_string()).into()));
        }
        let sealed =
            self.sealed.where_sealed(settings.keys).map_err(|source| located(cannot_open(source)))?;
        let (envelope, items) = if settings.reseal {
            let again = sealed.reseal(settings.keys, recipients).map_err(|error| located(cannot(error)))?;
            (again.envelope, Some(again.encrypted_data))
        } else {
            // A patch may use any of the data keys, also those that no item here does.
            let envelope = if is_patched {
                sealed.rewrap(settings.keys, recipients)
            } else {
                sealed.rewrap_used(settings.keys, recipients)
            };
            (envelope.map_err(|error| located(cannot(error)))?, None)
        };
        Ok(Rotation::Rotated(replace(manifest, object, &self.object_name, &before, envelope, items)))
    }

    /// Puts an envelope in the place of the object's own.
    pub(crate) fn with_envelope(
        &self,
        manifest: &Manifest<'_>,
        object: &Object,
        envelope: Envelope,
    ) -> Rotated {
        replace(manifest, object, &self.object_name, &Before::of(&self.sealed), envelope, None)
    }
}

/// The facts about an object before the rotation that its summary compares with.
struct Before {
    recipients: Vec<SealedTo>,
    envelopes: usize,
    data_keys: usize,
}

impl Before {
    fn of(sealed: &NativeSealed) -> Self {
        let mut recipients: Vec<SealedTo> = Vec::new();
        for to in sealed.sealed_to().flatten() {
            if !recipients.iter().any(|known| known.fingerprint == to.fingerprint) {
                recipients.push(to.clone());
            }
        }
        Self { recipients, envelopes: sealed.sealed_to().count(), data_keys: sealed.data_keys().len() }
    }

    /// The difference in words.
    fn describe(&self, envelope: &Envelope, resealed: Option<usize>) -> String {
        let after: Vec<SealedTo> = envelope
            .recipients
            .iter()
            .filter_map(|hint| Some(SealedTo::new(hint.fingerprint.parse().ok()?, hint.name.as_deref())))
            .collect();
        let not_in = |some: &[SealedTo], others: &[SealedTo]| {
            let is_in = |to: &SealedTo| others.iter().any(|other| other.fingerprint == to.fingerprint);
            some.iter().filter(|to| !is_in(to)).map(ToString::to_string).collect::<Vec<_>>().join(", ")
        };
        let mut words = Vec::new();
        let (added, gone) = (not_in(&after, &self.recipients), not_in(&self.recipients, &after));
        if !added.is_empty() {
            words.push(format!("now to {added}"));
        }
        if !gone.is_empty() {
            words.push(format!("no longer to {gone}"));
        }
        if self.envelopes > 1 {
            words.push(format!("{} envelopes into 1", self.envelopes));
        }
        match (resealed, self.data_keys.saturating_sub(envelope.keys.len())) {
            (Some(items), _) => words.push(format!("{} sealed again", count_items(items))),
            (None, 0) => {}
            (None, 1) => words.push("1 unused data key dropped".to_owned()),
            (None, dropped) => words.push(format!("{dropped} unused data keys dropped")),
        }
        words.join("; ")
    }
}

fn replace(
    manifest: &Manifest<'_>,
    object: &Object,
    object_name: &ObjectName,
    before: &Before,
    envelope: Envelope,
    items: Option<BTreeMap<String, String>>,
) -> Rotated {
    let what = before.describe(&envelope, items.as_ref().map(BTreeMap::len));
    let envelopes = sealing::envelopes_value(&[envelope]);
    let replaced = [
        Some((&["spec", "envelopes"][..], envelopes)),
        items.map(|items| (&["spec", "encryptedData"][..], Written::strings(&items))),
    ];
    let replaced = replaced.into_iter().flatten();
    let replaced =
        replaced.filter_map(|(path, value)| Some((node(manifest, object, path)?, value))).collect();
    Rotated {
        edits: Edits { document: object.document, replaced, removed: Vec::new() },
        at: manifest.tree(object).range(object.node).start,
        summary: format!("{object_name}: {what}"),
    }
}

/// Seals the values of a bitnami.com object again to a certificate's key.
pub(crate) fn rotate_bitnami(
    manifest: &Manifest<'_>,
    object: &Object,
    public: &PublicParts,
    to: &RsaPublicKey,
    settings: &Settings<'_>,
) -> Result<Rotation, Failure> {
    let at = manifest.tree(object).range(object.node).start;
    let place = public.object_name.to_place();
    let located = |failure: Failure| failure.at(manifest.spot(at));
    let sealed = public.parse().map_err(|error| located(error.into()))?;
    let again = sealed.reseal(settings.keys, to, settings.reseal).map_err(|source| {
        let hint = Some(&source).filter(|source| source.may_pass_with_other_keys());
        let hint = hint.and_then(|_| sealed::other_scope(&sealed, settings.keys));
        located(OpenError::with_hint(&place, source, hint).into())
    })?;
    if again.is_empty() {
        return Ok(Rotation::Current);
    }
    let bitnami::Resealed { encrypted_data, data, from } = again;
    let others: Vec<String> =
        from.iter().filter(|by| **by != to.fingerprint()).map(Fingerprint::short).collect();
    let before =
        if others.is_empty() { String::new() } else { format!(", no longer to {}", others.join(", ")) };
    let what = if data.is_some() { "data".to_owned() } else { count_items(encrypted_data.len()) };
    let (path, value) = match data {
        Some(data) => (["spec", "data"], Written::text(data)),
        // The whole mapping, so that an item in a block scalar is found by its key. Lines that are the same stay.
        None => {
            let mut lines = public.spec.encrypted_data.clone();
            lines.extend(encrypted_data.into_iter().map(|(name, line)| (name.to_string(), line)));
            (["spec", "encryptedData"], Written::strings(&lines))
        }
    };
    let replaced = node(manifest, object, &path).map(|node| (node, value)).into_iter().collect();
    Ok(Rotation::Rotated(Rotated {
        edits: Edits { document: object.document, replaced, removed: Vec::new() },
        at,
        summary: format!(
            "{}: {what} sealed again to {}{before}",
            public.object_name,
            to.fingerprint().short()
        ),
    }))
}

fn count_items(items: usize) -> String {
    if items == 1 { "1 item".to_owned() } else { format!("{items} items") }
}

fn node(manifest: &Manifest<'_>, object: &Object, path: &[&str]) -> Option<NodeId> {
    let tree = manifest.tree(object);
    path.iter().try_fold(object.node, |node, key| tree.get(node, key))
}
