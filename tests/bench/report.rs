//! `BENCHMARKS.md`, from the results of a run.
//!
//! Invariant: every number in it is one of the results, and every number of the results that a target or a later run
//! looks at is in it.

use std::fmt::Write as _;

use crate::chart::{grouped, number};
use crate::figure::Figure;
use crate::results::{Answer, Results};
use crate::sample::Takes;

/// How it was measured, for people. What a number means beside its figure stands there.
const METHOD: &str = include_str!("method.md");

/// The page. `charts` is the way from it to the charts.
pub(crate) fn render(results: &Results, charts: &str) -> String {
    let mut page = METHOD.to_owned();
    page += "\n## The machine of this run\n\n| | |\n| --- | --- |\n";
    let machine = &results.machine;
    let cores = format!("{} × {}, with {} GiB of memory", machine.cores, machine.processor, machine.memory);
    for (name, value) in [("day", &machine.day), ("processor", &cores), ("kernel", &machine.kernel)] {
        let _ = writeln!(page, "| {name} | {value} |");
    }
    for (name, version) in &machine.versions {
        let _ = writeln!(page, "| {name} | {version} |");
    }
    page += "\n## What must hold\n\n| target | bound | measured | |\n| --- | --- | ---: | --- |\n";
    for verdict in &results.verdicts {
        let (measured, word) = verdict.words();
        let _ = writeln!(page, "| {} | {} | {measured} | {word} |", verdict.target, verdict.bound());
    }
    for answer in &results.answers {
        page += &section(answer, charts);
    }
    page
}

fn section(answer: &Answer, charts: &str) -> String {
    let Answer { question, asks, figures, ratios, took } = answer;
    let mut text = format!("\n## {asks}\n\n`make bench ONLY={question}`, {took:.0} s.\n");
    for figure in figures {
        let _ = write!(text, "\n### {}\n\n![{}]({charts}/{}.svg)\n\n", figure.title, figure.title, figure.id);
        text += &table(figure);
        for note in &figure.notes {
            let _ = write!(text, "\n{note}\n");
        }
    }
    if !ratios.is_empty() {
        text += "\n| ratio, compared by later runs | |\n| --- | ---: |\n";
    }
    for ratio in ratios {
        let _ = writeln!(text, "| {} | {:.3} |", ratio.name, ratio.value);
    }
    text
}

/// A row for each who, a column for each count.
fn table(figure: &Figure) -> String {
    let (xs, symbol) = (figure.xs(), figure.unit.symbol());
    let takes = match figure.takes {
        Takes::Best => "best",
        Takes::Median => "median",
        Takes::Percentile99 => "99th percentile",
    };
    let unit = if symbol.is_empty() { takes.to_owned() } else { format!("{takes}, {symbol}") };
    let mut text = format!("| {unit} |");
    for x in &xs {
        let _ = write!(text, " {} {} |", grouped(&x.to_string()), figure.over);
    }
    let _ = write!(text, "\n| --- |{}\n", " ---: |".repeat(xs.len()));
    for who in figure.who() {
        let _ = write!(text, "| {who} |");
        for x in &xs {
            let point = figure.points.iter().find(|point| point.who == who && point.x == *x);
            let cell = point.map(|point| {
                let (least, most) = point.samples.range();
                let [value, least, most] =
                    [point.samples.value(figure.takes), least, most].map(|it| number(it, figure.unit));
                let count = point.samples.len();
                if count == 1 { value } else { format!("**{value}** ({least} to {most}, {count} runs)") }
            });
            let _ = write!(text, " {} |", cell.unwrap_or_default());
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figure::tests::figure;
    use crate::figure::{PEER, SEAL_NATIVE};
    use crate::machine::Machine;
    use crate::targets::judge;

    #[test]
    fn the_page_has_every_number_and_every_chart() {
        let figure = figure();
        let ratios = figure.versus(SEAL_NATIVE, PEER);
        let answer = Answer {
            question: "reconcile".to_owned(),
            asks: "How fast?".to_owned(),
            figures: vec![figure],
            ratios,
            took: 9.0,
        };
        let verdicts = judge(answer.figures.iter());
        let page =
            render(&Results { machine: Machine::default(), answers: vec![answer], verdicts }, "charts");
        for part in [
            "| best, s | 500 objects | 2,000 objects |\n| --- | ---: | ---: |\n",
            "| seal, native | **1.00** (1.00 to 2.00, 2 runs) | 8.00 |\n| sealed-secrets | 14.0 |  |\n",
            "![From start](charts/cold.svg)",
            "\nMeasured on Sunday.\n",
            "| cold: seal, native / sealed-secrets, 500 objects | 0.071 |",
            "| 2,000 native objects, start to last Ready, as fast as the peer | at least 7 times | - | not measured |",
        ] {
            assert!(page.contains(part), "{part}\n\n{page}");
        }
    }
}
