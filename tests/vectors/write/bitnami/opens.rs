//! The vectors of the peer's format that open.
//!
//! Invariant: each vector has one subject.

use super::*;

const PREFIX: &str = "sealedsecrets.bitnami.com/";

/// The expectation that the manifest opens to these values with one key; the template says the rest.
fn opens(key: &str, scope: &str, values: &[(&str, &[u8])], manifest: Value) -> (Value, Value) {
    let data: Map<_, _> =
        values.iter().map(|(name, value)| ((*name).to_owned(), BASE64.encode(value).into())).collect();
    let template = &manifest["spec"]["template"];
    let text = |value: &Value, default: Value| if is_nothing(value) { default } else { value.clone() };
    let expected = json!({
        "scope": scope,
        "type": text(&template["type"], "Opaque".into()),
        "immutable": template["immutable"],
        "owned": true,
        "labels": text(&template["metadata"]["labels"], json!({})),
        "annotations": text(&template["metadata"]["annotations"], json!({})),
        "data": data,
        "digest": digest(scope, &manifest["spec"]),
        "openedBy": [key],
    });
    (manifest, json!({ "keys": [key], "opens": expected }))
}

/// One item, sealed as a Secret.
fn one_item(key: &str, scope: &str) -> (Value, Value) {
    let values: &[(&str, &[u8])] = &[("password", b"hunter2")];
    opens(key, scope, values, sealed(key, &secret(scope, values)))
}

/// One item, sealed with `--raw`, in a manifest by hand.
fn one_raw_item(key: &str, scope: &str) -> (Value, Value) {
    let spec = json!({ "encryptedData": { "password": raw(key, scope, "hunter2") } });
    opens(key, scope, &[("password", b"hunter2")], manifest(scope, spec))
}

pub(super) fn cases() -> Vec<Case> {
    fn case(file: &'static str, about: &'static str, make: impl Fn() -> (Value, Value) + 'static) -> Case {
        Case { folder: "bitnami/opens", file, about, make: Box::new(make) }
    }
    vec![
        case("strict-2048", "The default of everything.", || one_item("rsa-2048", "strict")),
        case("strict-4096", "The size of key that the peer's controller makes.", || {
            one_item("rsa-4096", "strict")
        }),
        case("strict-3072", "A size of key that somebody brought.", || one_item("rsa-3072", "strict")),
        case("strict-8192", "The largest key.", || one_item("rsa-8192", "strict")),
        case("namespace-wide-2048", "The label is the namespace.", || one_item("rsa-2048", "namespace-wide")),
        case("namespace-wide-4096", "The label is the namespace.", || one_item("rsa-4096", "namespace-wide")),
        case("cluster-wide-2048", "The label is empty.", || one_item("rsa-2048", "cluster-wide")),
        case("cluster-wide-4096", "The label is empty.", || one_item("rsa-4096", "cluster-wide")),
        case("raw-strict", "kubeseal --raw, in a manifest by hand.", || one_raw_item("rsa-2048", "strict")),
        case("raw-namespace-wide", "kubeseal --raw, in a manifest by hand.", || {
            one_raw_item("rsa-4096", "namespace-wide")
        }),
        case("raw-cluster-wide", "kubeseal --raw, in a manifest by hand.", || {
            one_raw_item("rsa-2048", "cluster-wide")
        }),
        case("namespace-wide-renamed", "Bound to its namespace only, found under another name.", || {
            let (mut manifest, expected) = one_item("rsa-2048", "namespace-wide");
            manifest["metadata"]["name"] = "other".into();
            (manifest, expected)
        }),
        case("cluster-wide-elsewhere", "Bound to nothing, found in another namespace.", || {
            let (mut manifest, expected) = one_item("rsa-2048", "cluster-wide");
            manifest["metadata"]["namespace"] = "staging".into();
            (manifest, expected)
        }),
        case("both-annotations", "cluster-wide wins over namespace-wide.", || {
            let (mut manifest, expected) = one_raw_item("rsa-2048", "cluster-wide");
            manifest["metadata"]["annotations"][format!("{PREFIX}namespace-wide")] = "true".into();
            (manifest, expected)
        }),
        case("values", "Empty, binary, with line ends, not ASCII, and longer than the RSA key.", || {
            let long = "0123456789".repeat(500);
            let values: &[(&str, &[u8])] = &[
                ("binary", &[0, 1, 0xfe, 0xff, 0x80, 0]),
                ("empty", b""),
                ("lines", b"a\r\nb\n"),
                ("long", long.as_bytes()),
                ("non-ascii", "pässwörd 密码 🔑".as_bytes()),
            ];
            opens("rsa-2048", "strict", values, sealed("rsa-2048", &secret("strict", values)))
        }),
        case(
            "two-keys",
            "kubeseal --merge-into after the key was renewed: each item opens with its own.",
            || {
                let spec = json!({ "encryptedData": {
                "a": raw("rsa-4096", "strict", "1"), "b": raw("rsa-2048", "strict", "2"),
            } });
                let (manifest, mut expected) =
                    opens("rsa-2048", "strict", &[("a", b"1"), ("b", b"2")], manifest("strict", spec));
                expected["keys"] = json!(["rsa-2048", "rsa-4096"]);
                expected["opens"]["openedBy"] = json!(["rsa-4096", "rsa-2048"]);
                (manifest, expected)
            },
        ),
        case("folded", "Line ends in base64, as some editors put them there.", || {
            let (mut manifest, mut expected) = one_raw_item("rsa-2048", "strict");
            let item = &mut manifest["spec"]["encryptedData"]["password"];
            let text = item.as_str().unwrap();
            *item = format!("{}\n{}\r\n", &text[..76], &text[76..]).into();
            // RFC 8785 writes these two as Rust's JSON does.
            expected["opens"]["digest"] = digest("strict", &manifest["spec"]).into();
            (manifest, expected)
        }),
        case("nulls", "What the peer's Go structs print for nothing.", || {
            let (mut manifest, expected) = one_raw_item("rsa-2048", "strict");
            manifest["metadata"]["creationTimestamp"] = Value::Null;
            manifest["spec"]["template"] = json!({
                "data": null, "metadata": { "creationTimestamp": null, "name": "db", "namespace": "prod" },
            });
            (manifest, expected)
        }),
        case("tls-immutable", "A Secret with a type, immutability, labels and annotations.", || {
            let values: &[(&str, &[u8])] = &[("tls.crt", b"certificate"), ("tls.key", b"key")];
            let mut secret = secret("strict", values);
            secret["type"] = "kubernetes.io/tls".into();
            secret["immutable"] = true.into();
            secret["metadata"]["labels"] = json!({ "app.kubernetes.io/name": "db", "empty": "" });
            secret["metadata"]["annotations"] = json!({ "example.com/note": "{{ .x }} stays as it is" });
            opens("rsa-2048", "strict", values, sealed("rsa-2048", &secret))
        }),
        case("adoption", "The annotations by which a Secret says whose it is are copied.", || {
            let values: &[(&str, &[u8])] = &[("a", b"1")];
            let mut secret = secret("strict", values);
            for name in ["managed", "patch", "skip-set-owner-references"] {
                secret["metadata"]["annotations"][format!("{PREFIX}{name}")] = "true".into();
            }
            let (manifest, mut expected) = opens("rsa-2048", "strict", values, sealed("rsa-2048", &secret));
            expected["opens"]["owned"] = false.into();
            (manifest, expected)
        }),
        case(
            "marks",
            "What a tool writes about itself, or speaks for a controller, is left out; the peer copies it.",
            || {
                let (mut manifest, mut expected) = one_raw_item("rsa-2048", "strict");
                manifest["spec"]["template"] = json!({ "metadata": {
                "labels": {
                    "app.kubernetes.io/instance": "db",
                    "argocd.argoproj.io/secret-type": "repository",
                    "sealedsecrets.bitnami.com/sealed-secrets-key": "active",
                },
                "annotations": {
                    "argocd.argoproj.io/tracking-id": "x",
                    "meta.helm.sh/release-name": "y",
                    "sealing.dev/adopt": "db",
                },
            } });
                expected["opens"]["digest"] = digest("strict", &manifest["spec"]).into();
                expected["opens"]["labels"] = json!({ "app.kubernetes.io/instance": "db", "argocd.argoproj.io/secret-type": "repository" });
                expected["opens"]["annotations"] = json!({ "meta.helm.sh/release-name": "y" });
                expected["opens"]["leftOut"] = json!([
                    "sealedsecrets.bitnami.com/sealed-secrets-key",
                    "argocd.argoproj.io/tracking-id",
                    "sealing.dev/adopt",
                ]);
                (manifest, expected)
            },
        ),
        case("type-allowed", "A type that the control plane acts on, where it is allowed.", || {
            let (mut manifest, mut expected) = one_raw_item("rsa-2048", "strict");
            manifest["spec"]["template"] = json!({ "type": "helm.sh/release.v1" });
            expected["allowedTypes"] = json!(["helm.sh/release.v1"]);
            expected["opens"]["type"] = "helm.sh/release.v1".into();
            expected["opens"]["digest"] = digest("strict", &manifest["spec"]).into();
            (manifest, expected)
        }),
        case("templated", "Go templates over items and over the plain texts beside them.", || {
            let spec = json!({
                "encryptedData": {
                    "password": raw("rsa-2048", "strict", "p@ss"), "user": raw("rsa-2048", "strict", "me"),
                },
                "template": { "data": {
                    "host": "db",
                    "password": "an item wins {{ .host }}",
                    "url": "pg://{{ .user | urlquery }}:{{ index . \"password\" | b64enc }}@{{ .host | upper }}",
                } },
            });
            let values: &[(&str, &[u8])] =
                &[("host", b"db"), ("password", b"p@ss"), ("url", b"pg://me:cEBzcw==@DB"), ("user", b"me")];
            opens("rsa-2048", "strict", values, manifest("strict", spec))
        }),
        case("omitted", "null leaves an item out of the Secret; templates see it all the same.", || {
            let spec = json!({
                "encryptedData": {
                    "password": raw("rsa-2048", "strict", "p@ss"), "user": raw("rsa-2048", "strict", "me"),
                },
                "template": { "data": { "nobody": null, "password": null, "url": "{{ .user }}:{{ .password }}" } },
            });
            let values: &[(&str, &[u8])] = &[("url", b"me:p@ss"), ("user", b"me")];
            opens("rsa-2048", "strict", values, manifest("strict", spec))
        }),
        case("templated-docker", "The content that Kubernetes checks, as people write it.", || {
            let text = r#"{"auths":{"{{ .server }}":{"auth":"{{ printf "%s:%s" .user .pass | b64enc }}"}}}"#;
            let spec = json!({
                "encryptedData": {
                    "pass": raw("rsa-2048", "strict", "p\"w"),
                    "server": raw("rsa-2048", "strict", "r.example.com"),
                    "user": raw("rsa-2048", "strict", "me"),
                },
                "template": {
                    "type": "kubernetes.io/dockerconfigjson", "data": { ".dockerconfigjson": text },
                },
            });
            let values: &[(&str, &[u8])] = &[
                (".dockerconfigjson", br#"{"auths":{"r.example.com":{"auth":"bWU6cCJ3"}}}"#),
                ("pass", b"p\"w"),
                ("server", b"r.example.com"),
                ("user", b"me"),
            ];
            opens("rsa-2048", "strict", values, manifest("strict", spec))
        }),
        case("templated-docker-escaped", "An item that would break the JSON it is put into.", || {
            let text = r#"{"a": "{{ .password }}", "b": {{ quote .password }}}"#;
            let spec = json!({
                "encryptedData": { "password": raw("rsa-2048", "strict", "a\"b\u{1}") },
                "template": {
                    "type": "kubernetes.io/dockerconfigjson", "data": { ".dockerconfigjson": text },
                },
            });
            let values: &[(&str, &[u8])] = &[
                (".dockerconfigjson", br#"{"a": "a\"b\u0001", "b": "a\"b\u0001"}"#),
                ("password", b"a\"b\x01"),
            ];
            opens("rsa-2048", "strict", values, manifest("strict", spec))
        }),
        case("templated-branching", "A branch, where branching is allowed.", || {
            let spec = json!({
                "encryptedData": { "pin": raw("rsa-2048", "strict", "1") },
                "template": { "data": { "t": "{{ if eq .pin \"1\" }}one{{ else }}other{{ end }}" } },
            });
            let values: &[(&str, &[u8])] = &[("pin", b"1"), ("t", b"one")];
            let (manifest, mut expected) = opens("rsa-2048", "strict", values, manifest("strict", spec));
            expected["branching"] = true.into();
            (manifest, expected)
        }),
        case("deprecated-data", "A whole Secret, sealed at once, with the shape inside.", || {
            let values: &[(&str, &[u8])] = &[("password", b"hunter2"), ("user", b"me")];
            let mut whole = secret("strict", &values[..1]);
            whole["stringData"] = json!({ "user": "me" });
            whole["type"] = "example.com/x".into();
            whole["metadata"]["labels"] = json!({ "app": "db" });
            whole["metadata"]["creationTimestamp"] = Value::Null;
            let spec = json!({ "data": raw("rsa-2048", "strict", whole.to_string()), "encryptedData": {} });
            let (manifest, mut expected) = opens("rsa-2048", "strict", values, manifest("strict", spec));
            expected["opens"]["type"] = "example.com/x".into();
            expected["opens"]["labels"] = json!({ "app": "db" });
            (manifest, expected)
        }),
    ]
}
