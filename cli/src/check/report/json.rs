//! The report as JSON, for programs.
//!
//! ```json
//! {
//!   "version": 1,
//!   "findings": [
//!     {
//!       "rule": "copied", "severity": "error", "path": "prod/db.yaml", "line": 4, "column": 3,
//!       "object": "shop/db", "item": "password", "message": "…", "hint": "…",
//!       "related": ["dev/db.yaml"], "commit": "1a2b3c4d"
//!     }
//!   ],
//!   "summary": {"errors": 1, "warnings": 0, "notes": 0, "files": 312, "silenced": 0},
//!   "notLookedAt": [{"what": "Helm template", "number": 3, "hint": "…"}]
//! }
//! ```
//!
//! `path` starts at the root of the repository. `line`, `column`, `object`, `item`, `hint` and `commit` are left out where
//! there is none. Invariant: within a version fields are only added.

use serde::Serialize;

use super::Report;
use crate::check::finding::Finding;
use crate::check::lint::Severity;

#[derive(Serialize)]
struct Document<'r> {
    version: u32,
    findings: Vec<Entry<'r>>,
    summary: Summary,
    #[serde(rename = "notLookedAt")]
    not_looked_at: Vec<Gap<'r>>,
}

#[derive(Serialize)]
struct Entry<'r> {
    rule: &'r str,
    severity: &'r str,
    path: &'r str,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    object: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    item: Option<&'r str>,
    message: &'r str,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'r str>,
    related: &'r [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    commit: Option<&'r str>,
}

#[derive(Serialize)]
struct Summary {
    errors: usize,
    warnings: usize,
    notes: usize,
    files: usize,
    silenced: usize,
}

#[derive(Serialize)]
struct Gap<'r> {
    what: &'r str,
    number: usize,
    hint: &'r str,
}

/// The report, with a line feed at its end.
pub(crate) fn text(report: &Report) -> String {
    let document = Document {
        version: 1,
        findings: report.findings.iter().map(entry).collect(),
        summary: Summary {
            errors: report.count(Severity::Error),
            warnings: report.count(Severity::Warning),
            notes: report.count(Severity::Note),
            files: report.files,
            silenced: report.silenced,
        },
        not_looked_at: report
            .not_looked_at
            .iter()
            .map(|gap| Gap { what: gap.what, number: gap.number, hint: gap.hint })
            .collect(),
    };
    serde_json::to_string_pretty(&document).expect("texts and numbers are JSON") + "\n"
}

fn entry(finding: &Finding) -> Entry<'_> {
    Entry {
        rule: finding.lint.name(),
        severity: finding.severity.as_str(),
        path: &finding.path,
        line: finding.position.map(|at| at.line),
        column: finding.position.map(|at| at.column),
        object: finding.place.as_deref(),
        item: finding.item.as_deref(),
        message: &finding.message,
        hint: finding.hint.as_deref(),
        related: &finding.related,
        commit: finding.commit.as_deref(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::tests::hostile;
    use super::*;

    #[test]
    fn a_program_finds_every_part_and_no_control_character_is_raw() {
        let text = text(&hostile());
        assert!(!text.contains('\u{1b}'));
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        let expected = serde_json::json!({
            "rule": "copied", "severity": "error", "path": "a,b:c%\n::error::x\u{1b}[2J é.yaml", "line": 4, "column": 3,
            "object": "dev/db", "item": "x", "message": "dev/db is\n##[error]x", "hint": "seal it again", "related": [],
        });
        assert_eq!(value["findings"][1], expected);
        assert_eq!(value["findings"][3]["commit"], "1a2b3c4d");
        let summary =
            serde_json::json!({"errors": 1, "warnings": 1, "notes": 2, "files": 312, "silenced": 4});
        assert_eq!((&value["version"], &value["summary"]), (&1.into(), &summary));
        assert_eq!(value["notLookedAt"][0]["number"], 3);
    }

    /// Programs are written by README's table.
    #[test]
    fn readme_has_every_field_and_no_other() {
        let readme = include_str!("../../../../README.md");
        let (_, table) = readme.split_once("of the JSON report, fields are only added:").unwrap();
        let (table, _) = table.split_once("\n\nA comment").unwrap();
        let mut told = BTreeSet::new();
        for row in table.lines().filter(|line| line.starts_with("| `")) {
            let mut names =
                row.split('|').nth(1).unwrap().split(',').map(|name| name.trim().trim_matches('`'));
            let first = names.next().unwrap();
            let (list, _) = first.rsplit_once('.').unwrap();
            told.insert(first.to_owned());
            told.extend(names.map(|name| format!("{list}{name}")));
        }
        let value: serde_json::Value = serde_json::from_str(&text(&hostile())).unwrap();
        let mut written = BTreeSet::new();
        for (name, part) in value.as_object().unwrap() {
            let entries = match part {
                serde_json::Value::Array(entries) => {
                    entries.iter().map(|entry| (format!("{name}[]"), entry)).collect()
                }
                serde_json::Value::Object(_) => vec![(name.clone(), part)],
                _ => Vec::new(),
            };
            for (list, entry) in entries {
                written.extend(entry.as_object().unwrap().keys().map(|field| format!("{list}.{field}")));
            }
        }
        assert_eq!(written, told);
    }
}
