//! Texts as YAML scalars, in the form that `yaml.v2` chooses: plain, in quotes, or as a block of lines.
//!
//! Invariant: what comes out is one scalar, whatever the text is.

use super::resolve::would_be_something_else;
use crate::Buffer;
use crate::template::unicode::runes;

/// The ends of lines that YAML 1.1 knows, but for those that are folded or always escaped.
pub(super) fn is_break(char: char) -> bool {
    matches!(char, '\n' | '\u{2028}' | '\u{2029}')
}

pub(super) fn scalar(out: &mut Buffer, text: &[u8], indent: usize, is_key: bool) {
    let form = Form::of(text);
    if text.contains(&b'\n') {
        if form.literal && !is_key { literal_block(out, text, indent) } else { double_quoted(out, text) }
    } else if would_be_something_else(text) {
        double_quoted(out, text);
    } else if form.plain {
        runes(text).for_each(|rune| out.push_char(rune.value()));
    } else if form.single {
        out.push(b'\'');
        let mut after_break = false;
        for rune in runes(text) {
            let char = rune.value();
            if after_break && !is_break(char) {
                out.repeat(b' ', indent);
            }
            after_break = is_break(char);
            out.push_char(char);
            if char == '\'' {
                out.push(b'\'');
            }
        }
        out.push(b'\'');
    } else {
        double_quoted(out, text);
    }
}

/// Which forms a text can be written in.
struct Form {
    plain: bool,
    single: bool,
    literal: bool,
}

impl Form {
    fn of(text: &[u8]) -> Self {
        let chars = || runes(text).map(|rune| rune.value());
        let is_special =
            |char: char| char != '\n' && (char < ' ' || char == '\u{feff}' || u32::from(char) > 0xffff);
        let special = chars().any(is_special);
        let next_is_blank = |next: Option<char>| matches!(next, None | Some(' ' | '\t'));
        let mut indicators = text.starts_with(b"---") || text.starts_with(b"...");
        let (mut space_break, mut break_space) = (false, false);
        let mut before = None;
        let mut rest = chars().peekable();
        while let Some(char) = rest.next() {
            let next = rest.peek().copied();
            indicators |= match (char, before) {
                (
                    '#' | ',' | '[' | ']' | '{' | '}' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%' | '@'
                    | '`',
                    None,
                ) => true,
                ('?' | '-', None) | (':', _) => next_is_blank(next),
                ('#', Some(before)) => matches!(before, ' ' | '\t') || is_break(before),
                _ => false,
            };
            space_break |= before == Some(' ') && is_break(char);
            break_space |= before.is_some_and(is_break) && char == ' ';
            before = Some(char);
        }
        let edges = |char: Option<char>| char.is_some_and(|char| char == ' ' || is_break(char));
        let at_edges = edges(chars().next()) || edges(before);
        let broken = space_break || special;
        Self {
            plain: !(indicators || at_edges || break_space || broken || chars().any(is_break)),
            single: !(break_space || broken),
            literal: !(broken || text.ends_with(b" ")),
        }
    }
}

fn double_quoted(out: &mut Buffer, text: &[u8]) {
    // The emitter takes every character for a byte order mark if the first is one, and escapes it.
    let escapes_all = text.starts_with("\u{feff}".as_bytes());
    out.push(b'"');
    for rune in runes(text) {
        let char = rune.value();
        let value = u32::from(char);
        let escape = match char {
            '\0' => b'0',
            '\u{7}' => b'a',
            '\u{8}' => b'b',
            '\t' => b't',
            '\n' => b'n',
            '\u{b}' => b'v',
            '\u{c}' => b'f',
            '\r' => b'r',
            '\u{1b}' => b'e',
            '"' => b'"',
            '\\' => b'\\',
            '\u{a0}' if escapes_all => b'_',
            '\u{2028}' => b'L',
            '\u{2029}' => b'P',
            _ => 0,
        };
        if escape != 0 {
            out.extend(&[b'\\', escape]);
        } else if value < 0x20 || (escapes_all && value <= 0xff) {
            out.extend(format!("\\x{value:02X}").as_bytes());
        } else if char == '\u{feff}' || (escapes_all && value <= 0xffff) {
            out.extend(format!("\\u{value:04X}").as_bytes());
        } else if value > 0xffff {
            out.extend(format!("\\U{value:08X}").as_bytes());
        } else {
            out.push_char(char);
        }
    }
    out.push(b'"');
}

fn literal_block(out: &mut Buffer, text: &[u8], indent: usize) {
    let chars = || runes(text).map(|rune| rune.value());
    out.push(b'|');
    if chars().next().is_some_and(|char| char == ' ' || is_break(char)) {
        out.push(b'2');
    }
    let breaks_at_end = chars().fold(0, |count, char| if is_break(char) { count + 1 } else { 0 });
    if breaks_at_end == 0 {
        out.push(b'-');
    } else if breaks_at_end > 1 || chars().count() == 1 {
        out.push(b'+');
    }
    out.push(b'\n');
    let mut after_break = true;
    for char in chars() {
        if after_break && !is_break(char) {
            out.repeat(b' ', indent);
        }
        after_break = is_break(char);
        out.push_char(char);
    }
}
