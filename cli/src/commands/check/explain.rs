//! `seal check --explain [RULE]`.

use crate::check::lint::{Lint, Row};
use crate::files::output;
use crate::talk::exit::Exit;
use crate::talk::failure::{Explain, Failure, Rule};

/// There is no such rule.
#[derive(Debug, thiserror::Error)]
#[error("there is no rule {}{}", seal_foreign::word(name), meant.map(|lint| format!(", did you mean {}?", lint.name())).unwrap_or_default())]
struct NoSuchLint {
    name: String,
    meant: Option<Lint>,
}

impl Explain for NoSuchLint {
    fn rule(&self) -> Rule {
        Rule::Usage
    }

    fn exit(&self) -> Exit {
        Exit::Usage
    }

    fn hint(&self) -> Option<String> {
        Some("seal check --explain lists the rules".to_owned())
    }
}

/// Explains a rule, or lists all if no name is given.
pub(super) fn run(name: &str) -> Result<Exit, Failure> {
    let lines = if name.is_empty() {
        Lint::all()
            .map(Lint::row)
            .map(|row| format!("{:<20} {:<8} {}", row.name, row.severity.as_str(), row.finds))
            .collect()
    } else {
        let lint = Lint::named(name)
            .ok_or_else(|| NoSuchLint { name: name.to_owned(), meant: Lint::nearest(name) })?;
        explanation(lint)
    };
    output::report(lines)?;
    Ok(Exit::Done)
}

fn explanation(lint: Lint) -> Vec<String> {
    let Row { name, severity, finds, why, fix, .. } = lint.row();
    let silence = if lint.is_for_comments() {
        format!("To allow it: # seal: allow {name} -- REASON, above the object; or ignore in .seal.yaml.")
    } else {
        "It can be silenced only in .seal.yaml (ignore), not beside the object.".to_owned()
    };
    let parts =
        [format!("{name} ({}): {finds}.", severity.as_str()), (*why).to_owned(), (*fix).to_owned(), silence];
    parts
        .iter()
        .flat_map(|part| [wrapped(part), vec![String::new()]].concat())
        .collect::<Vec<_>>()
        .split_last()
        .map(|(_, lines)| lines.to_vec())
        .unwrap_or_default()
}

/// The words in lines of at most 80 characters.
fn wrapped(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let last = lines.last_mut().expect("there is a line");
        if !last.is_empty() && last.len() + word.len() >= 80 {
            lines.push(word.to_owned());
        } else {
            let gap = if last.is_empty() { "" } else { " " };
            *last += &format!("{gap}{word}");
        }
    }
    lines
}
