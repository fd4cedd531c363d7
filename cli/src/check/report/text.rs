//! The report as text: `prod/db.yaml:4:3 error copied: shop/db holds …; seal it again: seal move …`.
//!
//! Invariant: each finding is one line, and nothing in it drives a terminal.

use super::Report;
use crate::check::finding::Finding;
use crate::talk::pasted;

/// The lines. `shown` makes the path of a file, from the root, one that leads there from where the user is.
pub(crate) fn lines(report: &Report, shown: impl Fn(&str) -> String) -> Vec<String> {
    report.findings.iter().map(|finding| line(finding, &no_command(shown(&finding.path)))).collect()
}

/// The path for the beginning of a line. A log of a CI system takes a line that begins with `::` for a command.
fn no_command(path: String) -> String {
    if ["::", "##["].iter().any(|command| path.starts_with(command)) { format!("./{path}") } else { path }
}

/// The line of a finding, escaped.
pub(super) fn line(finding: &Finding, path: &str) -> String {
    let position = finding.position.map(|at| format!(":{}:{}", at.line, at.column)).unwrap_or_default();
    let (severity, lint) = (finding.severity.as_str(), finding.lint.name());
    let mut line = format!("{path}{position} {severity} {lint}: {}", message(finding));
    if let Some(hint) = &finding.hint {
        // A command is pasted where the user is.
        line += &format!("; {}", replace_word(hint, &pasted::path(&finding.path), &pasted::path(path)));
    }
    seal_foreign::line(&line, usize::MAX)
}

/// The text with one word in the place of another. A part of a word isn't meant: a file may be called `a`.
fn replace_word(text: &str, old: &str, new: &str) -> String {
    let mut result = String::new();
    let mut done = 0;
    for (at, _) in text.match_indices(old) {
        let end = at + old.len();
        let is_word =
            (at == 0 || text[..at].ends_with(' ')) && (end == text.len() || text[end..].starts_with(' '));
        if is_word && at >= done {
            result += &text[done..at];
            result += new;
            done = end;
        }
    }
    result + &text[done..]
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
    fn a_name_of_a_file_is_no_command_of_a_log() {
        let lines = lines(&hostile(), str::to_owned);
        assert!(lines[0].starts_with("./::warning:: warning unreadable"), "{lines:?}");
        assert_eq!(no_command("##[error]y".to_owned()), "./##[error]y");
    }

    #[test]
    fn a_name_of_a_file_is_one_word_of_a_command() {
        let path = "x;touch y;.yaml";
        let hint = format!("seal it: seal -w {}", pasted::path(path));
        let said = line(&Finding::new(Lint::Plaintext, path, "x").hint(hint), "../x;touch y;.yaml");
        assert!(said.ends_with("seal -w '../x;touch y;.yaml'"), "{said}");
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
