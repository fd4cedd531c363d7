//! A SealedSecret of either format, parsed and ready to be opened.
//!
//! Invariant: whoever holds the keys may see every value, so no policy of a controller refuses a type here.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use seal_crds::bitnami::BitnamiSealed;
use seal_crds::keys::Keyring;
use seal_crds::native::{Item, NativeSealed};
use seal_crds::secret::REFUSED_TYPES;
use seal_crds::{Format, ItemName, Namespace, Place, Sealed, UnsealError, Unsealed};
use seal_documents::manifest::{Manifest, Object};

use super::{OpenError, format, public_parts, read_name};
use crate::objects::name::ObjectName;
use crate::talk::failure::Failure;

/// A SealedSecret that has passed every check that needs no key.
pub(crate) struct Parsed {
    pub(crate) object_name: ObjectName,
    /// The keys of the template's `data`.
    pub(crate) templates: BTreeSet<String>,
    sealed: Arc<dyn Sealed>,
    /// The same object, if its format is Bitnami's.
    bitnami: Option<BitnamiSealed>,
}

/// The values of a SealedSecret, and the object as it is once it is open: the deprecated Bitnami form shows its shape
/// only then.
pub(crate) struct Opened {
    pub(crate) sealed: Arc<dyn Sealed>,
    pub(crate) unsealed: Unsealed,
}

impl Parsed {
    /// Parses a SealedSecret of a manifest. `namespace` is that of an object that names none.
    pub(crate) fn new(
        manifest: &Manifest<'_>,
        object: &Object,
        namespace: Option<&Namespace>,
    ) -> Result<Self, Failure> {
        let spot = || manifest.spot(manifest.tree(object).range(object.node).start);
        match format(manifest, object)? {
            Format::Native => {
                let spec = manifest.spec(object)?;
                let is_open = !spec.scope.binds_namespace();
                let object_name = read_name(manifest, object, namespace, is_open)?;
                let allowed = REFUSED_TYPES.map(str::to_owned).into();
                let place = object_name.to_place();
                let sealed = NativeSealed::parse(place.clone(), &spec, &allowed)
                    .map_err(|source| Failure::from(OpenError::new(&place, source)).at(spot()))?;
                let templates = spec.template.data.into_keys().collect();
                Ok(Self { object_name, templates, sealed: Arc::new(sealed), bitnami: None })
            }
            Format::Bitnami => {
                let found = public_parts(manifest, object, namespace)?;
                let sealed = found.parse().map_err(|error| Failure::from(error).at(spot()))?;
                Ok(Self {
                    object_name: found.object_name,
                    templates: found.spec.template.data.into_keys().collect(),
                    bitnami: Some(sealed.clone()),
                    sealed: Arc::new(sealed),
                })
            }
        }
    }

    /// The namespace and name to open it at.
    pub(crate) fn place(&self) -> Place {
        self.object_name.to_place()
    }

    /// `true` if the template makes keys of the Secret. In the deprecated Bitnami form, which seals everything as one,
    /// it makes nothing.
    pub(crate) fn has_template(&self) -> bool {
        self.sealed.is_revealed()
    }

    /// Opens the object.
    pub(crate) fn open(&self, keys: &Keyring) -> Result<Opened, OpenError> {
        let failed = |source: UnsealError| {
            let bitnami = self.bitnami.as_ref().filter(|_| source.may_pass_with_other_keys());
            let hint = bitnami.and_then(|bitnami| other_scope(bitnami, keys));
            OpenError::with_hint(&self.place(), source, hint)
        };
        let sealed = self.sealed.reveal(keys).map_err(failed)?.unwrap_or_else(|| self.sealed.clone());
        let unsealed = sealed.unseal(keys).map_err(failed)?;
        Ok(Opened { sealed, unsealed })
    }
}

/// Opens an object wherever it was sealed for, for whoever compares values: the file may be a base that a tool gives its
/// namespace later. `None` if it doesn't open.
pub(crate) fn open_wherever(manifest: &Manifest<'_>, object: &Object, keys: &Keyring) -> Option<Unsealed> {
    if format(manifest, object).ok()? != Format::Native {
        return Parsed::new(manifest, object, None).ok()?.open(keys).ok().map(|opened| opened.unsealed);
    }
    native_wherever(manifest, object, keys)?.unseal(keys).ok()
}

/// As [`open_wherever`], the items as they were sealed, without what the template makes. In the Bitnami format, nobody knows
/// who has seen one.
pub(crate) fn items_wherever(
    manifest: &Manifest<'_>,
    object: &Object,
    keys: &Keyring,
) -> Option<BTreeMap<ItemName, Item>> {
    if format(manifest, object).ok()? == Format::Native {
        return native_wherever(manifest, object, keys)?.items(keys).ok();
    }
    let Unsealed { data, .. } = open_wherever(manifest, object, keys)?;
    Some(data.into_iter().map(|(name, value)| (name, Item::new(value, false))).collect())
}

fn native_wherever(manifest: &Manifest<'_>, object: &Object, keys: &Keyring) -> Option<NativeSealed> {
    let place = read_name(manifest, object, None, true).ok()?.to_place();
    let allowed = REFUSED_TYPES.map(str::to_owned).into();
    let sealed = NativeSealed::parse(place, &manifest.spec(object).ok()?, &allowed).ok()?;
    sealed.where_sealed(keys).ok()
}

/// The hint for a bitnami.com object that opens under another scope than its annotations claim.
pub(crate) fn other_scope(sealed: &BitnamiSealed, keys: &Keyring) -> Option<String> {
    let scope = sealed.open_under(sealed.scopes().skip(1), keys).ok()?.scope;
    let change = match scope.bitnami_annotation() {
        Some(annotation) => format!("set {annotation}: \"true\" in its annotations"),
        None => "remove the annotation that says another".to_owned(),
    };
    Some(format!("it was sealed with scope {scope}: {change}"))
}
