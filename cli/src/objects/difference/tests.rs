//! Real objects, changed as people change them, and the words for it.

use std::collections::BTreeSet;

use seal_crds::keys::{Identity, Recipient};
use seal_crds::native::{Item, NamedRecipient, drop_unused_envelopes, put_items, seal};
use seal_crds::resources::{SealedSecretSpec, Template};
use seal_crds::{Place, Plaintext, Scope};
use seal_documents::source::Source;
use zeroize::Zeroizing;

use super::*;
use crate::objects::sealing;

fn place() -> Place {
    Place { namespace: "shop".parse().unwrap(), name: "db".parse().unwrap() }
}

fn to(recipient: &Recipient, name: &str) -> NamedRecipient {
    NamedRecipient { recipient: recipient.clone(), name: Some(name.to_owned()) }
}

fn item(name: &str) -> (seal_crds::ItemName, Item) {
    (name.parse().unwrap(), Item::new(Plaintext::from(b"hunter2".to_vec()), true))
}

fn sealed(items: &[&str], recipients: &[NamedRecipient]) -> SealedSecretSpec {
    let items = items.iter().map(|name| item(name)).collect();
    seal(&place(), Scope::Strict, recipients, &items, Template::default(), &BTreeSet::new()).unwrap()
}

fn set(spec: &SealedSecretSpec, items: &[&str], recipients: &[NamedRecipient]) -> SealedSecretSpec {
    let items = items.iter().map(|name| item(name)).collect();
    put_items(&place(), spec, recipients, &items, &BTreeSet::new()).unwrap()
}

fn at(name: &str, spec: &SealedSecretSpec) -> String {
    let (namespace, name) = name.split_once('/').unwrap();
    let spec = sealing::spec_value(spec).to_yaml(2);
    format!(
        "apiVersion: sealing.dev/v1alpha1\nkind: SealedSecret\nmetadata:\n  name: {name}\n  namespace: {namespace}\nspec:\n  {}",
        *spec
    )
}

fn snapshot(path: &str, text: &str) -> Snapshot {
    let source = Source::new(path.to_owned(), Zeroizing::new(text.to_owned()));
    Snapshot::read(path, &source, &|_, _| None)
}

fn lines(before: &[(&str, &str)], after: &[(&str, &str)]) -> Vec<String> {
    let read =
        |files: &[(&str, &str)]| files.iter().map(|(path, text)| snapshot(path, text)).collect::<Vec<_>>();
    differences(&read(before), &read(after), &[]).iter().flat_map(ObjectChange::lines).collect()
}

/// The lines of one object in one file, without the first.
fn of_one(before: &str, after: &str) -> Vec<String> {
    let mut lines = lines(&[("a.yaml", before)], &[("a.yaml", after)]);
    if !lines.is_empty() {
        assert_eq!(lines.remove(0), "a.yaml  shop/db");
    }
    lines
}

fn names(pinned: &[(&Recipient, &str)]) -> Names {
    pinned.iter().map(|(key, name)| (key.fingerprint(), (*name).to_owned())).collect()
}

/// The lines of one object whose file has these keys pinned before the changes.
fn of_pinned(before: &SealedSecretSpec, after: &SealedSecretSpec, pinned: &Names) -> Vec<String> {
    let states = [before, after].map(|spec| {
        let mut snapshot = snapshot("a.yaml", &at("shop/db", spec));
        snapshot.name_recipients(pinned);
        [snapshot]
    });
    let told = differences(&states[0], &states[1], &[]);
    told.iter().flat_map(|told| told.lines().split_off(1)).collect()
}

#[test]
fn items_that_come_go_and_change_are_told() {
    let key = Identity::generate().recipient().clone();
    let prod = [to(&key, "prod")];
    let old = sealed(&["user", "password", "old-token"], &prod);
    let mut new = set(&set(&old, &["password"], &prod), &["smtp-pass"], &prod);
    new.encrypted_data.remove("old-token");
    drop_unused_envelopes(&mut new);
    assert_eq!(
        of_one(&at("shop/db", &old), &at("shop/db", &new)),
        ["  - old-token    removed", "  ~ password     sealed again; new data key", "  + smtp-pass    added",]
    );
}

#[test]
fn a_file_that_was_laid_out_anew_has_no_changes() {
    let key = Identity::generate().recipient().clone();
    let old = sealed(&["user"], &[to(&key, "prod")]);
    let text = at("shop/db", &old);
    let json = format!(
        "{{\"kind\": \"SealedSecret\", \"apiVersion\": \"sealing.dev/v1alpha1\", \"spec\": {}, \"metadata\": {{\"namespace\": \
         \"shop\", \"name\": \"db\"}}}}",
        *sealing::spec_value(&old).to_json(0, 1)
    );
    for other in [text.replace('\n', "\r\n"), format!("# a comment\n---\n{text}"), json] {
        assert_eq!(of_one(&text, &other), Vec::<String>::new(), "{other}");
    }
}

#[test]
fn whoever_comes_and_goes_is_told_by_whichever_envelope() {
    let [a, b, c] = [(); 3].map(|()| Identity::generate());
    let [prod, next, mallory] = [&a, &b, &c].map(|identity| identity.recipient().clone());
    let old = sealed(&["user", "password"], &[to(&prod, "prod-2025")]);
    let keys: seal_crds::keys::Keyring = [a].into_iter().collect();
    let parsed = seal_crds::native::NativeSealed::parse(place(), &old, &BTreeSet::new()).unwrap();
    let mut rotated = old.clone();
    rotated.envelopes =
        vec![parsed.rewrap(&keys, &[to(&next, "prod-2026"), to(&prod, "prod-2025")]).unwrap()];
    let short = next.fingerprint().short();
    assert_eq!(
        of_one(&at("shop/db", &old), &at("shop/db", &rotated)),
        [format!(
            "  ! 2 items rewrapped: now also to a new key {short}, {} kept; no value changed",
            prod.fingerprint().short()
        )]
    );
    rotated.envelopes = vec![parsed.rewrap(&keys, &[to(&next, "prod-2026")]).unwrap()];
    assert_eq!(
        of_one(&at("shop/db", &old), &at("shop/db", &rotated)),
        [format!(
            "  ! 2 items rewrapped: {} → a new key {short}; no value changed",
            prod.fingerprint().short()
        )],
        "anybody can call a key by this name"
    );
    let pinned = names(&[(&prod, "prod-2025"), (&next, "prod-2026")]);
    assert_eq!(
        of_pinned(&old, &rotated, &pinned),
        [format!("  = 2 items rewrapped: prod-2025 → prod-2026 {short}; no value changed")]
    );
    assert_eq!(
        of_pinned(&old, &rotated, &names(&[(&prod, "prod-2025")])),
        [format!("  ! 2 items rewrapped: prod-2025 → a new key {short}; no value changed")]
    );
    let set = set(&old, &["password"], &[to(&prod, "prod-2025"), to(&mallory, "prod-2025")]);
    let short = mallory.fingerprint().short();
    assert_eq!(
        of_one(&at("shop/db", &old), &at("shop/db", &set)),
        [
            "  ~ password     sealed again; new data key".to_owned(),
            format!("  ! recipients   now also to a new key {short} (password)"),
        ]
    );
}

#[test]
fn whoever_opens_another_item_already_and_comes_to_this_one_is_told() {
    let [a, b] = [(); 2].map(|()| Identity::generate());
    let [prod, mallory] = [&a, &b].map(|identity| to(identity.recipient(), "x"));
    let both = [prod.clone(), mallory];
    let kept = a.recipient().fingerprint().short();
    let old = set(&sealed(&["password"], &[prod]), &["debug"], &both);
    let short = b.recipient().fingerprint().short();
    assert_eq!(
        of_one(&at("shop/db", &old), &at("shop/db", &set(&old, &["password"], &both))),
        [
            "  ~ password     sealed again; new data key".to_owned(),
            format!("  ! recipients   now also to {short} (password)"),
        ]
    );
    let keys: seal_crds::keys::Keyring = [a].into_iter().collect();
    let parsed = seal_crds::native::NativeSealed::parse(place(), &old, &BTreeSet::new()).unwrap();
    let mut rotated = old.clone();
    rotated.envelopes = vec![parsed.rewrap(&keys, &both).unwrap()];
    assert_eq!(
        of_one(&at("shop/db", &old), &at("shop/db", &rotated)),
        [format!("  ! 2 items rewrapped: now also to {short} (password), {kept} kept; no value changed")]
    );
}

#[test]
fn a_list_that_lied_before_hides_none_that_comes_now() {
    let both = [(); 2].map(|()| to(Identity::generate().recipient(), "x"));
    let mut old = sealed(&["a", "b"], &both);
    old.envelopes[0].recipients.pop();
    let mut new = set(&old, &["b"], &both);
    new.envelopes.iter_mut().for_each(|envelope| envelope.recipients.truncate(1));
    let told = of_one(&at("shop/db", &old), &at("shop/db", &new));
    assert_eq!(told[1..], ["  ! recipients   an age file is sealed to 2, and lists 1"]);
}

#[test]
fn a_list_that_lies_is_told() {
    let [prod, other] = [(); 2].map(|()| Identity::generate().recipient().clone());
    let old = sealed(&["user"], &[to(&prod, "prod"), to(&other, "other")]);
    let mut edited = old.clone();
    edited.envelopes[0].recipients.pop();
    let told = of_one(&at("shop/db", &old), &at("shop/db", &edited));
    assert_eq!(
        told,
        [
            format!("  ~ recipients   no longer to {}", other.fingerprint().short()),
            "  ! recipients   the list of an envelope was edited, and its age file wasn't: it will not open"
                .to_owned(),
            "  ! recipients   an age file is sealed to 2, and lists 1".to_owned(),
        ]
    );
}

#[test]
fn scope_template_and_type_are_told() {
    let key = Identity::generate().recipient().clone();
    let old = sealed(&["password"], &[to(&key, "prod")]);
    let mut new = old.clone();
    new.scope = Scope::NamespaceWide;
    new.template.type_ = Some("example.com/x".to_owned());
    new.template.metadata.labels.insert("app".to_owned(), "shop".to_owned());
    new.template.data.insert("url".to_owned(), "db://$(password)@db".to_owned());
    assert_eq!(
        of_one(&at("shop/db", &old), &at("shop/db", &new)),
        [
            "  ! scope        strict → namespace-wide: opens under any name in shop",
            "  ! template     url now shows password to whoever reads key url",
            "  ~ type         Opaque → example.com/x",
            "  ~ labels       app added",
        ]
    );
}

#[test]
fn an_object_that_moved_or_was_copied_without_sealing_is_told() {
    let key = Identity::generate().recipient().clone();
    let spec = sealed(&["password"], &[to(&key, "prod")]);
    let (old, new) = (at("shop/db", &spec), at("dev/db", &spec));
    assert_eq!(
        lines(&[("a.yaml", &old)], &[("b.yaml", &new)]),
        [
            "b.yaml  dev/db",
            "  = file a.yaml → b.yaml",
            "  ! moved        shop/db → dev/db without sealing again: will not open",
        ]
    );
    let copied = lines(&[("a.yaml", &old)], &[("a.yaml", &old), ("b.yaml", &new)]);
    assert_eq!(copied.last().unwrap(), "  ! copied       from shop/db without sealing again: will not open");
    assert_eq!(copied.len(), 4, "{copied:?}");
    let (old_file, new_file) = (snapshot("a.yaml", &old), snapshot("b.yaml", &new));
    let unchanged = differences(&[], &[new_file], &[old_file]);
    assert_eq!(unchanged[0].lines(), copied);
    let renamed = lines(&[("a.yaml", &old)], &[("c.yaml", &old)]);
    assert_eq!(renamed, ["c.yaml  shop/db", "  = file a.yaml → c.yaml"]);
}

#[test]
fn plaintext_that_is_sealed_or_the_other_way_round_is_told() {
    let key = Identity::generate().recipient().clone();
    let sealed = at("shop/db", &sealed(&["password"], &[to(&key, "prod")]));
    let plain = "apiVersion: v1\nkind: Secret\nmetadata: {name: db, namespace: shop}\nstringData: {password: hunter2}\n";
    let told = lines(&[("secret.yaml", plain)], &[("sealed.yaml", &sealed)]);
    assert_eq!(told[..2], ["sealed.yaml  shop/db", "  ~ plaintext → sealed (the old text stays in history)"]);
    let back = of_one(&sealed, plain);
    assert_eq!(back, ["  ! sealed → plaintext: everybody who reads the repository reads it"]);
    assert!(told.iter().chain(&back).all(|line| !line.contains("hunter2")));
}

#[test]
fn plaintext_that_changes_is_told_without_its_values() {
    let plain = |data: &str| {
        format!(
            "apiVersion: v1\nkind: Secret\nmetadata: {{name: db, namespace: shop}}\nstringData: {{{data}}}\n"
        )
    };
    let old = plain("a: hunter1, b: hunter2, c: hunter3");
    assert_eq!(of_one(&old, &plain("c: 'hunter3', b: \"hunter2\", a: hunter1")), Vec::<String>::new());
    assert_eq!(
        of_one(&old, &plain("b: hunter2, c: hunter4, d: hunter5")),
        ["  ! a Secret in plaintext changed: - a, ~ c, + d"]
    );
}

#[test]
fn objects_that_come_and_go_allowances_and_files_that_cannot_be_read_are_told() {
    let key = Identity::generate().recipient().clone();
    let text = at("shop/db", &sealed(&["password"], &[to(&key, "prod")]));
    let short = key.fingerprint().short();
    assert_eq!(
        lines(&[], &[("a.yaml", &text)]),
        [
            "a.yaml  shop/db".to_owned(),
            "  + new, with 1 item".to_owned(),
            format!("  ~ sealed to    a new key {short}")
        ]
    );
    assert_eq!(lines(&[("a.yaml", &text)], &[]), ["a.yaml  shop/db", "  - removed, with 1 item"]);
    let allowed = format!("# seal: allow unused-envelope -- until the next rotation\n{text}");
    assert_eq!(
        lines(&[("a.yaml", &text)], &[("a.yaml", &allowed)]),
        ["! a.yaml  allow unused-envelope -- until the next rotation"]
    );
    // Also beside an object that is no SealedSecret, and behind one: nothing else in the file changed.
    let secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: x}\nstringData: {a: b}\n";
    let comment = "# seal: allow plaintext -- it is public\n";
    for (before, after) in [
        (secret.to_owned(), format!("{comment}{secret}")),
        (format!("{text}---\n{secret}"), format!("{text}---\n{comment}{secret}")),
        (format!("{text}---\n{secret}"), format!("{text}{comment}---\n{secret}")),
    ] {
        assert_eq!(
            lines(&[("a.yaml", &before)], &[("a.yaml", &after)]),
            ["! a.yaml  allow plaintext -- it is public"]
        );
    }
    let broken = format!("<<<<<<< a\n{text}");
    let told = lines(&[("a.yaml", &text)], &[("a.yaml", &broken)]);
    // Nothing was removed, as far as anybody knows; and a file that stays unreadable is one that differs.
    assert_eq!(told, ["! a.yaml  looks like a file of Secrets, and can't be read as one"]);
    assert_eq!(lines(&[("a.yaml", &broken)], &[("a.yaml", &format!("{broken}# x\n"))]), told);
}

#[test]
fn words_of_others_are_escaped() {
    let key = Identity::generate().recipient().clone();
    let old = sealed(&["password"], &[to(&key, "prod")]);
    let new = set(&old, &["password"], &[to(&key, "prod"), to(Identity::generate().recipient(), "evil")]);
    let pinned = names(&[(&key, "x\u{1b}[2J\nprod/evil.yaml")]);
    let told = of_pinned(&new, &set(&old, &["token"], &[to(&key, "prod")]), &pinned).join("|");
    assert!(!told.contains('\u{1b}') && !told.contains("evil"), "{told}");
    let told =
        of_pinned(&sealed(&["a"], &[to(Identity::generate().recipient(), "")]), &old, &pinned).join("|");
    assert!(told.contains("x\\u{1b}[2J\\nprod/evil.yaml") && !told.contains('\u{1b}'), "{told}");
}

#[test]
fn an_object_that_is_refused_now_is_told() {
    let key = Identity::generate().recipient().clone();
    let old = sealed(&["password"], &[to(&key, "prod")]);
    let mut new = old.clone();
    new.envelopes.push(new.envelopes[0].clone());
    let told = of_one(&at("shop/db", &old), &at("shop/db", &new));
    assert!(told.last().unwrap().starts_with("  ! refused: data key"), "{told:?}");
}

#[test]
fn two_files_side_by_side_show_what_one_lacks() {
    let key = Identity::generate().recipient().clone();
    let one = at("shop/db", &sealed(&["password", "user"], &[to(&key, "prod")]));
    let other = at("dev/db", &sealed(&["password", "user", "smtp-pass"], &[to(&key, "dev")]));
    let found = beside(&snapshot("prod/db.yaml", &one), &snapshot("staging/db.yaml", &other));
    assert_eq!(found.lines, ["missing in prod: smtp-pass"]);
    assert!(found.is_different);
    let same = beside(&snapshot("prod/db.yaml", &one), &snapshot("x/db.yaml", &one));
    assert_eq!(same, Beside { lines: Vec::new(), is_different: false });
    let two = format!("{one}---\n{}", at("shop/cache", &sealed(&["a"], &[to(&key, "prod")])));
    let found = beside(&snapshot("prod/db.yaml", &two), &snapshot("staging/db.yaml", &other));
    assert_eq!(found.lines, ["shop/db: missing in prod: smtp-pass", "missing in staging: shop/cache"]);
}

#[test]
fn recipients_have_the_names_of_the_pins_and_no_others() {
    let [prod, mallory] = [(); 2].map(|()| Identity::generate().recipient().clone());
    let old = sealed(&["password"], &[to(&prod, "whatever")]);
    let new = set(&old, &["token"], &[to(&prod, "whatever"), to(&mallory, "prod")]);
    let short = mallory.fingerprint().short();
    assert_eq!(
        of_pinned(&old, &new, &names(&[(&prod, "prod")])),
        [
            "  + token        added".to_owned(),
            format!("  ! recipients   now also to a new key {short} (token)"),
        ]
    );
    assert_eq!(
        of_pinned(&new, &old, &names(&[(&prod, "prod"), (&mallory, "mallory")])),
        ["  - token        removed", "  ~ recipients   no longer to mallory"]
    );
}

#[test]
fn a_list_that_calls_its_recipients_otherwise_is_told() {
    let prod = Identity::generate().recipient().clone();
    let old = sealed(&["password"], &[to(&prod, "prod")]);
    let mut new = old.clone();
    new.envelopes[0].recipients[0].name = Some("recovery".to_owned());
    assert_eq!(
        of_pinned(&old, &new, &names(&[(&prod, "prod")])),
        ["  = envelopes    names of recipients or unused envelopes changed; no value and no recipient did"]
    );
}
