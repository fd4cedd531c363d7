//! One Secret with two items, sealed by a whole process: what an author waits for.
//!
//! Invariant: all programs read the same file, and take turns, so that noise falls on all alike.

use std::path::Path;
use std::process::Command;

use seal_tests::toolchain;

use super::Bench;
use crate::figure::{AGE, Figure, KUBESEAL, Ratio, SEAL_BITNAMI, SEAL_NATIVE, Unit};
use crate::programs::{Programs, peer, seconds};
use crate::sample::Takes;

pub(super) const SEAL_X25519: &str = "seal, native, X25519";
pub(super) const AGE_X25519: &str = "age, X25519";
const AS_KUBESEAL: &str = "seal kubeseal";

pub(super) fn answer(bench: &mut Bench) -> (Vec<Figure>, Vec<Ratio>) {
    let dir = tempfile::tempdir().expect("there is room for temporary files");
    write_given(dir.path());
    std::fs::write(dir.path().join("secret.yaml"), secret("db", 2)).expect("the directory is ours");
    let mut figure = Figure::new("one", "One Secret, the whole process", Unit::Milliseconds, Takes::Median, "Secret")
        .note("Offline: recipients and certificates are files. Native and age seal to X-Wing, which is post-quantum, and once to X25519.");
    for _ in 0..bench.size.runs {
        for (who, mut command) in programs(&bench.programs, dir.path()) {
            figure.add(who, 1, seconds(&mut command, Some(&dir.path().join("secret.yaml"))) * 1000.0);
        }
    }
    let ratios = [
        (SEAL_NATIVE, KUBESEAL),
        (SEAL_BITNAMI, KUBESEAL),
        (AS_KUBESEAL, KUBESEAL),
        (SEAL_NATIVE, AGE),
        (SEAL_X25519, AGE_X25519),
    ];
    let ratios = ratios.into_iter().flat_map(|(ours, theirs)| figure.versus(ours, theirs)).collect();
    (vec![figure], ratios)
}

/// Each program that seals standard input.
pub(super) fn programs(programs: &Programs, dir: &Path) -> Vec<(&'static str, Command)> {
    let with = |mut command: Command, args: &[&str]| {
        command.args(args);
        command
    };
    let seal = || programs.seal(dir);
    vec![
        (SEAL_NATIVE, with(seal(), &["-r", "prod.pub"])),
        (SEAL_X25519, with(seal(), &["-r", "classic.pub"])),
        (SEAL_BITNAMI, with(seal(), &["--seal-format", "bitnami", "--cert", "rsa.crt"])),
        (AS_KUBESEAL, with(seal(), &["kubeseal", "--cert", "rsa.crt"])),
        (KUBESEAL, with(peer("kubeseal", dir), &["--kubeconfig", "/nonexistent", "--cert", "rsa.crt"])),
        (AGE, with(peer("age", dir), &["-R", "prod.pub"])),
        (AGE_X25519, with(peer("age", dir), &["-R", "classic.pub"])),
    ]
}

/// Writes the keys that the tests of the command line use, and for sealed-secrets one of its usual size.
pub(super) fn write_given(dir: &Path) {
    let given = |file: &str| toolchain::repository().join("tests/cli/given").join(file);
    let pair = |file: &str| toolchain::repository().join("crds/src/keys/testdata").join(file);
    let mut files =
        ["prod.pub", "prod.key", "classic.pub", "backup.pub"].map(|file| (given(file), file)).to_vec();
    files.extend([
        (pair("rsa-4096.crt"), "rsa.crt"),
        (pair("rsa-4096.pem"), "rsa.key"),
        (given("rsa.crt"), "other.crt"),
    ]);
    for (from, to) in files {
        std::fs::copy(from, dir.join(to)).expect("the repository has it");
    }
}

/// The manifest of a Secret with so many items.
pub(super) fn secret(name: &str, items: usize) -> String {
    let items: String =
        (0..items).map(|item| format!("  item-{item}: value {item} of {name}, and so on\n")).collect();
    format!(
        "apiVersion: v1\nkind: Secret\nmetadata:\n  name: {name}\n  namespace: prod\nstringData:\n{items}"
    )
}
