//! Mistakes in the public text, which show without a key: fields, sizes, forms.
//!
//! Names and templates are in [`super::templates`]. Invariant: each is refused before any identity is tried.

use super::*;

pub(super) fn unreadable_manifests() -> Vec<Case> {
    let add = |pointer: &'static str| {
        move || {
            changed(|manifest| {
                manifest.pointer_mut(pointer).unwrap()["more"] = "x".into();
            })
        }
    };
    vec![
        case(
            "unreadable-unknown-field",
            "A field of the spec that this version doesn't know.",
            unreadable,
            add("/spec"),
        ),
        case(
            "unreadable-unknown-field-of-envelope",
            "As above, in an envelope.",
            unreadable,
            add("/spec/envelopes/0"),
        ),
        case(
            "unreadable-unknown-field-of-hint",
            "As above, in a recipient.",
            unreadable,
            add("/spec/envelopes/0/recipients/0"),
        ),
        case("unreadable-unknown-field-of-template", "As above, in the template.", unreadable, || {
            template(json!({ "finalizers": [] }))
        }),
        case("unreadable-scope", "A scope that doesn't exist.", unreadable, || {
            changed(|manifest| manifest["spec"]["scope"] = "Strict".into())
        }),
        case("unreadable-no-scope", "No scope: nothing is assumed in its place.", unreadable, || {
            changed(|manifest| drop(manifest["spec"].as_object_mut().unwrap().remove("scope")))
        }),
    ]
}

pub(super) fn malformed() -> Vec<Case> {
    vec![
        case(
            "malformed-no-envelope",
            "No envelope at all.",
            || says("Malformed", "envelopes"),
            || changed(|manifest| manifest["spec"]["envelopes"] = json!([])),
        ),
        case(
            "malformed-no-item",
            "Nothing sealed.",
            || says("Malformed", "encryptedData"),
            || changed(|manifest| manifest["spec"]["encryptedData"] = json!({})),
        ),
        case(
            "malformed-seventeen-envelopes",
            "One envelope too many.",
            || says("Malformed", "envelopes 17 16"),
            || {
                let mut object = Object::strict();
                for n in 0..17 {
                    let key = DataKey::labelled(&format!("data key {n}"), false);
                    object = object.envelope(&["x25519"], &[key]).item_under(&key, &format!("i{n}"), "v");
                }
                object.manifest()
            },
        ),
        case(
            "malformed-seventeen-recipients",
            "One recipient too many.",
            || says("Malformed", "envelopes[0].recipients 17 16"),
            || {
                changed(|manifest| {
                    let hints = &mut manifest["spec"]["envelopes"][0]["recipients"];
                    *hints = vec![hints[0].clone(); 17].into();
                })
            },
        ),
        case(
            "malformed-age-not-base64",
            "A line end inside the base64.",
            || says("Malformed", "envelopes[0].age"),
            || {
                changed(|manifest| {
                    let age = &mut manifest["spec"]["envelopes"][0]["age"];
                    let text = age.as_str().unwrap();
                    *age = format!("{}\n{}", &text[..64], &text[64..]).into();
                })
            },
        ),
        case(
            "malformed-age-spare-bits",
            "Base64 whose last character has bits that mean nothing.",
            || says("Malformed", "envelopes[0].age"),
            || changed(|manifest| manifest["spec"]["envelopes"][0]["age"] = "YWdlLR==".into()),
        ),
        case(
            "malformed-age-armoured",
            "The armoured form of an age file.",
            || says("Malformed", "envelopes[0].age"),
            || {
                age(|file| {
                    let text = BASE64.encode(file);
                    format!("-----BEGIN AGE ENCRYPTED FILE-----\n{text}\n-----END AGE ENCRYPTED FILE-----\n")
                        .into()
                })
            },
        ),
        case(
            "malformed-age-scrypt",
            "A stanza for a passphrase.",
            || says("Malformed", "envelopes[0].age"),
            || {
                age(|_| {
                    let mac = "ovPq2w7xIA0tRJGTlEBOqEUtuLGtqa7iGe5dlrfPxFI";
                    let body = "s2tcSlyQ7gsR7r6+Cs2pgwTEUUVYpELtRAxhzGXRSDY";
                    format!("age-encryption.org/v1\n-> scrypt c2FsdHNhbHRzYWx0c2E 18\n{body}\n--- {mac}\n")
                        .into()
                })
            },
        ),
        case(
            "malformed-age-version",
            "An age file of another version.",
            || says("Malformed", "envelopes[0].age"),
            || {
                age(|mut file| {
                    file["age-encryption.org/v".len()] = b'2';
                    file
                })
            },
        ),
        case(
            "malformed-age-stanzas",
            "21 stanzas.",
            || says("Malformed", "envelopes[0].age 20"),
            || {
                age(|file| {
                    let (version, rest) = file.split_at("age-encryption.org/v1\n".len());
                    [version, &b"-> grease\n\n".repeat(20), rest].concat()
                })
            },
        ),
        case(
            "malformed-data-key-id",
            "An id whose last character has bits that mean nothing.",
            || says("Malformed", "envelopes[0].keys 43"),
            || {
                changed(|manifest| {
                    manifest["spec"]["envelopes"][0]["keys"] = json!([format!("{}B", "A".repeat(42))])
                })
            },
        ),
        case(
            "malformed-fingerprint",
            "A fingerprint in upper case.",
            || says("Malformed", "envelopes[0].recipients 64"),
            || {
                changed(|manifest| {
                    let hint = &mut manifest["spec"]["envelopes"][0]["recipients"][0]["fingerprint"];
                    *hint = hint.as_str().unwrap().to_uppercase().into();
                })
            },
        ),
        case(
            "malformed-line",
            "A line without an id.",
            || says("Malformed", "encryptedData.password"),
            || line(|line| line[44..].to_owned()),
        ),
        case(
            "malformed-line-cut",
            "A line that is too short to hold a padded value.",
            || says("Malformed", "encryptedData.password"),
            || line(|line| line[..44 + 136].to_owned()),
        ),
    ]
}
