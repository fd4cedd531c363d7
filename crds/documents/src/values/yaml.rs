//! Documents of a YAML stream, built from the events of the parser that their bounds were checked with.
//!
//! Not the bounds. Unquoted words mean what YAML 1.2 says; of tags only `!!str`, `!!map` and `!!seq` are known.
//! Invariant: everything is weighed before it is kept, an alias like what it stands for.

use std::collections::HashMap;

use granit_parser::{Event, Marker, Parser, ScalarStyle, Span, StrInput, Tag};
use serde_json::{Map, Number, Value};

use super::{DocumentError, Problem, Room, weight};

pub(super) fn read(text: &str, room: &mut Room) -> (Vec<Value>, Option<DocumentError>) {
    let options = granit_parser::options! { emit_comments: false };
    let events = Parser::new_from_str_with_options(text, options);
    let mut reader = Reader { events, anchors: HashMap::new(), room };
    let mut documents = Vec::new();
    loop {
        match reader.document() {
            Ok(Some(document)) => documents.push(document),
            Ok(None) => return (documents, None),
            Err(error) => return (documents, Some(error)),
        }
    }
}

struct Reader<'a> {
    events: Parser<'a, StrInput<'a>>,
    /// What aliases stand for, by the parser's numbers.
    anchors: HashMap<usize, Value>,
    room: &'a mut Room,
}

impl<'a> Reader<'a> {
    fn document(&mut self) -> Result<Option<Value>, DocumentError> {
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamEnd => return Ok(None),
                Event::DocumentStart(..) => self.anchors = HashMap::new(),
                Event::StreamStart | Event::DocumentEnd => {}
                node => return self.node(node, span).map(Some),
            }
        }
    }

    fn next(&mut self) -> Result<(Event<'a>, Span), DocumentError> {
        match self.events.next() {
            Some(Ok(next)) => Ok(next),
            Some(Err(error)) => Err(at(*error.marker(), Problem::NotYaml)),
            None => Err(DocumentError { problem: Problem::NotYaml, position: None }),
        }
    }

    fn node(&mut self, event: Event<'a>, span: Span) -> Result<Value, DocumentError> {
        let here = |problem| at(span.start, problem);
        let (value, anchor) = match event {
            Event::Alias(anchor) => {
                // An alias inside of what it refers to has nothing to stand for yet.
                let value = self.anchors.get(&anchor).ok_or(here(Problem::NotYaml))?;
                self.room.take(weight(value)).map_err(here)?;
                return Ok(value.clone());
            }
            Event::Scalar(text, style, anchor, tag) => {
                let value = scalar(&text, style, tag.as_deref()).map_err(here)?;
                self.room.take(weight(&value)).map_err(here)?;
                (value, anchor)
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.room.node(0).map_err(here)?;
                require(tag.as_deref(), "seq").map_err(here)?;
                (Value::Array(self.sequence()?), anchor)
            }
            Event::MappingStart(_, anchor, tag) => {
                self.room.node(0).map_err(here)?;
                require(tag.as_deref(), "map").map_err(here)?;
                (Value::Object(self.mapping()?), anchor)
            }
            _ => return Err(here(Problem::NotYaml)),
        };
        if anchor != 0 {
            self.room.take(weight(&value)).map_err(here)?;
            self.anchors.insert(anchor, value.clone());
        }
        Ok(value)
    }

    fn sequence(&mut self) -> Result<Vec<Value>, DocumentError> {
        let mut values = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(values),
                (event, span) => values.push(self.node(event, span)?),
            }
        }
    }

    fn mapping(&mut self) -> Result<Map<String, Value>, DocumentError> {
        let mut map = Map::new();
        loop {
            let (event, span) = self.next()?;
            if matches!(event, Event::MappingEnd) {
                return Ok(map);
            }
            let key = self.node(event, span)?;
            let (event, value_span) = self.next()?;
            let value = self.node(event, value_span)?;
            self.room.insert(&mut map, key, value).map_err(|problem| at(span.start, problem))?;
        }
    }
}

fn at(marker: Marker, problem: Problem) -> DocumentError {
    DocumentError { problem, position: Some((marker.line(), marker.col() + 1)) }
}

/// A tag that says no more than the form does.
fn require(tag: Option<&Tag>, core: &str) -> Result<(), Problem> {
    if tag.is_none_or(|tag| tag.core_suffix() == Some(core)) { Ok(()) } else { Err(Problem::Tag) }
}

fn scalar(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Result<Value, Problem> {
    require(tag, "str")?;
    if tag.is_some() || style != ScalarStyle::Plain {
        return Ok(text.into());
    }
    Ok(match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        _ if is_not_finite(text) => Value::Null,
        _ => number(text).map_or_else(|| text.into(), Value::Number),
    })
}

/// JSON has no word for these, so they are nothing, and refused wherever something is wanted.
fn is_not_finite(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    matches!(unsigned, ".inf" | ".Inf" | ".INF" | ".nan" | ".NaN" | ".NAN")
}

fn number(text: &str) -> Option<Number> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    // `+` and `-` are for the front alone; Rust's parsers would take one more.
    if digits.starts_with(['+', '-']) {
        return None;
    }
    for (prefix, radix) in [("0x", 16), ("0o", 8), ("0b", 2)] {
        if let Some(digits) = digits.strip_prefix(prefix).filter(|digits| !digits.starts_with(['+', '-'])) {
            return integer(sign, digits, radix);
        }
    }
    let is_all_digits = digits.bytes().all(|byte| byte.is_ascii_digit());
    // `017` is text; YAML 1.1 takes it for 15.
    if is_all_digits && digits.len() > 1 && digits.starts_with('0') {
        return None;
    }
    let float = || {
        digits
            .parse()
            .ok()
            .filter(|float: &f64| float.is_finite())
            .and_then(|float| Number::from_f64(if sign.is_empty() { float } else { -float }))
    };
    integer(sign, digits, 10).or_else(float)
}

fn integer(sign: &str, digits: &str, radix: u32) -> Option<Number> {
    match sign {
        "" => u64::from_str_radix(digits, radix).ok().map(Number::from),
        sign => i64::from_str_radix(&format!("{sign}{digits}"), radix).ok().map(Number::from),
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
    fn unquoted_words_mean_what_yaml_1_2_says() {
        let text =
            "[~, Null, TRUE, false, 1, -1, +7, 0x1F, -0x1f, 0o17, 0b11, 1.5, -1e3, .5, 18446744073709551615]";
        let expected = json!([null, null, true, false, 1, -1, 7, 31, -31, 15, 3, 1.5, -1e3, 0.5, u64::MAX]);
        assert_eq!(one(text), Ok(expected));
        let text = "[on, yes, 017, 1_000, 0x, ++1, -+1, 0x+1, inf, nan, infinity, \"1\", 'null', !!str 1, a#b, 12:30]";
        let words = [
            "on", "yes", "017", "1_000", "0x", "++1", "-+1", "0x+1", "inf", "nan", "infinity", "1", "null",
            "1", "a#b", "12:30",
        ];
        assert_eq!(one(text), Ok(json!(words)));
        assert_eq!(one("[.inf, -.INF, .nan]"), Ok(json!([null, null, null])));
    }

    /// Held against the YAML library that writes the definitions here, over every scalar of a few characters that
    /// could be taken for a number.
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
        let is_other = |word: &String| {
            let text = format!("[{word}]");
            serde_yaml::from_str::<Value>(&text).is_ok_and(|expected| one(&text) != Ok(expected))
        };
        // `[-]` is no YAML by the specification.
        assert_eq!(words.into_iter().filter(is_other).collect::<Vec<_>>(), ["-"]);
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
