//! `seal migrate` on whole repositories: the old and the new objects open to the same Secrets.
//!
//! Not single layouts and messages, which are cases in `cli/migrate/`. Invariant: the program itself opens both
//! sides, with different keys, and the test compares its output.

use std::fmt::Write as _;
use std::fs;
use std::time::{Duration, Instant};

use crate::sandbox::Sandbox;

/// The number of files, and of objects of all shapes in them.
const FILES: usize = 10;
const OBJECTS: usize = 100;

fn secrets(file: usize) -> String {
    let mut text = String::new();
    for index in 0..OBJECTS {
        let _ = write!(
            text,
            "---\napiVersion: v1\nkind: Secret\nmetadata:\n  name: s{index}\n  namespace: n{file}\n  labels: {{\"on\": \"{index}\"}}\n\
             type: {}\nstringData:\n  on.e: \"value {index}\\n\"\n  tw-o: \"\\u00e9 {file}\"\n",
            if index % 2 == 0 { "Opaque" } else { "example.com/own" }
        );
    }
    text
}

#[test]
fn a_thousand_objects_migrate_in_seconds_and_open_to_the_same_secrets() {
    let sandbox = Sandbox::new();
    let names: Vec<String> = (0..FILES).map(|file| format!("deploy/{file}.yaml")).collect();
    let scopes = ["strict", "namespace-wide", "cluster-wide"];
    for (file, name) in names.iter().enumerate() {
        sandbox.write(name, secrets(file));
        let scope = scopes[file % scopes.len()];
        sandbox.succeed(
            ["-w", "--seal-format", "bitnami", "--cert", "rsa.crt", "--scope", scope, name.as_str()],
            "",
        );
    }
    let open = |key: &str| {
        let args = ["unseal", "-i", key].map(str::to_owned);
        let text = sandbox.succeed(args.iter().chain(&names), "");
        // The peer's controller copies the annotations of the scope to the Secret.
        let text = String::from_utf8(text).unwrap();
        let is_mark = |line: &&str| line.contains("sealedsecrets.bitnami.com/") || *line == "  annotations:";
        text.lines().filter(|line| !is_mark(line)).map(str::to_owned).collect::<Vec<_>>()
    };
    let before = open("rsa.key");

    let start = Instant::now();
    let run = sandbox.run(["migrate", "-i", "keys-backup.yaml", "-r", "prod.pub", "-w"], "");
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(start.elapsed() < Duration::from_secs(60), "{:?}", start.elapsed());
    let (warning, summary) = run.stderr.split_once('\n').unwrap();
    assert_eq!(
        warning,
        "warning: 300 SealedSecrets are cluster-wide, which a controller refuses in the native format unless it is \
         started with --allowed-scopes=strict,namespace-wide,cluster-wide: n2/s0, n2/s1, n2/s2 and 297 more; keep the \
         old objects in the cluster until they say Superseded"
    );
    assert_eq!(summary, "1000 SealedSecrets were migrated in 10 files\n");
    assert_eq!(String::from_utf8(run.stdout).unwrap().lines().count(), FILES * OBJECTS);

    let text = fs::read_to_string(sandbox.path("deploy/0.yaml")).unwrap();
    assert!(!text.contains("bitnami"), "{text}");
    assert!(open("prod.key") == before, "a Secret changed");
}
