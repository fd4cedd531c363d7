//! The surroundings of a test with controllers: a control plane, the sealing keys in a namespace, and a running
//! controller.
//!
//! Not the cases. Invariant: the two controllers never serve at once.

use std::collections::BTreeMap;
use std::path::PathBuf;

use seal_crds::scope::Scope;
use seal_tests::api::Api;
use seal_tests::control_plane::{ControlPlane, definitions, succeed};
use seal_tests::peer::{NAME, PORT, Serving};
use seal_tests::wait::eventually;
use serde_json::{Value, json};

use super::cases::{Case, Content};
use super::keys::KEYS;

/// The namespace in which both controllers keep the sealing keys.
pub(crate) const KEY_NAMESPACE: &str = "sealed-secrets";
/// The path of all objects of the peer's format, in all namespaces.
pub(crate) const BITNAMI: &str = "/apis/bitnami.com/v1alpha1/sealedsecrets";
/// The path of all objects of the native format, in all namespaces.
pub(crate) const NATIVE: &str = "/apis/sealing.dev/v1alpha1/sealedsecrets";
/// The path of the peer's API group.
const GROUP: &str = "/apis/bitnami.com/v1alpha1";

/// A control plane, with the rights on it.
pub(crate) struct Stage {
    pub(crate) plane: ControlPlane,
    /// Our controller's kubeconfig, with the roles as they ship.
    kubeconfig: PathBuf,
}

/// An object, and the namespace that it is in.
pub(crate) struct Object {
    pub(crate) namespace: String,
    pub(crate) case: Case,
    pub(crate) scope: Scope,
    pub(crate) sealed: Value,
}

impl Stage {
    /// A stage with our definitions and roles, and both sealing keys, but no controller yet.
    pub(crate) fn new() -> Self {
        let plane = ControlPlane::start_apart(&definitions()).unwrap();
        plane.deploy();
        let kubeconfig = plane.service_account("seal-system", "seal-controller");
        let stage = Self { plane, kubeconfig };
        stage.namespace(KEY_NAMESPACE);
        for key in &KEYS {
            stage.create(&secrets(KEY_NAMESPACE), &key.secret(KEY_NAMESPACE));
        }
        stage
    }

    pub(crate) fn api(&self) -> &Api {
        self.plane.api()
    }

    pub(crate) fn namespace(&self, name: &str) {
        self.create(
            "/api/v1/namespaces",
            &json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}),
        );
    }

    #[track_caller]
    fn create(&self, path: &str, object: &Value) {
        if let Err(refused) = self.api().create(path, object) {
            panic!("{path}: {refused}: {}", object["metadata"]);
        }
    }

    /// Starts the real controller, with the existing keys.
    pub(crate) fn theirs(&self) -> Serving {
        Serving::theirs(&self.plane, KEY_NAMESPACE, &["--key-renew-period=0"])
    }

    /// Starts our controller, with the same keys, in the same place.
    pub(crate) fn ours(&self) -> Serving {
        self.ours_with(&[])
    }

    /// As [`Stage::ours`], with further flags.
    pub(crate) fn ours_with(&self, flags: &[&str]) -> Serving {
        let keys = format!("--bitnami-key-namespace={KEY_NAMESPACE}");
        let flags = [&["--namespace=seal-system", &keys], flags].concat();
        Serving::ours(&self.plane, &self.kubeconfig, KEY_NAMESPACE, &flags)
    }

    /// Starts our controller in a Pod, with the same keys, in the same place.
    pub(crate) fn ours_in_a_pod(&self) -> Serving {
        let keys = format!("--bitnami-key-namespace={KEY_NAMESPACE}");
        Serving::ours_in_a_pod(&self.plane, KEY_NAMESPACE, &["--namespace=seal-system", &keys])
    }

    /// Creates the objects, in namespaces made for them, after the Secrets that exist before.
    #[track_caller]
    pub(crate) fn add(&self, objects: &[Object]) {
        let mut namespaces: Vec<_> = objects.iter().map(|object| &object.namespace).collect();
        namespaces.sort();
        namespaces.dedup();
        for namespace in namespaces {
            self.namespace(namespace);
        }
        for Object { namespace, case, sealed, .. } in objects {
            if let Some(secret) = case.secret_before(namespace) {
                self.create(&secrets(namespace), &secret);
            }
            self.create(&format!("{GROUP}/namespaces/{namespace}/sealedsecrets"), sealed);
        }
    }

    /// Every object of a kind, by namespace and name.
    pub(crate) fn all(&self, path: &str) -> BTreeMap<(String, String), Value> {
        let list = self.api().get(path).expect("the kind is served");
        let objects = list["items"].as_array().unwrap().iter().cloned();
        let text = |object: &Value, field: &str| object["metadata"][field].as_str().unwrap().to_owned();
        objects.map(|object| ((text(&object, "namespace"), text(&object, "name")), object)).collect()
    }

    /// The Secrets of the objects, as soon as all of them are right.
    #[track_caller]
    pub(crate) fn until_right(&self, objects: &[Object]) -> BTreeMap<(String, String), Value> {
        eventually("all Secrets are as they should be", || {
            let mut secrets = self.all("/api/v1/secrets");
            let mut wrong = Vec::new();
            for Object { namespace, case, .. } in objects {
                let found = secrets.get(&(namespace.clone(), case.name.to_owned()));
                let owners = found.and_then(|secret| secret["metadata"]["ownerReferences"].as_array());
                let owned = owners.is_some_and(|owners| owners.len() == 1 && owners[0]["name"] == case.name);
                if found.map(Content::of) != Some(case.expected()) || owned != case.owned {
                    wrong.push(format!("{namespace}/{}: {}", case.name, self.why(namespace, case.name)));
                }
            }
            secrets.retain(|key, _| {
                objects.iter().any(|object| (&object.namespace, object.case.name) == (&key.0, &*key.1))
            });
            if wrong.is_empty() { Ok(secrets) } else { Err(wrong.join("\n")) }
        })
    }

    /// Waits until a condition is `True` for the present generation of each object.
    #[track_caller]
    pub(crate) fn until_all(&self, kind: &str, condition: &str, objects: &[Object]) {
        eventually(&format!("all are {condition}"), || {
            let sealed = self.all(kind);
            let mut wrong = Vec::new();
            for Object { namespace, case, .. } in objects {
                let object = &sealed[&(namespace.clone(), case.name.to_owned())];
                let mut conditions = object["status"]["conditions"].as_array().into_iter().flatten();
                let holds = conditions.any(|it| it["type"] == condition && it["status"] == "True");
                if !holds || object["status"]["observedGeneration"] != object["metadata"]["generation"] {
                    wrong.push(format!("{namespace}/{}: {}", case.name, object["status"]));
                }
            }
            if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
        });
    }

    fn why(&self, namespace: &str, name: &str) -> String {
        let sealed = self.api().get(&sealed_secret(namespace, name));
        sealed.map_or_else(|| "no SealedSecret".to_owned(), |sealed| sealed["status"].to_string())
    }

    /// The value of one of the peer's counters, summed over its labels.
    pub(crate) fn their_metric(&self, name: &str) -> u64 {
        let port = PORT + 1;
        let path = format!("/api/v1/namespaces/{KEY_NAMESPACE}/pods/{NAME}:{port}/proxy/metrics");
        let page = succeed(&mut self.plane.kubectl(["get", "--raw", &path])).stdout;
        let page = String::from_utf8(page).unwrap();
        let series = page.lines().filter(|line| line.starts_with(name));
        series.filter_map(|line| line.rsplit_once(' ')?.1.parse::<u64>().ok()).sum()
    }
}

pub(crate) fn sealed_secret(namespace: &str, name: &str) -> String {
    format!("{GROUP}/namespaces/{namespace}/sealedsecrets/{name}")
}

pub(crate) fn secrets(namespace: &str) -> String {
    format!("/api/v1/namespaces/{namespace}/secrets")
}
