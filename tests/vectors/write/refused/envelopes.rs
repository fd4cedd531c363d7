//! Age files that don't open, and documents inside them that lie.
//!
//! Invariant: each manifest is well-formed; only opening it shows the problem.

use super::*;

pub(super) fn envelopes() -> Vec<Case> {
    vec![
        case(
            "envelope-for-somebody-else",
            "No identity at hand opens it.",
            || Verdict {
                identity: "x25519-2",
                ..says("NoMatchingKey", format!("envelopes[0] {}", short("x25519")))
            },
            || object().manifest(),
        ),
        case(
            "envelope-hybrid-for-somebody-else",
            "No identity at hand opens it; the other hybrid identity is tried.",
            || Verdict {
                identity: "hybrid-2",
                ..says("NoMatchingKey", format!("envelopes[0] {}", short("hybrid")))
            },
            || Object::strict().envelope(&["hybrid"], &[key()]).item("password", "hunter2").manifest(),
        ),
        case(
            "envelope-payload-flipped",
            "The last bit of the age file flipped.",
            || says("EnvelopeAltered", "envelopes[0]"),
            || {
                age(|file| {
                    let last = file.len() - 1;
                    flip_at(file, last)
                })
            },
        ),
        case(
            "envelope-header-extended",
            "A stanza added after sealing: the header's MAC doesn't fit.",
            || says("EnvelopeAltered", "envelopes[0]"),
            || {
                age(|file| {
                    let (version, rest) = file.split_at("age-encryption.org/v1\n".len());
                    [version, b"-> grease\n\n", rest].concat()
                })
            },
        ),
        case(
            "envelope-cut",
            "The last byte of the age file missing.",
            || says("EnvelopeAltered", "envelopes[0]"),
            || {
                age(|mut file| {
                    file.pop();
                    file
                })
            },
        ),
        case(
            "envelope-lengthened",
            "A byte after the end of the age file.",
            || says("EnvelopeAltered", "envelopes[0]"),
            || {
                age(|mut file| {
                    file.push(0);
                    file
                })
            },
        ),
        case(
            "envelope-hints",
            "The public list of recipients names somebody else; the sealed one decides.",
            || says("WrongRecipients", format!("envelopes[0] {} {}", short("x25519"), short("x25519-2"))),
            || {
                changed(|manifest| {
                    manifest["spec"]["envelopes"][0]["recipients"][0]["fingerprint"] =
                        fingerprint_of("x25519-2").into()
                })
            },
        ),
        case(
            "envelope-hint-missing",
            "The public list of recipients leaves one out.",
            || {
                says(
                    "WrongRecipients",
                    format!("envelopes[0] {} {} {}", short("x25519"), short("ssh-ed25519"), short("x25519")),
                )
            },
            || {
                let object = Object::strict().envelope(&["x25519", "ssh-ed25519"], &[key()]);
                let mut manifest = object.item("password", "hunter2").manifest();
                manifest["spec"]["envelopes"][0]["recipients"].as_array_mut().unwrap().pop();
                manifest
            },
        ),
    ]
}

pub(super) fn documents() -> Vec<Case> {
    let malformed = || says("MalformedEnvelope", "envelopes[0]");
    let bounded = |bound: usize| move || says("MalformedEnvelope", format!("envelopes[0] {bound}"));
    let seen = || says("MalformedEnvelope", "envelopes[0] seen");
    vec![
        case(
            "document-version-2",
            "A document of a later version, with a field of its own.",
            || says("UnknownVersion", "envelopes[0] 2 1"),
            || document("\"v\":1", "\"v\":2,\"expires\":\"2031-01-01\""),
        ),
        case("document-not-json", "Not JSON.", malformed, || document("{", "")),
        case("document-trailing", "Something after the document.", malformed, || {
            document("\"v\":1}", "\"v\":1} {}")
        }),
        case("document-unknown-field", "A field that this version doesn't know.", malformed, || {
            document("\"v\":1", "\"v\":1,\"more\":1")
        }),
        case("document-duplicate-field", "A field twice.", malformed, || {
            document("\"name\":\"db\"", "\"name\":\"db\",\"name\":\"db\"")
        }),
        case("document-null", "A field that is null instead of absent.", malformed, || {
            document("\"past\":[]", "\"past\":null")
        }),
        case("document-key-as-array", "A data key as an array of its fields' values.", malformed, || {
            let object = format!("{{\"key\":\"{}\",\"seen\":[0],\"template\":false}}", key().text());
            document(&object, &format!("[\"{}\",false,[0]]", key().text()))
        }),
        case("document-escapes", "A string with an escape that it doesn't need.", malformed, || {
            document("\"name\":\"db\"", "\"name\":\"d\\u0062\"")
        }),
        case("document-scope", "A scope that doesn't exist.", malformed, || document("strict", "global")),
        case("document-name-missing", "Strict, without the name.", malformed, || {
            document("\"name\":\"db\",", "")
        }),
        case("document-name-not-bound", "Namespace-wide, with a name.", malformed, || {
            document("strict", "namespace-wide")
        }),
        case("document-name-unusable", "A name that isn't one.", malformed, || {
            document("\"name\":\"db\"", "\"name\":\"../db\"")
        }),
        case(
            "document-recipients-lie",
            "A list of recipients without the one that opened it.",
            malformed,
            || document(&fingerprint_of("x25519"), &fingerprint_of("x25519-2")),
        ),
        case("document-recipient-twice", "A recipient that is also a past one.", malformed, || {
            document("\"past\":[]", &format!("\"past\":[\"{}\"]", fingerprint_of("x25519")))
        }),
        case("document-past-full", "One past recipient more than there can be.", bounded(64), || {
            let past: Vec<_> =
                (0..65).map(|n| format!("\"{}\"", fingerprint(&format!("recipient {n} of old")))).collect();
            document("\"past\":[]", &format!("\"past\":[{}]", past.join(",")))
        }),
        case("document-no-recipients", "No recipients.", bounded(16), || {
            document(&format!("\"{}\"", fingerprint_of("x25519")), "")
        }),
        case("document-no-keys", "No data key.", bounded(256), || {
            let object = format!("{{\"key\":\"{}\",\"seen\":[0],\"template\":false}}", key().text());
            document(&object, "")
        }),
        case("document-seen-incomplete", "A data key that wasn't seen by a recipient.", seen, || {
            document("\"seen\":[0]", "\"seen\":[]")
        }),
        case("document-seen-out-of-range", "A data key that was seen by nobody known.", seen, || {
            document("\"seen\":[0]", "\"seen\":[0,1]")
        }),
        case("document-key-length", "A data key of 31 bytes.", bounded(32), || {
            document(&key().text(), &key().text()[..42])
        }),
        case(
            "document-flag-flipped",
            "The flag for templates set by somebody who could open the envelope: the id doesn't fit any more.",
            || says("WrongKeys", "envelopes[0].keys"),
            || {
                Object::strict()
                    .envelope_changed(&["x25519"], &[key()], |text| text.replacen("false", "true", 1))
                    .item("password", "hunter2")
                    .template(json!({ "data": { "leak": "$(password)" } }))
                    .manifest()
            },
        ),
        case(
            "document-flag-flipped-everywhere",
            "As above, with the new id in the list and in the line: the line was sealed under the old one.",
            || says("ItemAltered", "password"),
            || {
                let flipped = DataKey { template: true, ..key() };
                let mut object = Object::strict()
                    .envelope(&["x25519"], &[flipped])
                    .item("password", "hunter2")
                    .template(json!({ "data": { "leak": "$(password)" } }));
                let line = object.encrypted_data["password"].as_str().unwrap();
                let line = line.replace(&id(), &flipped.id(&object.bound));
                object.encrypted_data.insert("password".to_owned(), line.into());
                object.manifest()
            },
        ),
    ]
}
