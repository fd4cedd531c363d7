//! The surroundings of a controller test: namespaces of its own, the roles as they ship, a controller, and
//! Secrets sealed to its key.
//!
//! Sealing happens in this process, since the command line has tests of its own. Invariant: a controller here may
//! do what `controller/deploy/rbac.yaml` grants, in the two namespaces of its scene, and nothing else.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use seal_crds::native::NamedRecipient;
use seal_tests::api::{Api, Refused};
use seal_tests::control_plane::ControlPlane;
use seal_tests::controller::Controller;
use seal_tests::toolchain;
use seal_tests::wait::{eventually, until};
use serde::Deserialize as _;
use serde_json::{Value, json};

use super::sealing::Sealing;

/// The service account of the controllers, and the name of its roles.
pub(crate) const ACCOUNT: &str = "seal-controller";

/// Two namespaces on a control plane, with the rights in them.
pub(crate) struct Scene<'p> {
    pub(crate) plane: &'p ControlPlane,
    /// The watched namespace.
    pub(crate) namespace: String,
    /// The controller's own namespace, with its keys.
    pub(crate) keys: String,
    /// The controller's kubeconfig.
    pub(crate) kubeconfig: PathBuf,
    recipient: OnceLock<NamedRecipient>,
}

impl Scene<'static> {
    /// A scene with namespaces and roles on the shared control plane, but no controller yet.
    pub(crate) fn new(prefix: &str) -> Self {
        let plane = ControlPlane::shared();
        Self::within(plane.namespace(prefix), plane.namespace(&format!("{prefix}-keys")))
    }

    /// A scene with a controller that is ready.
    pub(crate) fn with_controller(prefix: &str) -> (Self, Controller) {
        let scene = Self::new(prefix);
        let controller = scene.start(&[]);
        (scene, controller)
    }

    /// A scene with one namespace for both: the controller watches its own.
    pub(crate) fn in_one_namespace(prefix: &str) -> Self {
        let namespace = ControlPlane::shared().namespace(prefix);
        Self::within(namespace.clone(), namespace)
    }

    fn within(namespace: String, keys: String) -> Self {
        let scene = Self::on(ControlPlane::shared(), namespace, keys);
        scene.grant();
        scene
    }
}

impl<'p> Scene<'p> {
    /// A scene in existing namespaces, on a control plane where the roles are granted already.
    pub(crate) fn on(plane: &'p ControlPlane, namespace: String, keys: String) -> Self {
        let kubeconfig = plane.service_account(&keys, ACCOUNT);
        Self { plane, namespace, keys, kubeconfig, recipient: OnceLock::new() }
    }

    /// Starts a controller of this scene, with further flags, and waits until it is ready.
    pub(crate) fn start(&self, flags: &[&str]) -> Controller {
        self.launch(flags).ready()
    }

    /// Ends the controller and starts another, whose caches hold everything that was there before. A controller that
    /// has just written a Secret may see its own status before its own Secret; it then opens the object once more.
    pub(crate) fn restart(&self, mut controller: Controller) -> Controller {
        assert!(controller.terminate().success());
        self.start(&[])
    }

    /// As [`Scene::start`], but doesn't wait until the controller is ready.
    pub(crate) fn launch(&self, flags: &[&str]) -> Controller {
        let own = [format!("--namespace={}", self.keys), format!("--watch-namespace={}", self.namespace)];
        let flags: Vec<String> = own.into_iter().chain(flags.iter().map(ToString::to_string)).collect();
        Controller::start(&self.kubeconfig, self.plane.dir(), &flags)
    }

    /// Starts a controller with the flags of the shipped Deployment: none, so it watches every namespace.
    pub(crate) fn start_as_shipped(&self) -> Controller {
        Controller::start::<&str>(&self.kubeconfig, self.plane.dir(), &[]).ready()
    }

    /// Grants the rights of `rbac.yaml` in these two namespaces: the ClusterRole by a RoleBinding in each, the
    /// Role in the controller's own.
    fn grant(&self) {
        let file = fs::read_to_string(toolchain::repository().join("controller/deploy/rbac.yaml")).unwrap();
        let documents = serde_yaml::Deserializer::from_str(&file).map(|it| Value::deserialize(it).unwrap());
        let rbac = "/apis/rbac.authorization.k8s.io/v1";
        for mut role in documents {
            match role["kind"].as_str() {
                Some("ClusterRole") => {
                    self.api().apply(&format!("{rbac}/clusterroles/{ACCOUNT}"), "test", true, &role).unwrap();
                }
                Some("Role") => {
                    role["metadata"]["namespace"] = json!(self.keys);
                    self.api().create(&format!("{rbac}/namespaces/{}/roles", self.keys), &role).unwrap();
                }
                _ => {}
            }
        }
        for (namespace, kind) in
            [(&self.namespace, "ClusterRole"), (&self.keys, "ClusterRole"), (&self.keys, "Role")]
        {
            let binding = json!({
                "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
                "metadata": {"name": format!("{ACCOUNT}-{}", kind.to_lowercase())},
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": ACCOUNT},
                "subjects": [{"kind": "ServiceAccount", "name": ACCOUNT, "namespace": self.keys}],
            });
            let name = binding["metadata"]["name"].as_str().unwrap();
            let path = format!("{rbac}/namespaces/{namespace}/rolebindings/{name}");
            self.api().apply(&path, "test", true, &binding).unwrap();
        }
        // The API server's authorizer has a cache of its own.
        let (controller, last) = (Api::new(&self.kubeconfig), format!("{}?limit=1", self.sealing_keys("")));
        until("the roles are in force", || {
            controller.create(&last, &json!({})).err().map(|no| no.code) != Some(403)
        });
    }

    /// A client of the API as the administrator.
    pub(crate) fn api(&self) -> &'p Api {
        self.plane.api()
    }

    /// The path of a SealedSecret; of the collection if the name is empty.
    pub(crate) fn sealed_secrets(&self, name: &str) -> String {
        path("/apis/sealing.dev/v1alpha1", &self.namespace, "sealedsecrets", name)
    }

    /// The path of a Secret in the watched namespace.
    pub(crate) fn secrets(&self, name: &str) -> String {
        path("/api/v1", &self.namespace, "secrets", name)
    }

    /// The path of a SealingKey.
    pub(crate) fn sealing_keys(&self, name: &str) -> String {
        path("/apis/sealing.dev/v1alpha1", &self.keys, "sealingkeys", name)
    }

    /// The path of a Secret in the controller's own namespace.
    pub(crate) fn identities(&self, name: &str) -> String {
        path("/api/v1", &self.keys, "secrets", name)
    }

    /// Deletes the Secret of a key although its finalizer holds it: the key is lost.
    #[track_caller]
    pub(crate) fn lose_key(&self, name: &str) {
        self.api().delete(&self.identities(name)).unwrap();
        self.api().merge(&self.identities(name), &json!({"metadata": {"finalizers": null}})).unwrap();
        until("the Secret is gone", || self.api().get(&self.identities(name)).is_none());
    }

    /// The recipient that the controller publishes as primary.
    pub(crate) fn recipient(&self) -> NamedRecipient {
        let fetch = || {
            let recipient = eventually("a primary SealingKey", || {
                let keys = self.api().get(&self.sealing_keys("")).unwrap();
                let primary = items(&keys).iter().find(|key| condition(key, "Primary").0 == "True");
                primary.map(|key| key["spec"]["recipient"].as_str().unwrap().to_owned()).ok_or(keys)
            });
            NamedRecipient { recipient: recipient.parse().unwrap(), name: None }
        };
        self.recipient.get_or_init(fetch).clone()
    }

    /// Starts to seal a Secret for this namespace under this name, strict, to the controller's recipient.
    pub(crate) fn seal(&self, name: &str) -> Sealing<'_> {
        Sealing::new(self, name)
    }

    /// Applies a SealedSecret, as a GitOps tool does.
    pub(crate) fn commit(&self, manifest: &Value) -> Result<Value, Refused> {
        let name = manifest["metadata"]["name"].as_str().unwrap();
        self.api().apply(&self.sealed_secrets(name), "gitops", true, manifest)
    }

    /// The SealedSecret as it is now.
    #[track_caller]
    pub(crate) fn sealed(&self, name: &str) -> Value {
        self.api().get(&self.sealed_secrets(name)).expect("the SealedSecret exists")
    }

    /// The Secret as it is now; none if it doesn't exist.
    #[track_caller]
    pub(crate) fn secret(&self, name: &str) -> Option<Value> {
        self.api().get(&self.secrets(name))
    }

    /// The Secret's values; empty if there is no Secret.
    #[track_caller]
    pub(crate) fn data(&self, name: &str) -> BTreeMap<String, Vec<u8>> {
        let secret = self.secret(name).unwrap_or_default();
        let values = secret["data"].as_object().into_iter().flatten();
        values.map(|(key, value)| (key.clone(), BASE64.decode(value.as_str().unwrap()).unwrap())).collect()
    }

    /// The SealedSecret, as soon as its status says Ready for its present generation.
    #[track_caller]
    pub(crate) fn until_ready(&self, name: &str) -> Value {
        eventually(&format!("{name} is ready"), || {
            let object = self.sealed(name);
            let seen = object["status"]["observedGeneration"] == object["metadata"]["generation"];
            if seen && condition(&object, "Ready").0 == "True" {
                Ok(object)
            } else {
                Err(object["status"].clone())
            }
        })
    }

    /// The message, as soon as the SealedSecret is Stalled for this reason.
    #[track_caller]
    pub(crate) fn until_stalled(&self, name: &str, reason: &str) -> String {
        eventually(&format!("{name} is stalled for {reason}"), || {
            let object = self.sealed(name);
            let (status, found, message) = condition(&object, "Stalled");
            let seen = object["status"]["observedGeneration"] == object["metadata"]["generation"];
            if seen && status == "True" && found == reason {
                Ok(message)
            } else {
                Err(object["status"].clone())
            }
        })
    }

    /// Asks the controller to look at the object again, and waits until it has. By then the controller has acted
    /// on every earlier change.
    #[track_caller]
    pub(crate) fn nudge(&self, name: &str) -> Value {
        self.nudge_at(&self.sealed_secrets(name))
    }

    /// As [`Scene::nudge`], for the SealedSecret at this path, of either group.
    #[track_caller]
    pub(crate) fn nudge_at(&self, path: &str) -> Value {
        static LAST: AtomicU32 = AtomicU32::new(0);
        let request = format!("nudge-{}", LAST.fetch_add(1, Ordering::Relaxed));
        let patch = json!({"metadata": {"annotations": {"reconcile.fluxcd.io/requestedAt": request}}});
        self.api().merge(path, &patch).unwrap();
        eventually(&format!("{path} was looked at"), || {
            let object = self.api().get(path).expect("the SealedSecret exists");
            if object["status"]["lastHandledReconcileAt"] == request {
                Ok(object)
            } else {
                Err(object["status"].clone())
            }
        })
    }

    /// Reason and note of each Event about a SealedSecret.
    pub(crate) fn events(&self, name: &str) -> Vec<(String, String)> {
        let path = path("/apis/events.k8s.io/v1", &self.namespace, "events", "");
        let events = self.api().get(&path).unwrap();
        let about = items(&events).iter().filter(|event| {
            event["regarding"]["kind"] == "SealedSecret" && event["regarding"]["name"] == name
        });
        let text = |event: &Value, field: &str| event[field].as_str().unwrap_or_default().to_owned();
        about.map(|event| (text(event, "reason"), text(event, "note"))).collect()
    }

    /// The requests of this scene's controllers to the API server, from the audit log.
    pub(crate) fn requests(&self) -> Vec<Value> {
        let user = format!("system:serviceaccount:{}:{ACCOUNT}", self.keys);
        self.plane.audit_events(|event| event["user"]["username"] == user)
    }
}

/// Status, reason and message of a condition; empty if the object doesn't have it.
pub(crate) fn condition(object: &Value, type_: &str) -> (String, String, String) {
    let mut conditions = object["status"]["conditions"].as_array().into_iter().flatten();
    let found = conditions.find(|condition| condition["type"] == type_);
    let text = |field: &str| found.and_then(|it| it[field].as_str()).unwrap_or_default().to_owned();
    (text("status"), text("reason"), text("message"))
}

/// The items of a list.
pub(crate) fn items(list: &Value) -> &[Value] {
    list["items"].as_array().map_or(&[], Vec::as_slice)
}

/// The path of an object; of the collection if the name is empty.
pub(crate) fn path(api: &str, namespace: &str, plural: &str, name: &str) -> String {
    let slash = if name.is_empty() { "" } else { "/" };
    format!("{api}/namespaces/{namespace}/{plural}{slash}{name}")
}
