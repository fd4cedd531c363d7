//! Mistakes in the text around the items: names, the deprecated data, and templates that would have power.
//!
//! Invariant: as in `super`.

use super::*;

pub(super) fn manifests() -> Vec<Case> {
    vec![
        case(
            "name-of-item",
            "An item name that is special to the kubelet.",
            || ("InvalidName", "..data 1 253".to_owned()),
            || manifest("strict", json!({ "encryptedData": { "..data": raw("rsa-2048", "strict", "x") } })),
        ),
        case("data-beside-encrypted-data", "Both forms at once.", malformed("data encryptedData"), || {
            changed(|manifest| manifest["spec"]["data"] = raw("rsa-2048", "strict", "{}").into())
        }),
        case(
            "deprecated-data-no-secret",
            "What was sealed as a whole is no Secret.",
            malformed("data"),
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
    let checked = || invalid_template("template.data..dockerconfigjson kubernetes.io/dockerconfigjson");
    vec![
        case(
            "template-function",
            "A function that knows the environment.",
            invalid_template("template.data.t 1 env"),
            template(json!({ "data": { "t": "{{ env \"HOME\" }}" } })),
        ),
        case(
            "template-branch",
            "A branch, where branching isn't allowed.",
            invalid_template("template.data.t 1 if --allow-template-branching"),
            template(json!({ "data": { "t": "{{ if .password }}x{{ end }}" } })),
        ),
        case("template-docker-bare", "An item outside of JSON's strings.", checked(), {
            docker(r#"{"a": {{ .password }}}"#)
        }),
        case(
            "template-docker-question",
            "A question about an item decides whether a key is a string.",
            checked(),
            docker(r#"{ {{ toJson (ternary 5 "a" (hasPrefix "S3" .password)) }}: 1 }"#),
        ),
        case(
            "template-docker-nothing",
            "A question about an item decides whether there is a value.",
            checked(),
            docker(r#"{"a": {{ quote (ternary nil "a" (hasPrefix "1" .password)) }} }"#),
        ),
        case(
            "type-refused",
            "A type that the control plane acts on.",
            invalid_template("template kubernetes.io/service-account-token"),
            template(json!({ "type": "kubernetes.io/service-account-token" })),
        ),
        case(
            "type-lacks-key",
            "A type whose keys are not all there.",
            invalid_template("template kubernetes.io/tls tls.crt"),
            template(json!({ "type": "kubernetes.io/tls" })),
        ),
    ]
}
