//! Go templates as trees, by the grammar of Go's `text/template/parse`.
//!
//! Whether a call has the right arguments is seen when it is made, as in Go. Invariant: whether a template parses
//! depends on its text, and on whether branching is allowed, alone.

use std::collections::BTreeMap;

use super::error::GoTemplateError;
use super::lex::{Kind, Token, lex};
use super::tree::Node;
use super::{Branching, MAX_DEPTH, MAX_NODES, literal};

mod pipe;

/// The template itself and those it defines.
pub(super) struct Templates {
    pub(super) root: Vec<Node>,
    pub(super) defined: BTreeMap<String, Vec<Node>>,
}

pub(super) fn parse(text: &str, branching: Branching) -> Result<Templates, GoTemplateError> {
    let tokens = lex(text)?;
    let mut parser = Parser {
        tokens: &tokens,
        at: 0,
        branching,
        nodes: 0,
        depth: 0,
        ranges: 0,
        variables: vec!["$".to_owned()],
        defined: BTreeMap::new(),
    };
    let (root, end) = parser.list(true)?;
    match end {
        Ended::End => Ok(Templates { root, defined: parser.defined }),
        Ended::ByEnd => parser.error("unexpected {{end}}"),
        Ended::ByElse => parser.error("unexpected {{else}}"),
    }
}

enum Ended {
    End,
    ByEnd,
    ByElse,
}

struct Parser<'t> {
    tokens: &'t [Token<'t>],
    at: usize,
    branching: Branching,
    nodes: usize,
    depth: usize,
    ranges: usize,
    variables: Vec<String>,
    defined: BTreeMap<String, Vec<Node>>,
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
        while self.peek().kind == Kind::Space {
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
            Kind::End => self.error(format!("unexpected end of the template in {context}")),
            _ => {
                let text: String = token.text.chars().take(32).collect();
                self.error(format!("unexpected {text:?} in {context}"))
            }
        }
    }

    fn expect(&mut self, kind: Kind, context: &str) -> Parsed<Token<'t>> {
        if self.skip_space().kind == kind { Ok(self.next()) } else { self.unexpected(context) }
    }

    fn count(&mut self) -> Parsed<()> {
        self.nodes += 1;
        match self.nodes > MAX_NODES {
            true => Err(GoTemplateError::TooMuchWork { line: self.peek().line }),
            false => Ok(()),
        }
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

    /// Text and actions up to an end, an else (each consumed), or the end of the template.
    fn list(&mut self, is_root: bool) -> Parsed<(Vec<Node>, Ended)> {
        let mut nodes = Vec::new();
        loop {
            self.count()?;
            let token = self.next();
            match token.kind {
                Kind::Text => nodes.push(Node::Text(token.text.as_bytes().to_vec())),
                Kind::End if is_root => return Ok((nodes, Ended::End)),
                Kind::End => return self.error("unexpected end of the template"),
                _ => {
                    let word = self.skip_space();
                    let keyword = if word.kind == Kind::Word { word.text } else { "" };
                    match keyword {
                        "end" => {
                            self.next();
                            self.expect(Kind::Right, "end")?;
                            return Ok((nodes, Ended::ByEnd));
                        }
                        "else" => {
                            self.next();
                            return Ok((nodes, Ended::ByElse));
                        }
                        "define" if is_root => self.define()?,
                        "define" => return self.unexpected("{{define}} that is not at the top"),
                        _ => nodes.push(self.action(keyword)?),
                    }
                }
            }
        }
    }

    fn action(&mut self, keyword: &str) -> Parsed<Node> {
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
                self.expect(Kind::Right, keyword)?;
                Ok(if keyword == "break" { Node::Break } else { Node::Continue })
            }
            "block" => self.block(line),
            "template" => {
                self.next();
                let name = self.name()?;
                let pipe = match self.skip_space().kind {
                    Kind::Right => {
                        self.next();
                        None
                    }
                    _ => Some(self.pipe("template clause", Kind::Right)?),
                };
                Ok(Node::Template { name, pipe, line })
            }
            _ => Ok(Node::Action(self.pipe("command", Kind::Right)?)),
        }
    }

    /// What follows `if`, `with` or `range`.
    fn control(&mut self, keyword: &str) -> Parsed<Node> {
        let scope = self.variables.len();
        let pipe = self.pipe(keyword, Kind::Right)?;
        self.ranges += usize::from(keyword == "range");
        let (then, ended) = self.list(false)?;
        self.ranges -= usize::from(keyword == "range");
        let mut otherwise = Vec::new();
        if matches!(ended, Ended::ByElse) {
            let next = self.skip_space();
            if next.kind == Kind::Word && next.text == keyword && keyword != "range" {
                // "else if" shares its end with the if it belongs to.
                self.next();
                otherwise.push(self.deeper(|parser| parser.control(keyword))?);
            } else {
                self.expect(Kind::Right, "else")?;
                let (nodes, ended) = self.list(false)?;
                if !matches!(ended, Ended::ByEnd) {
                    return self.error("expected {{end}}, found another {{else}}");
                }
                otherwise = nodes;
            }
        }
        self.variables.truncate(scope);
        Ok(match keyword {
            "if" => Node::If { pipe, then, otherwise },
            "with" => Node::With { pipe, then, otherwise },
            _ => Node::Range { pipe, body: then, otherwise },
        })
    }

    fn define(&mut self) -> Parsed<()> {
        self.next();
        let name = self.name()?;
        self.expect(Kind::Right, "define clause")?;
        self.definition(name)
    }

    /// A template of its own: it sees none of the variables around it.
    fn definition(&mut self, name: String) -> Parsed<()> {
        let outside = std::mem::replace(&mut self.variables, vec!["$".to_owned()]);
        let ranges = std::mem::take(&mut self.ranges);
        let (nodes, ended) = self.deeper(|parser| parser.list(false))?;
        (self.variables, self.ranges) = (outside, ranges);
        if !matches!(ended, Ended::ByEnd) {
            return self.error("unexpected {{else}} in define clause");
        }
        match self.defined.get(&name) {
            Some(old) if !is_empty(old) && !is_empty(&nodes) => {
                return self.error(format!("template {name:?} is defined more than once"));
            }
            Some(old) if !is_empty(old) => {}
            _ => _ = self.defined.insert(name, nodes),
        }
        Ok(())
    }

    fn block(&mut self, line: usize) -> Parsed<Node> {
        self.next();
        let name = self.name()?;
        let pipe = self.pipe("block clause", Kind::Right)?;
        self.definition(name.clone())?;
        Ok(Node::Template { name, pipe: Some(pipe), line })
    }

    fn name(&mut self) -> Parsed<String> {
        let token = self.skip_space();
        let name = match token.kind {
            Kind::Quoted | Kind::RawQuoted => literal::string(token.text),
            _ => None,
        };
        let Some(name) = name.and_then(|name| String::from_utf8(name).ok()) else {
            return self.unexpected("template name");
        };
        self.next();
        Ok(name)
    }
}

/// Whether a definition is nothing but space; such a one doesn't replace another.
fn is_empty(nodes: &[Node]) -> bool {
    nodes.iter().all(|node| matches!(node, Node::Text(text) if text.trim_ascii().is_empty()))
}
