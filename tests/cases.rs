//! The command line, held by cases that people can read: `cli/**/*.case`, in the form that [`file`] describes.
//!
//! `SEAL_UPDATE=1` writes the program's present output into the cases; a person then judges the diff.
//!
//! The form is our own and not that of `trycmd`, for four reasons: the output of `seal` is random and has to be
//! replaced by form; standard output and standard error have to stay apart; a backslash is not a path separator;
//! and some rules hold for every run, whatever its case says.
//!
//! Invariants of every step of every case, held by [`check_manners`]: a failed run leaves every file as it was; no run
//! leaves a temporary file; no value reaches standard error, nor standard output unless something is unsealed.

mod file;
mod redact;

use std::fs;
use std::path::{Path, PathBuf};

use seal_tests::toolchain;

use crate::sandbox::{CANARY, Files, Run, Sandbox, holds};
use file::{Case, Outcome, Step};

#[test]
fn every_case_ends_as_its_file_says() {
    let update = std::env::var_os("SEAL_UPDATE").is_some();
    let paths = cases();
    assert!(paths.len() > 90, "only {} cases were found", paths.len());
    let mut failures = Vec::new();
    for path in &paths {
        let text = fs::read_to_string(path).expect("a case is text");
        match run(&text) {
            Ok(now) if now == text => {}
            Ok(now) if update => fs::write(path, now).expect("the repository is writable"),
            Ok(now) => failures.push(format!("{}\n{}", path.display(), difference(&text, &now))),
            Err(why) => failures.push(format!("{}: {why}", path.display())),
        }
    }
    assert!(failures.is_empty(), "{} cases differ:\n{}", failures.len(), failures.join("\n"));
}

fn cases() -> Vec<PathBuf> {
    let mut pending = vec![toolchain::repository().join("tests/cli")];
    let mut cases = Vec::new();
    while let Some(dir) = pending.pop() {
        for entry in fs::read_dir(dir).expect("the folder of cases can be listed") {
            let path = entry.expect("the folder of cases can be listed").path();
            match path.extension() {
                _ if path.is_dir() => pending.push(path),
                Some(extension) if extension == "case" => cases.push(path),
                _ => {}
            }
        }
    }
    cases.sort();
    cases
}

/// Runs a case, and returns its file as it would have to read.
fn run(text: &str) -> Result<String, String> {
    let mut case = Case::parse(text)?;
    let sandbox = Sandbox::new();
    for (name, content) in &case.files {
        sandbox.write(name, content);
    }
    for step in &mut case.steps {
        let before = sandbox.files();
        let args = step.args()?;
        let run = sandbox.run(&args, &step.stdin);
        let unseals = args.first().is_some_and(|arg| arg == "unseal");
        check_manners(&run, unseals, &before, &sandbox).map_err(|why| format!("seal {args:?} {why}"))?;
        step.result = outcome(step, &run, &sandbox)?;
    }
    Ok(case.to_text())
}

/// Checks the rules that hold for every run.
fn check_manners(run: &Run, unseals: bool, before: &Files, sandbox: &Sandbox) -> Result<(), String> {
    let after = sandbox.files();
    // A command that found something has done its work.
    let is_failed = ![0, 1].contains(&run.code);
    if is_failed && after != *before {
        return Err(format!("failed ({}) and changed {:?}", run.code, changed(before, &after)));
    }
    if is_failed && !run.stdout.is_empty() {
        return Err(format!("failed ({}) with output: {}", run.code, String::from_utf8_lossy(&run.stdout)));
    }
    let temporary: Vec<_> = sandbox.temporary_files().into_keys().collect();
    // A baseline has its name from its users' side, and not from a file that waits.
    let is_waiting =
        |path: &&PathBuf| path.display().to_string().replace(".seal-baseline", "").contains(".seal-");
    let beside = after.keys().filter(is_waiting);
    if let Some(left) = temporary.iter().chain(beside).next() {
        return Err(format!("left {}", left.display()));
    }
    if holds(run.stderr.as_bytes(), CANARY) {
        return Err(format!("showed a value: {}", run.stderr));
    }
    let new = after.iter().filter(|(path, content)| before.get(*path) != Some(content));
    let written = new.map(|(_, content)| content).chain([&run.stdout]);
    if !unseals && written.into_iter().any(|written| holds(written, CANARY)) {
        return Err("wrote a value".to_owned());
    }
    Ok(())
}

fn changed<'f>(before: &'f Files, after: &'f Files) -> Vec<&'f PathBuf> {
    let differ = |path: &&PathBuf| before.get(*path) != after.get(*path);
    before.keys().chain(after.keys()).filter(differ).collect()
}

fn outcome(step: &Step, run: &Run, sandbox: &Sandbox) -> Result<Outcome, String> {
    let dir = sandbox.dir();
    let text = |bytes: &[u8]| {
        let text = std::str::from_utf8(bytes).map_err(|_| "output that isn't UTF-8".to_owned())?;
        Ok::<_, String>(redact::redact(text, &dir))
    };
    let then = |(name, _): &(String, String)| {
        let content = fs::read(dir.join(name)).map_err(|error| format!("{name}: {error}"))?;
        Ok((name.clone(), text(&content)?))
    };
    Ok(Outcome {
        exit: run.code,
        stdout: text(&run.stdout)?,
        stderr: text(run.stderr.as_bytes())?,
        then: step.result.then.iter().map(then).collect::<Result<_, String>>()?,
    })
}

/// The lines around the first difference.
fn difference(expected: &str, found: &str) -> String {
    let same = expected.lines().zip(found.lines()).take_while(|(a, b)| a == b).count();
    let lines = |text: &str, sign: &str| {
        let shown = text.lines().skip(same).take(8).map(|line| format!("  {sign} {line}\n"));
        shown.collect::<String>()
    };
    format!("  line {}:\n{}{}", same + 1, lines(expected, "-"), lines(found, "+"))
}

#[test]
fn a_run_that_does_something_else_is_noticed() {
    let right = "Prose.\n-- run seal --version --\n-- stdout --\nseal 0.1.0\n";
    assert_eq!(run(right).unwrap(), right);
    for wrong in [
        right.replace("0.1.0", "0.0.9"),
        right.replace("-- stdout", "-- stderr"),
        right.replace("-- stdout", "-- exit 2 --\n-- stdout"),
    ] {
        assert_ne!(run(&wrong).unwrap(), wrong);
    }
}

#[test]
fn a_run_without_manners_is_noticed() {
    let sandbox = Sandbox::new();
    let before = sandbox.files();
    let check = |code, stdout: &str, stderr: &str| {
        let run = Run { code, stdout: stdout.into(), stderr: stderr.into() };
        check_manners(&run, false, &before, &sandbox)
    };
    assert_eq!(check(0, "sealed", "note"), Ok(()));
    assert!(check(3, "half of it", "error").is_err(), "partial output");
    assert!(check(0, "opensesame", "").is_err(), "a value on stdout");
    assert!(check(3, "", "error: b3BlbnNlc2FtZQ==").is_err(), "a value in an error");
    sandbox.write("out.yaml", "half");
    assert_eq!(check(0, "", ""), Ok(()));
    assert!(check(3, "", "").is_err(), "a file after a failure");
    fs::remove_file(sandbox.path("out.yaml")).unwrap();
    sandbox.write(Path::new(".seal-x"), "half");
    assert!(check(0, "", "").is_err(), "a temporary file");
}
