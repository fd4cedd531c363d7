//! The baseline: findings that were there when a repository began to be checked, in `.seal-baseline` at its root.
//!
//! ```text
//! # seal baseline v1
//! rule TAB path TAB namespace/name TAB item LF
//! ```
//!
//! Lines are sorted by their bytes; backslash, tab and line feed are written as `\\`, `\t` and `\n`. There are no line
//! numbers, dates or hashes, so that a baseline says nothing of values and doesn't change with the files. Invariants: a
//! baseline covers a finding of the same rule, file, object and item, and so never an item that is added later; what is
//! written reads as what it was written from.

use std::collections::BTreeSet;

use seal_foreign::word;

use super::finding::{Finding, Key};
use super::lint::{Lint, Severity};
use crate::talk::exit::Exit;
use crate::talk::failure::{Explain, Rule};

/// The path from the root.
pub(crate) const FILE_NAME: &str = ".seal-baseline";

const FIRST_LINE: &str = "# seal baseline v1";

/// The most bytes of a baseline.
pub(crate) const MAX_FILE: u64 = 4 * 1024 * 1024;

/// Findings that aren't reported.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Baseline {
    keys: BTreeSet<Key>,
}

/// Why a text is no baseline.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BaselineError {
    #[error("{FILE_NAME} doesn't begin with \"{FIRST_LINE}\"")]
    Unknown,
    #[error(
        "{FILE_NAME}:{0}: a line has four parts with a tab between them: rule, path, namespace/name, item"
    )]
    Parts(usize),
    #[error("{FILE_NAME}:{line}: there is no rule {}{}", word(name), meant.map(|lint| format!(", did you mean {}?", lint.name())).unwrap_or_default())]
    NoRule { line: usize, name: String, meant: Option<Lint> },
    #[error("{FILE_NAME}:{line}: {} can't be in a baseline", lint.name())]
    NotForBaseline { line: usize, lint: Lint },
    #[error("{FILE_NAME} isn't a file of text of at most 4 MiB")]
    NotText,
    #[error("{FILE_NAME} is a symbolic link")]
    Link,
}

impl Explain for BaselineError {
    fn rule(&self) -> Rule {
        Rule::BadRules
    }

    fn exit(&self) -> Exit {
        Exit::Usage
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Link => Some("remove the link, and write it again: seal check --write-baseline".to_owned()),
            Self::NotForBaseline { .. } => Some("list it under ignore in .seal.yaml".to_owned()),
            _ => Some("write it again: seal check --write-baseline".to_owned()),
        }
    }
}

impl Baseline {
    /// The baseline of findings. Notes need none, and findings about rules, comments and baselines can't be in one.
    pub(crate) fn of<'f>(findings: impl IntoIterator<Item = &'f Finding>) -> Self {
        let wanted = findings.into_iter().filter(|finding| {
            finding.severity > Severity::Note && is_for_baseline(finding.lint) && finding.commit.is_none()
        });
        Self { keys: wanted.map(Finding::key).collect() }
    }

    /// # Errors
    ///
    /// The text is no baseline.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, BaselineError> {
        let text = std::str::from_utf8(bytes).map_err(|_| BaselineError::NotText)?;
        // A checkout may have changed the ends of lines.
        let mut lines = text.split_terminator('\n').map(|line| line.strip_suffix('\r').unwrap_or(line));
        if lines.next() != Some(FIRST_LINE) {
            return Err(BaselineError::Unknown);
        }
        let mut keys = BTreeSet::new();
        for (index, line) in lines.enumerate().filter(|(_, line)| !line.is_empty()) {
            let number = index + 2;
            let parts: Option<Vec<String>> = line.split('\t').map(unescaped).collect();
            let parts = parts.and_then(|parts| <[String; 4]>::try_from(parts).ok());
            let [name, path, place, item] = parts.ok_or(BaselineError::Parts(number))?;
            let Some(lint) = Lint::named(&name) else {
                let meant = Lint::nearest(&name);
                return Err(BaselineError::NoRule { line: number, name, meant });
            };
            if !is_for_baseline(lint) {
                return Err(BaselineError::NotForBaseline { line: number, lint });
            }
            keys.insert(Key { lint: lint.name(), path, place, item });
        }
        Ok(Self { keys })
    }

    pub(crate) fn to_text(&self) -> String {
        let mut lines: Vec<String> = self.keys.iter().map(line).collect();
        lines.sort_unstable();
        let mut text = format!("{FIRST_LINE}\n");
        for line in lines {
            text += &line;
            text.push('\n');
        }
        text
    }

    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }

    pub(crate) fn covers(&self, key: &Key) -> bool {
        self.keys.contains(key)
    }

    /// The keys that none of the others has.
    pub(crate) fn without<'b>(&'b self, used: &'b BTreeSet<Key>) -> impl Iterator<Item = &'b Key> {
        self.keys.difference(used)
    }
}

/// Whether findings of a lint may be in a baseline.
///
/// Whether the rules and pins changed is a question of now, and not of when the checks began.
fn is_for_baseline(lint: Lint) -> bool {
    !matches!(lint, Lint::PinsChanged | Lint::NestedRules | Lint::UnusedAllow | Lint::StaleBaseline)
}

/// A key as a line, without its end: also the fingerprint of a finding in SARIF.
pub(crate) fn line(key: &Key) -> String {
    let parts = [key.lint, &key.path, &key.place, &key.item];
    parts.map(escaped).join("\t")
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\t', "\\t").replace('\n', "\\n")
}

/// The text of a part; `None` if it has an escape that isn't one.
fn unescaped(part: &str) -> Option<String> {
    let mut text = String::with_capacity(part.len());
    let mut characters = part.chars();
    while let Some(c) = characters.next() {
        text.push(match c {
            '\\' => match characters.next()? {
                '\\' => '\\',
                't' => '\t',
                'n' => '\n',
                _ => return None,
            },
            c => c,
        });
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(lint: Lint, path: &str, item: &str) -> Finding {
        Finding::new(lint, path, "x").of("dev/db").item(item)
    }

    #[test]
    fn a_baseline_is_lines_in_the_order_of_bytes_and_reads_as_what_it_was_written_from() {
        let findings = [
            finding(Lint::Plaintext, "b.yaml", "a"),
            finding(Lint::Plaintext, "B.yaml", "a"),
            finding(Lint::Copied, "z\ta\n\\.yaml", "x"),
            finding(Lint::Plaintext, "b.yaml", "a"),
            Finding::new(Lint::Unreadable, "é.yaml", "x"),
            finding(Lint::PinsChanged, "a", "a"),
            finding(Lint::Transformed, "a", "a").only(Severity::Note),
        ];
        let baseline = Baseline::of(&findings);
        let text = "# seal baseline v1\ncopied\tz\\ta\\n\\\\.yaml\tdev/db\tx\nplaintext\tB.yaml\tdev/db\ta\n\
                    plaintext\tb.yaml\tdev/db\ta\nunreadable\té.yaml\t\t\n";
        assert_eq!(baseline.to_text(), text);
        assert_eq!(Baseline::parse(text.as_bytes()).unwrap(), baseline);
        assert_eq!(Baseline::parse(text.replace('\n', "\r\n").as_bytes()).unwrap(), baseline);
        assert!(baseline.covers(&findings[0].key()));
        assert!(!baseline.covers(&finding(Lint::Plaintext, "b.yaml", "added later").key()));
    }

    #[test]
    fn what_is_no_baseline_is_refused_with_its_line() {
        let parse =
            |lines: &str| Baseline::parse(format!("# seal baseline v1\n{lines}").as_bytes()).unwrap_err();
        assert_eq!(parse("plaintext\ta\tb\n"), BaselineError::Parts(2));
        assert_eq!(parse("plaintext\ta\tb\tc\nplaintext\t\\x\tb\tc\n"), BaselineError::Parts(3));
        assert!(parse("plaintxt\ta\tb\tc\n").to_string().ends_with("did you mean plaintext?"));
        assert!(matches!(parse("pins-changed\ta\tb\tc\n"), BaselineError::NotForBaseline { line: 2, .. }));
        assert_eq!(Baseline::parse(b"plaintext\ta\tb\tc\n"), Err(BaselineError::Unknown));
        assert_eq!(Baseline::parse(b"\xff"), Err(BaselineError::NotText));
    }
}
