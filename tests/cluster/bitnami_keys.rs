//! The keys of sealed-secrets: loaded from where it keeps them, made if there is none, and served to kubeseal.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use seal_crds::bitnami::seal_item;
use seal_crds::keys::Certificate;
use seal_crds::{Binding, Place, Scope};
use seal_tests::controller::Controller;
use seal_tests::toolchain;
use seal_tests::wait::{eventually, until};
use serde::Deserialize as _;
use serde_json::{Value, json};

use super::scene::{ACCOUNT, Scene, condition, items};

macro_rules! key {
    ($name:literal) => {
        Key {
            pem: include_str!(concat!("../../controller/src/keys/bitnami/testdata/", $name, ".pem")),
            certificate: include_str!(concat!("../../controller/src/keys/bitnami/testdata/", $name, ".crt")),
        }
    };
}

pub(super) const OLDER: Key = key!("older");
pub(super) const NEWER: Key = key!("newer");
pub(super) const LABEL: &str = "sealedsecrets.bitnami.com/sealed-secrets-key";
pub(super) const COMPAT: &str = "--compat-http=127.0.0.1:0";
/// For tests with keys of long ago, which would be renewed at once.
pub(super) const NO_RENEWAL: &str = "--bitnami-key-renewal=0";

pub(super) struct Key {
    pem: &'static str,
    pub(super) certificate: &'static str,
}

impl Key {
    /// The key's Secret as the peer writes it.
    pub(super) fn secret(&self, name: &str, labels: &Value) -> Value {
        json!({
            "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls",
            "metadata": {"name": name, "labels": labels},
            "data": {"tls.key": BASE64.encode(self.pem), "tls.crt": BASE64.encode(self.certificate)},
        })
    }

    /// An object with one item, strict, in the watched namespace.
    pub(super) fn seal(&self, scene: &Scene) -> Value {
        let place = Place { namespace: scene.namespace.parse().unwrap(), name: "db".parse().unwrap() };
        let certificate = Certificate::from_pem(self.certificate).unwrap();
        let item = seal_item(certificate.public_key(), &Binding::new(Scope::Strict, &place), b"hunter2");
        json!({
            "apiVersion": "bitnami.com/v1alpha1", "kind": "SealedSecret",
            "metadata": {"name": "db", "namespace": scene.namespace}, "spec": {"encryptedData": {"password": item}},
        })
    }
}

/// The endpoints of a controller.
pub(super) struct Endpoints<'c> {
    controller: &'c Controller,
    pub(super) address: SocketAddr,
}

impl<'c> Endpoints<'c> {
    #[track_caller]
    pub(super) fn of(controller: &'c Controller) -> Self {
        let address = eventually("it says where it serves kubeseal", || {
            let log = controller.log();
            let line = log.lines().find(|line| line.contains("serving the endpoints of sealed-secrets"));
            let address =
                line.and_then(|line| line.split("address=").nth(1)?.split(' ').next()?.parse().ok());
            address.ok_or(log)
        });
        Self { controller, address }
    }

    pub(super) fn send(&self, method: &str, path: &str, body: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(self.address).unwrap();
        let length = body.len();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n"
        );
        stream.write_all((head + body).as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    fn url(&self) -> String {
        format!("http://{}/v1/cert.pem", self.address)
    }

    fn opens(&self, object: &Value) -> bool {
        self.send("POST", "/v1/verify", &object.to_string()).0 == 200
    }

    #[track_caller]
    pub(super) fn until_primary(&self, key: &Key) {
        eventually("the certificate is served", || match self.send("GET", "/v1/cert.pem", "") {
            (200, certificate) if certificate == key.certificate => Ok(()),
            other => Err(format!("{other:?}")),
        });
    }

    fn keys(&self, state: &str) -> u64 {
        self.controller.metric(&format!("seal_controller_bitnami_keys{{state=\"{state}\"}}"))
    }
}

/// Runs the real kubeseal, without a cluster.
#[track_caller]
fn kubeseal(args: &[&str], input: &str) -> String {
    let mut child = Command::new(toolchain::bin("kubeseal"))
        .args(args)
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn keys_come_and_go_without_a_restart_and_a_bad_one_stops_no_other() {
    let scene = Scene::new("peers-keys");
    // The peer's oldest form of a key, which has no label.
    scene.api().create(&scene.identities(""), &OLDER.secret("sealed-secrets-key", &json!({}))).unwrap();
    let flags = [COMPAT, NO_RENEWAL, "--compat-verify", "--compat-rate-limit=1000"];
    let controller = scene.start(&flags);
    let endpoints = Endpoints::of(&controller);
    endpoints.until_primary(&OLDER);
    assert!(endpoints.opens(&OLDER.seal(&scene)));
    assert!(!endpoints.opens(&NEWER.seal(&scene)));

    let active = json!({LABEL: "active"});
    let broken = Key { pem: "hunter2", certificate: OLDER.certificate };
    scene.api().create(&scene.identities(""), &broken.secret("broken", &active)).unwrap();
    scene.api().create(&scene.identities(""), &NEWER.secret("sealed-secrets-keyx7k2p", &active)).unwrap();
    endpoints.until_primary(&NEWER);
    assert!(endpoints.opens(&NEWER.seal(&scene)) && endpoints.opens(&OLDER.seal(&scene)));
    assert_eq!((endpoints.keys("loaded"), endpoints.keys("unusable")), (2, 1));

    let compromised = json!({"metadata": {"labels": {LABEL: "compromised"}}});
    scene.api().merge(&scene.identities("sealed-secrets-keyx7k2p"), &compromised).unwrap();
    endpoints.until_primary(&OLDER);
    assert!(!endpoints.opens(&NEWER.seal(&scene)) && endpoints.opens(&OLDER.seal(&scene)));
    assert_eq!((endpoints.keys("loaded"), endpoints.keys("inactive")), (1, 1));

    // Keys exist, so none is made.
    assert_eq!(scene.api().get(&scene.identities("sealed-secrets-key-first")), None);
    let log = controller.log();
    assert!(log.contains("broken"), "the Secret that holds no key is named");
    for secret in
        ["hunter2", &BASE64.encode("hunter2"), &NEWER.pem[40..80], &BASE64.encode(NEWER.pem)[40..80]]
    {
        assert!(!log.contains(secret), "{secret}");
    }
}

#[test]
fn an_object_that_no_key_opened_is_ready_as_soon_as_its_key_comes() {
    let (scene, _controller) = Scene::with_controller("peers-late");
    let objects = format!("/apis/bitnami.com/v1alpha1/namespaces/{}/sealedsecrets", scene.namespace);
    let mut manifest = NEWER.seal(&scene);
    manifest["spec"]["template"] = json!({});
    scene.api().create(&objects, &manifest).unwrap();
    let ready = || condition(&scene.api().get(&format!("{objects}/db")).unwrap(), "Ready");
    until("it is refused", || ready().1 == "NoMatchingKey");
    assert_eq!(scene.secret("db"), None);
    let secret = NEWER.secret("sealed-secrets-keyx7k2p", &json!({LABEL: "active"}));
    scene.api().create(&scene.identities(""), &secret).unwrap();
    until("it is ready", || ready().0 == "True");
    assert_eq!(scene.data("db")["password"], b"hunter2");
}

#[test]
fn two_controllers_make_one_key_that_kubeseal_seals_to_and_recovers_with() {
    let scene = Scene::new("peers-first");
    let flags = [COMPAT, "--compat-verify", "--compat-rotate", "--compat-rate-limit=1000"];
    let pair = [scene.launch(&flags), scene.launch(&flags)].map(Controller::ready);
    let [one, other] = [Endpoints::of(&pair[0]), Endpoints::of(&pair[1])];
    let certificate = eventually("a certificate is served", || match one.send("GET", "/v1/cert.pem", "") {
        (200, certificate) => Ok(certificate),
        other => Err(format!("{other:?}")),
    });
    until("both serve it", || other.send("GET", "/v1/cert.pem", "").1 == certificate);
    let backup = scene.api().get(&format!("{}?labelSelector={LABEL}=active", scene.identities(""))).unwrap();
    assert_eq!(items(&backup).len(), 1);
    assert_eq!(items(&backup)[0]["metadata"]["name"], "sealed-secrets-key-first");

    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db", "namespace": scene.namespace},
        "stringData": {"password": "hunter2"},
    });
    let sealed = kubeseal(&["--cert", &one.url()], &secret.to_string());
    assert_eq!(other.send("POST", "/v1/verify", &sealed).0, 200);
    let (status, resealed) = other.send("POST", "/v1/rotate", &sealed);
    assert_eq!(status, 200, "{resealed}");

    let mut backup = backup;
    backup["kind"] = json!("List");
    backup["apiVersion"] = json!("v1");
    for secret in backup["items"].as_array_mut().unwrap() {
        secret["kind"] = json!("Secret");
        secret["apiVersion"] = json!("v1");
    }
    let file = scene.plane.dir().join(format!("{}-backup.json", scene.keys));
    fs::write(&file, backup.to_string()).unwrap();
    let recover = ["--recovery-unseal", "--recovery-private-key", file.to_str().unwrap()];
    for object in [&sealed, &resealed] {
        let opened: Value = serde_json::from_str(&kubeseal(&recover, object)).unwrap();
        let values: BTreeMap<String, String> = BTreeMap::deserialize(&opened["data"]).unwrap();
        assert_eq!(values, [("password".to_owned(), BASE64.encode("hunter2"))].into());
    }
}

/// Who sealed to the old key goes on, and whoever keeps backups is told.
#[test]
fn an_old_key_is_renewed_once_by_two_replicas_and_an_event_says_to_back_the_new_one_up() {
    let scene = Scene::new("peers-renewed");
    let old = NEWER.secret("sealed-secrets-keyx7k2p", &json!({LABEL: "active"}));
    scene.api().create(&scene.identities(""), &old).unwrap();
    let flags = [COMPAT, "--compat-verify", "--compat-rate-limit=1000"];
    let pair = [scene.launch(&flags), scene.launch(&flags)].map(Controller::ready);
    let [one, other] = [Endpoints::of(&pair[0]), Endpoints::of(&pair[1])];
    let certificate =
        eventually("a new certificate is served", || match one.send("GET", "/v1/cert.pem", "") {
            (200, certificate) if certificate != NEWER.certificate => Ok(certificate),
            other => Err(format!("{other:?}")),
        });
    until("both serve it", || other.send("GET", "/v1/cert.pem", "").1 == certificate);
    assert!(one.opens(&NEWER.seal(&scene)) && other.opens(&NEWER.seal(&scene)));

    let labelled = format!("{}?labelSelector={LABEL}=active", scene.identities(""));
    let keys = scene.api().get(&labelled).unwrap();
    let mut names: Vec<_> =
        items(&keys).iter().map(|key| key["metadata"]["name"].as_str().unwrap()).collect();
    names.sort_unstable();
    let [made, "sealed-secrets-keyx7k2p"] = names[..] else { panic!("{names:?}") };
    let events = format!("/apis/events.k8s.io/v1/namespaces/{}/events", scene.keys);
    let told = eventually("an Event says so", || {
        let events = scene.api().get(&events).unwrap();
        let found: Vec<_> =
            items(&events).iter().filter(|event| event["reason"] == "BitnamiKeyMade").cloned().collect();
        if found.is_empty() { Err(events) } else { Ok(found) }
    });
    assert_eq!(told.len(), 1);
    assert_eq!(told[0]["regarding"]["name"], made);
    let note = told[0]["note"].as_str().unwrap();
    assert!(note.contains(&format!("kubectl get secrets -n {} -l {LABEL}", scene.keys)), "{note}");
    assert!(note.contains("age -R recovery.pub"), "{note}");

    // Of the keys, the next start makes no other.
    for mut controller in pair {
        assert!(controller.terminate().success());
    }
    let controller = scene.start(&flags);
    let endpoints = Endpoints::of(&controller);
    until("it serves the new one", || endpoints.send("GET", "/v1/cert.pem", "").1 == certificate);
    scene.seal("later").item("a", "1").commit();
    scene.until_ready("later");
    assert_eq!(items(&scene.api().get(&labelled).unwrap()).len(), 2);
}

#[test]
fn keys_in_a_namespace_of_their_own_are_loaded_as_soon_as_a_role_is_granted() {
    let scene = Scene::new("peers-apart");
    let theirs = scene.plane.namespace("peers-system");
    let secrets = format!("/api/v1/namespaces/{theirs}/secrets");
    scene
        .api()
        .create(&secrets, &NEWER.secret("sealed-secrets-keyx7k2p", &json!({LABEL: "active"})))
        .unwrap();
    let flags = [COMPAT, NO_RENEWAL, "--compat-verify", &format!("--bitnami-key-namespace={theirs}")];
    // The controller is ready without these keys: the identities are loaded.
    let controller = scene.start(&flags);
    let endpoints = Endpoints::of(&controller);
    assert_eq!(endpoints.send("GET", "/v1/cert.pem", "").0, 503);
    assert!(controller.log().contains("Forbidden"));

    let file = toolchain::repository().join("controller/deploy/compat/bitnami-keys.yaml");
    for document in serde_yaml::Deserializer::from_str(&fs::read_to_string(file).unwrap()) {
        let mut object = Value::deserialize(document).unwrap();
        object["metadata"]["namespace"] = json!(theirs);
        if object["kind"] == "RoleBinding" {
            object["subjects"][0]["namespace"] = json!(scene.keys);
            assert_eq!(object["subjects"][0]["name"], ACCOUNT);
        }
        let plural = format!("{}s", object["kind"].as_str().unwrap().to_lowercase());
        let path = format!("/apis/rbac.authorization.k8s.io/v1/namespaces/{theirs}/{plural}");
        scene.api().create(&path, &object).unwrap();
    }
    endpoints.until_primary(&NEWER);
    assert!(endpoints.opens(&NEWER.seal(&scene)));
}
