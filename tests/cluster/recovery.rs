//! Backups of sealing keys, and the way back from them: `seal keys backup` and `seal keys restore` on a real API server,
//! beside a real controller.
//!
//! The drill is in [`protected`](crate::protected) and the cases, because it asks no cluster. Invariant: nothing that
//! these commands print, and no file of theirs but the backups, has a private half in it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

use seal_crds::keys::{Fingerprint, Identity, backup};
use seal_tests::control_plane::{ControlPlane, definitions};
use seal_tests::wait::until;
use serde_json::{Value, json};

use super::keys::{FIRST, identity_secret, until_primary, until_said};
use super::scene::{Scene, condition, items, path};
use crate::end_to_end::seal;
use crate::sandbox::{Run, Sandbox, run};

/// A cluster, and somebody on call with the repository and a recovery identity.
struct OnCall<'p> {
    scene: Scene<'p>,
    sandbox: Sandbox,
}

impl OnCall<'static> {
    fn new(prefix: &str) -> Self {
        Self::at(Scene::new(prefix))
    }
}

impl<'p> OnCall<'p> {
    fn at(scene: Scene<'p>) -> Self {
        let on_call = Self { scene, sandbox: Sandbox::new() };
        let made = on_call.sandbox.run(["keys", "new", "-o", "recovery.key"], b"");
        on_call.sandbox.write("recovery.pub", made.stdout);
        on_call
    }

    fn recovery(&self) -> Identity {
        let file = self.sandbox.read("recovery.key");
        seal_crds::keys::parse_identities(file).unwrap().remove(0)
    }

    /// The flag that gives every new key a backup.
    fn flag(&self) -> String {
        format!("--recovery-recipients={}", self.sandbox.path("recovery.pub").display())
    }

    fn run(&self, args: &[&str]) -> Run {
        seal(&self.sandbox, &self.scene, self.scene.plane.kubeconfig(), args, b"")
    }

    #[track_caller]
    fn done(&self, args: &[&str]) -> String {
        let run = self.run(args);
        assert_eq!(run.code, 0, "{args:?}: {}{}", String::from_utf8_lossy(&run.stdout), run.stderr);
        String::from_utf8(run.stdout).unwrap()
    }

    /// Restores with the repository's pins, and further flags.
    fn restore(&self, flags: &[&str]) -> Run {
        let args = ["keys", "restore", "backups", "-i", "recovery.key", "-r", "prod.pub", "--yes"];
        self.run(&[&args[..], flags].concat())
    }

    /// Writes a backup of this key, for the recovery recipient, into the directory of the backups.
    fn back_up(&self, key: &Identity, sequence: i64) -> String {
        self.back_up_as(key, sequence, key.fingerprint())
    }

    /// The same under another key's name.
    fn back_up_as(&self, key: &Identity, sequence: i64, name: Fingerprint) -> String {
        let date = serde_json::from_value(json!("2026-01-02T03:04:05Z")).unwrap();
        let set = [self.recovery().recipient().clone()];
        let name = format!("backups/{}", backup::file_name(&name));
        self.sandbox.write(&name, backup::encrypt(key, sequence, &date, &set).unwrap());
        name
    }

    /// The Secrets with keys, by name; without those whose deletion was asked for.
    fn held(&self) -> BTreeMap<String, Value> {
        let list = format!("{}?labelSelector=sealing.dev/sealing-key", self.scene.identities(""));
        let list = self.scene.api().get(&list).unwrap();
        let kept = items(&list).iter().filter(|secret| secret["metadata"]["deletionTimestamp"].is_null());
        kept.map(|secret| (secret["metadata"]["name"].as_str().unwrap().to_owned(), secret.clone())).collect()
    }

    /// Empties both namespaces, so that they are those of a new cluster. Finalizers go first: nobody is there to lift
    /// them.
    fn lose_the_cluster(&self) {
        let scene = &self.scene;
        for name in self.held().keys() {
            let no_finalizers = json!({"metadata": {"finalizers": null}});
            scene.api().merge(&scene.identities(name), &no_finalizers).unwrap();
        }
        let config_maps = format!("{}?fieldSelector=metadata.name!=kube-root-ca.crt", self.config_maps());
        let lists = [
            scene.identities(""),
            scene.sealing_keys(""),
            config_maps,
            scene.sealed_secrets(""),
            scene.secrets(""),
        ];
        for list in lists {
            scene.api().delete(&list).unwrap();
            until("they are gone", || items(&scene.api().get(&list).unwrap()).is_empty());
        }
    }

    fn config_maps(&self) -> String {
        path("/api/v1", &self.scene.keys, "configmaps", "")
    }
}

fn name_of(key: &Identity) -> String {
    format!("sealing-key-{}", key.fingerprint().short())
}

/// Checks that no private half of these keys is in the output of a run.
#[track_caller]
fn assert_discreet(run: &Run, keys: &[&Identity]) {
    let said = format!("{}{}", String::from_utf8_lossy(&run.stdout), run.stderr);
    assert!(!said.contains("AGE-SECRET-KEY"), "{said}");
    for key in keys {
        assert!(!crate::sandbox::holds(said.as_bytes(), &key.to_secret_string()), "{said}");
    }
}

#[test]
fn a_lost_cluster_comes_back_from_git_and_the_recovery_identity_and_nothing_has_to_be_committed() {
    for before_the_start in [false, true] {
        let on_call = OnCall::new("lost");
        let scene = &on_call.scene;
        let mut controller = scene.start(&[&on_call.flag()]);
        until_primary(scene, FIRST);
        // What is in Git: the pins, the backup, and the SealedSecrets.
        on_call.done(&["keys", "fetch", "-o", "prod.pub"]);
        let backed_up = on_call.done(&["keys", "backup", "-o", "backups"]);
        assert!(backed_up.ends_with(".age: added\n"), "{backed_up}");
        let again = on_call.done(&["keys", "backup", "-o", "backups"]);
        assert!(again.ends_with(".age: there already\n"), "{again}");
        let names = ["db", "mail", "cache"];
        let mut committed = Vec::new();
        for name in names {
            committed.push(commit(&on_call, name));
            scene.until_ready(name);
        }
        let before: Vec<_> = names.iter().map(|name| scene.data(name)).collect();
        let opened_by = scene.sealed("db")["status"]["openedBy"].clone();

        assert!(controller.terminate().success());
        on_call.lose_the_cluster();
        let started = (!before_the_start).then(|| {
            let controller = scene.start(&[&on_call.flag()]);
            until_primary(scene, FIRST);
            controller
        });
        let restored = on_call.restore(&["--keep-primary"]);
        let said = String::from_utf8_lossy(&restored.stdout).into_owned();
        assert_eq!(restored.code, 0, "{said}{}", restored.stderr);
        assert_discreet(&restored, &[&on_call.recovery()]);
        let sequence = if before_the_start { 1 } else { 2 };
        assert!(said.ends_with(&format!(", sequence {sequence}, Active\n")), "{said}");
        let _controller = started.unwrap_or_else(|| scene.start(&[&on_call.flag()]));

        let name = on_call.held().into_keys().find(|name| name != FIRST).unwrap();
        until_primary(scene, &name);
        for manifest in &committed {
            scene.commit(manifest).unwrap();
        }
        for (name, values) in names.iter().zip(&before) {
            scene.until_ready(name);
            assert_eq!(&scene.data(name), values);
        }
        assert_eq!(scene.sealed("db")["status"]["openedBy"], opened_by);
        // The set and the backup came along, and people seal as before with the pins that they have.
        let key = until_said(scene, &name, |key| condition(key, "Primary").0 == "True");
        assert_eq!(key["status"]["recoveryRecipients"], json!([on_call.recovery().recipient().to_string()]));
        // A second run, as after one that was cut off, finds everything there.
        let again = on_call.restore(&["--keep-primary"]);
        assert_eq!(again.code, 0, "{}", again.stderr);
        assert!(String::from_utf8_lossy(&again.stdout).contains("there already"));
        let same = on_call.done(&["keys", "backup", "-o", "backups"]);
        assert!(same.contains(".age: there already\n"), "{same}");
    }
}

/// Seals a Secret to the pins, and commits it.
fn commit(on_call: &OnCall<'_>, name: &str) -> Value {
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": name, "namespace": on_call.scene.namespace},
        "stringData": {"password": format!("of {name}")},
    });
    let sealed = on_call.sandbox.run(["-r", "prod.pub"], secret.to_string());
    let manifest: Value = serde_json::from_slice(&sealed.stdout).unwrap();
    on_call.scene.commit(&manifest).unwrap();
    manifest
}

#[test]
fn an_etcd_that_is_restored_to_before_a_renewal_gets_its_lost_key_back_and_keeps_all_backups() {
    let plane = ControlPlane::start(&definitions()).unwrap();
    plane.deploy();
    let on_call = OnCall::at(Scene::on(&plane, plane.namespace("etcd"), "seal-system".to_owned()));
    let scene = &on_call.scene;
    let start = || scene.start(&[&on_call.flag()]);
    // A pins file of its own: people's other recipients aren't at issue here.
    std::fs::remove_file(on_call.sandbox.path("prod.pub")).unwrap();
    let mut controller = start();
    until_primary(scene, FIRST);
    on_call.done(&["keys", "fetch", "-o", "prod.pub"]);
    on_call.done(&["keys", "backup", "-o", "backups"]);
    assert!(controller.terminate().success());
    plane.snapshot();

    // A renewal that the snapshot doesn't have, and a Secret that is sealed after it.
    let renewed = |count: usize| {
        on_call.done(&["keys", "renew"]);
        until_primary(scene, "sealing-key-2");
        until("the backup is published", || {
            on_call.done(&["keys", "backup", "-o", "backups"]);
            std::fs::read_dir(on_call.sandbox.path("backups")).unwrap().count() == count
        });
    };
    let mut controller = start();
    renewed(2);
    on_call.done(&["keys", "fetch", "-o", "prod.pub"]);
    let after = commit(&on_call, "after");
    let opened_by = scene.until_ready("after")["status"]["openedBy"].clone();
    assert!(controller.terminate().success());
    plane.restore();

    // The cluster has forgotten the key, and makes another one of the same name and number.
    let _controller = start();
    until_primary(scene, FIRST);
    renewed(3);
    scene.commit(&after).unwrap();
    scene.until_stalled("after", "NoMatchingKey");
    let restored = on_call.restore(&[]);
    // The other key of the same number isn't pinned, and is named.
    assert_eq!(restored.code, 1, "{}", restored.stderr);
    assert_discreet(&restored, &[&on_call.recovery()]);
    assert_eq!(scene.until_ready("after")["status"]["openedBy"], opened_by);
    let name = format!("sealing-key-{}", &opened_by[0].as_str().unwrap()[..16]);
    until_said(scene, &name, |key| key["status"]["state"] == "Retiring");
    until_primary(scene, "sealing-key-2");
}

#[test]
fn a_backup_that_nobody_pinned_or_that_holds_another_key_is_refused_with_the_reason() {
    let on_call = OnCall::new("forged");
    let [ours, forged, unlisted] = [(); 3].map(|()| Identity::generate());
    on_call.sandbox.write("prod.pub", format!("{}\n", ours.recipient()));
    // Anybody can make both: they take nothing but the recovery recipient, which is public.
    let planted = on_call.back_up_as(&forged, 9, ours.fingerprint());
    let foreign = on_call.back_up(&unlisted, 9);
    let refused = on_call.restore(&["--keep-primary"]);
    assert_eq!((refused.code, refused.stdout.len()), (3, 0));
    assert!(
        refused.stderr.contains(&format!("{planted} holds another key than its name says")),
        "{}",
        refused.stderr
    );
    assert!(
        refused.stderr.contains(&format!("{foreign} holds key {}", unlisted.fingerprint())),
        "{}",
        refused.stderr
    );
    assert_discreet(&refused, &[&ours, &forged, &unlisted, &on_call.recovery()]);
    assert!(on_call.held().is_empty());
    // The real one beside them is restored, and the exit code says that there is something to look at.
    on_call.back_up(&ours, 3);
    let some = on_call.restore(&[]);
    assert_eq!(some.code, 1, "{}", some.stderr);
    assert!(some.stderr.ends_with("\n1 restored, 0 there already, 1 skipped\n"), "{}", some.stderr);
    assert_eq!(on_call.held().into_keys().collect::<Vec<_>>(), [name_of(&ours)]);
    // A fingerprint that somebody knows, and types, is a list too.
    let typed = unlisted.fingerprint().to_string();
    let accept = ["keys", "restore", &foreign, "-i", "recovery.key", "--accept", &typed, "--yes"];
    let accepted = on_call.run(&accept);
    assert_eq!(accepted.code, 0, "{}", accepted.stderr);
    assert_eq!(
        on_call.held()[&name_of(&unlisted)]["metadata"]["annotations"]["sealing.dev/state"],
        "Retiring"
    );
}

#[test]
fn a_restored_key_has_the_state_that_the_repository_gives_it() {
    let on_call = OnCall::new("states");
    let scene = &on_call.scene;
    let _controller = scene.start(&[]);
    until_primary(scene, FIRST);
    let [old, leaked, new] = [(); 3].map(|()| Identity::generate());
    let mark = |word: &str, key: &Identity| format!("# {word}: {} 2026-01-02 old\n", key.fingerprint());
    let marks = mark("retiring", &old) + &mark("revoked", &leaked);
    let (recipient, fingerprint) = (new.recipient(), new.fingerprint());
    let pins = format!(
        "# name: new\n# created: 2026-01-02T03:04:05Z\n# fingerprint: {fingerprint}\n{recipient}\n{marks}"
    );
    on_call.sandbox.write("prod.pub", pins);
    for (sequence, key) in (1..).zip([&old, &leaked, &new]) {
        on_call.back_up(key, sequence);
    }
    // A run that was cut off after the first key.
    let first = format!("backups/{}", backup::file_name(&old.fingerprint()));
    on_call.done(&["keys", "restore", &first, "-i", "recovery.key", "-r", "prod.pub", "--yes"]);
    let restored = on_call.restore(&[]);
    assert_eq!(restored.code, 0, "{}", restored.stderr);
    assert!(String::from_utf8_lossy(&restored.stdout).contains(&format!("{first}: there already")));
    assert!(restored.stderr.ends_with("\n2 restored, 1 there already, 0 skipped\n"), "{}", restored.stderr);
    // Without --keep-primary the cluster goes on with its own key.
    for (key, state) in [(&old, "Retiring"), (&leaked, "Revoked"), (&new, "Retiring")] {
        until_said(scene, &name_of(key), |said| said["status"]["state"] == state);
    }
    until_primary(scene, FIRST);
    // A state only rises, so it is too late to keep the primary now, and the command says so.
    let late = on_call.restore(&["--keep-primary"]);
    assert_eq!(late.code, 1);
    assert!(late.stderr.contains("is there already, Retiring"), "{}", late.stderr);
}

#[test]
fn a_key_that_is_restored_from_its_backup_has_its_recovery_set_and_its_published_backup_again() {
    let on_call = OnCall::new("recorded");
    let scene = &on_call.scene;
    let mut controller = scene.start(&[&on_call.flag()]);
    until_primary(scene, FIRST);
    let key = until_said(scene, FIRST, |key| key["status"]["recoveryRecipients"].is_array());
    let set = json!([on_call.recovery().recipient().to_string()]);
    assert_eq!(key["status"]["recoveryRecipients"], set);
    on_call.done(&["keys", "fetch", "-o", "prod.pub"]);
    on_call.done(&["keys", "backup", "-o", "backups"]);
    let fingerprint: Fingerprint = key["status"]["fingerprint"].as_str().unwrap().parse().unwrap();
    let map = path("/api/v1", &scene.keys, "configmaps", &backup::config_map_name(&fingerprint));
    let published = scene.api().get(&map).unwrap()["data"].clone();
    scene.lose_key(FIRST);
    until_said(scene, FIRST, |key| key["status"]["state"] == "Lost");
    scene.api().delete(&map).unwrap();

    // It comes back to open. Whose leak would expose what is sealed to it is still on record.
    let restored = on_call.restore(&[]);
    assert_eq!(restored.code, 0, "{}", restored.stderr);
    let key = until_said(scene, FIRST, |key| key["status"]["state"] == "Retiring");
    assert_eq!(key["status"]["recoveryRecipients"], set);
    until("the backup is published again", || {
        scene.api().get(&map).is_some_and(|map| map["data"] == published)
    });
    assert!(controller.terminate().success());

    // A Secret without the set, as an earlier version restored it, takes nothing off the record.
    let name = format!("sealing-key-{}", fingerprint.short());
    let mut secret = scene.api().get(&scene.identities(&name)).unwrap();
    let data = secret["data"].as_object_mut().unwrap();
    data.retain(|value, _| !["format", "recovery", "backup"].contains(&value.as_str()));
    secret["metadata"] = json!({"name": "without", "labels": secret["metadata"]["labels"]});
    scene.lose_key(&name);
    scene.api().create(&scene.identities(""), &secret).unwrap();
    let _controller = scene.start(&[&on_call.flag()]);
    until("the controller has it, and makes its successor", || {
        let noted = scene.api().get(&scene.identities("without")).unwrap();
        noted["metadata"]["annotations"]["sealing.dev/state"] == "Retiring"
    });
    until_primary(scene, "sealing-key-2");
    let key = until_said(scene, FIRST, |key| key["status"]["state"] == "Retiring");
    assert_eq!(key["status"]["recoveryRecipients"], set);
}

#[test]
fn without_somebody_to_ask_no_private_half_goes_anywhere_unless_the_cluster_is_named() {
    let on_call = OnCall::new("unasked");
    let key = Identity::generate();
    on_call.sandbox.write("prod.pub", format!("{}\n", key.recipient()));
    on_call.back_up(&key, 1);
    let restore = |flags: &[&str]| {
        // A session of its own has no terminal, wherever the tests were started.
        let mut setsid = Command::new("setsid");
        on_call.sandbox.confine(&mut setsid);
        setsid.args([
            "-w",
            env!("CARGO_BIN_EXE_test-seal"),
            "keys",
            "restore",
            "backups",
            "-i",
            "recovery.key",
        ]);
        setsid.args(["-r", "prod.pub", "--controller-namespace", &on_call.scene.keys]).args(flags);
        run(setsid.env("KUBECONFIG", on_call.scene.plane.kubeconfig()), b"")
    };
    for (flags, reason) in [
        (&[][..], "the cluster that gets the keys has to be named"),
        (&["--yes"][..], "the cluster that gets the keys has to be named"),
        (&["--context=test"][..], "there is no terminal to ask at"),
    ] {
        let refused = restore(flags);
        assert_eq!((refused.code, refused.stdout.len()), (2, 0), "{flags:?}: {}", refused.stderr);
        assert!(refused.stderr.contains(reason), "{flags:?}: {}", refused.stderr);
        assert!(on_call.held().is_empty(), "{flags:?}");
    }
    let done = restore(&["--context=test", "--yes"]);
    assert_eq!((done.code, on_call.held().len()), (0, 1), "{}", done.stderr);
    // Where nothing is sent, nothing is asked.
    let again = restore(&["--context=test"]);
    assert_eq!(again.code, 0, "{}", again.stderr);
}

/// The report goes to a file that may not grow beyond 1 kB, and most of that is full: so the line about a key that was just
/// created kills the program, whichever key it is.
#[test]
fn a_restore_that_is_killed_after_any_of_its_keys_is_finished_by_the_next_run() {
    const REPORT: usize = 1024;
    const LINE: usize = 141;
    let on_call = OnCall::new("killed");
    let keys: Vec<Identity> = (0..4).map(|_| Identity::generate()).collect();
    let mark = |word: &str, key: &Identity| format!("# {word}: {} 2026-01-02 old\n", key.fingerprint());
    let marks = mark("revoked", &keys[0]) + &mark("retiring", &keys[1]) + &mark("retiring", &keys[2]);
    let (newest, recipient) = (keys[3].fingerprint(), keys[3].recipient());
    let fetched = format!("# name: newest\n# created: x\n# fingerprint: {newest}\n{recipient}\n");
    on_call.sandbox.write("prod.pub", fetched + &marks);
    for (sequence, key) in (1..).zip(&keys) {
        on_call.back_up(key, sequence);
    }
    let restored = || -> BTreeMap<String, [Value; 2]> {
        let held = on_call.held().into_iter();
        let facts =
            |secret: Value| [secret["data"]["sequence"].clone(), secret["metadata"]["annotations"].clone()];
        held.map(|(name, secret)| (name, facts(secret))).collect()
    };
    let whole = on_call.restore(&["--keep-primary"]);
    assert_eq!(whole.code, 0, "{}", whole.stderr);
    let expected = restored();
    assert_eq!(expected.len(), keys.len());
    for lines in 0..keys.len() {
        on_call.lose_the_cluster();
        on_call.sandbox.write("report", vec![b'\n'; REPORT - lines * LINE - LINE / 2]);
        let mut shell = Command::new("/bin/sh");
        on_call.sandbox.confine(&mut shell);
        // Two blocks of 512 bytes.
        shell.args(["-c", "ulimit -f 2; exec \"$@\" >> report", "sh", env!("CARGO_BIN_EXE_test-seal")]);
        shell.args(["keys", "restore", "backups", "-i", "recovery.key", "-r", "prod.pub", "--yes"]);
        shell.args(["--keep-primary", "--context=test", "--controller-namespace", &on_call.scene.keys]);
        let killed = run(shell.arg("--kubeconfig").arg(on_call.scene.plane.kubeconfig()), b"");
        assert_eq!(killed.code, -1, "it wasn't killed: {}", killed.stderr);
        let there = restored();
        assert_eq!(there.len(), lines + 1, "{}", killed.stderr);
        let is_primary = |[_, notes]: &[Value; 2]| notes["sealing.dev/state"] == "Active";
        // Nobody seals to the key while what it replaces isn't there.
        assert!(there.len() == keys.len() || !there.values().any(is_primary));
        let next = on_call.restore(&["--keep-primary"]);
        assert_eq!(next.code, 0, "{}", next.stderr);
        assert_eq!(restored(), expected, "killed with {lines} lines said");
        assert!(expected.values().any(is_primary));
    }
}

#[test]
fn saved_secrets_are_restored_as_backups_are_and_a_note_in_them_makes_no_primary() {
    let on_call = OnCall::new("saved");
    let scene = &on_call.scene;
    let mut controller = scene.start(&[]);
    until_primary(scene, FIRST);
    on_call.done(&["keys", "fetch", "-o", "prod.pub"]);
    scene.seal("db").item("a", "1").commit();
    let opened_by = scene.until_ready("db")["status"]["openedBy"].clone();
    let saved = ControlPlane::shared().object([
        "secrets",
        "-n",
        &scene.keys,
        "-l",
        "sealing.dev/sealing-key",
        "--show-managed-fields",
    ]);
    on_call.sandbox.write("saved.yaml", serde_yaml::to_string(&saved).unwrap());
    assert!(controller.terminate().success());
    on_call.lose_the_cluster();

    let restore = ["keys", "restore", "saved.yaml", "-r", "prod.pub", "--yes"];
    let restored = on_call.run(&restore);
    assert_eq!(restored.code, 0, "{}", restored.stderr);
    assert_discreet(&restored, &[]);
    let _controller = scene.start(&[]);
    let name = on_call.held().into_keys().find(|name| name.len() > "sealing-key-first".len()).unwrap();
    // The Secret that was saved says Active, and what is restored doesn't.
    until_said(scene, &name, |key| key["status"]["state"] == "Retiring");
    until("the cluster seals to a key of its own", || {
        let keys = scene.api().get(&scene.sealing_keys("")).unwrap();
        items(&keys)
            .iter()
            .any(|key| condition(key, "Primary").0 == "True" && key["metadata"]["name"] != *name)
    });
    // What was sealed to the restored key opens.
    scene.seal("again").item("a", "1").commit();
    scene.until_ready("again");
    assert_eq!(scene.sealed("again")["status"]["openedBy"], opened_by);
}

/// `kubectl delete namespace` ends the controller before it could prove anything.
#[test]
fn a_namespace_that_was_deleted_by_mistake_gives_its_keys_back_from_the_secrets_that_the_finalizer_holds() {
    let plane = ControlPlane::start(&definitions()).unwrap();
    plane.deploy();
    let on_call = OnCall::at(Scene::on(&plane, plane.namespace("apps"), "seal-system".to_owned()));
    let scene = &on_call.scene;
    let mut controller = scene.start_as_shipped();
    until_primary(scene, FIRST);
    // A pins file of its own: people's other recipients aren't at issue here.
    std::fs::remove_file(on_call.sandbox.path("prod.pub")).unwrap();
    on_call.done(&["keys", "fetch", "-o", "prod.pub"]);
    commit(&on_call, "db");
    let opened_by = scene.until_ready("db")["status"]["openedBy"].clone();
    let before = scene.secret("db").unwrap();
    assert!(controller.terminate().success());

    let namespace = format!("/api/v1/namespaces/{}", scene.keys);
    scene.api().delete(&namespace).unwrap();
    until("all but the private halves is gone", || {
        let phase = scene.api().get(&namespace).unwrap()["status"]["phase"].clone();
        let keys = scene.api().get(&scene.sealing_keys("")).unwrap();
        phase == "Terminating" && items(&keys).is_empty()
    });
    let saved = plane.object(["secrets", "-n", &scene.keys, "-l", "sealing.dev/sealing-key"]);
    assert!(saved["items"][0]["metadata"]["deletionTimestamp"].is_string());
    assert!(saved["items"][0]["data"]["identity"].is_string());
    on_call.sandbox.write("saved.yaml", serde_yaml::to_string(&saved).unwrap());
    let no_finalizers = json!({"metadata": {"finalizers": null}});
    scene.api().merge(&scene.identities(FIRST), &no_finalizers).unwrap();
    until("the namespace is gone", || scene.api().get(&namespace).is_none());

    plane.deploy();
    let restore = ["keys", "restore", "saved.yaml", "-r", "prod.pub", "--keep-primary", "--yes"];
    let restored = on_call.run(&restore);
    assert_eq!(restored.code, 0, "{}", restored.stderr);
    assert!(String::from_utf8_lossy(&restored.stdout).ends_with(", Active\n"));
    // The new service account has another token.
    let again = Scene::on(&plane, scene.namespace.clone(), scene.keys.clone());
    let _controller = again.start_as_shipped();
    let name = on_call.held().into_keys().find(|name| name != FIRST).unwrap();
    until_primary(scene, &name);
    assert_eq!(scene.nudge("db")["status"]["openedBy"], opened_by);
    assert_eq!(scene.secret("db").unwrap(), before);
    // People seal as before with the pins that they have.
    commit(&on_call, "mail");
    assert_eq!(scene.until_ready("mail")["status"]["openedBy"], opened_by);
}

#[test]
fn a_deletion_that_was_asked_for_is_taken_back_by_restoring_the_key() {
    let on_call = OnCall::new("takeback");
    let key = Identity::generate();
    on_call.sandbox.write("prod.pub", format!("{}\n", key.recipient()));
    on_call.back_up(&key, 1);
    let mut secret = identity_secret(&name_of(&key), &key, 1);
    secret["metadata"]["finalizers"] = json!(["sealing.dev/key-in-use"]);
    on_call.scene.api().create(&on_call.scene.identities(""), &secret).unwrap();
    on_call.scene.api().delete(&on_call.scene.identities(&name_of(&key))).unwrap();
    // The Secret that waits for its end still has the name.
    let restored = on_call.restore(&[]);
    assert_eq!(restored.code, 0, "{}", restored.stderr);
    assert_eq!(on_call.held().into_keys().collect::<Vec<_>>(), [format!("{}-2", name_of(&key))]);
    let no_finalizers = json!({"metadata": {"finalizers": null}});
    on_call.scene.api().merge(&on_call.scene.identities(&name_of(&key)), &no_finalizers).unwrap();
}

/// A user with the shipped Role for backups, and nothing else.
fn backup_reader(on_call: &OnCall<'_>) -> PathBuf {
    let scene = &on_call.scene;
    let user = ControlPlane::shared().service_account(&scene.keys, "backups");
    let rbac = "/apis/rbac.authorization.k8s.io/v1";
    let file =
        std::fs::read_to_string(seal_tests::toolchain::repository().join("controller/deploy/users.yaml"));
    let file = file.unwrap();
    let documents = serde_yaml::Deserializer::from_str(&file);
    let mut roles = documents.map(|it| <Value as serde::Deserialize>::deserialize(it).unwrap());
    let mut role = roles.find(|role| role["metadata"]["name"] == "sealing-key-backup-reader").unwrap();
    role["metadata"]["namespace"] = json!(scene.keys);
    scene.api().create(&path(rbac, &scene.keys, "roles", ""), &role).unwrap();
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "backups"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "sealing-key-backup-reader"},
        "subjects": [{"kind": "ServiceAccount", "name": "backups", "namespace": scene.keys}],
    });
    scene.api().create(&path(rbac, &scene.keys, "rolebindings", ""), &binding).unwrap();
    user
}

#[test]
fn the_shipped_role_copies_backups_and_a_file_that_is_there_is_kept() {
    let on_call = OnCall::new("copies");
    let scene = &on_call.scene;
    let nobody = crate::end_to_end::somebody(&scene.keys);
    let back_up = |user: &std::path::Path| {
        seal(&on_call.sandbox, scene, user, &["keys", "backup", "-o", "backups"], b"")
    };
    let refused = back_up(&nobody);
    assert_eq!(refused.code, 3);
    assert!(
        refused.stderr.contains("(403)") && refused.stderr.contains("sealing-key-backup-reader"),
        "{}",
        refused.stderr
    );

    let user = backup_reader(&on_call);
    until("the role is in force", || !back_up(&user).stderr.contains("(403)"));
    let none = back_up(&user);
    assert_eq!(none.code, 3);
    assert!(none.stderr.contains("publishes no backup of a key"), "{}", none.stderr);

    let [kept, added] = [(); 2].map(|()| Identity::generate());
    let publish = |key: &Identity, text: &str| {
        let name = backup::config_map_name(&key.fingerprint());
        let map = json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name},
            "data": {backup::file_name(&key.fingerprint()): text},
        });
        scene.api().create(&on_call.config_maps(), &map).unwrap();
    };
    let file = on_call.back_up(&kept, 1);
    let original = on_call.sandbox.read(&file);
    let other = on_call.back_up(&added, 2);
    let text = String::from_utf8(on_call.sandbox.read(&other)).unwrap();
    std::fs::remove_file(on_call.sandbox.path(&other)).unwrap();
    publish(&added, &text);
    // Somebody who may write ConfigMaps publishes something else under the first key's name.
    publish(&kept, &text);
    let run = back_up(&user);
    let said = String::from_utf8(run.stdout).unwrap();
    assert_eq!(run.code, 1, "{}", run.stderr);
    assert!(said.contains(&format!("{other}: added\n")), "{said}");
    assert!(said.contains(&format!("{file}: kept, and differs from the cluster's\n")), "{said}");
    assert_eq!(on_call.sandbox.read(&file), original);
    assert_eq!(on_call.sandbox.read(&other), text.as_bytes());
}
