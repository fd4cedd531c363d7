//! Plays the kubelet for `controller/deploy`: runs a controller while there is a Deployment, with its flags and the
//! ConfigMaps that it mounts, and starts another when the Pod's template changes.
//!
//! No container: the controller is a process of the test, under the service account that the Deployment names.
//! Invariant: no flag is the test's own, except for the address to listen on.

use std::fs;
use std::path::PathBuf;
use std::rc::Rc;

use seal_tests::control_plane::ControlPlane;
use seal_tests::controller::Controller;
use serde_json::{Value, json};

use crate::cluster::scene::ACCOUNT;

/// The namespace of `controller/deploy`.
pub(crate) const SYSTEM: &str = "seal-system";

/// The kubelet of one control plane.
pub(crate) struct Kubelet {
    plane: Rc<ControlPlane>,
    running: Option<(Value, Controller)>,
    volumes: tempfile::TempDir,
}

impl Kubelet {
    pub(crate) fn new(plane: Rc<ControlPlane>) -> Self {
        let volumes = tempfile::Builder::new().prefix("seal-volumes-").tempdir().unwrap();
        Self { plane, running: None, volumes }
    }

    /// Brings the controller in step with the Deployment.
    pub(crate) fn sync(&mut self) {
        let wanted = self.wanted();
        let is_same = match (&self.running, &wanted) {
            (Some((running, _)), Some(wanted)) => running == wanted,
            (None, None) => true,
            _ => false,
        };
        if is_same {
            return;
        }
        if let Some((_, mut controller)) = self.running.take() {
            assert!(controller.terminate().success(), "{}", controller.log());
        }
        if let Some(template) = wanted {
            let controller = self.start(&template);
            self.running = Some((template, controller));
            self.report();
        }
    }

    /// Kills the controller, as a node that fails does. The next [`Self::sync`] starts another.
    pub(crate) fn kill(&mut self) {
        self.running = None;
    }

    pub(crate) fn is_running(&self) -> bool {
        self.running.is_some()
    }

    /// Says in the Deployment's status that its Pods are there. One process stands for all of them.
    fn report(&self) {
        let deployment = self.plane.object(["deployment", "-n", SYSTEM, ACCOUNT]);
        let replicas = &deployment["spec"]["replicas"];
        let path = format!("/apis/apps/v1/namespaces/{SYSTEM}/deployments/{ACCOUNT}/status");
        let status = json!({
            "observedGeneration": deployment["metadata"]["generation"],
            "replicas": replicas, "updatedReplicas": replicas, "readyReplicas": replicas, "availableReplicas": replicas,
        });
        self.plane.api().merge(&path, &json!({ "status": status })).unwrap();
    }

    /// The Pod's template; `None` if there is no Deployment, or one without replicas.
    fn wanted(&self) -> Option<Value> {
        let found = self.plane.kubectl(["get", "deployment", "-n", SYSTEM, ACCOUNT, "-o", "json"]).output();
        let deployment: Value = serde_json::from_slice(&found.unwrap().stdout).ok()?;
        let is_wanted =
            deployment["spec"]["replicas"] != 0 && deployment["metadata"]["deletionTimestamp"].is_null();
        is_wanted.then(|| deployment["spec"]["template"].clone())
    }

    fn start(&self, template: &Value) -> Controller {
        let spec = &template["spec"];
        let container = &spec["containers"][0];
        let mut args: Vec<String> = serde_json::from_value(container["args"].clone()).unwrap();
        let flags = args.iter().position(|arg| arg == "run").expect("the Deployment runs the controller") + 1;
        for mount in container["volumeMounts"].as_array().into_iter().flatten() {
            let folder = self.mount(spec, &mount["name"]);
            let path = mount["mountPath"].as_str().unwrap();
            for arg in &mut args {
                *arg = arg.replace(&format!("={path}/"), &format!("={}/", folder.display()));
            }
        }
        let account = self.plane.service_account(SYSTEM, spec["serviceAccountName"].as_str().unwrap());
        Controller::start(&account, self.plane.dir(), &args[flags..]).ready()
    }

    /// Writes the files of a ConfigMap volume, and returns their folder.
    fn mount(&self, spec: &Value, name: &Value) -> PathBuf {
        let volume =
            spec["volumes"].as_array().into_iter().flatten().find(|volume| volume["name"] == *name).unwrap();
        let source = volume["configMap"]["name"].as_str().expect("only ConfigMaps are mounted");
        let folder = self.volumes.path().join(source);
        fs::create_dir_all(&folder).unwrap();
        let map = self.plane.object(["configmap", "-n", SYSTEM, source]);
        for (file, content) in map["data"].as_object().into_iter().flatten() {
            fs::write(folder.join(file), content.as_str().unwrap()).unwrap();
        }
        folder
    }
}
