//! Entries of flow collections: where they end, and what goes with them.
//!
//! KYAML and JSON give each entry a line, with comments between them. Invariant: a comment that stands above an entry, or
//! behind it, doesn't go with another one.

use std::ops::Range;

use super::{Patches, column};

impl Patches<'_> {
    /// The whole lines of an entry, with its comma; `None` if something else stands on them.
    pub(super) fn flow_lines(&self, entry: Range<usize>) -> Option<Range<usize>> {
        let start = entry.start - column(self.source, entry.start);
        let end = entry.end + self.source[entry.end..].find('\n')? + 1;
        let behind = self.source[entry.end..end].trim_start();
        let behind = behind.strip_prefix(',').unwrap_or(behind).trim_start();
        let is_alone = self.source[start..entry.start].trim().is_empty()
            && (behind.is_empty() || behind.starts_with('#'));
        is_alone.then_some(start..end)
    }

    /// An entry with what stands between it and the next one, but for lines of comments, which are about the next one.
    pub(super) fn up_to(&self, entry: Range<usize>, next: usize) -> Range<usize> {
        let between = &self.source[entry.end..next];
        match between.find('\n') {
            Some(line) if between[line..].contains('#') => {
                entry.start..entry.end + between[..line].trim_end_matches('\r').len()
            }
            _ => entry.start..next,
        }
    }

    /// Takes the last entries out, with the comma before them. `before` is the end of the entry that stays before them.
    pub(super) fn remove_tail(&mut self, before: Option<usize>, tail: Vec<Range<usize>>) {
        let (Some(first), Some(last)) = (tail.first().cloned(), tail.last().cloned()) else { return };
        let lines: Option<Vec<Range<usize>>> = tail.into_iter().map(|entry| self.flow_lines(entry)).collect();
        let comma = before.and_then(|before| {
            let between = &self.source[before..first.start];
            Some(before..before + between.find(',').filter(|at| between[..*at].trim().is_empty())? + 1)
        });
        match (lines, comma) {
            (Some(lines), Some(comma)) => {
                let has_comma = self.source[last.end..].trim_start().starts_with(',');
                let comma = (!has_comma).then_some(comma);
                self.found.extend(comma.into_iter().chain(lines).map(|range| (range, String::new())));
            }
            _ => self.found.push((before.unwrap_or(first.start)..last.end, String::new())),
        }
    }

    /// Puts entries before the one that starts here: above its comments, too, if they get lines of their own.
    pub(super) fn insert_above(&mut self, start: usize, indent: Option<&str>, comma: &str, new: Vec<String>) {
        let line = start - column(self.source, start);
        let above = indent.map(|indent| self.above_comments(line, indent.len()));
        for entry in new {
            self.found.push(match (indent, above) {
                (Some(indent), Some(above)) if above < line => (above..above, format!("{indent}{entry},\n")),
                _ => (start..start, entry + comma),
            });
        }
    }

    /// Puts entries behind the one that ends here: behind its comment, too, if they get lines of their own.
    pub(super) fn insert_behind(&mut self, end: usize, indent: Option<&str>, comma: &str, new: Vec<String>) {
        let line = end + self.source[end..].find('\n').unwrap_or(self.source.len() - end);
        let line = self.source[..line].strip_suffix('\r').map_or(line, str::len);
        let behind = self.source[end..line].trim_start();
        let has_comma = behind.starts_with(',');
        let has_comment = behind.trim_start_matches(',').trim_start().starts_with('#');
        match indent.filter(|_| has_comment) {
            Some(indent) => {
                let lines: Vec<String> = new.iter().map(|entry| format!("\n{indent}{entry}")).collect();
                let (own, last) = if has_comma { ("", ",") } else { (",", "") };
                self.found.push((end..end, own.to_owned()));
                self.found.push((line..line, lines.join(",") + last));
            }
            None => {
                let new = new.iter().map(|entry| format!("{comma}{entry}"));
                self.found.extend(new.map(|text| (end..end, text)));
            }
        }
    }
}
