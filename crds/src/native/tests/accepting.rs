//! Tests of the acceptance of offers: what a forged offer can't do.
//!
//! Invariant: whoever accepts has no identity, so nothing is opened here but to prove what an honest offer does.

use super::*;
use crate::native::{OfferError, OfferPins, target};
use crate::resources::Rewrap;

fn parse(spec: &SealedSecretSpec) -> NativeSealed {
    NativeSealed::parse(place("prod/db"), spec, &BTreeSet::new()).unwrap()
}

/// The offer that an honest controller makes.
fn offer(spec: &SealedSecretSpec, with: &Identity, to: &[&Identity]) -> Rewrap {
    Rewrap {
        source: parse(spec).source(),
        target: target(to.iter().map(|identity| identity.fingerprint())),
        envelope: parse(spec).rewrap(&ring(&[with]), &Sealing::to(to).recipients).unwrap(),
    }
}

/// Pins with names of the user's own.
fn pins(identities: &[&Identity]) -> OfferPins {
    let mut required = Sealing::to(identities).recipients;
    required.iter_mut().for_each(|pin| pin.name = Some("pinned".to_owned()));
    OfferPins { required, optional: Vec::new() }
}

#[test]
fn an_honest_offer_is_accepted_and_opens_with_the_new_identity_alone() {
    let [a, b] = [x25519(), hybrid()];
    let spec = merge(Sealing::to(&[&a]).item("a", "1").spec(), Sealing::to(&[&a]).item("b", "2").spec());
    let mut offer = offer(&spec, &a, &[&b]);
    offer.envelope.recipients[0].name = Some("whatever the status says".to_owned());
    let envelope = parse(&spec).accept(&offer, &pins(&[&b])).unwrap();
    assert_eq!(envelope.recipients[0].name.as_deref(), Some("pinned"));
    let spec = SealedSecretSpec { envelopes: vec![envelope], ..spec };
    assert_eq!(unseal("prod/db", &spec, &ring(&[&b])), Ok(values([("a", b"1"), ("b", b"2")])));
}

#[test]
fn an_offer_for_other_envelopes_is_not_accepted() {
    let [a, b] = [x25519(), x25519()];
    let spec = Sealing::to(&[&a]).item("a", "1").spec();
    let newer = merge(spec.clone(), Sealing::to(&[&a]).item("b", "2").spec());
    let offer = offer(&spec, &a, &[&b]);
    assert_eq!(parse(&newer).accept(&offer, &pins(&[&b])), Err(OfferError::OtherSource));
}

#[test]
fn an_offer_to_anybody_who_is_not_pinned_is_not_accepted() {
    let [a, b, intruder] = [x25519(), x25519(), x25519()];
    let spec = Sealing::to(&[&a]).item("a", "1").spec();
    let offer = offer(&spec, &a, &[&b, &intruder]);
    let error = parse(&spec).accept(&offer, &pins(&[&b])).unwrap_err();
    assert_eq!(error, OfferError::NotPinned(sealed_to(&intruder)));
    assert_eq!(
        error.to_string(),
        format!(
            "the offer is sealed to recipients that aren't pinned: {} (X25519)",
            intruder.fingerprint().short()
        )
    );
    // The list leaves the intruder out, but not the target: the two have to agree.
    let mut liar = offer;
    liar.envelope.recipients.pop();
    assert_eq!(parse(&spec).accept(&liar, &pins(&[&b])), Err(OfferError::WrongTarget));
}

/// The threat: whoever configures the controller takes the recovery recipient out of it, and rotation takes it out of Git.
#[test]
fn an_offer_that_drops_a_pinned_recipient_is_not_accepted_unless_that_one_retires() {
    let [old, new, recovery] = [x25519(), x25519(), x25519()];
    let spec = Sealing::to(&[&old, &recovery]).item("a", "1").spec();
    let offer = offer(&spec, &old, &[&new]);
    let mut pinned = pins(&[&new, &recovery]);
    let accept =
        |pins: &OfferPins| parse(&spec).accept(&offer, pins).map(|envelope| envelope.recipients.len());
    let Err(OfferError::Lacking(lacking)) = accept(&pinned) else { panic!("{:?}", accept(&pinned)) };
    assert_eq!(lacking.iter().map(|to| to.fingerprint).collect::<Vec<_>>(), [recovery.fingerprint()]);
    assert_eq!(lacking[0].to_string(), format!("{} (pinned)", recovery.fingerprint().short()));
    pinned.required.pop();
    pinned.optional = pins(&[&old]).required;
    assert_eq!(accept(&pinned), Ok(1), "a key that retires is pinned, and not needed");
}

#[test]
fn an_offer_without_the_data_key_of_an_item_is_not_accepted() {
    let [a, b] = [x25519(), x25519()];
    let spec = Sealing::to(&[&a]).item("a", "1").template_item("t", "2").spec();
    let offer = offer(&spec, &a, &[&b]);
    let refused = |change: &dyn Fn(&mut Envelope)| {
        let mut offer = offer.clone();
        change(&mut offer.envelope);
        parse(&spec).accept(&offer, &pins(&[&b])).unwrap_err()
    };
    let missing = OfferError::Refused(UnsealError::MissingKey {
        item: "t".parse().unwrap(),
        id: id_of(&spec, "t").to_owned(),
    });
    let of_t = offer.envelope.keys.iter().position(|id| id == id_of(&spec, "t")).unwrap();
    assert_eq!(refused(&|envelope| drop(envelope.keys.remove(of_t))), missing);
    for change in [
        &|envelope: &mut Envelope| envelope.keys.push(envelope.keys[0].clone()),
        &|envelope: &mut Envelope| envelope.age = BASE64.encode("not an age file"),
        &|envelope: &mut Envelope| envelope.age = BASE64.encode(vec![0; 200_000]),
        &|envelope: &mut Envelope| envelope.recipients.clear(),
        &|envelope: &mut Envelope| envelope.recipients[0].fingerprint = "aa".to_owned(),
        &|envelope: &mut Envelope| envelope.keys[0] = "no id".to_owned(),
    ] as [&dyn Fn(&mut Envelope); 6]
    {
        let error = refused(change);
        assert!(matches!(error, OfferError::Refused(_)), "{error}");
    }
}
