//! The lexer: Go templates as tokens, by the rules of Go's `text/template/parse`.
//!
//! It knows neither functions nor values. It differs from Go in the letters of names beyond ASCII: it takes Unicode's
//! alphabetic and numeric characters, which are a few more than Go's. Invariant: it reads each character a bounded
//! number of times.

use super::error::GoTemplateError;

const SPACES: [char; 4] = [' ', '\t', '\r', '\n'];

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum TokenKind {
    Text,
    Left,
    Right,
    Space,
    Assign,
    Declare,
    Pipe,
    Comma,
    LeftParen,
    RightParen,
    Quoted,
    RawQuoted,
    Character,
    Number,
    Variable,
    Field,
    Dot,
    Word,
    End,
}

#[derive(Clone, Copy)]
pub(super) struct Token<'t> {
    pub(super) kind: TokenKind,
    pub(super) text: &'t str,
    pub(super) line: usize,
}

struct Lexer<'t> {
    rest: &'t str,
    line: usize,
    tokens: Vec<Token<'t>>,
}

/// All tokens of a template; the last one is [`TokenKind::End`].
pub(super) fn lex(text: &str) -> Result<Vec<Token<'_>>, GoTemplateError> {
    let mut lexer = Lexer { rest: text, line: 1, tokens: Vec::new() };
    while let Some(at) = lexer.rest.find("{{") {
        let after = &lexer.rest[at + 2..];
        let trims = after.starts_with('-') && after[1..].starts_with(SPACES);
        let mut text = &lexer.rest[..at];
        if trims {
            text = text.trim_end_matches(SPACES);
        }
        if !text.is_empty() {
            lexer.tokens.push(Token { kind: TokenKind::Text, text, line: lexer.line });
        }
        lexer.take(at);
        let marker = if trims { 2 } else { 0 };
        if after[marker..].starts_with("/*") {
            lexer.take(2 + marker);
            lexer.comment()?;
        } else {
            lexer.emit(TokenKind::Left, 2);
            lexer.take(marker);
            lexer.action()?;
        }
    }
    if !lexer.rest.is_empty() {
        lexer.emit(TokenKind::Text, lexer.rest.len());
    }
    lexer.emit(TokenKind::End, 0);
    Ok(lexer.tokens)
}

impl<'t> Lexer<'t> {
    fn take(&mut self, len: usize) -> &'t str {
        let (taken, rest) = self.rest.split_at(len);
        self.line += taken.bytes().filter(|byte| *byte == b'\n').count();
        self.rest = rest;
        taken
    }

    fn emit(&mut self, kind: TokenKind, len: usize) {
        let line = self.line;
        let text = self.take(len);
        self.tokens.push(Token { kind, text, line });
    }

    fn error<T>(&self, problem: impl Into<String>) -> Result<T, GoTemplateError> {
        Err(GoTemplateError::Syntax { line: self.line, problem: problem.into() })
    }

    /// The length of the closing delimiter that begins here, and `true` if it trims; `None` if none begins here.
    fn right_delimiter(&self) -> Option<(usize, bool)> {
        if self.rest.starts_with("}}") {
            return Some((2, false));
        }
        let after = self.rest.strip_prefix(SPACES)?;
        after.starts_with("-}}").then_some((4, true))
    }

    fn trim_left(&mut self) {
        let trimmed = self.rest.trim_start_matches(SPACES);
        self.take(self.rest.len() - trimmed.len());
    }

    fn comment(&mut self) -> Result<(), GoTemplateError> {
        // The search starts behind "/*", so that "/*/" doesn't end the comment with the star that opened it.
        let Some(end) = self.rest[2..].find("*/").map(|at| at + 2) else {
            return self.error("unclosed comment");
        };
        self.take(end + 2);
        let Some((len, trims)) = self.right_delimiter() else {
            return self.error("comment ends before closing delimiter");
        };
        self.take(len);
        if trims {
            self.trim_left();
        }
        Ok(())
    }

    fn action(&mut self) -> Result<(), GoTemplateError> {
        let mut parens = 0_usize;
        loop {
            if let Some((len, trims)) = self.right_delimiter() {
                if parens > 0 {
                    return self.error("unclosed left paren");
                }
                self.emit(TokenKind::Right, len);
                if trims {
                    self.trim_left();
                }
                return Ok(());
            }
            let Some(first) = self.rest.chars().next() else {
                return self.error("unclosed action");
            };
            match first {
                ' ' | '\t' | '\r' | '\n' => self.space(),
                '=' => self.emit(TokenKind::Assign, 1),
                ':' if self.rest.starts_with(":=") => self.emit(TokenKind::Declare, 2),
                ':' => return self.error("expected :="),
                '|' => self.emit(TokenKind::Pipe, 1),
                ',' => self.emit(TokenKind::Comma, 1),
                '"' => self.quoted(TokenKind::Quoted, '"')?,
                '\'' => self.quoted(TokenKind::Character, '\'')?,
                '`' => match self.rest[1..].find('`') {
                    Some(len) => self.emit(TokenKind::RawQuoted, len + 2),
                    None => return self.error("unterminated raw quoted string"),
                },
                '$' => self.word(TokenKind::Variable, 1)?,
                '.' if !self.rest[1..].starts_with(|next: char| next.is_ascii_digit()) => {
                    self.word(TokenKind::Field, 1)?;
                }
                '.' | '+' | '-' | '0'..='9' => self.number()?,
                '(' => {
                    parens += 1;
                    self.emit(TokenKind::LeftParen, 1);
                }
                ')' if parens == 0 => return self.error("unexpected right paren"),
                ')' => {
                    parens -= 1;
                    self.emit(TokenKind::RightParen, 1);
                }
                first if is_letter(first) => self.word(TokenKind::Word, 0)?,
                other => return self.error(format!("unexpected {other:?} in action")),
            }
        }
    }

    /// Reads space, but stops before the space of a trimming delimiter.
    fn space(&mut self) {
        let len = self.rest.len() - self.rest.trim_start_matches(SPACES).len();
        let before_delimiter = self.rest[len..].starts_with("-}}");
        let len = if before_delimiter { len - 1 } else { len };
        if len > 0 {
            self.emit(TokenKind::Space, len);
        }
    }

    fn quoted(&mut self, kind: TokenKind, quote: char) -> Result<(), GoTemplateError> {
        let mut chars = self.rest.char_indices().skip(1);
        while let Some((at, char)) = chars.next() {
            match char {
                '\\' if matches!(chars.next(), Some((_, next)) if next != '\n') => {}
                '\\' | '\n' => break,
                char if char == quote => {
                    self.emit(kind, at + 1);
                    return Ok(());
                }
                _ => {}
            }
        }
        self.error(if quote == '"' {
            "unterminated quoted string"
        } else {
            "unterminated character constant"
        })
    }

    /// Reads a name behind a prefix of `prefix` bytes. A dot alone is a token of its own.
    fn word(&mut self, kind: TokenKind, prefix: usize) -> Result<(), GoTemplateError> {
        let len = self.rest[prefix..].find(|char| !is_letter(char)).unwrap_or(self.rest.len() - prefix);
        let after = &self.rest[prefix + len..];
        let ends = after.is_empty()
            || after.starts_with("}}")
            || after.starts_with([' ', '\t', '\r', '\n', '.', ',', '|', ':', ')', '(']);
        if !ends {
            let bad = after.chars().next().unwrap_or_default();
            return self.error(format!("bad character {bad:?} after {:?}", &self.rest[..prefix + len]));
        }
        let kind = if kind == TokenKind::Field && len == 0 { TokenKind::Dot } else { kind };
        self.emit(kind, prefix + len);
        Ok(())
    }

    fn number(&mut self) -> Result<(), GoTemplateError> {
        let mut rest = self.rest.strip_prefix(['+', '-']).unwrap_or(self.rest);
        let is_hexadecimal = rest.starts_with("0x") || rest.starts_with("0X");
        while let Some(first) = rest.chars().next() {
            let exponent = if is_hexadecimal { ['p', 'P'] } else { ['e', 'E'] };
            if exponent.contains(&first) {
                rest = rest[1..].strip_prefix(['+', '-']).unwrap_or(&rest[1..]);
            } else if is_letter(first) || first == '.' {
                rest = &rest[first.len_utf8()..];
            } else {
                break;
            }
        }
        self.emit(TokenKind::Number, self.rest.len() - rest.len());
        match rest.starts_with(['+', '-']) {
            true => self.error("bad number syntax"),
            false => Ok(()),
        }
    }
}

fn is_letter(char: char) -> bool {
    char == '_' || char.is_alphanumeric()
}
