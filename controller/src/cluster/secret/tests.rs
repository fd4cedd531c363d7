//! Whose a Secret is, in all the ways that metadata can say it.
//!
//! Not what is done then. Each case is metadata as the API server returns it.

use std::collections::BTreeMap;

use seal_crds::keys::Keyring;
use seal_crds::{Digest, Plaintext, Scope, Shape, UnsealError, Unsealed};

use super::super::body::Body;
use super::*;

pub(in crate::cluster) struct Fake {
    format: Format,
    place: Place,
    shape: Shape,
}

impl Sealed for Fake {
    fn format(&self) -> Format {
        self.format
    }
    fn place(&self) -> &Place {
        &self.place
    }
    fn scope(&self) -> Scope {
        Scope::Strict
    }
    fn shape(&self) -> &Shape {
        &self.shape
    }
    fn digest(&self) -> Digest {
        Digest::of(&seal_crds::resources::SealedSecretSpec {
            scope: Scope::Strict,
            envelopes: vec![],
            encrypted_data: Default::default(),
            template: Default::default(),
        })
    }
    fn unseal(&self, _: &Keyring) -> Result<Unsealed, UnsealError> {
        unreachable!("metadata decides without opening")
    }
}

pub(in crate::cluster) fn fake() -> Fake {
    Fake {
        format: Format::Native,
        place: Place { namespace: "prod".parse().unwrap(), name: "db".parse().unwrap() },
        shape: Shape { keys: ["a".parse().unwrap()].into(), ..Shape::default() },
    }
}

fn of(fake: &Fake) -> Owner<'_> {
    Owner { sealed: fake, uid: "u-1", orphans: false }
}

/// The metadata the apiserver returns for what we apply.
fn applied(owner: &Owner<'_>) -> ObjectMeta {
    let empty = BTreeMap::<seal_crds::ItemName, Plaintext>::new();
    let manner = owner.manner(None);
    let body = Body::new(owner, manner, &empty, None);
    let mut metadata: ObjectMeta = serde_json::from_value(body.metadata().clone()).unwrap();
    metadata.managed_fields = super::super::fields::settled(&[], &owner.fields(manner));
    metadata
}

#[test]
fn what_we_applied_is_in_sync_until_something_changes() {
    let fake = fake();
    let owner = of(&fake);
    let found = applied(&owner);
    assert_eq!(owner.classify(Some(&found)), Target::Ours { in_sync: true });

    let changes: [fn(&mut ObjectMeta); 4] = [
        |found| found.managed_fields = None,
        |found| found.annotations = None,
        |found| found.owner_references.as_mut().unwrap()[0].uid = "u-0".into(),
        |found| found.owner_references.as_mut().unwrap()[0].api_version = "bitnami.com/v1alpha1".into(),
    ];
    for change in changes {
        let mut found = found.clone();
        change(&mut found);
        assert_eq!(owner.classify(Some(&found)), Target::Ours { in_sync: false });
    }
}

#[test]
fn somebody_elses_secret_is_foreign() {
    let fake = fake();
    let owner = of(&fake);
    assert_eq!(owner.classify(None), Target::Absent);
    let adoptable = |adoptable| Target::Foreign { adoptable };
    let mut found = ObjectMeta::default();
    assert_eq!(owner.classify(Some(&found)), adoptable(false));
    found.annotations = Some([(ADOPT_ANNOTATION.to_owned(), "db".to_owned())].into());
    assert_eq!(owner.classify(Some(&found)), adoptable(true));
    found.annotations = Some([(ADOPT_ANNOTATION.to_owned(), "cache".to_owned())].into());
    assert_eq!(owner.classify(Some(&found)), adoptable(false));
    // Controlled by somebody else, a permission means nothing; nor does another object's Secret count.
    let changes: [fn(&mut OwnerReference); 3] = [
        |owner| owner.kind = "Certificate".into(),
        |owner| owner.name = "cache".into(),
        |owner| owner.api_version = "example.com/v1".into(),
    ];
    for change in changes {
        let mut found = applied(&owner);
        found.annotations.as_mut().unwrap().insert(ADOPT_ANNOTATION.to_owned(), "db".to_owned());
        change(&mut found.owner_references.as_mut().unwrap()[0]);
        assert_eq!(owner.classify(Some(&found)), adoptable(false));
    }
}

#[test]
fn trimming_changes_no_decision() {
    let fake = fake();
    let owner = of(&fake);
    let mut foreign = ObjectMeta {
        annotations: Some([(ADOPT_ANNOTATION.to_owned(), "db".to_owned())].into()),
        managed_fields: Some(vec![Default::default()]),
        ..Default::default()
    };
    for mut found in [applied(&owner), foreign.clone()] {
        let before = owner.classify(Some(&found));
        trim(&mut found);
        assert_eq!(owner.classify(Some(&found)), before);
    }
    trim(&mut foreign);
    assert_eq!(foreign.managed_fields, None);
}

fn annotated(entries: &[(&str, &str)]) -> ObjectMeta {
    let entries = entries.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    ObjectMeta { annotations: Some(entries.collect()), ..Default::default() }
}

#[test]
fn a_secret_of_ours_without_an_owner_is_known_by_who_wrote_its_digest() {
    let mut fake = fake();
    fake.shape.owned = false;
    let found = applied(&of(&fake));
    assert_eq!(found.owner_references, None);
    assert_eq!(of(&fake).classify(Some(&found)), Target::Ours { in_sync: true });
    let mut trimmed = found.clone();
    trim(&mut trimmed);
    assert_eq!(of(&fake).classify(Some(&trimmed)), Target::Ours { in_sync: true });
    // The same text on a Secret that somebody else made.
    let copied = ObjectMeta { managed_fields: None, ..found.clone() };
    assert_eq!(of(&fake).classify(Some(&copied)), Target::Foreign { adoptable: false });
    // Lent, and no longer so.
    let mut lent = found.clone();
    let fields = lent.managed_fields.as_mut().unwrap()[0].fields_v1.as_mut().unwrap();
    fields.0.as_object_mut().unwrap().remove("f:type");
    assert_eq!(of(&fake).classify(Some(&lent)), Target::Foreign { adoptable: false });
    lent.annotations.as_mut().unwrap().insert(PATCH.to_owned(), "true".to_owned());
    assert_eq!(of(&fake).classify(Some(&lent)), Target::Ours { in_sync: true });
    // An object that wants to own it takes it back.
    fake.shape.owned = true;
    assert_eq!(of(&fake).classify(Some(&found)), Target::Ours { in_sync: false });
}

#[test]
fn orphaning_concerns_the_peers_format_only() {
    for (format, in_sync) in [(Format::Native, true), (Format::Bitnami, false)] {
        let fake = Fake { format, ..fake() };
        let found = applied(&of(&fake));
        let orphaning = Owner { orphans: true, ..of(&fake) };
        assert_eq!(orphaning.classify(Some(&found)), Target::Ours { in_sync });
        assert_eq!(orphaning.removed_uid(&found), (!in_sync).then_some("u-1"));
    }
}

#[test]
fn the_peers_annotations_permit_taking_over() {
    let fake = fake();
    let unowned = Fake { shape: Shape { owned: false, ..fake.shape.clone() }, ..self::fake() };
    let adoptable =
        |fake: &Fake, key: &str, value: &str| match of(fake).classify(Some(&annotated(&[(key, value)]))) {
            Target::Foreign { adoptable } => adoptable,
            other => panic!("{other:?}"),
        };
    for key in [MANAGED, PATCH] {
        assert!(adoptable(&fake, key, "true") && !adoptable(&fake, key, "yes"), "{key}");
    }
    assert!(adoptable(&unowned, SKIP_SET_OWNER_REFERENCES, "true"));
    assert!(!adoptable(&fake, SKIP_SET_OWNER_REFERENCES, "true"), "who owns its Secret made no such Secret");
}

#[test]
fn a_patched_secret_keeps_its_owner_and_type_unless_it_is_managed_too() {
    let fake = fake();
    let manner = |entries: &[(&str, &str)]| of(&fake).manner(Some(&annotated(entries)));
    assert_eq!(manner(&[(PATCH, "true")]), Manner { reference: false, type_: false });
    assert_eq!(manner(&[(PATCH, "true"), (MANAGED, "true")]), Manner { reference: true, type_: false });
    assert_eq!(manner(&[(MANAGED, "true")]), Manner { reference: true, type_: true });
    let mut made_by_us = applied(&of(&fake));
    made_by_us.annotations.as_mut().unwrap().insert(PATCH.to_owned(), "true".to_owned());
    assert!(of(&fake).manner(Some(&made_by_us)).reference);
}

#[test]
fn everything_foreign_goes_from_a_managed_secret_and_nothing_from_a_patched_one() {
    let fake = fake();
    let mut found = annotated(&[(MANAGED, "true"), ("theirs", "1")]);
    found.labels = Some([("theirs".to_owned(), "1".to_owned())].into());
    found.managed_fields = serde_json::from_value(serde_json::json!([
        {"manager": "kubectl", "operation": "Update", "fieldsV1": {"f:data": {"f:a": {}, "f:b": {}}, "f:type": {}}},
        {"manager": "argocd", "operation": "Apply", "fieldsV1": {"f:data": {"f:c": {}}}},
    ]))
    .unwrap();
    let gone = of(&fake).taken_over(&found).unwrap();
    assert_eq!(gone.data().collect::<Vec<_>>(), ["b"], "not ours to set, and not applied by another");
    assert_eq!(gone.annotations().collect::<Vec<_>>(), [MANAGED, "theirs"]);
    assert_eq!(gone.labels().collect::<Vec<_>>(), ["theirs"]);
    found.annotations.as_mut().unwrap().insert(PATCH.to_owned(), "true".to_owned());
    assert_eq!(of(&fake).taken_over(&found), Some(FieldSet::default()));
}
