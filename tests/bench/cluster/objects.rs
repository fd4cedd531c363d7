//! SealedSecrets with two items each, and the Secrets that must come of them.
//!
//! Invariant: every value follows from the object's name and its version, so that each Secret can be checked.

use std::collections::{BTreeMap, BTreeSet};
use std::thread;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::Request;
use seal_crds::bitnami::seal_item;
use seal_crds::format::Format;
use seal_crds::native::{Item, seal};
use seal_crds::resources::Template;
use seal_crds::resources::bitnami::{SEALING_KEY_LABEL, SealedSecretSpec};
use seal_crds::{Binding, Place, Plaintext, Scope};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{NAMESPACES, Recipients, namespace, requests};
use crate::machine::cores;

/// How many objects are created or changed at once.
const IN_FLIGHT: usize = 16;
/// The items of each object.
const ITEMS: [&str; 2] = ["user", "password"];

/// Sealed objects.
pub(crate) struct Objects {
    format: Format,
    version: usize,
    sealed: Vec<Value>,
}

impl Objects {
    /// Seals objects `0` to `count`, on all cores.
    pub(crate) fn seal(recipients: &Recipients, format: Format, count: usize, version: usize) -> Self {
        let part = |first: usize| {
            let all = (first..count).step_by(cores());
            all.map(|index| (index, sealed(recipients, format, &namespace(index), &name(index), version)))
                .collect()
        };
        let parts: Vec<Vec<(usize, Value)>> = thread::scope(|scope| {
            let threads: Vec<_> = (0..cores()).map(|first| scope.spawn(move || part(first))).collect();
            threads.into_iter().map(|thread| thread.join().expect("sealing doesn't fail")).collect()
        });
        let sealed: BTreeMap<usize, Value> = parts.into_iter().flatten().collect();
        Self { format, version, sealed: sealed.into_values().collect() }
    }

    /// Creates all of them.
    pub(crate) fn create(&self) {
        requests::send_all(self.creations(), IN_FLIGHT);
    }

    /// The requests that create them.
    pub(crate) fn creations(&self) -> impl Iterator<Item = Request<Vec<u8>>> {
        self.sealed.iter().map(|object| {
            let namespace = object["metadata"]["namespace"].as_str().unwrap_or_default();
            requests::post(&collection(self.format, namespace), object.to_string().into_bytes())
        })
    }

    /// Puts these in the place of those of the same names.
    pub(crate) fn change(&self) {
        let change = |object: &Value| {
            let [namespace, name] =
                ["namespace", "name"].map(|it| object["metadata"][it].as_str().unwrap_or_default());
            let path = format!("{}/{name}", collection(self.format, namespace));
            requests::merge(&path, json!({"spec": object["spec"]}).to_string().into_bytes())
        };
        requests::send_all(self.sealed.iter().map(change), IN_FLIGHT);
    }

    /// Compares all Secrets in the namespaces with what was sealed.
    ///
    /// # Panics
    /// When one is missing, wrong, or there is one more. A contender that is fast and wrong isn't measured.
    pub(crate) fn verify(&self) {
        let found: BTreeMap<String, BTreeMap<String, String>> = (0..NAMESPACES).flat_map(secrets).collect();
        assert_eq!(found.len(), self.sealed.len(), "Secrets are missing, or there are too many");
        for index in 0..self.sealed.len() {
            let name = name(index);
            let expected =
                ITEMS.map(|item| (item.to_owned(), BASE64.encode(value(item, &name, self.version))));
            assert_eq!(found.get(&name), Some(&expected.into()), "{name}");
        }
    }
}

/// A SealedSecret.
pub(crate) fn sealed(
    recipients: &Recipients,
    format: Format,
    namespace: &str,
    name: &str,
    version: usize,
) -> Value {
    let place = Place {
        namespace: namespace.parse().expect("the namespaces are ours"),
        name: name.parse().expect("the names are ours"),
    };
    let values = ITEMS.map(|item| (item, value(item, name, version).into_bytes()));
    let spec = match format {
        Format::Native => {
            let items = values.map(|(item, value)| {
                (item.parse().expect("it is a name"), Item::new(Plaintext::from(value), false))
            });
            let to = std::slice::from_ref(&recipients.native);
            let spec = seal(&place, Scope::Strict, to, &items.into(), Template::default(), &BTreeSet::new());
            serde_json::to_value(spec.expect("two items can be sealed"))
        }
        Format::Bitnami => {
            let binding = Binding::new(Scope::Strict, &place);
            let seal = |value: &[u8]| seal_item(recipients.bitnami.public_key(), &binding, value);
            let encrypted_data = values.map(|(item, value)| (item.to_owned(), seal(&value))).into();
            serde_json::to_value(SealedSecretSpec { encrypted_data, ..SealedSecretSpec::default() })
        }
    };
    json!({
        "apiVersion": api(format), "kind": "SealedSecret",
        "metadata": {"namespace": namespace, "name": name},
        "spec": spec.expect("a spec is plain data"),
    })
}

/// The value of an item: as long as a password that a program made.
pub(crate) fn value(item: &str, name: &str, version: usize) -> String {
    format!("{item} {version} of {name}, and so on")
}

pub(crate) fn name(index: usize) -> String {
    format!("s-{index}")
}

pub(super) fn api(format: Format) -> &'static str {
    match format {
        Format::Native => "sealing.dev/v1alpha1",
        Format::Bitnami => "bitnami.com/v1alpha1",
    }
}

/// The path of all objects of a format.
pub(crate) fn everywhere(format: Format) -> String {
    format!("/apis/{}/sealedsecrets", api(format))
}

/// The path of the objects in a namespace.
pub(crate) fn collection(format: Format, namespace: &str) -> String {
    format!("/apis/{}/namespaces/{namespace}/sealedsecrets", api(format))
}

/// The Secret of a key of sealed-secrets.
pub(crate) fn bitnami_key(namespace: &str, certificate: &str, private: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls",
        "metadata": {"namespace": namespace, "name": "sealed-secrets-key", "labels": {SEALING_KEY_LABEL: "active"}},
        "data": {"tls.crt": BASE64.encode(certificate), "tls.key": BASE64.encode(private)},
    })
}

/// Name and values of each Secret in a namespace, but for the probe's.
fn secrets(index: usize) -> Vec<(String, BTreeMap<String, String>)> {
    #[derive(Deserialize)]
    struct List {
        items: Vec<Secret>,
    }
    #[derive(Deserialize)]
    struct Secret {
        metadata: Metadata,
        #[serde(default)]
        data: BTreeMap<String, String>,
    }
    #[derive(Deserialize)]
    struct Metadata {
        name: String,
    }
    let path = format!("/api/v1/namespaces/{}/secrets", namespace(index));
    let request = requests::get(&path, "application/json");
    let text = requests::block_on(requests::shared().request_text(request)).expect("Secrets can be listed");
    let list: List = serde_json::from_str(&text).expect("a list of Secrets");
    let all = list.items.into_iter().filter(|secret| !secret.metadata.name.starts_with(super::probe::NAME));
    all.map(|secret| (secret.metadata.name, secret.data)).collect()
}
