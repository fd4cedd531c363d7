//! What becomes of an object for everything that a status may say of it.

use std::collections::{BTreeMap, BTreeSet};

use seal_crds::keys::{Identity, Keyring};
use seal_crds::native::{Item, NamedRecipient, NativeSealed, seal, target};
use seal_crds::resources::{Rewrap, Template};
use seal_crds::{Format, Plaintext, Scope};
use serde_json::{Value, json};

use super::*;
use crate::objects::name::ObjectName;

fn named(identity: &Identity) -> NamedRecipient {
    NamedRecipient { recipient: identity.recipient().clone(), name: None }
}

fn required(pins: &[NamedRecipient]) -> OfferPins {
    OfferPins { required: pins.to_vec(), optional: Vec::new() }
}

struct Scene {
    old: Identity,
    new: Identity,
    spec: seal_crds::resources::SealedSecretSpec,
}

impl Scene {
    fn new() -> Self {
        let (old, new) = (Identity::generate(), Identity::generate());
        let items: BTreeMap<_, _> =
            [("a".parse().unwrap(), Item::new(Plaintext::from(b"x".to_vec()), false))].into();
        let place = Self::object_name().to_place();
        let (scope, template) = (Scope::Strict, Template::default());
        let spec = seal(&place, scope, &[named(&old)], &items, template, &BTreeSet::new()).unwrap();
        Self { old, new, spec }
    }

    fn object_name() -> ObjectName {
        ObjectName { namespace: Some("prod".parse().unwrap()), name: "db".parse().unwrap() }
    }

    fn native(&self) -> FoundNative {
        let object_name = Self::object_name();
        let sealed = NativeSealed::parse(object_name.to_place(), &self.spec, &BTreeSet::new()).unwrap();
        FoundNative { object_name, sealed }
    }

    fn offer(&self, to: &[NamedRecipient]) -> Rewrap {
        let keys: Keyring = [Identity::parse(&self.old.to_secret_string()).unwrap()].into_iter().collect();
        let sealed = self.native().sealed;
        Rewrap {
            source: sealed.source(),
            target: target(to.iter().map(|to| to.recipient.fingerprint())),
            envelope: sealed.rewrap(&keys, to).unwrap(),
        }
    }

    /// The object in the cluster, with this status beside its generation.
    fn live(&self, status: &Value) -> Counterpart {
        let mut object =
            json!({"metadata": {"name": "db", "namespace": "live", "generation": 1}, "spec": self.spec});
        object["status"] = json!({"observedGeneration": 1});
        for (key, value) in status.as_object().unwrap() {
            object["status"][key] = value.clone();
        }
        Counterpart::read(Format::Native, &serde_json::from_value(object).unwrap()).unwrap()
    }

    fn decide(&self, found: &[Counterpart], is_covered: bool, pins: &[&Identity]) -> Decision {
        let pins = required(&pins.iter().map(|pin| named(pin)).collect::<Vec<_>>());
        decide(&self.native(), &found.iter().collect::<Vec<_>>(), &Listing::default(), is_covered, &pins)
    }

    fn examined(&self) -> Value {
        json!({"source": self.native().sealed.source(), "keyring": "", "only": []})
    }
}

fn saying(reason: &str) -> Value {
    json!({"conditions": [{"type": "RewrapOffered", "status": "False", "reason": reason}]})
}

#[test]
fn an_offer_is_taken_from_whichever_object_has_an_honest_one() {
    let scene = Scene::new();
    let honest = scene.offer(&[named(&scene.new)]);
    let forged = scene.offer(&[named(&scene.new), named(&Identity::generate())]);
    let live = |offer: &Rewrap| scene.live(&json!({"rewrap": offer}));
    let taken = scene.decide(&[live(&forged), live(&honest)], true, &[&scene.new]);
    let Decision::Take(envelope) = taken else { panic!("{taken:?}") };
    assert_eq!(envelope.age, honest.envelope.age);
    let refused = scene.decide(&[live(&forged)], true, &[&scene.new]);
    assert!(matches!(refused, Decision::Left(Left::Refused { .. })), "{refused:?}");
    // An honest one to fewer than are pinned is refused with what to try.
    let recovery = Identity::generate();
    let fewer = scene.decide(&[live(&honest)], true, &[&scene.new, &recovery]);
    let Decision::Left(left) = fewer else { panic!("{fewer:?}") };
    let said = left.to_string();
    let short = recovery.fingerprint().short();
    assert!(said.contains("isn't sealed to pinned recipients: ") && said.contains(&short), "{said}");
    assert!(said.ends_with("take them out of the pins if nothing is to be sealed to them"), "{said}");
}

#[test]
fn without_an_offer_the_reason_is_what_the_controller_says() {
    let scene = Scene::new();
    let left = |status: Value| scene.decide(&[scene.live(&status)], true, &[&scene.new]);
    let place = || "live/db".to_owned();
    for (status, why) in [
        (json!({}), Left::NoneYet(place())),
        (saying("Offered"), Left::NoneYet(place())),
        (saying("ForeignRecipients"), Left::Foreign(place())),
        (saying("OfferTooLarge"), Left::TooLarge(place())),
        (saying("Unsupported"), Left::Other { place: place(), reason: "Unsupported".to_owned() }),
        (saying("\u{1b}[2J"), Left::Other { place: place(), reason: "no reason given".to_owned() }),
    ] {
        assert_eq!(left(status.clone()), Decision::Left(why), "{status}");
    }
    // The controller has nothing to say, and the user doesn't know the recipients.
    let unknown = left(json!({"usage": scene.examined()}));
    assert!(matches!(&unknown, Decision::Left(Left::NotPinned { recipients, .. }) if recipients.len() == 1));
    let other = json!({"usage": {"source": "00", "keyring": "", "only": []}});
    assert_eq!(left(other), Decision::Left(Left::NoneYet(place())), "it examined what the object was before");
}

#[test]
fn an_object_is_current_if_it_is_sealed_to_exactly_the_pins_or_the_controller_agrees() {
    let scene = Scene::new();
    let (old, new) = (&scene.old, &scene.new);
    let examined = scene.live(&json!({"usage": scene.examined()}));
    for (found, is_covered, pins, expected) in [
        (vec![], true, vec![old], Decision::Current),
        (vec![], false, vec![old], Decision::Current),
        (vec![], true, vec![new], Decision::Left(Left::NotThere)),
        (vec![], true, vec![old, new], Decision::Left(Left::NotThere)),
        (vec![], false, vec![new], Decision::Left(Left::NotListed)),
        (vec![scene.live(&json!({}))], true, vec![old], Decision::Current),
        (
            vec![scene.live(&json!({}))],
            true,
            vec![old, new],
            Decision::Left(Left::NoneYet("live/db".to_owned())),
        ),
        (
            vec![examined],
            true,
            vec![old, new],
            Decision::Left(Left::Lacking {
                place: "live/db".to_owned(),
                recipients: vec![SealedTo::new(new.fingerprint(), None)],
            }),
        ),
    ] {
        assert_eq!(scene.decide(&found, is_covered, &pins), expected);
    }
}

#[test]
fn a_file_that_took_an_offer_is_done_before_it_is_applied_also_if_a_pinned_key_retires() {
    let mut scene = Scene::new();
    let own = named(&Identity::generate());
    let envelope = scene.offer(&[named(&scene.new)]).envelope;
    scene.spec.envelopes = vec![envelope];
    let pins = OfferPins { required: vec![named(&scene.new)], optional: vec![own.clone()] };
    let decide = |targets: &[String], pins: &OfferPins| {
        let listing = Listing::offering(targets);
        decide(&scene.native(), &[], &listing, true, pins)
    };
    let target_of =
        |recipients: &[&NamedRecipient]| target(recipients.iter().map(|to| to.recipient.fingerprint()));
    assert_eq!(decide(&[target_of(&[&pins.required[0]])], &pins), Decision::Current);
    assert_eq!(decide(&[], &pins), Decision::Current);
    // A pin is missing, or the recipient isn't pinned.
    let both = required(&[named(&scene.new), own.clone()]);
    for pins in [both, required(&[own])] {
        assert_eq!(decide(&[target_of(&[&named(&scene.new)])], &pins), Decision::Left(Left::NotThere));
    }
}
