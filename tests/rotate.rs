//! `seal rotate` on whole repositories: with identities at hand, and with the offers of a cluster on a real
//! kube-apiserver.
//!
//! Not single messages, which are cases in `cli/rotate/`. Invariant: the program itself opens both sides, with different
//! keys; and every byte of a file outside of its envelopes is compared.

mod offers;
mod patches;
mod repository;

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use seal_crds::keys::{Certificate, Identity, RsaPrivateKey};
use seal_tests::toolchain;

use crate::sandbox::{Run, Sandbox};
use repository::{Repository, outside};

/// The keys that the files are sealed to, as a file for `-i`.
fn write_keys(sandbox: &Sandbox, keys: &[Identity]) {
    let lines: Vec<String> = keys.iter().map(|key| key.to_secret_string().to_string()).collect();
    sandbox.write("old.key", lines.join("\n"));
}

fn rotate(sandbox: &Sandbox, args: &[&str]) -> Run {
    sandbox.run([&["rotate", "-r", "prod.pub"], args].concat(), "")
}

#[test]
fn three_hundred_files_under_four_keys_are_rotated_and_no_byte_outside_of_their_envelopes_changes() {
    let sandbox = Sandbox::new();
    let keys: Vec<Identity> = (0..4).map(|_| Identity::generate()).collect();
    let repository = Repository::new(&sandbox, &keys, 300);
    write_keys(&sandbox, &keys);
    let before = sandbox.files();
    let values = repository.values(&sandbox, "old.key");

    let dry = rotate(&sandbox, &["-i", "old.key", "--dry-run"]);
    assert_eq!(dry.code, 0, "{}", dry.stderr);
    assert!(sandbox.files() == before, "a dry run wrote");

    let run = rotate(&sandbox, &["-i", "old.key"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let said = format!("{} SealedSecrets were rotated in 300 files\n", repository.objects);
    assert_eq!(run.stderr, said);
    assert_eq!(
        dry.stderr,
        said.replace("were rotated in 300 files", "would be rotated in 300 files, and nothing was written")
    );
    assert_eq!(run.stdout, dry.stdout);
    assert_eq!(String::from_utf8(run.stdout).unwrap().lines().count(), repository.objects);
    let after = sandbox.files();
    assert!(after.keys().eq(before.keys()), "a file came or went");
    for (path, text) in &after {
        let (old, new) = (std::str::from_utf8(&before[path]).unwrap(), std::str::from_utf8(text).unwrap());
        assert_eq!(outside(new), outside(old), "{}", path.display());
        assert_eq!(repository.paths.contains(path), old != new, "{}", path.display());
        for key in &keys {
            assert!(!new.contains(&key.fingerprint().to_string()), "{}", path.display());
        }
    }
    assert!(repository.values(&sandbox, "prod.key") == values, "a value changed");

    let again = rotate(&sandbox, &["-i", "old.key"]);
    assert_eq!((again.code, again.stdout.len()), (0, 0));
    assert_eq!(again.stderr, format!("nothing to rotate; {} don't need it\n", repository.objects));
    assert!(sandbox.files() == after);

    // The old keys open nothing any more, so sealing again takes the new one.
    let run = rotate(&sandbox, &["-i", "prod.key", "--reseal"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let fresh = sandbox.files();
    for path in &repository.paths {
        let [old, new] = [&after[path], &fresh[path]].map(|text| std::str::from_utf8(text).unwrap());
        assert_eq!(
            repository::outside_of_items(new),
            repository::outside_of_items(old),
            "{}",
            path.display()
        );
        assert_ne!(outside(new), outside(old), "{}: no line is fresh", path.display());
    }
    assert!(repository.values(&sandbox, "prod.key") == values, "a value changed");
}

#[test]
fn killed_in_the_middle_it_leaves_whole_files_and_the_next_run_does_the_rest() {
    let sandbox = Sandbox::new();
    let keys = [Identity::generate()];
    let repository = Repository::new(&sandbox, &keys, 200);
    write_keys(&sandbox, &keys);
    let before = sandbox.files();
    let values = repository.values(&sandbox, "old.key");
    let changed = || {
        let is_changed = |path: &&std::path::PathBuf| fs::read(sandbox.path(path)).unwrap() != before[*path];
        repository.paths.iter().filter(is_changed).count()
    };
    let mut seal = sandbox.seal(["rotate", "-i", "old.key", "-r", "prod.pub"]);
    let mut seal = seal.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let start = Instant::now();
    while changed() == 0 {
        assert!(start.elapsed() < Duration::from_secs(60), "it never wrote");
    }
    seal.kill().unwrap();
    seal.wait().unwrap();
    let done = changed();
    assert!((1..200).contains(&done), "{done}");
    let beside = sandbox.files().into_keys().filter(|path| path.display().to_string().contains(".seal-"));
    for path in beside {
        fs::remove_file(sandbox.path(path)).unwrap();
    }

    let run = rotate(&sandbox, &["-i", "old.key"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.stderr.contains(&format!(" were rotated in {} files; ", 200 - done)), "{}", run.stderr);
    for (path, text) in sandbox.files() {
        let (old, new) = (std::str::from_utf8(&before[&path]).unwrap(), std::str::from_utf8(&text).unwrap());
        assert_eq!(outside(new), outside(old), "{}", path.display());
    }
    assert!(repository.values(&sandbox, "prod.key") == values, "a value changed");
}

/// A repository that is Bitnami's in half: each half is rotated by the keys that open it, in one run or in two.
#[test]
fn objects_of_bitnami_are_sealed_again_to_a_new_certificate_items_only() {
    let sandbox = Sandbox::new();
    let (new, now) =
        (RsaPrivateKey::generate(), SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs());
    sandbox.write("new.crt", Certificate::self_signed(&new, now - 60, now + 3600).to_pem());
    sandbox.write("new.key", new.to_secret_pem().as_bytes());
    for index in 0..30 {
        let secret = format!(
            "apiVersion: v1\nkind: Secret\nmetadata: {{name: s{index}, namespace: n{}}}\n\
             stringData: {{on.e: opensesame, tw-o: opensesame-2}}\n",
            index % 3
        );
        let scope = ["strict", "namespace-wide", "cluster-wide"][index % 3];
        let path = format!("deploy/s{index}.yaml");
        let args = ["--seal-format", "bitnami", "--cert", "rsa.crt", "--scope", scope];
        let sealed = String::from_utf8(sandbox.succeed(args, secret)).unwrap();
        let sealed = format!("# head\n{}", sealed.replace("spec:", "spec: # s"));
        let sealed = if index % 2 == 0 {
            sealed.replace('\n', "\r\n")
        } else {
            sealed.replace("    on.e: ", "    on.e: >- # folded\n      ")
        };
        sandbox.write(path, sealed);
    }
    let files: Vec<String> = (0..30).map(|index| format!("deploy/s{index}.yaml")).collect();
    let open = |key: &str| {
        let args = ["unseal", "-i", key].map(str::to_owned);
        sandbox.succeed(args.iter().chain(&files), "")
    };
    let (before, values) = (sandbox.files(), open("rsa.key"));
    sandbox.write("mixed.key", [sandbox.read("keys-backup.yaml")].concat());

    let args = ["rotate", "-i", "mixed.key", "--cert", "new.crt", "deploy"];
    let run = sandbox.run(args, "");
    assert_eq!(
        (run.code, run.stderr.lines().last()),
        (0, Some("30 SealedSecrets were rotated in 30 files")),
        "{}",
        run.stderr
    );
    for (path, new) in sandbox.files().into_iter().filter(|(path, _)| path.starts_with("deploy")) {
        let [new, old] = [&new, &before[&path]].map(|text| String::from_utf8(text.clone()).unwrap());
        assert_ne!(new, old, "{}", path.display());
        let is_item = |line: &&str| {
            !line.starts_with("    on.e:") && !line.starts_with("    tw-o:") && !line.starts_with("      AQ")
        };
        let outside = |text: &str| text.split_inclusive('\n').filter(is_item).collect::<String>();
        assert_eq!(outside(&new), outside(&old), "{}", path.display());
    }
    assert!(open("new.key") == values, "a value changed");
    let again =
        sandbox.run(["rotate", "-i", "mixed.key", "-i", "new.key", "--cert", "new.crt", "deploy"], "");
    assert_eq!((again.code, again.stderr.as_str()), (0, "nothing to rotate; 30 don't need it\n"));
}

/// The second implementation of the format reads who has seen a value that came from bitnami.com.
#[test]
fn a_migration_remembers_the_rsa_key_that_had_each_value() {
    let sandbox = Sandbox::new();
    let secret =
        "apiVersion: v1\nkind: Secret\nmetadata: {name: db, namespace: prod}\nstringData: {a: opensesame}\n";
    let sealed = sandbox.succeed(["--seal-format", "bitnami", "--cert", "rsa.crt"], secret);
    sandbox.write("db.yaml", sealed);
    let run = sandbox.run(["migrate", "-i", "rsa.key", "-r", "classic.pub", "-w", "db.yaml"], "");
    assert_eq!(run.code, 0, "{}", run.stderr);
    let rsa = RsaPrivateKey::from_pem(String::from_utf8(sandbox.read("rsa.key")).unwrap()).unwrap();
    let past = |key: &str| {
        let object: serde_json::Value = serde_yaml::from_slice(&sandbox.read("db.yaml")).unwrap();
        let age = BASE64.decode(object["spec"]["envelopes"][0]["age"].as_str().unwrap()).unwrap();
        sandbox.write("envelope.age", age);
        let key = sandbox.path(key);
        let mut decrypt = Command::new(toolchain::bin("age"));
        let plain = decrypt.arg("-d").arg("-i").arg(key).arg(sandbox.path("envelope.age")).output().unwrap();
        let document: serde_json::Value = serde_json::from_slice(&plain.stdout).unwrap();
        document["past"].clone()
    };
    assert_eq!(past("classic.key"), serde_json::json!([rsa.fingerprint().to_string()]));
    // Nothing that is done to the same value later takes the mark away.
    let classic = "4dfb3aabc134e341c509b12369107b7ad284b2438278648b7f636cc54a71862a";
    for args in [&["-i", "classic.key"][..], &["-i", "prod.key", "--reseal"]] {
        let run = rotate(&sandbox, &[args, &["db.yaml"]].concat());
        assert_eq!(run.code, 0, "{}", run.stderr);
        let past = past("prod.key");
        for fingerprint in [&rsa.fingerprint().to_string(), classic] {
            assert!(past.as_array().unwrap().iter().any(|seen| seen == fingerprint), "{past}");
        }
    }
}
