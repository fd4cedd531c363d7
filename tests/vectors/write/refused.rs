//! The vectors that are refused.
//!
//! Unit tests flip every bit; here is one vector for each kind of mistake. Invariant: each differs from a vector that
//! opens only in its subject.

mod binding;
mod envelopes;
mod public;
mod templates;

use super::*;

/// The expected refusal.
struct Verdict {
    reason: &'static str,
    names: String,
    identity: &'static str,
}

/// The refusal with this reason, whose message has to name these words, with spaces between them.
fn says(reason: &'static str, names: impl Into<String>) -> Verdict {
    Verdict { reason, names: names.into(), identity: "x25519" }
}

fn unreadable() -> Verdict {
    says("Unreadable", "")
}

/// The object that every vector starts from: strict, at prod/db, one recipient, one item.
fn object() -> Object {
    Object::strict().envelope(&["x25519"], &[key()]).item("password", "hunter2")
}

/// The same object, after a change of the manifest.
fn changed(change: impl Fn(&mut Value)) -> Value {
    let mut manifest = object().manifest();
    change(&mut manifest);
    manifest
}

/// The same object, around a document in which one piece was replaced.
fn document(from: &str, to: &str) -> Value {
    let change = |text: String| {
        assert!(text.contains(from), "{from} is not in {text}");
        text.replacen(from, to, 1)
    };
    Object::strict().envelope_changed(&["x25519"], &[key()], change).item("password", "hunter2").manifest()
}

fn template(template: Value) -> Value {
    Object::strict()
        .envelope(&["x25519"], &[key(), template_key()])
        .item("password", "hunter2")
        .item_under(&template_key(), "user", "me")
        .template(template)
        .manifest()
}

/// The age file of the only envelope, changed.
fn age(change: impl Fn(Vec<u8>) -> Vec<u8>) -> Value {
    changed(|manifest| {
        let age = &mut manifest["spec"]["envelopes"][0]["age"];
        let file = BASE64.decode(age.as_str().unwrap()).unwrap();
        *age = BASE64.encode(change(file)).into();
    })
}

fn flip_at(mut file: Vec<u8>, at: usize) -> Vec<u8> {
    file[at] ^= 1;
    file
}

fn line(change: impl Fn(&str) -> String) -> Value {
    changed(|manifest| {
        let line = &mut manifest["spec"]["encryptedData"]["password"];
        *line = change(line.as_str().unwrap()).into();
    })
}

fn id() -> String {
    key().id(&Object::strict().bound)
}

fn case(
    file: &'static str,
    about: &'static str,
    verdict: impl Fn() -> Verdict + 'static,
    make: impl Fn() -> Value + 'static,
) -> Case {
    let make = move || {
        let verdict = verdict();
        let refused = refusal(verdict.reason, &verdict.names);
        let expected = json!({ "identities": [verdict.identity], "refused": refused });
        (make(), expected)
    };
    Case { folder: "refused", file, about, make: Box::new(make) }
}

pub(super) fn cases() -> Vec<Case> {
    let groups = [
        public::unreadable_manifests(),
        templates::names_and_templates(),
        public::malformed(),
        envelopes::envelopes(),
        envelopes::documents(),
        binding::places(),
        binding::references(),
        binding::items(),
    ];
    groups.into_iter().flatten().collect()
}
