//! Documents of a YAML stream, as the values that kubectl would send.
//!
//! Not the bounds: the text was checked. Of tags only `!!str`, `!!map` and `!!seq` are known, and merge keys aren't.
//! Invariant: everything is weighed before it is kept, an alias like what it stands for.

use serde_json::{Map, Value};

use super::{DocumentError, Problem, Room, locate, number, weight};
use crate::yaml::{
    resolve::{Plain, plain, plain_key},
    tree::{self, NodeId, NodeKind, ParseError, Style, Tree},
};

pub(super) fn read(text: &str, room: &mut Room) -> (Vec<Value>, Option<DocumentError>) {
    // A node takes up no more in a tree than its value will weigh.
    let (trees, error) = tree::parse_up_to(text, room.nodes());
    let mut documents = Vec::new();
    for tree in trees {
        match (Decoder { tree: &tree, room }).document() {
            Ok(document) => documents.push(document),
            Err((problem, at)) => return (documents, Some(locate(problem, text.as_bytes(), at))),
        }
    }
    let error = error.map(|ParseError { problem, at }| {
        let problem = match problem {
            tree::Problem::NotYaml(_) => Problem::NotYaml,
            tree::Problem::OutOfBounds(excess) => Problem::Excess(excess),
            tree::Problem::NoRoom => Problem::Heavy,
        };
        locate(problem, text.as_bytes(), at)
    });
    (documents, error)
}

struct Decoder<'t, 'a, 'r> {
    tree: &'t Tree<'a>,
    room: &'r mut Room,
}

type Decoded<T> = Result<T, (Problem, usize)>;

impl Decoder<'_, '_, '_> {
    fn document(&mut self) -> Decoded<Value> {
        match self.tree.root {
            Some(root) => self.value(root),
            None => {
                self.room.node(0).map(|()| Value::Null).map_err(|problem| (problem, self.tree.body.start))
            }
        }
    }

    /// Calls itself for what is in a collection: a text that is in bounds isn't deep.
    fn value(&mut self, id: NodeId) -> Decoded<Value> {
        let tree = self.tree;
        let at = tree.range(id).start;
        let here = |problem| (problem, at);
        if tree.has_unknown_tag(tree.resolve(id)) {
            return Err(here(Problem::Tag));
        }
        match tree.kind(id) {
            NodeKind::Scalar { text, style } => {
                let value = scalar(text.as_str(), *style).map_err(here)?;
                self.room.take(weight(&value)).map_err(here)?;
                Ok(value)
            }
            NodeKind::Sequence { items, .. } => {
                self.room.node(0).map_err(here)?;
                items.iter().map(|item| self.value(*item)).collect::<Decoded<_>>().map(Value::Array)
            }
            NodeKind::Mapping { entries, .. } => {
                self.room.node(0).map_err(here)?;
                let mut map = Map::new();
                for &(key, value) in entries {
                    let at = tree.range(key).start;
                    let key = self.key(key).map_err(|problem| (problem, at))?;
                    let value = self.value(value)?;
                    self.room.insert(&mut map, key, value).map_err(|problem| (problem, at))?;
                }
                Ok(Value::Object(map))
            }
            NodeKind::Alias(_) => unreachable!("it was followed"),
        }
    }

    /// The key as kubectl sends it: YAML lets it be anything, Kubernetes knows only text.
    fn key(&mut self, id: NodeId) -> Result<String, Problem> {
        let NodeKind::Scalar { text, style } = self.tree.kind(id) else { return Err(Problem::Key) };
        let text = text.as_str();
        let key = scalar(text, *style)?;
        self.room.take(weight(&key))?;
        match (style, key) {
            (Style::Plain, Value::String(text)) if text == "<<" => Err(Problem::Merge),
            (_, Value::String(text)) => Ok(text),
            (_, Value::Number(number)) if number.is_f64() => {
                plain_key(text).map(str::to_owned).ok_or(Problem::Key)
            }
            (_, value) => Ok(value.to_string()),
        }
    }
}

fn scalar(text: &str, style: Style) -> Result<Value, Problem> {
    match style {
        Style::Text => Ok(text.into()),
        Style::Tagged => Err(Problem::Tag),
        Style::Plain => match plain(text) {
            Plain::Null => Ok(Value::Null),
            Plain::Bool(value) => Ok(value.into()),
            Plain::Number => number::read(text).map(Value::Number).ok_or(Problem::Number),
            Plain::Text => Ok(text.into()),
        },
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn one(text: &str) -> Result<Value, Problem> {
        let (mut documents, error) = read(text, &mut Room(usize::MAX));
        error.map_or_else(|| Ok(documents.remove(0)), |error| Err(error.problem))
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
        let text = "[yEs, 0x, ++1, -+1, 0x+1, inf, nan, infinity, \"1\", 'null', !!str 1, a#b, 12:30]";
        let words =
            ["yEs", "0x", "++1", "-+1", "0x+1", "inf", "nan", "infinity", "1", "null", "1", "a#b", "12:30"];
        assert_eq!(one(text), Ok(json!(words)));
        for text in [".inf", "-.INF", ".nan", "0xfffffffffffffffff", "1e999"] {
            assert_eq!(one(&format!("[{text}]")), Err(Problem::Number), "{text}: JSON has no word for it");
        }
    }

    #[test]
    fn keys_are_those_that_kubectl_sends() {
        assert_eq!(
            one("{on: 1, 017: 2, ~: 3, 1.5: 4}"),
            Ok(json!({"true": 1, "15": 2, "null": 3, "1.5": 4}))
        );
        assert_eq!(one("{on: 1, \"true\": 2}"), Err(Problem::Twice));
        assert_eq!(one("{1.50: 1}"), Err(Problem::Key));
        assert_eq!(one("{[a]: 1}"), Err(Problem::Key));
        assert_eq!(one("a: &a {b: c}\nd: {<<: *a}\n"), Err(Problem::Merge));
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
            !is_of_1_1(word)
                && serde_yaml::from_str::<Value>(&text).is_ok_and(|expected| one(&text) != Ok(expected))
        };
        // `[-]` is no YAML by the specification; the other three are words of kubectl's, and one that it can't say.
        assert_eq!(words.into_iter().filter(is_other).collect::<Vec<_>>(), ["-", ".nan", "no", "on"]);
    }

    #[test]
    fn aliases_are_what_they_stand_for() {
        assert_eq!(
            one("a: &x [1, &y {b: c}]\nd: *x\ne: *y\n"),
            Ok(json!({
                "a": [1, {"b": "c"}], "d": [1, {"b": "c"}], "e": {"b": "c"},
            }))
        );
        assert_eq!(one("a: &x [*x]\n"), Err(Problem::NotYaml));
        assert_eq!(one("a: *x\n"), Err(Problem::NotYaml));
    }

    #[test]
    fn tags_that_change_a_value_are_refused() {
        for text in ["!!binary eA==", "!x y", "!!int '1'", "{a: !x {}}", "[!!set {a}]"] {
            assert_eq!(one(text), Err(Problem::Tag), "{text}");
        }
        assert_eq!(one("!!map {a: !!seq [!!str 1]}"), Ok(json!({"a": ["1"]})));
    }
}
