//! The report as text: `prod/db.yaml:4:3 error copied: shop/db holds …; seal it again: seal move …`.
//!
//! Invariant: each finding is one line, and nothing in it drives a terminal.

use super::Report;
use crate::check::finding::Finding;
use crate::talk::pasted;

/// The lines. `shown` makes the path of a file, from the root, one that leads there from where the user is.
pub(crate) fn lines(report: &Report, shown: impl Fn(&str) -> String) -> Vec<String> {
    report.findings.iter().map(|finding| line(finding, &shown(&finding.path))).collect()
}

/// The line of a finding, escaped.
pub(super) fn line(finding: &Finding, path: &str) -> String {
    let position = finding.position.map(|at| format!(":{}:{}", at.line, at.column)).unwrap_or_default();
    let (severity, lint) = (finding.severity.as_str(), finding.lint.name());
    let mut line = format!("{path}{position} {severity} {lint}: {}", message(finding));
    if let Some(hint) = &finding.hint {
        line += &format!("; {}", from_here(hint, &finding.path, path));
    }
    seal_foreign::line(&line, usize::MAX)
}

/// A hint whose command is pasted where the user is: the path of the file, from the root, becomes one that leads there.
fn from_here(hint: &str, path: &str, shown: &str) -> String {
    let shown = pasted::word(shown);
    // A path with blanks is several words of the hint. A command that has one ends with it.
    if let Some(command) = hint.strip_suffix(path).filter(|command| command.ends_with(' ')) {
        return format!("{command}{shown}");
    }
    // Only whole words are paths: a file may be called `a`.
    let words: Vec<&str> =
        hint.split(' ').map(|word| if word == path { shown.as_ref() } else { word }).collect();
    words.join(" ")
}

/// What is wrong, with the commit that has it if that isn't plain.
pub(super) fn message(finding: &Finding) -> String {
    match &finding.commit {
        Some(commit) => format!("{} (in commit {commit})", finding.message),
        None => finding.message.clone(),
    }
}

#[cfg(test)]
mod tests {
    use crate::check::lint::Lint;

    use super::super::tests::hostile;
    use super::*;

    #[test]
    fn a_finding_is_one_line_whatever_is_in_it() {
        let expected = [
            "x/::warning:: warning unreadable: this can't be read",
            r"x/a,b:c%\n::error::x\u{1b}[2J é.yaml:4:3 error copied: dev/db is\n##[error]x; seal it again",
            "x/k/kustomization.yaml note transformed: it isn't known",
            "x/k/kustomization.yaml note transformed: it isn't known (in commit 1a2b3c4d)",
        ];
        assert_eq!(lines(&hostile(), |path| format!("x/{path}")), expected);
    }

    #[test]
    fn a_command_in_a_hint_can_be_pasted_where_the_user_is() {
        let finding =
            Finding::new(Lint::Plaintext, "prod/db.yaml", "x").hint("seal it: seal -w prod/db.yaml");
        assert_eq!(
            line(&finding, "../db.yaml"),
            "../db.yaml error plaintext: x; seal it: seal -w ../db.yaml"
        );
    }
}
