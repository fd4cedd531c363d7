//! The report for a job of GitHub Actions: annotations, and the whole report as text below them.
//!
//! GitHub shows ten annotations of a kind for a step and drops the others without a word, so errors come first, and the
//! text has all. A line that begins with `::`, blanks before it or not, is a command to the runner, and so is `##[`
//! anywhere in it. The threat is a file of such a name: it could end the log's masking of secrets. Invariant: every command
//! in the output is one of ours.

use super::Report;
use super::text::{line, message};
use crate::check::finding::Finding;
use crate::check::lint::Severity;

/// The most annotations of a kind that GitHub shows for one step.
const MOST: usize = 10;

/// The lines.
pub(crate) fn lines(report: &Report) -> Vec<String> {
    let mut lines = Vec::new();
    for severity in [Severity::Error, Severity::Warning, Severity::Note] {
        let of_kind = report.findings.iter().filter(|finding| finding.severity == severity);
        lines.extend(of_kind.take(MOST).map(annotation));
    }
    // The first character keeps a path from being a command.
    let text = report.findings.iter().map(|finding| format!("- {}", line(finding, &finding.path)));
    lines.extend(text.map(|line| line.replace("##[", "##\\[")));
    lines
}

fn annotation(finding: &Finding) -> String {
    let command = match finding.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "notice",
    };
    let position =
        finding.position.map(|at| format!(",line={},col={}", at.line, at.column)).unwrap_or_default();
    let title = property(finding.lint.name());
    let file = property(&finding.path);
    let mut said = message(finding);
    if let Some(hint) = &finding.hint {
        said += &format!("; {hint}");
    }
    let said = data(&seal_foreign::line(&said, usize::MAX).replace("##[", "##\\["));
    format!("::{command} file={file}{position},title={title}::{said}")
}

/// The text of a command, as GitHub's toolkit escapes it.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// The value of a property of a command.
fn property(text: &str) -> String {
    let escaped = data(text).replace(':', "%3A").replace(',', "%2C").replace("##[", "##%5B");
    // What drives a terminal is in no path that GitHub shows.
    seal_foreign::line(&escaped, usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::tests::hostile;
    use super::*;
    use crate::check::lint::Lint;

    #[test]
    fn errors_come_first_and_the_text_below_and_no_word_is_a_command() {
        let found = lines(&hostile());
        let expected = [
            "::error file=a%2Cb%3Ac%25%0A%3A%3Aerror%3A%3Ax\\u{1b}[2J é.yaml,line=4,col=3,title=copied::dev/db is\\n##\\[error]x; seal it again",
            "::warning file=%3A%3Awarning%3A%3A,title=unreadable::this can't be read",
            "::notice file=k/kustomization.yaml,title=transformed::it isn't known",
            "::notice file=k/kustomization.yaml,title=transformed::it isn't known (in commit 1a2b3c4d)",
            "- ::warning:: warning unreadable: this can't be read",
        ];
        assert_eq!(found[..5], expected);
        assert_eq!(found.len(), 8);
        let is_command = |line: &String| line.trim_start().starts_with("::") || line.contains("##[");
        assert_eq!(
            found.iter().filter(|line| is_command(line)).count(),
            4,
            "only the annotations are commands"
        );
        assert!(found.iter().all(|line| !line.contains(['\n', '\r'])));
    }

    #[test]
    fn at_most_ten_annotations_of_a_kind_are_made_and_the_text_has_all() {
        let finding = |number: usize| Finding::new(Lint::Plaintext, &format!("{number}.yaml"), "x");
        let report = Report { findings: (0..25).map(finding).collect(), ..Report::default() };
        let found = lines(&report);
        assert_eq!(found.iter().filter(|line| line.starts_with("::error ")).count(), 10);
        assert_eq!(found.len(), 35);
    }
}
