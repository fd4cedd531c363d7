//! A scene whose controller has a sealing key of the peer's, and objects sealed to it.
//!
//! Invariant: the key is the one in the contract's test data, so no test waits for a key to be made.

use seal_crds::bitnami::seal_item;
use seal_crds::keys::Certificate;
use seal_crds::{Binding, Place, Scope};
use seal_tests::controller::Controller;
use seal_tests::wait::eventually;
use serde_json::{Value, json};

use crate::cluster::scene::{Scene, condition, path};

pub(crate) const CERTIFICATE: &str = include_str!("../../../crds/src/keys/testdata/rsa-2048.crt");
const KEY: &str = include_str!("../../../crds/src/keys/testdata/rsa-2048.pem");

/// The peer's group in a scene.
pub(crate) struct Peers<'p> {
    pub(crate) scene: Scene<'p>,
}

impl Peers<'static> {
    /// A scene with the key in place, but no controller yet.
    pub(crate) fn new(prefix: &str) -> Self {
        Self::on(Scene::new(prefix))
    }

    /// A scene with a controller that is ready.
    pub(crate) fn with_controller(prefix: &str) -> (Self, Controller) {
        let peers = Self::new(prefix);
        let controller = peers.scene.start(&[]);
        (peers, controller)
    }
}

impl<'p> Peers<'p> {
    pub(crate) fn on(scene: Scene<'p>) -> Self {
        let key = json!({
            "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls",
            "metadata": {"name": "sealed-secrets-key1", "labels": {"sealedsecrets.bitnami.com/sealed-secrets-key": "active"}},
            "stringData": {"tls.crt": CERTIFICATE, "tls.key": KEY},
        });
        scene.api().create(&scene.identities(""), &key).unwrap();
        Self { scene }
    }

    /// The path of a SealedSecret; of the collection if the name is empty.
    pub(crate) fn path(&self, name: &str) -> String {
        path("/apis/bitnami.com/v1alpha1", &self.scene.namespace, "sealedsecrets", name)
    }

    /// A Secret to seal.
    pub(crate) fn seal(&self, name: &str) -> Sealing<'_> {
        Sealing {
            peers: self,
            place: Place { namespace: self.scene.namespace.parse().unwrap(), name: name.parse().unwrap() },
            manifest: json!({
                "apiVersion": "bitnami.com/v1alpha1", "kind": "SealedSecret",
                "metadata": {"name": name, "annotations": {}},
                "spec": {"encryptedData": {}, "template": {"metadata": {}}},
            }),
            scope: Scope::Strict,
        }
    }

    pub(crate) fn commit(&self, manifest: &Value) -> Value {
        let name = manifest["metadata"]["name"].as_str().unwrap();
        self.scene.api().apply(&self.path(name), "gitops", true, manifest).unwrap()
    }

    #[track_caller]
    pub(crate) fn sealed(&self, name: &str) -> Value {
        self.scene.api().get(&self.path(name)).expect("the SealedSecret exists")
    }

    #[track_caller]
    pub(crate) fn until_ready(&self, name: &str) -> Value {
        self.until_it_says(name, "Ready", "InSync").0
    }

    /// The message, as soon as the object is Stalled for this reason.
    #[track_caller]
    pub(crate) fn until_stalled(&self, name: &str, reason: &str) -> String {
        self.until_it_says(name, "Stalled", reason).1
    }

    #[track_caller]
    fn until_it_says(&self, name: &str, type_: &str, reason: &str) -> (Value, String) {
        eventually(&format!("{name} says {type_}, {reason}"), || {
            let object = self.sealed(name);
            let (status, found, message) = condition(&object, type_);
            let seen = object["status"]["observedGeneration"] == object["metadata"]["generation"];
            if seen && status == "True" && found == reason {
                Ok((object, message))
            } else {
                Err(object["status"].clone())
            }
        })
    }

    /// Waits until the controller has acted on a change that comes after all earlier ones.
    #[track_caller]
    pub(crate) fn after(&self, marker: &str) {
        self.seal(marker).item("a", "1").commit();
        self.until_ready(marker);
    }

    /// How often the controllers of this scene wrote a Secret, by the audit log.
    pub(crate) fn writes(&self, name: &str) -> usize {
        let reads = ["get", "list", "watch"];
        let requests = self.scene.requests().into_iter().filter(|request| {
            let object = &request["objectRef"];
            object["resource"] == "secrets"
                && object["namespace"] == self.scene.namespace
                && object["name"] == name
                && !reads.contains(&request["verb"].as_str().unwrap())
        });
        requests.count()
    }
}

/// A Secret that is about to be sealed.
pub(crate) struct Sealing<'a> {
    peers: &'a Peers<'a>,
    place: Place,
    scope: Scope,
    manifest: Value,
}

impl Sealing<'_> {
    /// Sets another scope than strict, for the items that follow.
    pub(crate) fn scope(mut self, scope: Scope) -> Self {
        self.scope = scope;
        if let Some(annotation) = scope.bitnami_annotation() {
            self.manifest["metadata"]["annotations"][annotation] = json!("true");
        }
        self
    }

    /// Seals the items that follow for another place than the object is committed in.
    pub(crate) fn for_place(mut self, namespace: &str, name: &str) -> Self {
        self.place = Place { namespace: namespace.parse().unwrap(), name: name.parse().unwrap() };
        self
    }

    pub(crate) fn item(mut self, name: &str, value: &str) -> Self {
        self.manifest["spec"]["encryptedData"][name] = json!(self.value(value.as_bytes()));
        self
    }

    /// The deprecated form: the whole Secret at once.
    pub(crate) fn whole(mut self, secret: &Value) -> Self {
        self.manifest["spec"] =
            json!({"encryptedData": {}, "data": self.value(secret.to_string().as_bytes())});
        self
    }

    fn value(&self, value: &[u8]) -> String {
        let certificate = Certificate::from_pem(CERTIFICATE).unwrap();
        seal_item(certificate.public_key(), &Binding::new(self.scope, &self.place), value)
    }

    pub(crate) fn label(mut self, key: &str, value: &str) -> Self {
        self.manifest["spec"]["template"]["metadata"]["labels"][key] = json!(value);
        self
    }

    /// Adds an annotation to the template.
    pub(crate) fn annotation(mut self, key: &str, value: &str) -> Self {
        self.manifest["spec"]["template"]["metadata"]["annotations"][key] = json!(value);
        self
    }

    /// Leaves an item out of the Secret.
    pub(crate) fn omit(mut self, item: &str) -> Self {
        self.manifest["spec"]["template"]["data"][item] = Value::Null;
        self
    }

    pub(crate) fn immutable(mut self) -> Self {
        self.manifest["spec"]["template"]["immutable"] = json!(true);
        self
    }

    pub(crate) fn manifest(self) -> Value {
        self.manifest
    }

    /// Commits the object, and returns it.
    #[track_caller]
    pub(crate) fn commit(self) -> Value {
        self.peers.commit(&self.manifest)
    }
}
