//! Ctrl-C in a run over many files: every file is whole, what waits beside them is gone, and the message says how far it
//! came.
//!
//! The terminal's part is in `terminal.rs`, an editor's in `edit.rs`. Invariant: each test knows from the run itself that it
//! is in the middle of its work before it sends the signal.

use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::sandbox::{Files, Sandbox};

const FILES: usize = 60;
/// The Secrets in each file of a rotation, enough that a file takes a while.
const OBJECTS: usize = 8;

/// Writes the same text into each of the files.
fn write(sandbox: &Sandbox, text: impl AsRef<[u8]>) -> Files {
    for file in 0..FILES {
        sandbox.write(format!("deploy/{file}.yaml"), text.as_ref());
    }
    sandbox.files()
}

fn secrets(objects: usize) -> String {
    let secret = |n: usize| {
        format!(
            "---\napiVersion: v1\nkind: Secret\nmetadata: {{name: s{n}, namespace: prod}}\nstringData: {{a: b}}\n"
        )
    };
    (0..objects).map(secret).collect()
}

fn send(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

/// The files that differ, or are new.
fn changed(sandbox: &Sandbox, before: &Files) -> Vec<PathBuf> {
    let files = sandbox.files().into_iter().filter(|(path, text)| before.get(path) != Some(text));
    files.map(|(path, _)| path).collect()
}

/// How many files the last line says were done.
#[track_caller]
fn done(stderr: &str) -> usize {
    let last = stderr.lines().last().unwrap_or_default();
    let done = last.strip_prefix("interrupted: ").and_then(|last| last.strip_suffix(" of 60 files done"));
    done.unwrap_or_else(|| panic!("{stderr}")).parse().unwrap()
}

#[test]
fn an_interrupted_rotation_ends_the_files_in_hand_and_says_how_many_are_done() {
    let sandbox = Sandbox::new();
    let sealed = sandbox.succeed(["-r", "prod.pub"], secrets(OBJECTS));
    let before = write(&sandbox, sealed);
    let rotate = ["rotate", "-i", "prod.key", "-r", "prod.pub", "-r", "backup.pub", "deploy"];
    let mut left = 0;
    for (signal, code) in [(Signal::INT, 2), (Signal::TERM, 15), (Signal::HUP, 1)] {
        for (path, text) in &before {
            sandbox.write(path, text);
        }
        let mut seal = sandbox.seal(rotate);
        let child = seal.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let start = Instant::now();
        // Several files were written by then: the second is held back like the first.
        while changed(&sandbox, &before).iter().filter(|path| path.starts_with("deploy")).count() < 3 {
            assert!(start.elapsed() < Duration::from_secs(60), "it never wrote");
            thread::sleep(Duration::from_millis(5));
        }
        // An impatient person presses the keys again and again.
        for _ in 0..3 {
            send(&child, signal);
        }
        let ended = child.wait_with_output().unwrap();
        let (stdout, stderr) =
            (String::from_utf8(ended.stdout).unwrap(), String::from_utf8(ended.stderr).unwrap());
        assert_eq!(ended.status.signal(), Some(code), "{stderr}");
        let written = changed(&sandbox, &before);
        assert_eq!(written.len(), done(&stderr), "{written:?}");
        assert!((3..FILES).contains(&written.len()), "{written:?}");
        assert!(
            written.iter().all(|path| path.extension().is_some_and(|kind| kind == "yaml")),
            "{written:?}"
        );
        // What was done is reported, an object a line, and the next run does the rest.
        assert_eq!(stdout.lines().count(), written.len() * OBJECTS);
        left = FILES - written.len();
    }
    let rest = sandbox.run(rotate, "");
    let told = format!("{} SealedSecrets were rotated in {left} files; ", left * OBJECTS);
    assert!(rest.code == 0 && rest.stderr.starts_with(&told), "{}", rest.stderr);
}

#[test]
fn an_interrupted_seal_in_place_has_changed_no_file_and_says_so() {
    let sandbox = Sandbox::new();
    let rules = "version: 1\nrecipients: {prod: {file: prod.pub}}\nrules: [{path: '**', to: [prod]}]\n";
    sandbox.write(".seal.yaml", rules);
    let before = write(&sandbox, secrets(40));
    for keep in [&[][..], &["-i", "prod.key"]] {
        let mut seal = sandbox.seal([&["-w", "./deploy"], keep].concat());
        let mut child =
            seal.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut told = String::new();
        stderr.read_line(&mut told).unwrap();
        assert_eq!(told, "sealing to prod, as .seal.yaml:3 says\n");
        // That is said right before the first is sealed; sealing all takes seconds.
        thread::sleep(Duration::from_millis(50));
        send(&child, Signal::INT);
        stderr.read_to_string(&mut told).unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(2), "{told}");
        assert_eq!(done(&told), 0, "{told}");
        assert_eq!(changed(&sandbox, &before), Vec::<PathBuf>::new());
    }
}
