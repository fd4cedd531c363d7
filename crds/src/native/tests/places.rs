//! Tests of objects, envelopes and data keys in places that they weren't sealed for.
//!
//! Other changes to an object are in `tampering`. Invariant: the message names both places or both scopes, because its
//! reader has to find out which of the two is the mistake.

use super::*;

/// The error of a whole object that was sealed at one place and found at another.
fn moved(scope: Scope, from: &str, to: &str) -> Result<Values, UnsealError> {
    let identity = x25519();
    let spec = Sealing::to(&[&identity]).scoped(scope).at(from).item("a", "1").spec();
    unseal(to, &spec, &ring(&[&identity]))
}

#[test]
fn a_move_that_the_scope_does_not_allow_is_refused_with_both_places() {
    for (scope, to, message) in [
        (Scope::Strict, "staging/db", "sealed for prod/db, found in staging/db"),
        (Scope::Strict, "prod/cache", "sealed for prod/db, found in prod/cache"),
        (Scope::NamespaceWide, "staging/db", "sealed for namespace prod, found in namespace staging"),
    ] {
        let error = moved(scope, "prod/db", to).unwrap_err();
        assert_eq!((error.reason().as_str(), &*error.to_string()), ("WrongPlace", message));
    }
}

#[test]
fn a_move_that_the_scope_allows_opens() {
    for (scope, to) in [
        (Scope::NamespaceWide, "prod/cache"),
        (Scope::ClusterWide, "prod/cache"),
        (Scope::ClusterWide, "staging/db"),
    ] {
        assert_eq!(moved(scope, "prod/db", to), Ok(values([("a", b"1")])), "{scope} {to}");
    }
}

#[test]
fn an_edited_scope_is_refused_with_both_scopes() {
    let identity = x25519();
    for sealed in Scope::ALL {
        for found in Scope::ALL.into_iter().filter(|found| *found != sealed) {
            let mut spec = Sealing::to(&[&identity]).scoped(sealed).item("a", "1").spec();
            spec.scope = found;
            let error = unseal("prod/db", &spec, &ring(&[&identity])).unwrap_err();
            assert_eq!(error, UnsealError::WrongScope { sealed, found });
            let message = format!("sealed with scope {sealed}, found with scope {found}");
            assert_eq!(error.to_string(), message);
        }
    }
}

#[test]
fn an_envelope_from_another_place_is_refused_with_its_items() {
    let identity = x25519();
    let here = || Sealing::to(&[&identity]).item("a", "1").spec();
    let there = Sealing::to(&[&identity]).at("staging/db").item("b", "2").spec();
    let spliced = merge(here(), there);
    assert_eq!(
        unseal("prod/db", &spliced, &ring(&[&identity])),
        Err(UnsealError::WrongPlace { sealed: "staging/db".into(), found: "prod/db".into() })
    );
    let wide = Sealing::to(&[&identity]).scoped(Scope::ClusterWide).item("b", "2").spec();
    assert_eq!(
        unseal("prod/db", &merge(here(), wide), &ring(&[&identity])),
        Err(UnsealError::WrongScope { sealed: Scope::ClusterWide, found: Scope::Strict })
    );
}

#[test]
fn an_item_from_another_place_is_refused_without_its_envelope() {
    let identity = x25519();
    let mut spec = Sealing::to(&[&identity]).item("a", "1").spec();
    let there = Sealing::to(&[&identity]).at("staging/db").item("b", "2").spec();
    let line = there.encrypted_data["b"].clone();
    spec.encrypted_data.insert("b".into(), line);
    let id = id_of(&there, "b").to_owned();
    let item = "b".parse().unwrap();
    assert_eq!(unseal("prod/db", &spec, &ring(&[&identity])), Err(UnsealError::MissingKey { item, id }));
}

/// A recipient may rewrap what it holds, but the id holds the key to its binding.
#[test]
fn no_rewrap_moves_an_item_to_another_place_or_scope() {
    let identity = x25519();
    let spec = Sealing::to(&[&identity]).item("a", "1").spec();
    let keys = data_keys(&spec, 0, &identity);
    for (scope, at) in
        [(Scope::Strict, "staging/db"), (Scope::NamespaceWide, "prod/db"), (Scope::ClusterWide, "prod/db")]
    {
        let forged = wrap(&Binding::new(scope, &place(at)), &[identity.recipient()], &keys);
        let (old_id, new_id) = (id_of(&spec, "a").to_owned(), forged.keys[0].clone());

        // With the id that the item names, the envelope contradicts itself.
        let mut named_as_before = spec.clone();
        named_as_before.scope = scope;
        named_as_before.envelopes[0] = Envelope { keys: vec![old_id.clone()], ..forged.clone() };
        let opened = unseal(at, &named_as_before, &ring(&[&identity]));
        assert_eq!(opened, Err(UnsealError::WrongKeys { envelope: 0 }));

        // With the id of its new binding, the item's key is missing.
        let mut rebound = spec.clone();
        rebound.scope = scope;
        rebound.envelopes[0] = forged;
        let item = "a".parse().unwrap();
        let opened = unseal(at, &rebound, &ring(&[&identity]));
        assert_eq!(opened, Err(UnsealError::MissingKey { item, id: old_id.clone() }));

        // And the item doesn't open under another id than it was sealed with.
        let line = &rebound.encrypted_data["a"].replace(&old_id, &new_id);
        rebound.encrypted_data.insert("a".into(), line.clone());
        let item = "a".parse().unwrap();
        let opened = unseal(at, &rebound, &ring(&[&identity]));
        assert_eq!(opened, Err(UnsealError::ItemAltered { item }));
    }
}
