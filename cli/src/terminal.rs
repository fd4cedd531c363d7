//! Talking to people: everything on standard error, and whether anybody is
//! looking.
//!
//! Colour only where standard error is a terminal and `NO_COLOR` is unset
//! (anstream decides). Text that came from a file or a server is escaped, so it
//! can't move the cursor, hide itself or retitle the window.

use std::io::{self, IsTerminal, Write};

use anstyle::{AnsiColor, Style};

use crate::{failure::Failure, source::Spot};

const ERROR: Style = AnsiColor::Red.on_default().bold();
const WARNING: Style = AnsiColor::Yellow.on_default().bold();
const HINT: Style = AnsiColor::Cyan.on_default().bold();
const FRAME: Style = AnsiColor::Blue.on_default();

pub(crate) fn stdin_is_terminal() -> bool {
    io::stdin().is_terminal()
}

pub(crate) fn stdout_is_terminal() -> bool {
    io::stdout().is_terminal()
}

pub(crate) fn stderr_is_terminal() -> bool {
    io::stderr().is_terminal()
}

/// `error: …`, where it is, and what to try.
pub(crate) fn print_failure(failure: &Failure) {
    let facts = escape(&failure.facts.join(": "));
    let mut text = format!("{ERROR}error{ERROR:#}: {facts}\n");
    if let Some(spot) = &failure.spot {
        text += &draw(spot);
    }
    if let Some(hint) = &failure.hint {
        text += &format!("{HINT}hint{HINT:#}: {}\n", escape(hint));
    }
    print(&text);
}

/// `warning: …`: it was done, but perhaps not as meant.
pub(crate) fn warn(what: &str, spot: Option<&Spot>) {
    let mut text = format!("{WARNING}warning{WARNING:#}: {}\n", escape(what));
    if let Some(spot) = spot {
        text += &draw(spot);
    }
    print(&text);
}

/// One line of information beside a result.
pub(crate) fn note(what: &str) {
    print(&format!("{}\n", escape(what)));
}

/// A line that the next one overwrites; for a terminal only.
pub(crate) fn status_line(what: &str) {
    print(&format!("\r{}", escape(what)));
}

/// Overwrites a line of this width with nothing. With blanks, since not every terminal takes more.
pub(crate) fn erase_status_line(width: usize) {
    print(&format!("\r{:width$}\r", ""));
}

/// Makes control characters visible: `\u{1b}` instead of an escape sequence.
/// Line breaks stay; characters that reorder text (bidi) don't.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c == '\n' || !is_unprintable(c) {
            out.push(c);
        } else {
            out.extend(c.escape_default());
        }
    }
    out
}

pub(crate) fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// ```text
///   --> secret.yaml:7:13
///    |
///  7 |   password: …
///    |             ^
/// ```
fn draw(spot: &Spot) -> String {
    let mut text = format!("  {FRAME}-->{FRAME:#} {}\n", escape(&spot.label()));
    if let Some(excerpt) = &spot.excerpt {
        let number = spot.line.to_string();
        let width = number.len();
        let bar = format!("{FRAME}|{FRAME:#}");
        text += &format!(" {:width$} {bar}\n", "");
        text += &format!(" {FRAME}{number}{FRAME:#} {bar} {}\n", excerpt.line);
        let blank = " ".repeat(excerpt.caret);
        text += &format!(" {:width$} {bar} {blank}{ERROR}^{ERROR:#}\n", "");
    }
    text
}

fn print(text: &str) {
    // Nobody is left to tell if standard error is gone.
    let _ = anstream::stderr().write_all(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_become_visible() {
        assert_eq!(escape("a\u{1b}[31mb\u{7}\u{9b}"), "a\\u{1b}[31mb\\u{7}\\u{9b}");
        assert_eq!(escape("a\u{202e}b\tc\r"), "a\\u{202e}b\\tc\\r");
        assert_eq!(escape("é 😀\nline"), "é 😀\nline");
    }
}
