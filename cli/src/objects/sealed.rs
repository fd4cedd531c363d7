//! A SealedSecret of either format in a manifest: its namespace and name, and the parts of it that are
//! public.
//!
//! The callers open it. Invariant: a manifest means what kubectl would send; an unknown version is refused,
//! and never guessed at.

mod name;
mod parsed;

use std::collections::BTreeMap;

use seal_crds::bitnami::{BitnamiSealed, claimed_scope};
use seal_crds::resources::{self, bitnami};
use seal_crds::secret::REFUSED_TYPES;
use seal_crds::{Format, Namespace, Place, Reason, UnsealError};
use seal_documents::manifest::{Manifest, Object};
use seal_go::template::Branching;

use crate::objects::name::ObjectName;
use crate::talk::exit::Exit;
use crate::talk::failure::{Explain, Failure, Rule};

pub(crate) use name::read as read_name;
pub(crate) use parsed::{Opened, Parsed, items_wherever, open_wherever, other_scope};

#[derive(Debug, thiserror::Error)]
enum FormatError {
    #[error("this is a SealedSecret of {0}, which this version doesn't know")]
    Unknown(String),
}

impl Explain for FormatError {
    fn rule(&self) -> Rule {
        Rule::Refused(Reason::UnknownVersion)
    }

    fn hint(&self) -> Option<String> {
        let (native, bitnami) = (resources::API_VERSION, bitnami::API_VERSION);
        Some(format!("known are {native} and {bitnami}; is there a newer seal?"))
    }
}

/// The error about an object that can't be opened, or whose public parts are wrong.
#[derive(Debug, thiserror::Error)]
#[error("{place} can't be opened")]
pub(crate) struct OpenError {
    place: Place,
    source: Box<UnsealError>,
    hint: Option<String>,
}

impl OpenError {
    pub(crate) fn new(place: &Place, source: UnsealError) -> Self {
        Self::with_hint(place, source, None)
    }

    /// An error with the caller's hint, which replaces the error's own.
    pub(crate) fn with_hint(place: &Place, source: UnsealError, hint: Option<String>) -> Self {
        Self { place: place.clone(), source: Box::new(source), hint }
    }
}

impl Explain for OpenError {
    fn rule(&self) -> Rule {
        Rule::Refused(self.source.reason())
    }

    fn exit(&self) -> Exit {
        Exit::Failure
    }

    fn hint(&self) -> Option<String> {
        if self.hint.is_some() {
            return self.hint.clone();
        }
        Some(match &*self.source {
            UnsealError::NoMatchingKey { .. } => {
                "give the identity of one of these recipients with -i".to_owned()
            }
            UnsealError::WrongPlace { .. } | UnsealError::WrongScope { .. } => {
                "a SealedSecret opens only as what it was sealed for; undo the change".to_owned()
            }
            UnsealError::NoRsaKey { .. } => {
                format!("give the key with -i; {}", crate::keys::identities::BACKUP)
            }
            UnsealError::CannotOpen { .. } => {
                "a backup of all of the cluster's keys has the old ones too; -i may be given several times"
                    .to_owned()
            }
            _ => return None,
        })
    }
}

/// The format of a SealedSecret.
pub(crate) fn format(manifest: &Manifest<'_>, object: &Object) -> Result<Format, Failure> {
    let tree = manifest.tree(object);
    let version = tree.get(object.node, "apiVersion");
    match version.and_then(|id| tree.scalar(id)).unwrap_or_default() {
        // Another version may mean something else by the same fields.
        resources::API_VERSION => Ok(Format::Native),
        bitnami::API_VERSION => Ok(Format::Bitnami),
        other => {
            let at = tree.range(version.unwrap_or(object.node)).start;
            Err(Failure::from(FormatError::Unknown(other.to_owned())).at(manifest.spot(at)))
        }
    }
}

/// How much of a SealedSecret an object of a manifest is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// It has everything that is sealed.
    Whole,
    /// A patch without anything sealed, which kustomize merges into a whole object.
    Patch,
    /// A patch with items and without envelopes: the items are sealed under data keys of the object that it patches.
    PatchWithItems,
}

/// How much of a SealedSecret an object is. Nothing is checked.
pub(crate) fn extent(manifest: &Manifest<'_>, object: &Object, format: Format) -> Extent {
    let tree = manifest.tree(object);
    let spec = tree.get(object.node, "spec");
    let has = |field: &str| spec.and_then(|spec| tree.get(spec, field)).is_some();
    match format {
        Format::Native if has("envelopes") => Extent::Whole,
        Format::Native if has("encryptedData") => Extent::PatchWithItems,
        Format::Bitnami if has("encryptedData") || has("data") => Extent::Whole,
        Format::Native | Format::Bitnami => Extent::Patch,
    }
}

/// The parts of a bitnami.com SealedSecret that are readable without a key.
pub(crate) struct PublicParts {
    pub(crate) object_name: ObjectName,
    /// The annotations of the SealedSecret itself.
    pub(crate) annotations: BTreeMap<String, String>,
    pub(crate) spec: bitnami::SealedSecretSpec,
}

/// Reads the public parts of a bitnami.com SealedSecret. `flag` is the namespace of an object that names
/// none.
pub(crate) fn public_parts(
    manifest: &Manifest<'_>,
    object: &Object,
    flag: Option<&Namespace>,
) -> Result<PublicParts, Failure> {
    let spec = manifest.bitnami_spec(object)?;
    let annotations = manifest.annotations(object)?;
    let may_be_open = !claimed_scope(&annotations).binds_namespace();
    let object_name = read_name(manifest, object, flag, may_be_open)?;
    Ok(PublicParts { object_name, annotations, spec })
}

impl PublicParts {
    /// Parses the object, with every check that needs no key.
    pub(crate) fn parse(&self) -> Result<BitnamiSealed, OpenError> {
        let place = self.object_name.to_place();
        // A controller's policy decides on types and on branches in templates. A user who has the keys may
        // see everything.
        let allowed = REFUSED_TYPES.map(str::to_owned).into();
        BitnamiSealed::parse(place.clone(), &self.annotations, &self.spec, &allowed, Branching::Allowed)
            .map_err(|source| OpenError::new(&place, source))
    }
}
