//! Objects to text, in the format that the flags ask for.
//!
//! [`seal_go`] writes JSON and YAML as Go does. Invariant: the text of several objects reads as several
//! documents.

use seal_go::json::{self, Style};
use seal_go::{Buffer, yaml};

use super::failure::KubesealError;
use super::go_value::GoValue;

/// The text of all objects, one after the other.
pub(super) fn objects<'n>(
    objects: impl IntoIterator<Item = &'n GoValue>,
    format: &str,
) -> Result<Buffer, KubesealError> {
    let mut all = Buffer::default();
    for object in objects {
        match format {
            "" | "json" => {
                all.extend(as_json(object, Style::Pretty).bytes());
                all.push(b'\n');
            }
            "yaml" => {
                all.extend(b"---\n");
                all.extend(yaml::marshal(object).map_err(KubesealError::NotWritten)?.bytes());
            }
            other => return Err(KubesealError::Format(other.to_owned())),
        }
    }
    Ok(all)
}

/// The text of one object on one line, for the body of a request.
pub(super) fn compact(object: &GoValue) -> Buffer {
    as_json(object, Style::Compact)
}

fn as_json(object: &GoValue, style: Style) -> Buffer {
    json::marshal(object, style).expect("an object has no floats, which alone JSON may lack a form for")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(buffer: &Buffer) -> &str {
        std::str::from_utf8(buffer.bytes()).unwrap()
    }

    #[test]
    fn text_is_escaped_as_go_escapes_it() {
        let plain = "<a&b>\u{1}\u{8}\u{c}\n\r\t\"\\\u{7f}é\u{2028}😀/";
        let expected = "\"\\u003ca\\u0026b\\u003e\\u0001\\b\\f\\n\\r\\t\\\"\\\\\u{7f}é\\u2028😀/\"";
        assert_eq!(text(&compact(&GoValue::text(plain))), expected);
    }

    #[test]
    fn empty_collections_stay_on_one_line() {
        let object = GoValue::Map(vec![
            ("a".to_owned(), GoValue::Map(Vec::new())),
            ("b".to_owned(), GoValue::List(vec![GoValue::Null, GoValue::List(Vec::new())])),
        ]);
        assert_eq!(
            text(&objects([&object], "json").ok().unwrap()),
            "{\n  \"a\": {},\n  \"b\": [\n    null,\n    []\n  ]\n}\n"
        );
        assert_eq!(text(&compact(&object)), r#"{"a":{},"b":[null,[]]}"#);
    }
}
