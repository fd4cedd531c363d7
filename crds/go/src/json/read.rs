//! JSON as Go's `json.Unmarshal` reads it into an `any`.
//!
//! `serde_json` can't stand in: it keeps texts in types that aren't wiped, needs UTF-8, and parses floats by other
//! rules. Invariant: reading never nests deeper than [`MAX_DEPTH`].

use std::collections::BTreeMap;

use crate::Buffer;
use crate::unicode::{REPLACEMENT, runes};
use crate::value::{Text, Value};

/// The number of levels that JSON may have; deeper JSON reads as malformed. Go allows 10,000.
const MAX_DEPTH: usize = 64;

/// The value that Go's `json.Unmarshal` makes of a text; `None` for a malformed text.
pub(crate) fn read(text: &[u8]) -> Option<Value> {
    Reader::new(text).document()
}

/// `true` if Go's `json.Unmarshal` makes a `map[string]any` of the text. Go accepts `null` there too; this doesn't.
pub(crate) fn is_object(text: &[u8]) -> bool {
    let mut reader = Reader::new(text);
    matches!(reader.document(), Some(Value::Map(..))) && !reader.overflows
}

struct Reader<'t> {
    rest: &'t [u8],
    depth: usize,
    /// `true` once a number was too large for a float. Go reports that error after it has read everything.
    overflows: bool,
}

impl<'t> Reader<'t> {
    fn new(text: &'t [u8]) -> Self {
        Self { rest: text, depth: 0, overflows: false }
    }

    fn document(&mut self) -> Option<Value> {
        let value = self.value()?;
        self.space();
        self.rest.is_empty().then_some(value)
    }

    fn space(&mut self) {
        while let [b' ' | b'\t' | b'\r' | b'\n', rest @ ..] = self.rest {
            self.rest = rest;
        }
    }

    fn eat(&mut self, text: &[u8]) -> bool {
        match self.rest.strip_prefix(text) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn value(&mut self) -> Option<Value> {
        self.space();
        match self.rest.first()? {
            b'"' => Some(Value::Text(self.string()?)),
            b'{' | b'[' => {
                self.depth += 1;
                if self.depth > MAX_DEPTH {
                    return None;
                }
                let value = if self.rest[0] == b'{' { self.object() } else { self.array() };
                self.depth -= 1;
                value
            }
            b'n' => self.eat(b"null").then_some(Value::Nil),
            b't' => self.eat(b"true").then_some(Value::Bool(true)),
            b'f' => self.eat(b"false").then_some(Value::Bool(false)),
            _ => self.number(),
        }
    }

    fn object(&mut self) -> Option<Value> {
        self.eat(b"{");
        let mut items = BTreeMap::new();
        self.space();
        if self.eat(b"}") {
            return Some(Value::map(items));
        }
        loop {
            self.space();
            let key = self.string()?;
            self.space();
            if !self.eat(b":") {
                return None;
            }
            let value = self.value()?;
            items.insert(key, value);
            self.space();
            if self.eat(b"}") {
                return Some(Value::map(items));
            }
            if !self.eat(b",") {
                return None;
            }
        }
    }

    fn array(&mut self) -> Option<Value> {
        self.eat(b"[");
        let mut items = Vec::new();
        self.space();
        if self.eat(b"]") {
            return Some(Value::list(items));
        }
        loop {
            items.push(self.value()?);
            self.space();
            if self.eat(b"]") {
                return Some(Value::list(items));
            }
            if !self.eat(b",") {
                return None;
            }
        }
    }

    fn number(&mut self) -> Option<Value> {
        let start = self.rest;
        self.eat(b"-");
        match self.rest {
            [b'0', rest @ ..] => self.rest = rest,
            _ => self.digits()?,
        }
        if self.eat(b".") {
            self.digits()?;
        }
        if self.eat(b"e") || self.eat(b"E") {
            _ = self.eat(b"+") || self.eat(b"-");
            self.digits()?;
        }
        let text = std::str::from_utf8(&start[..start.len() - self.rest.len()]).ok()?;
        let float: f64 = text.parse().ok()?;
        // Go notes that the number doesn't fit, reads on, and leaves nil in its place.
        self.overflows |= !float.is_finite();
        Some(if float.is_finite() { Value::Float(float) } else { Value::Nil })
    }

    fn digits(&mut self) -> Option<()> {
        let len = self.rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.rest = &self.rest[len..];
        (len > 0).then_some(())
    }

    fn string(&mut self) -> Option<Text> {
        if !self.eat(b"\"") {
            return None;
        }
        let mut out = Buffer::default();
        loop {
            let plain = self.rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20))?;
            let (text, rest) = self.rest.split_at(plain);
            runes(text).for_each(|rune| out.push_char(rune.value()));
            self.rest = &rest[1..];
            match rest[0] {
                b'"' => return Some(out.into()),
                b'\\' => self.escape(&mut out)?,
                _ => return None,
            }
        }
    }

    fn escape(&mut self, out: &mut Buffer) -> Option<()> {
        let (escape, rest) = self.rest.split_first()?;
        self.rest = rest;
        match escape {
            b'"' | b'\\' | b'/' => out.push(*escape),
            b'b' => out.push(8),
            b'f' => out.push(12),
            b'n' => out.push(b'\n'),
            b'r' => out.push(b'\r'),
            b't' => out.push(b'\t'),
            b'u' => {
                let unit = self.unit()?;
                if !(0xd800..0xdc00).contains(&unit) {
                    out.push_char(char::from_u32(unit).unwrap_or(REPLACEMENT));
                    return Some(());
                }
                // Half of a surrogate pair alone is replaced; the text behind it is read as usual.
                let before = self.rest;
                let low = if self.eat(b"\\u") { self.unit()? } else { 0 };
                if (0xdc00..0xe000).contains(&low) {
                    let pair = 0x1_0000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
                    out.push_char(char::from_u32(pair).unwrap_or(REPLACEMENT));
                } else {
                    out.push_char(REPLACEMENT);
                    self.rest = before;
                }
            }
            _ => return None,
        }
        Some(())
    }

    fn unit(&mut self) -> Option<u32> {
        let digits = self.rest.get(..4).filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))?;
        self.rest = &self.rest[4..];
        u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The answers of Go's `json.Unmarshal` into a `map[string]any`, but for `null` and for more than 64 levels.
    #[test]
    fn an_object_is_what_the_api_server_takes_for_one() {
        let nested = |depth: usize| format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth));
        for text in [
            "{}",
            " \t\r\n{\"a\": 1} \n",
            "{\"a\": 1, \"a\": [2, -0.5e-7, 1e308, true, null]}",
            "{\"\\ud800\": \"\\u00e9\\/\u{7f}\u{2028}\"}",
            &nested(64),
        ] {
            assert!(is_object(text.as_bytes()), "{text}");
        }
        assert!(is_object(b"{\"a\": \"\xff\xfe\"}"), "Go replaces what isn't UTF-8");
        for text in [
            "",
            "null",
            "[]",
            "\"{}\"",
            "{} {}",
            "{\"a\": 1e309}",
            "{\"a\": -1e999, \"b\": 1}",
            "{\"a\": 01}",
            "{\"a\": .5}",
            "{\"a\": 1.}",
            "{\"a\": \"\n\"}",
            "{\"a\": \"\\x01\"}",
            "{\"a\": \"\\u00g0\"}",
            "{\"a\": 1,}",
            "{a: 1}",
            "{\"a\": NaN}",
            "\u{feff}{}",
            "\u{a0}{}",
            &nested(65),
        ] {
            assert!(!is_object(text.as_bytes()), "{text}");
        }
    }
}
