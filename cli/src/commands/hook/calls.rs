//! Whether a hook, or the configuration of a hook manager, runs our check.
//!
//! Nothing is run to find out, and no shell is parsed. A line counts where `seal check` stands as a command: not behind
//! another word (`echo run seal check`), not in a comment, and not where its result is thrown away (`|| true`). Invariant: in
//! doubt the answer is no, because a yes leaves a clone without a check.

/// Words of a shell behind which a command stands.
const BEFORE_A_COMMAND: [&str; 9] = ["exec", "then", "do", "else", "if", "!", "time", "command", "env"];

/// Whether a script runs our check.
pub(super) fn in_script(text: &[u8]) -> bool {
    let text = String::from_utf8_lossy(text);
    // A line that ends with a backslash goes on.
    text.replace("\\\n", " ").lines().any(|line| calls(without_comment(line)))
}

/// Whether a configuration has our check run: as a command of a hook, in YAML, JSON or TOML, or as the hook `seal-check` of our
/// `.pre-commit-hooks.yaml`.
pub(super) fn in_configuration(text: &[u8]) -> bool {
    let text = String::from_utf8_lossy(text);
    text.lines().map(without_comment).any(|line| {
        let line = line.trim_start_matches(is_mark);
        let (key, value) = line.split_once(':').unwrap_or(("", line));
        match key.trim_end_matches(is_mark) {
            "name" | "description" | "title" => false,
            "id" => value.split(',').next().unwrap_or_default().trim_matches(is_mark) == "seal-check",
            _ => line.split([':', '=']).any(|part| calls(part.trim_start_matches(is_mark))),
        }
    })
}

/// A character that stands around words of a configuration.
fn is_mark(c: char) -> bool {
    matches!(c, '"' | '\'' | ' ' | '\t' | ',' | '[' | ']' | '{' | '}' | '-')
}

/// A line up to a comment. In quotes, a number sign begins none; where that goes wrong, the line is longer or shorter than it
/// is, and `seal check` in it still has to be a command.
fn without_comment(line: &str) -> &str {
    let at = line
        .char_indices()
        .find(|(at, c)| *c == '#' && line[..*at].chars().next_back().is_none_or(char::is_whitespace));
    at.map_or(line, |(at, _)| &line[..at])
}

/// Whether one of the commands on a line is our check, and its result counts.
fn calls(line: &str) -> bool {
    const BETWEEN: [char; 5] = ['&', '|', ';', '(', '{'];
    let mut rest = line;
    for command in line.split_inclusive(BETWEEN) {
        rest = &rest[command.len()..];
        let other =
            rest.strip_prefix('|').filter(|_| command.ends_with('|')).unwrap_or_default().trim_start();
        let is_ignored = ["true", ":", "exit 0"].iter().any(|word| other.starts_with(word));
        let command = command.trim_end_matches(BETWEEN);
        let is_variable = |word: &str| word.split_once('=').is_some_and(|(name, _)| is_variable(name));
        let is_before = |word: &&str| BEFORE_A_COMMAND.contains(word) || is_variable(word);
        let is_end = |c: char| matches!(c, ')' | ';') || is_mark(c);
        let mut words =
            command.split_whitespace().skip_while(is_before).map(|word| word.trim_end_matches(is_end));
        let program = words.next().unwrap_or_default();
        let is_seal = program == "seal" || program.ends_with("/seal");
        let is_check = words.next().is_some_and(|word| word.trim_start_matches(is_mark) == "check");
        if is_seal && is_check && !is_ignored {
            return true;
        }
    }
    false
}

fn is_variable(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_runs_the_check_where_it_is_a_command() {
        for script in [
            "seal check --staged",
            "#!/bin/sh\n\texec seal check --staged\n",
            "make lint && seal check --staged || exit 1",
            "if ! seal check; then exit 1; fi",
            "test -n \"$CI\" || (seal check --staged)",
            "SEAL_X=1 /usr/local/bin/seal check --staged",
            "for f in a; do seal check --staged \"$f\"; done",
            "seal \\\n  check --staged",
        ] {
            assert!(in_script(script.as_bytes()), "{script}");
        }
        for script in [
            "",
            "# seal check --staged",
            "make lint # and seal check",
            "echo seal check --staged",
            "echo \"run seal check --staged\" >&2",
            "git log --grep 'seal check'",
            "unseal check",
            "seal checks",
            "seal-check",
            "seal diff check",
            "seal check --staged || true",
            "seal check --staged || :",
        ] {
            assert!(!in_script(script.as_bytes()), "{script}");
        }
    }

    #[test]
    fn a_configuration_has_the_check_run_as_a_command_or_as_our_hook() {
        for text in [
            "pre-commit:\n  commands:\n    seal:\n      run: seal check --staged\n",
            "{\"simple-git-hooks\": {\"pre-commit\": \"seal check --staged\"}}",
            "{\"husky\": {\"hooks\": {\"pre-commit\": \"npm test && seal check --staged\"}}}",
            "repos:\n- repo: x\n  hooks:\n  - id: seal-check\n",
            "  hooks: \n    - {id: seal-check}\n",
            "[pre-commit.commands.seal]\nrun = \"seal check --staged\"\n",
            "npx lint-staged\nseal check --staged\n",
            "    command: 'seal check --staged'\n",
            "    command: ['seal', 'check', '--staged']\n",
        ] {
            assert!(in_configuration(text.as_bytes()), "{text}");
        }
        for text in [
            "#   run: seal check --staged\n",
            "- id: seal-check-all\n",
            "- id: other # seal-check\n",
            "description: how to run seal check\n",
            "- name: seal check\n",
            "run: seal diff\n",
        ] {
            assert!(!in_configuration(text.as_bytes()), "{text}");
        }
    }
}
