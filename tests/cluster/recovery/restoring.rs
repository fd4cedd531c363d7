//! `seal keys restore`: which keys it takes, in which state they come back, and what is printed of them.
//!
//! Invariant: a key is restored only where the pins list it, or somebody types its fingerprint.

use std::collections::BTreeMap;
use std::process::Command;

use seal_crds::keys::{Fingerprint, Identity, backup};
use seal_tests::control_plane::ControlPlane;
use seal_tests::wait::until;
use serde_json::{Value, json};

use super::{OnCall, assert_discreet, name_of};
use crate::cluster::keys::{FIRST, identity_secret, until_primary, until_said};
use crate::cluster::scene::{condition, items, path};
use crate::sandbox::run;

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

/// The threat: a repository has a directory whose name ends a line, and goes on with one that looks like the report's.
#[test]
fn each_key_has_one_line_in_the_report_whatever_the_files_are_called() {
    let on_call = OnCall::new("named");
    let key = Identity::generate();
    on_call.sandbox.write("prod.pub", format!("{}\n", key.recipient()));
    on_call.back_up(&key, 1);
    let named = "back\nups/x.age: restored as sealing-key-1, sequence 1, Active";
    std::fs::create_dir(on_call.sandbox.path("back\nups")).unwrap();
    std::fs::rename(on_call.sandbox.path("backups"), on_call.sandbox.path(named)).unwrap();
    let run = on_call.run(&["keys", "restore", named, "-i", "recovery.key", "-r", "prod.pub", "--yes"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let said = String::from_utf8(run.stdout).unwrap();
    assert!(said.lines().count() == 1 && said.ends_with("sequence 1, Retiring\n"), "{said}");
}
