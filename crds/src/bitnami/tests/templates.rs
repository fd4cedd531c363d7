//! `template.data`: what is rendered, and what is refused before anything is opened. The language has tests of its own
//! (`crate::gotemplate`, and `tests/gotemplate` against Go's).

use super::*;
use crate::gotemplate::GoTemplateError;
use crate::template::TemplateError;

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
            // As text, not rendered: the peer's way.
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
    // It has to be a template all the same.
    let refused = object.template("a", "{{ nope }}").refused();
    assert!(matches!(refused, UnsealError::GoTemplate { key, .. } if key.as_str() == "a"));
}

#[test]
fn a_template_that_cannot_be_used_is_refused_without_a_key() {
    let message = |text: &str| object(&[("a", "1")], &[("t", text)]).refused().to_string();
    let error = object(&[("a", "1")], &[("t", "\n{{ env \"HOME\" }}")]).refused();
    assert_eq!(error.reason(), "InvalidTemplate");
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
    // All of it could be left, so it counts, although of these letters nothing is.
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
        // Outside of a string: is it a number, a literal, a key?
        r#"{"a": {{ .pin }}}"#,
        r#"{"a": 1e{{ .pin }}}"#,
        r#"{"a": tru{{ .pin }}}"#,
        r#"{{ .pin }}"#,
        r#"{"a": [1 {{ .pin }}]}"#,
        // After a backslash.
        r#"{"a": "\{{ .pin }}"}"#,
        r#"{"a": "\u{{ .pin }}"}"#,
        r#"{"a": "\u00{{ .pin }}"}"#,
        // A quote, or an escape, that comes or goes with what an item is.
        r#"{"a": "x{{ ternary "\"" "" (eq .pin "1234") }}"}"#,
        r#"{"a": "{{ replace "1234" "\"" .pin }}"}"#,
        r#"{"a": "{{ default "\"" (trimAll "1" .pin) }}"}"#,
        r#"{"a": "{{ trimAll .pin "\\u00e1" }}"}"#,
        r#"{"a": "{{ trimAll .pin .escape }}"}"#,
        r#"{"a": "{{ index . .pin }}"}"#,
        r#"{"a": "{{ printf .pin "x" }}"}"#,
        r#"{"a": "{{ printf "%c" (atoi .pin) }}"}"#,
        r#"{"a": "{{ b64dec .pin }}"}"#,
        r#"{"a": "{{ trimAll .pin (quote "1") }}"}"#,
        r#"{"a": "{{ $q := quote .pin }}{{ trimAll "1" $q }}"}"#,
        r#"{"a": {{ trimAll .pin (toJson "1") }}}"#,
        // Outside of a string an encoding may be a number.
        r#"{"a": {{ trunc 1 (sha256sum .pin) }}}"#,
        r#"{"a": {{ float64 .pin }}}"#,
        r#"{"a": {{ len .pin }}}"#,
        // No object whatever the items are.
        "[]",
        "{{ .pin | toJson }}",
    ] {
        let object = docker(text, &[("pin", "1234")]).template("escape", "\\u00e1");
        let refused = object.refused();
        assert!(is_checked(&refused, "make it a JSON object"), "{text}: {refused}");
    }
    // The same is no question anywhere else.
    assert_eq!(
        rendered("{{ .pin }}{{ ternary \"y\" \"n\" (eq .pin \"1\") }}", &[("pin", "1")]),
        Ok("1y".into())
    );
    let elsewhere = docker("{}", &[("pin", "1")]).template("t", "{{ replace \"1\" \"2\" .pin }}");
    assert_eq!(elsewhere.unseal(&[RSA_2048]).unwrap()["t"], b"2");
}

#[test]
fn an_item_that_breaks_the_json_it_is_put_into_is_refused_in_fixed_words() {
    let text = r#"{"a": "{{ .pin }}"}"#;
    for value in ["a\"b", "a\\", "a\nb", "\u{1}"] {
        let object = docker(text, &[("pin", value)]);
        // Known only once it is open.
        assert!(object.parse().is_ok());
        let error = object.unseal(&[RSA_2048]).unwrap_err();
        assert!(is_checked(&error, "with these items it isn't a JSON object"), "{error}");
        assert!(docker(r#"{"a": {{ .pin | toJson }}}"#, &[("pin", value)]).unseal(&[RSA_2048]).is_ok());
    }
    assert!(docker(text, &[("pin", "ä b/c<>&'")]).unseal(&[RSA_2048]).is_ok());
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
    // A plain text with a quote is no harm where it isn't used.
    assert!(docker(r#"{"a": "{{ .pin }}"}"#, &[("pin", "1")]).template("t", "\"").parse().is_ok());
}

#[test]
fn a_private_key_for_ssh_is_never_empty_because_of_what_an_item_is() {
    let ssh = |text: &str, item: &str| {
        object(&[("k", item)], &[("ssh-privatekey", text)]).typed("kubernetes.io/ssh-auth")
    };
    assert!(ssh("{{ .k }}\n", "x").unseal(&[RSA_2048]).is_ok());
    assert!(ssh("{{ .k }}", "x").unseal(&[RSA_2048]).is_ok());
    for (text, item) in [("{{ .k }}", ""), ("{{ trim .k }}", "x"), ("{{ trimPrefix \"x\" .k }}", "x")] {
        assert!(is_checked(&ssh(text, item).refused(), "put something into it"), "{text}");
    }
}
