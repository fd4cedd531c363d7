//! Objects, envelopes, data keys and items in places that they weren't sealed for.
//!
//! Invariant: each envelope opens, and none of them is malformed.

use super::*;

pub(super) fn places() -> Vec<Case> {
    fn moved(scope: &'static str, namespace: &'static str, name: &'static str) -> Value {
        let object = Object::new(scope, "prod", "db").envelope(&["x25519"], &[key()]);
        let mut manifest = object.item("password", "hunter2").manifest();
        manifest["metadata"] = json!({ "namespace": namespace, "name": name });
        manifest
    }
    vec![
        case(
            "place-other-namespace",
            "Strict, moved to another namespace.",
            || says("WrongPlace", "prod/db staging/db"),
            || moved("strict", "staging", "db"),
        ),
        case(
            "place-other-name",
            "Strict, moved to another name.",
            || says("WrongPlace", "prod/db prod/cache"),
            || moved("strict", "prod", "cache"),
        ),
        case(
            "place-split-elsewhere",
            "Names that are one text when joined without their lengths.",
            || says("WrongPlace", "prod/db pro/ddb"),
            || moved("strict", "pro", "ddb"),
        ),
        case(
            "place-namespace-wide",
            "Namespace-wide, moved to another namespace.",
            || says("WrongPlace", "prod staging"),
            || moved("namespace-wide", "staging", "db"),
        ),
        case(
            "scope-widened",
            "The public scope widened.",
            || says("WrongScope", "strict cluster-wide"),
            || changed(|manifest| manifest["spec"]["scope"] = "cluster-wide".into()),
        ),
        case(
            "scope-narrowed",
            "The public scope narrowed.",
            || says("WrongScope", "cluster-wide strict"),
            || {
                let mut manifest = moved("cluster-wide", "prod", "db");
                manifest["spec"]["scope"] = "strict".into();
                manifest
            },
        ),
        case(
            "place-spliced-envelope",
            "An envelope and its item from another object, beside those of this one.",
            || says("WrongPlace", "staging/db prod/db"),
            || {
                let elsewhere = Object::new("strict", "staging", "db")
                    .envelope(&["x25519"], &[second_key()])
                    .item_under(&second_key(), "token", "t0ken");
                let mut object = object();
                object.envelopes.extend(elsewhere.envelopes);
                object.encrypted_data.extend(elsewhere.encrypted_data);
                object.manifest()
            },
        ),
        case(
            "place-spliced-wide-envelope",
            "An envelope of a wider scope beside a strict one.",
            || says("WrongScope", "namespace-wide strict"),
            || {
                let elsewhere = Object::new("namespace-wide", "prod", "db")
                    .envelope(&["x25519"], &[second_key()])
                    .item_under(&second_key(), "token", "t0ken");
                let mut object = object();
                object.envelopes.extend(elsewhere.envelopes);
                object.encrypted_data.extend(elsewhere.encrypted_data);
                object.manifest()
            },
        ),
        case(
            "place-rewrapped-elsewhere",
            "The data key wrapped again for another place, its id and the line's replaced: the line doesn't open.",
            || says("ItemAltered", "password"),
            || {
                let mut there = Object::new("strict", "staging", "db").envelope(&["x25519"], &[key()]);
                let line = key().line(&Object::strict().bound, "password", b"hunter2");
                let line = line.replace(&id(), &key().id(&there.bound));
                there.encrypted_data.insert("password".to_owned(), line.into());
                there.manifest()
            },
        ),
    ]
}

pub(super) fn references() -> Vec<Case> {
    fn two_keys() -> Value {
        Object::strict().envelope(&["x25519"], &[key(), second_key()]).item("password", "hunter2").manifest()
    }
    vec![
        case(
            "keys-reversed",
            "The public list of data keys in another order.",
            || says("WrongKeys", "envelopes[0].keys"),
            || {
                let mut manifest = two_keys();
                manifest["spec"]["envelopes"][0]["keys"].as_array_mut().unwrap().reverse();
                manifest
            },
        ),
        case(
            "keys-one-missing",
            "The public list of data keys leaves one out.",
            || says("WrongKeys", "envelopes[0].keys"),
            || {
                let mut manifest = two_keys();
                manifest["spec"]["envelopes"][0]["keys"].as_array_mut().unwrap().pop();
                manifest
            },
        ),
        case(
            "keys-duplicate-in-envelopes",
            "One data key in two envelopes.",
            || says("DuplicateKey", id()),
            || object().envelope(&["x25519"], &[key()]).manifest(),
        ),
        case(
            "keys-duplicate-in-envelope",
            "One data key twice in an envelope.",
            || says("DuplicateKey", id()),
            || Object::strict().envelope(&["x25519"], &[key(), key()]).item("password", "hunter2").manifest(),
        ),
        case(
            "keys-dropped-envelope",
            "An envelope dropped, its item still there.",
            || says("MissingKey", format!("token {}", second_key().id(&Object::strict().bound))),
            || object().item_under(&second_key(), "token", "t0ken").manifest(),
        ),
        case(
            "keys-spliced-item",
            "An item of another object, without its envelope.",
            || {
                let there = Object::new("strict", "staging", "db");
                says("MissingKey", format!("token {}", key().id(&there.bound)))
            },
            || {
                let there = Object::new("strict", "staging", "db").item("token", "t0ken");
                let mut object = object();
                object.encrypted_data.extend(there.encrypted_data);
                object.manifest()
            },
        ),
        case(
            "keys-unused-envelope",
            "An envelope that no item needs.",
            || says("UnusedEnvelope", "envelopes[1]"),
            || object().envelope(&["x25519"], &[second_key()]).manifest(),
        ),
    ]
}

pub(super) fn items() -> Vec<Case> {
    let altered = || says("ItemAltered", "password");
    let under = |padded: Vec<u8>| {
        let mut object = object();
        let line = key().line_of_padded(&object.bound, "password", &padded);
        object.encrypted_data.insert("password".to_owned(), line.into());
        object.manifest()
    };
    vec![
        case("item-swapped", "The lines of two items exchanged.", altered, || {
            let mut manifest = object().item("user", "me").manifest();
            let items = &mut manifest["spec"]["encryptedData"];
            let password = items["password"].take();
            items["password"] = items["user"].take();
            items["user"] = password;
            manifest
        }),
        case("item-renamed", "The line of another item under this one's name.", altered, || {
            let mut object = Object::strict().envelope(&["x25519"], &[key()]).item("passw0rd", "hunter2");
            let line = object.encrypted_data.remove("passw0rd").unwrap();
            object.encrypted_data.insert("password".to_owned(), line);
            object.manifest()
        }),
        case("item-flipped", "One bit of the ciphertext flipped.", altered, || {
            line(|line| {
                let (id, ciphertext) = line.split_once('.').unwrap();
                let ciphertext = flip_at(BASE64.decode(ciphertext).unwrap(), 24);
                format!("{id}.{}", BASE64.encode(ciphertext))
            })
        }),
        case("item-padding-dirty", "Padding that isn't zeros.", altered, move || {
            let mut padded = by_hand::padded(b"hunter2");
            padded[63] = 1;
            under(padded)
        }),
        case("item-padding-longer", "More padding than the one form has.", altered, move || {
            under([by_hand::padded(b"hunter2"), vec![0; 8]].concat())
        }),
        case("item-length-lies", "A length beyond the padded value.", altered, move || {
            let mut padded = by_hand::padded(b"hunter2");
            padded[3] = 61;
            under(padded)
        }),
    ]
}
