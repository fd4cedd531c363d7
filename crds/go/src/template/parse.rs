//! The parser: Go templates as trees, by the grammar of Go's `text/template/parse`.
//!
//! The arguments of calls are checked when a template is rendered, as in Go. Invariant: the outcome depends only on
//! the text of the template and on [`Branching`].

use std::collections::BTreeMap;

use super::budget::Budget;
use super::error::GoTemplateError;
use super::lex::{Token, TokenKind, lex};
use super::tree::Statement;
use super::{Branching, MAX_DEPTH};
use crate::strconv;

mod pipe;

/// A template, and the templates that it defines.
pub(super) struct Templates {
    pub(super) root: Vec<Statement>,
    pub(super) defined: BTreeMap<String, Vec<Statement>>,
}

pub(super) fn parse(
    text: &str,
    branching: Branching,
    budget: &mut Budget,
) -> Result<Templates, GoTemplateError> {
    budget.charge_len(1, text.len())?;
    let tokens = lex(text)?;
    let mut parser = Parser {
        tokens: &tokens,
        at: 0,
        branching,
        budget,
        depth: 0,
        ranges: 0,
        variables: vec!["$".to_owned()],
        defined: BTreeMap::new(),
    };
    let (root, end) = parser.list(true)?;
    match end {
        Ended::End => {
            let defined = parser.defined.into_iter().map(|(name, defined)| (name, defined.statements));
            Ok(Templates { root, defined: defined.collect() })
        }
        Ended::ByEnd => parser.error("unexpected {{end}}"),
        Ended::ByElse => parser.error("unexpected {{else}}"),
    }
}

enum Ended {
    End,
    ByEnd,
    ByElse,
}

/// A template that another template defines.
struct Defined {
    statements: Vec<Statement>,
    /// `true` if it has only space; such a definition doesn't replace another one. Computed once, since a template
    /// can be defined again and again.
    is_empty: bool,
}

struct Parser<'t> {
    tokens: &'t [Token<'t>],
    at: usize,
    branching: Branching,
    budget: &'t mut Budget,
    depth: usize,
    ranges: usize,
    variables: Vec<String>,
    defined: BTreeMap<String, Defined>,
}

type Parsed<T> = Result<T, GoTemplateError>;

impl<'t> Parser<'t> {
    fn peek(&self) -> Token<'t> {
        self.tokens[self.at.min(self.tokens.len() - 1)]
    }

    fn next(&mut self) -> Token<'t> {
        let token = self.peek();
        self.at += 1;
        token
    }

    fn skip_space(&mut self) -> Token<'t> {
        while self.peek().kind == TokenKind::Space {
            self.at += 1;
        }
        self.peek()
    }

    fn error<T>(&self, problem: impl Into<String>) -> Parsed<T> {
        Err(GoTemplateError::Syntax { line: self.peek().line, problem: problem.into() })
    }

    fn unexpected<T>(&self, context: &str) -> Parsed<T> {
        let token = self.peek();
        match token.kind {
            TokenKind::End => self.error(format!("unexpected end of the template in {context}")),
            _ => {
                let text: String = token.text.chars().take(32).collect();
                self.error(format!("unexpected {text:?} in {context}"))
            }
        }
    }

    fn expect(&mut self, kind: TokenKind, context: &str) -> Parsed<Token<'t>> {
        if self.skip_space().kind == kind { Ok(self.next()) } else { self.unexpected(context) }
    }

    fn step(&mut self) -> Parsed<()> {
        self.budget.charge(self.peek().line, 0)
    }

    /// `true` if the variable is declared. The look-up may compare it with every variable.
    fn knows(&mut self, name: &str) -> Parsed<bool> {
        let looks = self.variables.len().saturating_mul(name.len());
        self.budget.charge_len(self.peek().line, looks)?;
        Ok(self.variables.iter().any(|known| known == name))
    }

    fn deeper<T>(&mut self, inside: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.depth >= MAX_DEPTH {
            return Err(GoTemplateError::TooDeep { line: self.peek().line });
        }
        self.depth += 1;
        let result = inside(self);
        self.depth -= 1;
        result
    }

    /// The statements up to an `end` or an `else`, each of which is consumed, or up to the end of the template.
    fn list(&mut self, is_root: bool) -> Parsed<(Vec<Statement>, Ended)> {
        let mut statements = Vec::new();
        loop {
            self.step()?;
            let token = self.next();
            match token.kind {
                TokenKind::Text => statements.push(Statement::Text(token.text.as_bytes().to_vec())),
                TokenKind::End if is_root => return Ok((statements, Ended::End)),
                TokenKind::End => return self.error("unexpected end of the template"),
                _ => {
                    let word = self.skip_space();
                    let keyword = if word.kind == TokenKind::Word { word.text } else { "" };
                    match keyword {
                        "end" => {
                            self.next();
                            self.expect(TokenKind::Right, "end")?;
                            return Ok((statements, Ended::ByEnd));
                        }
                        "else" => {
                            self.next();
                            return Ok((statements, Ended::ByElse));
                        }
                        "define" if is_root => self.define()?,
                        "define" => return self.unexpected("{{define}} that is not at the top"),
                        _ => statements.push(self.action(keyword)?),
                    }
                }
            }
        }
    }

    fn action(&mut self, keyword: &str) -> Parsed<Statement> {
        let line = self.peek().line;
        let branches = match keyword {
            "if" => Some("if"),
            "with" => Some("with"),
            "range" => Some("range"),
            "break" => Some("break"),
            "continue" => Some("continue"),
            _ => None,
        };
        if let (Some(statement), Branching::Refused) = (branches, self.branching) {
            return Err(GoTemplateError::Branching { line, statement });
        }
        match keyword {
            "if" | "with" | "range" => {
                self.next();
                self.deeper(|parser| parser.control(keyword))
            }
            "break" | "continue" => {
                if self.ranges == 0 {
                    return self.error(format!("{{{{{keyword}}}}} outside {{{{range}}}}"));
                }
                self.next();
                self.expect(TokenKind::Right, keyword)?;
                Ok(if keyword == "break" { Statement::Break } else { Statement::Continue })
            }
            "block" => self.block(line),
            "template" => {
                self.next();
                let name = self.name()?;
                let pipe = match self.skip_space().kind {
                    TokenKind::Right => {
                        self.next();
                        None
                    }
                    _ => Some(self.pipe("template clause", TokenKind::Right)?),
                };
                Ok(Statement::Template { name, pipe, line })
            }
            _ => Ok(Statement::Action(self.pipe("command", TokenKind::Right)?)),
        }
    }

    /// The statement that `if`, `with` or `range` begins.
    fn control(&mut self, keyword: &str) -> Parsed<Statement> {
        let scope = self.variables.len();
        let pipe = self.pipe(keyword, TokenKind::Right)?;
        self.ranges += usize::from(keyword == "range");
        let (then, ended) = self.list(false)?;
        self.ranges -= usize::from(keyword == "range");
        let mut otherwise = Vec::new();
        if matches!(ended, Ended::ByElse) {
            let next = self.skip_space();
            if next.kind == TokenKind::Word && next.text == keyword && keyword != "range" {
                // "else if" shares its `end` with the `if` that it belongs to.
                self.next();
                otherwise.push(self.deeper(|parser| parser.control(keyword))?);
            } else {
                self.expect(TokenKind::Right, "else")?;
                let (statements, ended) = self.list(false)?;
                if !matches!(ended, Ended::ByEnd) {
                    return self.error("expected {{end}}, found another {{else}}");
                }
                otherwise = statements;
            }
        }
        self.variables.truncate(scope);
        Ok(match keyword {
            "if" => Statement::If { pipe, then, otherwise },
            "with" => Statement::With { pipe, then, otherwise },
            _ => Statement::Range { pipe, body: then, otherwise },
        })
    }

    fn define(&mut self) -> Parsed<()> {
        self.next();
        let name = self.name()?;
        self.expect(TokenKind::Right, "define clause")?;
        self.definition(name)
    }

    /// A definition, which sees none of the variables around it.
    fn definition(&mut self, name: String) -> Parsed<()> {
        let outside = std::mem::replace(&mut self.variables, vec!["$".to_owned()]);
        let ranges = std::mem::take(&mut self.ranges);
        let (statements, ended) = self.deeper(|parser| parser.list(false))?;
        (self.variables, self.ranges) = (outside, ranges);
        if !matches!(ended, Ended::ByEnd) {
            return self.error("unexpected {{else}} in define clause");
        }
        let is_empty = statements.iter().all(is_space);
        match self.defined.get(&name) {
            Some(old) if !old.is_empty && !is_empty => {
                return self.error(format!("template {name:?} is defined more than once"));
            }
            Some(old) if !old.is_empty => {}
            _ => _ = self.defined.insert(name, Defined { statements, is_empty }),
        }
        Ok(())
    }

    fn block(&mut self, line: usize) -> Parsed<Statement> {
        self.next();
        let name = self.name()?;
        let pipe = self.pipe("block clause", TokenKind::Right)?;
        self.definition(name.clone())?;
        Ok(Statement::Template { name, pipe: Some(pipe), line })
    }

    fn name(&mut self) -> Parsed<String> {
        let token = self.skip_space();
        let name = match token.kind {
            TokenKind::Quoted | TokenKind::RawQuoted => strconv::unquote(token.text),
            _ => None,
        };
        let Some(name) = name.and_then(|name| String::from_utf8(name).ok()) else {
            return self.unexpected("template name");
        };
        self.next();
        Ok(name)
    }
}

fn is_space(statement: &Statement) -> bool {
    matches!(statement, Statement::Text(text) if text.trim_ascii().is_empty())
}
