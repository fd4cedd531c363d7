//! Translations of Go templates. The code under test checks by itself that both render the same.

use super::*;

fn translate(text: &str, in_json: bool) -> Result<String, NoCounterpart> {
    let items: BTreeMap<ItemName, Plaintext> =
        [("user", "me"), ("tls.key", "a\"b<c"), ("word", "w\u{e9}"), ("hidden", "h")]
            .into_iter()
            .map(|(name, value)| (name.parse().unwrap(), Plaintext::from(value.as_bytes().to_vec())))
            .collect();
    let plain = [("host", Some("h$(x)")), ("out", Some(text)), ("nobody", None)]
        .map(|(key, text)| (key.to_owned(), text.map(str::to_owned)))
        .into();
    let omitted = ["hidden", "nobody"].map(|name| name.parse().unwrap()).into();
    let mut substitution = Substitution::new(&items, &omitted, &plain);
    substitution.translate(&"out".parse().unwrap(), text, in_json).map(|(text, _)| text)
}

#[test]
fn what_only_substitutes_has_a_native_counterpart() {
    for (go, native) in [
        ("plain", "plain"),
        ("", ""),
        ("a {{ .user }} b {{.user}}", "a $(user) b $(user)"),
        ("{{ $.user }}", "$(user)"),
        ("{{ index . \"tls.key\" }}", "$(tls.key)"),
        ("{{ (index $ `tls.key`) | b64enc }}", "$(tls.key|base64)"),
        ("{{ b64enc .user }}", "$(user|base64)"),
        ("{{ .word | toJson }}", "\"$(word|json)\""),
        ("{{ index . \"tls.key\" | toRawJson }}", "\"$(tls.key|json)\""),
        ("{{ .user | toString | quote }}", "\"$(user|json)\""),
        ("a  {{- .user -}}  b{{/* why */}}c", "a$(user)bc"),
        ("{{- /* why */ -}}\n x", "x"),
        ("$(user) {{ \"{{\" }}{{ `}}` }}", "$$(user) {{}}"),
        ("{{ .host }}", "h$$(x)"),
        ("{{ .host | b64enc }}", "aCQoeCk="),
        ("$ {{ .user }}", "$ $(user)"),
    ] {
        assert_eq!(translate(go, false).as_deref(), Ok(native), "{go}");
    }
    let docker = "{\"auths\":{\"r\":{\"password\":\"{{ .user }}\"}}}";
    assert_eq!(translate(docker, true).unwrap(), "{\"auths\":{\"r\":{\"password\":\"$(user|json)\"}}}");
}

#[test]
fn what_does_more_is_named() {
    for (go, why) in [
        ("{{ if .user }}x{{ end }}", "{{ if .user }} is more than the substitution of an item"),
        ("{{ .user | upper }}", "{{ .user | upper }} is more than the substitution of an item"),
        ("{{ printf \"%s\" .user }}", "{{ printf \"%s\" .user }} is more than the substitution of an item"),
        (
            "{{ .user | b64enc | b64enc }}",
            "{{ .user | b64enc | b64enc }} is more than the substitution of an item",
        ),
        ("{{ $x := .user }}", "{{ $x := .user }} is more than the substitution of an item"),
        ("{{ . }}", "{{ . }} is more than the substitution of an item"),
        ("{{ .nobody }}", "it refers to nobody, and there is no item of that name"),
        (
            "{{ .hidden }}",
            "it uses hidden, which null leaves out of the Secret, and a native Secret has all of its items",
        ),
        ("${{ .user }}", "it has a $ right before a substitution, which native templates can't have"),
        ("{{ .user", "it isn't a Go template"),
        (
            "{{ index . \"tls.key\" | toJson }}",
            "item values in it need escapes that differ between the formats",
        ),
    ] {
        assert_eq!(translate(go, false).unwrap_err().to_string(), why, "{go}");
    }
    assert_eq!(translate("{{ index . \"tls.key\" }}", true), Err(NoCounterpart::Differs));
}

/// Our controller escapes the item in both formats. With this item, sealed-secrets would make a text that
/// isn't JSON.
#[test]
fn an_item_that_would_break_json_is_escaped_before_and_after() {
    let broken = "{\"a\":\"{{ index . \"tls.key\" }}\"}";
    assert_eq!(translate(broken, true).unwrap(), "{\"a\":\"$(tls.key|json)\"}");
}
