//! Integers and floats, with every verb and flag of Go's `fmt`.
//!
//! Invariant: an unsupported verb is reported before any byte is written.

use super::{Printed, Printer, Unsupported};
use crate::Buffer;
use crate::strconv::quote_char;
use crate::strconv::{self, Layout};
use crate::unicode::{REPLACEMENT, is_print};
use crate::value::{Value, Width};

impl Printer<'_> {
    pub(super) fn integer(&mut self, value: &Value, width: Width, int: i64, verb: char) -> Printed {
        let digits = |base: u32, upper: bool| Digits { base, upper, prefixed: false };
        match verb {
            'v' if self.flags.source && width == Width::Byte => {
                let sharp = std::mem::replace(&mut self.flags.sharp, true);
                self.digits(int, digits(16, false));
                self.flags.sharp = sharp;
            }
            'v' | 'd' => self.digits(int, digits(10, false)),
            'b' => self.digits(int, digits(2, false)),
            'o' => self.digits(int, digits(8, false)),
            'O' => self.digits(int, Digits { prefixed: true, ..digits(8, false) }),
            'x' => self.digits(int, digits(16, false)),
            'X' => self.digits(int, digits(16, true)),
            'c' => {
                let char = u32::try_from(int).ok().and_then(char::from_u32).unwrap_or(REPLACEMENT);
                self.pad(char.encode_utf8(&mut [0; 4]).as_bytes());
            }
            'q' => self.pad(quote_char(int, self.flags.plus).bytes()),
            'U' => {
                let precision = self.flags.precision.unwrap_or(0).max(4);
                let digits = format!("{int:X}");
                let mut text = Buffer::default();
                text.extend(b"U+");
                // Rust's own widths end at 65,535, so this writes the zeros itself.
                text.repeat(b'0', precision.saturating_sub(digits.len()));
                text.extend(digits.as_bytes());
                let char = u32::try_from(int).ok().and_then(char::from_u32);
                if let Some(char) = char.filter(|char| self.flags.sharp && is_print(*char)) {
                    text.extend(format!(" '{char}'").as_bytes());
                }
                self.pad_with_spaces(text.bytes());
            }
            _ => return self.bad_verb(value, verb),
        }
        Ok(())
    }

    fn digits(&mut self, int: i64, how: Digits) {
        let flags = self.flags;
        let magnitude = int.unsigned_abs();
        if flags.precision == Some(0) && magnitude == 0 {
            self.out.repeat(b' ', flags.width.unwrap_or(0));
            return;
        }
        let signed = int < 0 || flags.plus || flags.space;
        let least = match flags.precision {
            Some(precision) => precision,
            None if flags.zero && !flags.minus => flags.width.unwrap_or(0).saturating_sub(signed.into()),
            None => 0,
        };
        let digits = match how.base {
            2 => format!("{magnitude:b}"),
            8 => format!("{magnitude:o}"),
            16 if how.upper => format!("{magnitude:X}"),
            16 => format!("{magnitude:x}"),
            _ => magnitude.to_string(),
        };
        let mut text = Buffer::with_capacity(digits.len().max(least) + 4);
        if int < 0 {
            text.push(b'-');
        } else if flags.plus {
            text.push(b'+');
        } else if flags.space {
            text.push(b' ');
        }
        let zeros = least.saturating_sub(digits.len());
        if how.prefixed {
            text.extend(b"0o");
        }
        if flags.sharp {
            match how.base {
                2 => text.extend(b"0b"),
                8 if zeros == 0 && !digits.starts_with('0') => text.push(b'0'),
                16 if how.upper => text.extend(b"0X"),
                16 => text.extend(b"0x"),
                _ => {}
            }
        }
        text.repeat(b'0', zeros);
        text.extend(digits.as_bytes());
        self.pad_with_spaces(text.bytes());
    }

    pub(super) fn float(&mut self, value: &Value, float: f64, verb: char) -> Printed {
        let (layout, precision) = match verb {
            'v' | 'g' | 'G' => (Layout::Shorter, self.flags.precision),
            'e' | 'E' => (Layout::Exponent, Some(self.flags.precision.unwrap_or(6))),
            'f' | 'F' => (Layout::Point, Some(self.flags.precision.unwrap_or(6))),
            'b' | 'x' | 'X' => return Err(Unsupported),
            _ => return self.bad_verb(value, verb),
        };
        if self.flags.sharp {
            return Err(Unsupported);
        }
        let text = strconv::format_float(float, layout, precision);
        let text = if verb.is_ascii_uppercase() && verb != 'F' { text.replace('e', "E") } else { text };
        let (sign, digits) = match text.strip_prefix(['-', '+']) {
            Some(digits) if text.starts_with('-') => (b'-', digits),
            Some(digits) => (b'+', digits),
            None => (b'+', text.as_str()),
        };
        let sign = if sign == b'+' && self.flags.space && !self.flags.plus { b' ' } else { sign };
        let is_number = float.is_finite();
        // An infinity always has its sign.
        let shown = self.flags.plus || sign != b'+' || float.is_infinite();
        let mut whole = Buffer::default();
        if shown {
            whole.push(sign);
        }
        whole.extend(digits.as_bytes());
        let width = self.flags.width.unwrap_or(0);
        if !is_number {
            self.pad_with_spaces(whole.bytes());
        } else if shown && self.flags.zero && !self.flags.minus && width > whole.len() {
            self.out.push(sign);
            self.out.repeat(b'0', width - whole.len());
            self.out.extend(digits.as_bytes());
        } else {
            self.pad(whole.bytes());
        }
        Ok(())
    }
}

struct Digits {
    base: u32,
    upper: bool,
    /// `%O`
    prefixed: bool,
}
