//! Random histories of one object on two sides, beside a model that knows every value.
//!
//! Invariant: a clean merge opens, and has each value that the three-way rule says; in a conflict, either choice opens and
//! has the values of its side for the items in conflict, and the agreed ones for the others.

use seal_crds::Sealed as _;
use seal_crds::keys::Keyring;
use seal_crds::native::NativeSealed;
use seal_random::{Random, rounds};

use super::super::three_way::{BothChanged, three_way};
use super::*;

/// An object, and the value of each item.
#[derive(Clone)]
struct Side {
    spec: SealedSecretSpec,
    values: BTreeMap<String, usize>,
}

/// Who opens everything, and whom else it may be sealed to.
struct People {
    key: Keyring,
    all: Vec<NamedRecipient>,
}

impl People {
    fn new() -> Self {
        let identities = [Identity::generate(), Identity::generate()];
        let all = identities
            .each_ref()
            .map(|identity| NamedRecipient { recipient: identity.recipient().clone(), name: None });
        let [first, _] = identities;
        Self { key: [first].into_iter().collect(), all: all.into() }
    }

    fn open(&self, spec: &SealedSecretSpec) -> BTreeMap<String, usize> {
        let sealed = NativeSealed::parse(place(), spec, &BTreeSet::new()).unwrap();
        let opened = sealed.unseal(&self.key).unwrap();
        let value = |value: &Plaintext| String::from_utf8(value.expose().to_vec()).unwrap().parse().unwrap();
        opened.data.iter().map(|(name, plaintext)| (name.to_string(), value(plaintext))).collect()
    }
}

/// A few changes to an object, as people and rotations make them.
fn change(side: &Side, people: &People, random: &mut Random, next: &mut usize) -> Side {
    let mut side = side.clone();
    for _ in 0..=random.below(3) {
        let item = ["a", "b", "c", "d", "e"][random.below(5)];
        match random.below(6) {
            0..=2 => {
                *next += 1;
                let value = Plaintext::from(next.to_string().into_bytes());
                let items = [(item.parse().unwrap(), Item::new(value, false))].into();
                let to = &people.all[..=random.below(2)];
                side.spec = put_items(&place(), &side.spec, to, &items, &BTreeSet::new()).unwrap();
                side.values.insert(item.to_owned(), *next);
            }
            3 | 4 if side.values.len() > 1 => {
                if side.values.remove(item).is_some() {
                    side.spec = without(&side.spec, item);
                }
            }
            _ => {
                let sealed = NativeSealed::parse(place(), &side.spec, &BTreeSet::new()).unwrap();
                let to = &people.all[..=random.below(2)];
                side.spec.envelopes = vec![sealed.rewrap_used(&people.key, to).unwrap()];
            }
        }
    }
    side
}

fn spec(text: &str) -> SealedSecretSpec {
    let source = Source::new("x.yaml".to_owned(), Zeroizing::new(text.to_owned()));
    let manifest = Manifest::parse(&source).unwrap();
    manifest.spec(&manifest.objects[0]).unwrap()
}

#[test]
fn random_histories_merge_to_what_the_three_way_rule_says_or_conflict() {
    let people = People::new();
    let mut random = Random(2026);
    let (mut clean, mut refused, mut next) = (0, 0, 0);
    let rounds = rounds().div_ceil(20);
    for round in 0..rounds {
        let value = Plaintext::from(b"0".to_vec());
        let first: BTreeMap<_, _> = [("a".parse().unwrap(), Item::new(value, false))].into();
        let start =
            seal(&place(), Scope::Strict, &people.all[..1], &first, Template::default(), &BTreeSet::new())
                .unwrap();
        let start = Side { spec: start, values: [("a".to_owned(), 0)].into() };
        let base = change(&start, &people, &mut random, &mut next);
        let ours = change(&base, &people, &mut random, &mut next);
        let theirs = change(&base, &people, &mut random, &mut next);
        let merged = merge_texts(&document(&base.spec), &document(&ours.spec), &document(&theirs.spec));

        let names: BTreeSet<&String> =
            base.values.keys().chain(ours.values.keys()).chain(theirs.values.keys()).collect();
        let value = |side: &Side, name: &str| side.values.get(name).copied();
        let mut agreed = BTreeMap::new();
        let mut apart = BTreeSet::new();
        for name in names {
            match three_way(value(&base, name), value(&ours, name), value(&theirs, name)) {
                Ok(Some(value)) => drop(agreed.insert(name.clone(), value)),
                Ok(None) => {}
                Err(BothChanged) => drop(apart.insert(name.clone())),
            }
        }
        if merged.is_clean {
            assert!(apart.is_empty(), "round {round}");
            assert_eq!(people.open(&spec(&merged.text)), agreed, "round {round}\n{}", merged.text);
            clean += 1;
            continue;
        }
        if apart.is_empty() {
            // No item is in conflict: then the envelopes are, or no item would be left.
            assert!(!merged.conflicts.is_empty(), "round {round}\n{}", merged.text);
            refused += 1;
            continue;
        }
        let is_of_items =
            |why: &String| [" on both sides", " in theirs"].iter().any(|end| why.ends_with(end));
        let is_of_items = merged.conflicts.iter().all(is_of_items);
        for (side, of_side) in [(conflict::Side::Ours, &ours), (conflict::Side::Theirs, &theirs)] {
            let text = conflict::take(&merged.text, MARKER_SIZE, side).unwrap();
            if !is_of_items || agreed.is_empty() {
                continue;
            }
            let mut expected = agreed.clone();
            expected.extend(apart.iter().filter_map(|name| Some((name.clone(), value(of_side, name)?))));
            let mut chosen = spec(&text);
            drop_unused_envelopes(&mut chosen);
            if !expected.is_empty() {
                assert_eq!(people.open(&chosen), expected, "round {round}\n{}", merged.text);
            }
        }
    }
    // Both ends are tried, or the test says nothing.
    assert!(clean > rounds / 5 && refused < rounds / 2, "{clean} clean, {refused} refused of {rounds}");
}
