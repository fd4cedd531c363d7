//! The label of RSA-OAEP, which ties an item of the Bitnami format to its place.
//!
//! ```text
//! strict          <namespace>/<name>
//! namespace-wide  <namespace>
//! cluster-wide    (empty)
//! ```
//!
//! A label is not a place. A controller opens under the label of a [`Binding`], whose names are valid, so no two places
//! share a label. To the format itself a name is just text, and kubeseal accepts any text. So [`Label::from_text`] does
//! too, for kubeseal's command line and for the endpoint `/v1/verify`. Invariant: a label never becomes a [`Place`],
//! so nothing that is sealed under such a text can become a Secret.
//!
//! [`Place`]: crate::Place

use std::fmt;

use super::item;
use crate::keys::RsaPublicKey;
use crate::scope::{Binding, Scope};

/// The label of an item, and the scope that made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    scope: Scope,
    text: String,
}

impl Label {
    /// The label of any two texts, valid names or not.
    pub fn from_text(scope: Scope, namespace: &str, name: &str) -> Self {
        let text = match scope {
            Scope::Strict => format!("{namespace}/{name}"),
            Scope::NamespaceWide => namespace.to_owned(),
            Scope::ClusterWide => String::new(),
        };
        Self { scope, text }
    }

    /// Seals one value of `encryptedData`: base64 that opens only under the same label.
    pub fn seal_item(&self, key: &RsaPublicKey, value: &[u8]) -> String {
        item::seal(key, &self.text, value)
    }

    pub(super) fn scope(&self) -> Scope {
        self.scope
    }

    pub(super) fn as_str(&self) -> &str {
        &self.text
    }
}

impl From<&Binding> for Label {
    /// Different bindings give different labels, because a namespace has no `/`.
    fn from(binding: &Binding) -> Self {
        let text = |part: Option<&str>| part.unwrap_or_default().to_owned();
        let namespace = text(binding.namespace().map(AsRef::as_ref));
        Self::from_text(binding.scope(), &namespace, &text(binding.name().map(AsRef::as_ref)))
    }
}

impl fmt::Display for Label {
    /// The form of a [`Binding`]: `prod/db`, `namespace prod` or `any namespace`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.text.escape_debug();
        match self.scope {
            Scope::Strict => write!(f, "{text}"),
            Scope::NamespaceWide => write!(f, "namespace {text}"),
            Scope::ClusterWide => f.write_str("any namespace"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scope::Place;

    #[test]
    fn a_place_and_its_texts_have_one_label() {
        let place = Place { namespace: "prod".parse().unwrap(), name: "db".parse().unwrap() };
        for (scope, text) in
            [(Scope::Strict, "prod/db"), (Scope::NamespaceWide, "prod"), (Scope::ClusterWide, "")]
        {
            let binding = Binding::new(scope, &place);
            let label = Label::from(&binding);
            assert_eq!((label.as_str(), label.to_string()), (text, binding.to_string()));
            assert_eq!(label, Label::from_text(scope, "prod", "db"));
        }
    }

    #[test]
    fn a_label_from_text_is_shown_without_control_characters() {
        let label = Label::from_text(Scope::Strict, "prod", "a\u{1b}[2J\u{202e}b");
        assert_eq!(label.to_string(), "prod/a\\u{1b}[2J\\u{202e}b");
    }
}
