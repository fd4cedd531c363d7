//! A SealedSecret of the Bitnami format as a whole.
//!
//! The controller's policy decides if it is welcome. Invariant: all or nothing; no value leaves before every item has
//! opened. The scope that annotations claim decides only which label is tried. The label that opens is the
//! authenticated claim.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::claim::claimed_scope;
use super::item::SealedItem;
use super::label::Label;
use super::template::TemplateData;
use super::trial::{MAX_FAILED_TRIALS, Trial};
use super::whole;
use crate::digest::Digest;
use crate::format::{Examined, Format, Sealed, Shape, UnsealError, Unsealed};
use crate::keys::{Fingerprint, Keyring, RsaPrivateKey, RsaPublicKey};
use crate::names::ItemName;
use crate::plaintext::Plaintext;
use crate::resources::bitnami::{SKIP_SET_OWNER_REFERENCES, SealedSecretSpec};
use crate::scope::{Binding, Place, Scope};
use crate::secret;
use seal_go::template::Branching;

/// The most items of an object: as many as in the native format.
const MAX_ITEMS: usize = 1024;

/// A SealedSecret of `bitnami.com/v1alpha1` whose public text has passed every check.
#[derive(Clone)]
pub struct BitnamiSealed {
    place: Place,
    scope: Scope,
    content: Content,
    /// The templates of `template.data`. Empty beside the deprecated `spec.data`, where sealed-secrets ignores them
    /// too.
    template: TemplateData,
    shape: Shape,
    digest: Digest,
    /// The fingerprints of the keys to try before the others.
    first: Vec<Fingerprint>,
    allowed_types: BTreeSet<String>,
    /// The namespace and name of the label, if they aren't those of the place.
    sealed_for: Option<(String, String)>,
}

/// The sealed content of an object. It is ciphertext, so it may be copied.
#[derive(Clone)]
enum Content {
    Items(BTreeMap<ItemName, SealedItem>),
    /// The deprecated `spec.data`, in which the shape of the Secret is sealed too.
    Whole {
        secret: SealedItem,
        revealed: bool,
    },
}

/// The opened content of an object. No `Debug`: it holds plaintext.
pub struct Opened {
    /// The scope whose label opened the object.
    pub scope: Scope,
    /// The values of the items, before any template.
    pub items: BTreeMap<ItemName, Plaintext>,
    /// The shape of the Secret, if it was sealed in, as in the deprecated `spec.data`.
    pub shape: Option<Shape>,
    /// The fingerprints of the keys that opened an item, in the order of first use.
    pub by: Vec<Fingerprint>,
    /// The key that each item is sealed to. In the deprecated `spec.data`, that is one key for all.
    pub sealed_to: BTreeMap<ItemName, Fingerprint>,
}

/// The sealed values of an object, sealed again. It is ciphertext.
pub struct Resealed {
    /// The items that were sealed anew.
    pub encrypted_data: BTreeMap<ItemName, String>,
    /// The deprecated `spec.data`, if the object has it and it was sealed anew.
    pub data: Option<String>,
    /// The keys that the replaced values were sealed to, in the order of first use.
    pub from: Vec<Fingerprint>,
}

impl BitnamiSealed {
    /// Parses an object and checks everything that needs no key. `annotations` are those of the SealedSecret itself.
    /// `allowed_types` are the exceptions to [`secret::REFUSED_TYPES`]. `branching` is the permission for templates
    /// to branch on values.
    ///
    /// # Errors
    ///
    /// Any [`UnsealError`] that public text can give.
    pub fn parse(
        place: Place,
        annotations: &BTreeMap<String, String>,
        spec: &SealedSecretSpec,
        allowed_types: &BTreeSet<String>,
        branching: Branching,
    ) -> Result<Self, UnsealError> {
        let scope = claimed_scope(annotations);
        let content = parse_content(spec)?;
        let texts = match &content {
            Content::Items(_) => &spec.template.data,
            Content::Whole { .. } => &BTreeMap::new(),
        };
        let data = TemplateData::parse(texts, branching)?;
        let shape = match &content {
            Content::Items(items) => {
                let template = &spec.template;
                let keys =
                    items.keys().filter(|name| !data.omits(name)).chain(data.keys()).cloned().collect();
                let shape = whole::shape(
                    template.type_.as_deref(),
                    template.immutable,
                    &template.metadata.labels,
                    &template.metadata.annotations,
                    keys,
                    allowed_types,
                )?;
                let lengths = items.iter().map(|(name, item)| (name.clone(), item.value_len())).collect();
                let size = data.check(&shape.type_, &lengths)?;
                secret::check_release(&place.name, &shape.labels, allowed_types)?;
                secret::check_stored_size(&shape, size)?;
                shape
            }
            // Before it is opened, only the name of the Secret is known.
            Content::Whole { .. } => {
                secret::check_release(&place.name, &BTreeMap::new(), allowed_types)?;
                Shape::default()
            }
        };
        let skips = spec.template.metadata.annotations.get(SKIP_SET_OWNER_REFERENCES);
        let shape = Shape { owned: skips.is_none_or(|value| value != "true"), ..shape };
        let digest = Digest::of_bitnami(scope, spec);
        Ok(Self {
            place,
            scope,
            content,
            template: data,
            shape,
            digest,
            first: Vec::new(),
            allowed_types: allowed_types.clone(),
            sealed_for: None,
        })
    }

    /// The same object, for which these keys are tried before the others: the keys that opened it last.
    pub fn trying_first(mut self, keys: Vec<Fingerprint>) -> Self {
        self.first = keys;
        self
    }

    /// The same object with a claim to another scope.
    pub fn with_scope(mut self, scope: Scope) -> Self {
        self.scope = scope;
        self
    }

    /// The same object, to be opened under the labels of these texts instead of those of its place: for names that no
    /// cluster accepts and that no place can have. The caller must not make a Secret of it.
    pub fn sealed_for(mut self, namespace: &str, name: &str) -> Self {
        self.sealed_for = Some((namespace.to_owned(), name.to_owned()));
        self
    }

    /// Opens the object under the first of these scopes whose label opens it. Renders no template.
    ///
    /// That scope is the authenticated one, whatever the annotations say. To seal the object again, use this scope:
    /// everybody who submits an object can edit its annotations, and a scope taken from them could be wider
    /// (CVE-2026-22728).
    ///
    /// # Errors
    ///
    /// The error of the first scope, if no label opens everything.
    pub fn open_under(
        &self,
        scopes: impl IntoIterator<Item = Scope>,
        keys: &Keyring,
    ) -> Result<Opened, UnsealError> {
        let mut trial = Trial::new(self.candidates(keys), MAX_FAILED_TRIALS);
        let mut first = None;
        for scope in scopes {
            match self.open(scope, &mut trial) {
                Err(error) if error.may_pass_with_other_keys() => first = first.or(Some(error)),
                outcome => return outcome,
            }
        }
        Err(first.expect("at least one scope is asked for"))
    }

    /// All scopes, the claimed one first.
    pub fn scopes(&self) -> impl Iterator<Item = Scope> {
        let claimed = self.scope;
        std::iter::once(claimed).chain(Scope::ALL.into_iter().filter(move |scope| *scope != claimed))
    }

    /// The items that don't open under the claimed scope.
    ///
    /// # Errors
    ///
    /// [`UnsealError::TooManyTrials`].
    pub fn shut_items(&self, keys: &Keyring) -> Result<Vec<ItemName>, UnsealError> {
        let Content::Items(sealed) = &self.content else { return Ok(Vec::new()) };
        let label = self.label(self.scope);
        let mut trial = Trial::new(self.candidates(keys), MAX_FAILED_TRIALS);
        let mut shut = Vec::new();
        for (name, item) in sealed {
            match trial.open(&label, "item", item) {
                Err(error) if error.may_pass_with_other_keys() => shut.push(name.clone()),
                outcome => drop(outcome?),
            }
        }
        Ok(shut)
    }

    /// Seals the values again, to another key: each that isn't sealed to `to`, and with `all` every one. Scope and
    /// labels stay.
    ///
    /// The caller holds the object under its claimed scope to be right: a value that opens only under another is
    /// refused, so nothing becomes wider than it was (CVE-2026-22728). This format has no place for the fact that the
    /// owner of a former key may know a value.
    ///
    /// # Errors
    ///
    /// Any [`UnsealError`]; then nothing is sealed.
    pub fn reseal(&self, keys: &Keyring, to: &RsaPublicKey, all: bool) -> Result<Resealed, UnsealError> {
        let label = self.label(self.scope);
        let mut trial = Trial::new(self.candidates(keys), MAX_FAILED_TRIALS);
        let mut resealed = Resealed { encrypted_data: BTreeMap::new(), data: None, from: Vec::new() };
        let is_kept = |by: &Fingerprint| !all && *by == to.fingerprint();
        match &self.content {
            Content::Items(sealed) => {
                for (name, item) in sealed {
                    let (value, by) = trial.open(&label, &format!("item {name}"), item)?;
                    if !is_kept(&by) {
                        resealed.encrypted_data.insert(name.clone(), label.seal_item(to, value.expose()));
                        resealed.note(by);
                    }
                }
            }
            Content::Whole { secret, .. } => {
                let (secret, by) = trial.open(&label, "data", secret)?;
                whole::parse(&secret, &self.place.name, &self.allowed_types)?;
                if !is_kept(&by) {
                    resealed.data = Some(label.seal_item(to, secret.expose()));
                    resealed.note(by);
                }
            }
        }
        Ok(resealed)
    }

    fn open(&self, scope: Scope, trial: &mut Trial<'_>) -> Result<Opened, UnsealError> {
        let label = self.label(scope);
        let (items, sealed_to) = (BTreeMap::new(), BTreeMap::new());
        let mut opened = Opened { scope, items, shape: None, by: Vec::new(), sealed_to };
        match &self.content {
            Content::Items(sealed) => {
                for (name, item) in sealed {
                    let (value, by) = trial.open(&label, &format!("item {name}"), item)?;
                    opened.items.insert(name.clone(), value);
                    opened.sealed_to.insert(name.clone(), by);
                    if !opened.by.contains(&by) {
                        opened.by.push(by);
                    }
                }
            }
            Content::Whole { secret, .. } => {
                let (secret, by) = trial.open(&label, "data", secret)?;
                let (shape, items) = whole::parse(&secret, &self.place.name, &self.allowed_types)?;
                // Here too, the template decides if the SealedSecret owns the Secret.
                let shape = Shape { owned: self.shape.owned, ..shape };
                let sealed_to = items.keys().map(|name| (name.clone(), by)).collect();
                opened = Opened { items, shape: Some(shape), by: vec![by], sealed_to, ..opened };
            }
        }
        Ok(opened)
    }

    fn label(&self, scope: Scope) -> Label {
        match &self.sealed_for {
            Some((namespace, name)) => Label::from_text(scope, namespace, name),
            None => Label::from(&Binding::new(scope, &self.place)),
        }
    }

    /// All RSA keys, in the order to try them.
    pub(super) fn candidates<'k>(&self, keys: &'k Keyring) -> Vec<&'k RsaPrivateKey> {
        let first = self.first.iter().filter_map(|fingerprint| keys.find_rsa_key(fingerprint));
        let rest = keys.rsa_keys().iter().filter(|key| !self.first.contains(&key.fingerprint()));
        first.chain(rest).collect()
    }
}

impl Resealed {
    fn note(&mut self, by: Fingerprint) {
        if !self.from.contains(&by) {
            self.from.push(by);
        }
    }

    /// `true` if every value was sealed to the key already.
    pub fn is_empty(&self) -> bool {
        self.encrypted_data.is_empty() && self.data.is_none()
    }
}

impl Sealed for BitnamiSealed {
    fn format(&self) -> Format {
        Format::Bitnami
    }

    fn place(&self) -> &Place {
        &self.place
    }

    fn scope(&self) -> Scope {
        self.scope
    }

    fn shape(&self) -> &Shape {
        &self.shape
    }

    fn digest(&self) -> Digest {
        self.digest
    }

    fn is_revealed(&self) -> bool {
        !matches!(self.content, Content::Whole { revealed: false, .. })
    }

    fn reveal(&self, keys: &Keyring) -> Result<Option<Arc<dyn Sealed>>, UnsealError> {
        let Some(shape) = self.open_under([self.scope], keys)?.shape else { return Ok(None) };
        let mut revealed = Self { shape, ..self.clone() };
        if let Content::Whole { revealed, .. } = &mut revealed.content {
            *revealed = true;
        }
        Ok(Some(Arc::new(revealed)))
    }

    fn unseal(&self, keys: &Keyring) -> Result<Unsealed, UnsealError> {
        let Opened { items: mut data, by: opened_by, .. } = self.open_under([self.scope], keys)?;
        let rendered = self.template.render(&self.shape.type_, &data)?;
        data.retain(|name, _| !self.template.omits(name));
        data.extend(rendered);
        Ok(Unsealed { data, opened_by })
    }

    fn source(&self) -> String {
        self.digest.to_string()
    }

    fn tried(&self, keys: &Keyring) -> BTreeSet<Fingerprint> {
        keys.rsa_keys().iter().map(RsaPrivateKey::fingerprint).collect()
    }

    /// Every key that opened an item is needed: no RSA ciphertext opens under two keys. An author who has neither
    /// private half would have to find a number whose roots under both have the padding of OAEP, 256 bits of which are
    /// fixed. The format doesn't record who has seen a value, so nothing is ever exposed.
    fn examine(&self, keys: &Keyring, _exposing: &BTreeSet<Fingerprint>) -> Result<Examined, UnsealError> {
        let unsealed = self.unseal(keys)?;
        let only = unsealed.opened_by.iter().copied().collect();
        Ok(Examined { unsealed, only, exposed: BTreeMap::new() })
    }

    fn more_tries(&self, _keys: &Keyring) -> usize {
        0
    }
}

fn parse_content(spec: &SealedSecretSpec) -> Result<Content, UnsealError> {
    let parse = |path: String, text: &str| {
        SealedItem::parse(text).map_err(|problem| UnsealError::Malformed { path, problem })
    };
    if let Some(data) = &spec.data {
        if !spec.encrypted_data.is_empty() {
            let problem = "stands beside encryptedData; an object has one or the other".to_owned();
            return Err(UnsealError::Malformed { path: "data".to_owned(), problem });
        }
        return Ok(Content::Whole { secret: parse("data".to_owned(), data)?, revealed: false });
    }
    let found = spec.encrypted_data.len();
    if found > MAX_ITEMS {
        let path = "encryptedData".to_owned();
        return Err(UnsealError::TooLarge { path, found, limit: MAX_ITEMS, unit: "items" });
    }
    let items = spec
        .encrypted_data
        .iter()
        .map(|(name, text)| {
            let name: ItemName = name.parse()?;
            let item = parse(format!("encryptedData.{name}"), text)?;
            Ok((name, item))
        })
        .collect::<Result<BTreeMap<_, _>, UnsealError>>()?;
    let size: usize = items.values().map(SealedItem::value_len).sum();
    if size > secret::MAX_SECRET_SIZE {
        return Err(UnsealError::SecretTooLarge { limit: secret::MAX_SECRET_SIZE });
    }
    Ok(Content::Items(items))
}
