//! `make demo`, as a newcomer runs it: the script succeeds and shows what it promises.
//!
//! Not the programs' own tests. Invariant: the script runs the programs of this build.

use std::os::unix::fs::symlink;
use std::process::Command;

#[test]
fn the_demo_shows_a_secret_healed_and_a_stolen_one_refused() {
    let bin = tempfile::tempdir().unwrap();
    symlink(env!("CARGO_BIN_EXE_test-seal"), bin.path().join("seal")).unwrap();
    symlink(env!("CARGO_BIN_EXE_test-seal-controller"), bin.path().join("seal-controller")).unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../keys-example/demo.sh");
    let output = Command::new(script).arg(bin.path()).output().unwrap();
    let shown = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{shown}\n{}", String::from_utf8_lossy(&output.stderr));
    for line in [
        "kind: SealedSecret",
        "-rw------- secrets/prod/db/password",
        "# Healed.",
        "correct horse battery staple",
        "sealed for prod/db, found in staging/db",
        "no Secret was made",
    ] {
        assert!(shown.lines().any(|shown| shown == line), "{line}\n{shown}");
    }
}
