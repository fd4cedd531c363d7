//! The parts of a manifest that another program wrote, found by what the object says.
//!
//! Ciphertexts are long and occur nowhere else, so plain search finds them, and the way to their entries is short: up to
//! the name, to the end of the line, to the brace. So this is no reader of YAML, and shares nothing with the one whose
//! edits it judges. Invariant: the pieces of what is found are the text, byte for byte; what belongs to no part is fixed.

use std::ops::Range;

use super::{Part, Piece, Says, Shape};

/// A part with where it stands.
struct Span {
    at: Range<usize>,
    part: Part,
}

impl Shape {
    /// The shape of a text.
    ///
    /// # Errors
    /// If a part isn't found, or stands in a way that no tool writes.
    pub fn find(text: &str, says: &Says) -> Result<Self, String> {
        let mut spans = items(text, says)?;
        spans.extend(envelopes(text, says)?);
        // A place for new entries stands before what begins there.
        spans.sort_by_key(|span| (span.at.start, span.at.end));
        let mut pieces = Vec::new();
        let mut done = 0;
        for Span { at, part } in spans {
            let between =
                text.get(done..at.start).ok_or_else(|| format!("{part:?} overlaps another part"))?;
            pieces.push(Piece { text: between.to_owned(), part: Part::Fixed });
            pieces.push(Piece { text: text[at.clone()].to_owned(), part });
            done = at.end;
        }
        pieces.push(Piece { text: text[done..].to_owned(), part: Part::Fixed });
        Ok(Self { pieces, is_shared: text.contains("*shared") })
    }
}

fn items(text: &str, says: &Says) -> Result<Vec<Span>, String> {
    let list = Collection::find(text, "encryptedData")?;
    let mut spans = Vec::new();
    let mut entries = Vec::new();
    for (index, (name, line)) in says.items.iter().enumerate() {
        let mut values = locate_all(text, line).map(|value| token(text, value));
        let found = values.find_map(|value| Some((key_before(text, name, value.start)?, value)));
        let (key, value) = found.ok_or_else(|| format!("item {name} isn't there"))?;
        let entry = if list.is_flow { key..value.end } else { whole_lines(text, &(key..value.end)) };
        spans.push(Span { at: entry.start..value.start, part: Part::Item(index) });
        spans.push(Span { at: value.clone(), part: Part::Value(index) });
        spans.push(Span { at: value.end..entry.end, part: Part::Item(index) });
        entries.push(Span { at: entry, part: Part::Item(index) });
    }
    list.add_gaps(text, &mut entries, Part::Fixed, &mut spans);
    Ok(spans)
}

fn envelopes(text: &str, says: &Says) -> Result<Vec<Span>, String> {
    let list = Collection::find(text, "envelopes")?;
    let mut entries = Vec::new();
    for (index, envelope) in says.envelopes.iter().enumerate() {
        let age = locate_all(text, &envelope.age).next().map(|age| token(text, age));
        let age = age.ok_or_else(|| format!("envelope {index} isn't there"))?;
        let key = key_before(text, "age", age.start).ok_or("the age of an envelope stands elsewhere")?;
        let at = match unclosed_brace(text, key) {
            Some(start) => {
                let length = text[start..].find('}').and_then(|_| closing_brace(&text[start..]));
                let braces = start..start + length.ok_or("an envelope has no end")?;
                if list.is_flow { braces } else { whole_lines(text, &braces) }
            }
            None => block_entry(text, key, age.end)?,
        };
        entries.push(Span { at, part: Part::Envelope(index) });
    }
    let mut spans = Vec::new();
    list.add_gaps(text, &mut entries, Part::Between, &mut spans);
    spans.extend(entries);
    Ok(spans)
}

/// A mapping or sequence whose entries are parts.
struct Collection {
    /// After the bracket, or after the line of the key.
    start: usize,
    is_flow: bool,
}

impl Collection {
    fn find(text: &str, key: &str) -> Result<Self, String> {
        let at = text.find(key).ok_or_else(|| format!("{key} isn't there"))? + key.len();
        let line = at + text[at..].find(['\n', '{', '[']).ok_or_else(|| format!("{key} has no value"))?;
        let is_comment = text[at..line].contains(" #");
        let is_flow = !is_comment && !text[line..].starts_with('\n');
        let start = if is_flow { line + 1 } else { whole_lines(text, &(at..at)).end };
        Ok(Self { start, is_flow })
    }

    /// Adds the places for new entries and what stands between the entries, which are put into their order.
    fn add_gaps(&self, text: &str, entries: &mut [Span], own_line: Part, spans: &mut Vec<Span>) {
        entries.sort_by_key(|entry| entry.at.start);
        let mut after = self.start;
        let mut on_line = own_line;
        let joint = |at: usize| Span { at: at..at, part: Part::Joint };
        // What is new comes behind the comment of an entry, not before it.
        let has_comment = |at: usize| self.is_flow && text[at..].starts_with(", #");
        for entry in &*entries {
            spans.extend((!has_comment(after)).then(|| joint(after)));
            add_gap(text, after..entry.at.start, self.is_flow, on_line, own_line, spans);
            spans.push(joint(entry.at.start));
            (after, on_line) = (entry.at.end, entry.part);
        }
        spans.extend((!has_comment(after)).then(|| joint(after)));
        if self.is_flow {
            let mut end = after;
            for line in text[after..].split_inclusive('\n') {
                let code = line.split('#').next().unwrap_or_default();
                if let Some(bracket) = code.find(['}', ']']) {
                    end += bracket;
                    break;
                }
                end += line.len();
            }
            add_gap(text, after..end, true, on_line, own_line, spans);
        }
    }
}

/// Adds what stands between two entries. A comment behind an entry on its line is the entry's.
fn add_gap(
    text: &str,
    at: Range<usize>,
    is_flow: bool,
    on_line: Part,
    own_line: Part,
    spans: &mut Vec<Span>,
) {
    if !is_flow {
        return spans.push(Span { at, part: own_line });
    }
    let mut start = at.start;
    let mut part = on_line;
    while start < at.end {
        let rest = &text[start..at.end];
        let length = match rest.strip_prefix('#') {
            Some(_) => rest.find(['\r', '\n']).unwrap_or(rest.len()),
            None => rest.find('#').unwrap_or(rest.len()),
        };
        let is_comment = rest.starts_with('#');
        let span = start..start + length;
        if rest[..length].contains('\n') && !is_comment {
            part = own_line;
        }
        // New entries come after a comment, or on a line of their own.
        if is_comment {
            spans.push(Span { at: span.clone(), part });
            spans.push(Span { at: span.end..span.end, part: Part::Joint });
        } else {
            let mut line = start;
            for text in rest[..length].split_inclusive('\n') {
                spans.push(Span { at: line..line + text.len(), part: Part::Separator });
                line += text.len();
                spans.extend(text.ends_with('\n').then_some(Span { at: line..line, part: Part::Joint }));
            }
        }
        start = span.end;
    }
}

/// The places of a value, which may be escaped, or folded in double quotes.
fn locate_all(text: &str, value: &str) -> impl Iterator<Item = Range<usize>> {
    text.char_indices().filter_map(move |(start, _)| {
        let mut rest = &text[start..];
        for (at, c) in value.char_indices() {
            while at > 0
                && let Some(escaped) = rest.strip_prefix('\\')
            {
                rest = if c == '/' && escaped.starts_with('/') {
                    escaped
                } else {
                    escaped.trim_start_matches('\r').strip_prefix('\n')?.trim_start_matches([' ', '\t'])
                };
            }
            rest = rest.strip_prefix(c)?;
        }
        Some(start..text.len() - rest.len())
    })
}

/// A value with its quotes, or with the mark of its lines.
fn token(text: &str, value: Range<usize>) -> Range<usize> {
    let before = &text[..value.start];
    if let Some(quote @ ('"' | '\'')) = before.chars().next_back()
        && text[value.end..].starts_with(quote)
    {
        return value.start - 1..value.end + 1;
    }
    let Some(above) = before.trim_end_matches(' ').strip_suffix('\n') else { return value };
    let line = above.rfind('\n').map_or(0, |at| at + 1);
    let code = above[line..].split(" #").next().unwrap_or_default().trim_end();
    match code.rfind(' ') {
        Some(at) if code[at + 1..].starts_with(['|', '>']) => line + at + 1..value.end,
        _ => value,
    }
}

/// Where the key of a value begins, with its quotes.
fn key_before(text: &str, name: &str, value: usize) -> Option<usize> {
    let mut before = text[..value].trim_end();
    loop {
        let line = before.rfind('\n').map_or(0, |at| at + 1);
        let word = before.rfind(char::is_whitespace).map_or(0, |at| at + 1);
        if let Some(comment) = before[line..].find(" #") {
            before = before[..line + comment].trim_end();
        } else if let Some(mark) = before[word..].rfind(['&', '!']) {
            before = before[..word + mark].trim_end();
        } else {
            break;
        }
    }
    let before = before.strip_suffix(':')?.trim_end();
    let quote = before.chars().next_back().filter(|c| matches!(c, '"' | '\''));
    let before = quote.map_or(before, |quote| before.trim_end_matches(quote)).strip_suffix(name)?;
    let before = quote.map_or(Some(before), |quote| before.strip_suffix(quote))?;
    // The name isn't the end of another.
    (!before.ends_with(|c: char| c.is_alphanumeric() || "_.-".contains(c))).then_some(before.len())
}

/// From the start of the first line to behind the last.
fn whole_lines(text: &str, at: &Range<usize>) -> Range<usize> {
    let start = text[..at.start].rfind('\n').map_or(0, |line| line + 1);
    start..text[at.end..].find('\n').map_or(text.len(), |line| at.end + line + 1)
}

/// The innermost brace before a place that isn't closed there.
fn unclosed_brace(text: &str, before: usize) -> Option<usize> {
    let mut depth = 0;
    text[..before].char_indices().rev().find_map(|(at, c)| {
        match c {
            '}' => depth += 1,
            '{' if depth == 0 => return Some(at),
            '{' => depth -= 1,
            _ => {}
        }
        None
    })
}

/// Behind the brace that closes the first one.
fn closing_brace(text: &str) -> Option<usize> {
    let mut depth = 0;
    text.char_indices().find_map(|(at, c)| {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        (depth == 0).then_some(at + 1)
    })
}

/// The lines of an entry of a sequence, by one of its fields: from the dash to the last line as deep as the field.
fn block_entry(text: &str, key: usize, value_end: usize) -> Result<Range<usize>, String> {
    let first = whole_lines(text, &(key..key)).start;
    let column = key - first;
    let is_content = |line: &str| !line.trim().is_empty() && !line.trim_start().starts_with('#');
    let depth = |line: &str| line.len() - line.trim_start_matches(' ').len();
    let mut start = first;
    loop {
        let line = &text[start..];
        if line.trim_start_matches(' ').starts_with('-') && depth(line) < column {
            break;
        }
        start = text[..start].trim_end_matches('\n').rfind('\n').ok_or("an envelope has no dash")? + 1;
    }
    let mut end = whole_lines(text, &(value_end..value_end)).end;
    let mut seen = end;
    for line in text[end..].split_inclusive('\n') {
        seen += line.len();
        if is_content(line) {
            if depth(line) < column {
                break;
            }
            end = seen;
        }
    }
    Ok(start..end)
}

#[cfg(test)]
mod tests {
    use super::super::tests::says;
    use crate::Random;

    use super::*;

    #[test]
    fn the_parts_of_a_drawn_text_are_found_where_they_were_drawn() {
        let says = says();
        for seed in 0..2_000 {
            let drawn = Shape::draw(&says, &mut Random(seed));
            let text = drawn.text();
            let found =
                Shape::find(&text, &says).unwrap_or_else(|error| panic!("seed {seed}: {error}\n{text}"));
            assert_eq!(found.text(), text);
            let values = |shape: &Shape, index| -> String {
                let pieces = shape.pieces.iter().filter(|piece| piece.part == Part::Value(index));
                pieces.map(|piece| piece.text.as_str()).collect()
            };
            for index in 0..2 {
                let drawn = values(&drawn, index);
                let drawn = drawn.strip_prefix("&shared ").unwrap_or(&drawn);
                assert_eq!(values(&found, index), drawn, "seed {seed}\n{text}");
            }
            for part in [Part::Envelope(0), Part::Envelope(1)] {
                let pieces = |shape: &Shape| -> Vec<String> {
                    let pieces = shape.pieces.iter().filter(|piece| piece.part == part);
                    pieces.map(|piece| piece.text.trim().to_owned()).filter(|text| !text.is_empty()).collect()
                };
                let (drawn, found) = (pieces(&drawn), pieces(&found));
                assert_eq!(drawn[0], found[0], "seed {seed}\n{text}");
            }
        }
    }
}
