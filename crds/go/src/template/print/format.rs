//! Format strings: Go's `fmt.Sprintf`, and a bound on the length of its result.
//!
//! Every text is a format string in Go: the output reports arguments that don't fit (`%!d(string=x)`, `%!s(MISSING)`,
//! `%!(EXTRA int=1)`). Invariant: [`growth`] is an upper bound for [`sprintf`], for any values of the arguments.

use super::{Flags, Printer, Unsupported, type_name};
use crate::Buffer;
use crate::template::bound::Computed;
use crate::unicode::runes;
use crate::value::Value;

/// Go's own limit for widths and precisions, which it checks before it reads one more digit.
const TOO_LARGE: usize = 1_000_000;
const LARGEST: u64 = 10_000_009;

/// The most bytes of the result for a public format string and arguments of these sizes; `None` if the format string
/// isn't public.
pub(in crate::template) fn growth(arguments: &[Computed]) -> Option<u64> {
    let (format, arguments) = arguments.split_first()?;
    // This comes first, because the type of the format string may depend on an item too.
    if format.bound.secret {
        return None;
    }
    let Value::Text(text) = &format.value else {
        return Some(64);
    };
    let text = text.bytes();
    let verbs = u64::try_from(text.iter().filter(|byte| **byte == b'%').count()).ok()?;
    // Widths and precisions are numbers in the format string, or come from arguments.
    let mut fill = 0_u64;
    for number in text.split(|byte| !byte.is_ascii_digit()).filter(|number| !number.is_empty()) {
        fill = fill.max(std::str::from_utf8(number).ok()?.parse().unwrap_or(LARGEST));
    }
    if text.contains(&b'*') {
        for argument in arguments {
            fill = match &argument.value {
                _ if argument.bound.secret => LARGEST,
                Value::Int(_, int) => fill.max(int.unsigned_abs()),
                _ => fill,
            };
        }
    }
    let fill = 2 * fill.min(LARGEST);
    let plain = text.windows(2).all(|pair| pair[0] != b'%' || matches!(pair[1], b's' | b'v' | b'%' | b'd'));
    let one = |argument: &Computed| {
        let size = argument.bound.size;
        // Quoting makes at most four bytes of one; hexadecimal with a space and 0x makes at most five. A wrong verb
        // names the type of each element, and an element counts at least four bytes.
        let is_text = argument.bound.kind == Some(crate::value::Kind::Text);
        let (times, elements) = match (plain, is_text) {
            (true, true) => (1, 1),
            (false, true) => (5, 1),
            (true, false) => (1, size / 4 + 1),
            (false, false) => (8, size / 4 + 1),
        };
        // A float can have 309 digits.
        let padded = elements.saturating_mul(fill.saturating_add(if plain || is_text { 40 } else { 400 }));
        size.saturating_mul(times).saturating_add(padded)
    };
    let all = arguments.iter().map(one).fold(0, u64::saturating_add);
    // With explicit indices, every verb may print the same argument.
    let all = if text.contains(&b'[') { all.saturating_mul(verbs.max(1)) } else { all };
    let size = u64::try_from(text.len()).ok()?;
    let missing = verbs.saturating_mul(fill.saturating_add(32));
    Some(size.saturating_add(missing).saturating_add(all).saturating_add(32))
}

/// Go's `fmt.Sprintf`.
pub(in crate::template) fn sprintf(format: &[u8], arguments: &[Value]) -> Result<Buffer, Unsupported> {
    let mut out = Buffer::default();
    let mut verbs = Verbs { text: format, at: 0, argument: 0, arguments, reordered: false, good_index: true };
    while let Some(percent) = verbs.text[verbs.at..].iter().position(|byte| *byte == b'%') {
        out.extend(&verbs.text[verbs.at..verbs.at + percent]);
        verbs.at += percent + 1;
        if !verbs.verb(&mut out)? {
            break;
        }
    }
    out.extend(&verbs.text[verbs.at..]);
    if !verbs.reordered && verbs.argument < arguments.len() {
        out.extend(b"%!(EXTRA ");
        for (at, value) in arguments[verbs.argument..].iter().enumerate() {
            if at > 0 {
                out.extend(b", ");
            }
            if !matches!(value, Value::Missing | Value::Nil) {
                out.extend(type_name(value).as_bytes());
                out.push(b'=');
            }
            super::print_argument_into(&mut out, value);
        }
        out.push(b')');
    }
    Ok(out)
}

/// The progress through a format string and its arguments.
struct Verbs<'a> {
    text: &'a [u8],
    at: usize,
    argument: usize,
    arguments: &'a [Value],
    reordered: bool,
    good_index: bool,
}

impl Verbs<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    /// Prints one verb behind its percent sign; `false` if the format string ends there.
    fn verb(&mut self, out: &mut Buffer) -> Result<bool, Unsupported> {
        let mut flags = Flags::default();
        self.good_index = true;
        while let Some(byte) = self.peek() {
            match byte {
                b'#' => flags.sharp = true,
                b'0' => flags.zero = true,
                b'+' => flags.plus = true,
                b'-' => flags.minus = true,
                b' ' => flags.space = true,
                _ => break,
            }
            self.at += 1;
        }
        let mut after_index = self.index();
        if self.peek() == Some(b'*') {
            self.at += 1;
            match self.star() {
                Some(width) => {
                    flags.width = Some(usize::try_from(width.unsigned_abs()).unwrap_or(0));
                    if width < 0 {
                        flags.minus = true;
                        flags.zero = false;
                    }
                }
                None => out.extend(b"%!(BADWIDTH)"),
            }
            after_index = false;
        } else {
            flags.width = self.number();
            if after_index && flags.width.is_some() {
                self.good_index = false;
            }
        }
        if self.peek() == Some(b'.') && self.at + 1 < self.text.len() {
            self.at += 1;
            if after_index {
                self.good_index = false;
            }
            after_index = self.index();
            if self.peek() == Some(b'*') {
                self.at += 1;
                match self.star().and_then(|precision| usize::try_from(precision).ok()) {
                    Some(precision) => flags.precision = Some(precision),
                    None => out.extend(b"%!(BADPREC)"),
                }
                after_index = false;
            } else {
                flags.precision = Some(self.number().unwrap_or(0));
            }
        }
        if !after_index {
            self.index();
        }
        let Some(rune) = runes(&self.text[self.at..]).next() else {
            out.extend(b"%!(NOVERB)");
            return Ok(false);
        };
        self.at += rune.bytes.len();
        let verb = rune.value();
        let problem: &[u8] = match self.arguments.get(self.argument) {
            _ if verb == '%' => {
                out.push(b'%');
                return Ok(true);
            }
            _ if !self.good_index => b"(BADINDEX)",
            None => b"(MISSING)",
            Some(value) => {
                if matches!(verb, 'v' | 'w') {
                    flags.source = std::mem::take(&mut flags.sharp);
                    flags.plus = false;
                }
                Printer { out, flags }.argument(value, verb)?;
                self.argument += 1;
                return Ok(true);
            }
        };
        out.extend(b"%!");
        out.push_char(verb);
        out.extend(problem);
        Ok(true)
    }

    /// Reads an explicit index such as `[2]`, if there is one here.
    fn index(&mut self) -> bool {
        if self.peek() != Some(b'[') {
            return false;
        }
        self.reordered = true;
        let inside = &self.text[self.at + 1..];
        let Some(end) = inside.iter().position(|byte| *byte == b']').filter(|_| inside.len() >= 2) else {
            self.at += 1;
            self.good_index = false;
            return false;
        };
        self.at += end + 2;
        let digits = &inside[..end];
        let number = digits.iter().try_fold(0_usize, |number, byte| match byte {
            b'0'..=b'9' if number <= TOO_LARGE => Some(number * 10 + usize::from(byte - b'0')),
            _ => None,
        });
        let number = number.filter(|number| !digits.is_empty() && *number <= TOO_LARGE);
        match number.and_then(|number| number.checked_sub(1)) {
            Some(index) if index < self.arguments.len() => {
                self.argument = index;
                true
            }
            _ => {
                self.good_index = false;
                // Go accepts any number here, also one that is out of range.
                number.is_some()
            }
        }
    }

    fn number(&mut self) -> Option<usize> {
        let start = self.at;
        let mut number = 0_usize;
        while let Some(digit @ b'0'..=b'9') = self.peek() {
            if number > TOO_LARGE {
                // Go gives up on the number and takes its end for the verb.
                self.at = self.text.len();
                return None;
            }
            number = number * 10 + usize::from(digit - b'0');
            self.at += 1;
        }
        (self.at > start).then_some(number)
    }

    fn star(&mut self) -> Option<i64> {
        let value = self.arguments.get(self.argument)?;
        self.argument += 1;
        match value {
            Value::Int(_, int) if int.unsigned_abs() <= TOO_LARGE as u64 => Some(*int),
            _ => None,
        }
    }
}
