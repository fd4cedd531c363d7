//! That a node leaves nothing behind on the machine, whether it ends in order or is killed.
//!
//! Not in a cluster of somebody else's, which has nodes of its own. Invariant: the node is used before it ends, so that all
//! was there that could be left.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};
use seal_tests::control_plane::{ControlPlane, SANDBOX_IMAGE, succeed};
use seal_tests::wait::eventually;
use serde_json::json;

use super::cluster::{is_ours, pause};
use super::machine::{Machine, hierarchies, processes};

/// How old the directory of a killed supervisor is, before the next one takes it for abandoned, and some more.
const ABANDONED: Duration = Duration::from_secs(120);

/// Controllers of version 2 that the root passes on since a node was killed. Nobody can tell later that it didn't before.
const PASSED_ON: &[&str] = &["now: controllers ", "no longer: controllers "];

#[test]
#[ignore = "make e2e"]
fn a_node_leaves_nothing_behind_however_it_ends() {
    if !is_ours() {
        return;
    }
    let images = tempfile::tempdir().unwrap();
    let pause = pause(images.path());
    let before = Machine::look();

    let (node, dir) = node_with_a_pod(&pause);
    let there = traces(&before, &dir);
    for kind in ["process ", "control group ", "directory "] {
        assert!(there.iter().any(|trace| trace.contains(kind)), "{kind} {there:#?}");
    }
    drop(node);
    until_no_trace_but(&[], &before, &dir);

    let (node, dir) = node_with_a_pod(&pause);
    node.kill();
    until_no_trace_but(&["directory ", "now: control group ", PASSED_ON[0], PASSED_ON[1]], &before, &dir);
    // The next run removes the rest, once it is old enough to be nobody's.
    File::open(&dir).unwrap().set_modified(SystemTime::now() - ABANDONED).unwrap();
    drop(ControlPlane::start(&[]).unwrap());
    until_no_trace_but(PASSED_ON, &before, &dir);
}

#[test]
#[ignore = "make e2e"]
fn whatever_is_left_is_seen() {
    if !is_ours() {
        return;
    }
    let room = tempfile::Builder::new().prefix("seal-e2e-left-").tempdir().unwrap();
    let name = room.path().file_name().unwrap();
    let before = Machine::look();

    mount("none", room.path(), "tmpfs", MountFlags::empty(), Some(c"size=1m")).unwrap();
    let mounted = Machine::look().since(&before);
    unmount(room.path(), UnmountFlags::empty()).unwrap();
    assert!(mounted.len() == 1 && mounted[0].starts_with("now: mount "), "{mounted:?}");

    let below = hierarchies().into_iter().chain([PathBuf::from("/run")]).map(|dir| dir.join(name));
    for dir in below {
        fs::create_dir(&dir).unwrap();
        let made = Machine::look().since(&before);
        fs::remove_dir(&dir).unwrap();
        assert!(made.len() == 1 && made[0].ends_with(&dir.display().to_string()), "{made:?}");
    }

    let mut waits = Command::new("sh");
    let mut waits = waits.args(["-c", "read line"]).arg(room.path()).stdin(Stdio::piped()).spawn().unwrap();
    let found = processes(room.path());
    waits.kill().unwrap();
    waits.wait().unwrap();
    assert!(found.len() == 1 && found[0].contains(&waits.id().to_string()), "{found:?}");
    assert_eq!((traces(&before, room.path()).len(), processes(room.path()).len()), (1, 0), "its directory");
}

/// A node with a Pod that has volumes in memory and on disk, and a Service; and the directory of its control plane.
fn node_with_a_pod(pause: &Path) -> (ControlPlane, PathBuf) {
    let node = ControlPlane::start_with_node(&[pause.to_owned()]).unwrap_or_else(|why| panic!("{why}"));
    let namespace = node.namespace("left");
    let objects = json!({"apiVersion": "v1", "kind": "List", "items": [
        {
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a", "namespace": namespace},
            "stringData": {"a": "1"},
        },
        {
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": "a", "namespace": namespace},
            "spec": {"selector": {"app": "a"}, "ports": [{"port": 80}]},
        },
        {
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": "a", "namespace": namespace, "labels": {"app": "a"}},
            "spec": {
                "automountServiceAccountToken": false,
                "volumes": [{"name": "secret", "secret": {"secretName": "a"}}, {"name": "disk", "emptyDir": {}}],
                "containers": [{
                    "name": "a", "image": SANDBOX_IMAGE, "args": ["/secret/a"],
                    "volumeMounts": [
                        {"name": "secret", "mountPath": "/secret"}, {"name": "disk", "mountPath": "/disk"},
                    ],
                }],
            },
        },
    ]});
    let manifest = node.dir().join("left.json");
    fs::write(&manifest, objects.to_string()).unwrap();
    // The namespace's service account is made in its own time.
    eventually("the Pod is created", || {
        let applied = node.kubectl(["apply", "--server-side", "-f"]).arg(&manifest).output().unwrap();
        if applied.status.success() {
            Ok(())
        } else {
            Err(String::from_utf8_lossy(&applied.stderr).into_owned())
        }
    });
    let ready = ["wait", "--for=condition=Ready", "--timeout=120s", "pod", "a", "-n", &namespace];
    succeed(&mut node.kubectl(ready));
    let dir = node.dir().to_owned();
    (node, dir)
}

/// What the machine has of a control plane with this directory.
fn traces(before: &Machine, dir: &Path) -> Vec<String> {
    let directory = dir.exists().then(|| format!("directory {}", dir.display()));
    [Machine::look().since(before), processes(dir), directory.into_iter().collect()].concat()
}

/// Waits until no trace is left but those that begin like this and name the control plane: what ends with a process ends a
/// moment after it.
#[track_caller]
fn until_no_trace_but(kinds: &[&str], before: &Machine, dir: &Path) {
    let name = dir.file_name().unwrap().to_str().unwrap();
    let may_stay = |trace: &String| {
        let kind = kinds.iter().find(|kind| trace.starts_with(**kind));
        kind.is_some_and(|kind| PASSED_ON.contains(kind) || trace.contains(name))
    };
    eventually("the node left nothing behind", || {
        let mut left = traces(before, dir);
        left.retain(|trace| !may_stay(trace));
        if left.is_empty() { Ok(()) } else { Err(format!("{left:#?}")) }
    });
}
