//! Names that aren't valid, and templates that would have power.
//!
//! Tests beside the parsers cover the whole grammar. Invariant: as in `super`.

use super::*;

pub(super) fn names_and_templates() -> Vec<Case> {
    vec![
        case(
            "name-of-namespace",
            "A namespace that could leave its directory.",
            || says("InvalidName", ".. 1 63"),
            || changed(|manifest| manifest["metadata"]["namespace"] = "..".into()),
        ),
        case(
            "name-of-object",
            "A name with a separator and a terminal escape.",
            || says("InvalidName", "a/\\u{1b}[2J 1 253"),
            || changed(|manifest| manifest["metadata"]["name"] = "a/\u{1b}[2J".into()),
        ),
        case(
            "name-of-item",
            "An item name that is special to the kubelet.",
            || says("InvalidName", "..data 1 253"),
            || object().item("..data", "x").manifest(),
        ),
        case(
            "template-type-refused",
            "A type that the control plane acts on.",
            || says("InvalidTemplate", "template kubernetes.io/service-account-token"),
            || template(json!({ "type": "kubernetes.io/service-account-token" })),
        ),
        case(
            "template-type-lacks-key",
            "A type whose keys are not all there.",
            || says("InvalidTemplate", "template kubernetes.io/tls tls.crt"),
            || template(json!({ "type": "kubernetes.io/tls" })),
        ),
        case(
            "template-label-value",
            "A label value that Kubernetes doesn't take.",
            || says("InvalidTemplate", "template a 63"),
            || template(json!({ "metadata": { "labels": { "a": "x y" } } })),
        ),
        case(
            "template-key-is-item",
            "A key of template.data that would shadow an item.",
            || says("InvalidTemplate", "template.data.user encryptedData"),
            || template(json!({ "data": { "user": "x" } })),
        ),
        case(
            "template-unknown-item",
            "A reference to nothing.",
            || says("InvalidTemplate", "template.data.t nobody encryptedData"),
            || template(json!({ "data": { "t": "$(nobody)" } })),
        ),
        case(
            "template-unknown-encoder",
            "An encoder that doesn't exist.",
            || says("InvalidTemplate", "template.data.t sha256 base64 hex json url"),
            || template(json!({ "data": { "t": "$(user|sha256)" } })),
        ),
        case(
            "template-malformed-reference",
            "A reference that doesn't end.",
            || says("InvalidTemplate", "template.data.t $(user"),
            || template(json!({ "data": { "t": "$(user" } })),
        ),
        case(
            "template-too-many-uses",
            "One item 17 times, in two keys.",
            || says("InvalidTemplate", "user 17 16"),
            || template(json!({ "data": { "t": "$(user)".repeat(9), "u": "$(user|hex)".repeat(8) } })),
        ),
        case(
            "template-item-not-for-templates",
            "A template over an item whose sealer didn't allow it.",
            || says("NotForTemplates", "template.data password"),
            || template(json!({ "data": { "leak": "$(password)" } })),
        ),
        case(
            "template-too-large",
            "A value that, encoded sixteen times, is larger than a Secret may be.",
            || says("SecretTooLarge", "1048576"),
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
