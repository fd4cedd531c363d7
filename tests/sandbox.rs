//! A place to run the program `seal` in: a working directory, an empty directory for temporary files, an empty
//! environment, and keys that are always the same.
//!
//! Not the tests. Invariant: [`Sandbox::files`] and [`Sandbox::temporary_files`] see every file that a run leaves
//! behind, wherever it may write.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
pub(crate) use seal_tests::repository::sealed::CANARY;
use seal_tests::toolchain;
use tempfile::TempDir;

/// The directories of one test, which are removed with the value.
pub(crate) struct Sandbox {
    root: TempDir,
}

/// The end of a run: exit code and output.
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

/// The content of every file, by its path beneath a directory.
pub(crate) type Files = BTreeMap<PathBuf, Vec<u8>>;

impl Sandbox {
    /// A sandbox with the files of `cli/given/` in the working directory.
    pub(crate) fn new() -> Self {
        let root = tempfile::Builder::new().prefix("seal-sandbox-").tempdir().expect("there is room in /tmp");
        for dir in ["work", "tmp", "home"] {
            fs::create_dir(root.path().join(dir)).expect("the directory is new");
        }
        let sandbox = Self { root };
        for (name, content) in files_beneath(&toolchain::repository().join("tests/cli/given")) {
            sandbox.write(name, content);
        }
        sandbox
    }

    /// The working directory of the runs.
    pub(crate) fn dir(&self) -> PathBuf {
        self.root.path().join("work")
    }

    pub(crate) fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.dir().join(name)
    }

    pub(crate) fn write(&self, name: impl AsRef<Path>, content: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a file is in a directory")).expect("it can be created");
        fs::write(path, content).expect("the working directory is writable");
    }

    #[track_caller]
    pub(crate) fn read(&self, name: impl AsRef<Path>) -> Vec<u8> {
        let path = self.path(name);
        fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// The command `seal`, in the working directory and with an empty environment.
    pub(crate) fn seal<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Command {
        let mut seal = Command::new(env!("CARGO_BIN_EXE_test-seal"));
        self.confine(&mut seal);
        seal.args(args);
        seal
    }

    /// Gives a command the sandbox's working directory and environment, and nothing of ours.
    pub(crate) fn confine(&self, command: &mut Command) {
        command.env_clear().current_dir(self.dir());
        command.env("HOME", self.root.path().join("home")).env("TMPDIR", self.root.path().join("tmp"));
    }

    /// Runs `seal` with `stdin`.
    #[track_caller]
    pub(crate) fn run<S: AsRef<OsStr>>(
        &self,
        args: impl IntoIterator<Item = S>,
        stdin: impl AsRef<[u8]>,
    ) -> Run {
        run(&mut self.seal(args), stdin.as_ref())
    }

    /// As [`Sandbox::run`], for a command that must succeed without a message; returns its standard output.
    #[track_caller]
    pub(crate) fn succeed<S: AsRef<OsStr>>(
        &self,
        args: impl IntoIterator<Item = S>,
        stdin: impl AsRef<[u8]>,
    ) -> Vec<u8> {
        let run = self.run(args, stdin);
        assert_eq!((run.code, run.stderr.as_str()), (0, ""));
        run.stdout
    }

    /// Every file in the working directory.
    pub(crate) fn files(&self) -> Files {
        files_beneath(&self.dir())
    }

    /// Every file in the directories for temporary files and in the home directory.
    pub(crate) fn temporary_files(&self) -> Files {
        let mut files = files_beneath(&self.root.path().join("tmp"));
        files.extend(files_beneath(&self.root.path().join("home")));
        files
    }
}

/// Runs a command with `stdin`. Input and output are piped at the same time, so neither waits for the other.
#[track_caller]
pub(crate) fn run(command: &mut Command, stdin: &[u8]) -> Run {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("Cargo built the program");
    let mut pipe = child.stdin.take().expect("stdin was piped above");
    let output = thread::scope(|scope| {
        // A program that refuses early closes its stdin. Its message then counts, not the broken pipe.
        scope.spawn(move || pipe.write_all(stdin));
        child.wait_with_output().expect("the child was started above")
    });
    output.into()
}

impl From<Output> for Run {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: output.stdout,
            stderr: String::from_utf8(output.stderr).expect("messages are UTF-8"),
        }
    }
}

fn files_beneath(root: &Path) -> Files {
    let mut files = Files::new();
    let mut pending = vec![root.to_owned()];
    while let Some(dir) = pending.pop() {
        for entry in fs::read_dir(&dir).expect("a directory that can be listed") {
            let path = entry.expect("a directory that can be listed").path();
            if path.is_dir() && !path.is_symlink() {
                pending.push(path);
                continue;
            }
            // An unreadable file (a dangling link, no permission) still counts as being there.
            let content = fs::read(&path).unwrap_or_default();
            let name = path.strip_prefix(root).expect("it was found beneath").to_owned();
            files.insert(name, content);
        }
    }
    files
}

/// Whether `haystack` holds the text, as it is or in base64 at any offset.
pub(crate) fn holds(haystack: &[u8], text: &str) -> bool {
    // Inside a longer text, only the whole groups of three bytes look the same in base64.
    let encoded = (0..3).map(|offset| {
        let bytes = [vec![b'x'; offset], text.as_bytes().to_vec()].concat();
        let whole = &bytes[..bytes.len() / 3 * 3];
        BASE64.encode(whole).as_bytes()[offset.div_ceil(3) * 4..].to_vec()
    });
    std::iter::once(text.as_bytes().to_vec())
        .chain(encoded)
        .any(|needle| haystack.windows(needle.len()).any(|window| window == needle))
}

#[test]
fn a_canary_is_found_in_plain_text_and_at_every_offset_of_base64() {
    for before in ["", "a", "ab", "abc"] {
        let text = format!("{before}{CANARY}-and more");
        assert!(holds(text.as_bytes(), CANARY));
        assert!(holds(BASE64.encode(&text).as_bytes(), CANARY), "{before}");
    }
    assert!(!holds(b"nothing of it: b3BlbnNl", CANARY));
}
