//! `template.data` of the native format: texts of the Secret in which items are substituted.
//!
//! The template is public and not authenticated, so it is powerless by construction. It has references in the form of
//! Kubernetes' own (`$(item)`, `$(item|base64)`, `$$(` for a literal `$(`) and a few encoders, but no branches and no
//! loops. The Bitnami format has Go's templates instead ([`crate::bitnami`]).
//!
//! The threat: an attacker may write the template, but not read the Secret, and learns about an item from whether
//! there is a Secret. A branch on a value would tell. An encoder that fails for some values would tell. And an
//! attacker who adds text, or repeats a value, until a size limit is hit would learn the length that padding hides.
//! Hence: every encoder takes every value; an item is substituted only if its sealer allowed that, and at most
//! [`MAX_USES`] times; and sizes are bounded from padded lengths, not from the values.
//!
//! Invariant: public text alone decides if a template parses.

use std::collections::{BTreeMap, BTreeSet};

use zeroize::Zeroizing;

use self::encoder::Encoder;
use crate::names::ItemName;
use crate::plaintext::Plaintext;
use seal_foreign::word;

mod encoder;

/// The most times that one item may be substituted in all of an object's `template.data`.
pub const MAX_USES: usize = 16;

/// The reason why a template can't be used, for any values of the items.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// `$(` without `)`, or with a text between them that isn't an item name, alone or with an encoder.
    #[error(
        "template.data.{key}: \"{}\" is not $(item) or $(item|encoder); write $$( for a literal $(",
        word(found)
    )]
    MalformedReference {
        /// The key of `template.data`.
        key: ItemName,
        /// The text of the reference, cut to 64 characters.
        found: String,
    },
    /// An encoder that doesn't exist.
    #[error(
        "template.data.{key}: unknown encoder \"{}\"; there are base64, hex, json and url",
        word(encoder)
    )]
    UnknownEncoder {
        /// The key of `template.data`.
        key: ItemName,
        /// The encoder's name.
        encoder: String,
    },
    /// A reference to an item that the object doesn't have.
    #[error("template.data.{key} refers to item {item}, which encryptedData doesn't have")]
    UnknownItem {
        /// The key of `template.data`.
        key: ItemName,
        /// The item.
        item: ItemName,
    },
    /// One item is substituted too often.
    #[error("item {item} is substituted {found} times; at most {MAX_USES} are allowed")]
    TooManyUses {
        /// The item.
        item: ItemName,
        /// The number of times.
        found: usize,
    },
    /// Kubernetes checks the content of this value because of the Secret's type, and the outcome would tell something
    /// about an item.
    #[error("template.data.{key} is checked by Kubernetes in a Secret of type {}: {rule}", word(type_))]
    CheckedByType {
        /// The key of `template.data`.
        key: ItemName,
        /// The Secret's type.
        type_: String,
        /// The advice, as a sentence.
        rule: &'static str,
    },
    /// A key of `template.data` that is also the name of an item.
    #[error("template.data.{0} is also an item in encryptedData")]
    KeyIsItem(ItemName),
}

enum Segment {
    Literal(String),
    Reference { item: ItemName, encoder: Encoder },
}

/// `template.data`, parsed; it holds no plaintext.
pub struct TemplateData(BTreeMap<ItemName, Vec<Segment>>);

/// The items that one text of `template.data` uses.
///
/// # Errors
///
/// [`TemplateError::MalformedReference`] and [`TemplateError::UnknownEncoder`]: the text alone is looked at.
pub fn items_in(key: &ItemName, text: &str) -> Result<BTreeSet<ItemName>, TemplateError> {
    let segments = parse_text(key, text)?.into_iter();
    Ok(segments
        .filter_map(|segment| match segment {
            Segment::Reference { item, .. } => Some(item),
            Segment::Literal(_) => None,
        })
        .collect())
}

impl TemplateData {
    /// Parses every value and checks every reference against the object's items.
    ///
    /// # Errors
    ///
    /// Any [`TemplateError`]. The caller has parsed the keys, so a key that isn't an item name is an error there.
    pub fn parse<'a>(
        data: impl IntoIterator<Item = (ItemName, &'a str)>,
        is_item: impl Fn(&ItemName) -> bool,
    ) -> Result<Self, TemplateError> {
        let mut parsed = BTreeMap::new();
        let mut uses: BTreeMap<ItemName, usize> = BTreeMap::new();
        for (key, text) in data {
            if is_item(&key) {
                return Err(TemplateError::KeyIsItem(key));
            }
            let segments = parse_text(&key, text)?;
            for segment in &segments {
                if let Segment::Reference { item, .. } = segment {
                    if !is_item(item) {
                        return Err(TemplateError::UnknownItem { key, item: item.clone() });
                    }
                    *uses.entry(item.clone()).or_default() += 1;
                }
            }
            parsed.insert(key, segments);
        }
        match uses.into_iter().find(|(_, found)| *found > MAX_USES) {
            Some((item, found)) => Err(TemplateError::TooManyUses { item, found }),
            None => Ok(Self(parsed)),
        }
    }

    /// The keys that the template adds to the Secret.
    pub fn keys(&self) -> impl Iterator<Item = &ItemName> {
        self.0.keys()
    }

    /// The items that are substituted; an item comes once for each reference.
    pub fn references(&self) -> impl Iterator<Item = &ItemName> {
        self.0.values().flatten().filter_map(|segment| match segment {
            Segment::Reference { item, .. } => Some(item),
            Segment::Literal(_) => None,
        })
    }

    /// Refuses a template for which Kubernetes' own check of a value's content, which comes with some types, could
    /// depend on an item.
    ///
    /// The threat: an attacker who may edit the template sees if Kubernetes accepts the Secret. That tells, for
    /// example, if `1e$(pin)` is a number that a float can hold; and then the attacker asks the next question.
    ///
    /// # Errors
    ///
    /// [`TemplateError::CheckedByType`].
    pub fn check_type(&self, type_: &str) -> Result<(), TemplateError> {
        for (key, segments) in &self.0 {
            let rule = match (type_, key.as_str()) {
                ("kubernetes.io/dockerconfigjson", ".dockerconfigjson")
                | ("kubernetes.io/dockercfg", ".dockercfg")
                    if !is_json_object_whatever_the_items(segments) =>
                {
                    "make it a JSON object, with references inside its strings only, each with an encoder"
                }
                ("kubernetes.io/ssh-auth", "ssh-privatekey")
                    if !segments.iter().any(|segment| matches!(segment, Segment::Literal(_))) =>
                {
                    "put some text beside the reference, or seal it as an item"
                }
                _ => continue,
            };
            return Err(TemplateError::CheckedByType { key: key.clone(), type_: type_.to_owned(), rule });
        }
        Ok(())
    }

    /// The most bytes that the finished values can have together. `bound_of` gives the most bytes that an item can
    /// have; if those bounds are public, so is the answer.
    pub fn max_rendered_len(&self, bound_of: impl Fn(&ItemName) -> usize) -> usize {
        let len = |segment: &Segment| match segment {
            Segment::Literal(text) => text.len(),
            Segment::Reference { item, encoder } => encoder.max_len(bound_of(item)),
        };
        self.0.values().flatten().map(len).sum()
    }

    /// Substitutes the items: the finished values.
    ///
    /// # Assumptions
    ///
    /// `items` has every item that was one when the template was parsed.
    pub fn render(&self, items: &BTreeMap<ItemName, Plaintext>) -> BTreeMap<ItemName, Plaintext> {
        let render = |segments: &Vec<Segment>| {
            let parts: Vec<Zeroizing<Vec<u8>>> = segments
                .iter()
                .map(|segment| match segment {
                    Segment::Literal(text) => Zeroizing::new(text.clone().into_bytes()),
                    Segment::Reference { item, encoder } => encoder.encode(items[item].expose()),
                })
                .collect();
            // Allocated once at full size: growing would leave unwiped copies behind.
            let mut out = Zeroizing::new(Vec::with_capacity(parts.iter().map(|part| part.len()).sum()));
            parts.iter().for_each(|part| out.extend_from_slice(part));
            Plaintext::from(out)
        };
        self.0.iter().map(|(key, segments)| (key.clone(), render(segments))).collect()
    }
}

/// `true` if the text is a JSON object for any items: it is one with an `x` in the place of each reference, and every
/// reference has an encoder, so that a value adds only characters to the string around it. An `x` fits nowhere but
/// inside of a string, and not behind a backslash.
fn is_json_object_whatever_the_items(segments: &[Segment]) -> bool {
    let is_encoded = |segment: &Segment| !matches!(segment, Segment::Reference { encoder: Encoder::Raw, .. });
    let text: String = segments
        .iter()
        .map(|segment| match segment {
            Segment::Literal(text) => text.as_str(),
            Segment::Reference { .. } => "x",
        })
        .collect();
    segments.iter().all(is_encoded)
        && serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(&text).is_ok()
}

fn parse_text(key: &ItemName, text: &str) -> Result<Vec<Segment>, TemplateError> {
    let mut segments = Vec::new();
    let mut literal = String::new();
    let mut rest = text;
    while let Some(dollar) = rest.find('$') {
        literal.push_str(&rest[..dollar]);
        rest = &rest[dollar..];
        if let Some(after) = rest.strip_prefix("$$(") {
            literal.push_str("$(");
            rest = after;
        } else if let Some(after) = rest.strip_prefix("$(") {
            let malformed = |found: &str| TemplateError::MalformedReference {
                key: key.clone(),
                found: found.chars().take(64).collect(),
            };
            let end = after.find(')').ok_or_else(|| malformed(rest))?;
            let inside = &after[..end];
            let (item, encoder) = match inside.split_once('|') {
                Some((item, encoder)) => (item, Some(encoder)),
                None => (inside, None),
            };
            let item = item.parse().map_err(|_| malformed(&rest[..end + 3]))?;
            let encoder = match encoder {
                None => Encoder::Raw,
                Some(name) => Encoder::named(name).ok_or_else(|| TemplateError::UnknownEncoder {
                    key: key.clone(),
                    encoder: name.chars().take(64).collect(),
                })?,
            };
            if !literal.is_empty() {
                segments.push(Segment::Literal(std::mem::take(&mut literal)));
            }
            segments.push(Segment::Reference { item, encoder });
            rest = &after[end + 1..];
        } else {
            literal.push('$');
            rest = &rest[1..];
        }
    }
    literal.push_str(rest);
    if !literal.is_empty() {
        segments.push(Segment::Literal(literal));
    }
    Ok(segments)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(name: &str) -> ItemName {
        name.parse().unwrap()
    }

    fn render(text: &str, items: &[(&str, &[u8])]) -> Result<Vec<u8>, TemplateError> {
        let items: BTreeMap<ItemName, Plaintext> =
            items.iter().map(|(key, value)| (name(key), Plaintext::from(value.to_vec()))).collect();
        let parsed = TemplateData::parse([(name("out"), text)], |item| items.contains_key(item))?;
        let rendered = parsed.render(&items)[&name("out")].expose().to_vec();
        assert!(parsed.max_rendered_len(|item| items[item].len()) >= rendered.len(), "{text}");
        Ok(rendered)
    }

    #[test]
    fn references_are_kubernetes_own() {
        let items: &[(&str, &[u8])] = &[("user", b"me"), ("tls.key", b"k")];
        for (text, expected) in [
            ("plain", "plain"),
            ("", ""),
            ("$(user)", "me"),
            ("a$(user)b$(tls.key)c", "amebkc"),
            ("$$(user)", "$(user)"),
            ("$$$(user)", "$$(user)"),
            ("$user $ $) $$", "$user $ $) $$"),
        ] {
            assert_eq!(render(text, items).unwrap(), expected.as_bytes(), "{text}");
        }
    }

    #[test]
    fn encoders_take_every_value() {
        let items: &[(&str, &[u8])] = &[("a", b"\"\\\n\x1b\xffz /\xc3\xa9")];
        for (text, expected) in [
            ("$(a)", "\"\\\n\u{1b}\u{fffd}z /é"),
            ("$(a|base64)", "IlwKG/96IC/DqQ=="),
            ("$(a|hex)", "225c0a1bff7a202fc3a9"),
            ("$(a|url)", "%22%5C%0A%1B%FFz%20%2F%C3%A9"),
            ("$(a|json)", "\\\"\\\\\\n\\u001b\u{fffd}z /é"),
        ] {
            assert_eq!(String::from_utf8_lossy(&render(text, items).unwrap()), expected, "{text}");
        }
        assert_eq!(render("$(a)", items).unwrap(), items[0].1);
    }

    #[test]
    fn malformed_references_are_refused_by_name() {
        let items: &[(&str, &[u8])] = &[("a", b"x")];
        for (text, expected) in [
            ("$(a", "template.data.out: \"$(a\" is not $(item)"),
            ("$()", "template.data.out: \"$()\" is not $(item)"),
            ("$(a b)", "template.data.out: \"$(a b)\" is not $(item)"),
            ("$(a|upper)", "template.data.out: unknown encoder \"upper\""),
            ("$(b)", "template.data.out refers to item b, which encryptedData doesn't have"),
        ] {
            let error = render(text, items).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{text}: {error}");
        }
    }

    #[test]
    fn an_item_is_substituted_at_most_sixteen_times() {
        assert!(render(&"$(a)".repeat(16), &[("a", b"x")]).is_ok());
        assert_eq!(
            render(&"$(a)".repeat(17), &[("a", b"x")]),
            Err(TemplateError::TooManyUses { item: name("a"), found: 17 })
        );
    }

    #[test]
    fn what_kubernetes_checks_by_type_does_not_depend_on_an_item() {
        let outcome = |type_: &str, key: &str, text: &str| {
            TemplateData::parse([(name(key), text)], |item| item.as_str() == "a").unwrap().check_type(type_)
        };
        let docker = |text| outcome("kubernetes.io/dockerconfigjson", ".dockerconfigjson", text);
        for text in
            [r#"{"auths":{"r":{"password":"$(a|json)","auth":"$(a|base64)"}}}"#, r#"{"$(a|hex)":1}"#, "{}"]
        {
            assert_eq!(docker(text), Ok(()), "{text}");
        }
        for text in [
            r#"{"x":1e$(a|url)}"#,
            r#"{"x":"$(a)"}"#,
            r#"{"x":"\$(a|url)"}"#,
            r#"{"x":"\u00$(a|hex)"}"#,
            r#"{"x":tru$(a|url)}"#,
            r#""$(a|json)""#,
            "$(a|json)",
            "",
        ] {
            assert!(matches!(docker(text), Err(TemplateError::CheckedByType { .. })), "{text}");
            assert_eq!(outcome("Opaque", ".dockerconfigjson", text), Ok(()), "{text}");
        }
        assert!(outcome("kubernetes.io/ssh-auth", "ssh-privatekey", "$(a)").is_err());
        assert!(outcome("kubernetes.io/ssh-auth", "ssh-privatekey", "-----BEGIN\n$(a)").is_ok());
    }

    #[test]
    fn a_key_may_not_shadow_an_item() {
        let error = TemplateData::parse([(name("a"), "x")], |_| true).err();
        assert_eq!(error, Some(TemplateError::KeyIsItem(name("a"))));
    }
}
