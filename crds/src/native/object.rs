//! A SealedSecret as a whole: the rules between its parts.
//!
//! ```text
//! without a key:  1 to 16 envelopes, 1 to 256 data keys, 1 to 1024 items, age files of at most 128 KiB together
//!                 data key ids are unique in the object
//!                 every item's id is in an envelope; every envelope has an id that an item uses
//!                 the template is within its rules (crate::template, crate::secret)
//!                 the largest possible values of padded items and of the template are at most 1 MiB together
//! with a key:     every inner scope is spec.scope, every binding is that of the place
//!                 public recipients = inner recipients, public keys = inner ids, in order
//!                 every item opens
//!                 items in templates have a data key that allows it
//! ```
//! An envelope may have ids that no item uses beside used ones: a person without a key can remove an item, but can't
//! change the inside of an envelope.
//!
//! Parts of an older revision of the same object (or, for wide scopes, of another object of the same scope) satisfy
//! all of these rules. That is a rollback by a writer to Git; this code can't detect it.
//!
//! The controller's policy decides if a scope is welcome. Invariant: all or nothing; no value leaves before every
//! check has passed.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::data_key::DataKeyId;
use super::document::KnownKey;
use super::item::SealedItem;
use super::rewrap::RewrapError;
use super::seal::NamedRecipient;
use super::{MAX_AGE_SIZE, MAX_DATA_KEYS, MAX_ENVELOPES, MAX_ITEMS, MAX_RECIPIENTS, envelope};
use crate::age_file::check_header;
use crate::digest::Digest;
use crate::format::{Examined, Format, Sealed, SealedTo, Shape, UnsealError, Unsealed};
use crate::keys::{Fingerprint, Keyring, ParseFingerprintError};
use crate::names::ItemName;
use crate::plaintext::Plaintext;
use crate::resources::{self, SealedSecretSpec, Template};
use crate::scope::{Binding, Place, Scope};
use crate::secret::{self, Metadata};
use crate::template::TemplateData;

/// A SealedSecret of `sealing.dev/v1alpha1` whose public text has passed every check.
pub struct NativeSealed {
    place: Place,
    scope: Scope,
    envelopes: Vec<Envelope>,
    items: BTreeMap<ItemName, SealedItem>,
    template: TemplateData,
    shape: Shape,
    digest: Digest,
}

struct Envelope {
    keys: Vec<DataKeyId>,
    recipients: Vec<SealedTo>,
    file: Vec<u8>,
}

/// The data keys of an object, in the order of its envelopes.
type DataKeys = Vec<(DataKeyId, KnownKey)>;

/// The opened envelopes and items of an object. No `Debug`: it holds data keys and plaintext.
pub(super) struct OpenedObject {
    pub(super) data_keys: DataKeys,
    by: Vec<Fingerprint>,
    pub(super) items: BTreeMap<ItemName, Plaintext>,
}

impl NativeSealed {
    /// Parses an object and checks everything that needs no key. `allowed_types` are the exceptions to
    /// [`secret::REFUSED_TYPES`].
    ///
    /// # Errors
    ///
    /// Any [`UnsealError`] that public text can give.
    pub fn parse(
        place: Place,
        spec: &SealedSecretSpec,
        allowed_types: &BTreeSet<String>,
    ) -> Result<Self, UnsealError> {
        let envelopes = parse_envelopes(&spec.envelopes)?;
        let items = parse_items(&spec.encrypted_data)?;
        check_references(&envelopes, &items)?;
        let template = parse_template_data(&spec.template, &items)?;
        let size = check_size(&items, &template)?;
        let keys = items.keys().chain(template.keys()).cloned().collect();
        let shape = parse_shape(&spec.template, keys, allowed_types)?;
        secret::check_release(&place.name, &shape.labels, allowed_types)?;
        secret::check_stored_size(&shape, size)?;
        template.check_type(&shape.type_)?;
        Ok(Self { place, scope: spec.scope, envelopes, items, template, shape, digest: Digest::of(spec) })
    }

    /// The age files of the envelopes, in their order.
    pub(super) fn age_files(&self) -> impl Iterator<Item = &[u8]> {
        self.envelopes.iter().map(|envelope| envelope.file.as_slice())
    }

    /// `template.data`, parsed.
    pub(super) fn template_data(&self) -> &TemplateData {
        &self.template
    }

    /// The binding of the object, if its claims hold.
    pub(super) fn binding(&self) -> Binding {
        Binding::new(self.scope, &self.place)
    }

    /// The data keys that an item uses.
    pub(super) fn used_keys(&self) -> BTreeSet<DataKeyId> {
        self.items.values().map(|item| item.id).collect()
    }

    /// Each item, with the data key that it uses.
    pub(super) fn assignments(&self) -> impl Iterator<Item = (&ItemName, &DataKeyId)> {
        self.items.iter().map(|(name, item)| (name, &item.id))
    }

    /// The data key of an item of this object.
    pub(super) fn key_of(&self, item: &ItemName) -> DataKeyId {
        self.items[item].id
    }

    /// The public lists of recipients, one for each envelope.
    pub fn sealed_to(&self) -> impl Iterator<Item = &[SealedTo]> {
        self.envelopes.iter().map(|envelope| envelope.recipients.as_slice())
    }

    /// The ids of the data keys in all envelopes, in their order.
    pub fn data_keys(&self) -> Vec<String> {
        self.envelopes.iter().flat_map(|envelope| &envelope.keys).map(ToString::to_string).collect()
    }

    /// `true` if an envelope lists a data key that no item uses.
    pub fn has_unused_keys(&self) -> bool {
        let used = self.used_keys();
        self.envelopes.iter().flat_map(|envelope| &envelope.keys).any(|id| !used.contains(id))
    }

    /// Checks that these envelopes could stand in the place of the object's own, as far as that shows without a key.
    /// Gives the recipients of each.
    pub(super) fn check_envelopes(
        &self,
        envelopes: &[resources::Envelope],
    ) -> Result<Vec<Vec<SealedTo>>, UnsealError> {
        let envelopes = parse_envelopes(envelopes)?;
        check_references(&envelopes, &self.items)?;
        Ok(envelopes.into_iter().map(|envelope| envelope.recipients).collect())
    }

    /// The same object at the place that it was sealed for, as far as its scope binds one.
    ///
    /// For people who hold the identity and look at a file that a tool will rename on its way to a cluster. A
    /// controller must not ask: it opens an object where it stands, or not at all.
    ///
    /// # Errors
    ///
    /// Any [`UnsealError`] of opening the first envelope.
    pub fn where_sealed(mut self, keys: &Keyring) -> Result<Self, UnsealError> {
        let first = self.envelopes.first().expect("a parsed object has an envelope");
        let sealed = envelope::open(0, &first.file, &first.recipients, keys)?.binding;
        if let Some(namespace) = sealed.namespace() {
            self.place.namespace = namespace.clone();
        }
        if let Some(name) = sealed.name() {
            self.place.name = name.clone();
        }
        Ok(self)
    }

    /// Opens all envelopes and all items.
    pub(super) fn open(&self, keys: &Keyring) -> Result<OpenedObject, UnsealError> {
        let (data_keys, by) = self.open_envelopes(keys)?;
        let items = self.open_items(&data_keys)?;
        Ok(OpenedObject { data_keys, by, items })
    }

    /// Renders `template.data` beside the opened items.
    fn finish(&self, mut data: BTreeMap<ItemName, Plaintext>, opened_by: Vec<Fingerprint>) -> Unsealed {
        let rendered = self.template.render(&data);
        data.extend(rendered);
        Unsealed { data, opened_by }
    }

    /// The identities without which the object doesn't open. `by` are those that opened the envelopes.
    ///
    /// An identity that opened no envelope isn't needed: without it, the same identities open everything. Every
    /// identity that opens an envelope opens the same document, because age binds the whole header to one file key.
    fn only(&self, keys: &Keyring, by: &[Fingerprint]) -> BTreeSet<Fingerprint> {
        let is_needed = |&(index, (envelope, by)): &(usize, (&Envelope, &Fingerprint))| {
            !envelope::opens_without(index, &envelope.file, &envelope.recipients, keys, *by)
        };
        self.envelopes.iter().zip(by).enumerate().filter(is_needed).map(|(_, (_, by))| *by).collect()
    }

    /// The items whose data key one of these recipients has seen, with those that have.
    fn exposed(
        &self,
        data_keys: &DataKeys,
        exposing: &BTreeSet<Fingerprint>,
    ) -> BTreeMap<ItemName, BTreeSet<Fingerprint>> {
        let exposed: BTreeMap<&DataKeyId, BTreeSet<Fingerprint>> = data_keys
            .iter()
            .map(|(id, known)| (id, known.seen.intersection(exposing).copied().collect::<BTreeSet<_>>()))
            .filter(|(_, by)| !by.is_empty())
            .collect();
        let by =
            |(name, item): (&ItemName, &SealedItem)| Some((name.clone(), exposed.get(&item.id)?.clone()));
        self.items.iter().filter_map(by).collect()
    }

    /// Opens every envelope and checks its claims: the data keys, and the identity that opened each envelope.
    fn open_envelopes(&self, keys: &Keyring) -> Result<(DataKeys, Vec<Fingerprint>), UnsealError> {
        let expected = self.binding();
        let mut data_keys = Vec::new();
        let mut opened_by = Vec::new();
        for (index, public) in self.envelopes.iter().enumerate() {
            let opened = envelope::open(index, &public.file, &public.recipients, keys)?;
            if opened.binding.scope() != self.scope {
                return Err(UnsealError::WrongScope { sealed: opened.binding.scope(), found: self.scope });
            }
            if opened.binding != expected {
                return Err(UnsealError::WrongPlace {
                    sealed: opened.binding.to_string(),
                    found: expected.to_string(),
                });
            }
            let found = public.recipients.iter().map(|hint| hint.fingerprint);
            if !found.clone().eq(opened.recipients.iter().copied()) {
                return Err(UnsealError::WrongRecipients {
                    envelope: index,
                    sealed: opened.recipients,
                    found: found.collect(),
                });
            }
            let ids: Vec<DataKeyId> = opened.keys.iter().map(|known| known.key.id(&expected)).collect();
            if ids != public.keys {
                return Err(UnsealError::WrongKeys { envelope: index });
            }
            data_keys.extend(ids.into_iter().zip(opened.keys));
            opened_by.push(opened.by);
        }
        Ok((data_keys, opened_by))
    }

    fn open_items(&self, data_keys: &DataKeys) -> Result<BTreeMap<ItemName, Plaintext>, UnsealError> {
        let by_id: BTreeMap<_, _> = data_keys.iter().map(|(id, known)| (id, &known.key)).collect();
        // `parse` checked that every id is in an envelope, and `open_envelopes` that the envelopes hold the keys of
        // those ids.
        let key_of = |item: &SealedItem| by_id[&item.id];

        for name in self.template.references() {
            if !key_of(&self.items[name]).template {
                return Err(UnsealError::NotForTemplates { item: name.clone() });
            }
        }
        let open = |(name, item): (&ItemName, &SealedItem)| {
            let value = item.open(key_of(item), name);
            let value = value.ok_or_else(|| UnsealError::ItemAltered { item: name.clone() })?;
            Ok((name.clone(), value))
        };
        self.items.iter().map(open).collect()
    }
}

impl Sealed for NativeSealed {
    fn format(&self) -> Format {
        Format::Native
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

    fn unseal(&self, keys: &Keyring) -> Result<Unsealed, UnsealError> {
        let OpenedObject { items, by, .. } = self.open(keys)?;
        Ok(self.finish(items, by))
    }

    fn source(&self) -> String {
        self.source()
    }

    fn assignment(&self) -> Option<String> {
        Some(self.assignment())
    }

    fn sealed_to(&self) -> Vec<BTreeSet<Fingerprint>> {
        let fingerprints =
            |envelope: &Envelope| envelope.recipients.iter().map(|to| to.fingerprint).collect();
        self.envelopes.iter().map(fingerprints).collect()
    }

    fn tried(&self, keys: &Keyring) -> BTreeSet<Fingerprint> {
        keys.fingerprints().collect()
    }

    fn examine(&self, keys: &Keyring, exposing: &BTreeSet<Fingerprint>) -> Result<Examined, UnsealError> {
        let OpenedObject { data_keys, items, by } = self.open(keys)?;
        let (only, exposed) = (self.only(keys, &by), self.exposed(&data_keys, exposing));
        Ok(Examined { unsealed: self.finish(items, by), only, exposed })
    }

    /// Every other key on every envelope.
    fn more_tries(&self, keys: &Keyring) -> usize {
        self.envelopes.len() * keys.fingerprints().count().saturating_sub(1)
    }

    fn offer(
        &self,
        keys: &Keyring,
        recipients: &[NamedRecipient],
    ) -> Option<Result<resources::Envelope, RewrapError>> {
        Some(self.rewrap(keys, recipients))
    }
}

fn malformed(path: impl Into<String>, problem: impl Into<String>) -> UnsealError {
    UnsealError::Malformed { path: path.into(), problem: problem.into() }
}

/// Checks that there are between 1 and `limit` parts.
fn check_count(path: &str, found: usize, limit: usize, unit: &'static str) -> Result<(), UnsealError> {
    match found {
        0 => Err(malformed(path, "is empty")),
        _ if found > limit => Err(UnsealError::TooLarge { path: path.to_owned(), found, limit, unit }),
        _ => Ok(()),
    }
}

fn parse_envelopes(envelopes: &[resources::Envelope]) -> Result<Vec<Envelope>, UnsealError> {
    check_count("envelopes", envelopes.len(), MAX_ENVELOPES, "envelopes")?;
    let parsed = envelopes
        .iter()
        .enumerate()
        .map(|(index, envelope)| parse_envelope(index, envelope))
        .collect::<Result<Vec<_>, _>>()?;
    let keys = parsed.iter().map(|envelope| envelope.keys.len()).sum();
    check_count("envelopes", keys, MAX_DATA_KEYS, "data keys")?;
    let size = parsed.iter().map(|envelope| envelope.file.len()).sum();
    check_count("envelopes", size, MAX_AGE_SIZE, "bytes of age files")?;
    Ok(parsed)
}

fn parse_envelope(index: usize, envelope: &resources::Envelope) -> Result<Envelope, UnsealError> {
    let path = |field: &str| format!("envelopes[{index}].{field}");
    check_count(&path("keys"), envelope.keys.len(), MAX_DATA_KEYS, "data keys")?;
    check_count(&path("recipients"), envelope.recipients.len(), MAX_RECIPIENTS, "recipients")?;
    let keys = envelope.keys.iter().map(|id| id.parse()).collect::<Result<_, ()>>().map_err(|()| {
        malformed(path("keys"), "has an id that is not 43 characters of canonical base64url")
    })?;
    let recipients = envelope
        .recipients
        .iter()
        .map(|hint| Ok(SealedTo::new(hint.fingerprint.parse()?, hint.name.as_deref())))
        .collect::<Result<_, ParseFingerprintError>>()
        .map_err(|_| malformed(path("recipients"), "has a fingerprint that is not 64 hex digits"))?;
    let file = BASE64.decode(&envelope.age).map_err(|_| malformed(path("age"), "is not canonical base64"))?;
    check_header(&file).map_err(|problem| malformed(path("age"), problem))?;
    Ok(Envelope { keys, recipients, file })
}

fn parse_items(
    encrypted_data: &BTreeMap<String, String>,
) -> Result<BTreeMap<ItemName, SealedItem>, UnsealError> {
    check_count("encryptedData", encrypted_data.len(), MAX_ITEMS, "items")?;
    encrypted_data
        .iter()
        .map(|(name, line)| {
            let name: ItemName = name.parse()?;
            let item = SealedItem::parse(line)
                .map_err(|problem| malformed(format!("encryptedData.{name}"), problem))?;
            Ok((name, item))
        })
        .collect()
}

/// Checks that ids are unique, that every item's id is in an envelope, and that every envelope is used.
fn check_references(
    envelopes: &[Envelope],
    items: &BTreeMap<ItemName, SealedItem>,
) -> Result<(), UnsealError> {
    let mut held = BTreeSet::new();
    for id in envelopes.iter().flat_map(|envelope| &envelope.keys) {
        if !held.insert(id) {
            return Err(UnsealError::DuplicateKey { id: id.to_string() });
        }
    }
    let used: BTreeSet<&DataKeyId> = items.values().map(|item| &item.id).collect();
    if let Some((name, item)) = items.iter().find(|(_, item)| !held.contains(&item.id)) {
        return Err(UnsealError::MissingKey { item: name.clone(), id: item.id.to_string() });
    }
    match envelopes.iter().position(|envelope| !envelope.keys.iter().any(|id| used.contains(id))) {
        Some(envelope) => Err(UnsealError::UnusedEnvelope { envelope }),
        None => Ok(()),
    }
}

fn parse_template_data(
    template: &Template,
    items: &BTreeMap<ItemName, SealedItem>,
) -> Result<TemplateData, UnsealError> {
    if template.data.len() > MAX_ITEMS {
        let (path, found) = ("template.data".to_owned(), template.data.len());
        return Err(UnsealError::TooLarge { path, found, limit: MAX_ITEMS, unit: "keys" });
    }
    let data = template
        .data
        .iter()
        .map(|(key, text)| Ok((key.parse()?, text.as_str())))
        .collect::<Result<Vec<(ItemName, &str)>, UnsealError>>()?;
    Ok(TemplateData::parse(data, |item| items.contains_key(item))?)
}

/// The most bytes that the Secret's values can have. The bound uses public lengths alone, so it refuses a Secret a
/// few percent earlier than Kubernetes would. The threat of a check with real lengths: an attacker who may edit the
/// object, but not read the Secret, adds text or items of known length until it is refused, and so learns the length
/// that padding hides.
fn check_size(items: &BTreeMap<ItemName, SealedItem>, template: &TemplateData) -> Result<usize, UnsealError> {
    let values: usize = items.values().map(SealedItem::max_value_len).sum();
    let size = values + template.max_rendered_len(|item| items[item].max_value_len());
    let limit = secret::MAX_SECRET_SIZE;
    if size > limit { Err(UnsealError::SecretTooLarge { limit }) } else { Ok(size) }
}

fn parse_shape(
    template: &Template,
    keys: BTreeSet<ItemName>,
    allowed_types: &BTreeSet<String>,
) -> Result<Shape, UnsealError> {
    let type_ = template.type_.clone().unwrap_or_else(|| secret::OPAQUE.to_owned());
    secret::check_type(&type_, allowed_types)?;
    secret::check_keys(&type_, &keys)?;
    let metadata = &template.metadata;
    let metadata = Metadata::sort(&metadata.labels, &metadata.annotations, |_, _| false)?;
    Ok(Shape { type_, immutable: template.immutable, keys, ..Shape::of(metadata) })
}
