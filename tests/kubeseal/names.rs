//! Names that no cluster takes: the real kubeseal seals for them silently, and ours does so with a warning.
//!
//! Not `seal` itself, which refuses them. Invariant: the result is the real one's, and each opens the other's.

use super::{Outcome, Program, masked, outcome};

const NO_NAME: &str = "is not a DNS subdomain";
const NO_NAMESPACE: &str = "is not a DNS label";

/// Runs both programs. The results must be the same, and ours must warn about the names.
#[track_caller]
fn assert_same_but_told(args: &str, stdin: &str, told: &[&str]) -> Outcome {
    let [ours, peer] = [Program::Ours, Program::Peer].map(|program| outcome(program, args, stdin, &|_| {}));
    let case = format!("{args} < {stdin}\nours: {}\npeer: {}", ours.run.stderr, peer.run.stderr);
    assert_eq!((ours.run.code, peer.run.code), (0, 0), "{case}");
    assert_eq!(masked(&ours.run.stdout), masked(&peer.run.stdout), "{case}");
    assert_eq!(peer.run.stderr, "", "{case}");
    let warnings: Vec<&str> = ours.run.stderr.lines().filter(|line| line.starts_with("warning: ")).collect();
    assert_eq!(warnings.len(), told.len(), "{case}");
    for (warning, told) in warnings.iter().zip(told) {
        assert!(warning.contains(told) && warning.ends_with("; no cluster takes such a Secret"), "{case}");
    }
    assert!(!ours.run.stderr.contains('\u{1b}'), "{case}");
    ours
}

#[test]
fn names_that_no_cluster_takes_are_sealed_for_with_a_warning() {
    for format in ["json", "yaml"] {
        for (input, args, told) in [
            ("upper-case.yaml", "", &[NO_NAME][..]),
            ("upper-case.yaml", "--scope namespace-wide", &[NO_NAME]),
            ("upper-case.yaml", "--scope cluster-wide", &[NO_NAME]),
            ("odd.yaml", "", &[NO_NAMESPACE, NO_NAME]),
            ("plain.yaml", "--name Renamed", &[NO_NAME]),
            ("plain.yaml", "-n Prod", &[NO_NAMESPACE]),
        ] {
            let args = format!("--cert cert.pem -o {format} {args}");
            let sealed = assert_same_but_told(&args, input, told).run.stdout;
            // The object also contains the parts of the place that the scope leaves open.
            let again = |program| {
                let args = "--recovery-unseal --recovery-private-key key.pem";
                outcome(program, args, "sealed", &|sandbox| sandbox.write("sealed", &sealed)).run
            };
            let [ours, peer] = [Program::Ours, Program::Peer].map(again);
            assert_eq!((ours.code, peer.code), (0, 0), "{args}: {} {}", ours.stderr, peer.stderr);
            assert_eq!(ours.stdout, peer.stdout, "{args}");
        }
    }
}

#[test]
fn raw_values_and_merged_ones_too() {
    assert_same_but_told(
        "--cert cert.pem --raw --name testSecret -n Prod",
        "value",
        &[NO_NAMESPACE, NO_NAME],
    );
    assert_same_but_told("--cert cert.pem --raw --scope namespace-wide -n a/b", "value", &[NO_NAMESPACE]);
    assert_same_but_told("--cert cert.pem --raw --scope cluster-wide --name A", "value", &[NO_NAME]);

    let sealed = outcome(Program::Peer, "--cert cert.pem", "upper-case.yaml", &|_| {}).run.stdout;
    let merged = |program| {
        let args = "--cert cert.pem --merge-into sealed";
        outcome(program, args, "upper-case.yaml", &|sandbox| sandbox.write("sealed", &sealed))
    };
    let [ours, peer] = [Program::Ours, Program::Peer].map(merged);
    assert_eq!((ours.run.code, peer.run.code), (0, 0), "{}", ours.run.stderr);
    assert!(ours.run.stderr.contains(NO_NAME), "{}", ours.run.stderr);
    let file = |outcome: &Outcome| masked(&outcome.files[std::path::Path::new("sealed")]);
    assert_eq!(file(&ours), file(&peer));
}

#[test]
fn under_its_own_name_seal_refuses_them() {
    let sandbox = super::sandbox();
    let secret =
        "apiVersion: v1\nkind: Secret\nmetadata: {name: testSecret, namespace: prod}\nstringData: {a: b}\n";
    for format in ["bitnami", "native"] {
        let to = if format == "native" { ["-r", "prod.pub"] } else { ["--cert", "cert.pem"] };
        let run = sandbox.run(to.iter().chain(&["--seal-format", format]), secret);
        assert!(run.code != 0 && run.stdout.is_empty(), "{format}: {}", run.stderr);
        assert!(run.stderr.contains("testSecret") && run.stderr.contains(NO_NAME), "{}", run.stderr);
    }
}
