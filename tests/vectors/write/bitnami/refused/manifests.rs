//! What is refused for the text around the items: names, the deprecated data, and templates that would have power.
//!
//! Invariant: as in `super`.

use super::*;

pub(super) fn manifests() -> Vec<Case> {
    vec![
        case(
            "name-of-item",
            "An item name that is special to the kubelet.",
            || {
                let rule = "is not a Secret key (1 to 253 of a-z, A-Z, 0-9, '-', '_' and '.'; not \".\", no leading \"..\")";
                ("InvalidName", format!("item name \"..data\" {rule}"))
            },
            || manifest("strict", json!({ "encryptedData": { "..data": raw("rsa-2048", "strict", "x") } })),
        ),
        case(
            "data-beside-encrypted-data",
            "Both forms at once.",
            malformed("data stands beside encryptedData; an object has one or the other"),
            || changed(|manifest| manifest["spec"]["data"] = raw("rsa-2048", "strict", "{}").into()),
        ),
        case(
            "deprecated-data-no-secret",
            "What was sealed as a whole is no Secret.",
            malformed(
                "data doesn't hold, as JSON, a Secret that may be made; this field is deprecated: seal it again with kubeseal",
            ),
            || manifest("strict", json!({ "data": raw("rsa-2048", "strict", "hunter2") })),
        ),
        case(
            "unreadable",
            "A list where a map belongs.",
            || ("Unreadable", String::new()),
            || changed(|manifest| manifest["spec"]["encryptedData"] = json!(["x"])),
        ),
    ]
}

pub(super) fn templates() -> Vec<Case> {
    fn template(template: Value) -> impl Fn() -> Value {
        move || changed(|manifest| manifest["spec"]["template"] = template.clone())
    }
    let docker = |text: &'static str| {
        template(json!({ "type": "kubernetes.io/dockerconfigjson", "data": { ".dockerconfigjson": text } }))
    };
    let checked = "template.data..dockerconfigjson is checked by Kubernetes in a Secret of type \
                   kubernetes.io/dockerconfigjson";
    let rule = move || {
        let rule = "make it a JSON object, with items inside its strings, not behind a backslash there, or as \
                    {{ toJson .item }} in the place of a string";
        ("InvalidTemplate", format!("{checked}: {rule}"))
    };
    vec![
        case(
            "template-function",
            "A function that knows the environment.",
            invalid_template(
                "template.data.t: line 1: function \"env\" is not supported: it depends on the machine",
            ),
            template(json!({ "data": { "t": "{{ env \"HOME\" }}" } })),
        ),
        case(
            "template-branch",
            "A branch, where branching isn't allowed.",
            invalid_template(
                "template.data.t: line 1: if branches on values, which the controller allows with \
                 --allow-template-branching only",
            ),
            template(json!({ "data": { "t": "{{ if .password }}x{{ end }}" } })),
        ),
        case("template-docker-bare", "An item outside of JSON's strings.", rule, {
            docker(r#"{"a": {{ .password }}}"#)
        }),
        case(
            "template-docker-question",
            "A question about an item decides whether a key is a string.",
            rule,
            docker(r#"{ {{ toJson (ternary 5 "a" (hasPrefix "S3" .password)) }}: 1 }"#),
        ),
        case(
            "template-docker-nothing",
            "A question about an item decides whether there is a value.",
            rule,
            docker(r#"{"a": {{ quote (ternary nil "a" (hasPrefix "1" .password)) }} }"#),
        ),
        case(
            "type-refused",
            "A type that the control plane acts on.",
            invalid_template(
                "template: type kubernetes.io/service-account-token may not be sealed: the control plane acts on \
                 Secrets of this type",
            ),
            template(json!({ "type": "kubernetes.io/service-account-token" })),
        ),
        case(
            "type-lacks-key",
            "A type whose keys are not all there.",
            invalid_template("template: type kubernetes.io/tls needs the key tls.crt"),
            template(json!({ "type": "kubernetes.io/tls" })),
        ),
    ]
}
