//! Objects whose envelopes are named by what they hold, so that each merge can be read.

use super::*;
use seal_crds::Scope;
use seal_crds::resources::RecipientHint;

/// An envelope; the age file is named by the keys and the recipients.
fn envelope(keys: &str, to: &str) -> Envelope {
    let texts = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
    Envelope {
        keys: texts(keys),
        recipients: texts(to)
            .into_iter()
            .map(|fingerprint| RecipientHint { name: None, fingerprint })
            .collect(),
        age: format!("{keys} to {to}"),
    }
}

/// `password=k1.a user=k1.b`, and the envelopes.
fn version(items: &str, envelopes: &[Envelope]) -> Version {
    let items = items.split(' ').map(|item| item.split_once('=').unwrap());
    Version {
        scope: Some(Scope::Strict),
        items: items.map(|(name, line)| (name.to_owned(), line.to_owned())).collect(),
        envelopes: envelopes.to_vec(),
        ..Version::default()
    }
}

fn merged(base: &Version, ours: &Version, theirs: &Version) -> Result<MergedObject, Unmergeable> {
    merge(Some(base), ours, theirs, |_| false)
}

/// The result of a merge that has to be clean, the other way round too.
fn clean(base: &Version, ours: &Version, theirs: &Version) -> Version {
    let one = merged(base, ours, theirs).unwrap();
    assert_eq!(one.describe(), None);
    assert_eq!((Some(&one.ours), &one.ours), (one.base.as_ref(), &one.theirs));
    let other = merged(base, theirs, ours).unwrap().ours;
    assert_eq!((&one.ours.items, one.ours.scope), (&other.items, other.scope));
    let sorted = |version: &Version| {
        let mut ages: Vec<String> = version.envelopes.iter().map(|e| e.age.clone()).collect();
        ages.sort();
        ages
    };
    assert_eq!(sorted(&one.ours), sorted(&other));
    one.ours
}

fn ages(version: &Version) -> Vec<&str> {
    version.envelopes.iter().map(|envelope| envelope.age.as_str()).collect()
}

#[test]
fn two_sides_that_each_add_an_item_are_both_kept_with_their_envelopes() {
    let base = version("a=k1.a", &[envelope("k1", "prod")]);
    let ours = version("a=k1.a b=k2.b", &[envelope("k1", "prod"), envelope("k2", "prod")]);
    let theirs = version("a=k1.a c=k3.c", &[envelope("k1", "prod"), envelope("k3", "prod")]);
    let merged = clean(&base, &ours, &theirs);
    assert_eq!(merged.items.len(), 3);
    assert_eq!(ages(&merged), ["k1 to prod", "k2 to prod", "k3 to prod"]);
}

#[test]
fn an_envelope_goes_when_each_side_removes_one_of_its_two_items() {
    let both = [envelope("k1", "prod"), envelope("k2", "prod")];
    let base = version("a=k1.a b=k1.b c=k2.c", &both);
    let merged = clean(&base, &version("a=k1.a c=k2.c", &both), &version("b=k1.b c=k2.c", &both));
    assert_eq!((merged.items.len(), ages(&merged)), (1, vec!["k2 to prod"]));
}

#[test]
fn the_envelope_of_the_side_that_rewrapped_is_taken() {
    let base = version("a=k1.a b=k2.b", &[envelope("k1", "old"), envelope("k2", "old")]);
    let rewrapped = version("a=k1.a b=k2.b", &[envelope("k1 k2", "new")]);
    let changed = version("a=k3.x b=k2.b", &[envelope("k2", "old"), envelope("k3", "old")]);
    let merged = clean(&base, &rewrapped, &changed);
    assert_eq!(merged.items["a"], "k3.x");
    assert_eq!(ages(&merged), ["k1 k2 to new", "k3 to old"], "nothing is sealed to old that new took over");
}

#[test]
fn both_sides_that_rewrapped_to_the_same_recipients_agree() {
    let base = version("a=k1.a", &[envelope("k1", "old")]);
    let mut ours = version("a=k1.a", &[envelope("k1", "x y")]);
    ours.envelopes[0].age = "one".to_owned();
    let mut theirs = version("a=k1.a b=k2.b", &[envelope("k1 k2", "x y")]);
    theirs.envelopes[0].age = "other".to_owned();
    let merged = merged(&base, &ours, &theirs).unwrap();
    assert_eq!(merged.describe(), None);
    assert_eq!(ages(&merged.ours), ["other"], "it holds both");
}

#[test]
fn the_same_data_keys_to_different_recipients_are_a_conflict() {
    let base = version("a=k1.a", &[envelope("k1", "old")]);
    let to = |who: &str| version("a=k1.a", &[envelope("k1", who)]);
    assert_eq!(merged(&base, &to("x"), &to("y")).unwrap_err(), Unmergeable::RewrappedTwice);
    assert_eq!(merge(None, &to("x"), &to("y"), |_| false).unwrap_err(), Unmergeable::RewrappedTwice);
}

#[test]
fn a_mix_of_whole_envelopes_that_holds_a_data_key_twice_is_a_conflict() {
    let base = version("a=k1.a b=k2.b c=k3.c", &["k1", "k2", "k3"].map(|key| envelope(key, "old")));
    let ours = version("a=k1.a b=k2.b c=k3.c", &[envelope("k1 k2", "new"), envelope("k3", "old")]);
    let theirs = version("a=k1.a b=k2.b c=k3.c", &[envelope("k1", "old"), envelope("k2 k3", "new")]);
    let twice = Unmergeable::Envelopes(CoverError::Twice("k2".to_owned()));
    assert_eq!(merged(&base, &ours, &theirs).unwrap_err(), twice);
}

#[test]
fn an_item_that_both_sides_changed_keeps_both_lines_and_both_envelopes() {
    let base = version("a=k1.a b=k1.b", &[envelope("k1", "p")]);
    let ours = version("a=k2.a b=k1.b", &[envelope("k1", "p"), envelope("k2", "p")]);
    let theirs = version("a=k3.a b=k1.b", &[envelope("k1", "p"), envelope("k3", "p")]);
    let found = merged(&base, &ours, &theirs).unwrap();
    assert_eq!(found.describe().unwrap(), "a changed on both sides");
    assert_eq!((&found.ours.items["a"][..], &found.theirs.items["a"][..]), ("k2.a", "k3.a"));
    assert_eq!(ages(&found.ours), ["k1 to p", "k2 to p", "k3 to p"]);
    assert_eq!(found.ours.envelopes, found.theirs.envelopes);

    let removed = version("b=k1.b", &[envelope("k1", "p")]);
    let found = merged(&base, &removed, &theirs).unwrap();
    assert_eq!(found.describe().unwrap(), "a removed in ours, changed in theirs");
    assert!(!found.ours.items.contains_key("a") && found.theirs.items["a"] == "k3.a");
}

#[test]
fn a_conflict_says_what_each_side_did() {
    let p = |key: &str| envelope(key, "p");
    let base = version("a=k1.a b=k1.b c=k1.c", &[p("k1")]);
    let ours = version("a=k2.a b=k2.b d=k2.d", &[p("k2")]);
    let theirs = version("a=k3.a c=k3.c d=k3.d", &[p("k3")]);
    let found = merged(&base, &ours, &theirs).unwrap();
    assert_eq!(
        found.describe().unwrap(),
        "a changed on both sides; d added on both sides; c removed in ours, changed in theirs; b changed in ours, removed in \
         theirs"
    );
}

#[test]
fn whoever_can_tell_that_the_values_are_equal_keeps_ours() {
    let base = version("a=k1.a", &[envelope("k1", "p")]);
    let (ours, theirs) =
        (version("a=k2.a", &[envelope("k2", "p")]), version("a=k3.a", &[envelope("k3", "p")]));
    let merged = merge(Some(&base), &ours, &theirs, |item| item == "a").unwrap();
    assert_eq!((merged.describe(), &merged.ours), (None, &ours));
}

#[test]
fn a_scope_that_changed_takes_every_item_of_its_side_or_is_a_conflict() {
    let base = version("a=k1.a", &[envelope("k1", "p")]);
    let mut wide = version("a=k2.a", &[envelope("k2", "p")]);
    wide.scope = Some(Scope::NamespaceWide);
    assert_eq!(clean(&base, &wide, &base), wide);
    let added = version("a=k1.a b=k3.b", &[envelope("k1", "p"), envelope("k3", "p")]);
    assert_eq!(merged(&base, &wide, &added).unwrap_err(), Unmergeable::Scope);
    let mut wider = version("a=k4.a", &[envelope("k4", "p")]);
    wider.scope = Some(Scope::ClusterWide);
    assert_eq!(merged(&base, &wide, &wider).unwrap_err(), Unmergeable::Scope);
}

#[test]
fn a_template_is_merged_field_by_field() {
    let base = version("a=k1.a", &[envelope("k1", "p")]);
    let with = |change: &dyn Fn(&mut Template)| {
        let mut version = base.clone();
        change(&mut version.template);
        version
    };
    let label = |key: &str, text: &str| {
        let (key, text) = (key.to_owned(), text.to_owned());
        move |template: &mut Template| drop(template.metadata.labels.insert(key.clone(), text.clone()))
    };
    let ours = with(&|template| {
        label("x", "1")(template);
        template.immutable = Some(true);
    });
    let theirs = with(&|template| {
        label("y", "2")(template);
        template.data.insert("url".to_owned(), "$(a)".to_owned());
    });
    let merged_template = clean(&base, &ours, &theirs).template;
    assert_eq!((merged_template.metadata.labels.len(), merged_template.immutable), (2, Some(true)));
    assert_eq!(merged_template.data["url"], "$(a)");
    let found = merged(&base, &with(&label("x", "1")), &with(&label("x", "2"))).unwrap();
    assert_eq!(found.describe().unwrap(), "template label x added on both sides");
}

/// The mark of an item for templates is sealed in, and nothing shows it.
#[test]
fn a_new_use_in_a_template_and_a_new_line_of_its_item_come_from_one_side_or_are_a_conflict() {
    let using = |mut version: Version, key: &str| {
        version.template.data.insert(key.to_owned(), "x$(a)".to_owned());
        version
    };
    let base = version("a=k1.a", &[envelope("k1", "p")]);
    let set = version("a=k2.a", &[envelope("k2", "p")]);
    let apart = Unmergeable::TemplateUse { key: "url".parse().unwrap(), item: "a".parse().unwrap() };
    assert_eq!(merged(&base, &set, &using(base.clone(), "url")).unwrap_err(), apart);
    assert_eq!(merged(&base, &using(base.clone(), "url"), &set).unwrap_err(), apart);
    // With one line or the other, the object wouldn't open.
    let both_set = using(version("a=k3.a", &[envelope("k3", "p")]), "url");
    assert_eq!(merged(&base, &set, &both_set).unwrap_err(), apart);
    // A side that uses the item in its own template set the mark.
    let old = using(base.clone(), "url");
    let found = clean(&old, &using(set.clone(), "url"), &using(old.clone(), "dsn"));
    assert_eq!((found.items["a"].as_str(), found.template.data.len()), ("k2.a", 2));
    assert_eq!(clean(&base, &using(set.clone(), "url"), &base).items["a"], "k2.a");
}
