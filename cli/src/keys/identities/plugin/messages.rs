//! What `seal` and an age plugin say to each other: stanzas, as in the header of an age file.
//!
//! ```text
//! -> TAG ARG ARG …
//! <body in base64, unpadded, 64 characters a line; the last line is shorter, and may be empty>
//! ```
//!
//! Invariant: a line and a body are bounded, and a body is wiped, because it may be a file key or a PIN.

use std::io::{BufRead, BufReader, Read as _, Write};
use std::process::{ChildStdin, ChildStdout};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD_NO_PAD;
use zeroize::Zeroizing;

use super::PluginError;

/// The characters of a full line of a body.
const COLUMNS: usize = 64;

/// The most bytes of a line, with its end.
const MAX_LINE: usize = 4096;

/// The most lines of a body: some 6 kB, more than a message to a person has.
const MAX_LINES: usize = 128;

/// Both directions of a conversation.
pub(super) struct Conversation {
    to: ChildStdin,
    from: BufReader<ChildStdout>,
}

/// A message of the plugin.
pub(super) struct Message {
    pub(super) tag: String,
    pub(super) args: Vec<String>,
    pub(super) body: Zeroizing<Vec<u8>>,
}

impl Message {
    /// The body as text for people. Whoever prints it escapes it.
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).trim().to_owned()
    }
}

impl Conversation {
    pub(super) fn new(to: ChildStdin, from: ChildStdout) -> Self {
        Self { to, from: BufReader::new(from) }
    }

    /// Sends one message.
    pub(super) fn say(&mut self, tag: &str, args: &[&str], body: &[u8]) -> Result<(), PluginError> {
        self.to.write_all(&written(tag, args, body)).map_err(|_| PluginError::Ended)
    }

    /// Waits for one message.
    pub(super) fn hear(&mut self) -> Result<Message, PluginError> {
        read(&mut self.from)
    }
}

fn written(tag: &str, args: &[&str], body: &[u8]) -> Zeroizing<Vec<u8>> {
    let encoded = Zeroizing::new(BASE64_STANDARD_NO_PAD.encode(body));
    let head: usize = 4 + tag.len() + args.iter().map(|arg| 1 + arg.len()).sum::<usize>();
    // The buffer has its full room from the start, because growing would leave copies behind.
    let room = head + encoded.len() + encoded.len() / COLUMNS + 2;
    let mut text = Zeroizing::new(Vec::with_capacity(room));
    text.extend_from_slice(b"-> ");
    text.extend_from_slice(tag.as_bytes());
    for arg in args {
        text.push(b' ');
        text.extend_from_slice(arg.as_bytes());
    }
    text.push(b'\n');
    for line in encoded.as_bytes().chunks(COLUMNS) {
        text.extend_from_slice(line);
        text.push(b'\n');
    }
    // A full last line is followed by an empty one.
    if encoded.len().is_multiple_of(COLUMNS) {
        text.push(b'\n');
    }
    text
}

fn read(from: &mut impl BufRead) -> Result<Message, PluginError> {
    let head = line(from)?;
    let head = std::str::from_utf8(&head).map_err(|_| PluginError::Protocol)?;
    let mut words = head.strip_prefix("-> ").ok_or(PluginError::Protocol)?.split(' ').map(str::to_owned);
    let tag = words.next().unwrap_or_default();
    let args = words.collect();
    let mut body = Zeroizing::new(Vec::with_capacity(MAX_LINES * COLUMNS));
    for _ in 0..MAX_LINES {
        let line = line(from)?;
        if line.len() > COLUMNS {
            return Err(PluginError::Protocol);
        }
        let decoded = BASE64_STANDARD_NO_PAD.decode(&*line).map_err(|_| PluginError::Protocol)?;
        body.extend_from_slice(&Zeroizing::new(decoded));
        if line.len() < COLUMNS {
            return Ok(Message { tag, args, body });
        }
    }
    Err(PluginError::Protocol)
}

/// One line, without its end.
fn line(from: &mut impl BufRead) -> Result<Zeroizing<Vec<u8>>, PluginError> {
    let mut line = Zeroizing::new(Vec::with_capacity(MAX_LINE));
    from.take(MAX_LINE as u64).read_until(b'\n', &mut line).map_err(|_| PluginError::Ended)?;
    match line.pop() {
        Some(b'\n') => Ok(line),
        Some(_) if line.len() + 1 == MAX_LINE => Err(PluginError::Protocol),
        _ => Err(PluginError::Ended),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_heard() {
        for length in [0, 1, 16, 47, 48, 49, 96, 1000] {
            let body: Vec<u8> = (0..length).map(|n| (n % 251) as u8).collect();
            let text = written("msg", &["0", "a"], &body);
            let message = read(&mut &text[..]).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(
                (message.tag.as_str(), &message.args[..]),
                ("msg", &["0".to_owned(), "a".to_owned()][..])
            );
            assert_eq!(*message.body, body, "{length}");
        }
        assert_eq!(&*written("done", &[], b""), b"-> done\n\n");
        assert_eq!(&*written("ok", &[], &[0; 48]), format!("-> ok\n{}\n\n", "A".repeat(64)).as_bytes());
    }

    #[test]
    fn what_is_no_message_is_refused() {
        let refused = |text: &[u8]| read(&mut &text[..]).err().unwrap().to_string();
        for text in [&b""[..], b"-> done", b"-> done\n", b"-> done\nQUFB"] {
            assert_eq!(refused(text), PluginError::Ended.to_string());
        }
        let endless = [&b"-> msg\n"[..], &[&[b'A'; 64][..], b"\n"].concat().repeat(MAX_LINES + 1)].concat();
        let long = [&b"-> "[..], &[b'a'; MAX_LINE]].concat();
        for text in [&b"done\n\n"[..], b"-> \xff\n\n", b"-> a\n!!\n", b"-> a\nQUFB=\n", &endless, &long] {
            assert_eq!(refused(text), PluginError::Protocol.to_string());
        }
    }
}
