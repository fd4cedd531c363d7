//! A repository of SealedSecrets, as people and tools write them: blocks with comments, CRLF, a byte order mark, JSON,
//! flow style, several documents, Lists, and bases and patches of kustomize.
//!
//! Sealing happens in this process. Invariant: in every object, `encryptedData` follows right after `envelopes`, so that
//! [`outside`] can leave the envelopes out.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use seal_crds::keys::Identity;
use seal_crds::native::{Item, NamedRecipient, seal};
use seal_crds::resources::{SealedSecretSpec, Template};
use seal_crds::{Place, Plaintext, Scope};
use serde::Serialize;

use crate::sandbox::Sandbox;

/// The files with SealedSecrets in them, and the number of those.
pub(super) struct Repository {
    pub(super) paths: BTreeSet<PathBuf>,
    /// The paths of files whose objects name no namespace.
    bases: Vec<String>,
    others: Vec<String>,
    pub(super) objects: usize,
}

/// The namespace of objects that name none: that of their kustomization.
const BASE_NAMESPACE: &str = "base";

const CONFIG_MAP: &str = "apiVersion: v1\nkind: ConfigMap   # as it is\nmetadata: {name: c}\n";

impl Repository {
    pub(super) fn new(sandbox: &Sandbox, keys: &[Identity], files: usize) -> Self {
        let mut repository =
            Self { paths: BTreeSet::new(), bases: Vec::new(), others: Vec::new(), objects: files };
        for index in 0..files {
            let layout = index % 9;
            let name = format!("s{index}");
            let namespace = if layout == 7 { BASE_NAMESPACE.to_owned() } else { format!("n{}", index % 5) };
            let object = |name: &str| sealed(&namespace, name, index, keys);
            let spec = object(&name);
            let (path, text) = match layout {
                0 => (format!("apps/{name}.yaml"), block(&spec, &name, Some(&namespace))),
                1 => {
                    (format!("apps/{name}.yml"), block(&spec, &name, Some(&namespace)).replace('\n', "\r\n"))
                }
                2 => {
                    let text = serde_json::to_string_pretty(&Ordered::new(&spec, &name, &namespace)).unwrap();
                    (format!("json/{name}.json"), text + "\n")
                }
                3 => {
                    let text = serde_json::to_string(&Ordered::new(&spec, &name, &namespace)).unwrap();
                    (format!("json/{name}.json"), text)
                }
                4 => (
                    format!("flow/{name}.yaml"),
                    format!(
                        "apiVersion: sealing.dev/v1alpha1\nkind: SealedSecret # flow\nmetadata: {{name: {name}, \
                         namespace: {namespace}}}\nspec: {}\n",
                        serde_json::to_string(&spec).unwrap()
                    ),
                ),
                5 => (
                    format!("many/{name}.yaml"),
                    format!(
                        "# head\n{CONFIG_MAP}--- # next\n{}---\n{CONFIG_MAP}...\n",
                        block(&spec, &name, Some(&namespace))
                    ),
                ),
                6 => {
                    repository.objects += 1;
                    let other = format!("{name}-b");
                    let item = |spec: &SealedSecretSpec, name: &str| {
                        let text = block(spec, name, Some(&namespace)).replace('\n', "\n  ");
                        format!("- {}\n", text.trim_end())
                    };
                    let (one, two) = (item(&spec, &name), item(&object(&other), &other));
                    let text = format!(
                        "apiVersion: v1\nkind: List\nitems:\n{one}- {{apiVersion: v1, kind: Pod}} # two\n{two}"
                    );
                    (format!("lists/{name}.yaml"), text)
                }
                7 => {
                    let patch = format!(
                        "apiVersion: sealing.dev/v1alpha1\nkind: SealedSecret\nmetadata: {{name: {name}}}\nspec:\n  \
                         template:\n    metadata: {{labels: {{team: x}}}}\n"
                    );
                    sandbox.write(format!("overlays/{name}/patch.yaml"), patch);
                    let kustomization = format!(
                        "namespace: {BASE_NAMESPACE}\nresources: [../../base/{name}.yaml]\npatches: [{{path: patch.yaml}}]\n"
                    );
                    sandbox.write(format!("overlays/{name}/kustomization.yaml"), kustomization);
                    (format!("base/{name}.yaml"), block(&spec, &name, None))
                }
                _ => (
                    format!("mark/{name}.yaml"),
                    format!("\u{feff}{}", block(&spec, &name, Some(&namespace))),
                ),
            };
            sandbox.write(&path, text);
            repository.paths.insert(path.clone().into());
            if layout == 7 { &mut repository.bases } else { &mut repository.others }.push(path);
        }
        sandbox.write("values.yaml", "a: [b # no manifest\n");
        sandbox.write("README.yaml", CONFIG_MAP);
        repository
    }

    /// What `seal unseal` opens with this identity file.
    pub(super) fn values(&self, sandbox: &Sandbox, key: &str) -> Vec<u8> {
        let unseal = |args: &[&str], files: &[String]| {
            let args = args.iter().map(ToString::to_string);
            sandbox.succeed(args.chain(files.iter().cloned()).collect::<Vec<_>>(), "")
        };
        let mut values = unseal(&["unseal", "-i", key], &self.others);
        if !self.bases.is_empty() {
            values.extend(unseal(&["unseal", "-i", key, "-n", BASE_NAMESPACE], &self.bases));
        }
        values
    }
}

/// An object sealed to one of the keys; every fourth has a second envelope to another.
fn sealed(namespace: &str, name: &str, index: usize, keys: &[Identity]) -> SealedSecretSpec {
    let place = Place { namespace: namespace.parse().unwrap(), name: name.parse().unwrap() };
    let scope = if index % 5 == 1 { Scope::NamespaceWide } else { Scope::Strict };
    let one = |key: &Identity, items: &[&str]| {
        let items = items.iter().map(|item| {
            let value = format!("opensesame-{name}-{item}\n").into_bytes();
            (item.parse().unwrap(), Item::new(Plaintext::from(value), false))
        });
        let items: BTreeMap<_, _> = items.collect();
        let to = NamedRecipient { recipient: key.recipient().clone(), name: Some("old".to_owned()) };
        let template = Template { type_: Some("Opaque".to_owned()), ..Template::default() };
        seal(&place, scope, &[to], &items, template, &BTreeSet::new()).unwrap()
    };
    let mut spec = one(&keys[index % keys.len()], &["user", "tls.key"]);
    if index % 4 == 3 {
        let added = one(&keys[(index + 1) % keys.len()], &["added"]);
        spec.envelopes.extend(added.envelopes);
        spec.encrypted_data.extend(added.encrypted_data);
    }
    spec
}

/// Block style, with comments wherever people put them.
fn block(spec: &SealedSecretSpec, name: &str, namespace: Option<&str>) -> String {
    let namespace =
        namespace.map(|namespace| format!("  namespace: {namespace}  # where\n")).unwrap_or_default();
    let spec = serde_yaml::to_string(spec).unwrap().trim_end().replace('\n', "\n  ");
    let spec = spec.replace("  encryptedData:", "  encryptedData: # the items\n    # of the team");
    let spec = spec.replacen("scope:", "# how far\n  scope:", 1);
    format!(
        "apiVersion: sealing.dev/v1alpha1\nkind: SealedSecret\nmetadata:\n  name: {name}\n{namespace}  labels: {{'app':   \"x\"}}\nspec:\n  \
         {spec}\n  # the end\n"
    )
}

/// An object whose fields are written in this order. A JSON value would sort them.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Ordered<'o> {
    api_version: &'o str,
    kind: &'o str,
    metadata: BTreeMap<&'o str, &'o str>,
    spec: &'o SealedSecretSpec,
}

impl<'o> Ordered<'o> {
    fn new(spec: &'o SealedSecretSpec, name: &'o str, namespace: &'o str) -> Self {
        let metadata = [("name", name), ("namespace", namespace)].into();
        Self { api_version: "sealing.dev/v1alpha1", kind: "SealedSecret", metadata, spec }
    }
}

/// The text without the envelopes of its objects.
pub(super) fn outside(text: &str) -> String {
    without(text, "envelopes", "encryptedData")
}

/// The text without the envelopes and the items of its objects.
pub(super) fn outside_of_items(text: &str) -> String {
    without(text, "envelopes", "template")
}

fn without(text: &str, from: &str, to: &str) -> String {
    let (mut left, mut rest) = (String::new(), text);
    while let Some(start) = rest.find(from) {
        left += &rest[..start];
        rest = &rest[start..];
        rest = &rest[rest.find(to).unwrap_or(rest.len())..];
    }
    left + rest
}
