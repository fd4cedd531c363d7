//! The public parts of a SealedSecret as serde values, for types that are read with serde.
//!
//! The command line, the host and the HTTP endpoints all decode YAML here, so one object means the same to them:
//! what it means to kubectl. A thing that readers could disagree on is refused, not read one way or the other: a key
//! that occurs twice, a merge key, a key that kubectl would rename, a number where the spec wants text, a tag, a line
//! separator of YAML 1.1.
//!
//! For public parts only: the copy isn't wiped. Invariants: every value is weighed before it is made, an alias like
//! the value that it stands for ([`Room`]); no error repeats a value.

use std::collections::BTreeMap;

use seal_crds::resources::{SealedSecretSpec, SpecError, bitnami};
use seal_go::yaml::{Resolved, resolve};
use serde_json::{Map, Number, Value};

use super::fields::{FieldError, Fields, shown, text_of};
use super::{Manifest, Object};
use crate::room::{NoRoom, Room, is_reserved};
use crate::source::{Located, Spotted};
use crate::yaml::tree::{NodeId, NodeKind, Style, Tree};

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    #[error(transparent)]
    Field(#[from] FieldError),
    #[error("the SealedSecret has no spec")]
    NoSpec,
    #[error("the spec {0}")]
    NotSpec(SpecError),
    #[error("JSON has no word for this number")]
    Number,
    #[error("this key is one that seal keeps for itself")]
    Reserved,
    #[error(transparent)]
    NoRoom(#[from] NoRoom),
}

impl DecodeError {
    /// A way out, for the user.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Field(error) => error.hint(),
            Self::NotSpec(_) => Some("was it edited, or made by a later version?".to_owned()),
            Self::NoSpec | Self::Number | Self::Reserved | Self::NoRoom(_) => None,
        }
    }
}

impl Manifest<'_> {
    /// The spec of a SealedSecret of the native format.
    pub fn spec(&self, object: &Object) -> Result<SealedSecretSpec, Spotted<DecodeError>> {
        self.decode_spec(object, SealedSecretSpec::from_json)
    }

    /// The spec of a SealedSecret of the Bitnami format.
    pub fn bitnami_spec(&self, object: &Object) -> Result<bitnami::SealedSecretSpec, Spotted<DecodeError>> {
        self.decode_spec(object, bitnami::SealedSecretSpec::from_json)
    }

    fn decode_spec<T>(
        &self,
        object: &Object,
        from_json: impl Fn(&Value) -> Result<T, SpecError>,
    ) -> Result<T, Spotted<DecodeError>> {
        let tree = self.tree(object);
        let decode = || {
            let at = tree.range(object.node).start;
            // The bounds of a text are room enough for a program that reads one file and ends.
            let mut room = Room::unlimited();
            let (value, node) = Decoder::new(tree, self.source.text(), &mut room)
                .spec(object.node)?
                .ok_or(Located { error: DecodeError::NoSpec, at })?;
            from_json(&value)
                .map_err(|error| Located { error: DecodeError::NotSpec(error), at: tree.range(node).start })
        };
        decode().map_err(|error| self.locate(error))
    }

    /// The annotations of an object.
    pub fn annotations(&self, object: &Object) -> Result<BTreeMap<String, String>, Spotted<DecodeError>> {
        let mut room = Room::unlimited();
        let mut decoder = Decoder::new(self.tree(object), self.source.text(), &mut room);
        decoder.annotations(object.node).map_err(|error| self.locate(error))
    }
}

type Decoded<T> = Result<T, Located<DecodeError>>;

/// Nodes of one document to values.
pub(crate) struct Decoder<'t, 'a, 'r> {
    tree: &'t Tree<'a>,
    source: &'t str,
    room: &'r mut Room,
}

/// The treatment of numbers. The spec of a SealedSecret has none, so they are refused there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Numbers {
    Read,
    Refused,
}

impl<'t, 'a, 'r> Decoder<'t, 'a, 'r> {
    pub(crate) fn new(tree: &'t Tree<'a>, source: &'t str, room: &'r mut Room) -> Self {
        Self { tree, source, room }
    }

    /// The spec of a SealedSecret, and its node.
    pub(crate) fn spec(&mut self, object: NodeId) -> Decoded<Option<(Value, NodeId)>> {
        let fields = self.fields(object, "the SealedSecret")?;
        let Some(spec) = fields.get("spec") else { return Ok(None) };
        Ok(Some((self.value(spec, Numbers::Refused)?, spec)))
    }

    /// The annotations of a SealedSecret.
    pub(crate) fn annotations(&mut self, object: NodeId) -> Decoded<BTreeMap<String, String>> {
        let fields = self.fields(object, "the SealedSecret")?;
        let Some(metadata) = fields.get("metadata") else { return Ok(BTreeMap::new()) };
        let metadata = self.fields(metadata, "metadata")?;
        let Some(annotations) = metadata.get("annotations") else { return Ok(BTreeMap::new()) };
        let fields = self.fields(annotations, "metadata.annotations")?;
        let annotation = |field: &super::fields::Field<'_>| {
            let what = || format!("annotation {}", shown(field.key));
            let text = text_of(self.tree, self.source, field.value, what)
                .map_err(|error| error.map(DecodeError::from))?;
            self.room
                .node(field.key.len())
                .and_then(|()| self.room.node(text.len()))
                .map_err(|error| Located { error: error.into(), at: self.tree.range(field.value).start })?;
            Ok((field.key.to_owned(), text.to_owned()))
        };
        fields.iter().map(annotation).collect()
    }

    /// A whole SealedSecret.
    pub(crate) fn object(&mut self, object: NodeId) -> Decoded<Value> {
        let fields = self.fields(object, "the SealedSecret")?;
        self.mapping(object, &fields, |field| if field == "spec" { Numbers::Refused } else { Numbers::Read })
    }

    fn value(&mut self, id: NodeId, numbers: Numbers) -> Decoded<Value> {
        match self.tree.kind(id) {
            NodeKind::Sequence { items, .. } => {
                self.refuse_tag(id)?;
                self.weigh(id, 0)?;
                items.iter().map(|item| self.value(*item, numbers)).collect::<Decoded<_>>().map(Value::Array)
            }
            NodeKind::Mapping { .. } => {
                let fields = self.fields(id, "this")?;
                self.mapping(id, &fields, |_| numbers)
            }
            NodeKind::Scalar { text, style: Style::Plain } => match resolve(text.as_str()) {
                Resolved::Null => self.weigh(id, 0).map(|()| Value::Null),
                Resolved::Bool(value) => self.weigh(id, 0).map(|()| Value::Bool(value)),
                resolved if numbers == Numbers::Read => match number(resolved) {
                    None => self.text(id),
                    Some(number) => {
                        self.weigh(id, 0)?;
                        number.map(Value::Number).ok_or_else(|| self.here(id, DecodeError::Number))
                    }
                },
                _ => self.text(id),
            },
            NodeKind::Scalar { .. } | NodeKind::Alias(_) => self.text(id),
        }
    }

    fn mapping(
        &mut self,
        id: NodeId,
        fields: &Fields<'_>,
        numbers: impl Fn(&str) -> Numbers,
    ) -> Decoded<Value> {
        self.weigh(id, 0)?;
        let mut map = Map::new();
        for field in fields.iter() {
            if is_reserved(field.key) {
                return Err(self.here(field.key_id, DecodeError::Reserved));
            }
            self.weigh(field.key_id, field.key.len())?;
            self.room.entry(&map).map_err(|error| self.here(field.key_id, error.into()))?;
            map.insert(field.key.to_owned(), self.value(field.value, numbers(field.key))?);
        }
        Ok(Value::Object(map))
    }

    fn fields(&self, id: NodeId, what: &str) -> Decoded<Fields<'t>> {
        self.refuse_tag(id)?;
        Fields::read(self.tree, id, what).map_err(|error| error.map(DecodeError::from))
    }

    /// A tag can make anything of a collection.
    fn refuse_tag(&self, id: NodeId) -> Decoded<()> {
        if !self.tree.has_unknown_tag(self.tree.resolve(id)) {
            return Ok(());
        }
        Err(self.here(id, FieldError::Tagged("this".to_owned()).into()))
    }

    fn text(&mut self, id: NodeId) -> Decoded<Value> {
        let text = text_of(self.tree, self.source, id, || "this value".to_owned());
        let text = text.map_err(|error| error.map(DecodeError::from))?;
        self.weigh(id, text.len())?;
        Ok(text.into())
    }

    fn weigh(&mut self, id: NodeId, text: usize) -> Decoded<()> {
        self.room.node(text).map_err(|error| self.here(id, error.into()))
    }

    fn here(&self, id: NodeId, error: DecodeError) -> Located<DecodeError> {
        Located { error, at: self.tree.range(id).start }
    }
}

/// The number; `None` if it is something else, and `None` in it if JSON has no word for it.
fn number(resolved: Resolved) -> Option<Option<Number>> {
    match resolved {
        Resolved::Int(value) => Some(Some(value.into())),
        Resolved::Uint(value) => Some(Some(value.into())),
        Resolved::Float(value) => Some(Number::from_f64(value)),
        Resolved::Null | Resolved::Bool(_) | Resolved::Timestamp | Resolved::Text => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use zeroize::Zeroizing;

    use super::*;
    use crate::source::Source;
    use crate::yaml::tree::parse;

    fn spec(spec: &str) -> Result<SealedSecretSpec, Spotted<DecodeError>> {
        let text = format!("apiVersion: sealing.dev/v1alpha1\nkind: SealedSecret\nspec: {spec}\n");
        let source = Source::new("f".to_owned(), Zeroizing::new(text));
        let manifest = Manifest::parse(&source).unwrap();
        manifest.spec(&manifest.objects[0])
    }

    #[test]
    fn a_spec_reads_as_kubectl_would_send_it() {
        let found =
            spec("{scope: strict, envelopes: [], encryptedData: {\"on\": a}, template: {immutable: yes}}")
                .unwrap();
        assert_eq!(found.encrypted_data["on"], "a");
        assert_eq!(found.template.immutable, Some(true));
    }

    #[test]
    fn what_readers_could_disagree_on_is_refused() {
        for bad in [
            "{scope: strict, envelopes: [], encryptedData: {on: a}}",
            "{scope: strict, scope: strict, envelopes: [], encryptedData: {}}",
            "{scope: strict, envelopes: [], encryptedData: {a: 1}}",
            "{scope: strict, envelopes: [], encryptedData: {a: !x b}}",
            "{scope: strict, envelopes: [], encryptedData: {<<: {a: b}}}",
            "{scope: strict, envelopes: [], encryptedData: !x {a: b}}",
            "{scope: loose, envelopes: [], encryptedData: {}}",
            "{scope: strict, envelopes: [], encryptedData: {}, more: x}",
            "text",
        ] {
            assert!(spec(bad).is_err(), "{bad}");
        }
    }

    /// A whole object, outside of its spec.
    fn one(text: &str) -> Result<Value, DecodeError> {
        let trees = parse(text, 0).unwrap();
        let mut room = Room::unlimited();
        let mut decoder = Decoder::new(&trees[0], text, &mut room);
        decoder.value(trees[0].root.unwrap(), Numbers::Read).map_err(|error| error.error)
    }

    #[test]
    fn unquoted_words_mean_what_they_mean_to_kubectl() {
        let text =
            "[~, Null, TRUE, false, 1, -1, +7, 0x1F, -0x1f, 0o17, 0b11, 1.5, -1e3, .5, 18446744073709551615]";
        let expected = json!([null, null, true, false, 1, -1, 7, 31, -31, 15, 3, 1.5, -1e3, 0.5, u64::MAX]);
        assert_eq!(one(text), Ok(expected));
        assert_eq!(
            one("[on, Yes, y, No, 017, 1_000, 08]"),
            Ok(json!([true, true, true, false, 15, 1000, 8.0]))
        );
        let words = [
            "yEs",
            "0x",
            "++1",
            "-+1",
            "0x+1",
            "inf",
            "nan",
            "infinity",
            "a#b",
            "12:30",
            "1e999",
            "0xfffffffffffffffff",
        ];
        assert_eq!(one(&format!("[{}]", words.join(", "))), Ok(json!(words)));
        assert_eq!(one("[\"1\", 'null', !!str 1]"), Ok(json!(["1", "null", "1"])));
        for text in [".inf", "-.INF", ".nan"] {
            assert_eq!(
                one(&format!("[{text}]")),
                Err(DecodeError::Number),
                "{text}: JSON has no word for it"
            );
        }
    }

    #[test]
    fn a_spec_has_no_numbers_and_what_is_beside_it_may() {
        let object = |text: &str| {
            let trees = parse(text, 0).unwrap();
            let mut room = Room::unlimited();
            let object = Decoder::new(&trees[0], text, &mut room).object(trees[0].root.unwrap());
            object.map_err(|error| error.error)
        };
        assert_eq!(object("metadata: {generation: 1}"), Ok(json!({"metadata": {"generation": 1}})));
        let error = FieldError::NotText { what: "this value".to_owned(), kind: "a number" };
        assert_eq!(object("spec: {template: {metadata: {a: 1}}}"), Err(error.into()));
    }

    #[test]
    fn keys_that_kubectl_would_rename_are_refused() {
        for key in ["on", "017", "~", "1.50", "[a]"] {
            let refused = one(&format!("{{{key}: 1}}"));
            let is_about_key = matches!(
                refused,
                Err(DecodeError::Field(FieldError::AmbiguousKey { .. } | FieldError::KeyNotText))
            );
            assert!(is_about_key, "{key}: {refused:?}");
        }
        assert_eq!(one("{\"on\": 1, 1.5: 2, true: 3}"), Ok(json!({"on": 1, "1.5": 2, "true": 3})));
        let duplicate = Err(FieldError::DuplicateKey("true".to_owned()).into());
        assert_eq!(one("{true: 1, \"true\": 2}"), duplicate);
        assert_eq!(one("a: &a {b: c}\nd: {<<: *a}\n"), Err(FieldError::MergeKey.into()));
        assert_eq!(one("{\"<<\": 1}"), Ok(json!({"<<": 1})));
    }

    /// Held against the YAML library that writes the definitions here, over every scalar of a few characters that
    /// could be taken for a number. It knows YAML 1.2, and so differs in what 1.1 alone has.
    #[test]
    fn words_mean_what_they_mean_to_another_library() {
        let characters = ["0", "1", "7", "x", "o", "b", "a", "+", "-", ".", "e", "_", "n"];
        let mut words = vec![String::new()];
        for _ in 0..4 {
            let longer = words.iter().flat_map(|word| characters.map(|c| format!("{word}{c}")));
            words = longer.chain(words.iter().cloned()).collect();
            words.sort_unstable();
            words.dedup();
        }
        let is_of_1_1 = |word: &str| {
            let digits = word.trim_start_matches(['+', '-']);
            let is_octal =
                digits.len() > 1 && digits.starts_with('0') && digits.bytes().all(|b| b.is_ascii_digit());
            word == "n" || word.contains('_') || is_octal
        };
        let is_other = |word: &String| {
            let text = format!("[{word}]");
            let found = parse(&text, 0).is_ok().then(|| one(&text));
            !is_of_1_1(word)
                && serde_yaml::from_str::<Value>(&text).is_ok_and(|expected| found != Some(Ok(expected)))
        };
        // `[-]` is no YAML by the specification. yaml.v2 has the others from YAML 1.1, from strconv, or can't say them
        // in JSON.
        let expected = ["-", ".nan", "0b+0", "0b+1", "0b-0", "0b-1", "no", "on"];
        assert_eq!(words.into_iter().filter(is_other).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn aliases_are_what_they_stand_for() {
        assert_eq!(
            one("a: &x [1, &y {b: c}]\nd: *x\ne: *y\n"),
            Ok(json!({
                "a": [1, {"b": "c"}], "d": [1, {"b": "c"}], "e": {"b": "c"},
            }))
        );
        assert!(parse("a: &x [*x]\n", 0).is_err());
        assert!(parse("a: *x\n", 0).is_err());
    }

    #[test]
    fn tags_that_change_a_value_are_refused() {
        for text in ["!!binary eA==", "!x y", "!!int '1'", "{a: !x {}}", "[!!set {a}]"] {
            assert!(matches!(one(text), Err(DecodeError::Field(FieldError::Tagged(_)))), "{text}");
        }
        assert_eq!(one("!!map {a: !!seq [!!str 1]}"), Ok(json!({"a": ["1"]})));
    }
}
