//! The command line of the benchmark.
//!
//! Invariant: a run of everything in full size writes the committed files, and no other run does.

use std::path::PathBuf;

use seal_tests::toolchain;

use crate::programs::Programs;
use crate::questions::QUESTIONS;
use crate::size::{FULL, SMALL, Size};

pub(crate) const USAGE: &str = "\
bench [--only=QUESTION,…] [--size=full|small] [--into=DIR] [--seal=FILE] [--controller=FILE] [--before=FILE]
      [--render[=FILE]]

Measures our programs beside their peers, and writes BENCHMARKS.md, tests/bench/results.json and charts. With --only or
--size=small the report goes to target/bench, or to --into. In full size it is compared with the committed results, or with
those that --before names. --render measures nothing: it writes the report of the committed results again, or that of the
results in its file, and compares those.

Exit codes: 0 nothing is worse than before; 1 a ratio is worse by more than 20 %; 2 usage; 101 something couldn't be
measured or read.";

/// What to run.
pub(crate) struct Args {
    /// Questions by name; empty for all.
    pub(crate) only: Vec<String>,
    pub(crate) size: &'static Size,
    /// Where the report goes. `None`: to the committed files.
    pub(crate) into: Option<PathBuf>,
    pub(crate) programs: Programs,
    /// The results to compare with. `None`: the committed ones, if there are any.
    pub(crate) before: Option<PathBuf>,
    /// What to report; `None` to measure.
    pub(crate) render: Option<Render>,
}

/// Results that are reported without a measurement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Render {
    Committed,
    File(PathBuf),
}

impl Args {
    /// # Errors
    /// What is wrong with an argument.
    pub(crate) fn parse(args: impl Iterator<Item = String>) -> Result<Self, String> {
        let programs =
            Programs { seal: toolchain::own("seal"), controller: toolchain::own("seal-controller") };
        let mut parsed =
            Self { only: Vec::new(), size: &FULL, into: None, programs, before: None, render: None };
        for arg in args {
            let (flag, value) = arg.split_once('=').unwrap_or((&arg, ""));
            match flag {
                "--only" => parsed.only = value.split(',').map(str::to_owned).collect(),
                "--size" if value == FULL.name => parsed.size = &FULL,
                "--size" if value == SMALL.name => parsed.size = &SMALL,
                "--into" => parsed.into = Some(value.into()),
                "--seal" => parsed.programs.seal = program(value)?,
                "--controller" => parsed.programs.controller = program(value)?,
                "--before" => parsed.before = Some(value.into()),
                "--render" if value.is_empty() => parsed.render = Some(Render::Committed),
                "--render" => parsed.render = Some(Render::File(value.into())),
                _ => return Err(format!("{arg}: no such argument")),
            }
        }
        let names = QUESTIONS.map(|question| question.name);
        if let Some(unknown) = parsed.only.iter().find(|name| !names.contains(&name.as_str())) {
            return Err(format!("there is no question {unknown:?}; there are: {}", names.join(", ")));
        }
        let is_partial = !parsed.only.is_empty()
            || !parsed.size.is_full()
            || matches!(parsed.render, Some(Render::File(_)));
        if is_partial && parsed.into.is_none() {
            parsed.into = Some(toolchain::repository().join("target/bench"));
        }
        Ok(parsed)
    }
}

/// Programs run in directories of their own.
fn program(path: &str) -> Result<PathBuf, String> {
    std::path::absolute(path).map_err(|error| format!("{path:?}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(args: &[&str]) -> Result<Args, String> {
        Args::parse(args.iter().map(ToString::to_string))
    }

    #[test]
    fn only_a_whole_run_in_full_size_writes_the_committed_files() {
        for (args, is_committed) in [
            (&[][..], true),
            (&["--size=full"], true),
            (&["--size=small"], false),
            (&["--only=one,keys"], false),
            (&["--render"], true),
            (&["--render=/x.json"], false),
        ] {
            assert_eq!(parse(args).unwrap().into.is_none(), is_committed, "{args:?}");
        }
        assert_eq!(parse(&["--into=/x"]).unwrap().into, Some("/x".into()));
    }

    #[test]
    fn unknown_words_are_refused() {
        for args in ["--sice=small", "--size=huge", "--only=nothing", "x"] {
            assert!(parse(&[args]).is_err(), "{args}");
        }
    }
}
