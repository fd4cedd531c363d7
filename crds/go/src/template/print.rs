//! Values as text, as Go's `fmt` prints them: one value with one verb.
//!
//! Format strings are in [`format`](self::format). Pointers (`%p` of lists and maps), the binary and hexadecimal
//! forms of floats, and `#` for floats are not supported. Invariant: with `%v` and no flags, a text has at most the
//! size that [`measure`](super::bound::measure) says.

use crate::Buffer;
use crate::strconv::{can_backquote, quote};
use crate::unicode::runes;
use crate::value::{Kind, Value};

pub(super) mod format;
mod number;

/// The flags, width and precision between the percent sign and the verb.
#[derive(Clone, Copy, Default)]
pub(super) struct Flags {
    pub(super) plus: bool,
    pub(super) minus: bool,
    pub(super) sharp: bool,
    pub(super) space: bool,
    pub(super) zero: bool,
    /// `%#v`: as Go source.
    pub(super) source: bool,
    pub(super) width: Option<usize>,
    pub(super) precision: Option<usize>,
}

/// A verb that isn't supported for an argument's type.
pub(super) struct Unsupported;

type Printed = Result<(), Unsupported>;

/// Prints a value as a template prints the value of an action.
pub(super) fn print_into(out: &mut Buffer, value: &Value) {
    match value {
        Value::Missing => out.extend(b"<no value>"),
        value => print_argument_into(out, value),
    }
}

/// Prints a value as `fmt.Sprint` prints one argument: nil and "no value" are `<nil>` there.
pub(super) fn print_argument_into(out: &mut Buffer, value: &Value) {
    // `%v` is supported for every value.
    _ = Printer { out, flags: Flags::default() }.argument(value, 'v');
}

/// Go's `fmt.Sprint`: a space between two arguments unless one of them is a string.
pub(super) fn sprint(values: &[Value]) -> Buffer {
    let mut out = Buffer::default();
    let mut last_is_text = true;
    for value in values {
        let is_text = matches!(value, Value::Text(_));
        if !is_text && !last_is_text {
            out.push(b' ');
        }
        print_argument_into(&mut out, value);
        last_is_text = is_text;
    }
    out
}

/// Go's `fmt.Sprintln`.
pub(super) fn sprintln(values: &[Value]) -> Buffer {
    let mut out = Buffer::default();
    for (at, value) in values.iter().enumerate() {
        if at > 0 {
            out.push(b' ');
        }
        print_argument_into(&mut out, value);
    }
    out.push(b'\n');
    out
}

pub(super) struct Printer<'o> {
    pub(super) out: &'o mut Buffer,
    pub(super) flags: Flags,
}

impl Printer<'_> {
    pub(super) fn argument(&mut self, value: &Value, verb: char) -> Printed {
        match (value, verb) {
            (Value::Missing | Value::Nil, 'T' | 'v') => self.pad(b"<nil>"),
            (Value::Missing | Value::Nil, _) => {
                self.bad_verb_start(verb);
                self.out.extend(b"<nil>)");
            }
            (value, 'T') => self.truncated(value.kind().type_name().as_bytes()),
            (Value::List(..) | Value::Map(..), 'p') => return Err(Unsupported),
            // %w is for errors, of which there are none.
            (value, 'p' | 'w') => return self.bad_verb(value, verb),
            (value, _) => return self.value(value, verb),
        }
        Ok(())
    }

    fn value(&mut self, value: &Value, verb: char) -> Printed {
        match value {
            Value::Missing | Value::Nil if self.flags.source => self.out.extend(b"interface {}(nil)"),
            Value::Missing | Value::Nil => self.out.extend(b"<nil>"),
            Value::Bool(value) if matches!(verb, 't' | 'v') => {
                self.pad(if *value { b"true" } else { b"false" });
            }
            Value::Int(width, int) => return self.integer(value, *width, *int, verb),
            Value::Float(float) => return self.float(value, *float, verb),
            Value::Text(text) => match verb {
                'v' if self.flags.source => self.quoted(text.bytes()),
                'v' | 's' => self.truncated(text.bytes()),
                'x' | 'X' => self.hex(text.bytes(), verb == 'X'),
                'q' => self.quoted(text.bytes()),
                _ => return self.bad_verb(value, verb),
            },
            Value::List(_, items) => {
                let (open, between, close): (&[u8], &[u8], u8) = match self.flags.source {
                    true => (b"{", b", ", b'}'),
                    false => (b"[", b" ", b']'),
                };
                self.type_in_source(value);
                self.out.extend(open);
                for (at, item) in items.iter().enumerate() {
                    if at > 0 {
                        self.out.extend(between);
                    }
                    self.element(item, verb);
                }
                self.out.push(close);
            }
            Value::Map(_, items) => {
                let (open, between, close): (&[u8], &[u8], u8) = match self.flags.source {
                    true => (b"{", b", ", b'}'),
                    false => (b"map[", b" ", b']'),
                };
                self.type_in_source(value);
                self.out.extend(open);
                for (at, (key, item)) in items.iter().enumerate() {
                    if at > 0 {
                        self.out.extend(between);
                    }
                    self.value(&Value::Text(key.clone()), verb)?;
                    self.out.push(b':');
                    self.element(item, verb);
                }
                self.out.push(close);
            }
            Value::Bool(_) => return self.bad_verb(value, verb),
        }
        Ok(())
    }

    /// Prints an element of a list. The type of an element may depend on an item, so an unsupported verb must not be an
    /// error here: the element is printed as Go prints a wrong verb.
    fn element(&mut self, item: &Value, verb: char) {
        let before = self.flags;
        if self.value(item, verb).is_err() {
            self.flags.sharp = false;
            _ = self.bad_verb(item, verb);
        }
        self.flags = before;
    }

    fn type_in_source(&mut self, value: &Value) {
        if self.flags.source {
            self.out.extend(value.kind().type_name().as_bytes());
        }
    }

    fn bad_verb_start(&mut self, verb: char) {
        self.out.extend(b"%!");
        self.out.push_char(verb);
        self.out.push(b'(');
    }

    fn bad_verb(&mut self, value: &Value, verb: char) -> Printed {
        self.bad_verb_start(verb);
        self.out.extend(value.kind().type_name().as_bytes());
        self.out.push(b'=');
        self.value(value, 'v')?;
        self.out.push(b')');
        Ok(())
    }

    pub(super) fn pad(&mut self, text: &[u8]) {
        let width = self.flags.width.unwrap_or(0);
        // The characters are counted only if there is a width to fill.
        let missing = if width == 0 { 0 } else { width.saturating_sub(runes(text).count()) };
        let fill = if self.flags.zero && !self.flags.minus { b'0' } else { b' ' };
        if self.flags.minus {
            self.out.extend(text);
            self.out.repeat(fill, missing);
        } else {
            self.out.repeat(fill, missing);
            self.out.extend(text);
        }
    }

    fn pad_with_spaces(&mut self, text: &[u8]) {
        let zero = std::mem::take(&mut self.flags.zero);
        self.pad(text);
        self.flags.zero = zero;
    }

    /// The text, cut to as many characters as the precision says.
    fn cut<'t>(&self, text: &'t [u8]) -> &'t [u8] {
        match self.flags.precision {
            Some(precision) => &text[..runes(text).take(precision).map(|rune| rune.bytes.len()).sum()],
            None => text,
        }
    }

    fn truncated(&mut self, text: &[u8]) {
        self.pad(self.cut(text));
    }

    fn quoted(&mut self, text: &[u8]) {
        let text = self.cut(text);
        if self.flags.sharp && can_backquote(text) {
            let mut quoted = Buffer::with_capacity(text.len() + 2);
            quoted.push(b'`');
            quoted.extend(text);
            quoted.push(b'`');
            self.pad(quoted.bytes());
        } else {
            self.pad(quote(text, self.flags.plus).bytes());
        }
    }

    fn hex(&mut self, text: &[u8], upper: bool) {
        let digits: &[u8; 17] = if upper { b"0123456789ABCDEFX" } else { b"0123456789abcdefx" };
        let text = &text[..text.len().min(self.flags.precision.unwrap_or(usize::MAX))];
        let mut out = Buffer::with_capacity(text.len() * 2);
        for (at, byte) in text.iter().enumerate() {
            if self.flags.space && at > 0 {
                out.push(b' ');
            }
            if self.flags.sharp && (self.flags.space || at == 0) {
                out.extend(&[b'0', digits[16]]);
            }
            out.extend(&[digits[usize::from(byte >> 4)], digits[usize::from(byte & 15)]]);
        }
        self.pad(out.bytes());
    }
}

/// Go's name of the type of a value.
pub(super) fn type_name(value: &Value) -> &'static str {
    Kind::type_name(value.kind())
}
