//! The vectors that open.
//!
//! Invariant: each vector has one subject.

use super::*;

/// The expectation that the manifest opens to these values, each envelope with the identity at the same position.
fn opens(identities: &[&str], values: &[(&str, &[u8])], manifest: Value) -> (Value, Value) {
    let data: Map<_, _> =
        values.iter().map(|(name, value)| ((*name).to_owned(), BASE64.encode(value).into())).collect();
    let mut secret = json!({
        "type": "Opaque",
        "data": data,
        "digest": by_hand::digest(&manifest["spec"]),
        "openedBy": identities,
    });
    let template = &manifest["spec"]["template"];
    for (field, from) in [
        ("type", &template["type"]),
        ("immutable", &template["immutable"]),
        ("labels", &template["metadata"]["labels"]),
        ("annotations", &template["metadata"]["annotations"]),
    ] {
        if !from.is_null() {
            secret[field] = from.clone();
        }
    }
    let mut distinct = identities.to_vec();
    distinct.dedup();
    (manifest, json!({ "identities": distinct, "opens": secret }))
}

/// One item at prod/db, sealed to these recipients and opened by the last of them.
fn one_item(scope: &'static str, to: &[&str]) -> (Value, Value) {
    let object = Object::new(scope, "prod", "db");
    let manifest = object.envelope(to, &[key()]).item("password", "hunter2").manifest();
    opens(&to[to.len() - 1..], &[("password", b"hunter2")], manifest)
}

pub(super) fn cases() -> Vec<Case> {
    fn case(file: &'static str, about: &'static str, make: impl Fn() -> (Value, Value) + 'static) -> Case {
        Case { folder: "opens", file, about, make: Box::new(make) }
    }
    vec![
        case(
            "strict-hybrid",
            "The default of everything: strict, one hybrid recipient, no template.",
            || one_item("strict", &["hybrid"]),
        ),
        case("strict-hybrid-several", "Two hybrid recipients; the second opens it.", || {
            one_item("strict", &["hybrid", "hybrid-2"])
        }),
        case("strict-x25519", "A classic recipient of age.", || one_item("strict", &["x25519"])),
        case("strict-ssh-ed25519", "An SSH key as the recipient.", || one_item("strict", &["ssh-ed25519"])),
        case("strict-classic-several", "Classic recipients of two kinds; the SSH key opens it.", || {
            one_item("strict", &["x25519", "ssh-ed25519"])
        }),
        case("namespace-wide-hybrid", "Bound to its namespace; the document has no name.", || {
            one_item("namespace-wide", &["hybrid"])
        }),
        case("namespace-wide-other-name", "Sealed as prod/db, found as prod/cache.", || {
            let (mut manifest, expected) = one_item("namespace-wide", &["x25519"]);
            manifest["metadata"]["name"] = "cache".into();
            (manifest, expected)
        }),
        case("cluster-wide-hybrid", "Bound to nothing; the document has neither namespace nor name.", || {
            one_item("cluster-wide", &["hybrid"])
        }),
        case("cluster-wide-elsewhere", "Sealed as prod/db, found as staging/cache.", || {
            let (mut manifest, expected) = one_item("cluster-wide", &["x25519"]);
            manifest["metadata"] = json!({ "namespace": "staging", "name": "cache" });
            (manifest, expected)
        }),
        case(
            "two-envelopes",
            "An item added later, without a key: its envelope stands beside the first.",
            || {
                let manifest = Object::strict()
                    .envelope(&["hybrid"], &[key()])
                    .envelope(&["hybrid-2"], &[second_key()])
                    .item("password", "hunter2")
                    .item_under(&second_key(), "token", "t0ken")
                    .manifest();
                let values: &[(&str, &[u8])] = &[("password", b"hunter2"), ("token", b"t0ken")];
                opens(&["hybrid", "hybrid-2"], values, manifest)
            },
        ),
        case(
            "unused-data-key",
            "An item was removed without a key; its data key stays in the envelope.",
            || {
                let manifest = Object::strict()
                    .envelope(&["x25519"], &[second_key(), key()])
                    .item("password", "hunter2")
                    .manifest();
                opens(&["x25519"], &[("password", b"hunter2")], manifest)
            },
        ),
        case(
            "rewrapped",
            "Two data keys that were sealed to other recipients before, each to its own.",
            || {
                let past = ["a recipient of old", "another"].map(fingerprint);
                let manifest = Object::strict()
                    .envelope_changed(&["x25519"], &[key(), second_key()], |text| {
                        let mut document: Value = serde_json::from_str(&text).unwrap();
                        document["past"] = json!(past);
                        document["keys"][0]["seen"] = json!([0, 1, 2]);
                        document["keys"][1]["seen"] = json!([0, 2]);
                        document.to_string()
                    })
                    .item("password", "hunter2")
                    .item_under(&second_key(), "token", "t0ken")
                    .manifest();
                let values: &[(&str, &[u8])] = &[("password", b"hunter2"), ("token", b"t0ken")];
                opens(&["x25519"], values, manifest)
            },
        ),
        case("rewrapped-often", "A data key with as many past recipients as there can be.", || {
            let past: Vec<_> = (0..64).map(|n| fingerprint(&format!("recipient {n} of old"))).collect();
            let manifest = Object::strict()
                .envelope_changed(&["x25519"], &[key()], |text| {
                    let mut document: Value = serde_json::from_str(&text).unwrap();
                    document["past"] = json!(past);
                    document["keys"][0]["seen"] = json!((0..=64).collect::<Vec<_>>());
                    document.to_string()
                })
                .item("password", "hunter2")
                .manifest();
            opens(&["x25519"], &[("password", b"hunter2")], manifest)
        }),
        case("document-laid-out", "White space and the order of fields in the document are free.", || {
            let manifest = Object::strict()
                .envelope_changed(&["x25519"], &[key()], |text| {
                    let document: Value = serde_json::from_str(&text).unwrap();
                    format!("\n{}\n", serde_json::to_string_pretty(&document).unwrap())
                })
                .item("password", "hunter2")
                .manifest();
            opens(&["x25519"], &[("password", b"hunter2")], manifest)
        }),
        case("hints-without-names", "The name of a recipient may be left out.", || {
            let (mut manifest, expected) = one_item("strict", &["x25519"]);
            let hint = manifest["spec"]["envelopes"][0]["recipients"][0].as_object_mut();
            hint.unwrap().remove("name");
            (manifest, expected)
        }),
        case("values", "Empty, binary, with line ends, and not ASCII.", || {
            let values: &[(&str, &[u8])] = &[
                ("binary", &[0, 1, 0xfe, 0xff, 0x80, 0]),
                ("empty", b""),
                ("lines", b"a\r\nb\n"),
                ("non-ascii", "pässwörd 密码 🔑".as_bytes()),
                ("space", b" "),
            ];
            let object = Object::strict().envelope(&["x25519"], &[key()]);
            let object = values.iter().fold(object, |object, (name, value)| object.item(name, value));
            opens(&["x25519"], values, object.manifest())
        }),
        case("padding", "Lengths on both sides of the steps of the padding.", || {
            let value: Vec<u8> = (0..=255).cycle().take(5_000).collect();
            let lengths = [0, 1, 59, 60, 61, 68, 69, 251, 252, 253, 1_020, 1_021, 4_988, 4_989, 5_000];
            let names = lengths.map(|length| format!("v{length}"));
            let lengths = lengths.map(|length| &value[..length]);
            let values: Vec<_> = names.iter().map(String::as_str).zip(lengths).collect();
            let object = Object::strict().envelope(&["x25519"], &[key()]);
            let object = values.iter().fold(object, |object, (name, value)| object.item(name, value));
            opens(&["x25519"], &values, object.manifest())
        }),
        case("item-names", "Names that YAML reads as something else, and the longest.", || {
            let longest = "n".repeat(253);
            let names = [
                "-",
                ".dockerconfigjson",
                "0",
                "1e3",
                "2001-01-01",
                "False",
                "Null",
                "_",
                "false",
                "no",
                "null",
                "on",
                "true",
                "tls.crt",
                "y",
                &longest,
            ];
            let object = Object::strict().envelope(&["x25519"], &[key()]);
            let object = names.iter().fold(object, |object, name| object.item(name, name));
            let values = names.map(|name| (name, name.as_bytes()));
            opens(&["x25519"], &values, object.manifest())
        }),
        case(
            "template-encoders",
            "A data key for templates beside one that isn't; every encoder; $$( as a literal.",
            || {
                let manifest = Object::strict()
                .envelope(&["hybrid"], &[key(), template_key()])
                .item("password", "hunter2")
                .item_under(&template_key(), "user", "j\"o/\u{e9}\n")
                .template(json!({
                    "data": {
                        "literal": "$$(user) $user $ 100 $$ $)",
                        "text": "raw=$(user);base64=$(user|base64);hex=$(user|hex);json=\"$(user|json)\";url=$(user|url)",
                    },
                }))
                .manifest();
                let text = "raw=j\"o/\u{e9}\n;base64=aiJvL8OpCg==;hex=6a226f2fc3a90a;json=\"j\\\"o/\u{e9}\\n\";url=j%22o%2F%C3%A9%0A";
                let values: &[(&str, &[u8])] = &[
                    ("literal", b"$(user) $user $ 100 $$ $)"),
                    ("password", b"hunter2"),
                    ("text", text.as_bytes()),
                    ("user", "j\"o/\u{e9}\n".as_bytes()),
                ];
                opens(&["hybrid"], values, manifest)
            },
        ),
        case(
            "template-not-utf8",
            "An encoder takes every value: what isn't UTF-8 becomes U+FFFD in JSON, and stays elsewhere.",
            || {
                let manifest = Object::strict()
                    .envelope(&["x25519"], &[template_key()])
                    .item_under(&template_key(), "b", b"\xffa\x1b")
                    .template(json!({ "data": { "json": "$(b|json)", "raw": "$(b)", "url": "$(b|url)" } }))
                    .manifest();
                let values: &[(&str, &[u8])] = &[
                    ("b", b"\xffa\x1b"),
                    ("json", "\u{fffd}a\\u001b".as_bytes()),
                    ("raw", b"\xffa\x1b"),
                    ("url", b"%FFa%1B"),
                ];
                opens(&["x25519"], values, manifest)
            },
        ),
        case("template-metadata", "Type, immutability, labels and annotations, taken literally.", || {
            let manifest = Object::strict()
                .envelope(&["x25519"], &[key()])
                .item("tls.crt", "certificate")
                .item("tls.key", "key")
                .template(json!({
                    "type": "kubernetes.io/tls",
                    "immutable": true,
                    "metadata": {
                        "labels": { "app.kubernetes.io/name": "db", "empty": "" },
                        "annotations": { "example.com/note": "$(tls.key) stays as it is" },
                    },
                }))
                .manifest();
            let values: &[(&str, &[u8])] = &[("tls.crt", b"certificate"), ("tls.key", b"key")];
            opens(&["x25519"], values, manifest)
        }),
        case(
            "template-marks",
            "Labels and annotations by which tools act stay, those that they write about themselves are left out.",
            || {
                let manifest = Object::strict()
                    .envelope(&["x25519"], &[key()])
                    .item("password", "p")
                    .template(json!({ "metadata": {
                        "labels": {
                            "app.kubernetes.io/instance": "db",
                            "argocd.argoproj.io/secret-type": "repository",
                            "kustomize.toolkit.fluxcd.io/name": "apps",
                        },
                        "annotations": {
                            "meta.helm.sh/release-name": "db",
                            "sealing.dev/digest": "x",
                        },
                    } }))
                    .manifest();
                let (manifest, mut expected) = opens(&["x25519"], &[("password", b"p")], manifest);
                expected["opens"]["labels"] = json!({ "app.kubernetes.io/instance": "db", "argocd.argoproj.io/secret-type": "repository" });
                expected["opens"]["annotations"] = json!({ "meta.helm.sh/release-name": "db" });
                expected["opens"]["leftOut"] =
                    json!(["kustomize.toolkit.fluxcd.io/name", "sealing.dev/digest"]);
                (manifest, expected)
            },
        ),
        case("type-allowed", "A type that the control plane acts on, where it is allowed.", || {
            let manifest = Object::strict()
                .envelope(&["x25519"], &[key()])
                .item("release", "r")
                .template(json!({ "type": "helm.sh/release.v1" }))
                .manifest();
            let (manifest, mut expected) = opens(&["x25519"], &[("release", b"r")], manifest);
            expected["allowedTypes"] = json!(["helm.sh/release.v1"]);
            (manifest, expected)
        }),
    ]
}
