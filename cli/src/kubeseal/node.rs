//! A value of an object, with its fields in the order in which Go prints them.
//!
//! Not a reader ([`super::schema`]) and not a printer ([`super::json`], [`super::yaml`]). Invariant: text is wiped
//! on drop, since a Secret in the clear is such a value; hence no `Debug`, no `Clone`, no `Display`.

use zeroize::Zeroizing;

/// One value.
pub(super) enum Node {
    Null,
    Bool(bool),
    /// As it was written.
    Number(String),
    Text(Zeroizing<String>),
    List(Vec<Node>),
    Map(Entries),
}

/// The entries of a mapping.
pub(super) type Entries = Vec<(String, Node)>;

impl Node {
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self::Text(Zeroizing::new(text.into()))
    }

    /// What Go's JSON leaves out where a field may be left out: zero, false, nothing.
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::Null | Self::Bool(false) => true,
            Self::Bool(true) => false,
            Self::Number(number) => number.as_str() == "0",
            Self::Text(text) => text.is_empty(),
            Self::List(values) => values.is_empty(),
            Self::Map(entries) => entries.is_empty(),
        }
    }

    pub(super) fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn entries(&self) -> &[(String, Self)] {
        match self {
            Self::Map(entries) => entries,
            _ => &[],
        }
    }

    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        self.entries().iter().find(|(known, _)| known == key).map(|(_, value)| value)
    }

    /// The text under a key; none is the empty text, as in Go.
    pub(super) fn text_at(&self, key: &str) -> &str {
        self.get(key).and_then(Self::as_text).unwrap_or_default()
    }

    /// The value under a key, to be changed; an empty mapping is made of anything else than a mapping.
    pub(super) fn map_mut(&mut self) -> &mut Entries {
        if !matches!(self, Self::Map(_)) {
            *self = Self::Map(Vec::new());
        }
        match self {
            Self::Map(entries) => entries,
            _ => unreachable!("it was just made one"),
        }
    }

    /// Takes a value out.
    pub(super) fn take(&mut self, key: &str) -> Option<Self> {
        let Self::Map(entries) = self else { return None };
        let index = entries.iter().position(|(known, _)| known == key)?;
        Some(entries.remove(index).1)
    }

    /// How long this gets as text, at most: a byte becomes an escape of six, or a line with its indent.
    pub(super) fn longest(&self, indent: usize) -> usize {
        let text = |text: &str| text.len() * (8 + indent) + 8;
        match self {
            Self::Null | Self::Bool(_) => 8,
            Self::Number(number) => number.len(),
            Self::Text(value) => text(value),
            Self::List(values) => {
                values.iter().map(|value| value.longest(indent + 4) + indent + 8).sum::<usize>() + indent + 8
            }
            Self::Map(entries) => {
                let entry =
                    |(key, value): &(String, Self)| text(key) + value.longest(indent + 4) + indent + 8;
                entries.iter().map(entry).sum::<usize>() + indent + 8
            }
        }
    }
}

/// The pairs of a mapping of strings, such as labels.
pub(super) fn strings(node: Option<&Node>) -> impl Iterator<Item = (&str, &str)> {
    let entries = node.map(Node::entries).unwrap_or_default();
    entries.iter().filter_map(|(key, value)| Some((key.as_str(), value.as_text()?)))
}
