//! Pins: recipients files that also remember the keys that aren't sealed to any more.
//!
//! A pins file is a recipients file ([`parse_recipients`]) with marked lines, which age and older versions of `seal`
//! skip as comments:
//!
//! ```text
//! # retiring: <fingerprint> <date> <name>
//! # revoked: <fingerprint> <date> <name>
//! # destroyed: <fingerprint> <date> <name>
//! ```
//!
//! | part | is |
//! | --- | --- |
//! | `fingerprint` | a [`Fingerprint`]: 64 lower-case hexadecimal digits |
//! | `date` | a [`Day`]: the day of the mark, `YYYY-MM-DD` |
//! | `name` | a [`PinName`]: 1 to 80 printable characters, without white space at either end |
//!
//! Exactly one space stands between the parts. A line ends with LF; CRLF is read too, because Git may write it.
//! [`raise`] puts the lines after the recipients, sorted by fingerprint. A marked key needs no recipient line, and if a
//! fingerprint has several marked lines, the [highest](Mark) counts.
//!
//! The reader refuses a comment that begins with one of the three words, in upper or lower case and with any white space,
//! and goes on with a colon, if it isn't such a line. The threat is a typing mistake: skipped as a comment, it would leave
//! a revoked key in use without a word. It also refuses every other line with a fingerprint in it, but for
//! `# fingerprint: <fingerprint>` and the like, as `seal keys fetch` writes them. The threat is a line that a review takes for a mark, and that is none: behind a carriage
//! return, after a character that nobody sees, or with a letter of another script in the word.
//!
//! Invariants: a mark only rises; no error repeats a line, which may be an identity that was put here by mistake.

mod day;
mod text;

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use super::{
    Fingerprint, Recipient, RecipientError, RecipientsFileError, parse_recipients, without_byte_order_mark,
};

pub use day::{Day, ParseDayError};
pub use text::raise;

/// The most characters of a name.
const MAX_NAME: usize = 80;

/// The digits of a fingerprint.
const FINGERPRINT_DIGITS: usize = 64;

/// The comments of `seal keys fetch`. Their word may be a fingerprint, or have one in it.
const FETCHED: [&str; 4] = ["# fingerprint: ", "# name: ", "# context: ", "# server: "];

/// The reason why a key isn't sealed to any more, from low to high.
///
/// `Revoked` is the highest, above `Destroyed`: a leaked key stays leaked after its private half is gone here, because
/// somebody else has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mark {
    /// A newer key took its place. Sealing to it still works, so that a renewal stops nobody.
    Retiring,
    /// The private half was deleted. Nothing opens what is sealed to it alone.
    Destroyed,
    /// The private half leaked. Nothing is sealed to it again.
    Revoked,
}

impl Mark {
    /// All marks, from low to high.
    pub const ALL: [Self; 3] = [Self::Retiring, Self::Destroyed, Self::Revoked];

    /// The word of a marked line, without the colon.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Retiring => "retiring",
            Self::Destroyed => "destroyed",
            Self::Revoked => "revoked",
        }
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The name of a key in a marked line: 1 to 80 printable characters, without white space at either end. For people only;
/// a key is its fingerprint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PinName(String);

impl PinName {
    /// The name for any text: unprintable characters are escaped, and what is too long is cut. A text without a
    /// printable character becomes `unnamed`.
    pub fn shortened(text: &str) -> Self {
        let printable = seal_foreign::message(text.trim());
        let cut: String = printable.chars().take(MAX_NAME).collect();
        match cut.trim() {
            "" => Self("unnamed".to_owned()),
            name => Self(name.to_owned()),
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for PinName {
    type Err = MarkError;

    fn from_str(text: &str) -> Result<Self, MarkError> {
        let is_name = !text.is_empty()
            && text.trim() == text
            && text.chars().count() <= MAX_NAME
            && !text.contains(seal_foreign::is_unprintable);
        if is_name { Ok(Self(text.to_owned())) } else { Err(MarkError::Name) }
    }
}

impl fmt::Display for PinName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A mark, with its day and the name of the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marked {
    /// The mark.
    pub mark: Mark,
    /// The day of the mark.
    pub since: Day,
    /// The name of the key, for people.
    pub name: PinName,
}

impl Marked {
    /// The marked line of a key, without a line end.
    pub fn line(&self, fingerprint: &Fingerprint) -> String {
        format!("# {}: {fingerprint} {} {}", self.mark, self.since, self.name)
    }
}

/// What is wrong with a marked line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MarkError {
    /// The line hasn't the form `# <mark>: <fingerprint> <date> <name>` with one space between the parts.
    #[error("a marked line is `# {0}: <fingerprint> <YYYY-MM-DD> <name>`, with one space between its parts")]
    Form(Mark),
    /// The fingerprint isn't one.
    #[error("its fingerprint isn't 64 lower-case hexadecimal digits")]
    Fingerprint,
    /// The date isn't a day.
    #[error("its date isn't a day, written YYYY-MM-DD")]
    Date,
    /// The line has a fingerprint, and is neither a marked line nor `# fingerprint: <fingerprint>`.
    #[error(
        "it has a fingerprint in it, and is neither `# retiring:`, `# revoked:`, `# destroyed:` nor `# fingerprint:`"
    )]
    Unmarked,
    /// The name is too long, not printable, or has white space at an end.
    #[error("its name isn't 1 to {MAX_NAME} printable characters without a space at either end")]
    Name,
}

/// The reason why a file of pins can't be used. Permanent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PinsError {
    /// A line isn't a recipient.
    #[error("line {line}")]
    Recipient {
        /// The number of the line, from 1.
        line: usize,
        /// The problem of the line.
        source: RecipientError,
    },
    /// A comment begins as a marked line does, and isn't one.
    #[error("line {line}")]
    Mark {
        /// The number of the line, from 1.
        line: usize,
        /// The problem of the line.
        source: MarkError,
    },
}

/// The recipients and marks of one file of pins, or of several together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pins {
    recipients: Vec<Recipient>,
    marks: BTreeMap<Fingerprint, Marked>,
}

impl Pins {
    /// Reads a file of pins, which may have no recipient.
    ///
    /// # Errors
    ///
    /// The first bad marked line, else the first line that is neither a comment nor a recipient.
    pub fn parse(text: &str) -> Result<Self, PinsError> {
        let mut pins = Self::default();
        for (line, text) in (1..).zip(without_byte_order_mark(text).lines()) {
            let marked = parse_line(text).map_err(|source| PinsError::Mark { line, source })?;
            if let Some((fingerprint, marked)) = marked {
                pins.mark(fingerprint, marked);
            }
        }
        pins.recipients = match parse_recipients(text) {
            Ok(recipients) => recipients,
            Err(RecipientsFileError::NoneFound) => Vec::new(),
            Err(RecipientsFileError::Line { line, source }) => {
                return Err(PinsError::Recipient { line, source });
            }
        };
        Ok(pins)
    }

    /// The recipients in the order of the file, each once; marked or not.
    pub fn recipients(&self) -> &[Recipient] {
        &self.recipients
    }

    /// The highest mark of a key, with its day and name; `None` if it has none.
    pub fn marked(&self, fingerprint: &Fingerprint) -> Option<&Marked> {
        self.marks.get(fingerprint)
    }

    /// All marks, in the order of fingerprints.
    pub fn marks(&self) -> impl Iterator<Item = (&Fingerprint, &Marked)> {
        self.marks.iter()
    }

    /// `true` if the key has a recipient line or a marked line: it is, or was, a key of ours.
    pub fn lists(&self, fingerprint: &Fingerprint) -> bool {
        self.marks.contains_key(fingerprint)
            || self.recipients.iter().any(|recipient| recipient.fingerprint() == *fingerprint)
    }

    /// Adds a recipient, if it isn't there yet.
    pub fn add(&mut self, recipient: Recipient) {
        if !self.recipients.contains(&recipient) {
            self.recipients.push(recipient);
        }
    }

    /// Gives a key this mark, if it is higher than the key's own, and says whether it was.
    pub fn mark(&mut self, fingerprint: Fingerprint, marked: Marked) -> bool {
        let rises = self.marks.get(&fingerprint).is_none_or(|known| known.mark < marked.mark);
        if rises {
            self.marks.insert(fingerprint, marked);
        }
        rises
    }
}

impl Extend<Self> for Pins {
    /// Adds the recipients and marks of other files. The highest mark of a key counts in whichever file it stands.
    fn extend<I: IntoIterator<Item = Self>>(&mut self, others: I) {
        for other in others {
            for recipient in other.recipients {
                self.add(recipient);
            }
            for (fingerprint, marked) in other.marks {
                self.mark(fingerprint, marked);
            }
        }
    }
}

/// Reads a line: `None` if it is no marked line, and doesn't begin as one.
fn parse_line(line: &str) -> Result<Option<(Fingerprint, Marked)>, MarkError> {
    let Some(mark) = claimed_mark(line) else {
        return if is_like_a_mark(line) { Err(MarkError::Unmarked) } else { Ok(None) };
    };
    let rest = line.strip_prefix("# ").and_then(|rest| rest.strip_prefix(mark.as_str()));
    let rest = rest.and_then(|rest| rest.strip_prefix(": ")).ok_or(MarkError::Form(mark))?;
    let mut parts = rest.splitn(3, ' ');
    let (Some(fingerprint), Some(since), Some(name)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(MarkError::Form(mark));
    };
    let fingerprint = fingerprint.parse().map_err(|_| MarkError::Fingerprint)?;
    let since = since.parse().map_err(|_| MarkError::Date)?;
    Ok(Some((fingerprint, Marked { mark, since, name: name.parse()? })))
}

/// Whether a line that doesn't begin as a marked one has a fingerprint all the same, which no recipient has. What nobody
/// sees counts for nothing.
fn is_like_a_mark(line: &str) -> bool {
    let one_word = FETCHED.iter().find_map(|start| line.strip_prefix(start));
    let is_fetched = one_word
        .is_some_and(|word| !word.contains(|c: char| c.is_whitespace() || seal_foreign::is_unprintable(c)));
    let seen: String = line.chars().filter(|c| !seal_foreign::is_unprintable(*c)).collect();
    let mut words = seen.split(|c: char| !c.is_ascii_hexdigit());
    !is_fetched && words.any(|word| word.len() >= FINGERPRINT_DIGITS)
}

/// The mark that a comment seems to give: its first word, in upper or lower case, before a colon or a fingerprint.
fn claimed_mark(line: &str) -> Option<Mark> {
    let comment = line.trim_start().strip_prefix('#')?;
    let comment = comment.trim_start_matches(|c: char| c == '#' || c.is_whitespace());
    let rest = |mark: Mark| {
        let (word, rest) = comment.split_at_checked(mark.as_str().len())?;
        word.eq_ignore_ascii_case(mark.as_str()).then_some(rest)
    };
    let (mark, rest) = Mark::ALL.into_iter().find_map(|mark| Some((mark, rest(mark)?)))?;
    let is_fingerprint =
        |word: &str| word.len() == FINGERPRINT_DIGITS && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_claim = rest.trim_start().starts_with(':') || rest.split_whitespace().any(is_fingerprint);
    is_claim.then_some(mark)
}

#[cfg(test)]
mod tests;
