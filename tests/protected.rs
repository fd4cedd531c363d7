//! Identities under protection: behind a passphrase, and behind an age plugin, which is built for these tests
//! (`src/bin/age-plugin-touch.rs`). The real age is the second reader and writer.
//!
//! Questions at a terminal are in [`terminal`](crate::terminal). Invariant: where hardware would ask for a touch, the
//! touches are counted.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use seal_crds::keys::{Identity, Recipient, backup};
use seal_tests::{toolchain, touch};
use serde_json::json;

use crate::by_hand::pipe;
use crate::sandbox::{Run, Sandbox, run};

/// A person with a key in hardware.
struct Holder {
    sandbox: Sandbox,
}

impl Holder {
    fn new() -> Self {
        let sandbox = Sandbox::new();
        sandbox.write("touch.key", touch::identity_file());
        sandbox.write("touch.pub", format!("{}\n", touch::recipient()));
        Self { sandbox }
    }

    fn touches_file(&self) -> PathBuf {
        self.sandbox.path("touches")
    }

    fn touches(&self) -> usize {
        touch::count(&self.touches_file())
    }

    /// Runs `seal` where the plugin is installed.
    fn seal(&self, args: &[&str]) -> Run {
        let mut seal = self.sandbox.seal(args);
        run(seal.env("PATH", touch::path()).env(touch::TOUCHES, self.touches_file()), b"")
    }

    /// Runs the real age where the plugin is installed.
    fn age(&self, args: &[&str], stdin: &[u8]) -> Vec<u8> {
        let mut age = Command::new(toolchain::bin("age"));
        self.sandbox.confine(&mut age);
        age.args(args).env("PATH", touch::path()).env(touch::TOUCHES, self.touches_file());
        pipe(&mut age, stdin)
    }
}

/// Seals a Secret with one item to these files of recipients.
fn sealed(holder: &Holder, name: &str, recipients: &[&str]) -> String {
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": "prod"},
        "stringData": {"password": format!("hunter2 of {name}")},
    });
    holder.sandbox.write("secret.json", secret.to_string());
    let mut args = vec!["secret.json"];
    recipients.iter().for_each(|recipient| args.extend(["-r", recipient]));
    let run = holder.seal(&args);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    String::from_utf8(run.stdout).unwrap()
}

#[test]
fn a_key_in_hardware_and_a_post_quantum_one_share_an_envelope_which_age_opens_with_either() {
    let holder = Holder::new();
    let software = pipe(Command::new(toolchain::bin("age-keygen")).arg("-pq"), b"");
    let software = String::from_utf8(software).unwrap();
    let identity = Identity::parse(software.lines().last().unwrap()).unwrap();
    holder.sandbox.write("software.key", &software);
    holder.sandbox.write("software.pub", format!("{}\n", identity.recipient()));
    let manifest = sealed(&holder, "db", &["touch.pub", "software.pub"]);
    holder.sandbox.write("sealed.yaml", &manifest);

    // By seal, with the key in hardware.
    let opened = holder.seal(&["unseal", "sealed.yaml", "-i", "touch.key", "--item", "password"]);
    assert_eq!((opened.code, opened.stderr.as_str()), (0, "age-plugin-touch: touch the test key\n"));
    assert_eq!(opened.stdout, b"hunter2 of db");
    assert_eq!(holder.touches(), 1);
    // By age 1.3, with either.
    let object: serde_json::Value = serde_json::from_str(&manifest).unwrap();
    let age = object["spec"]["envelopes"][0]["age"].as_str().unwrap();
    use base64::Engine as _;
    let age = base64::engine::general_purpose::STANDARD.decode(age).unwrap();
    let by_hardware = holder.age(&["-d", "-i", "touch.key"], &age);
    assert_eq!(holder.touches(), 2);
    assert_eq!(holder.age(&["-d", "-i", "software.key"], &age), by_hardware);
    assert_eq!(holder.touches(), 2);
    // What age makes for both, the plugin opens by seal's protocol too: a backup is such a file.
    let key = Identity::generate();
    let date = serde_json::from_value(json!("2026-01-02T03:04:05Z")).unwrap();
    let set: [Recipient; 2] = [touch::recipient().parse().unwrap(), identity.recipient().clone()];
    let file = backup::encrypt(&key, 1, &date, &set).unwrap();
    let plaintext = holder.age(&["-d", "-i", "touch.key"], file.as_bytes());
    assert_eq!(holder.age(&["-d", "-i", "software.key"], file.as_bytes()), plaintext);
    let by_age = holder.age(&["-a", "-R", "touch.pub", "-R", "software.pub"], &plaintext);
    let touched = holder.touches();
    holder.sandbox.write(format!("backups/{}", backup::file_name(&key.fingerprint())), by_age);
    holder.sandbox.write("key.pub", format!("{}\n", key.recipient()));
    fs::create_dir(holder.sandbox.path("manifests")).unwrap();
    holder.sandbox.write("manifests/db.yaml", sealed(&holder, "db", &["key.pub", "touch.pub"]));
    let drill = holder.seal(&["keys", "drill", "backups", "manifests", "-i", "touch.key"]);
    assert_eq!((drill.code, holder.touches() - touched), (0, 1), "{}", drill.stderr);
}

#[test]
fn a_drill_of_300_files_takes_one_touch_a_backup() {
    let holder = Holder::new();
    let date = serde_json::from_value(json!("2026-01-02T03:04:05Z")).unwrap();
    let keys: Vec<Identity> = (0..3).map(|_| Identity::generate()).collect();
    let mut pins = format!("{}\n", touch::recipient());
    for (sequence, key) in (1..).zip(&keys) {
        let file = backup::encrypt(key, sequence, &date, &[touch::recipient().parse().unwrap()]).unwrap();
        holder.sandbox.write(format!("backups/{}", backup::file_name(&key.fingerprint())), file);
        holder.sandbox.write(format!("key-{sequence}.pub"), format!("{}\n", key.recipient()));
        pins += &format!("{}\n", key.recipient());
    }
    holder.sandbox.write("prod.pub", pins);
    let manifests: Vec<String> = (1..=3)
        .map(|sequence| sealed(&holder, "db", &[&format!("key-{sequence}.pub"), "touch.pub"]))
        .collect();
    for number in 0..300 {
        holder.sandbox.write(format!("manifests/{number}.yaml"), &manifests[number % 3]);
    }
    let drill = holder.seal(&["keys", "drill", "backups", "manifests", "-i", "touch.key", "-r", "prod.pub"]);
    assert_eq!(drill.code, 0, "{}", drill.stderr);
    assert_eq!(holder.touches(), 3);
    assert!(drill.stderr.ends_with("3 backups and 300 SealedSecrets open\n"), "{}", drill.stderr);
    let said = String::from_utf8(drill.stdout).unwrap();
    assert_eq!(
        said.lines().filter(|line| line.ends_with("opens; 100 SealedSecrets opened with it")).count(),
        3
    );

    // A backup that nobody pinned costs no touch, and neither does one for another recipient.
    let forged = Identity::generate();
    let file = backup::encrypt(&forged, 9, &date, &[touch::recipient().parse().unwrap()]).unwrap();
    holder.sandbox.write(format!("backups/{}", backup::file_name(&forged.fingerprint())), file);
    let foreign = backup::encrypt(&keys[0], 1, &date, &[Identity::generate().recipient().clone()]).unwrap();
    holder.sandbox.write(format!("backups/{}", backup::file_name(&keys[0].fingerprint())), foreign);
    let drill = holder.seal(&["keys", "drill", "backups", "manifests", "-i", "touch.key", "-r", "prod.pub"]);
    assert_eq!((drill.code, holder.touches()), (1, 5));
    let said = String::from_utf8(drill.stdout).unwrap();
    assert!(said.contains("no pins list this key"), "{said}");
    assert!(said.contains("none of the identities opens it"), "{said}");
    assert_eq!(said.lines().filter(|line| line.contains("prod/db can't be opened")).count(), 100);
}

#[test]
fn a_plugin_identity_without_its_recipient_or_its_program_is_refused_where_it_stands() {
    let holder = Holder::new();
    holder.sandbox.write("sealed.yaml", sealed(&holder, "db", &["touch.pub"]));
    holder.sandbox.write("bare.key", format!("# mine\n{}\n", touch::IDENTITY));
    let bare = holder.seal(&["unseal", "sealed.yaml", "-i", "bare.key"]);
    assert_eq!(bare.code, 3);
    assert!(
        bare.stderr.contains("doesn't say which recipient it is of\n  --> bare.key:2:1"),
        "{}",
        bare.stderr
    );
    assert!(!bare.stderr.contains("AGE-PLUGIN-TOUCH"), "{}", bare.stderr);
    // Neither a relative directory of PATH nor the working directory is searched.
    fs::copy(toolchain::own("age-plugin-touch"), holder.sandbox.path("age-plugin-touch")).unwrap();
    let mut seal = holder.sandbox.seal(["unseal", "sealed.yaml", "-i", "touch.key"]);
    let missing = run(seal.env("PATH", ".:"), b"");
    assert_eq!(missing.code, 3);
    assert!(
        missing.stderr.contains("age-plugin-touch is in no absolute directory of PATH"),
        "{}",
        missing.stderr
    );
    // An identity of another recipient is told apart by the list in the envelope, and not asked.
    let other = sealed(&holder, "db", &[&format!("{}", Identity::generate().recipient())]);
    holder.sandbox.write("other.yaml", other);
    let other = holder.seal(&["unseal", "other.yaml", "-i", "touch.key"]);
    assert_eq!((other.code, holder.touches()), (3, 0), "{}", other.stderr);
}

#[test]
fn without_a_terminal_a_plugin_gets_no_pin_and_the_failure_says_so() {
    let holder = Holder::new();
    holder.sandbox.write("sealed.yaml", sealed(&holder, "db", &["touch.pub"]));
    // A session of its own has no terminal, wherever the tests were started.
    let mut setsid = Command::new("setsid");
    holder.sandbox.confine(&mut setsid);
    setsid.args(["-w", env!("CARGO_BIN_EXE_test-seal"), "unseal", "sealed.yaml", "-i", "touch.key"]);
    let refused = run(setsid.env("PATH", touch::path()).env(touch::PIN, "1234"), b"");
    assert_eq!(refused.code, 3);
    assert!(
        refused.stderr.contains("warning: age-plugin-touch failed: the PIN is wrong\n"),
        "{}",
        refused.stderr
    );
    assert!(!refused.stderr.contains("1234"));
}
