//! Documents from outside, YAML or JSON, for programs that keep objects and never show their text.
//!
//! [`documents`] gives trees, one at a time. A program finds its objects on a tree, and decodes those: all other
//! documents must only be YAML or JSON, and in bounds. [`read_json`] makes values of JSON without a tree.
//!
//! A line separator that YAML 1.1 (kubectl) breaks lines at and YAML 1.2 doesn't is refused wherever it stands: behind
//! one, the former may see an object where the latter sees a comment.
//!
//! Invariants: an error says where and what in fixed words; the parser's own text may quote the file and is dropped.
//! Nothing is built from a text that is out of bounds ([`crate::limits`]), and every value is weighed before it is made
//! ([`Room`]).

use std::collections::BTreeMap;

use seal_crds::Format;
use serde_json::Value;

use crate::limits::{Excess, OutOfBounds, check_json, check_yaml};
use crate::manifest::{Claims, DecodeError, Decoder, FieldError, text_at};
use crate::room::{NoRoom, Room};
use crate::source::{AtLine, Located};
use crate::yaml::tree::{NodeId, ParseError, Tree};
use crate::yaml::{SEPARATORS, Syntax, json as json_trees, tree};

mod json;

pub use json::read_json;

/// Why a document can't be read. The words are the rest of a sentence about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    #[error("isn't YAML")]
    NotYaml,
    #[error("isn't JSON")]
    NotJson,
    #[error("isn't text in UTF-8")]
    NotText,
    #[error("has a line separator that YAML libraries read in different ways")]
    Separator,
    #[error("has a key twice")]
    Twice,
    #[error("has a key that this reader keeps for itself")]
    Reserved,
    #[error(transparent)]
    Excess(#[from] Excess),
    #[error(transparent)]
    NoRoom(#[from] NoRoom),
}

impl From<ParseError> for DocumentError {
    fn from(error: ParseError) -> Self {
        match error {
            ParseError::NotYaml(_) => Self::NotYaml,
            ParseError::NotJson => Self::NotJson,
            ParseError::Separator(_) => Self::Separator,
            ParseError::OutOfBounds(excess) => Self::Excess(excess),
            ParseError::NoRoom => Self::NoRoom(NoRoom),
        }
    }
}

/// One document of a text, as a tree.
pub struct Document<'a> {
    tree: Tree<'a>,
    text: &'a str,
}

/// The parts of a SealedSecret that decide what becomes of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Parts {
    /// The SealedSecret's own, in the Bitnami format; they mean nothing in the native one, and are left out there.
    pub annotations: BTreeMap<String, String>,
    /// The spec, or a null if there is none.
    pub spec: Value,
}

/// The documents of a text, one by one; after one that can't be read there is no telling where the next begins. Their
/// trees have at most as many nodes, all together, as there is room for values.
pub fn documents<'a>(
    bytes: &'a [u8],
    syntax: Syntax,
    room: Room,
) -> Box<dyn Iterator<Item = Result<Document<'a>, AtLine<DocumentError>>> + 'a> {
    let text = match check(bytes, syntax) {
        Ok(text) => text,
        Err(error) => return Box::new(std::iter::once(Err(error.at_line(bytes)))),
    };
    let document = move |tree: Result<Tree<'a>, Located<ParseError>>| match tree {
        Ok(tree) => Ok(Document { tree, text }),
        Err(error) => Err(error.map(DocumentError::from).at_line(bytes)),
    };
    match syntax {
        // A node takes up no more in a tree than a value weighs.
        Syntax::Yaml => Box::new(tree::documents(text, 0, room.nodes()).map(document)),
        Syntax::Json => Box::new(json_trees::documents(text, 0).map(document)),
    }
}

/// The text, if it is one that every reader reads in the same way, and that can be built.
fn check(bytes: &[u8], syntax: Syntax) -> Result<&str, Located<DocumentError>> {
    let not_text = |at| Located { error: DocumentError::NotText, at };
    let text = std::str::from_utf8(bytes).map_err(|error| not_text(error.valid_up_to()))?;
    let out_of_bounds = |OutOfBounds { excess, at }| Located { error: excess.into(), at };
    match syntax {
        Syntax::Json => check_json(bytes).map_err(out_of_bounds)?,
        Syntax::Yaml => {
            if let Some(at) = text.find(SEPARATORS) {
                return Err(Located { error: DocumentError::Separator, at });
            }
            check_yaml(text).map_err(out_of_bounds)?;
        }
    }
    Ok(text)
}

impl Document<'_> {
    /// The node of the whole document; `None` if it is empty, or a null.
    pub fn root(&self) -> Option<NodeId> {
        self.tree.root.filter(|root| !self.tree.is_null(*root))
    }

    /// The type that an object claims; `None` if the node is no mapping, and so no object.
    pub fn claims(&self, object: NodeId) -> Option<Claims<'_>> {
        Claims::of(&self.tree, object)
    }

    /// The string under a field of an object's metadata; `None` if there is none.
    ///
    /// # Errors
    ///
    /// Readers can differ on it.
    pub fn metadata(&self, object: NodeId, field: &str) -> Result<Option<&str>, AtLine<FieldError>> {
        text_at(&self.tree, object, &["metadata", field]).map_err(|error| self.at_line(error))
    }

    /// The parts of a SealedSecret of this format.
    ///
    /// # Errors
    ///
    /// The first thing in them that readers could disagree on, or for which there is no room.
    pub fn parts(
        &self,
        object: NodeId,
        format: Format,
        room: &mut Room,
    ) -> Result<Parts, AtLine<DecodeError>> {
        let mut decoder = Decoder::new(&self.tree, self.text, room);
        let annotations = match format {
            Format::Native => Ok(BTreeMap::new()),
            Format::Bitnami => decoder.annotations(object),
        };
        let parts = annotations.and_then(|annotations| {
            let spec = decoder.spec(object)?.map_or(Value::Null, |(spec, _)| spec);
            Ok(Parts { annotations, spec })
        });
        parts.map_err(|error| self.at_line(error))
    }

    /// A whole SealedSecret.
    ///
    /// # Errors
    ///
    /// The first thing in it that readers could disagree on, or for which there is no room.
    pub fn object(&self, object: NodeId, room: &mut Room) -> Result<Value, AtLine<DecodeError>> {
        Decoder::new(&self.tree, self.text, room).object(object).map_err(|error| self.at_line(error))
    }

    /// An error with the line that it is about.
    pub fn at_line<E>(&self, error: Located<E>) -> AtLine<E> {
        error.at_line(self.text.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &[u8], syntax: Syntax, max_weight: usize) -> Vec<Result<Value, String>> {
        let mut room = Room::new(max_weight);
        let value = |document: Result<Document<'_>, AtLine<DocumentError>>| {
            let document = document.map_err(|error| error.to_string())?;
            let Some(root) = document.root() else { return Ok(Value::Null) };
            document.object(root, &mut room).map_err(|error| error.to_string())
        };
        documents(text, syntax, Room::unlimited()).map(value).collect()
    }

    fn yaml(text: &str) -> Vec<Result<Value, String>> {
        read(text.as_bytes(), Syntax::Yaml, usize::MAX)
    }

    /// The two readers of JSON, which differ in words only.
    fn json(text: &str) -> [Vec<Result<Value, String>>; 2] {
        let values = read_json(text.as_bytes(), usize::MAX).into_iter();
        [
            read(text.as_bytes(), Syntax::Json, usize::MAX),
            values.map(|value| value.map_err(|error| error.to_string())).collect(),
        ]
    }

    #[test]
    fn documents_are_read_one_by_one() {
        let found = yaml("a: 1\n---\n---\n# nothing\n---\n\"on\": [x, 2.5, null, on]\n1: -1\n");
        let expected = [
            serde_json::json!({"a": 1}),
            Value::Null,
            Value::Null,
            serde_json::json!({"on": ["x", 2.5, null, true], "1": -1}),
        ];
        assert_eq!(found, expected.map(Ok));
        let expected = [serde_json::json!({"a": 1}), serde_json::json!({"b": 2})].map(Ok);
        assert_eq!(json("{\"a\":1}\n{\"b\":2}"), [expected.clone(), expected]);
    }

    #[test]
    fn documents_before_an_error_are_given_first() {
        let found = yaml("a: 1\n---\nb: 2\n---\nc: [\n");
        assert_eq!((found.len(), found[1].is_ok(), found[2].is_err()), (3, true, true));
        let room = Room::new(5 * crate::room::NODE);
        let found: Vec<_> = documents(b"a: 1\n---\nb: 2\n", Syntax::Yaml, room).collect();
        let error = found[1].as_ref().err().unwrap();
        assert_eq!((found[0].is_ok(), error.error), (true, DocumentError::NoRoom(NoRoom)));
    }

    #[test]
    fn a_key_that_occurs_twice_is_refused_at_every_depth() {
        let [tree, serde] = json(r#"{"a":{"b":1,"b":2}}"#);
        for found in [yaml("a:\n  b: 1\n  b: 2\n"), tree, serde, yaml("1: a\n'1': b\n")] {
            let error = found[0].clone().unwrap_err();
            assert!(error.contains("twice at line "), "{error}");
        }
    }

    #[test]
    fn no_text_in_a_value_becomes_a_tree() {
        let text = r#"{"a": {"$serde_json::private::RawValue": "[[0]]"}}"#;
        let escaped = r#"{"a": {"\u0024serde_json::private::RawValue": "[[0]]"}}"#;
        for found in json(text).into_iter().chain(json(escaped)).chain([yaml(text)]) {
            let error = found[0].clone().unwrap_err();
            assert!(error.contains("keeps for itself at line 1"), "{error}");
        }
    }

    #[test]
    fn an_error_says_where_and_quotes_nothing() {
        let found = yaml("a: 1\n---\nb: hunter2\n  password: [hunter2\n");
        assert_eq!(found.len(), 2);
        let error = found[1].clone().unwrap_err();
        assert!(error.starts_with("isn't YAML at line ") && !error.contains("hunter2"), "{error}");
        for found in json("{\"a\":\n hunter2}") {
            let error = found[0].clone().unwrap_err();
            assert!(error.starts_with("isn't JSON at line 2") && !error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn a_file_that_is_out_of_bounds_is_refused_before_anything_is_made() {
        let aliases = vec!["*a"; 1000].join(", ");
        let repeated = format!("a: &a {}\nb: [{aliases}]\n", "x".repeat(100_000));
        // Each says why, and not that there is no room.
        for (text, syntax, expected) in [
            ("[".repeat(100_000), Syntax::Yaml, "nests deeper than 127 levels at line 1, column 128"),
            ("{a: ".repeat(100_000), Syntax::Yaml, "nests deeper than 127 levels at line 1, column "),
            ("\n{\"a\":".repeat(100_000), Syntax::Json, "nests deeper than 127 levels at line 129, column 1"),
            ("- x\n".repeat(1_000_001), Syntax::Yaml, "holds more than 1000000 values"),
            (format!("[{}]", "1,".repeat(1_000_001)), Syntax::Json, "holds more than 1000000 values"),
            (repeated, Syntax::Yaml, "says far more than it is long (aliases) at line 2"),
        ] {
            let error = documents(text.as_bytes(), syntax, Room::new(0)).next().unwrap().err().unwrap();
            assert!(error.to_string().starts_with(expected), "{error}");
            if syntax == Syntax::Json {
                let error = read_json(text.as_bytes(), 0)[0].clone().unwrap_err().to_string();
                assert!(error.starts_with(expected), "{error}");
            }
        }
    }

    #[test]
    fn what_another_library_reads_as_the_end_of_a_comment_is_refused() {
        for separator in ["\u{85}", "\u{2028}", "\u{2029}"] {
            let error = yaml(&format!("a: 1 # x{separator}b: {{c: [d]}}\n"))[0].clone().unwrap_err();
            assert_eq!(
                error,
                "has a line separator that YAML libraries read in different ways at line 1, column 9"
            );
        }
        let json = "{\"a\": \"x\u{2028}y\"}".as_bytes();
        assert!(read_json(json, usize::MAX)[0].is_ok(), "in JSON it is a character like any other");
        assert!(documents(json, Syntax::Json, Room::unlimited()).all(|document| document.is_ok()));
    }

    #[test]
    fn bytes_that_are_no_text_are_refused_with_their_place() {
        let error = read(b"a: 1\nb: \xff", Syntax::Yaml, usize::MAX)[0].clone().unwrap_err();
        assert_eq!(error, "isn't text in UTF-8 at line 2, column 4");
    }

    #[test]
    fn what_a_file_says_weighs_at_most_what_there_is_room_for() {
        let text = "a: [1, x, {b: null, c: {}}]\n1: true\n";
        let mut room = Room::new(1 << 20);
        let document = documents(text.as_bytes(), Syntax::Yaml, room).next().unwrap().ok().unwrap();
        document.object(document.root().unwrap(), &mut room).unwrap();
        let weight = (1 << 20) - room.left();
        assert!(read(text.as_bytes(), Syntax::Yaml, weight)[0].is_ok());
        assert!(read(text.as_bytes(), Syntax::Yaml, weight - 1)[0].is_err());
        let documents = format!("{text}---\n{text}");
        let found = read(documents.as_bytes(), Syntax::Yaml, 2 * weight - 2 * crate::room::NODE);
        assert!(found[0].is_ok());
        let is_full =
            |error: String| error.starts_with("takes up more memory than there is room for at line");
        assert!(is_full(found[1].clone().unwrap_err()));
        let found = read_json(b"[1, 2, 3]", 2 * crate::room::NODE);
        assert!(is_full(found[0].clone().unwrap_err().to_string()));
    }
}
