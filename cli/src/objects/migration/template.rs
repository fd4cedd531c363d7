//! Translates Go templates that only substitute into native ones: `{{ .item }}` becomes `$(item)`.
//!
//! It understands text and constants, trimming and comments, `.item`, `index . "item"`, and the encoders that
//! both formats have. It doesn't interpret templates: the error names a construct without a counterpart, and
//! the caller decides. Invariant: for the items as they are, a translation renders the same bytes as the
//! original. Each of its parts was recognised as a substitution, so that holds for later values of the items
//! too.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use seal_crds::template::TemplateData;
use seal_crds::{ItemName, Plaintext};
use seal_go::template::{Branching, Budget, GoTemplate, GoTemplateError, Rendered, Values};

mod actions;

use actions::{Part, Token, parts, tokens};

/// Reasons why a template has no native counterpart. Each message ends a sentence that begins with the
/// template's key.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoCounterpart {
    #[error("{{{{{}}}}} is more than the substitution of an item", excerpt(.0))]
    Construct(String),
    #[error("it refers to {0}, and there is no item of that name")]
    NoItem(String),
    #[error("it uses {0}, which null leaves out of the Secret, and a native Secret has all of its items")]
    LeftOut(ItemName),
    #[error("it has a $ right before a substitution, which native templates can't have")]
    Dollar,
    #[error("it isn't a Go template")]
    Malformed,
    #[error("item values in it need escapes that differ between the formats")]
    Differs,
    #[error("{0}")]
    Refused(String),
}

fn excerpt(text: &str) -> String {
    let line: String = text.trim_end().chars().take(60).collect();
    if line.len() < text.trim_end().len() { format!("{line}…") } else { format!("{line} ") }
}

/// Whether Kubernetes checks that the value of a key is JSON, so that items in it have to be escaped.
pub(super) fn is_json(type_: &str, key: &ItemName) -> bool {
    matches!(
        (type_, key.as_str()),
        ("kubernetes.io/dockerconfigjson", ".dockerconfigjson") | ("kubernetes.io/dockercfg", ".dockercfg")
    )
}

/// The names that the templates of an object may refer to, with their values.
pub(super) struct Substitution<'s> {
    items: &'s BTreeMap<ItemName, Plaintext>,
    /// The items that the Secret doesn't get.
    omitted: &'s BTreeSet<ItemName>,
    /// The templates as they are written. In sealed-secrets a template can refer to the text of another.
    plain: &'s BTreeMap<String, Option<String>>,
    /// Items and templates together, for Go templates; an item wins over a template of the same name.
    values: Values,
    budget: Budget,
}

/// A part of a translated template.
enum Piece {
    Text(String),
    Item { item: ItemName, encoder: Option<&'static str> },
}

impl<'s> Substitution<'s> {
    pub(super) fn new(
        items: &'s BTreeMap<ItemName, Plaintext>,
        omitted: &'s BTreeSet<ItemName>,
        plain: &'s BTreeMap<String, Option<String>>,
    ) -> Self {
        let texts = plain.iter().filter_map(|(key, text)| Some((key.as_str(), text.as_ref()?.as_bytes())));
        let values = texts.chain(items.iter().map(|(item, value)| (item.as_str(), value.expose()))).collect();
        Self { items, omitted, plain, values: Values::new(&values), budget: Budget::of_object() }
    }

    /// Translates a template. Returns the native template and the items that it uses.
    pub(super) fn translate(
        &mut self,
        key: &ItemName,
        text: &str,
        in_json: bool,
    ) -> Result<(String, BTreeSet<ItemName>), NoCounterpart> {
        let mut pieces = Vec::new();
        for part in parts(text).ok_or(NoCounterpart::Malformed)? {
            match part {
                Part::Text(text) => pieces.push(Piece::Text(text.to_owned())),
                Part::Action(action) => pieces.extend(self.action(action, in_json)?),
            }
        }
        let (native, uses) = write(pieces)?;
        let data =
            TemplateData::parse([(key.clone(), native.as_str())], |item| self.items.contains_key(item))
                .map_err(|error| NoCounterpart::Refused(error.to_string()))?;
        let rendered = self.render(text, in_json).map_err(|_| NoCounterpart::Malformed)?;
        let is_same =
            data.render(self.items).get(key).is_some_and(|value| value.expose() == rendered.expose());
        if is_same { Ok((native, uses)) } else { Err(NoCounterpart::Differs) }
    }

    /// Renders a template as our controller does: as sealed-secrets, unless an item would break the JSON.
    pub(super) fn render(&mut self, text: &str, in_json: bool) -> Result<Plaintext, GoTemplateError> {
        if in_json && let Some(object) = self.json_object(text) {
            return Ok(object);
        }
        let template = GoTemplate::parse(text, Branching::Allowed, &mut self.budget)?;
        let Rendered { value, .. } = template.render(&self.values, &mut self.budget)?;
        Ok(value.into())
    }

    fn json_object(&mut self, text: &str) -> Option<Plaintext> {
        let template = GoTemplate::parse(text, Branching::Refused, &mut self.budget).ok()?;
        Some(template.render_json_object(&self.values, &mut self.budget).ok()??.value.into())
    }

    /// Translates one action: a value, with encoders before it or after a bar.
    fn action(&self, action: &str, in_json: bool) -> Result<Vec<Piece>, NoCounterpart> {
        let construct = || NoCounterpart::Construct(action.to_owned());
        let tokens = tokens(action).ok_or_else(construct)?;
        let mut commands = tokens.split(|token| *token == Token::Bar);
        let first = commands.next().unwrap_or_default();
        let (function, operand) = match first {
            [Token::Word(function), operand @ ..] if is_encoder(function) => (Some(*function), operand),
            operand => (None, operand),
        };
        let mut functions: Vec<&str> = function.into_iter().collect();
        for command in commands {
            match command {
                [Token::Word(function)] if is_encoder(function) => functions.push(function),
                _ => return Err(construct()),
            }
        }
        functions.retain(|function| *function != "toString");
        let value = self.operand(operand).ok_or_else(construct)??;
        match (value, functions.as_slice()) {
            (Piece::Item { item, .. }, []) => {
                Ok(vec![Piece::Item { item, encoder: in_json.then_some("json") }])
            }
            (Piece::Item { item, .. }, ["b64enc"]) => Ok(vec![Piece::Item { item, encoder: Some("base64") }]),
            (Piece::Item { item, .. }, ["toJson" | "toRawJson" | "quote"]) => {
                let quote = || Piece::Text("\"".to_owned());
                Ok(vec![quote(), Piece::Item { item, encoder: Some("json") }, quote()])
            }
            (Piece::Text(text), []) => Ok(vec![Piece::Text(text)]),
            (Piece::Text(text), ["b64enc"]) => Ok(vec![Piece::Text(BASE64.encode(text))]),
            _ => Err(construct()),
        }
    }

    /// Reads `.item`, `$.item`, `index . "item"` or a constant, with or without parentheses; `None` for
    /// anything else.
    fn operand(&self, tokens: &[Token<'_>]) -> Option<Result<Piece, NoCounterpart>> {
        match tokens {
            [Token::Open, inside @ .., Token::Close] => self.operand(inside),
            [Token::Text(text)] => Some(Ok(Piece::Text(text.clone()))),
            [Token::Word("index"), Token::Word("." | "$"), Token::Text(name)] => Some(self.named(name)),
            [Token::Word(word)] => {
                let name = word.strip_prefix('$').unwrap_or(word).strip_prefix('.')?;
                let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
                    && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
                is_name.then(|| self.named(name))
            }
            _ => None,
        }
    }

    fn named(&self, name: &str) -> Result<Piece, NoCounterpart> {
        let item = name.parse().ok().filter(|item| self.items.contains_key(item));
        match (item, self.plain.get(name)) {
            (Some(item), _) if self.omitted.contains(&item) => Err(NoCounterpart::LeftOut(item)),
            (Some(item), _) => Ok(Piece::Item { item, encoder: None }),
            (None, Some(Some(text))) => Ok(Piece::Text(text.clone())),
            (None, _) => Err(NoCounterpart::NoItem(name.chars().take(64).collect())),
        }
    }
}

fn is_encoder(function: &str) -> bool {
    matches!(function, "b64enc" | "toJson" | "toRawJson" | "quote" | "toString")
}

/// The pieces as one native template.
fn write(pieces: Vec<Piece>) -> Result<(String, BTreeSet<ItemName>), NoCounterpart> {
    let (mut out, mut text, mut uses) = (String::new(), String::new(), BTreeSet::new());
    for piece in pieces {
        match piece {
            Piece::Text(more) => text.push_str(&more),
            // A `$` before the `$(item)` would make `$$(`, which stands for a literal `$(`.
            Piece::Item { .. } if text.ends_with('$') => return Err(NoCounterpart::Dollar),
            Piece::Item { item, encoder } => {
                out.push_str(&std::mem::take(&mut text).replace("$(", "$$("));
                let encoder = encoder.map(|encoder| format!("|{encoder}")).unwrap_or_default();
                out.push_str(&format!("$({item}{encoder})"));
                uses.insert(item);
            }
        }
    }
    out.push_str(&text.replace("$(", "$$("));
    Ok((out, uses))
}

#[cfg(test)]
mod tests;
