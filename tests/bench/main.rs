//! `make bench`: our programs beside their peers, in the same run on the same machine.
//!
//! Each question has a file in [`questions`], which measures and says with what it is to be compared. All else is what
//! happens to numbers: samples become figures, figures become ratios and verdicts, a page and charts, and a file that a
//! later run is compared with. Ratios are compared, never times, which are another machine's or another hour's.
//!
//! Not a test: nothing here fails because it is slow, and its small size runs in `make test` only to see that it works
//! (`tests/benchmark.rs`). Failures panic: a number that couldn't be measured is no number, and a run without it no run.
//! Invariant: our programs and the peers get the same objects, the same machine and the same clock.

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "tests may"))]

mod args;
mod chart;
mod cluster;
mod compare;
mod figure;
mod machine;
mod opening;
mod programs;
mod questions;
mod report;
mod results;
mod sample;
mod size;
mod targets;

use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;
use std::{fs, thread};

use seal_tests::toolchain;

use args::{Args, Render, USAGE};
use machine::Machine;
use questions::{Bench, QUESTIONS};
use results::{Answer, Results};

/// The committed results.
const RESULTS: &str = "tests/bench/results.json";
const PAGE: &str = "BENCHMARKS.md";
/// The committed charts.
const CHARTS: &str = "tests/bench/charts";

fn main() -> ExitCode {
    let args = match Args::parse(std::env::args().skip(1)) {
        Ok(args) => args,
        Err(problem) => {
            let _ = writeln!(io::stderr(), "bench: {problem}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let root = toolchain::repository();
    // Read before anything is measured: what can't be read is said now, and the committed file is about to be written.
    let before = earlier(args.before.as_deref(), &root.join(RESULTS));
    let results = match &args.render {
        None => measure(&args),
        Some(Render::Committed) => read(&root.join(RESULTS)),
        Some(Render::File(file)) => read(file),
    };
    let written = match &args.into {
        None => write(&results, &root.join(PAGE), &root.join(RESULTS), (&root.join(CHARTS), CHARTS)),
        Some(dir) => {
            write(&results, &dir.join(PAGE), &dir.join("results.json"), (&dir.join("charts"), "charts"))
        }
    };
    written.expect("the report can be written");

    for verdict in &results.verdicts {
        say(&verdict.to_string());
    }
    let before = before.map(|before| before.answers).unwrap_or_default();
    let moved = compare::moved(args.size, &before, &results.answers);
    for moved in &moved {
        say(&moved.to_string());
    }
    ExitCode::from(u8::from(moved.iter().any(compare::Moved::is_worse)))
}

/// The results to compare with; `None` before the first committed run.
fn earlier(named: Option<&Path>, committed: &Path) -> Option<Results> {
    named.map(read).or_else(|| committed.exists().then(|| read(committed)))
}

fn read(path: &Path) -> Results {
    Results::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Asks the questions.
fn measure(args: &Args) -> Results {
    let machine = Machine::look();
    let mut bench = Bench::new(args.size, args.programs.clone());
    let mut answers = Vec::new();
    for question in &QUESTIONS {
        if !args.only.is_empty() && !args.only.iter().any(|name| name == question.name) {
            continue;
        }
        say(&format!("{}: {}", question.name, question.asks));
        let begun = Instant::now();
        let (figures, ratios) = (question.answer)(&mut bench);
        let took = begun.elapsed().as_secs_f64();
        let (question, asks) = (question.name.to_owned(), question.asks.to_owned());
        for ratio in &ratios {
            say(&format!("  {}: {:.3}", ratio.name, ratio.value));
        }
        answers.push(Answer { question, asks, figures, ratios, took: sample::round(took) });
        // What a controller or a compiler leaves behind in the caches of the machine settles.
        thread::sleep(std::time::Duration::from_millis(args.size.repeat));
    }
    let verdicts = targets::judge(answers.iter().flat_map(|answer| &answer.figures));
    Results { machine, answers, verdicts }
}

/// Writes the page, the results and the charts. The second path of the charts is the way to them from the page.
fn write(results: &Results, page: &Path, json: &Path, charts: (&Path, &str)) -> io::Result<()> {
    let (dir, link) = charts;
    if dir.exists() {
        fs::remove_dir_all(dir)?;
    }
    fs::create_dir_all(dir)?;
    for figure in results.figures() {
        fs::write(dir.join(format!("{}.svg", figure.id)), chart::draw(figure))?;
    }
    fs::write(json, results.to_json())?;
    fs::write(page, report::render(results, link))
}

fn say(line: &str) {
    // Who closed our output doesn't want to know.
    let _ = writeln!(io::stdout(), "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_page_and_charts_are_what_the_committed_results_say() {
        let root = toolchain::repository();
        // Before the first full run there is nothing.
        let Ok(results) = Results::read(&root.join(RESULTS)) else {
            assert!(!root.join(PAGE).exists(), "{PAGE} has no results");
            return;
        };
        let hint = "run `make bench` or `target/release/bench --render`";
        assert!(
            fs::read_to_string(root.join(PAGE)).unwrap() == report::render(&results, CHARTS),
            "{PAGE}: {hint}"
        );
        for figure in results.figures() {
            let path = root.join(CHARTS).join(format!("{}.svg", figure.id));
            assert!(fs::read_to_string(&path).unwrap() == chart::draw(figure), "{}: {hint}", path.display());
        }
    }
}
