//! What the user types at the terminal: a value, without echo (an item, a passphrase, a PIN), a yes, or only Enter.
//!
//! It reads the terminal itself (`/dev/tty`), so that it works beside a pipe. It reads one byte at a time, so
//! that the line discipline's limit of 4 kB doesn't cut a long token off.

use std::fs::File;
use std::io::{self, Read, Write};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use seal_crds::{ItemName, Plaintext, Reason};
use zeroize::Zeroizing;

use crate::talk::exit::Exit;
use crate::talk::failure::{Explain, Rule};

/// The bound on the bytes of a typed value: no password is as long, and a file is better for longer values.
const MAX_TYPED: usize = 64 * 1024;

const INTERRUPT: u8 = 0x03;
const END: u8 = 0x04;
const BACKSPACE: u8 = 0x08;
const ERASE_LINE: u8 = 0x15;
const DELETE: u8 = 0x7f;

#[derive(Debug, thiserror::Error)]
pub(crate) enum PromptError {
    #[error("there is no terminal to ask for item {0} at")]
    NoTerminal(ItemName, #[source] io::Error),
    #[error("nothing was sealed: interrupted")]
    Interrupted,
    #[error("item {0} was typed in two different ways")]
    Different(ItemName),
    #[error("item {0} is longer than {MAX_TYPED} bytes")]
    TooLong(ItemName),
    #[error("there is no terminal to ask at")]
    NobodyToAsk(#[source] io::Error),
    #[error("nothing was done: the answer wasn't yes")]
    Declined,
}

impl Explain for PromptError {
    fn rule(&self) -> Rule {
        match self {
            Self::NoTerminal(..) | Self::Different(_) | Self::NobodyToAsk(_) => Rule::Usage,
            Self::TooLong(_) => Rule::Refused(Reason::SecretTooLarge),
            Self::Interrupted | Self::Declined => Rule::Refused(Reason::Interrupted),
        }
    }

    fn exit(&self) -> Exit {
        match self {
            Self::NoTerminal(..) | Self::NobodyToAsk(_) => Exit::Usage,
            _ => Exit::Failure,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::NoTerminal(item, _) | Self::TooLong(item) => {
                Some(format!("give it with --file {item}=PATH, or {item}=- for standard input"))
            }
            Self::NobodyToAsk(_) => Some("with --yes it is done without a question".to_owned()),
            Self::Interrupted | Self::Different(_) | Self::Declined => None,
        }
    }
}

/// Why somebody couldn't be asked once.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HiddenError {
    #[error("there is no terminal to ask at: {0}")]
    NoTerminal(String, #[source] io::Error),
    #[error("interrupted")]
    Interrupted,
}

impl Explain for HiddenError {
    fn rule(&self) -> Rule {
        match self {
            Self::NoTerminal(..) => Rule::Usage,
            Self::Interrupted => Rule::Refused(Reason::Interrupted),
        }
    }

    fn exit(&self) -> Exit {
        match self {
            Self::NoTerminal(..) => Exit::Usage,
            Self::Interrupted => Exit::Failure,
        }
    }
}

/// Asks one question, once: a wrong answer is found out at once. The question may hold words of others, so it is
/// escaped.
pub(crate) fn hidden(question: &str) -> Result<Zeroizing<Vec<u8>>, HiddenError> {
    let question = seal_foreign::message(question);
    let no_terminal = |error: io::Error| HiddenError::NoTerminal(question.trim().to_owned(), error);
    let tty = File::options().read(true).write(true).open("/dev/tty").map_err(no_terminal)?;
    let quiet = Quiet::new(&tty).map_err(no_terminal)?;
    let _ = (&tty).write_all(question.as_bytes());
    let line = read_line(quiet.tty).map_err(no_terminal)?;
    let _ = (&tty).write_all(b"\n");
    line.ok_or(HiddenError::Interrupted)
}

/// Asks for the value of an item, twice, because the user doesn't see the typed text.
pub(crate) fn ask(item: &ItemName) -> Result<Plaintext, PromptError> {
    let no_terminal = |error: io::Error| PromptError::NoTerminal(item.clone(), error);
    let tty = File::options().read(true).write(true).open("/dev/tty").map_err(no_terminal)?;
    let quiet = Quiet::new(&tty).map_err(no_terminal)?;
    let mut typed = Vec::new();
    for question in [format!("{item}: "), format!("{item} again: ")] {
        let _ = (&tty).write_all(question.as_bytes());
        let line = read_line(quiet.tty).map_err(no_terminal)?;
        let _ = (&tty).write_all(b"\n");
        typed.push(line.ok_or(PromptError::Interrupted)?);
    }
    let (second, first) = (typed.pop().expect("asked twice"), typed.pop().expect("asked twice"));
    if *first != *second {
        return Err(PromptError::Different(item.clone()));
    }
    if first.len() >= MAX_TYPED {
        Err(PromptError::TooLong(item.clone()))
    } else {
        Ok(Plaintext::from(first))
    }
}

/// Asks a question whose answer has to be `yes`, typed in full, because what follows can't be taken back.
///
/// # Errors
///
/// The user answers something else, or there is no terminal.
pub(crate) fn confirm(question: &str) -> Result<(), PromptError> {
    let mut tty =
        File::options().read(true).write(true).open("/dev/tty").map_err(PromptError::NobodyToAsk)?;
    let question = seal_foreign::lines(question, seal_foreign::MAX_LINES);
    let asked = write!(tty, "{question}\nType yes to go on: ").and_then(|()| tty.flush());
    let answer = asked.and_then(|()| read_line(&tty)).map_err(PromptError::NobodyToAsk)?;
    match answer {
        Some(answer) if answer.trim_ascii() == b"yes" => Ok(()),
        _ => Err(PromptError::Declined),
    }
}

/// Asks for Enter. Whoever interrupts, ends the input or hangs up doesn't press it; nor does anybody if there is no terminal.
pub(crate) fn enter(question: &str) -> bool {
    let Ok(tty) = File::options().read(true).write(true).open("/dev/tty") else { return false };
    let Ok(quiet) = Quiet::new(&tty) else { return false };
    let _ = (&tty).write_all(question.as_bytes());
    let is_pressed = read_enter(quiet.tty);
    let _ = (&tty).write_all(b"\n");
    is_pressed
}

/// Reads up to Enter, and tells whether it came.
fn read_enter(mut input: impl Read) -> bool {
    let mut byte = [0];
    loop {
        match (input.read(&mut byte), byte[0]) {
            (Ok(1), b'\r' | b'\n') => return true,
            (Ok(0) | Err(_), _) | (_, INTERRUPT | END) => return false,
            _ => {}
        }
    }
}

/// A terminal that neither echoes nor waits for whole lines, until dropped.
struct Quiet<'a> {
    tty: &'a File,
    before: Termios,
}

impl<'a> Quiet<'a> {
    fn new(tty: &'a File) -> io::Result<Self> {
        let before = tcgetattr(tty)?;
        let mut quiet = before.clone();
        // Without ISIG an interrupt arrives as a byte, so the program doesn't end before it restores the
        // echo.
        quiet.local_modes.remove(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG);
        tcsetattr(tty, OptionalActions::Flush, &quiet)?;
        Ok(Self { tty, before })
    }
}

impl Drop for Quiet<'_> {
    fn drop(&mut self) {
        let _ = tcsetattr(self.tty, OptionalActions::Flush, &self.before);
    }
}

/// Reads one line, without its end; `None` if the user interrupted it.
fn read_line(mut input: impl Read) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
    let mut line = Zeroizing::new(Vec::with_capacity(MAX_TYPED));
    let mut byte = Zeroizing::new([0]);
    while line.len() < MAX_TYPED {
        if input.read(&mut *byte)? == 0 {
            break;
        }
        match byte[0] {
            b'\r' | b'\n' | END => break,
            INTERRUPT => return Ok(None),
            ERASE_LINE => line.clear(),
            BACKSPACE | DELETE => {
                // One key press removes a whole character of UTF-8.
                while line.pop().is_some_and(|popped| popped & 0b1100_0000 == 0b1000_0000) {}
            }
            other => line.push(other),
        }
    }
    Ok(Some(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(typed: &[u8]) -> Option<Vec<u8>> {
        read_line(typed).unwrap().map(|line| line.to_vec())
    }

    #[test]
    fn only_enter_is_enter() {
        for (typed, is_pressed) in
            [("\r", true), ("\n", true), ("yes\r", true), ("\x03", false), ("\x04\r", false), ("a", false)]
        {
            assert_eq!(read_enter(typed.as_bytes()), is_pressed, "{typed:?}");
        }
    }

    #[test]
    fn a_line_can_be_corrected_and_given_up() {
        assert_eq!(line(b"abc\rrest").unwrap(), b"abc");
        assert_eq!(line("aé\u{7f}b\u{8}c\n".as_bytes()).unwrap(), b"ac");
        assert_eq!(line(b"wrong\x15right\n").unwrap(), b"right");
        assert_eq!(line(b"\x7f\x7fa\x04").unwrap(), b"a");
        assert_eq!(line(b"ab\x03"), None);
    }
}
