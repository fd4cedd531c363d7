//! The differences between ours and the real kubeseal that are on purpose: the real one loses or changes values,
//! or tells less.
//!
//! Invariant: the real one still behaves as its case says; if it changes, the case goes.

use super::{Program, outcome};

/// A SealedSecret with every field that a server adds.
pub(super) const RICH: &str = r#"# a comment
apiVersion: bitnami.com/v1alpha1
kind: SealedSecret
metadata:
  annotations: {z: "q"}
  creationTimestamp: null
  generation: 3
  name: db
  namespace: prod
  resourceVersion: "4"
  uid: abc
  ownerReferences: [{apiVersion: a/b, kind: K, name: o, uid: u, controller: true}]
spec:
  encryptedData: {x: AAAA}
  template:
    data: {conf: "{{ .x }}"}
    metadata: {name: db, namespace: prod, annotations: {q: r}, labels: {s: t}, creationTimestamp: null}
    type: Opaque
status:
  observedGeneration: 2
  conditions:
  - {type: Synced, status: "True", lastUpdateTime: "2020-01-01T00:00:00Z", lastTransitionTime: "2020-01-01T00:00:00Z"}
"#;

/// One difference: the arguments, the input, the exit codes of the real one and of ours, the message of ours, and
/// the reason.
type Difference = (&'static str, &'static str, i32, i32, &'static str, &'static str);

const DIFFERENCES: [Difference; 12] = [
    (
        "--cert cert.pem",
        "twice.yaml",
        0,
        1,
        "the key password is there twice",
        "one of the two values would be lost",
    ),
    (
        "--cert cert.pem",
        "boolean.yaml",
        0,
        1,
        "the unquoted key on is a boolean to kubectl",
        "the item would be sealed as \"true\"",
    ),
    ("--cert cert.pem", "map.yaml", 0, 1, "the input is of kind \"ConfigMap\", not a Secret", "it isn't one"),
    (
        "--cert cert.pem",
        "spaced.yaml",
        0,
        1,
        "a key under stringData is not a Secret key",
        "no cluster takes it, and it may be a value: it would stand in the result in the clear",
    ),
    (
        "--validate",
        "nothing",
        1,
        1,
        "no sealed secrets found in the input",
        "the real one asks the cluster first, and finds nothing to be valid",
    ),
    (
        "--cert missing.pem",
        "plain.yaml",
        1,
        1,
        "can't read missing.pem: no such file or directory",
        "one way to say it for all files",
    ),
    ("--cert key.pem", "plain.yaml", 1, 1, "key.pem can't be used to seal", "it says which file"),
    (
        "--cert cert.pem -f missing",
        "nothing",
        1,
        1,
        "Could not read file specified with --secret-file: missing: no such file",
        "it says which file, and why",
    ),
    (
        "--cert cert.pem --merge-into several.yaml",
        "plain.yaml",
        1,
        1,
        "not a SealedSecret of bitnami.com/v1alpha1",
        "it says what it is",
    ),
    (
        "--cert cert.pem -o yaml",
        "control.json",
        1,
        1,
        "the object can't be written as YAML",
        "it says so of the object, and prints no mark of a document before",
    ),
    (
        "--recovery-unseal --recovery-private-key key.pem",
        "plain.yaml",
        1,
        1,
        "not a SealedSecret of bitnami.com/v1alpha1",
        "it says what it is",
    ),
    (
        "--recovery-unseal --recovery-private-key key.pem",
        "nothing",
        0,
        1,
        "no sealed secrets found in the input",
        "the real one prints a Secret without a name and without items",
    ),
];

#[test]
fn ours_differs_only_where_that_is_safer_or_says_more() {
    for (args, stdin, peer_code, code, said, why) in DIFFERENCES {
        let peer = outcome(Program::Peer, args, stdin, &|_| {}).run;
        let ours = outcome(Program::Ours, args, stdin, &|_| {}).run;
        assert_eq!((peer.code, ours.code), (peer_code, code), "{args} < {stdin}: {}", ours.stderr);
        assert!(ours.stderr.contains(said), "{args} < {stdin} ({why}): {}", ours.stderr);
        assert!(ours.stdout.is_empty(), "{args} < {stdin}");
        let first = |text: &str| text.lines().next().unwrap_or_default().to_owned();
        assert!(
            ours.stdout != peer.stdout || first(&ours.stderr) != first(&peer.stderr),
            "{args}: no difference"
        );
    }
}

#[test]
fn labels_are_merged_into_a_file_that_has_none() {
    let sealed = outcome(Program::Peer, "--cert cert.pem", "plain.yaml", &|_| {}).run.stdout;
    let args = "--cert cert.pem --merge-into sealed";
    let [peer, ours] = [Program::Peer, Program::Ours]
        .map(|program| outcome(program, args, "live.yaml", &|sandbox| sandbox.write("sealed", &sealed)));
    assert!(peer.run.stderr.contains("assignment to entry in nil map"), "{}", peer.run.stderr);
    // The Secret's namespace differs from the file's, and the file's is taken.
    assert_eq!(ours.run.code, 0, "{}", ours.run.stderr);
    let merged: serde_json::Value =
        serde_json::from_slice(&ours.files[std::path::Path::new("sealed")]).unwrap();
    assert_eq!(merged["spec"]["template"]["metadata"]["labels"]["app"], "db");
    assert_eq!(merged["metadata"]["namespace"], "staging");
}

#[test]
fn what_is_merged_has_the_scope_that_the_file_claims() {
    let sealed =
        outcome(Program::Peer, "--cert cert.pem --scope namespace-wide", "plain.yaml", &|_| {}).run.stdout;
    for (program, opens) in [(Program::Peer, false), (Program::Ours, true)] {
        let args = "--cert cert.pem --merge-into sealed";
        let merged = outcome(program, args, "plain.yaml", &|sandbox| sandbox.write("sealed", &sealed));
        assert_eq!(merged.run.code, 0, "{}", merged.run.stderr);
        let merged = &merged.files[std::path::Path::new("sealed")];
        let args = "--recovery-unseal --recovery-private-key key.pem";
        let opened = outcome(Program::Peer, args, "sealed", &|sandbox| sandbox.write("sealed", merged));
        assert_eq!(opened.run.code == 0, opens, "{}", opened.run.stderr);
    }
    let args = "--cert cert.pem --merge-into sealed --scope cluster-wide";
    let refused = outcome(Program::Ours, args, "plain.yaml", &|sandbox| sandbox.write("sealed", &sealed));
    assert!(refused.run.code == 1 && refused.run.stderr.contains("the SealedSecret is namespace-wide"));
}
