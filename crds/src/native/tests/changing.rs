//! Changes without a key: the result opens, the other items stay as they are, and envelopes that nobody needs go.

use super::*;
use crate::names::ItemName;
use crate::native::{
    ChangeError, CoverError, cover, drop_unused_envelopes, put_items, remove_items, set_items, tidy_envelopes,
};

fn named(identity: &Identity) -> Vec<NamedRecipient> {
    vec![NamedRecipient { recipient: identity.recipient().clone(), name: None }]
}

fn new<const N: usize>(items: [(&str, &str); N]) -> BTreeMap<ItemName, Item> {
    let item = |(name, value): (&str, &str)| {
        (name.parse().unwrap(), Item::new(Plaintext::from(value.as_bytes().to_vec()), false))
    };
    items.map(item).into()
}

fn put(
    spec: &SealedSecretSpec,
    to: &Identity,
    items: &BTreeMap<ItemName, Item>,
) -> Result<SealedSecretSpec, ChangeError> {
    put_items(&place("prod/db"), spec, &named(to), items, &BTreeSet::new())
}

fn remove(spec: &SealedSecretSpec, items: &[&str]) -> Result<SealedSecretSpec, ChangeError> {
    let items = items.iter().map(|item| item.parse().unwrap()).collect();
    remove_items(&place("prod/db"), spec, &items, &BTreeSet::new())
}

#[test]
fn a_new_value_comes_under_an_envelope_of_its_own_and_the_others_stay_as_they_are() {
    let (old, other) = (x25519(), x25519());
    let spec = Sealing::to(&[&old]).item("a", "1").item("b", "2").spec();
    let changed = put(&spec, &other, &new([("b", "new"), ("c", "3")])).unwrap();
    assert_eq!(changed.envelopes[0], spec.envelopes[0]);
    assert_eq!(changed.encrypted_data["a"], spec.encrypted_data["a"]);
    assert_eq!((changed.envelopes.len(), changed.encrypted_data.len()), (2, 3));
    assert_eq!(id_of(&changed, "b"), id_of(&changed, "c"));
    let opened = unseal("prod/db", &changed, &ring(&[&old, &other])).unwrap();
    assert_eq!(opened, values([("a", b"1"), ("b", b"new"), ("c", b"3")]));
}

#[test]
fn a_changed_value_shares_no_data_key_with_its_past() {
    let identity = x25519();
    let spec = Sealing::to(&[&identity]).item("a", "1").spec();
    let changed = put(&spec, &identity, &new([("a", "1")])).unwrap();
    assert_ne!(id_of(&changed, "a"), id_of(&spec, "a"));
    assert_eq!(changed.envelopes.len(), 1, "the old envelope goes with its last item");
}

#[test]
fn every_scope_takes_a_new_item_at_its_own_place() {
    let identity = x25519();
    for scope in Scope::ALL {
        let spec = Sealing::to(&[&identity]).scoped(scope).item("a", "1").spec();
        let changed = put(&spec, &identity, &new([("b", "2")])).unwrap();
        assert_eq!(unseal("prod/db", &changed, &ring(&[&identity])).unwrap().len(), 2, "{scope}");
    }
}

#[test]
fn an_item_that_a_template_uses_has_to_be_allowed_there_again() {
    let identity = x25519();
    let spec = Sealing::to(&[&identity])
        .template_item("a", "1")
        .item("b", "2")
        .template_data("url", "x://$(a|base64)")
        .spec();
    let refused = put(&spec, &identity, &new([("a", "new")])).unwrap_err();
    assert!(matches!(refused, ChangeError::Seal(SealError::NotForTemplates(name)) if name.as_str() == "a"));
    let mut items = new([("a", "new")]);
    items.values_mut().for_each(|item| item.template = true);
    let changed = put(&spec, &identity, &items).unwrap();
    let opened = unseal("prod/db", &changed, &ring(&[&identity])).unwrap();
    assert_eq!(opened, values([("a", b"new"), ("b", b"2"), ("url", b"x://bmV3")]));
    let refused = remove(&spec, &["b", "a"]).unwrap_err();
    assert_eq!(refused.to_string(), "template.data.url uses item a");
}

#[test]
fn a_value_that_comes_under_another_name_keeps_whoever_has_seen_it_on_record() {
    let (old, other) = (x25519(), x25519());
    let spec = Sealing::to(&[&old, &other]).item("a", "1").item("b", "2").spec();
    let sealed = NativeSealed::parse(place("prod/db"), &spec, &BTreeSet::new()).unwrap();
    let item = sealed.items(&ring(&[&old])).unwrap().remove(&"a".parse().unwrap()).unwrap();
    let changed = put(&spec, &old, &[("c".parse().unwrap(), item)].into()).unwrap();
    let known = data_keys(&changed, 1, &old);
    assert_eq!(known[0].seen, [old.fingerprint(), other.fingerprint()].into());
    assert_eq!(unseal("prod/db", &changed, &ring(&[&old])).unwrap()["c"], b"1");
}

#[test]
fn removing_an_item_takes_its_envelope_along_only_if_no_other_item_needs_it() {
    let (one, two) = (x25519(), x25519());
    let spec = Sealing::to(&[&one]).item("a", "1").item("b", "2").spec();
    let spec = merge(spec, Sealing::to(&[&two]).item("c", "3").spec());
    assert_eq!(remove(&spec, &["a"]).unwrap().envelopes, spec.envelopes);
    assert_eq!(remove(&spec, &["a", "b"]).unwrap().envelopes, spec.envelopes[1..]);
    assert!(matches!(remove(&spec, &["d"]), Err(ChangeError::NoSuchItem(_))));
    assert!(matches!(remove(&spec, &["a", "b", "c"]), Err(ChangeError::LastItem)));
}

#[test]
fn a_change_mends_an_unused_envelope_and_a_missing_data_key_of_what_it_changes() {
    let identity = x25519();
    let spec = Sealing::to(&[&identity]).item("a", "1").spec();
    let other = Sealing::to(&[&identity]).item("b", "2").spec();
    let mut unused = spec.clone();
    unused.envelopes.extend(other.envelopes.clone());
    let changed = put(&unused, &identity, &new([("c", "3")])).unwrap();
    assert_eq!(unseal("prod/db", &changed, &ring(&[&identity])).unwrap().len(), 2);
    assert_eq!(drop_unused_envelopes(&mut unused), 1);
    assert_eq!(unused, spec);
    let mut twice = spec.clone();
    twice.envelopes.extend(spec.envelopes.clone());
    assert_eq!((tidy_envelopes(&mut twice), twice), (1, spec.clone()));
    let mut missing = spec.clone();
    missing.encrypted_data.extend(other.encrypted_data);
    let refused = put(&missing, &identity, &new([("a", "3")])).unwrap_err();
    assert!(matches!(refused, ChangeError::Refused(UnsealError::MissingKey { .. })), "{refused}");
    assert_eq!(put(&missing, &identity, &new([("b", "3")])).unwrap().encrypted_data.len(), 2);
}

#[test]
fn any_number_of_changes_of_the_same_item_fit() {
    let identity = x25519();
    let mut spec = Sealing::to(&[&identity]).item("a", "1").item("b", "2").spec();
    for round in 0..40 {
        spec = put(&spec, &identity, &new([("a", &*round.to_string())])).unwrap();
        assert!(spec.envelopes.len() <= 2);
    }
}

#[test]
fn at_the_bound_the_error_names_items_that_make_room_and_they_do() {
    let identity = x25519();
    let mut spec = Sealing::to(&[&identity]).item("two-a", "1").item("two-b", "2").spec();
    for index in 1..super::super::MAX_ENVELOPES {
        spec = put(&spec, &identity, &new([(&*format!("one-{index:02}"), "x")])).unwrap();
    }
    let refused = put(&spec, &identity, &new([("last", "x")])).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "with one more envelope it would have 17 envelopes; at most 16 are allowed"
    );
    let ChangeError::NoRoom { together, .. } = refused else { panic!() };
    assert_eq!(together.iter().map(ItemName::as_str).collect::<Vec<_>>(), ["one-01"]);
    let changed = put(&spec, &identity, &new([("last", "x"), ("one-01", "y")])).unwrap();
    assert_eq!(unseal("prod/db", &changed, &ring(&[&identity])).unwrap().len(), 18);
    // A value of an item that is alone in its envelope changes at the bound, too.
    put(&changed, &identity, &new([("one-02", "z")])).unwrap();
}

#[test]
fn the_bound_on_bytes_of_age_files_names_enough_items() {
    let many: Vec<Identity> = (0..16).map(|_| hybrid()).collect();
    let to: Vec<NamedRecipient> = many.iter().flat_map(named).collect();
    let at = place("prod/db");
    let put = |spec: &SealedSecretSpec, items: &BTreeMap<ItemName, Item>| {
        put_items(&at, spec, &to, items, &BTreeSet::new())
    };
    let mut spec = Sealing::to(&many.iter().collect::<Vec<_>>()).item("i0", "1").spec();
    let refused = (1..).find_map(|index| match put(&spec, &new([(&*format!("i{index}"), "x")])) {
        Ok(changed) => {
            spec = changed;
            None
        }
        Err(error) => Some(error),
    });
    let Some(ChangeError::NoRoom { unit: "bytes of age files", together, .. }) = refused else { panic!() };
    let mut items = new([("new", "x")]);
    items.extend(together.into_iter().map(|item| (item, Item::new(Plaintext::from(vec![1]), false))));
    put(&spec, &items).unwrap();
}

#[test]
fn a_cover_takes_whole_envelopes_and_prefers_the_first() {
    let envelope = |keys: &str, age: &str| Envelope {
        keys: keys.split(' ').map(str::to_owned).collect(),
        recipients: Vec::new(),
        age: age.to_owned(),
    };
    let candidates = [envelope("k1 k2", "rewrapped"), envelope("k1", "old"), envelope("k3", "other")];
    let chosen = |ids: &[&'static str]| {
        let ids = ids.iter().copied().collect();
        cover(&ids, &candidates).map(|kept| kept.iter().map(|envelope| &*envelope.age).collect::<Vec<_>>())
    };
    assert_eq!(chosen(&["k1", "k3"]).unwrap(), ["rewrapped", "other"]);
    assert_eq!(chosen(&["k3"]).unwrap(), ["other"]);
    assert_eq!(chosen(&["k4"]), Err(CoverError::Missing("k4".to_owned())));
    // An envelope that somebody rewrapped isn't given up for the one before it, which has its former recipients.
    let candidates = [envelope("k1", "rewrapped"), envelope("k1 k2", "old")];
    let ids = ["k1", "k2"].into();
    assert_eq!(cover(&ids, &candidates), Err(CoverError::Twice("k1".to_owned())));
}

#[test]
fn values_that_no_secret_holds_are_refused_before_they_are_sealed() {
    let identity = x25519();
    let spec = Sealing::to(&[&identity]).item("a", "1").spec();
    let large = "x".repeat(2 << 20);
    assert!(matches!(
        put(&spec, &identity, &new([("b", &large)])),
        Err(ChangeError::Seal(SealError::TooLarge(_)))
    ));
    assert!(matches!(put(&spec, &identity, &new([])), Err(ChangeError::Seal(SealError::NoItems))));
    let many: BTreeMap<ItemName, Item> = (0..1024)
        .map(|n| (format!("i{n}").parse().unwrap(), Item::new(Plaintext::from(Vec::new()), false)))
        .collect();
    let refused = put(&spec, &identity, &many).unwrap_err();
    assert_eq!(refused.to_string(), "encryptedData has 1025 items; at most 1024 are allowed");
}

#[test]
fn an_object_gets_exactly_these_items_and_what_is_kept_stays_to_the_byte() {
    let identity = x25519();
    let spec = Sealing::to(&[&identity]).item("a", "1").item("b", "2").item("c", "3").spec();
    let set = |kept: &[&str], items: &BTreeMap<ItemName, Item>, template: &Template| {
        let kept = kept.iter().map(|item| item.parse().unwrap()).collect();
        let to = named(&identity);
        set_items(&place("prod/db"), &spec, &to, &kept, items, template.clone(), &BTreeSet::new())
    };
    let none = BTreeMap::new();
    assert_eq!(set(&["a", "b", "c"], &none, &spec.template).unwrap(), spec, "nothing changed");
    let changed = set(&["a"], &new([("b", "new"), ("d", "4")]), &spec.template).unwrap();
    assert_eq!(changed.encrypted_data["a"], spec.encrypted_data["a"]);
    assert_eq!((&changed.envelopes[0], changed.envelopes.len()), (&spec.envelopes[0], 2));
    let opened = unseal("prod/db", &changed, &ring(&[&identity])).unwrap();
    assert_eq!(opened, values([("a", b"1"), ("b", b"new"), ("d", b"4")]));
    let anew = set(&[], &new([("a", "1")]), &spec.template).unwrap();
    assert_ne!(anew.envelopes, spec.envelopes, "no item needs the old envelope");
    assert_eq!(anew.envelopes.len(), 1);
    let type_ = Some("example.com/x".to_owned());
    let template = Template { type_, ..spec.template.clone() };
    assert_eq!(set(&["a", "b", "c"], &none, &template).unwrap().template, template);
    assert_eq!(set(&["x"], &none, &template).unwrap_err().to_string(), "there is no item x");
}

#[test]
fn the_items_of_an_object_come_with_their_use_in_templates_and_without_what_a_template_makes() {
    let identity = x25519();
    let spec = Sealing::to(&[&identity])
        .template_item("a", "1")
        .item("b", "2")
        .template_data("url", "x://$(a)")
        .spec();
    let sealed = NativeSealed::parse(place("prod/db"), &spec, &BTreeSet::new()).unwrap();
    let items = sealed.items(&ring(&[&identity])).unwrap();
    let found: Vec<_> =
        items.iter().map(|(name, item)| (name.as_str(), item.value.expose(), item.template)).collect();
    assert_eq!(found, [("a", &b"1"[..], true), ("b", &b"2"[..], false)]);
    assert!(items.values().all(|item| item.seen == [identity.recipient().fingerprint()].into()));
    assert!(sealed.items(&ring(&[&x25519()])).is_err());
}
