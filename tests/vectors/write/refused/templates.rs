//! Names that may not be used, and templates that would have power.
//!
//! Not their whole grammar, which is tested beside the parsers. Invariant: as in `super`.

use super::*;

pub(super) fn names_and_templates() -> Vec<Case> {
    vec![
        case(
            "name-of-namespace",
            "A namespace that could leave its directory.",
            || {
                says(
                    "InvalidName",
                    "namespace \"..\" is not a DNS label (1 to 63 of a-z, 0-9 and '-', beginning and ending with a letter or digit)",
                )
            },
            || changed(|manifest| manifest["metadata"]["namespace"] = "..".into()),
        ),
        case(
            "name-of-object",
            "A name with a separator and a terminal escape.",
            || {
                says(
                    "InvalidName",
                    "name \"a/\\u{1b}[2J\" is not a DNS subdomain (1 to 253 of a-z, 0-9, '-' and '.', each part beginning and ending with a letter or digit)",
                )
            },
            || changed(|manifest| manifest["metadata"]["name"] = "a/\u{1b}[2J".into()),
        ),
        case(
            "name-of-item",
            "An item name that is special to the kubelet.",
            || {
                says(
                    "InvalidName",
                    "item name \"..data\" is not a Secret key (1 to 253 of a-z, A-Z, 0-9, '-', '_' and '.'; not \".\", no leading \"..\")",
                )
            },
            || object().item("..data", "x").manifest(),
        ),
        case(
            "template-type-refused",
            "A type that the control plane acts on.",
            || {
                says(
                    "InvalidTemplate",
                    "template: type kubernetes.io/service-account-token may not be sealed: the control plane acts on Secrets of this type",
                )
            },
            || template(json!({ "type": "kubernetes.io/service-account-token" })),
        ),
        case(
            "template-type-lacks-key",
            "A type whose keys are not all there.",
            || says("InvalidTemplate", "template: type kubernetes.io/tls needs the key tls.crt"),
            || template(json!({ "type": "kubernetes.io/tls" })),
        ),
        case(
            "template-label-value",
            "A label value that Kubernetes doesn't take.",
            || {
                says(
                    "InvalidTemplate",
                    "template: the value of label a is not at most 63 of a-z, A-Z, 0-9, '-', '_' and '.'",
                )
            },
            || template(json!({ "metadata": { "labels": { "a": "x y" } } })),
        ),
        case(
            "template-key-is-item",
            "A key of template.data that would shadow an item.",
            || says("InvalidTemplate", "template.data.user is also an item in encryptedData"),
            || template(json!({ "data": { "user": "x" } })),
        ),
        case(
            "template-unknown-item",
            "A reference to nothing.",
            || {
                says(
                    "InvalidTemplate",
                    "template.data.t refers to item nobody, which encryptedData doesn't have",
                )
            },
            || template(json!({ "data": { "t": "$(nobody)" } })),
        ),
        case(
            "template-unknown-encoder",
            "An encoder that doesn't exist.",
            || {
                says(
                    "InvalidTemplate",
                    "template.data.t: unknown encoder \"sha256\"; there are base64, hex, json and url",
                )
            },
            || template(json!({ "data": { "t": "$(user|sha256)" } })),
        ),
        case(
            "template-malformed-reference",
            "A reference that doesn't end.",
            || {
                says(
                    "InvalidTemplate",
                    "template.data.t: \"$(user\" is not $(item) or $(item|encoder); write $$( for a literal $(",
                )
            },
            || template(json!({ "data": { "t": "$(user" } })),
        ),
        case(
            "template-too-many-uses",
            "One item 17 times, in two keys.",
            || says("InvalidTemplate", "item user is substituted 17 times; at most 16 are allowed"),
            || template(json!({ "data": { "t": "$(user)".repeat(9), "u": "$(user|hex)".repeat(8) } })),
        ),
        case(
            "template-item-not-for-templates",
            "A template over an item whose sealer didn't allow it.",
            || {
                says(
                    "NotForTemplates",
                    "template.data refers to item password, which was not sealed for use in templates",
                )
            },
            || template(json!({ "data": { "leak": "$(password)" } })),
        ),
        case(
            "template-too-large",
            "A value that, encoded sixteen times, is larger than a Secret may be.",
            || says("SecretTooLarge", "the Secret would be larger than 1048576 bytes"),
            || {
                Object::strict()
                    .envelope(&["x25519"], &[template_key()])
                    .item_under(&template_key(), "a", [1; 11_000])
                    .template(json!({ "data": { "t": "$(a|json)".repeat(16) } }))
                    .manifest()
            },
        ),
    ]
}
