//! `seal.schema.json` beside the parser: every file that one refuses for its fields, the other refuses too.
//!
//! The validator here knows exactly the keywords that the schema uses, and fails on any other. Patterns are simple enough
//! to be matched by hand. Invariant: what the parser takes, the schema takes.

use serde_json::{Map, Value, json};

use super::*;
use crate::rules::file::parse;

const SCHEMA: &str = include_str!("../../../../seal.schema.json");

fn schema() -> Value {
    serde_json::from_str(SCHEMA).unwrap()
}

/// Whether a value is valid under a schema.
fn is_valid(root: &Value, schema: &Value, value: &Value) -> bool {
    let schema = schema.as_object().unwrap();
    schema.iter().all(|(keyword, argument)| holds(root, schema, keyword, argument, value))
}

fn holds(root: &Value, schema: &Map<String, Value>, keyword: &str, argument: &Value, value: &Value) -> bool {
    let text = value.as_str();
    let length = || text.map_or(0, |text| text.chars().count());
    let list = || value.as_array().map(Vec::as_slice).unwrap_or_default();
    let fields = || value.as_object().into_iter().flatten();
    let number = || usize::try_from(argument.as_u64().unwrap()).unwrap();
    match keyword {
        "$schema" | "title" | "description" | "definitions" => true,
        "type" => match argument.as_str().unwrap() {
            "object" => value.is_object(),
            "array" => value.is_array(),
            "string" => value.is_string(),
            "boolean" => value.is_boolean(),
            other => panic!("type {other}"),
        },
        "$ref" => {
            let pointer = argument.as_str().unwrap().trim_start_matches('#');
            is_valid(root, root.pointer(pointer).unwrap(), value)
        }
        "const" => value == argument,
        "enum" => argument.as_array().unwrap().contains(value),
        "not" => !is_valid(root, argument, value),
        "oneOf" => argument.as_array().unwrap().iter().filter(|one| is_valid(root, one, value)).count() == 1,
        "required" => {
            argument.as_array().unwrap().iter().all(|name| value.get(name.as_str().unwrap()).is_some())
        }
        "properties" => fields()
            .all(|(name, value)| argument.get(name).is_none_or(|schema| is_valid(root, schema, value))),
        "additionalProperties" => {
            let known = schema.get("properties");
            let mut others = fields().filter(|(name, _)| known.is_none_or(|known| known.get(name).is_none()));
            match argument {
                Value::Bool(false) => others.next().is_none(),
                schema => others.all(|(_, value)| is_valid(root, schema, value)),
            }
        }
        "propertyNames" => fields().all(|(name, _)| is_valid(root, argument, &json!(name))),
        "items" => list().iter().all(|item| is_valid(root, argument, item)),
        "minItems" => list().len() >= number(),
        "maxItems" => list().len() <= number(),
        "uniqueItems" => list().iter().enumerate().all(|(index, item)| !list()[..index].contains(item)),
        "minLength" => length() >= number(),
        "maxLength" => length() <= number(),
        "pattern" => matches(argument.as_str().unwrap(), text.unwrap_or_default()),
        other => panic!("the schema has a keyword that this test doesn't know: {other}"),
    }
}

fn matches(pattern: &str, text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match pattern {
        "^[^/]+(/[^/]+){0,31}$" => {
            text.split('/').all(|segment| !segment.is_empty()) && text.split('/').count() <= 32
        }
        "^(\\.\\./)*[^/~]" => {
            // The group may also match less, so a text of `../` alone matches by its first dot.
            !text.is_empty() && !text.starts_with(['/', '~'])
        }
        "^[0-9]+d$" => text.strip_suffix('d').is_some_and(digits),
        "^[0-9]{4}-[0-9]{2}-[0-9]{2}$" => {
            text.len() == 10 && text.split('-').map(str::len).eq([4, 2, 2]) && text.split('-').all(digits)
        }
        "^[a-z]+(-[a-z]+)*$" => {
            text.split('-').all(|word| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase()))
        }
        "^[A-Za-z0-9][A-Za-z0-9.-]{0,62}$" => {
            (1..=63).contains(&text.len())
                && text.starts_with(|c: char| c.is_ascii_alphanumeric())
                && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte))
        }
        other => panic!("the schema has a pattern that this test doesn't know: {other}"),
    }
}

/// Whether the schema takes a text.
fn is_valid_text(text: &str) -> bool {
    let schema = schema();
    serde_yaml::from_str::<Value>(text).is_ok_and(|value| is_valid(&schema, &schema, &value))
}

#[test]
fn what_the_parser_takes_the_schema_takes() {
    for text in [WHOLE, "version: 1\n", "{\"version\": 1, \"rules\": []}\n"] {
        assert!(RulesFile::parse("f", text).is_ok() && is_valid_text(text), "{text}");
    }
}

#[test]
fn every_unknown_field_is_refused_by_both() {
    for (at, name) in [
        ("version: 1", "the file"),
        ("- {rule: plaintext", "ignore"),
        ("{file: keys/prod.pub", "a recipient"),
        ("    to: none", "a rule"),
    ] {
        let new = match at {
            "version: 1" => "version: 1\nunknown: 1".to_owned(),
            "    to: none" => "    to: none\n    unknown: 1".to_owned(),
            flow => format!("{flow}, unknown: 1"),
        };
        let text = with(at, &new);
        assert!(refused(&text).contains("unknown isn't a field of"), "{name}");
        assert!(!is_valid_text(&text), "{name}");
    }
}

#[test]
fn a_field_that_the_parser_needs_the_schema_needs() {
    for (old, new) in [
        ("version: 1\n", ""),
        ("version: 1", "version: 2"),
        ("{file: keys/prod.pub}", "{recovery: false}"),
        ("    to: none\n", ""),
        ("path: \"**\"\n    to: none", "to: none"),
        ("to: none", "to: prod"),
        ("to: none", "to: []"),
        ("[prod, recovery]", "[prod, prod, recovery]"),
        ("[strict, namespace-wide]", "[loose]"),
        ("[strict, namespace-wide]", "[]"),
        ("365d", "365"),
        ("reason: fixture, ", ""),
        ("rule: plaintext", "rule: PLAIN"),
        ("2027-01-31", "soon"),
        ("  prod: ", "  none: "),
        ("keys/prod.pub", "/keys/prod.pub"),
        ("keys/prod.pub", "~/prod.pub"),
        ("path: \"**\"", "path: /x"),
        ("nested: [teams/payments]", "nested: teams"),
        ("require-recovery: true", "require-recovery: maybe"),
    ] {
        let text = with(old, new);
        assert!(RulesFile::parse("f", &text).is_err(), "{old} -> {new}");
        assert!(!is_valid_text(&text), "{old} -> {new}");
    }
}

#[test]
fn a_path_has_as_many_segments_for_the_schema_as_for_the_parser() {
    for (path, is_fine) in [
        ("a/".repeat(31) + "a", true),
        ("a/".repeat(32) + "a", false),
        ("a//b".to_owned(), false),
        ("a/".to_owned(), false),
        ("/a".to_owned(), false),
    ] {
        let text = with("path: \"**\"", &format!("path: {path}"));
        assert_eq!(
            (RulesFile::parse("f", &text).is_ok(), is_valid_text(&text)),
            (is_fine, is_fine),
            "{path}"
        );
    }
}

#[test]
fn the_schema_has_the_fields_of_the_parser() {
    let schema = schema();
    let names = |pointer: &str| {
        let fields = schema.pointer(pointer).unwrap().as_object().unwrap();
        fields.keys().map(String::as_str).collect::<std::collections::BTreeSet<_>>()
    };
    let known = |fields: &[&'static str]| fields.iter().copied().collect();
    assert_eq!(names("/properties"), known(&parse::TOP));
    assert_eq!(names("/properties/recipients/additionalProperties/properties"), known(&parse::RECIPIENT));
    assert_eq!(names("/properties/rules/items/properties"), known(&parse::RULE));
    assert_eq!(names("/properties/ignore/items/properties"), known(&parse::IGNORE));
}
