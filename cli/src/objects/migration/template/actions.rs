//! The outer grammar of Go templates: text, the actions between `{{` and `}}`, and the words of an action.
//!
//! It goes as far as substitutions need; [`template`](super) gives the words their meaning. Invariant: a text
//! that isn't understood gives `None`, and text is cut exactly where Go's lexer trims it.

/// A part of a template: text, or the inside of an action without its trim marks.
pub(super) enum Part<'t> {
    Text(&'t str),
    Action(&'t str),
}

/// A word of an action.
#[derive(PartialEq, Eq)]
pub(super) enum Token<'t> {
    Word(&'t str),
    /// A constant string.
    Text(String),
    Bar,
    Open,
    Close,
}

const SPACE: [char; 4] = [' ', '\t', '\r', '\n'];

/// The parts of a template, without comments.
pub(super) fn parts(text: &str) -> Option<Vec<Part<'_>>> {
    let mut parts = Vec::new();
    let (mut rest, mut trims) = (text, false);
    while let Some(start) = rest.find("{{") {
        let (mut before, mut inside) = (&rest[..start], &rest[start + 2..]);
        if trims {
            before = before.trim_start_matches(SPACE);
        }
        if inside.starts_with('-') && inside[1..].starts_with(SPACE) {
            before = before.trim_end_matches(SPACE);
            inside = &inside[1..];
        }
        let is_comment = inside.trim_start_matches(SPACE).starts_with("/*");
        let end = if is_comment {
            let close = inside.find("*/")? + 2;
            close + inside[close..].find("}}")?
        } else {
            end_of_action(inside)?
        };
        let action = &inside[..end];
        trims = action.strip_suffix('-').is_some_and(|action| action.ends_with(SPACE));
        parts.push(Part::Text(before));
        if !is_comment {
            parts.push(Part::Action(if trims { &action[..end - 1] } else { action }));
        }
        rest = &inside[end + 2..];
    }
    parts.push(Part::Text(if trims { rest.trim_start_matches(SPACE) } else { rest }));
    Some(parts)
}

/// The offset of the `}}` that ends the action: the first one outside of constants.
fn end_of_action(inside: &str) -> Option<usize> {
    let mut at = 0;
    while at < inside.len() {
        let rest = &inside[at..];
        if rest.starts_with("}}") {
            return Some(at);
        }
        at += match rest.chars().next()? {
            '"' | '`' => constant(rest)?.1,
            c => c.len_utf8(),
        };
    }
    None
}

/// The words of an action.
pub(super) fn tokens(action: &str) -> Option<Vec<Token<'_>>> {
    let mut tokens = Vec::new();
    let mut rest = action.trim_matches(SPACE);
    while let Some(c) = rest.chars().next() {
        let length = match c {
            '"' | '`' => {
                let (text, length) = constant(rest)?;
                tokens.push(Token::Text(text));
                length
            }
            '|' | '(' | ')' => {
                tokens.push(if c == '|' {
                    Token::Bar
                } else if c == '(' {
                    Token::Open
                } else {
                    Token::Close
                });
                1
            }
            _ => {
                let end = |c| SPACE.contains(&c) || "|()\"`".contains(c);
                let length = rest.find(end).unwrap_or(rest.len());
                tokens.push(Token::Word(&rest[..length]));
                length
            }
        };
        rest = rest[length..].trim_start_matches(SPACE);
    }
    Some(tokens)
}

/// The constant at the start of a text, and its length. Only the escapes that JSON has as well are
/// understood.
fn constant(text: &str) -> Option<(String, usize)> {
    if let Some(raw) = text.strip_prefix('`') {
        let length = raw.find('`')?;
        // Go drops carriage returns in raw constants.
        return (!raw[..length].contains('\r')).then(|| (raw[..length].to_owned(), length + 2));
    }
    let mut out = String::new();
    let mut chars = text.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((out, at + 1)),
            '\n' => return None,
            '\\' => out.push(match chars.next()?.1 {
                c @ ('"' | '\\') => c,
                'n' => '\n',
                't' => '\t',
                'r' => '\r',
                _ => return None,
            }),
            c => out.push(c),
        }
    }
    None
}
