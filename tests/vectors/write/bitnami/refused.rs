//! The vectors of the peer's format that are refused.
//!
//! Invariant: each differs from a vector that opens only in its subject.

mod manifests;

use super::*;

/// One raw item at prod/db, after a change of the manifest.
fn changed(change: impl Fn(&mut Value)) -> Value {
    let spec = json!({ "encryptedData": { "password": raw("rsa-2048", "strict", "hunter2") } });
    let mut manifest = manifest("strict", spec);
    change(&mut manifest);
    manifest
}

/// The same object, after a change of the item's bytes.
fn item(change: impl Fn(&mut Vec<u8>)) -> Value {
    changed(|manifest| {
        let item = &mut manifest["spec"]["encryptedData"]["password"];
        let mut bytes = BASE64.decode(item.as_str().unwrap()).unwrap();
        change(&mut bytes);
        *item = BASE64.encode(bytes).into();
    })
}

/// The refusal of an object that doesn't open. The message names the item, its place, and the key that was tried.
fn cannot_open(names: &str) -> (&'static str, String) {
    ("CannotOpen", format!("{names} {}", short("rsa-2048")))
}

/// The same refusal, for all failures that only a key can tell apart.
fn is_one_failure() -> (&'static str, String) {
    cannot_open("password prod/db strict")
}

fn malformed(names: &'static str) -> impl Fn() -> (&'static str, String) {
    move || ("Malformed", names.to_owned())
}

fn invalid_template(names: &'static str) -> impl Fn() -> (&'static str, String) {
    move || ("InvalidTemplate", names.to_owned())
}

fn case(
    file: &'static str,
    about: &'static str,
    says: impl Fn() -> (&'static str, String) + 'static,
    make: impl Fn() -> Value + 'static,
) -> Case {
    case_with("rsa-2048", file, about, says, make)
}

fn case_with(
    key: &'static str,
    file: &'static str,
    about: &'static str,
    says: impl Fn() -> (&'static str, String) + 'static,
    make: impl Fn() -> Value + 'static,
) -> Case {
    let make = move || {
        let (reason, names) = says();
        let keys: Vec<_> = Some(key).filter(|key| !key.is_empty()).into_iter().collect();
        (make(), json!({ "keys": keys, "refused": refusal(reason, &names) }))
    };
    Case { folder: "bitnami/refused", file, about, make: Box::new(make) }
}

pub(super) fn cases() -> Vec<Case> {
    [failures(), keys(), bytes(), manifests::manifests(), manifests::templates()]
        .into_iter()
        .flatten()
        .collect()
}

fn failures() -> Vec<Case> {
    vec![
        case("rsa-flipped", "One bit of the RSA ciphertext.", is_one_failure, || {
            item(|bytes| bytes[100] ^= 1)
        }),
        case("aes-flipped", "One bit of the AES ciphertext.", is_one_failure, || {
            item(|bytes| bytes[260] ^= 1)
        }),
        case("tag-flipped", "One bit of the tag.", is_one_failure, || {
            item(|bytes| *bytes.last_mut().unwrap() ^= 1)
        }),
        case("one-byte-less", "The last byte is missing.", is_one_failure, || {
            item(|bytes| bytes.truncate(bytes.len() - 1))
        }),
        case("one-byte-more", "A byte after the end.", is_one_failure, || item(|bytes| bytes.push(0))),
        case("rsa-zero", "An RSA ciphertext of zeros.", is_one_failure, || {
            item(|bytes| bytes[2..258].fill(0))
        }),
        case("rsa-above-modulus", "A number that is larger than the modulus.", is_one_failure, || {
            item(|bytes| bytes[2..258].fill(0xff))
        }),
        case(
            "halves-of-two",
            "The session key of one value before the ciphertext of another.",
            is_one_failure,
            || {
                let other = BASE64.decode(raw("rsa-2048", "strict", "hunter2")).unwrap();
                item(|bytes| bytes[..258].copy_from_slice(&other[..258]))
            },
        ),
        case(
            "name",
            "Strict, found under another name.",
            || cannot_open("password prod/other strict"),
            || changed(|manifest| manifest["metadata"]["name"] = "other".into()),
        ),
        case(
            "namespace",
            "Strict, found in another namespace.",
            || cannot_open("password staging/db strict"),
            || changed(|manifest| manifest["metadata"]["namespace"] = "staging".into()),
        ),
        case(
            "annotation-widened",
            "Strict, with the annotation of another scope.",
            || cannot_open("password cluster-wide"),
            || {
                changed(|manifest| {
                    manifest["metadata"]["annotations"] =
                        json!({ "sealedsecrets.bitnami.com/cluster-wide": "true" });
                })
            },
        ),
        case("annotation-lost", "Cluster-wide, without the annotation that says so.", is_one_failure, || {
            let spec = json!({ "encryptedData": { "password": raw("rsa-2048", "cluster-wide", "hunter2") } });
            manifest("strict", spec)
        }),
        case(
            "annotation-not-true",
            "Cluster-wide, and the annotation isn't \"true\".",
            is_one_failure,
            || {
                let spec =
                    json!({ "encryptedData": { "password": raw("rsa-2048", "cluster-wide", "hunter2") } });
                let mut manifest = manifest("cluster-wide", spec);
                manifest["metadata"]["annotations"]["sealedsecrets.bitnami.com/cluster-wide"] = "True".into();
                manifest
            },
        ),
        case(
            "one-of-two",
            "All or nothing: one item opens, the other doesn't.",
            || cannot_open("b prod/db strict"),
            || {
                let [a, b] = ["strict", "namespace-wide"].map(|scope| raw("rsa-2048", scope, "1"));
                manifest("strict", json!({ "encryptedData": { "a": a, "b": b } }))
            },
        ),
        case(
            "deprecated-data-moved",
            "A whole Secret, found under another name.",
            || cannot_open("data prod/other strict"),
            || {
                let spec = json!({ "data": raw("rsa-2048", "strict", secret("strict", &[]).to_string()) });
                let mut manifest = manifest("strict", spec);
                manifest["metadata"]["name"] = "other".into();
                manifest
            },
        ),
    ]
}

fn keys() -> Vec<Case> {
    let none = || ("NoMatchingKey", "password 2048".to_owned());
    let other = || ("NoMatchingKey", format!("password 2048 {}", short("rsa-4096")));
    vec![
        case_with("", "no-key", "No key is at hand.", none, || changed(|_| {})),
        case_with("rsa-4096", "key-of-another-size", "The key at hand has another size.", other, || {
            changed(|_| {})
        }),
    ]
}

fn bytes() -> Vec<Case> {
    vec![
        case("empty", "No bytes at all.", malformed("encryptedData.password 0"), || item(Vec::clear)),
        case("cut-off", "The first 100 bytes.", malformed("encryptedData.password 100 274"), || {
            item(|bytes| bytes.truncate(100))
        }),
        case(
            "plaintext",
            "Somebody wrote the value itself, in base64.",
            malformed("encryptedData.password 26741 2048 8192 256 1024"),
            || {
                changed(|manifest| {
                    manifest["spec"]["encryptedData"]["password"] = BASE64.encode("hunter2").into()
                })
            },
        ),
        case(
            "key-of-1024-bits",
            "The length of a key that is too small.",
            malformed("encryptedData.password 128 2048 8192 256 1024"),
            || item(|bytes| bytes[..2].copy_from_slice(&[0, 128])),
        ),
        case("not-base64", "Not base64.", malformed("encryptedData.password"), || {
            changed(|manifest| manifest["spec"]["encryptedData"]["password"] = "hunter2!".into())
        }),
        case(
            "base64-without-padding",
            "base64 without its padding.",
            malformed("encryptedData.password"),
            || {
                changed(|manifest| {
                    let item = &mut manifest["spec"]["encryptedData"]["password"];
                    *item = item.as_str().unwrap().trim_end_matches('=').into();
                })
            },
        ),
    ]
}
