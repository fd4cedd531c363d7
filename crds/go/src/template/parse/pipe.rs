//! Pipelines, commands and operands.
//!
//! Invariant: every function in a tree is in the tables, and every variable was declared before its use.

use super::{Parsed, Parser};
use crate::strconv;
use crate::template::error::GoTemplateError;
use crate::template::function::Function;
use crate::template::functions::{self, Lookup};
use crate::template::lex::TokenKind;
use crate::template::literal;
use crate::template::tree::{Command, Operand, Pipe};

impl Parser<'_> {
    /// A pipeline up to the given end, which is consumed.
    pub(super) fn pipe(&mut self, context: &str, end: TokenKind) -> Parsed<Pipe> {
        self.step()?;
        let line = self.skip_space().line;
        let mut pipe = Pipe { line, variables: Vec::new(), assigns: false, commands: Vec::new() };
        self.declarations(context, &mut pipe)?;
        loop {
            if self.skip_space().kind == end {
                self.next();
                break;
            }
            let is_first = pipe.commands.is_empty();
            let command = self.command(context)?;
            let runs = matches!(
                command.first,
                Operand::Field(_)
                    | Operand::Variable(..)
                    | Operand::Function(_)
                    | Operand::Pipe(_)
                    | Operand::Chain(..)
            );
            if !is_first && !runs {
                return self.error("a constant can't take what comes down the pipeline");
            }
            pipe.commands.push(command);
        }
        if pipe.commands.is_empty() {
            return self.error(format!("missing value for {context}"));
        }
        self.variables.extend(pipe.variables.iter().filter(|_| !pipe.assigns).cloned());
        Ok(pipe)
    }

    fn declarations(&mut self, context: &str, pipe: &mut Pipe) -> Parsed<()> {
        let start = self.at;
        while self.skip_space().kind == TokenKind::Variable {
            let name = self.next().text.to_owned();
            pipe.variables.push(name);
            match self.skip_space().kind {
                TokenKind::Assign | TokenKind::Declare => {
                    pipe.assigns = self.next().kind == TokenKind::Assign;
                    for name in pipe.variables.iter().filter(|_| pipe.assigns) {
                        if !self.knows(name)? {
                            return self.error("assignment to an undeclared variable");
                        }
                    }
                    return Ok(());
                }
                TokenKind::Comma if context == "range" && pipe.variables.len() < 2 => _ = self.next(),
                TokenKind::Comma => return self.error(format!("too many declarations in {context}")),
                _ => break,
            }
        }
        if pipe.variables.len() > 1 {
            return self.error("range can only initialize variables");
        }
        pipe.variables.clear();
        self.at = start;
        Ok(())
    }

    fn command(&mut self, context: &str) -> Parsed<Command> {
        let line = self.peek().line;
        let mut operands = Vec::new();
        loop {
            self.skip_space();
            let Some(operand) = self.operand()? else {
                return self.unexpected(context);
            };
            self.step()?;
            operands.push(operand);
            let has_space = self.peek().kind == TokenKind::Space;
            match self.skip_space().kind {
                TokenKind::Right | TokenKind::RightParen => break,
                TokenKind::Pipe => {
                    self.next();
                    if matches!(self.skip_space().kind, TokenKind::Right | TokenKind::RightParen) {
                        return self.error("missing command after |");
                    }
                    break;
                }
                _ if has_space => {}
                _ => return self.unexpected("operand"),
            }
        }
        let first = operands.remove(0);
        Ok(Command { line, first, arguments: operands })
    }

    fn operand(&mut self) -> Parsed<Option<Operand>> {
        let Some(mut operand) = self.term()? else {
            return Ok(None);
        };
        let mut fields = Vec::new();
        while self.peek().kind == TokenKind::Field {
            fields.push(self.next().text[1..].to_owned());
        }
        if fields.is_empty() {
            return Ok(Some(operand));
        }
        match &mut operand {
            Operand::Field(more) | Operand::Variable(_, more) => more.extend(fields),
            Operand::Pipe(_) | Operand::Function(_) => operand = Operand::Chain(Box::new(operand), fields),
            _ => return self.error("unexpected . after a constant"),
        }
        Ok(Some(operand))
    }

    fn term(&mut self) -> Parsed<Option<Operand>> {
        let token = self.next();
        let malformed = |what: &str| GoTemplateError::Syntax {
            line: token.line,
            problem: format!("malformed {what}: {}", token.text.chars().take(32).collect::<String>()),
        };
        Ok(Some(match token.kind {
            TokenKind::Dot => Operand::Dot,
            TokenKind::Field => Operand::Field(vec![token.text[1..].to_owned()]),
            TokenKind::Variable if self.knows(token.text)? => {
                Operand::Variable(token.text.to_owned(), Vec::new())
            }
            TokenKind::Variable => return self.error(format!("undefined variable {:?}", token.text)),
            TokenKind::Quoted | TokenKind::RawQuoted => {
                let text = strconv::unquote(token.text).ok_or_else(|| malformed("string"))?;
                Operand::Text(text)
            }
            TokenKind::Number => {
                Operand::Number(literal::number(token.text).ok_or_else(|| malformed("number"))?)
            }
            TokenKind::Character => {
                Operand::Number(literal::character(token.text).ok_or_else(|| malformed("character"))?)
            }
            TokenKind::LeftParen => {
                Operand::Pipe(self.deeper(|parser| parser.pipe("parentheses", TokenKind::RightParen))?)
            }
            TokenKind::Word => match token.text {
                "true" | "false" => Operand::Bool(token.text == "true"),
                "nil" => Operand::Nil,
                "if" | "else" | "end" | "range" | "with" | "define" | "template" | "block" | "break"
                | "continue" => {
                    self.at -= 1;
                    return Ok(None);
                }
                name => Operand::Function(self.function(name, token.line)?),
            },
            _ => {
                self.at -= 1;
                return Ok(None);
            }
        }))
    }

    fn function(&self, name: &str, line: usize) -> Parsed<&'static Function> {
        let name = || name.to_owned();
        match functions::find(&name()) {
            Lookup::Found(function) => Ok(function),
            Lookup::Unsupported(why) => Err(GoTemplateError::UnsupportedFunction { line, name: name(), why }),
            Lookup::Unknown => Err(GoTemplateError::UnknownFunction { line, name: name() }),
        }
    }
}
