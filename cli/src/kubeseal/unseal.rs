//! `--recovery-unseal`: prints a Secret in the clear, without a cluster.
//!
//! `seal unseal` opens several objects, of both formats. Invariant: all items open, or nothing is printed.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use seal_crds::bitnami::BitnamiSealed;
use seal_crds::keys::Keyring;
use seal_crds::resources::bitnami::{SKIP_SET_OWNER_REFERENCES, SealedSecretSpec};
use seal_crds::{ItemName, NameError, Place, Plaintext, UnsealError};
use seal_documents::source::Source;
use seal_go::template::{Branching, Budget, GoTemplate, Values};
use zeroize::Zeroizing;

use super::failure::KubesealError;
use super::go_value::{GoValue, strings};
use super::options::Options;
use super::schema::{OBJECT_META, SECRET, complete, set};
use super::seal::claimed;
use super::sealed;
use crate::files::input::Input;
use crate::keys::identities;
use crate::talk::failure::Failure;

/// Opens the SealedSecret of the input, and returns the Secret.
pub(super) fn unseal(options: &Options, source: &Source) -> Result<GoValue, Failure> {
    let inputs: Vec<Input> = options.private_keys.iter().map(|path| Input::File(path.into())).collect();
    let keys = identities::read(&inputs)?;
    let mut object = sealed::one(source)?;
    let mut spec = object.take("spec").expect("a SealedSecret that was read always has it");
    if !spec.text_at("data").is_empty() {
        return Err(KubesealError::DeprecatedData.into());
    }
    let metadata = object.take("metadata").expect("a SealedSecret that was read always has it");
    let mut items = open(&metadata, &spec, &keys)?;
    let mut template = spec.take("template").expect("a spec that was read always has it");
    let data = template.get("data");
    let rendered = render(data, &items)?;
    items.retain(|item, _| !matches!(data.and_then(|data| data.get(item.as_str())), Some(GoValue::Null)));
    items.extend(rendered);
    Ok(secret(&metadata, &mut template, &items))
}

fn open(
    metadata: &GoValue,
    spec: &GoValue,
    keys: &Keyring,
) -> Result<BTreeMap<ItemName, Plaintext>, KubesealError> {
    let encrypted: BTreeMap<String, String> =
        strings(spec.get("encryptedData")).map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
    // The name and namespace are any text here, and `sealed_for` sets them; this place is never used.
    let place = Place { namespace: "any".parse().expect("a label"), name: "any".parse().expect("a label") };
    let annotations =
        strings(metadata.get("annotations")).map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
    // Only the sealed part is parsed. The template is printed as it is.
    let spec = SealedSecretSpec { encrypted_data: encrypted, ..SealedSecretSpec::default() };
    let sealed = BitnamiSealed::parse(place, &annotations, &spec, &BTreeSet::new(), Branching::Refused)
        .map_err(KubesealError::Malformed)?
        .sealed_for(metadata.text_at("namespace"), metadata.text_at("name"));
    match sealed.open_under([claimed(metadata)], keys) {
        Ok(opened) => Ok(opened.items),
        Err(UnsealError::CannotOpen { .. } | UnsealError::NoRsaKey { .. }) => {
            let shut = sealed.shut_items(keys).map_err(KubesealError::Malformed)?;
            let names: Vec<&str> = shut.iter().map(ItemName::as_str).collect();
            Err(KubesealError::NoKey(names.join(", ")))
        }
        Err(other) => Err(KubesealError::Malformed(other)),
    }
}

/// Renders the keys of `template.data` that no item has. A template can use the items, and also the text of
/// the other templates; an item wins over a template of the same name.
fn render(
    template: Option<&GoValue>,
    items: &BTreeMap<ItemName, Plaintext>,
) -> Result<Vec<(ItemName, Plaintext)>, KubesealError> {
    let mut values: BTreeMap<&str, &[u8]> =
        strings(template).map(|(key, text)| (key, text.as_bytes())).collect();
    values.extend(items.iter().map(|(item, value)| (item.as_str(), value.expose())));
    let values = Values::new(&values);
    let mut budget = Budget::of_object();
    let mut rendered = Vec::new();
    for (key, text) in strings(template) {
        // Branches are allowed: the user has the key, and may learn which branch was taken.
        let text = GoTemplate::parse(text, Branching::Allowed, &mut budget)
            .and_then(|template| template.render(&values, &mut budget));
        let text = text.map_err(|error| KubesealError::Template(key.to_owned(), error))?;
        let key: ItemName = key.parse().map_err(|error: NameError| KubesealError::NotItem {
            under: "template.data",
            rule: error.rule,
        })?;
        if !items.contains_key(&key) {
            rendered.push((key, text.value.into()));
        }
    }
    Ok(rendered)
}

fn secret(sealed: &GoValue, template: &mut GoValue, items: &BTreeMap<ItemName, Plaintext>) -> GoValue {
    let mut metadata = template.take("metadata").expect("a template that was read always has it");
    let name = sealed.text_at("name");
    let skips = strings(metadata.get("annotations"))
        .any(|(key, value)| key == SKIP_SET_OWNER_REFERENCES && value == "true");
    set(&mut metadata, &OBJECT_META, "namespace", GoValue::text(sealed.text_at("namespace")));
    set(&mut metadata, &OBJECT_META, "name", GoValue::text(name));
    if !skips {
        let owner = [
            ("apiVersion", GoValue::text(seal_crds::resources::bitnami::API_VERSION)),
            ("kind", GoValue::text(seal_crds::resources::SEALED_SECRET)),
            ("name", GoValue::text(name)),
            ("uid", GoValue::text(sealed.text_at("uid"))),
            ("controller", GoValue::Bool(true)),
        ];
        let owner = owner.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        set(&mut metadata, &OBJECT_META, "ownerReferences", GoValue::List(vec![GoValue::Map(owner)]));
    }
    let data = items.iter().map(|(item, value)| (item.to_string(), GoValue::Text(encode(value)))).collect();
    let mut entries = vec![
        ("kind".to_owned(), GoValue::text("Secret")),
        ("apiVersion".to_owned(), GoValue::text("v1")),
        ("metadata".to_owned(), metadata),
        ("data".to_owned(), GoValue::Map(data)),
    ];
    for field in ["immutable", "type"] {
        entries.extend(template.take(field).map(|value| (field.to_owned(), value)));
    }
    GoValue::Map(complete(entries, &SECRET))
}

/// The value in base64, in a buffer that never grows.
fn encode(value: &Plaintext) -> Zeroizing<String> {
    let length = base64::encoded_len(value.len(), true).expect("a Secret's value is small");
    let mut encoded = Zeroizing::new(String::with_capacity(length));
    BASE64.encode_string(value.expose(), &mut encoded);
    encoded
}
