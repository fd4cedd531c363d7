//! A case: a text file with commands and their results.
//!
//! ```text
//! What this shows, in prose.
//!
//! -- file secret.yaml --
//! apiVersion: v1
//! …
//! -- run seal -r prod.pub secret.yaml --
//! -- stdin --
//! -- exit 3 --
//! -- stdout --
//! -- stderr --
//! error: …
//! -- then secret.yaml --
//! ```
//!
//! A case begins with prose. `file` makes a file. `run` is a step, and the parts after it belong to it: `stdin`
//! is its input; `exit` (default 0), `stdout` and `stderr` (default empty) are its expected results; `then` is
//! the expected content of a file after the step. Steps run one after another in the same directory.
//!
//! Not the running, which is [`super`]'s. Invariant: [`Case::to_text`] of a parsed case is its file.

use std::fmt::Write as _;

/// One file of cases.
pub(crate) struct Case {
    prose: String,
    pub(crate) files: Vec<(String, String)>,
    pub(crate) steps: Vec<Step>,
}

/// One run of the program.
#[derive(Default)]
pub(crate) struct Step {
    pub(crate) command: String,
    pub(crate) stdin: String,
    pub(crate) result: Outcome,
}

/// The result of a run, with everything random replaced (see [`super::redact`]).
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) exit: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) then: Vec<(String, String)>,
}

/// A marker line, which names the part that follows it.
struct Marker<'a> {
    word: &'a str,
    rest: &'a str,
}

impl<'a> Marker<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let inside = line.strip_prefix("-- ")?.strip_suffix(" --")?;
        let (word, rest) = inside.split_once(' ').unwrap_or((inside, ""));
        ["file", "run", "stdin", "exit", "stdout", "stderr", "then"]
            .contains(&word)
            .then_some(Self { word, rest })
    }
}

impl Case {
    /// Parses the text of a case.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut case = Self { prose: String::new(), files: Vec::new(), steps: Vec::new() };
        let mut lines = text.split_inclusive('\n').peekable();
        while let Some(line) = lines.next() {
            let Some(marker) = Marker::parse(line.trim_end()) else {
                case.prose.push_str(line);
                continue;
            };
            let mut body = String::new();
            while let Some(line) = lines.next_if(|line| Marker::parse(line.trim_end()).is_none()) {
                body.push_str(line);
            }
            case.add(&marker, body)?;
        }
        if case.steps.is_empty() { Err("no step".to_owned()) } else { Ok(case) }
    }

    fn add(&mut self, marker: &Marker<'_>, body: String) -> Result<(), String> {
        let rest = marker.rest.to_owned();
        match marker.word {
            "file" => self.files.push((rest, body)),
            "run" => self.steps.push(Step { command: rest, ..Step::default() }),
            word => {
                let step = self.steps.last_mut().ok_or_else(|| format!("{word} before the first run"))?;
                match word {
                    "stdin" => step.stdin = body,
                    "exit" => step.result.exit = rest.parse().map_err(|_| format!("exit {rest}"))?,
                    "stdout" => step.result.stdout = body,
                    "stderr" => step.result.stderr = body,
                    _ => step.result.then.push((rest, body)),
                }
            }
        }
        Ok(())
    }

    /// The text of the file, with the present outcomes of its steps.
    pub(crate) fn to_text(&self) -> String {
        let mut text = self.prose.clone();
        let mut part = |marker: String, body: &str| {
            let _ = write!(text, "-- {marker} --\n{body}");
            // Output without a line break at the end is marked, and the case then fails to be read back the same.
            if !body.is_empty() && !body.ends_with('\n') {
                text.push_str("[no line break]\n");
            }
        };
        for (name, content) in &self.files {
            part(format!("file {name}"), content);
        }
        for Step { command, stdin, result } in &self.steps {
            part(format!("run {command}"), "");
            if !stdin.is_empty() {
                part("stdin".to_owned(), stdin);
            }
            if result.exit != 0 {
                part(format!("exit {}", result.exit), "");
            }
            for (word, body) in [("stdout", &result.stdout), ("stderr", &result.stderr)] {
                if !body.is_empty() {
                    part(word.to_owned(), body);
                }
            }
            for (name, content) in &result.then {
                part(format!("then {name}"), content);
            }
        }
        text
    }
}

impl Step {
    /// The arguments: words separated by spaces. A word in single quotes may contain spaces.
    pub(crate) fn args(&self) -> Result<Vec<String>, String> {
        let mut args = Vec::new();
        let mut rest = self.command.trim();
        while !rest.is_empty() {
            let (arg, after) = match rest.strip_prefix('\'') {
                Some(quoted) => quoted.split_once('\'').ok_or("a quote is never closed")?,
                None => rest.split_once(' ').unwrap_or((rest, "")),
            };
            args.push(arg.to_owned());
            rest = after.trim_start();
        }
        if args.first().is_some_and(|program| program == "seal") {
            Ok(args.split_off(1))
        } else {
            Err(format!("not a run of seal: {}", self.command))
        }
    }
}

#[test]
fn a_case_that_was_read_is_written_the_same() {
    let text = "Prose.\n\n-- file a b.yaml --\nx: 1\n---\ny\n-- run seal 'a b' c --\n-- stdin --\nin\n\
                -- exit 3 --\n-- stdout --\nout\n-- stderr --\n-- not a marker --\n-- then f --\nz\n\
                -- run seal --\n";
    let case = Case::parse(text).unwrap();
    assert_eq!(case.to_text(), text);
    assert_eq!(case.steps[0].args().unwrap(), ["a b", "c"]);
    assert_eq!(case.steps[0].result.exit, 3);
    assert_eq!(case.steps[1].args().unwrap(), [""; 0]);
}

#[test]
fn output_before_any_run_is_refused() {
    assert!(Case::parse("Prose.\n-- stdout --\nx\n").is_err());
    assert!(Case::parse("Prose.\n").is_err());
}
