//! Files of the dotenv dialect: `export`, quotes, escapes, comments, values over several lines.
//!
//! ```text
//! # a comment
//! export HOST=db.prod        # unquoted: to the end of the line or a comment, without the blanks around it
//! PASSWORD='lit$eral # \n'   # single quotes: exactly what stands between them
//! GREETING="two\nlines"      # double quotes: \n \r \t \" \\ \$ are escapes, every other \ stays
//! KEY="-----BEGIN …          # a quoted value may go over several lines
//! -----END …"
//! ```
//! Tools disagree on the rest, and this reader doesn't guess. It expands no variable: a `$` stays, and the caller warns
//! of it. It refuses a backtick at the start of an unquoted value, text after a closing quote, and a quote without an end. A
//! line break in a value is LF, also in a file with CRLF. [`super::env_file`] reads the same files as kubectl does.
//!
//! Invariants: no error repeats a value. Values live in memory that is wiped.

use seal_crds::{ItemName, Plaintext, Reason};
use zeroize::Zeroizing;

use crate::talk::failure::{Explain, Rule};

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DotenvError {
    #[error("this line isn't KEY=VALUE")]
    NoValue,
    /// The message doesn't repeat the key, because the line may be a part of a private key.
    #[error("the text before = isn't a Secret key (a-z, A-Z, 0-9, '-', '_' and '.')")]
    Key,
    #[error("item {0} is there twice")]
    Duplicate(ItemName),
    #[error("the quote that opens the value of {0} has no end")]
    Unclosed(ItemName),
    #[error("there is text after the closing quote of {0}")]
    AfterQuote(ItemName),
    #[error(
        "the value of {0} begins with a backtick, which some tools take for a command, and others for a quote"
    )]
    Backtick(ItemName),
}

impl Explain for DotenvError {
    fn rule(&self) -> Rule {
        match self {
            Self::Key => Rule::Refused(Reason::InvalidName),
            _ => Rule::Refused(Reason::Malformed),
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NoValue => "an empty value is KEY=; a value over several lines needs quotes".to_owned(),
            Self::Unclosed(_) => {
                "close it; a value with a single quote in it goes into double quotes, and the other way round"
                    .to_owned()
            }
            Self::AfterQuote(_) => "put the whole value into one pair of quotes".to_owned(),
            Self::Backtick(_) => "put the value into single quotes".to_owned(),
            Self::Key | Self::Duplicate(_) => return None,
        })
    }
}

/// One item of the file.
pub(crate) struct DotenvItem {
    pub(crate) item: ItemName,
    pub(crate) value: Plaintext,
    /// Whether other tools would expand a variable in the value.
    pub(crate) has_variable: bool,
}

/// The items of a text, or the first error with the byte offset of the line, or quote, that it is about.
pub(crate) fn parse(text: &str) -> Result<Vec<DotenvItem>, (DotenvError, usize)> {
    let mut items: Vec<DotenvItem> = Vec::new();
    let mut reader =
        Reader { text, at: if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 } };
    while let Some((found, start)) = reader.next_item()? {
        if items.iter().any(|known| known.item == found.item) {
            return Err((DotenvError::Duplicate(found.item), start));
        }
        items.push(found);
    }
    Ok(items)
}

struct Reader<'t> {
    text: &'t str,
    /// The byte offset of the text that isn't read yet.
    at: usize,
}

/// A value, and whether other tools would expand a variable in it.
struct Value {
    bytes: Zeroizing<Vec<u8>>,
    has_variable: bool,
}

impl<'t> Reader<'t> {
    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    /// The text up to the end of the line.
    fn line(&self) -> &'t str {
        let rest = self.rest();
        let line = rest.find('\n').map_or(rest, |end| &rest[..end]);
        line.strip_suffix('\r').unwrap_or(line)
    }

    fn skip_line(&mut self) {
        self.at = self.rest().find('\n').map_or(self.text.len(), |end| self.at + end + 1);
    }

    fn skip_blanks(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start_matches([' ', '\t']).len();
    }

    /// Reads the next item, past blank lines and comments, and gives the byte offset at which it begins.
    fn next_item(&mut self) -> Result<Option<(DotenvItem, usize)>, (DotenvError, usize)> {
        loop {
            self.skip_blanks();
            let line = self.line();
            if self.at == self.text.len() {
                return Ok(None);
            }
            if !line.is_empty() && !line.starts_with('#') {
                break;
            }
            self.skip_line();
        }
        let (start, line) = (self.at, self.line());
        let (key, _) = line.split_once('=').ok_or((DotenvError::NoValue, start))?;
        self.at += key.len() + 1;
        let name = key.strip_prefix("export").filter(|rest| rest.starts_with([' ', '\t'])).unwrap_or(key);
        let item: ItemName = name.trim_matches([' ', '\t']).parse().map_err(|_| (DotenvError::Key, start))?;
        self.skip_blanks();
        let value = match self.rest().chars().next() {
            Some(quote @ ('"' | '\'')) => self.quoted(&item, quote)?,
            Some('`') => return Err((DotenvError::Backtick(item), self.at)),
            _ => self.unquoted(),
        };
        self.skip_line();
        let found =
            DotenvItem { item, value: Plaintext::from(value.bytes), has_variable: value.has_variable };
        Ok(Some((found, start)))
    }

    /// A value up to the end of the line, or up to a comment. A `#` inside a word is no comment.
    fn unquoted(&mut self) -> Value {
        let line = self.line();
        let is_comment = |at: &usize| {
            line[*at..].starts_with('#')
                && line[..*at].chars().next_back().is_none_or(|c| c == ' ' || c == '\t')
        };
        let end = line.char_indices().map(|(at, _)| at).find(is_comment).unwrap_or(line.len());
        let value = line[..end].trim_end_matches([' ', '\t']);
        Value { bytes: Zeroizing::new(value.as_bytes().to_vec()), has_variable: has_variable(value) }
    }

    fn quoted(&mut self, item: &ItemName, quote: char) -> Result<Value, (DotenvError, usize)> {
        let open = self.at;
        let body = &self.text[open + 1..];
        let length = end_of_quoted(body, quote).ok_or_else(|| (DotenvError::Unclosed(item.clone()), open))?;
        self.at = open + 1 + length + 1;
        self.skip_blanks();
        let rest = self.line();
        if !rest.is_empty() && !rest.starts_with('#') {
            return Err((DotenvError::AfterQuote(item.clone()), self.at));
        }
        let body = &body[..length];
        let is_double = quote == '"';
        Ok(Value { bytes: unescaped(body, is_double), has_variable: is_double && has_variable(body) })
    }
}

/// The length of a quoted text up to its closing quote. In double quotes a backslash protects the next character.
fn end_of_quoted(body: &str, quote: char) -> Option<usize> {
    let mut is_protected = false;
    body.char_indices().find_map(|(at, c)| {
        if is_protected {
            is_protected = false;
            return None;
        }
        is_protected = quote == '"' && c == '\\';
        (c == quote).then_some(at)
    })
}

/// The bytes of a quoted text. They are never more than the text, so the buffer doesn't grow.
fn unescaped(body: &str, is_double: bool) -> Zeroizing<Vec<u8>> {
    let mut out = Zeroizing::new(Vec::with_capacity(body.len()));
    let mut bytes = body.bytes().peekable();
    while let Some(byte) = bytes.next() {
        let next = bytes.peek().copied();
        let escaped = match next {
            Some(b'n') => Some(b'\n'),
            Some(b'r') => Some(b'\r'),
            Some(b't') => Some(b'\t'),
            Some(same @ (b'"' | b'\\' | b'$')) => Some(same),
            _ => None,
        };
        match (byte, escaped) {
            (b'\\', Some(meant)) if is_double => {
                bytes.next();
                out.push(meant);
            }
            // The line break of a file with CRLF.
            (b'\r', _) if next == Some(b'\n') => {}
            _ => out.push(byte),
        }
    }
    out
}

/// Whether a text has a `$` that a shell, or docker compose, would expand.
fn has_variable(text: &str) -> bool {
    let mut is_protected = false;
    text.bytes().zip(text.bytes().skip(1)).any(|(byte, next)| {
        let was_protected = is_protected;
        is_protected = byte == b'\\' && !was_protected;
        byte == b'$' && !was_protected && (next.is_ascii_alphabetic() || matches!(next, b'_' | b'{' | b'('))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(text: &str) -> Vec<(String, String)> {
        let items = parse(text).map_err(|(error, at)| format!("{error} at {at}")).ok().unwrap();
        let text = |value: &Plaintext| String::from_utf8(value.expose().to_vec()).unwrap();
        items.iter().map(|found| (found.item.to_string(), text(&found.value))).collect()
    }

    fn value(text: &str) -> String {
        let mut found = values(text);
        assert_eq!(found.len(), 1, "{text}");
        found.remove(0).1
    }

    fn error(text: &str) -> (DotenvError, usize) {
        parse(text).err().unwrap()
    }

    #[test]
    fn every_form_of_a_line_is_read() {
        let text = "\u{feff}# comment\nA=1\n\n  export B = two words \nC=\nD='x=y'\nexport\tE=\"z\" # why\n_f.g-h=ü\n\
                    exported=no keyword\nempty=# nothing\nlast='end'";
        let expected = [
            ("A", "1"),
            ("B", "two words"),
            ("C", ""),
            ("D", "x=y"),
            ("E", "z"),
            ("_f.g-h", "ü"),
            ("exported", "no keyword"),
            ("empty", ""),
            ("last", "end"),
        ];
        let found = values(text);
        assert_eq!(found, expected.map(|(key, value)| (key.to_owned(), value.to_owned())));
        assert_eq!(values(&text.replace('\n', "\r\n")), found, "CRLF means the same");
    }

    #[test]
    fn a_hash_is_a_comment_only_after_a_blank() {
        assert_eq!(value("A=pass#word"), "pass#word");
        assert_eq!(value("A=pass #word"), "pass");
        assert_eq!(value("A='pass #word'  # note"), "pass #word");
    }

    #[test]
    fn quotes_decide_what_a_backslash_is() {
        assert_eq!(value(r#"A="a\nb\t\"c\" \\ \$HOME C:\dir""#), "a\nb\t\"c\" \\ $HOME C:\\dir");
        assert_eq!(value(r"A='a\nb \'"), r"a\nb \");
        assert_eq!(value(r"A=a\nb"), r"a\nb");
        assert_eq!(value(r#"A="it's""#), "it's");
        assert_eq!(value(r#"A="ends with \\""#), "ends with \\");
    }

    #[test]
    fn a_quoted_value_goes_over_several_lines() {
        for quote in ['"', '\''] {
            let text = format!("A={quote}-----BEGIN\nx=1\n# no comment\n-----END\n{quote}\nB=2\n");
            let found = values(&text);
            assert_eq!(found[0].1, "-----BEGIN\nx=1\n# no comment\n-----END\n");
            assert_eq!(found[1].1, "2");
            assert_eq!(values(&text.replace('\n', "\r\n")), found);
        }
    }

    #[test]
    fn nothing_is_expanded_and_what_others_would_expand_is_told() {
        let told = |text: &str| parse(text).ok().unwrap()[0].has_variable;
        for text in ["A=pa$word", "A=\"${HOME}\"", "A=$(id)", "A=\"\\\\$x\""] {
            assert!(told(text), "{text}");
        }
        assert_eq!(value("A=pa$word"), "pa$word");
        for text in ["A='$HOME'", "A=\"\\$HOME\"", "A=5$", "A=$1.50", "A=$$"] {
            assert!(!told(text), "{text}");
        }
    }

    #[test]
    fn what_tools_read_in_different_ways_is_refused_at_its_place_and_never_shown() {
        let item = || "B".parse().unwrap();
        for (text, expected, at) in [
            ("A=1\nhunter2\n", DotenvError::NoValue, 4),
            ("A=1\nhunter 2=x\n", DotenvError::Key, 4),
            ("A=1\nB='x\ny\n", DotenvError::Unclosed(item()), 6),
            ("B=\"x\\\"", DotenvError::Unclosed(item()), 2),
            ("B=\"x\"y\n", DotenvError::AfterQuote(item()), 5),
            ("B=`id`\n", DotenvError::Backtick(item()), 2),
            ("B=1\nC=\nB=2\n", DotenvError::Duplicate(item()), 7),
            ("B=1\nB='2\n3'", DotenvError::Duplicate(item()), 4),
            ("export B", DotenvError::NoValue, 0),
            ("=x", DotenvError::Key, 0),
        ] {
            let (found, place) = error(text);
            assert_eq!((&found, place), (&expected, at), "{text}");
            assert!(!found.to_string().contains("hunter"), "{found}");
        }
    }

    /// Quotes that never end cost no more than their length.
    #[test]
    fn a_hostile_file_is_read_once() {
        let text = format!("A='{}", "a=\"\\\n".repeat(1_000_000));
        let (found, _) = crate::cost::within(10, || error(&text));
        assert!(matches!(found, DotenvError::Unclosed(_)));
    }
}
