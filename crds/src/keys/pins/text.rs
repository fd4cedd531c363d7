//! The text of a file of pins with marks raised in it.
//!
//! Invariants: every byte stays that isn't part of a marked line that rises, and no marked line is dropped or lowered.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::{Fingerprint, Mark, Marked, Pins, PinsError, parse_line};
use crate::keys::without_byte_order_mark;

/// A line of the file with its end, and the key that it marks.
struct Line<'t> {
    text: Cow<'t, str>,
    marks: Option<(Fingerprint, Mark)>,
}

/// The text of a file with these marks added to it. A mark that the file already has, or has a higher one of, changes
/// nothing.
///
/// A mark that rises takes the place of its old line. A new one goes before the first marked line with a greater
/// fingerprint, else after the last marked line, else to the end of the file after a blank line.
///
/// # Errors
///
/// The text isn't a file of pins.
pub fn raise(text: &str, marks: &BTreeMap<Fingerprint, Marked>) -> Result<String, PinsError> {
    let pins = Pins::parse(text)?;
    // The byte order mark stays in front, whatever the first line becomes.
    let (first, rest) = text.split_at(text.len() - without_byte_order_mark(text).len());
    let mut lines: Vec<Line<'_>> = rest.split_inclusive('\n').map(read).collect();
    for (fingerprint, marked) in marks {
        let known = pins.marked(fingerprint).map(|known| known.mark);
        if known.is_some_and(|known| known >= marked.mark) {
            continue;
        }
        let line = marked.line(fingerprint);
        let marks = Some((*fingerprint, marked.mark));
        if let Some(old) = lines.iter_mut().find(|line| line.key() == Some(fingerprint)) {
            let end = &old.text[old.text.trim_end_matches(['\r', '\n']).len()..];
            *old = Line { text: format!("{line}{end}").into(), marks };
            continue;
        }
        let greater = lines.iter().position(|line| line.key().is_some_and(|key| key > fingerprint));
        let after_last = lines.iter().rposition(|line| line.marks.is_some()).map(|last| last + 1);
        let at = greater.or(after_last).unwrap_or(lines.len());
        if let Some(before) = at.checked_sub(1).and_then(|before| lines.get_mut(before)) {
            end_line(before, greater.is_none() && after_last.is_none());
        }
        lines.insert(at, Line { text: format!("{line}\n").into(), marks });
    }
    Ok(std::iter::once(first).chain(lines.iter().map(|line| &*line.text)).collect())
}

/// Makes sure that a line of text may follow. The first marked line of a file stands after a blank line.
fn end_line(line: &mut Line<'_>, is_before_first: bool) {
    let is_blank = line.text.trim().is_empty();
    if !line.text.ends_with('\n') {
        line.text.to_mut().push('\n');
    }
    if is_before_first && !is_blank {
        line.text.to_mut().push('\n');
    }
}

fn read(text: &str) -> Line<'_> {
    let line = text.strip_suffix('\n').unwrap_or(text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    // The whole file was parsed, so no line is malformed.
    let marks = parse_line(line).ok().flatten().map(|(fingerprint, marked)| (fingerprint, marked.mark));
    Line { text: text.into(), marks }
}

impl Line<'_> {
    fn key(&self) -> Option<&Fingerprint> {
        self.marks.as_ref().map(|(fingerprint, _)| fingerprint)
    }
}
