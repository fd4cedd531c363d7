//! Messages on standard error, and whether a person is looking.
//!
//! Messages have colour only if standard error is a terminal and `NO_COLOR` is unset (anstream decides).
//! Invariant: text from a file or a server is escaped, so that it can't move the cursor, hide itself or
//! retitle the window.

use std::io::{self, IsTerminal, Write};

use anstyle::{AnsiColor, Style};

use seal_documents::source::Spot;
use seal_foreign::{MAX_LINES, lines};

use crate::talk::failure::Failure;

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

/// Prints a failure: `error: …`, its spot, and its hint.
pub(crate) fn print_failure(failure: &Failure) {
    let facts = shown(&failure.facts.join(": "));
    let mut text = format!("{ERROR}error{ERROR:#}: {facts}\n");
    if let Some(spot) = &failure.spot {
        text += &draw(spot);
    }
    if let Some(hint) = &failure.hint {
        text += &format!("{HINT}hint{HINT:#}: {}\n", shown(hint));
    }
    print(&text);
}

/// Prints `warning: …` and its spot: the command succeeded, but perhaps not as the user meant.
pub(crate) fn warn(what: &str, spot: Option<&Spot>) {
    let mut text = format!("{WARNING}warning{WARNING:#}: {}\n", shown(what));
    if let Some(spot) = spot {
        text += &draw(spot);
    }
    print(&text);
}

/// Prints one line of information beside a result.
pub(crate) fn note(what: &str) {
    print(&format!("{}\n", shown(what)));
}

/// Prints a line that the next one overwrites. Only for a terminal.
pub(crate) fn status_line(what: &str) {
    print(&format!("\r{}", shown(what)));
}

/// Erases a line of this width with blanks, since not every terminal understands an erase sequence.
pub(crate) fn erase_status_line(width: usize) {
    print(&format!("\r{:width$}\r", ""));
}

/// The columns that a terminal takes to echo an interrupt: `^C`.
pub(crate) const ECHO: usize = 2;

/// Erases the `^C` that a terminal shows for an interrupt, so that the message about it begins its line.
pub(crate) fn erase_echo() {
    if stderr_is_terminal() {
        erase_status_line(ECHO);
    }
}

/// The width of the terminal on standard error; `None` if there is none, or it doesn't say.
pub(crate) fn stderr_columns() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(io::stderr()).ok()?;
    Some(usize::from(size.ws_col)).filter(|columns| *columns > 0)
}

/// A message as it may be shown: escaped and cut, since it may contain words of others.
fn shown(text: &str) -> String {
    lines(text, MAX_LINES)
}

/// Draws a spot:
///
/// ```text
///   --> secret.yaml:7:13
///    |
///  7 |   password: …
///    |             ^
/// ```
fn draw(spot: &Spot) -> String {
    let mut text = format!("  {FRAME}-->{FRAME:#} {}\n", shown(&spot.label()));
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
    // If standard error is gone, the message has no reader.
    let _ = anstream::stderr().write_all(text.as_bytes());
}
