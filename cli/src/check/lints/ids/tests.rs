//! Data keys at two places: copies and moves, and what is neither.

use super::*;
use crate::check::lints::samples::{File, bitnami, manifest, objects, recipient, spec, strict, told};

fn found(now: &[File], before: &[File]) -> Vec<String> {
    told(&copied(&objects(now), &objects(before)))
}

/// The same spec at another place.
fn at(text: &str, place: &str) -> String {
    let (namespace, name) = place.split_once('/').unwrap();
    text.replace("{name: db, namespace: dev}", &format!("{{name: {name}, namespace: {namespace}}}"))
}

#[test]
fn one_data_key_under_two_places_is_a_copy() {
    let dev = strict("dev/db");
    for place in ["shop/db", "dev/other"] {
        let files = [File::new("dev.yaml", &dev), File::new("prod.yaml", &at(&dev, place))];
        assert_eq!(found(&files, &[]), ["copied prod.yaml"], "{place}");
    }
    let files = [File::new("dev/db.yaml", &dev), File::new("prod/db.yaml", &at(&dev, "shop/db"))];
    let [finding] = &copied(&objects(&files), &[])[..] else { panic!() };
    assert!(finding.message.starts_with("shop/db holds data key "), "{}", finding.message);
    assert!(finding.message.ends_with(" of dev/db (dev/db.yaml)"), "{}", finding.message);
    assert_eq!(finding.related, ["dev/db.yaml"]);
}

#[test]
fn the_same_place_twice_and_places_that_a_scope_leaves_open_are_right() {
    let dev = strict("dev/db");
    assert!(found(&[File::new("a.yaml", &dev), File::new("b.yaml", &dev)], &[]).is_empty());
    let unknown = dev.replace(", namespace: dev", "");
    assert!(found(&[File::new("a.yaml", &dev), File::new("b.yaml", &unknown)], &[]).is_empty());
    let later = dev.replace("namespace: dev", "namespace: \"${NAMESPACE}\"");
    assert!(found(&[File::new("a.yaml", &dev), File::new("b.yaml", &later)], &[]).is_empty());
    for (scope, right, wrong) in [
        (Scope::NamespaceWide, vec!["dev/other"], vec!["prod/db"]),
        (Scope::ClusterWide, vec!["dev/other", "prod/x"], vec![]),
    ] {
        let text = manifest("{name: db, namespace: dev}", &spec("dev/db", scope, &[&recipient()]));
        let pair = |place: &str| [File::new("a.yaml", &text), File::new("b.yaml", &at(&text, place))];
        right.iter().for_each(|place| assert!(found(&pair(place), &[]).is_empty(), "{place}"));
        wrong.iter().for_each(|place| assert_eq!(found(&pair(place), &[]).len(), 1, "{place}"));
    }
}

#[test]
fn the_original_isnt_blamed_for_its_copies() {
    let dev = strict("dev/db");
    let files = [
        File::new("a.yaml", &dev),
        File::new("b.yaml", &at(&dev, "x/db")),
        File::new("c.yaml", &dev),
        File::new("d.yaml", &at(&dev, "y/db")),
    ];
    assert_eq!(found(&files, &[]), ["copied b.yaml", "copied d.yaml"]);
    // The earlier state knows which one is the original, whatever the order of paths.
    let now = [File::new("a.yaml", &at(&dev, "x/db")), File::new("b.yaml", &dev)];
    assert_eq!(found(&now, &[File::new("b.yaml", &dev)]), ["copied a.yaml"]);
    // What may be the original isn't a copy of its copy.
    let files = [
        File::new("a.yaml", &dev),
        File::new("b.yaml", &at(&dev, "x/db")),
        File::new("c.yaml", &dev.replace("name: db", "name: \"${NAME}\"")),
    ];
    assert_eq!(found(&files, &[]), ["copied b.yaml"]);
    // An unknown namespace stands between nobody.
    let files = [
        File::new("a.yaml", &dev.replace(", namespace: dev", "")),
        File::new("b.yaml", &dev),
        File::new("c.yaml", &at(&dev, "prod/db")),
    ];
    assert_eq!(found(&files, &[]), ["copied c.yaml"]);
}

#[test]
fn an_object_that_changed_its_place_since_the_earlier_state_was_moved() {
    let dev = strict("dev/db");
    let before = [File::new("dev/db.yaml", &dev)];
    assert_eq!(found(&[File::new("prod/db.yaml", &at(&dev, "prod/db"))], &before), ["moved prod/db.yaml"]);
    assert!(found(&[File::new("elsewhere.yaml", &dev)], &before).is_empty());
    let both = [File::new("dev/db.yaml", &dev), File::new("prod/db.yaml", &at(&dev, "prod/db"))];
    assert_eq!(found(&both, &before), ["copied prod/db.yaml"]);
    // A copy that was there before is still one.
    assert_eq!(found(&both, &both), ["copied prod/db.yaml"]);
    let wider = dev.replace("scope: strict", "scope: namespace-wide");
    let [finding] = &copied(&objects(&[File::new("dev/db.yaml", &wider)]), &objects(&before))[..] else {
        panic!()
    };
    assert_eq!(
        finding.message,
        "dev/db was strict before, and is namespace-wide now: it doesn't open without sealing again"
    );
}

#[test]
fn ciphertexts_of_bitnami_commit_to_their_place_too() {
    let text = bitnami("dev/db");
    let files = [File::new("a.yaml", &text), File::new("b.yaml", &at(&text, "prod/db"))];
    assert_eq!(found(&files, &[]), ["copied b.yaml"]);
    let placeholder = text.replace(&"AgBy".repeat(20), "TODO");
    let files = [File::new("a.yaml", &placeholder), File::new("b.yaml", &at(&placeholder, "prod/db"))];
    assert!(found(&files, &[]).is_empty());
}

#[test]
fn a_render_is_held_against_the_files() {
    let dev = strict("dev/db");
    let files = [File::new("dev/db.yaml", &dev)];
    let render = |place: &str| {
        let rendered_files = [File::new("-", &at(&dev, place))];
        told(&rendered(&objects(&rendered_files), &objects(&files)))
    };
    assert!(render("dev/db").is_empty());
    assert_eq!(render("staging/dev-db"), ["transformed -"]);
}

#[test]
fn an_object_of_bitnami_beside_a_native_one_is_superseded() {
    let pair = |native: &str, other: &str| {
        let files = [File::new(native, &strict("dev/db")), File::new(other, &bitnami("dev/db"))];
        told(&superseded(&objects(&files)))
    };
    assert_eq!(pair("dev/db.yaml", "dev/old.yaml"), ["superseded dev/old.yaml"]);
    // Another directory may be another cluster.
    assert!(pair("one/db.yaml", "other/db.yaml").is_empty());
}

/// A thousand copies of one object under a thousand places.
#[test]
fn many_copies_cost_no_more_than_their_number() {
    let dev = strict("dev/db");
    let files: Vec<File> =
        (0..1000).map(|n| File::new(&format!("{n:04}"), &at(&dev, &format!("n{n}/db")))).collect();
    assert_eq!(crate::cost::within(5, || found(&files, &[])).len(), 999);
}
