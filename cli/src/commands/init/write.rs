//! The text of a first rules file.
//!
//! Invariant: it is read back before it is written, so a name that YAML would take for something else can't change what the
//! rules say.

use super::SCHEMA_FILE;
use super::propose::Proposed;
use super::recipients::Planned;

const HEAD: &str = "\
# Whom the Secrets of this repository are sealed to. seal, seal set, seal rotate and seal check go by it.
# Who may change this file, or the keys that it names, decides who can read what is sealed from then on.
version: 1
";

pub(super) fn text(planned: &[Planned], rules: &[Proposed]) -> String {
    let mut text = format!("# yaml-language-server: $schema={SCHEMA_FILE}\n{HEAD}");
    if planned.iter().any(|planned| planned.is_recovery) {
        text += "require-recovery: true\n";
    }
    text += "recipients:\n";
    for planned in planned {
        let recovery = if planned.is_recovery { ", recovery: true" } else { "" };
        text += &format!("  {}: {{file: {}{recovery}}}\n", quoted(&planned.name), quoted(&planned.path));
    }
    text += "# The first rule that matches counts. {namespace} is a directory that is named after a namespace.\nrules:\n";
    for rule in rules {
        text += &format!("  - path: \"{}\"\n", rule.path);
        text += &match rule.to.as_slice() {
            [] => "    to: none\n".to_owned(),
            names => format!(
                "    to: [{}]\n",
                names.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(", ")
            ),
        };
        if !rule.scopes.is_empty() {
            let scopes: Vec<&str> = rule.scopes.iter().map(|scope| scope.as_str()).collect();
            text += &format!("    scopes: [{}]\n", scopes.join(", "));
        }
    }
    text
}

/// A word of YAML, in quotes unless it is a plain one to every reader.
fn quoted(word: &str) -> String {
    let is_plain = word.starts_with(|c: char| c.is_ascii_alphabetic())
        && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"./-".contains(&byte))
        && !["y", "n", "yes", "no", "on", "off", "true", "false", "null"]
            .contains(&word.to_lowercase().as_str());
    if is_plain { word.to_owned() } else { serde_json::Value::from(word).to_string() }
}
