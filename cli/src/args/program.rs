//! The name that the program was called by, for the lines of help that people paste.
//!
//! kubectl finds a plugin by its name: `kubectl-seal` is run by `kubectl seal`, and krew links `kubectl-seal_secret`, which
//! is run by `kubectl seal-secret`. Help then says what the user has to type. Invariant: any other name is `seal`, so that
//! no word of a path gets into the help.

use std::ffi::OsStr;
use std::path::Path;

/// The command as users type it: `seal`, or `kubectl seal`.
pub(crate) fn name() -> String {
    std::env::args_os().next().map_or_else(|| "seal".to_owned(), |called| name_of(&called))
}

fn name_of(called: &OsStr) -> String {
    let file = Path::new(called).file_name().and_then(OsStr::to_str).unwrap_or_default();
    // kubectl turns each dash of the name into a word, and each underscore into a dash.
    match file {
        "kubectl-seal" => "kubectl seal",
        "kubectl-seal_secret" => "kubectl seal-secret",
        "kubectl-seal-secret" => "kubectl seal secret",
        _ => "seal",
    }
    .to_owned()
}

/// A text of help, with the lines that people paste as the program was called: usage, and examples, which are indented by
/// two blanks. Lines of prose stay, whatever they begin with.
pub(super) fn as_called(text: &str, name: &str) -> String {
    if name == "seal" {
        return text.to_owned();
    }
    text.split_inclusive('\n').map(|line| line_as_called(line, name)).collect()
}

fn line_as_called(line: &str, name: &str) -> String {
    // Styles stand before a word: ESC [ … m.
    let mut at = 0;
    let (mut blanks, mut is_usage) = (0, false);
    loop {
        let rest = &line[at..];
        if rest.starts_with('\u{1b}') {
            at += rest.find('m').map_or(rest.len(), |end| end + 1);
        } else if rest.starts_with(' ') {
            at += 1;
            blanks += 1;
        } else if let Some(after) = rest.strip_prefix("Usage:").filter(|_| blanks == 0) {
            at += rest.len() - after.len();
            is_usage = true;
        } else {
            break;
        }
    }
    // A second form of usage stands beneath the first, behind the width of `Usage: `.
    let is_pasted = is_usage || blanks == 2 || blanks == "Usage: ".len();
    match line[at..].strip_prefix("seal").filter(|rest| is_pasted && rest.starts_with([' ', '\u{1b}', '\n']))
    {
        Some(rest) => format!("{}{name}{rest}", &line[..at]),
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plugin_is_named_as_kubectl_runs_it_and_no_other_name_is_repeated() {
        for (called, expected) in [
            ("/usr/local/bin/kubectl-seal", "kubectl seal"),
            ("kubectl-seal_secret", "kubectl seal-secret"),
            ("/home/x/.krew/bin/kubectl-seal-secret", "kubectl seal secret"),
            ("seal", "seal"),
            ("./sealed", "seal"),
            ("kubectl-\u{1b}[31m", "seal"),
            ("", "seal"),
        ] {
            assert_eq!(name_of(OsStr::new(called)), expected, "{called}");
        }
    }

    #[test]
    fn usage_and_examples_say_what_to_type_and_prose_stays() {
        let help = "seal makes secrets safe\n\nUsage: seal [OPTIONS]\n       seal <COMMAND>\n\n\u{1b}[1mUsage:\u{1b}[0m \
                    \u{1b}[1mseal\u{1b}[0m create\n          seal all again\nExamples:\n  seal -r x | seal y\n  sealed\n";
        let called = as_called(help, "kubectl seal");
        let expected = help
            .replace("Usage: seal", "Usage: kubectl seal")
            .replace("       seal <", "       kubectl seal <")
            .replace("\u{1b}[1mseal", "\u{1b}[1mkubectl seal")
            .replace("  seal -r", "  kubectl seal -r");
        assert_eq!(called, expected);
        assert_eq!(as_called(help, "seal"), help);
    }
}
