//! A value of an object, with its fields in the order in which Go prints them.
//!
//! [`super::schema`] puts the fields in order, [`super::read`] reads values and [`super::print`] prints them.
//! Invariant: text is wiped on drop, since a Secret in the clear is such a value. Hence there is no `Debug`,
//! `Clone` or `Display`.

use seal_go::View;
use zeroize::Zeroizing;

/// A value as Go's JSON has it, with the entries of a mapping in the order in which they are printed.
pub(super) enum GoValue {
    Null,
    Bool(bool),
    Number(i64),
    Text(Zeroizing<String>),
    List(Vec<GoValue>),
    Map(Entries),
}

/// The entries of a mapping, in the order in which they are printed.
pub(super) type Entries = Vec<(String, GoValue)>;

impl GoValue {
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self::Text(Zeroizing::new(text.into()))
    }

    /// Whether Go's JSON leaves out a field with this value if it is marked `omitempty`.
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::Null | Self::Bool(false) => true,
            Self::Bool(true) => false,
            Self::Number(number) => *number == 0,
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

    /// The text under a key. A missing text is the empty text, as in Go.
    pub(super) fn text_at(&self, key: &str) -> &str {
        self.get(key).and_then(Self::as_text).unwrap_or_default()
    }

    /// The entries of this mapping, to be changed. A value that isn't a mapping becomes an empty mapping
    /// first.
    pub(super) fn map_mut(&mut self) -> &mut Entries {
        if !matches!(self, Self::Map(_)) {
            *self = Self::Map(Vec::new());
        }
        match self {
            Self::Map(entries) => entries,
            _ => unreachable!("it was just made one"),
        }
    }

    /// Takes the value under a key out of this mapping.
    pub(super) fn take(&mut self, key: &str) -> Option<Self> {
        let Self::Map(entries) = self else { return None };
        let index = entries.iter().position(|(known, _)| known == key)?;
        Some(entries.remove(index).1)
    }
}

impl seal_go::Node for GoValue {
    fn view(&self) -> View<'_, Self> {
        match self {
            Self::Null => View::Null,
            Self::Bool(value) => View::Bool(*value),
            Self::Number(number) => View::Int(*number),
            Self::Text(text) => View::Text(text.as_bytes()),
            Self::List(values) => View::List(values),
            Self::Map(entries) => {
                View::Map(entries.iter().map(|(key, value)| (key.as_bytes(), value)).collect())
            }
        }
    }
}

/// The pairs of a mapping of strings, such as labels.
pub(super) fn strings(node: Option<&GoValue>) -> impl Iterator<Item = (&str, &str)> {
    let entries = node.map(GoValue::entries).unwrap_or_default();
    entries.iter().filter_map(|(key, value)| Some((key.as_str(), value.as_text()?)))
}
