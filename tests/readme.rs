//! Runs README: every command of its `console` blocks, in order, in one directory and one cluster, and compares
//! the output.
//!
//! Not the programs' own tests. A block whose first line is `# PATH` is a file, and is written before the
//! commands after it run. This test plays the kubelet: it runs a controller while there is a Deployment.
//!
//! Invariant: a new command of README is run, or is listed in [`ELSEWHERE`] with the test that runs it.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use seal_tests::control_plane::{ControlPlane, succeed};
use seal_tests::controller::Controller;
use seal_tests::wait::eventually;
use seal_tests::{peer, toolchain};
use serde_json::{Value, json};

use crate::cluster::scene::ACCOUNT;

const SYSTEM: &str = "seal-system";

/// Commands that aren't run here, and the tests that run them.
const ELSEWHERE: [(&str, &str); 4] = [
    (
        "seal keys restore seal-keys.yaml --context prod -r keys/prod.pub --yes",
        "cluster/key_backup, in a cluster that has lost its keys",
    ),
    ("make demo", "demo.rs"),
    ("make test", ".ci/run"),
    ("make build", "this build's own programs are used"),
];

/// A command, and the output that README shows.
struct Step {
    command: String,
    shown: Vec<String>,
}

enum Part {
    File { path: String, content: String },
    Run(Step),
}

#[test]
fn every_command_of_readme_does_what_readme_shows() {
    // A cluster in which sealed-secrets was installed, like those that people come from.
    let plane = ControlPlane::start(&[peer::definition()]).unwrap();
    let reader = Reader::new(&plane);
    let mut controller: Option<Controller> = None;
    let mut skipped = Vec::new();
    for part in parts(&fs::read_to_string(toolchain::repository().join("README.md")).unwrap()) {
        match part {
            Part::File { path, content } => reader.write(&path, &content),
            Part::Run(step) => match ELSEWHERE.iter().find(|(command, _)| *command == step.command) {
                Some(known) => skipped.push(known),
                None => reader.follow(&step),
            },
        }
        let deployed = plane.kubectl(["get", "deployment", "-n", SYSTEM, ACCOUNT]).output().unwrap();
        match (&mut controller, deployed.status.success()) {
            (None, true) => controller = Some(start(&plane)),
            (Some(running), false) => {
                assert!(running.terminate().success());
                controller = None;
            }
            _ => {}
        }
    }
    assert_eq!(skipped.len(), ELSEWHERE.len(), "README doesn't name all of them any more");
    assert!(controller.is_none(), "README ends with the uninstall");
    what_must_outlive_the_controller_is_there(&plane);
}

/// Checks the cluster after the last command, which removes the installation.
fn what_must_outlive_the_controller_is_there(plane: &ControlPlane) {
    let count = |what: &[&str]| plane.object(what)["items"].as_array().unwrap().len();
    assert_eq!(count(&["secrets", "-n", SYSTEM, "-l", "sealing.dev/sealing-key"]), 1, "the private key");
    assert!(count(&["sealedsecrets.sealing.dev", "-n", "prod"]) > 0);
    assert!(count(&["secrets", "-n", "prod"]) > 0);
    assert_eq!(plane.object(["namespace", SYSTEM])["status"]["phase"], "Active");
}

fn start(plane: &ControlPlane) -> Controller {
    Controller::start::<&str>(&plane.service_account(SYSTEM, ACCOUNT), plane.dir(), &[]).ready()
}

/// A person with a checkout, a cluster and README.
struct Reader {
    home: tempfile::TempDir,
    kubeconfig: PathBuf,
    path: String,
}

impl Reader {
    fn new(plane: &ControlPlane) -> Self {
        let home = tempfile::Builder::new().prefix("seal-readme-").tempdir().unwrap();
        let (checkout, bin) = (home.path().join("checkout"), home.path().join(".local/bin"));
        fs::create_dir_all(checkout.join("target/release")).unwrap();
        fs::create_dir_all(&bin).unwrap();
        for part in ["controller", "keys-example"] {
            let copy = ["-R", "--", part].map(PathBuf::from);
            succeed(Command::new("cp").args(copy).arg(&checkout).current_dir(toolchain::repository()));
        }
        symlink(env!("CARGO_BIN_EXE_test-seal"), checkout.join("target/release/seal")).unwrap();
        symlink(env!("CARGO_BIN_EXE_test-seal-controller"), checkout.join("target/release/seal-controller"))
            .unwrap();
        symlink(toolchain::bin("kubectl"), bin.join("kubectl")).unwrap();
        let mut config: Value = serde_json::from_slice(&fs::read(plane.kubeconfig()).unwrap()).unwrap();
        config["contexts"][0]["name"] = json!("prod");
        config["current-context"] = json!("prod");
        let kubeconfig = home.path().join("kubeconfig");
        fs::write(&kubeconfig, config.to_string()).unwrap();
        let path = format!("{}:/usr/bin:/bin", bin.display());
        Self { home, kubeconfig, path }
    }

    fn checkout(&self) -> PathBuf {
        self.home.path().join("checkout")
    }

    fn write(&self, path: &str, content: &str) {
        let path = self.checkout().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// Runs the command and compares its output. A command that only looks at the cluster may run again, as a
    /// person would repeat it.
    fn follow(&self, step: &Step) {
        let attempt = || {
            let (succeeded, output) = self.run(&step.command);
            let said: Vec<&str> = output.lines().collect();
            let shown: Vec<&str> = step.shown.iter().map(String::as_str).collect();
            if succeeded && matches(&shown, &said) { Ok(()) } else { Err(output) }
        };
        if step.command.starts_with("kubectl get") {
            eventually(&step.command, attempt);
        } else {
            attempt().unwrap_or_else(|output| {
                panic!("$ {}\n{output}\nREADME shows:\n{}", step.command, step.shown.join("\n"))
            });
        }
    }

    /// Runs the command and returns both streams together, as on a terminal.
    fn run(&self, command: &str) -> (bool, String) {
        let output = Command::new("bash")
            .args(["-o", "pipefail", "-c", &format!("{{ {command}\n}} 2>&1")])
            .current_dir(self.checkout())
            .env_clear()
            .env("PATH", &self.path)
            .env("HOME", self.home.path())
            .env("KUBECONFIG", &self.kubeconfig)
            .output()
            .unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

fn parts(readme: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut lines = readme.lines();
    while let Some(line) = lines.next() {
        let Some(language) = line.strip_prefix("```") else { continue };
        let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        if language == "console" {
            for line in block {
                match (line.strip_prefix("$ "), parts.last_mut()) {
                    (Some(command), _) => {
                        parts.push(Part::Run(Step { command: command.to_owned(), shown: Vec::new() }));
                    }
                    (None, Some(Part::Run(step))) => step.shown.push(line.to_owned()),
                    (None, _) => panic!("{line:?} is the output of no command"),
                }
            }
        } else if let Some(path) = block.first().and_then(|line| line.strip_prefix("# "))
            && Path::new(path).extension().is_some()
            && !path.contains(' ')
        {
            parts.push(Part::File { path: path.to_owned(), content: block.join("\n") + "\n" });
        }
    }
    parts
}

/// Whether the output is the shown one. A line `…` stands for any number of lines.
fn matches(shown: &[&str], said: &[&str]) -> bool {
    match (shown.split_first(), said.split_first()) {
        (None, None) => true,
        (Some((&"…", rest)), _) => (0..=said.len()).any(|skip| matches(rest, &said[skip..])),
        (Some((line, shown)), Some((found, said))) => plain(line) == plain(found) && matches(shown, said),
        _ => false,
    }
}

/// The line without the parts that differ from run to run: keys, times, ages, addresses, widths of columns.
fn plain(line: &str) -> String {
    let words = line.split_whitespace().map(|word| {
        let core = word.trim_matches(|c: char| "(),:;".contains(c));
        match kind(core) {
            Some(kind) => word.replacen(core, kind, 1),
            None => word.to_owned(),
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

fn kind(word: &str) -> Option<&'static str> {
    let all = |test: fn(&u8) -> bool| word.bytes().all(|byte| test(&byte));
    let has_digit = word.bytes().any(|byte| byte.is_ascii_digit());
    if word.starts_with("https://") {
        Some("<address>")
    } else if word.starts_with("age1") {
        Some("<recipient>")
    } else if (20..=30).contains(&word.len()) && word.ends_with('Z') && word.as_bytes()[10] == b'T' {
        Some("<time>")
    } else if has_digit && word.len() <= 6 && all(|byte| byte.is_ascii_digit() || b"smh".contains(byte)) {
        (!all(u8::is_ascii_digit)).then_some("<age>")
    } else if matches!(word.len(), 16 | 64) && all(u8::is_ascii_hexdigit) {
        Some("<fingerprint>")
    } else if word.len() >= 40 && all(|byte| byte.is_ascii_alphanumeric() || b"+/=-_.".contains(byte)) {
        Some("<sealed>")
    } else {
        None
    }
}

#[test]
fn a_difference_between_readme_and_what_is_said_is_seen() {
    let shown = ["NAME AGE", "…", "db 1s"];
    assert!(matches(&shown, &["NAME    AGE", "a   3m2s", "db   7s"]));
    assert!(!matches(&shown, &["NAME    AGE", "db   soon"]));
    assert!(!matches(&shown, &["NAME    AGE", "db   7s", "db   7s", "other"]));
    assert!(!matches(&["InSync"], &["NoMatchingKey"]));
    assert!(matches(
        &["to: sealing-key-first 723550668d896f7c"],
        &["to: sealing-key-first 823550668d896f7c"]
    ));
}
