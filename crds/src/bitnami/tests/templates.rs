//! Tests of `template.data`: rendered templates, and templates that are refused before anything is opened. The
//! language has tests of its own (`seal_go::template`, and `tests/gotemplate` against Go's).

use super::*;
use crate::template::TemplateError;
use seal_go::template::GoTemplateError;

fn object(items: &[(&str, &str)], templates: &[(&str, &str)]) -> Object {
    let object =
        items.iter().fold(Object::new(Scope::Strict), |object, (name, value)| object.item(name, value));
    templates.iter().fold(object, |object, (key, text)| object.template(key, text))
}

/// The value of the template `t` over these items.
fn rendered(text: &str, items: &[(&str, &str)]) -> Result<String, UnsealError> {
    let object = object(items, &[("t", text)]);
    Ok(String::from_utf8(object.unseal(&[RSA_2048])?.remove("t").unwrap()).unwrap())
}

fn docker(text: &str, items: &[(&str, &str)]) -> Object {
    object(items, &[(".dockerconfigjson", text)]).typed("kubernetes.io/dockerconfigjson")
}

fn is_checked(error: &UnsealError, says: &str) -> bool {
    matches!(error, UnsealError::Template(TemplateError::CheckedByType { rule, .. }) if rule.contains(says))
}

#[test]
fn templates_see_items_and_the_plain_texts_beside_them() {
    let templates = [("url", "pg://{{ .user }}:{{ .password }}@{{ .host }}"), ("host", "{{ \"db\" }}")];
    let object = object(&[("password", "hunter2"), ("user", "me")], &templates);
    let keys: Vec<_> = object.parse().unwrap().shape().keys.iter().map(ToString::to_string).collect();
    assert_eq!(keys, ["host", "password", "url", "user"]);
    assert_eq!(
        object.unseal(&[RSA_2048]).unwrap(),
        values([
            // A template sees the text of another one, not its rendered value, as in the peer.
            ("url", b"pg://me:hunter2@{{ \"db\" }}"),
            ("host", b"db"),
            ("password", b"hunter2"),
            ("user", b"me"),
        ])
    );
}

#[test]
fn an_item_wins_over_a_template_of_its_name_in_both_places() {
    let object = object(&[("a", "item")], &[("a", "text"), ("b", "{{ .a }}")]);
    assert_eq!(object.unseal(&[RSA_2048]).unwrap(), values([("a", b"item"), ("b", b"item")]));
    // The text has to be a template nevertheless.
    let refused = object.template("a", "{{ nope }}").refused();
    assert!(matches!(refused, UnsealError::GoTemplate { key, .. } if key.as_str() == "a"));
}

#[test]
fn an_item_that_is_left_out_is_not_in_the_secret_and_templates_see_it() {
    let object = object(&[("a", "1"), ("b", "2")], &[("t", "<{{ .a }}>")]).omit("a").omit("nobody");
    let keys: Vec<_> = object.parse().unwrap().shape().keys.iter().map(ToString::to_string).collect();
    assert_eq!(keys, ["b", "t"]);
    assert_eq!(object.unseal(&[RSA_2048]).unwrap(), values([("b", b"2"), ("t", b"<1>")]));
    // A program that seals the object again has the item.
    let items = object.parse().unwrap().open_under([Scope::Strict], &ring(&[RSA_2048])).unwrap().items;
    assert_eq!(items.keys().map(ToString::to_string).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(object.omit("..").refused(), "..".parse::<crate::ItemName>().unwrap_err().into());
}

#[test]
fn an_item_that_is_left_out_counts_for_nothing_that_kubernetes_asks_of_the_secret() {
    let large = "x".repeat(600 << 10);
    let doubled = object(&[("a", &large)], &[("t", "{{ .a }}")]);
    assert_eq!(doubled.refused(), UnsealError::SecretTooLarge { limit: 1 << 20 });
    assert!(doubled.omit("a").unseal(&[RSA_2048]).is_ok());
    let lacking =
        object(&[("ssh-privatekey", "k")], &[]).typed("kubernetes.io/ssh-auth").omit("ssh-privatekey");
    let refused = lacking.refused();
    assert!(refused.to_string().contains("ssh-privatekey"), "{refused}");
}

#[test]
fn a_template_that_cannot_be_used_is_refused_without_a_key() {
    let message = |text: &str| object(&[("a", "1")], &[("t", text)]).refused().to_string();
    let error = object(&[("a", "1")], &[("t", "\n{{ env \"HOME\" }}")]).refused();
    assert_eq!(error.reason().as_str(), "InvalidTemplate");
    assert!(!error.may_pass_with_other_keys());
    assert!(error.to_string().starts_with("template.data.t: line 2: function \"env\" is not "), "{error}");
    for (text, says) in [
        ("{{ genPassword }}", "genPassword"),
        ("{{ randAlpha 5 }}", "randAlpha"),
        ("{{ .a", "line 1"),
        ("{{ if .a }}x{{ end }}", "--allow-template-branching"),
        ("{{ range .a }}x{{ end }}", "--allow-template-branching"),
        ("{{ upper }}", "upper takes 1 argument"),
        ("{{ upper 1 }}", "upper needs string"),
    ] {
        assert!(message(text).contains(says), "{text}: {}", message(text));
    }
    let refused = object(&[("a", "1")], &[("..", "x")]).refused();
    assert_eq!(refused, "..".parse::<crate::ItemName>().unwrap_err().into());
}

#[test]
fn branching_takes_permission() {
    let object = object(&[("a", "1")], &[("t", "{{ if eq .a \"1\" }}one{{ else }}other{{ end }}")]);
    let UnsealError::GoTemplate { error, .. } = object.refused() else { panic!("{}", object.refused()) };
    assert!(matches!(*error, GoTemplateError::Branching { line: 1, statement: "if" }), "{error}");
    let allowed = Object { branching: Branching::Allowed, ..object };
    assert_eq!(allowed.unseal(&[RSA_2048]).unwrap()["t"], b"one");
}

#[test]
fn what_templates_can_give_together_fits_into_a_secret_whatever_the_items_are() {
    let large = "x".repeat(400 << 10);
    let object = object(&[("a", &large)], &[("t", "{{ .a }}")]);
    assert!(object.parse().is_ok());
    let too_large = UnsealError::SecretTooLarge { limit: 1 << 20 };
    assert_eq!(object.clone().template("u", "{{ .a }}").refused(), too_large);
    // The whole text could be left, so it counts, although none of these letters is.
    assert_eq!(object.clone().template("u", "{{ trimAll \"x\" .a }}").refused(), too_large);
    assert!(object.clone().template("u", "{{ len .a }}").parse().is_ok());
    // A plain text that an item wins over adds nothing.
    assert!(object.template("a", &large).parse().is_ok());
}

#[test]
fn docker_configurations_as_people_write_them_are_made() {
    let items = [("server", "r.example.com"), ("user", "me"), ("pass", "p:w")];
    let auth = r#"{"auths":{"{{ .server }}":{"auth":"{{ printf "%s:%s" .user .pass | b64enc }}"}}}"#;
    let plain = "{\n \"auths\": {\"{{ .server }}\": {\"username\": \"{{ .user }}\", \"password\": {{ .pass | toJson }}}}\n}\n";
    for (text, expected) in [
        (auth, r#"{"auths":{"r.example.com":{"auth":"bWU6cDp3"}}}"#),
        (plain, "{\n \"auths\": {\"r.example.com\": {\"username\": \"me\", \"password\": \"p:w\"}}\n}\n"),
    ] {
        let made = docker(text, &items).unseal(&[RSA_2048]).unwrap();
        assert_eq!(made[".dockerconfigjson"], expected.as_bytes());
    }
    let dockercfg = object(&[("p", "x")], &[(".dockercfg", r#"{"r": {"password": "{{ .p }}"}}"#)]);
    assert!(dockercfg.typed("kubernetes.io/dockercfg").unseal(&[RSA_2048]).is_ok());
}

#[test]
fn a_docker_configuration_that_asks_something_of_an_item_is_refused() {
    for text in [
        // Outside of a string, the item may be a number, a literal or a key.
        r#"{"a": {{ .pin }}}"#,
        r#"{"a": 1e{{ .pin }}}"#,
        r#"{"a": tru{{ .pin }}}"#,
        r#"{{ .pin }}"#,
        r#"{"a": [1 {{ .pin }}]}"#,
        // After a backslash.
        r#"{"a": "\{{ .pin }}"}"#,
        r#"{"a": "\u{{ .pin }}"}"#,
        r#"{"a": "\u00{{ .pin }}"}"#,
        // A number in the place of a key; an empty text in the place of a value.
        r#"{ {{ toJson (ternary 5 "a" (hasPrefix "S3" .pin)) }}: 1 }"#,
        r#"{ {{ toJson (coalesce (int64 .pin) "a") }}: 1 }"#,
        r#"{"a": {{ quote (ternary nil "a" (hasPrefix "1" .pin)) }} }"#,
        r#"{"a": {{ quote (index .escape (atoi .pin)) }} }"#,
        r#"{"a": {{ toJson (float64 .pin) }} }"#,
        r#"{"a": {{ quote (first (list nil .pin)) }} }"#,
        r#"{"a": {{ quote .pin .pin }} }"#,
        r#"{"a": {{ print (quote .pin) "" }} }"#,
        r#"{"a": {{ trimAll .pin (toJson "1") }}}"#,
        r#"{"a": {{ toJson (ternary "a" "b" (index (fromJson .pin) 0)) }} }"#,
        // Outside of a string an encoding may be a number.
        r#"{"a": {{ trunc 1 (sha256sum .pin) }}}"#,
        r#"{"a": {{ float64 .pin }}}"#,
        r#"{"a": {{ len .pin }}}"#,
        // Never an object, for any items.
        "[]",
        "{{ .pin | toJson }}",
        r#"{"a": 1e999}"#,
    ] {
        let object = docker(text, &[("pin", "1234")]).template("escape", "\\u00e1");
        let refused = object.refused();
        assert!(is_checked(&refused, "make it a JSON object"), "{text}: {refused}");
    }
    // In another key or type, the same template is allowed.
    assert_eq!(
        rendered("{{ .pin }}{{ ternary \"y\" \"n\" (eq .pin \"1\") }}", &[("pin", "1")]),
        Ok("1y".into())
    );
}

#[test]
fn what_is_asked_in_a_string_of_a_docker_configuration_has_the_same_answer_for_all() {
    for text in [
        // A quote, or an escape, that depends on an item.
        r#"{"a": "x{{ ternary "\"" "" (eq .pin "1234") }}"}"#,
        r#"{"a": "x{{ ternary .quote "" (hasPrefix "12" .pin) }}"}"#,
        r#"{"a": {{ quote (ternary .quote "" (hasPrefix "12" .pin)) }} }"#,
        r#"{"a": "{{ replace "1234" "\"" .pin }}"}"#,
        r#"{"a": "{{ default "\"" (trimAll "1" .pin) }}"}"#,
        r#"{"a": "{{ trimAll .pin "\\u00e1" }}"}"#,
        r#"{"a": "{{ trimAll .pin .escape }}"}"#,
        r#"{"a": "{{ index . .pin }}"}"#,
        r#"{"a": "{{ printf "%c" (atoi .pin) }}"}"#,
        r#"{"a": "{{ b64dec .pin }}"}"#,
        r#"{"a": "{{ $q := quote .pin }}{{ trimAll "1" $q }}"}"#,
        // For some values the text is an object. Then the result is that of the peer.
        r#"{"a": "{{ .pin }}"}"#,
        r#"{"a": "{{ .pin }}{{ .pin }}"}"#,
        // A number that a float can't hold, which only the API server would refuse.
        r#"{"a": "{{ ternary "\",\"b\":1e999,\"c\":\"" "" (hasPrefix "12" .pin) }}"}"#,
    ] {
        for pin in ["1234", "\"\"\"\"", "\\\\\\\\", "\n\0\u{1}\t", "4321", "\\u12", "\",\"\""] {
            let object = docker(text, &[("pin", pin), ("quote", "\"")]).template("escape", "\\u00e1");
            let made = object.unseal(&[RSA_2048]).unwrap_or_else(|error| panic!("{text}, {pin}: {error}"));
            let json = String::from_utf8_lossy(&made[".dockerconfigjson"]);
            let object = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(&json);
            assert!(object.is_ok(), "{text}, {pin}: {json}");
        }
    }
}

#[test]
fn an_item_is_as_in_the_peer_where_that_is_json_and_escaped_where_it_is_not() {
    let text = r#"{"a": "{{ .pin }}", "b": {{ quote .pin }}}"#;
    for (value, expected) in [
        ("\u{e4} b/c<>&'", "{\"a\": \"\u{e4} b/c<>&'\", \"b\": \"\u{e4} b/c<>&'\"}"),
        ("a\"b", r#"{"a": "a\"b", "b": "a\"b"}"#),
        ("a\\", r#"{"a": "a\\", "b": "a\\"}"#),
        ("a\nb", r#"{"a": "a\nb", "b": "a\nb"}"#),
        // Go's quote writes \x01, which JSON doesn't have.
        ("\u{1}", r#"{"a": "\u0001", "b": "\u0001"}"#),
        // A value that was escaped before it was sealed.
        ("a\\\"b", r#"{"a": "a\"b", "b": "a\\\"b"}"#),
    ] {
        let made = docker(text, &[("pin", value)]).unseal(&[RSA_2048]).unwrap();
        assert_eq!(String::from_utf8_lossy(&made[".dockerconfigjson"]), expected, "{value:?}");
    }
}

#[test]
fn a_docker_configuration_may_still_be_none_where_branching_is_allowed() {
    let object = docker(r#"{"a": {{ if .pin }}{{ .pin }}{{ end }}}"#, &[("pin", "x")]);
    let object = Object { branching: Branching::Allowed, ..object };
    let error = object.unseal(&[RSA_2048]).unwrap_err();
    assert!(is_checked(&error, "with these items it isn't a JSON object"), "{error}");
    let number = docker(r#"{"a": {{ if .pin }}{{ .pin }}{{ end }}}"#, &[("pin", "5")]);
    assert!(Object { branching: Branching::Allowed, ..number }.unseal(&[RSA_2048]).is_ok());
}

#[test]
fn an_object_has_so_many_templates_and_one_budget_for_all_of_them() {
    let many = (0..1025).map(|n| format!("t{n}")).collect::<Vec<_>>();
    let with = |count: usize, text: &str| {
        many[..count].iter().fold(object(&[("a", "1")], &[]), |object, key| object.template(key, text))
    };
    assert!(with(1024, "{{ .a }}").unseal(&[RSA_2048]).is_ok());
    assert_eq!(
        with(1025, "x").refused(),
        UnsealError::TooLarge { path: "template.data".into(), found: 1025, limit: 1024, unit: "templates" }
    );
    // Each template alone is little work.
    let some = "{{ $x := .a }}".repeat(100);
    assert!(object(&[("a", "1")], &[("t", &some)]).parse().is_ok());
    let error = with(1024, &some).refused();
    assert!(error.to_string().ends_with("the template is too much work"), "{error}");
}

#[test]
fn what_may_choose_without_a_quote_at_hand_may_be_in_a_docker_configuration() {
    for (text, expected) in [
        (r#"{"a": "{{ default "none" .pin | trimSuffix "4" | upper }}"}"#, r#"{"a": "123"}"#),
        (r#"{"a": "{{ ternary "y" "n" (eq .pin "1234") }}"}"#, r#"{"a": "y"}"#),
        (r#"{"a": "{{ index . "pin" }}", "b": {{ quote .pin }}}"#, r#"{"a": "1234", "b": "1234"}"#),
        (r#"{"a": "{{ $p := printf "%s:%s" .pin .host }}{{ $p }}"}"#, r#"{"a": "1234:db"}"#),
        (r#"{{ define "p" }}"{{ .pin }}"{{ end }}{"a": {{ template "p" . }}}"#, r#"{"a": "1234"}"#),
        ("{\"a\": \"{{ `x` }}{{ sha256sum .pin | trunc 4 }}\"}", r#"{"a": "x03ac"}"#),
    ] {
        let made = docker(text, &[("pin", "1234")]).template("host", "db").unseal(&[RSA_2048]);
        let made = made.unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(String::from_utf8_lossy(&made[".dockerconfigjson"]), expected, "{text}");
    }
    // A plain text with a quote does no harm if no template uses it.
    assert!(docker(r#"{"a": "{{ .pin }}"}"#, &[("pin", "1")]).template("t", "\"").parse().is_ok());
}

#[test]
fn a_private_key_for_ssh_is_never_empty_because_of_what_an_item_is() {
    let ssh = |text: &str, item: &str| {
        object(&[("k", item)], &[("ssh-privatekey", text)]).typed("kubernetes.io/ssh-auth")
    };
    assert!(ssh("{{ .k }}\n", "x").unseal(&[RSA_2048]).is_ok());
    for text in [
        "{{ .k }}",
        "{{ trim .k }}\n",
        "{{ len .k }}",
        "{{ .k | b64enc }}",
        "{{ ternary .k \"y\" (eq .k \"x\") }}",
    ] {
        assert!(ssh(text, "x").unseal(&[RSA_2048]).is_ok(), "{text}");
    }
    for (text, item) in [
        ("{{ .k }}", ""),
        ("{{ trim .k }}", "x"),
        ("{{ trimPrefix \"x\" .k }}", "x"),
        ("{{ ternary .k \"\" (eq .k \"x\") }}", "x"),
    ] {
        assert!(is_checked(&ssh(text, item).refused(), "put something into it"), "{text}");
    }
}
