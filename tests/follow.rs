//! Follows a document of the repository like a reader at a terminal: runs every command of its `console` blocks, in
//! order, in one directory and one cluster, and compares the output with the one that the document shows.
//!
//! A block whose first line is `# PATH` is a file, and is written before the commands after it run. An HTML comment
//! on a line of its own is a [`Part::Comment`]: the test that follows the document knows what happens there.
//!
//! Invariant: words of the output may differ only where they differ from run to run: keys, times, ages, addresses
//! and the widths of columns.

use std::cell::RefCell;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use seal_tests::control_plane::{ControlPlane, succeed};
use seal_tests::toolchain;
use seal_tests::wait::eventually;
use serde_json::{Value, json};

/// A command, and the output that the document shows.
pub(crate) struct Step {
    pub(crate) command: String,
    shown: Vec<String>,
}

/// A part of a document that means something to a test.
pub(crate) enum Part {
    File { path: String, content: String },
    Run(Step),
    Comment(String),
}

/// A person with a checkout, a cluster and a document.
pub(crate) struct Reader {
    home: tempfile::TempDir,
    kubeconfig: PathBuf,
    path: String,
    /// The directory of the next command, beneath the checkout; `cd` changes it.
    dir: RefCell<PathBuf>,
}

impl Reader {
    pub(crate) fn new(plane: &ControlPlane) -> Self {
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
        let kubeconfig = home.path().join("kubeconfig");
        let path = format!("{}:/usr/bin:/bin", bin.display());
        let dir = RefCell::new(PathBuf::new());
        let reader = Self { home, kubeconfig, path, dir };
        reader.reach(&[("prod", plane)]);
        reader
    }

    /// Makes the kubeconfig lead to these clusters, by the names of their contexts; the first is the current one.
    pub(crate) fn reach(&self, clusters: &[(&str, &ControlPlane)]) {
        let mut config = json!({"apiVersion": "v1", "kind": "Config", "current-context": clusters[0].0});
        for (name, plane) in clusters {
            let one: Value = serde_json::from_slice(&fs::read(plane.kubeconfig()).unwrap()).unwrap();
            for (list, part) in [("clusters", "cluster"), ("users", "user")] {
                append(&mut config[list], json!({"name": name, part: one[list][0][part]}));
            }
            append(
                &mut config["contexts"],
                json!({"name": name, "context": {"cluster": name, "user": name}}),
            );
        }
        fs::write(&self.kubeconfig, config.to_string()).unwrap();
    }

    pub(crate) fn checkout(&self) -> PathBuf {
        self.home.path().join("checkout")
    }

    /// Puts programs on the reader's PATH.
    pub(crate) fn install(&self, programs: &[(&str, &Path)]) {
        for (name, program) in programs {
            symlink(program, self.home.path().join(".local/bin").join(name)).unwrap();
        }
    }

    pub(crate) fn write(&self, path: &str, content: &str) {
        let path = self.checkout().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// Runs the command and compares its output. A command that only looks at the cluster may run again, as a
    /// person would repeat it; so may one that the API server refuses while it is busy with new definitions.
    pub(crate) fn follow(&self, step: &Step) {
        if let Some(dir) = step.command.strip_prefix("cd ") {
            self.go_to(dir);
            return;
        }
        let attempt = || {
            let (succeeded, output) = self.run(&step.command);
            let said = output.lines().collect();
            let shown = step.shown.iter().map(String::as_str).collect();
            let [shown, said] = settled(shown, said);
            if succeeded && matches(&shown, &said) { Ok(()) } else { Err(output) }
        };
        if ["kubectl get", "seal keys status", "seal keys restore"]
            .iter()
            .any(|look| step.command.starts_with(look))
        {
            eventually(&step.command, attempt);
        } else {
            attempt().unwrap_or_else(|output| {
                panic!("$ {}\n{output}\nthe document shows:\n{}", step.command, step.shown.join("\n"))
            });
        }
    }

    /// Goes to a directory, for the commands after this one.
    fn go_to(&self, dir: &str) {
        let to = self.checkout().join(&*self.dir.borrow()).join(dir).canonicalize().unwrap();
        let checkout = self.checkout().canonicalize().unwrap();
        *self.dir.borrow_mut() =
            to.strip_prefix(checkout).expect("the document stays in the checkout").to_owned();
    }

    /// Runs the command and returns both streams together, as on a terminal.
    pub(crate) fn run(&self, command: &str) -> (bool, String) {
        let output = Command::new("bash")
            .args(["-o", "pipefail", "-c", &format!("{{ {command}\n}} 2>&1")])
            .current_dir(self.checkout().join(&*self.dir.borrow()))
            .env_clear()
            .env("PATH", &self.path)
            .env("HOME", self.home.path())
            .env("KUBECONFIG", &self.kubeconfig)
            .envs(["AUTHOR", "COMMITTER"].map(|who| (format!("GIT_{who}_NAME"), "On Call")))
            .envs(["AUTHOR", "COMMITTER"].map(|who| (format!("GIT_{who}_EMAIL"), "on-call@example.com")))
            .output()
            .unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

fn append(list: &mut Value, value: Value) {
    match list {
        Value::Array(list) => list.push(value),
        _ => *list = json!([value]),
    }
}

pub(crate) fn parts(document: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut lines = document.lines();
    while let Some(line) = lines.next() {
        if let Some(comment) = line.strip_prefix("<!-- ").and_then(|rest| rest.strip_suffix(" -->")) {
            parts.push(Part::Comment(comment.to_owned()));
        }
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

/// Both outputs in an order that doesn't differ from run to run: what is listed by fingerprint is sorted by all else.
/// An output that is shown in part stays as it is.
fn settled<'s>(mut shown: Vec<&'s str>, mut said: Vec<&'s str>) -> [Vec<&'s str>; 2] {
    let is_listed = |line: &&str| ["<fingerprint>", "<sealed>"].iter().any(|kind| plain(line).contains(kind));
    if shown.iter().any(is_listed) && !shown.contains(&"…") {
        shown.sort_by_cached_key(|line| plain(line));
        said.sort_by_cached_key(|line| plain(line));
    }
    [shown, said]
}

/// Whether the output is the shown one. A line `…` stands for any number of lines, and `…` at the end of a line for
/// the rest of it.
fn matches(shown: &[&str], said: &[&str]) -> bool {
    match (shown.split_first(), said.split_first()) {
        (None, None) => true,
        (Some((&"…", rest)), _) => (0..=said.len()).any(|skip| matches(rest, &said[skip..])),
        (Some((line, shown)), Some((found, said))) => is_line(line, found) && matches(shown, said),
        _ => false,
    }
}

fn is_line(shown: &str, said: &str) -> bool {
    match shown.strip_suffix(" …") {
        Some(start) => format!("{} ", plain(said)).starts_with(&format!("{} ", plain(start))),
        None => plain(shown) == plain(said),
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
    if let Some((_, rest)) = word.split_once("secret/sealing-key-") {
        return (kind(rest) == Some("<fingerprint>")).then_some("secret/sealing-key-<fingerprint>");
    }
    if let Some(rest) = word.strip_prefix("sealing-key-") {
        return (kind(rest) == Some("<fingerprint>")).then_some("sealing-key-<fingerprint>");
    }
    let all = |test: fn(&u8) -> bool| word.bytes().all(|byte| test(&byte));
    let has_digit = word.bytes().any(|byte| byte.is_ascii_digit());
    if word.starts_with("https://") {
        Some("<address>")
    } else if word.starts_with("age1") {
        Some("<recipient>")
    } else if (20..=30).contains(&word.len()) && word.ends_with('Z') && word.as_bytes()[10] == b'T' {
        Some("<time>")
    } else if is_day(word) {
        Some("<day>")
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

/// Whether it is a day, YYYY-MM-DD: a document shows the day it was written on.
fn is_day(word: &str) -> bool {
    let parts: Vec<&str> = word.split('-').collect();
    parts.iter().map(|part| part.len()).eq([4, 2, 2])
        && parts.iter().all(|part| part.bytes().all(|byte| byte.is_ascii_digit()))
}

#[test]
fn a_difference_between_a_document_and_what_is_said_is_seen() {
    let shown = ["NAME AGE", "…", "db 1s"];
    assert!(matches(&shown, &["NAME    AGE", "a   3m2s", "db   7s"]));
    assert!(!matches(&shown, &["NAME    AGE", "db   soon"]));
    assert!(!matches(&shown, &["NAME    AGE", "db   7s", "db   7s", "other"]));
    assert!(!matches(&["InSync"], &["NoMatchingKey"]));
    assert!(matches(&["db Ready …"], &["db   Ready   2   1s"]) && matches(&["db Ready …"], &["db   Ready"]));
    assert!(!matches(&["db Ready …"], &["db   ReadyToo   1s"]));
    let backups = |one: char, other: char| {
        let name = |digit: char| digit.to_string().repeat(64);
        [format!("{}.age: added", name(one)), format!("{}.age: there already", name(other))]
    };
    let (shown, said) = (backups('a', 'b'), backups('b', 'a'));
    fn lines(all: &[String]) -> Vec<&str> {
        all.iter().map(String::as_str).collect()
    }
    let [shown, said] = settled(lines(&shown), lines(&said));
    assert!(matches(&shown, &said), "whatever the order of the fingerprints is");
    let named = plain("sealing-key-723550668d896f7c True");
    assert_eq!(named, plain("sealing-key-823550668d896f7c True"));
    assert_ne!(named, plain("sealing-key-2 True"));
    assert!(matches(&["Active 2026-11-27 2"], &["Active 2027-01-02 2"]));
    assert!(!matches(&["Active 2026-11-27 2"], &["Active - 2"]));
    assert!(matches(
        &["to: sealing-key-first 723550668d896f7c"],
        &["to: sealing-key-first 823550668d896f7c"]
    ));
}
