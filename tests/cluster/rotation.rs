//! A repository follows the sealing keys of its cluster: keys are renewed, the controller offers, `seal rotate` takes the
//! offers, a GitOps tool applies the files, and the old keys go.
//!
//! What a forged offer does is tested in `rotate/offers.rs`, where the statuses are the test's own. Invariant: nobody but
//! the controller has a private key here.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use seal_crds::Scope;
use seal_crds::keys::Recipient;
use seal_crds::native::{NamedRecipient, source, target};
use seal_crds::resources::{Envelope, Rewrap, SealedSecretSpec};
use seal_tests::control_plane::{ControlPlane, definitions, succeed};
use seal_tests::wait::until;
use serde_json::{Value, json};

use super::bitnami_keys::{LABEL, NEWER, OLDER};
use super::key_deletion::until_deletable;
use super::keys::{FIRST, until_primary};
use super::scene::{Scene, condition, items};
use crate::end_to_end::seal;
use crate::sandbox::{CANARY, Run, Sandbox};

const OBJECTS: usize = 300;

/// The objects are examined one after the other, on a quarter of a core.
const PATIENCE: Duration = Duration::from_secs(300);

/// An object of the repository: the name in its file, and the name in the cluster.
struct Tracked {
    file: String,
    name: String,
}

/// A repository, and the cluster that it is applied to.
struct Stage<'p> {
    scene: Scene<'p>,
    sandbox: Sandbox,
    objects: Vec<Tracked>,
}

impl Stage<'_> {
    fn run(&self, args: &[&str]) -> Run {
        seal(&self.sandbox, &self.scene, self.scene.plane.kubeconfig(), args, b"")
    }

    #[track_caller]
    fn done(&self, args: &[&str]) -> Run {
        let run = self.run(args);
        assert_eq!(run.code, 0, "{args:?}: {}{}", String::from_utf8_lossy(&run.stdout), run.stderr);
        run
    }

    fn rotate(&self, args: &[&str]) -> Run {
        self.run(&[&["rotate", "-r", "pins.pub", "deploy"], args].concat())
    }

    /// Writes the file of an object. Every other one is a base that an overlay renames and patches.
    fn track(&mut self, index: usize, to: &NamedRecipient) {
        let file = format!("s{index}");
        let is_base = index.is_multiple_of(2);
        let name = if is_base { format!("prod-{file}") } else { file.clone() };
        let scope = if is_base { Scope::NamespaceWide } else { Scope::Strict };
        let sealing = self.scene.seal(&name).scope(scope).item("password", format!("{CANARY} {index}"));
        let spec = serde_yaml::to_string(&sealing.to(to).spec()).unwrap();
        let namespace =
            if is_base { String::new() } else { format!(", namespace: {}", self.scene.namespace) };
        let text = format!(
            "# {index}\napiVersion: sealing.dev/v1alpha1\nkind: SealedSecret\nmetadata: {{name: {file}{namespace}}}\nspec:\n  {}\n",
            spec.trim_end().replace('\n', "\n  ")
        );
        self.sandbox.write(format!("deploy/{file}.yaml"), text);
        self.objects.push(Tracked { file, name });
    }

    /// Applies every file, as kustomize and a GitOps tool do.
    fn apply(&self) {
        for Tracked { file, name } in &self.objects {
            let mut object: Value = serde_yaml::from_str(&self.text(file)).unwrap();
            object["metadata"] = json!({"name": name});
            if file != name {
                object["spec"]["template"] = json!({"metadata": {"labels": {"overlay": "prod"}}});
            }
            self.scene.commit(&object).unwrap();
        }
    }

    fn text(&self, file: &str) -> String {
        String::from_utf8(self.sandbox.read(format!("deploy/{file}.yaml"))).unwrap()
    }

    /// Version, identity and data of every Secret. A Secret that was ever absent has another uid.
    fn secrets(&self) -> BTreeMap<String, [Value; 3]> {
        let secrets = self.scene.api().get(&self.scene.secrets("")).unwrap();
        let metadata = |secret: &Value, field: &str| secret["metadata"][field].clone();
        let facts = |secret: &Value| {
            let name = secret["metadata"]["name"].as_str().unwrap().to_owned();
            let facts =
                [metadata(secret, "resourceVersion"), metadata(secret, "uid"), secret["data"].clone()];
            (name, facts)
        };
        items(&secrets).iter().map(facts).collect()
    }

    /// Waits until all objects have something.
    #[track_caller]
    fn until_all(&self, what: &str, has: impl Fn(&Value) -> bool) {
        patiently(what, || {
            let objects = self.scene.api().get(&self.scene.sealed_secrets("")).unwrap();
            let missing = OBJECTS - items(&objects).iter().filter(|object| has(object)).count();
            if missing == 0 { Ok(()) } else { Err(format!("{missing} objects haven't")) }
        });
    }
}

/// Tries again for as long as the controller may take over all objects.
#[track_caller]
fn patiently<T>(what: &str, mut attempt: impl FnMut() -> Result<T, String>) -> T {
    let start = Instant::now();
    loop {
        match attempt() {
            Ok(value) => return value,
            Err(why) if start.elapsed() > PATIENCE => panic!("{what}: {why}"),
            Err(_) => std::thread::sleep(Duration::from_secs(1)),
        }
    }
}

/// On a control plane of its own, because a controller proves that a key isn't needed only if it sees every object.
#[test]
fn three_hundred_objects_under_four_keys_follow_the_newest_by_offers_alone_and_the_old_keys_go() {
    let plane = ControlPlane::start(&definitions()).unwrap();
    plane.deploy();
    let scene = Scene::on(&plane, plane.namespace("apps"), "seal-system".to_owned());
    let controller = scene.start_as_shipped();
    let mut stage = Stage { scene, sandbox: Sandbox::new(), objects: Vec::new() };
    let names = [FIRST, "sealing-key-2", "sealing-key-3", "sealing-key-4"];
    let mut newest = String::new();
    for (index, name) in names.into_iter().enumerate() {
        until_primary(&stage.scene, name);
        let key = stage.scene.api().get(&stage.scene.sealing_keys(name)).unwrap();
        let recipient: Recipient = key["spec"]["recipient"].as_str().unwrap().parse().unwrap();
        newest = key["status"]["fingerprint"].as_str().unwrap().to_owned();
        for object in (index..OBJECTS).step_by(names.len()) {
            stage.track(object, &NamedRecipient { recipient: recipient.clone(), name: None });
        }
        if index + 1 < names.len() {
            stage.done(&["keys", "renew", name]);
        }
    }
    stage.apply();
    stage.until_all("is Ready", |object| condition(object, "Ready").0 == "True");
    let before = stage.secrets();
    assert_eq!(before.len(), OBJECTS);

    // A recipient in the pins that the cluster doesn't seal to is missed in every offer, so none is taken.
    let stray = seal_crds::keys::Identity::generate().recipient().to_string();
    stage.sandbox.write("pins.pub", format!("{stray}\n"));
    stage.done(&["keys", "fetch", "-o", "pins.pub"]);
    stage.until_all("has its offer", |object| {
        object["status"]["rewrap"].is_object() || object["status"]["openedBy"] == json!([newest])
    });
    let run = stage.rotate(&["--from-cluster"]);
    assert_eq!(run.code, 1);
    assert!(run.stderr.contains("nothing was rotated"), "{}", run.stderr);
    std::fs::remove_file(stage.sandbox.path("pins.pub")).unwrap();
    stage.done(&["keys", "fetch", "-o", "pins.pub"]);
    // Whatever is offered is taken, and the rest is named.
    patiently("every object has its offer", || {
        let run = stage.rotate(&["--from-cluster"]);
        if run.code == 0 { Ok(()) } else { Err(String::from_utf8(run.stdout).unwrap() + &run.stderr) }
    });
    for Tracked { file, .. } in &stage.objects {
        let text = stage.text(file);
        assert_eq!(text.matches("fingerprint:").count(), 1, "{text}");
        assert!(text.starts_with("# ") && text.contains(&newest), "{text}");
    }
    // Before the files are applied, the cluster isn't what they say.
    assert_eq!(stage.rotate(&["--verify", "--timeout=0"]).code, 1);
    stage.apply();
    let verified = stage.rotate(&["--verify"]);
    assert_eq!((verified.code, verified.stdout.len()), (0, 0), "{}", verified.stderr);
    let said = format!("{OBJECTS} SealedSecrets are Ready as they stand in these files\n");
    assert!(verified.stderr.ends_with(&said), "{}", verified.stderr);
    assert_eq!(stage.secrets(), before, "a Secret was written");

    // A controller that has just started has examined none, so nothing has to rest.
    let mut controller = controller;
    assert!(controller.terminate().success());
    let _controller = stage.scene.start_as_shipped();
    stage.until_all("needs the newest key alone", |object| {
        object["status"]["usage"]["only"] == json!([newest])
    });
    for name in &names[..3] {
        stage.done(&["keys", "delete", name, "--yes", "--wait", "2m"]);
        until("the old key is gone", || stage.scene.api().get(&stage.scene.identities(name)).is_none());
    }
    for Tracked { name, .. } in &stage.objects[..4] {
        assert_eq!(condition(&stage.scene.nudge(name), "Ready").0, "True", "{name}");
    }
    stage.until_all("is Ready", |object| condition(object, "Ready").0 == "True");
    assert_eq!(stage.secrets(), before, "a Secret was written");
}

/// Half of the repository is Bitnami's: nobody offers anything for it, so whoever holds a backup of its keys rotates it.
#[test]
fn a_repository_in_both_formats_is_rotated_by_offers_and_by_a_backup_and_verified_as_one() {
    const EACH: usize = 10;
    // On a control plane of its own, because a controller that sees every object is the one that deletes keys.
    let plane = ControlPlane::start(&definitions()).unwrap();
    plane.deploy();
    let scene = Scene::on(&plane, plane.namespace("mixed"), "seal-system".to_owned());
    let label = json!({LABEL: "active"});
    scene.api().create(&scene.identities(""), &OLDER.secret("older", &label)).unwrap();
    let mut controller = scene.start_as_shipped();
    until_primary(&scene, FIRST);
    let stage = Stage { scene, sandbox: Sandbox::new(), objects: Vec::new() };
    let namespace = &stage.scene.namespace;
    stage.sandbox.write("older.crt", OLDER.certificate);
    stage.sandbox.write("newer.crt", NEWER.certificate);
    stage.done(&["keys", "fetch", "-o", "keys.pub"]);
    let files: Vec<String> =
        (0..EACH).flat_map(|n| [format!("native-{n}"), format!("bitnami-{n}")]).collect();
    for name in &files {
        let format: &[&str] = if name.starts_with("native") {
            &["-r", "keys.pub"]
        } else {
            &["--seal-format", "bitnami", "--cert", "older.crt"]
        };
        let secret = format!(
            "apiVersion: v1\nkind: Secret\nmetadata: {{name: {name}}}\nstringData: {{a: {CANARY}-{name}}}\n"
        );
        let sealed = stage.sandbox.succeed([format, &["-n", namespace]].concat(), secret);
        stage.sandbox.write(format!("deploy/{name}.yaml"), sealed);
    }
    let apply = || {
        let apply = ["apply", "--server-side", "--filename=deploy"];
        succeed(plane.kubectl(apply).current_dir(stage.sandbox.dir()));
    };
    let verify = || stage.run(&["rotate", "--verify", "-r", "keys.pub", "deploy"]);
    apply();
    assert_eq!(verify().code, 0, "{}", verify().stderr);
    let before = stage.secrets();
    assert_eq!(before.len(), 2 * EACH);
    // The uid of each Secret and its values, and the version of those whose object has our format.
    let assert_kept = || {
        for (name, [version, uid, data]) in stage.secrets() {
            let [old_version, old_uid, old_data] = &before[&name];
            assert_eq!((&uid, &data), (old_uid, old_data), "{name}");
            if name.starts_with("native") {
                assert_eq!(version, *old_version, "{name} was written");
            }
        }
        assert!(stage.secrets().keys().eq(before.keys()));
    };

    stage.done(&["keys", "renew", FIRST]);
    until_primary(&stage.scene, "sealing-key-2");
    stage.scene.api().create(&stage.scene.identities(""), &NEWER.secret("newer", &label)).unwrap();
    stage.done(&["keys", "fetch", "-o", "keys.pub"]);
    // A controller that has just started has examined none, so nothing has to rest.
    assert!(controller.terminate().success());
    let mut controller = stage.scene.start_as_shipped();
    let backup = ["get", "secret", "-n", &stage.scene.keys, "-l", LABEL, "--output=yaml"];
    stage.sandbox.write("backup.yaml", succeed(&mut plane.kubectl(backup)).stdout);
    patiently("every native object has its offer", || {
        let run = stage.run(&["rotate", "--from-cluster", "-r", "keys.pub", "deploy"]);
        assert!(run.stderr.contains(&format!("{EACH} SealedSecrets of bitnami.com stay")), "{}", run.stderr);
        if run.code == 0 { Ok(()) } else { Err(run.stderr) }
    });
    let run = stage.done(&["rotate", "-i", "backup.yaml", "--cert", "newer.crt", "deploy"]);
    assert!(
        run.stderr.starts_with(&format!(
            "{EACH} SealedSecrets were rotated in {EACH} files; {EACH} SealedSecrets stay"
        )),
        "{}",
        run.stderr
    );

    let early = stage.run(&["rotate", "--verify", "-r", "keys.pub", "--timeout=0", "deploy"]);
    assert_eq!((early.code, String::from_utf8(early.stdout).unwrap().lines().count()), (1, 2 * EACH));
    apply();
    let verified = verify();
    assert_eq!(verified.code, 0, "{}{}", String::from_utf8_lossy(&verified.stdout), verified.stderr);
    assert!(
        verified
            .stderr
            .ends_with(&format!("{} SealedSecrets are Ready as they stand in these files\n", 2 * EACH))
    );
    assert_kept();

    // The old RSA key isn't needed any more.
    stage.sandbox.write("newer.yaml", NEWER.secret("newer", &label).to_string());
    for name in files.iter().filter(|name| name.starts_with("bitnami")) {
        let file = format!("deploy/{name}.yaml");
        let args = ["unseal", "-i", "newer.yaml", "-n", namespace, "--item", "a", &file];
        assert_eq!(stage.sandbox.succeed(args, ""), format!("{CANARY}-{name}").as_bytes());
    }
    // So the old keys of both kinds go, and everything still opens.
    assert!(controller.terminate().success());
    let mut controller = stage.scene.start_as_shipped();
    for name in files.iter().filter(|name| name.starts_with("native")) {
        until("it needs the newest key alone", || {
            let status = stage.scene.sealed(name)["status"].clone();
            status["usage"]["only"] == status["openedBy"]
                && condition(&json!({ "status": status }), "RewrapOffered").1.is_empty()
        });
    }
    stage.done(&["keys", "delete", "older", "--bitnami", "--yes"]);
    stage.done(&["keys", "delete", FIRST, "--yes", "--wait", "2m"]);
    for gone in ["older", FIRST] {
        until("the old key is gone", || stage.scene.api().get(&stage.scene.identities(gone)).is_none());
    }
    assert!(controller.terminate().success());
    let _controller = stage.scene.start_as_shipped();
    assert_eq!(verify().code, 0, "{}", verify().stderr);
    for name in files.iter().filter(|name| name.starts_with("native")) {
        assert_eq!(condition(&stage.scene.nudge(name), "Ready").0, "True", "{name}");
    }
    assert_kept();
}

/// Whoever may write statuses forges an offer for every object: sealed to pinned recipients, with a data key for every
/// item in its list, and something else inside. That can't be seen without the key, so the files take it.
#[test]
fn forged_offers_are_named_by_verify_keep_the_old_key_and_are_undone_from_git() {
    const FORGED: usize = 300;
    let plane = ControlPlane::start(&definitions()).unwrap();
    plane.deploy();
    let scene = Scene::on(&plane, plane.namespace("apps"), "seal-system".to_owned());
    let mut controller = scene.start_as_shipped();
    let mut stage = Stage { scene, sandbox: Sandbox::new(), objects: Vec::new() };
    let recipient_of = |scene: &Scene<'_>, name: &str| {
        until_primary(scene, name);
        let key = scene.api().get(&scene.sealing_keys(name)).unwrap();
        let recipient: Recipient = key["spec"]["recipient"].as_str().unwrap().parse().unwrap();
        NamedRecipient { recipient, name: None }
    };
    let first = recipient_of(&stage.scene, FIRST);
    for index in 0..FORGED {
        stage.track(index, &first);
    }
    stage.apply();
    for Tracked { name, .. } in &stage.objects {
        stage.scene.until_ready(name);
    }
    let secrets = stage.secrets();
    stage.done(&["keys", "renew", FIRST]);
    let second = recipient_of(&stage.scene, "sealing-key-2");
    stage.done(&["keys", "fetch", "-o", "pins.pub"]);
    assert!(controller.terminate().success());
    let git = stage.sandbox.files();

    let decoy = stage.scene.seal("decoy").item("a", "1").to(&second).spec();
    for Tracked { name, .. } in &stage.objects {
        let spec: SealedSecretSpec =
            serde_json::from_value(stage.scene.sealed(name)["spec"].clone()).unwrap();
        let keys = spec.envelopes[0].keys.clone();
        let forged = Rewrap {
            source: source(&spec.envelopes).unwrap(),
            target: target([second.recipient.fingerprint()]),
            envelope: Envelope { keys, ..decoy.envelopes[0].clone() },
        };
        let path = format!("{}/status", stage.scene.sealed_secrets(name));
        stage.scene.api().merge(&path, &json!({"status": {"rewrap": forged}})).unwrap();
    }
    let taken = stage.rotate(&["--from-cluster"]);
    assert_eq!(taken.code, 0, "{}", taken.stderr);
    stage.apply();
    let _controller = stage.scene.start_as_shipped();
    let run = stage.rotate(&["--verify", "--timeout=60s"]);
    let named = String::from_utf8(run.stdout).unwrap();
    assert_eq!((run.code, named.lines().count()), (1, FORGED), "{named}{}", run.stderr);
    for Tracked { file, name } in &stage.objects {
        // A file without a namespace may have its like in any: then nothing settles it but the time.
        let said = if file == name {
            "is not Ready and won't be"
        } else {
            "is sealed like this, and it is not Ready"
        };
        let said = format!("{}/{name} {said}", stage.scene.namespace);
        assert!(named.contains(&said), "{said}: {named}");
    }
    // What doesn't open counts as needing every key.
    let refused = stage.run(&["keys", "delete", FIRST, "--yes", "--wait", "5s"]);
    assert_ne!(refused.code, 0, "{}", refused.stderr);
    // Nor does it go if somebody deletes its Secret: the finalizer holds it.
    stage.scene.api().delete(&stage.scene.identities(FIRST)).unwrap();
    let message = until_deletable(&stage.scene, FIRST, "KeyInUse");
    assert!(message.starts_with("more than 10 SealedSecrets don't open without it; "), "{message}");

    for (path, text) in git {
        stage.sandbox.write(path, text);
    }
    stage.apply();
    let run = stage.run(&["rotate", "--verify", "deploy"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_eq!(stage.secrets(), secrets, "a Secret was written");
    let held = stage.scene.api().get(&stage.scene.identities(FIRST)).unwrap();
    assert!(held["metadata"]["deletionTimestamp"].is_string() && held["data"]["identity"].is_string());
}
