//! A mapping of a document, read for what it means to kubectl.
//!
//! Duplicate keys and merge keys are refused, because readers disagree on their meaning. A key that kubectl would rename
//! (`on:` is `true:` to it) is refused, and not renamed.

use super::patch::is_directive;
use crate::source::Located;
use crate::yaml::SEPARATORS;
use crate::yaml::resolve::{Plain, plain, plain_key};
use crate::yaml::tree::{NodeId, NodeKind, Style, Tree};

/// A node isn't of the form that its reader needs. An error names keys, never values.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FieldError {
    #[error("{0} must be a mapping")]
    NotMapping(String),
    #[error("the key {0} is there twice")]
    DuplicateKey(String),
    /// The key isn't repeated: in `{password:x}` it is the password.
    #[error("a key of {0} has no colon after it, and so no value")]
    BareKey(String),
    #[error("merge keys (<<) aren't understood here")]
    MergeKey,
    #[error("the unquoted key {key} is {kind} to kubectl")]
    AmbiguousKey { key: String, kind: &'static str },
    #[error("a key must be a string")]
    KeyNotText,
    #[error("{what} is {kind} to kubectl, which wants a string there")]
    NotText { what: String, kind: &'static str },
    #[error("{0} must be a string")]
    NotScalar(String),
    #[error("{0} must be a string, and this looks like a template that wasn't rendered")]
    Unrendered(String),
    #[error("{0} has no value")]
    NoValue(String),
    #[error("{0} has a tag that seal doesn't know")]
    Tagged(String),
    #[error("{what} must be true or false")]
    NotBool { what: String },
    #[error("{what} holds a line separator (U+{code:04X}) that YAML libraries read in different ways")]
    Separator { what: String, code: u32 },
}

impl FieldError {
    /// A way out, for the user.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::AmbiguousKey { key, .. } => format!("quote it: \"{key}\": …"),
            Self::NotText { .. } => "quote it: \"…\"".to_owned(),
            Self::Unrendered(_) => "render it first: helm template … | seal …".to_owned(),
            Self::NoValue(_) => "write \"\" if it is meant to be empty".to_owned(),
            Self::BareKey(_) => "write KEY: VALUE, with a space after the colon".to_owned(),
            Self::DuplicateKey(_) => "remove one of the two".to_owned(),
            Self::MergeKey => "write the merged keys out".to_owned(),
            Self::Tagged(_) => "remove the tag; binary values go under data, in base64".to_owned(),
            Self::Separator { code, .. } => {
                format!("write it as an escape in double quotes: \"\\u{code:04X}\"")
            }
            Self::NotMapping(_) | Self::KeyNotText | Self::NotScalar(_) | Self::NotBool { .. } => {
                return None;
            }
        })
    }
}

/// Whether a key looks like one of Kubernetes, and so may be shown. A slip of the hand makes a key of a line of a private
/// key: an age identity is known by its beginning, and base64 by letters and digits without a break.
pub fn is_word(key: &str) -> bool {
    const LONGEST_RUN: usize = 40;
    const IDENTITY: &str = "AGE-SECRET-KEY-";
    let is_identity = key.get(..IDENTITY.len()).is_some_and(|start| start.eq_ignore_ascii_case(IDENTITY));
    let is_broken = || key.split(|c| "-._/".contains(c)).all(|run| run.len() <= LONGEST_RUN);
    let is_plain = key.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._/".contains(&b));
    key == "<<" || is_directive(key) || (is_plain && !is_identity && is_broken())
}

/// A key for a message, if it looks like one.
pub fn shown(key: &str) -> String {
    if is_word(key) { key.chars().take(64).collect() } else { "…".to_owned() }
}

/// One entry of a mapping.
pub struct Field<'t> {
    pub key: &'t str,
    pub key_id: NodeId,
    pub value: NodeId,
}

/// A mapping's entries, each key once.
pub struct Fields<'t> {
    entries: Vec<Field<'t>>,
}

impl<'t> Fields<'t> {
    /// The entries of the node, which `what` names in messages. A null reads
    /// as an empty mapping, as it does to kubectl.
    pub fn read(tree: &'t Tree<'_>, id: NodeId, what: &str) -> Result<Self, Located<FieldError>> {
        let error = |id: NodeId, error| Located { error, at: tree.range(id).start };
        let found = match tree.kind(id) {
            NodeKind::Mapping { entries, .. } => entries,
            _ if tree.is_null(id) => return Ok(Self { entries: Vec::new() }),
            _ => return Err(error(id, FieldError::NotMapping(what.to_owned()))),
        };
        let mut entries: Vec<Field<'t>> = Vec::with_capacity(found.len());
        let mut seen = std::collections::HashSet::new();
        for &(key_id, value) in found {
            if tree.is_bare_key(key_id) {
                return Err(error(key_id, FieldError::BareKey(what.to_owned())));
            }
            let key = read_key(tree, key_id).map_err(|problem| error(key_id, problem))?;
            if !seen.insert(key) {
                return Err(error(key_id, FieldError::DuplicateKey(shown(key))));
            }
            entries.push(Field { key, key_id, value });
        }
        Ok(Self { entries })
    }

    pub fn get(&self, key: &str) -> Option<NodeId> {
        self.entries.iter().find(|field| field.key == key).map(|field| field.value)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Field<'t>> {
        self.entries.iter()
    }
}

fn read_key<'t>(tree: &'t Tree<'_>, id: NodeId) -> Result<&'t str, FieldError> {
    match tree.kind(id) {
        NodeKind::Scalar { text, style: Style::Text } => Ok(text.as_str()),
        NodeKind::Scalar { text, style: Style::Plain } => match text.as_str() {
            "<<" => Err(FieldError::MergeKey),
            text => plain_key(text)
                .ok_or_else(|| FieldError::AmbiguousKey { key: shown(text), kind: plain(text).noun() }),
        },
        _ => Err(FieldError::KeyNotText),
    }
}

/// The string that a node is to kubectl. For any other node, the error calls it `what`.
pub fn text_of<'t>(
    tree: &'t Tree<'_>,
    source: &str,
    id: NodeId,
    what: impl Fn() -> String,
) -> Result<&'t str, Located<FieldError>> {
    let at = tree.range(id).start;
    let error = |error| Err(Located { error, at });
    let NodeKind::Scalar { text, style } = tree.kind(id) else {
        let is_template = source[tree.range(id)].starts_with("{{");
        return error(if is_template {
            FieldError::Unrendered(what())
        } else {
            FieldError::NotScalar(what())
        });
    };
    match style {
        Style::Tagged => return error(FieldError::Tagged(what())),
        Style::Plain => match plain(text.as_str()) {
            Plain::Text => {}
            Plain::Null => return error(FieldError::NoValue(what())),
            other => {
                return error(FieldError::NotText { what: what(), kind: other.noun() });
            }
        },
        Style::Text => {}
    }
    // A tree of YAML has none, since its reader refuses them; kustomize reads JSON as YAML too.
    let written = &source[tree.range(tree.resolve(id))];
    match written.chars().find(|c| SEPARATORS.contains(c)) {
        Some(c) => error(FieldError::Separator { what: what(), code: c as u32 }),
        None => Ok(text.as_str()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::json::parse_json;
    use crate::yaml::tree::parse;

    fn read(text: &str) -> Result<Vec<(String, String)>, FieldError> {
        let trees = parse(text, 0).unwrap();
        let tree = &trees[0];
        let fields = Fields::read(tree, tree.root.unwrap(), "data").map_err(|e| e.error)?;
        let value =
            |field: &Field<'_>| text_of(tree, text, field.value, || field.key.to_owned()).map(str::to_owned);
        fields.iter().map(|f| Ok((f.key.to_owned(), value(f).map_err(|e| e.error)?))).collect()
    }

    #[test]
    fn quoted_words_are_strings() {
        let expected = [("on", "yes"), ("null", "~"), ("1", "1"), ("a", "x\ny\n")];
        let text = "\"on\": \"yes\"\n'null': '~'\n1: !!str 1\na: |\n  x\n  y\n";
        assert_eq!(read(text).unwrap(), expected.map(|(k, v)| (k.to_owned(), v.to_owned())));
    }

    #[test]
    fn a_line_of_a_private_key_is_never_shown_as_a_key() {
        for line in [
            "AGE-SECRET-KEY-PQ-1HUNTER2",
            "age-secret-key-1hunter2",
            "MIIEpAIBAAKCAQEAx0wbbEe51ZAfcLt6TDRrQ2yXfPqk5tbmVGmCQEuJ0VvhnM5X",
        ] {
            assert_eq!(shown(line), "…", "{line}");
        }
        for key in
            ["password", "tls.crt", ".dockerconfigjson", "kubectl.kubernetes.io/last-applied-configuration"]
        {
            assert_eq!(shown(key), key);
        }
    }

    #[test]
    fn what_kubectl_would_convert_or_rename_is_refused() {
        let refused = |text: &str| read(text).unwrap_err();
        for key in ["on", "y", "True", "017", "~"] {
            assert!(matches!(refused(&format!("{key}: x")), FieldError::AmbiguousKey { .. }), "{key}");
        }
        for value in ["on", "1", "1.5", "0x1f", "no"] {
            assert!(matches!(refused(&format!("a: {value}")), FieldError::NotText { .. }), "{value}");
        }
        assert_eq!(refused("a:\nb: x"), FieldError::NoValue("a".to_owned()));
        assert_eq!(refused("a: !!binary eA=="), FieldError::Tagged("a".to_owned()));
        assert_eq!(refused("a: {b: c}"), FieldError::NotScalar("a".to_owned()));
        assert_eq!(refused("a: {{ .Values.a }}"), FieldError::Unrendered("a".to_owned()));
        assert_eq!(refused("[a]"), FieldError::NotMapping("data".to_owned()));
        assert_eq!(refused("a: x\n\"a\": y"), FieldError::DuplicateKey("a".to_owned()));
        assert_eq!(refused("x: &x {a: b}\n<<: *x"), FieldError::MergeKey);
    }

    #[test]
    fn a_line_separator_of_json_is_refused_where_a_string_is_asked_for() {
        let text = "{\"a\": \"x\u{2028}y\"}";
        let trees = parse_json(text).unwrap().unwrap();
        let tree = &trees[0];
        let value = tree.get(tree.root.unwrap(), "a").unwrap();
        let error = text_of(tree, text, value, || "a".to_owned()).unwrap_err().error;
        assert_eq!(error, FieldError::Separator { what: "a".to_owned(), code: 0x2028 });
    }

    #[test]
    fn an_alias_reads_as_what_it_stands_for() {
        let expected = [("a", "x"), ("b", "x")].map(|(k, v)| (k.to_owned(), v.to_owned()));
        assert_eq!(read("a: &v x\nb: *v").unwrap(), expected);
    }
}
