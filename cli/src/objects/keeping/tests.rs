//! Tests of what stays: the same Secret is sealed twice, with a change between, by identity and by the store.

use super::*;
use seal_crds::Scope;
use seal_crds::keys::{Fingerprint, Identity, Keyring};
use seal_crds::native::{NamedRecipient, NativeSealed};
use seal_documents::manifest::edit;
use seal_documents::source::Source;
use zeroize::Zeroizing;

/// A Secret in the making, and how it is sealed.
struct Scene {
    identity: Identity,
    home: tempfile::TempDir,
    recipients: Vec<NamedRecipient>,
    scope: Scope,
    template_items: BTreeSet<ItemName>,
}

/// What the destination looks like after a run, and what became of the items.
struct Ran {
    text: String,
    again: Again,
}

fn scene() -> Scene {
    let identity = Identity::generate();
    let recipients =
        vec![NamedRecipient { recipient: identity.recipient().clone(), name: Some("prod".to_owned()) }];
    let home = tempfile::tempdir().unwrap();
    Scene { identity, home, recipients, scope: Scope::Strict, template_items: BTreeSet::new() }
}

impl Scene {
    fn by_identity(&self) -> Keeper {
        let copy = Identity::parse(&self.identity.to_secret_string()).unwrap();
        Keeper { keys: Some([copy].into_iter().collect::<Keyring>()), store: None }
    }

    fn by_store(&self) -> Keeper {
        Keeper { keys: None, store: Some(Store::open_in(self.home.path().to_owned()).unwrap()) }
    }

    /// Seals a Secret for prod/db over the text that is there.
    fn seal(
        &self,
        keeper: &Keeper,
        items: &[(&str, &str)],
        there: Option<&str>,
    ) -> Result<Ran, SealingError> {
        let object_name =
            ObjectName { namespace: Some("prod".parse().unwrap()), name: "db".parse().unwrap() };
        let secret = Secret {
            namespace: None,
            name: None,
            type_: "Opaque".to_owned(),
            immutable: None,
            labels: BTreeMap::new(),
            annotations: BTreeMap::new(),
            bitnami_annotations: BTreeMap::new(),
            items: items
                .iter()
                .map(|(item, value)| (item.parse().unwrap(), Plaintext::from(value.as_bytes().to_vec())))
                .collect(),
        };
        let sealer = NativeSealer {
            recipients: self.recipients.clone(),
            scope: self.scope,
            template_items: self.template_items.clone(),
        };
        let source =
            Source::new("there.yaml".to_owned(), Zeroizing::new(there.unwrap_or_default().to_owned()));
        let manifest = Manifest::parse(&source).unwrap();
        let current = Current::find(&manifest, &object_name);
        let again = keeper.seal(secret, &object_name, &sealer, current)?;
        let text = match current {
            Some(current) => match current.edits(&again) {
                Some(edits) => edit(&manifest, &[edits]).unwrap().text,
                None => source.text().to_owned(),
            },
            None => sealing::object(&object_name, &again.spec).to_yaml(0).to_string(),
        };
        Ok(Ran { text, again })
    }

    fn opened(&self, text: &str) -> BTreeMap<String, String> {
        let source = Source::new("x.yaml".to_owned(), Zeroizing::new(text.to_owned()));
        let manifest = Manifest::parse(&source).unwrap();
        let parsed = sealed::Parsed::new(&manifest, &manifest.objects[0], None).unwrap();
        let opened = parsed.open(self.by_identity().keys.as_ref().unwrap()).unwrap();
        let text = |value: &Plaintext| String::from_utf8(value.expose().to_vec()).unwrap();
        opened.unsealed.data.iter().map(|(item, value)| (item.to_string(), text(value))).collect()
    }
}

impl Scene {
    /// The items of the object in this text that somebody has seen.
    fn exposed(&self, text: &str, to: Fingerprint) -> Vec<String> {
        let source = Source::new("x.yaml".to_owned(), Zeroizing::new(text.to_owned()));
        let manifest = Manifest::parse(&source).unwrap();
        let spec = manifest.spec(&manifest.objects[0]).unwrap();
        let object_name = sealed::read_name(&manifest, &manifest.objects[0], None, true).unwrap();
        let sealed = NativeSealed::parse(object_name.to_place(), &spec, &BTreeSet::new()).unwrap();
        let items = sealed.items(self.by_identity().keys.as_ref().unwrap()).unwrap();
        items.iter().filter(|(_, item)| item.seen.contains(&to)).map(|(name, _)| name.to_string()).collect()
    }
}

/// A scene, and a way to know that nothing changed.
fn each_way(test: impl Fn(&mut Scene, &dyn Fn(&Scene) -> Keeper)) {
    test(&mut scene(), &Scene::by_identity);
    test(&mut scene(), &Scene::by_store);
}

fn names(items: &BTreeSet<ItemName>) -> Vec<&str> {
    items.iter().map(ItemName::as_str).collect()
}

#[test]
fn the_same_secret_sealed_again_is_the_same_to_the_byte() {
    each_way(|scene, keeper| {
        let items = [("password", "hunter2"), ("user", "app")];
        let first = scene.seal(&keeper(scene), &items, None).unwrap();
        assert_eq!(names(&first.again.sealed), ["password", "user"]);
        let commented = first.text.replace("spec:\n", "# ours\nspec: # all of it\n");
        let second = scene.seal(&keeper(scene), &items, Some(&commented)).unwrap();
        assert_eq!(second.text, commented);
        assert_eq!(names(&second.again.kept), ["password", "user"]);
        assert_eq!(second.again.summary(), "2 items unchanged");
    });
}

#[test]
fn only_what_changed_is_sealed_again_and_what_is_gone_goes() {
    each_way(|scene, keeper| {
        let first = scene.seal(&keeper(scene), &[("a", "1"), ("b", "2"), ("c", "3")], None).unwrap();
        let there = first.text.replace("encryptedData:\n", "encryptedData:\n    # the first\n");
        let second =
            scene.seal(&keeper(scene), &[("a", "1"), ("b", "new"), ("d", "4")], Some(&there)).unwrap();
        let line = |text: &str, item: &str| {
            text.lines().find(|line| line.starts_with(&format!("    {item}: "))).map(str::to_owned)
        };
        assert_eq!(line(&second.text, "a"), line(&there, "a"));
        assert_ne!(line(&second.text, "b"), line(&there, "b"));
        assert_eq!(line(&second.text, "c"), None);
        assert!(second.text.contains("    # the first\n"), "{}", second.text);
        assert_eq!(second.again.spec.envelopes[0], first.again.spec.envelopes[0]);
        assert_eq!(second.again.spec.envelopes.len(), 2);
        assert_eq!(second.again.summary(), "b, d sealed again; c removed; 1 item unchanged");
        let expected = [("a", "1"), ("b", "new"), ("d", "4")].map(|(k, v)| (k.to_owned(), v.to_owned()));
        assert_eq!(scene.opened(&second.text), expected.into());
        // And this one again: nothing.
        let third =
            scene.seal(&keeper(scene), &[("a", "1"), ("b", "new"), ("d", "4")], Some(&second.text)).unwrap();
        assert_eq!(third.text, second.text);
    });
}

#[test]
fn other_recipients_or_another_scope_seal_everything_again() {
    each_way(|scene, keeper| {
        let items = [("a", "1")];
        let first = scene.seal(&keeper(scene), &items, None).unwrap();
        let other = Identity::generate().recipient().clone();
        scene.recipients.push(NamedRecipient { recipient: other, name: None });
        let wider = scene.seal(&keeper(scene), &items, Some(&first.text)).unwrap();
        assert_eq!((names(&wider.again.sealed), wider.again.kept.len()), (vec!["a"], 0));
        assert_eq!(wider.again.spec.envelopes[0].recipients.len(), 2);
        scene.recipients.pop();
        let narrower = scene.seal(&keeper(scene), &items, Some(&wider.text)).unwrap();
        assert_eq!(names(&narrower.again.sealed), ["a"]);
        scene.scope = Scope::NamespaceWide;
        let wide = scene.seal(&keeper(scene), &items, Some(&narrower.text)).unwrap();
        assert_eq!((names(&wide.again.sealed), wide.again.spec.scope), (vec!["a"], Scope::NamespaceWide));
    });
}

#[test]
fn a_value_that_is_sealed_anew_stays_marked_with_everybody_who_has_seen_it() {
    let mut scene = scene();
    let items = [("a", "1"), ("b", "2")];
    let leaked = Identity::generate().recipient().clone();
    let ours = scene.recipients.clone();
    scene.recipients.push(NamedRecipient { recipient: leaked.clone(), name: None });
    let first = scene.seal(&scene.by_identity(), &items, None).unwrap();
    scene.recipients = ours;
    let exposed = |scene: &Scene, text: &str| scene.exposed(text, leaked.fingerprint());

    let narrower = scene.seal(&scene.by_identity(), &items, Some(&first.text)).unwrap();
    assert_eq!(names(&narrower.again.sealed), ["a", "b"]);
    assert_eq!(exposed(&scene, &narrower.text), ["a", "b"], "other recipients");

    let renamed = [("a", "new"), ("c", "2")];
    let renamed = scene.seal(&scene.by_identity(), &renamed, Some(&narrower.text)).unwrap();
    assert_eq!(exposed(&scene, &renamed.text), ["c"], "a has a new value; c has that of b");

    scene.template_items = BTreeSet::from(["a".parse().unwrap()]);
    let open = scene.seal(&scene.by_identity(), &items, Some(&narrower.text)).unwrap();
    assert_eq!(names(&open.again.sealed), ["a"]);
    assert_eq!(exposed(&scene, &open.text), ["a", "b"], "another use in templates");
    scene.template_items.clear();

    scene.scope = Scope::NamespaceWide;
    let wide = scene.seal(&scene.by_identity(), &items, Some(&narrower.text)).unwrap();
    assert_eq!(exposed(&scene, &wide.text), ["a", "b"], "another scope");
    scene.scope = Scope::Strict;

    let (mut text, mut items) = (narrower.text, vec![("a".to_owned(), "1".to_owned())]);
    for number in 0..seal_crds::native::MAX_ENVELOPES + 1 {
        items.push((format!("i{number:02}"), format!("value {number}")));
        let borrowed: Vec<(&str, &str)> = items.iter().map(|(item, value)| (&**item, &**value)).collect();
        let ran = scene.seal(&scene.by_identity(), &borrowed, Some(&text)).unwrap();
        assert_eq!(exposed(&scene, &ran.text), ["a"], "with and without room for one more envelope");
        text = ran.text;
    }
}

#[test]
fn use_in_templates_is_part_of_what_stays() {
    each_way(|scene, keeper| {
        let items = [("a", "1")];
        scene.template_items = BTreeSet::from(["a".parse().unwrap()]);
        let open = scene.seal(&keeper(scene), &items, None).unwrap();
        assert_eq!(scene.seal(&keeper(scene), &items, Some(&open.text)).unwrap().text, open.text);
        scene.template_items.clear();
        let closed = scene.seal(&keeper(scene), &items, Some(&open.text)).unwrap();
        assert_eq!(names(&closed.again.sealed), ["a"], "the user withdrew it");
        scene.template_items = BTreeSet::from(["a".parse().unwrap()]);
        let again = scene.seal(&keeper(scene), &items, Some(&closed.text)).unwrap();
        assert_eq!(names(&again.again.sealed), ["a"]);
    });
}

#[test]
fn what_the_destination_says_of_its_template_data_stays() {
    each_way(|scene, keeper| {
        let items = [("a", "1"), ("b", "2")];
        scene.template_items = BTreeSet::from(["a".parse().unwrap()]);
        let first = scene.seal(&keeper(scene), &items, None).unwrap();
        let there = first.text.replace("  template:\n", "  template:\n    data:\n      url: x://$(a)\n");
        scene.template_items.clear();
        let second = scene.seal(&keeper(scene), &items, Some(&there)).unwrap();
        assert_eq!(second.text, there, "the template still uses a, so it stays as it is");
        let Err(error) = scene.seal(&keeper(scene), &[("a", "new"), ("b", "2")], Some(&there)) else {
            panic!("a new value isn't shown by an old template without a word")
        };
        assert!(crate::talk::failure::Explain::hint(&error).unwrap().contains("--template-item a"));
        assert!(
            scene.seal(&keeper(scene), &[("b", "2")], Some(&there)).is_err(),
            "the template names an item that is gone"
        );
    });
}

#[test]
fn a_key_that_the_template_makes_is_no_item_when_it_comes_back_from_unsealing() {
    let mut scene = scene();
    scene.template_items = BTreeSet::from(["a".parse().unwrap()]);
    let first = scene.seal(&scene.by_identity(), &[("a", "1")], None).unwrap();
    let there = first.text.replace("  template:\n", "  template:\n    data:\n      url: x://$(a)\n");
    let unsealed = [("a", "1"), ("url", "x://1")];
    assert_eq!(scene.seal(&scene.by_identity(), &unsealed, Some(&there)).unwrap().text, there);
    let changed = scene.seal(&scene.by_identity(), &[("a", "1"), ("url", "y")], Some(&there)).unwrap();
    assert_eq!(names(&changed.again.sealed), ["url"]);
    assert!(changed.again.spec.template.data.is_empty());
}

#[test]
fn a_wrong_key_or_an_unknown_value_seals_anew_and_never_keeps() {
    let scene = scene();
    let items = [("a", "1")];
    let first = scene.seal(&scene.by_identity(), &items, None).unwrap();
    let wrong = Keeper { keys: Some([Identity::generate()].into_iter().collect()), store: None };
    assert_eq!(names(&scene.seal(&wrong, &items, Some(&first.text)).unwrap().again.sealed), ["a"]);
    let forgetful = scene.seal(&scene.by_store(), &items, Some(&first.text)).unwrap();
    assert_eq!(names(&forgetful.again.sealed), ["a"], "the store never saw this line");
    // With both, the identity teaches the store.
    let both = Keeper { store: scene.by_store().store, ..scene.by_identity() };
    assert_eq!(names(&scene.seal(&both, &items, Some(&first.text)).unwrap().again.kept), ["a"]);
    assert_eq!(names(&scene.seal(&scene.by_store(), &items, Some(&first.text)).unwrap().again.kept), ["a"]);
}

#[test]
fn a_line_whose_envelope_was_changed_is_sealed_anew_whatever_the_store_knows_of_it() {
    let scene = scene();
    let items = [("a", "1"), ("b", "2")];
    let first = scene.seal(&scene.by_store(), &items, None).unwrap();
    let age = &first.again.spec.envelopes[0].age;
    // A bit of the last byte before the padding: the object is well-formed still, and never opens again.
    let at = age.trim_end_matches('=').len() - 2;
    let other = if age.as_bytes()[at] == b'A' { "B" } else { "A" };
    let tampered = format!("{}{other}{}", &age[..at], &age[at + 1..]);
    let there = first.text.replace(age.as_str(), &tampered);
    assert_ne!(there, first.text);
    let second = scene.seal(&scene.by_store(), &items, Some(&there)).unwrap();
    assert_eq!((names(&second.again.sealed), second.again.kept.len()), (vec!["a", "b"], 0));
    assert_eq!(scene.opened(&second.text).len(), 2);
}

#[test]
fn an_object_without_room_for_one_more_envelope_is_sealed_as_a_whole() {
    let scene = scene();
    let mut text: Option<String> = None;
    let mut items: Vec<(String, String)> = Vec::new();
    for number in 0..seal_crds::native::MAX_ENVELOPES + 2 {
        items.push((format!("i{number:02}"), number.to_string()));
        let borrowed: Vec<(&str, &str)> = items.iter().map(|(item, value)| (&**item, &**value)).collect();
        let ran = scene.seal(&scene.by_identity(), &borrowed, text.as_deref()).unwrap();
        let envelopes = ran.again.spec.envelopes.len();
        assert!((1..=seal_crds::native::MAX_ENVELOPES).contains(&envelopes));
        text = Some(ran.text);
    }
    assert_eq!(scene.opened(&text.unwrap()).len(), items.len());
}

#[test]
fn only_an_object_of_this_name_in_the_native_format_is_gone_on_from() {
    let scene = scene();
    let first = scene.seal(&scene.by_identity(), &[("a", "1")], None).unwrap().text;
    let find = |text: &str| {
        let source = Source::new("x.yaml".to_owned(), Zeroizing::new(text.to_owned()));
        let manifest = Manifest::parse(&source).unwrap();
        let name = ObjectName { namespace: Some("prod".parse().unwrap()), name: "db".parse().unwrap() };
        Current::find(&manifest, &name).is_some()
    };
    assert!(find(&first));
    assert!(find(&first.replace("  namespace: prod\n", "")), "kustomize sets it later");
    assert!(!find(&first.replace("namespace: prod", "namespace: dev")));
    assert!(!find(&first.replace("name: db", "name: web")));
    assert!(!find(
        "apiVersion: bitnami.com/v1alpha1\nkind: SealedSecret\nmetadata: {name: db, namespace: prod}\nspec: {encryptedData: {a: b}}\n"
    ));
}
