//! The result of a check, in the forms that people and programs read.
//!
//! | form | for |
//! | --- | --- |
//! | [`text`] | people, editors, `grep`: a line a finding |
//! | [`json`] | programs; its fields never change their meaning |
//! | [`github`] | annotations of a pull request, and the text below them |
//! | [`sarif`] | SARIF 2.1.0: code scanning of GitHub, GitLab, Azure |
//!
//! The threat is a file whose name, or a manifest whose words, add lines or commands to a report. Invariants: a finding is
//! one line of text, whatever is in it; no form has an excerpt of a file.

pub(crate) mod github;
pub(crate) mod json;
pub(crate) mod sarif;
pub(crate) mod text;

use super::finding::Finding;
use super::lint::Severity;
use crate::talk::exit::Exit;

/// The result of a check.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// In the order of files and of places in them.
    pub(crate) findings: Vec<Finding>,
    /// How many files were looked at.
    pub(crate) files: usize,
    /// How many findings a comment, an entry of `ignore`, the baseline or `--new-since` took out.
    pub(crate) silenced: usize,
    pub(crate) not_looked_at: Vec<NotLookedAt>,
}

/// Something that wasn't looked at: no finding, and nothing to keep quiet about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NotLookedAt {
    pub(crate) number: usize,
    /// One of them, such as `Helm template`.
    pub(crate) what: &'static str,
    pub(crate) hint: &'static str,
}

impl Report {
    pub(crate) fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|finding| finding.severity == severity).count()
    }

    /// How the program ends.
    pub(crate) fn exit(&self, is_strict: bool) -> Exit {
        let least = if is_strict { Severity::Warning } else { Severity::Error };
        if self.findings.iter().any(|finding| finding.severity >= least) {
            Exit::Findings
        } else {
            Exit::Done
        }
    }

    /// The last line, for people: `2 errors, 1 warning in 312 files; 4 more are allowed`.
    pub(crate) fn summary(&self) -> String {
        let counted = |number: usize, noun: &str| {
            if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
        };
        let severities = [Severity::Error, Severity::Warning, Severity::Note];
        let parts: Vec<String> = severities
            .into_iter()
            .map(|severity| (self.count(severity), severity.as_str()))
            .filter(|(number, _)| *number > 0)
            .map(|(number, noun)| counted(number, noun))
            .collect();
        let found = if parts.is_empty() { "no findings".to_owned() } else { parts.join(", ") };
        let silenced = match self.silenced {
            0 => String::new(),
            number => format!("; {} more allowed, ignored or old", number),
        };
        format!("{found} in {}{silenced}", counted(self.files, "file"))
    }
}

impl NotLookedAt {
    /// `3 Helm templates weren't looked at; check what comes of them: …`
    pub(crate) fn line(&self) -> String {
        let Self { number, what, hint } = self;
        let plural = match what.strip_suffix('y') {
            Some(stem) => format!("{stem}ies"),
            None => format!("{what}s"),
        };
        if *number == 1 {
            format!("1 {what} wasn't looked at; {hint}")
        } else {
            format!("{number} {plural} weren't looked at; {hint}")
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::check::finding::Position;
    use crate::check::lint::Lint;

    /// A report with a finding of each severity, hostile words among them.
    pub(crate) fn hostile() -> Report {
        let error = Finding {
            position: Some(Position { line: 4, column: 3 }),
            ..Finding::new(Lint::Copied, "a,b:c%\n::error::x\u{1b}[2J é.yaml", "dev/db is\n##[error]x")
                .at(40)
                .of("dev/db")
                .item("x")
                .hint("seal it again")
        };
        let warning = Finding::new(Lint::Unreadable, "::warning::", "this can't be read");
        let note =
            Finding::new(Lint::Transformed, "k/kustomization.yaml", "it isn't known").only(Severity::Note);
        let past = Finding { commit: Some("1a2b3c4d".to_owned()), ..note.clone() };
        Report {
            findings: vec![warning, error, note, past],
            files: 312,
            silenced: 4,
            not_looked_at: vec![
                NotLookedAt { number: 3, what: "Helm template", hint: "render them" },
                NotLookedAt { number: 2, what: "repository", hint: "check each" },
            ],
        }
    }

    #[test]
    fn errors_end_with_findings_and_warnings_only_if_strict() {
        let report = |lints: &[Lint]| Report {
            findings: lints.iter().map(|lint| Finding::new(*lint, "a", "x")).collect(),
            ..Report::default()
        };
        let exits = |lints: &[Lint]| (report(lints).exit(false), report(lints).exit(true));
        assert_eq!(exits(&[Lint::Plaintext]), (Exit::Findings, Exit::Findings));
        assert_eq!(exits(&[Lint::TooOld]), (Exit::Done, Exit::Findings));
        assert_eq!(exits(&[]), (Exit::Done, Exit::Done));
        let note = Report {
            findings: vec![Finding::new(Lint::Transformed, "a", "x").only(Severity::Note)],
            ..Report::default()
        };
        assert_eq!(note.exit(true), Exit::Done);
    }

    #[test]
    fn the_summary_counts_what_there_is() {
        assert_eq!(
            hostile().summary(),
            "1 error, 1 warning, 2 notes in 312 files; 4 more allowed, ignored or old"
        );
        assert_eq!(Report { files: 1, ..Report::default() }.summary(), "no findings in 1 file");
        let lines: Vec<_> = hostile().not_looked_at.iter().map(NotLookedAt::line).collect();
        assert_eq!(
            lines,
            [
                "3 Helm templates weren't looked at; render them",
                "2 repositories weren't looked at; check each"
            ]
        );
    }
}
