//! Thousands of random changes of objects in every layout: each result is right to the byte outside of what was changed,
//! or refused.
//!
//! [`seal_random::shapes`] draws the layouts and says which bytes a change may touch. serde_yaml, which is none of our
//! readers, says that nothing else got another meaning. `make fuzz` runs more. Invariant: no result is wrong, and fewer
//! than 1.5 % are refused.

use std::collections::BTreeMap;

use seal_crds::keys::{Identity, Keyring};
use seal_crds::native::{self, Item, NativeSealed, seal};
use seal_crds::resources::{SealedSecretSpec, Template};
use seal_crds::{Place, Sealed as _};
use seal_documents::manifest::{Manifest, edit};
use seal_documents::source::Source;
use seal_random::shapes::{Envelope, Gone, Says, Shape, Task};
use seal_random::{Random, rounds};
use serde::Deserialize as _;
use serde_yaml::Value;
use zeroize::Zeroizing;

use super::*;

/// Objects to draw layouts of, and whom they are sealed to.
struct Stock {
    identity: Identity,
    recipients: Vec<NamedRecipient>,
    specs: Vec<SealedSecretSpec>,
}

fn place() -> Place {
    Place { namespace: "prod".parse().unwrap(), name: "db".parse().unwrap() }
}

fn value(text: &str) -> Plaintext {
    Plaintext::from(text.as_bytes().to_vec())
}

impl Stock {
    fn new() -> Self {
        let identity = Identity::parse(
            include_str!("../../../../../tests/cli/given/classic.key").lines().last().unwrap(),
        );
        let identity = identity.unwrap();
        let recipients =
            vec![NamedRecipient { recipient: identity.recipient().clone(), name: Some("prod".to_owned()) }];
        let mut stock = Self { identity, recipients, specs: Vec::new() };
        // From one item in one envelope to five in three.
        for (scope, first, then) in [
            (Scope::Strict, &["password"][..], &[][..]),
            (Scope::Strict, &["user", "password", "tls.key"], &[]),
            (Scope::NamespaceWide, &["a", "b"], &[&["c"][..]]),
            (Scope::ClusterWide, &["password", "user"], &[&["token", "HOST"], &["_x"]]),
            (Scope::Strict, &["one"], &[&["two"], &["three"]]),
        ] {
            let items = |names: &[&str]| -> BTreeMap<ItemName, Item> {
                names.iter().map(|name| (name.parse().unwrap(), Item::new(value(name), false))).collect()
            };
            let template =
                Template { data: [("url".to_owned(), "x://\n".to_owned())].into(), ..Template::default() };
            let mut spec =
                seal(&place(), scope, &stock.recipients, &items(first), template, &allowed()).unwrap();
            for names in then {
                spec =
                    native::put_items(&place(), &spec, &stock.recipients, &items(names), &allowed()).unwrap();
            }
            stock.specs.push(spec);
        }
        stock
    }
}

/// What a spec says, with its items in a random order.
fn says(spec: &SealedSecretSpec, random: &mut Random) -> Says {
    let envelope = |envelope: &seal_crds::resources::Envelope| Envelope {
        keys: envelope.keys.clone(),
        recipients: envelope
            .recipients
            .iter()
            .map(|hint| (hint.name.clone(), hint.fingerprint.clone()))
            .collect(),
        age: envelope.age.clone(),
    };
    let mut items: Vec<(String, String)> = spec.encrypted_data.clone().into_iter().collect();
    if random.below(3) == 0 {
        let by = random.below(items.len());
        items.rotate_left(by);
    }
    Says { scope: spec.scope.to_string(), envelopes: spec.envelopes.iter().map(envelope).collect(), items }
}

/// The documents of a text, as another reader has them.
fn documents(text: &str) -> Vec<Value> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if let Ok(values) =
        serde_json::Deserializer::from_str(text).into_iter().collect::<Result<Vec<Value>, _>>()
    {
        return values;
    }
    serde_yaml::Deserializer::from_str(text).map(|document| Value::deserialize(document).unwrap()).collect()
}

/// The spec of the SealedSecret, taken out of the documents.
fn take_spec(documents: &mut [Value]) -> Value {
    fn find(value: &mut Value) -> Option<&mut Value> {
        if value.get("kind").and_then(Value::as_str) == Some("SealedSecret") {
            return value.get_mut("spec");
        }
        value.get_mut("items")?.as_sequence_mut()?.iter_mut().find_map(find)
    }
    documents.iter_mut().find_map(find).map(std::mem::take).expect("there is a SealedSecret")
}

/// Makes the change; `None` if it was refused for the layout.
fn changed(manifest: &Manifest<'_>, task: &Task, says: &Says, stock: &Stock) -> Option<String> {
    let object = find(manifest, None).unwrap();
    let new_item = |name: &str| {
        let item = NewItem::new(value("new"), false);
        (name.parse().unwrap(), item)
    };
    let to = SealTo::Recipients(&stock.recipients);
    let changeable = || Changeable::read(manifest, object, None).unwrap();
    let change = match task {
        Task::Set(items) => {
            let items = items.iter().map(|index| new_item(&says.items[*index].0)).collect();
            changeable().put(manifest, object, &to, items).unwrap()
        }
        Task::Add(name) => changeable().put(manifest, object, &to, [new_item(name)].into()).unwrap(),
        Task::Remove(index) => {
            let items = [says.items[*index].0.parse().unwrap()].into();
            changeable().remove(manifest, object, &items).unwrap()
        }
        Task::Tidy => tidy(manifest, object).unwrap().unwrap().change,
    };
    edit(manifest, &[change.edits]).ok().map(|edited| edited.text)
}

#[test]
fn random_mutations_of_every_layout_are_right_to_the_byte_or_refused() {
    let stock = Stock::new();
    let keys: Keyring = [Identity::parse(&stock.identity.to_secret_string()).unwrap()].into_iter().collect();
    let mut random = Random(12);
    let (mut refused, mut done) = (0, 0);
    for round in 0..rounds() {
        let mut spec = stock.specs[random.below(stock.specs.len())].clone();
        let task = match random.below(8) {
            0 => Task::Add(["zzz", "AAA", "m.m"][random.below(3)]),
            1 if spec.encrypted_data.len() > 1 => Task::Remove(random.below(spec.encrypted_data.len())),
            2 => {
                // An envelope of another object, which no item here uses.
                let other = &stock.specs[0].envelopes[0];
                if spec.envelopes.contains(other) {
                    continue;
                }
                let at = random.below(spec.envelopes.len() + 1);
                spec.envelopes.insert(at, other.clone());
                Task::Tidy
            }
            3 if spec.encrypted_data.len() > 2 => Task::Set(vec![0, 1]),
            _ => Task::Set(vec![random.below(spec.encrypted_data.len())]),
        };
        let says = says(&spec, &mut random);
        let shape = Shape::draw(&says, &mut random);
        let text = shape.text();
        let source = Source::new("f".to_owned(), Zeroizing::new(text.clone()));
        let manifest = match Manifest::parse(&source) {
            Ok(manifest) => manifest,
            Err(error) => panic!("round {round}: {}\n{text}", error.error),
        };
        let Some(new) = changed(&manifest, &task, &says, &stock) else {
            refused += usize::from(!shape.is_shared);
            if std::env::var_os("SEAL_SHOW").is_some() {
                eprintln!("REFUSED round {round} {task:?}\n{text}=====\n");
            }
            continue;
        };
        done += 1;
        let context = || format!("round {round}, {task:?}:\n{text}\n=====\n{new}");

        let gone = Gone::of(&task, &says);
        assert!(shape.allows(&new, |part| gone.may_go(part)), "{}", context());
        assert_eq!(text.contains('\r'), new.contains('\r'), "{}", context());
        assert_eq!(
            new.matches('\n').count(),
            if text.contains('\r') { new.matches("\r\n").count() } else { new.matches('\n').count() },
            "{}",
            context()
        );

        let (mut before, mut after) = (documents(&text), documents(&new));
        let (mut old_spec, mut new_spec) = (take_spec(&mut before), take_spec(&mut after));
        assert_eq!(before, after, "{}", context());
        let decoded: SealedSecretSpec = serde_yaml::from_value(new_spec.clone()).unwrap();
        for spec in [&mut old_spec, &mut new_spec] {
            let fields = spec.as_mapping_mut().unwrap();
            fields.remove("encryptedData").unwrap();
            fields.remove("envelopes").unwrap();
        }
        assert_eq!(old_spec, new_spec, "{}", context());
        for (name, line) in &spec.encrypted_data {
            let index = says.items.iter().position(|(known, _)| known == name).unwrap();
            let stays = !gone.values.contains(&index);
            assert_eq!(decoded.encrypted_data.get(name) == Some(line), stays, "{}", context());
        }
        let kept = spec.envelopes.iter().enumerate().filter(|(index, _)| !gone.envelopes.contains(index));
        assert!(
            kept.map(|(_, envelope)| envelope).all(|envelope| decoded.envelopes.contains(envelope)),
            "{}",
            context()
        );
        if round % 20 == 0 {
            let sealed = NativeSealed::parse(place(), &decoded, &allowed()).unwrap();
            let opened = sealed.unseal(&keys).unwrap_or_else(|error| panic!("{error}: {}", context()));
            let expected = decoded.encrypted_data.len() + decoded.template.data.len();
            assert_eq!(opened.data.len(), expected, "{}", context());
        }
    }
    eprintln!("{done} changes were made, and {refused} refused");
    assert!(refused * 1000 < (refused + done) * 15, "{refused} of {} were refused", refused + done);
}
