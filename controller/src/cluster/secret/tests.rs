//! The state of a Secret, in all the ways that metadata can show it.
//!
//! Each case is metadata as the API server returns it.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use seal_crds::keys::{Fingerprint, Keyring};
use seal_crds::{Digest, Examined, Plaintext, Scope, Shape, UnsealError, Unsealed};
use serde_json::json;

use super::super::body::Body;
use super::super::metadata::Metadata;

use super::*;

mod kept;

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
    fn source(&self) -> String {
        unreachable!()
    }

    fn tried(&self, _: &Keyring) -> BTreeSet<Fingerprint> {
        unreachable!()
    }

    fn examine(&self, _: &Keyring, _: &BTreeSet<Fingerprint>) -> Result<Examined, UnsealError> {
        unreachable!()
    }

    fn more_tries(&self, _: &Keyring) -> usize {
        unreachable!()
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
    owner_of(fake)
}

/// The SealedSecret, with a status that remembers no Secret.
pub(in crate::cluster) fn owner_of(sealed: &dyn Sealed) -> Owner<'_> {
    Owner { sealed, uid: "u-1", orphans: false, remembered: None, is_said: false, now: Timestamp::MAX }
}

/// The metadata that the API server returns for a Secret that we applied.
fn applied(owner: &Owner<'_>) -> ObjectMeta {
    let empty = BTreeMap::<ItemName, Plaintext>::new();
    let manner = owner.manner(None);
    let body = Body::new(owner, manner, &empty, None);
    let mut metadata: ObjectMeta = serde_json::from_value(body.metadata().clone()).unwrap();
    metadata.managed_fields = super::super::fields::settled(&[], &owner.fields(manner));
    metadata
}

/// The metadata that the API server returns for a Secret that we created.
fn created(owner: &Owner<'_>) -> ObjectMeta {
    let mut metadata = applied(owner);
    metadata.managed_fields.as_mut().unwrap()[0].operation = Some("Update".into());
    metadata
}

/// The two forms of a Secret that we wrote.
const WRITTEN: [fn(&Owner<'_>) -> ObjectMeta; 2] = [applied, created];

/// The metadata as the cache keeps it.
fn trim(found: &mut ObjectMeta) {
    let whole = json!({ "metadata": found }).to_string();
    let kept: Metadata<Secret> = serde_json::from_str(&whole).unwrap();
    *found = kept.row.read().unwrap();
}

#[test]
fn what_we_wrote_is_in_sync_until_something_changes() {
    let fake = fake();
    let owner = of(&fake);
    for found in WRITTEN.map(|written| written(&owner)) {
        assert_eq!(owner.classify(Some(&found)), SecretState::Ours(SyncState::InSync));

        let changes: [fn(&mut ObjectMeta); 5] = [
            |found| found.managed_fields = None,
            |found| found.managed_fields.as_mut().unwrap()[0].manager = Some("kubectl".into()),
            |found| found.annotations = None,
            |found| found.owner_references.as_mut().unwrap()[0].uid = "u-0".into(),
            |found| found.owner_references.as_mut().unwrap()[0].api_version = "bitnami.com/v1alpha1".into(),
        ];
        for change in changes {
            let mut found = found.clone();
            change(&mut found);
            assert_eq!(owner.classify(Some(&found)), SecretState::Ours(SyncState::Drifted));
        }
    }
}

#[test]
fn an_apply_serves_for_what_we_wrote_and_a_take_over_for_what_others_did() {
    let fake = fake();
    let owner = of(&fake);
    for mut found in WRITTEN.map(|written| written(&owner)) {
        assert_eq!(owner.taken_over(&found), None);
        // sealed-secrets wrote it too, and an item of ours is no longer wanted.
        let managed = found.managed_fields.as_mut().unwrap();
        managed[0].fields_v1.as_mut().unwrap().0["f:data"]["f:gone"] = serde_json::json!({});
        let theirs = serde_json::json!({
            "manager": "controller", "operation": "Update", "fieldsV1": {"f:data": {"f:a": {}, "f:left": {}}},
        });
        managed.push(serde_json::from_value(theirs).unwrap());
        let gone = owner.taken_over(&found).unwrap();
        assert_eq!(gone.data().collect::<Vec<_>>(), ["gone", "left"]);
        found.managed_fields = None;
        assert_eq!(owner.taken_over(&found), Some(FieldSet::default()));
    }
}

#[test]
fn somebody_elses_secret_is_foreign() {
    let fake = fake();
    let owner = of(&fake);
    assert_eq!(owner.classify(None), SecretState::Absent);
    let adoptable = |adoptable| SecretState::Foreign { adoptable };
    let mut found = ObjectMeta::default();
    assert_eq!(owner.classify(Some(&found)), adoptable(false));
    found.annotations = Some([(ADOPT_ANNOTATION.to_owned(), "db".to_owned())].into());
    assert_eq!(owner.classify(Some(&found)), adoptable(true));
    found.annotations = Some([(ADOPT_ANNOTATION.to_owned(), "cache".to_owned())].into());
    assert_eq!(owner.classify(Some(&found)), adoptable(false));
    // A permission means nothing if somebody else, or a SealedSecret of another name, controls the Secret.
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
    for mut found in [applied(&owner), created(&owner), foreign.clone()] {
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
    for written in WRITTEN {
        let mut fake = fake();
        fake.shape.owned = false;
        let found = written(&of(&fake));
        assert_eq!(found.owner_references, None);
        assert_eq!(of(&fake).classify(Some(&found)), SecretState::Ours(SyncState::InSync));
        let mut trimmed = found.clone();
        trim(&mut trimmed);
        assert_eq!(of(&fake).classify(Some(&trimmed)), SecretState::Ours(SyncState::InSync));
        // The same annotations on a Secret that somebody else made.
        let copied = ObjectMeta { managed_fields: None, ..found.clone() };
        assert_eq!(of(&fake).classify(Some(&copied)), SecretState::Foreign { adoptable: false });
        // A Secret without our type was lent to us by `patch`, and no longer is. Only an apply leaves it as it is
        // lent: what we create has our type.
        let mut lent = found.clone();
        let fields = lent.managed_fields.as_mut().unwrap()[0].fields_v1.as_mut().unwrap();
        fields.0.as_object_mut().unwrap().remove("f:type");
        assert_eq!(of(&fake).classify(Some(&lent)), SecretState::Foreign { adoptable: false });
        lent.annotations.as_mut().unwrap().insert(PATCH.to_owned(), "true".to_owned());
        let is_applied = lent.managed_fields.as_ref().unwrap()[0].operation.as_deref() == Some("Apply");
        let state = if is_applied { SyncState::InSync } else { SyncState::Drifted };
        assert_eq!(of(&fake).classify(Some(&lent)), SecretState::Ours(state));
        // An object that wants to own it takes it back.
        fake.shape.owned = true;
        assert_eq!(of(&fake).classify(Some(&found)), SecretState::Ours(SyncState::Drifted));
    }
}

#[test]
fn orphaning_concerns_the_peers_format_only() {
    for (format, state) in [(Format::Native, SyncState::InSync), (Format::Bitnami, SyncState::Drifted)] {
        let fake = Fake { format, ..fake() };
        let found = applied(&of(&fake));
        let orphaning = Owner { orphans: true, ..of(&fake) };
        assert_eq!(orphaning.classify(Some(&found)), SecretState::Ours(state));
        let removed: Vec<_> = (format == Format::Bitnami).then_some("u-1").into_iter().collect();
        assert_eq!(orphaning.removed_uids(&found), removed);
    }
}

#[test]
fn the_peers_annotations_permit_taking_over() {
    let fake = fake();
    let unowned = Fake { shape: Shape { owned: false, ..fake.shape.clone() }, ..self::fake() };
    let adoptable = |fake: &Fake, found: &ObjectMeta| match of(fake).classify(Some(found)) {
        SecretState::Foreign { adoptable } => adoptable,
        other => panic!("{other:?}"),
    };
    for key in [MANAGED, PATCH] {
        assert!(adoptable(&fake, &annotated(&[(key, "true")])), "{key}");
        assert!(!adoptable(&fake, &annotated(&[(key, "yes")])), "{key}");
    }
    // The peer made it for an object that owns no Secret; the API server's record says so, not the
    // annotation.
    let mut made = annotated(&[(SKIP_SET_OWNER_REFERENCES, "true")]);
    assert!(!adoptable(&unowned, &made), "a copied text takes nobody's Secret");
    for (manager, by_peer) in [("kubectl-create", false), ("controller", true)] {
        made.managed_fields = serde_json::from_value(serde_json::json!([
            {"manager": manager, "operation": "Update", "fieldsV1": {"f:data": {"f:a": {}}}},
        ]))
        .unwrap();
        for trimmed in [false, true] {
            let mut made = made.clone();
            if trimmed {
                trim(&mut made);
            }
            assert_eq!(adoptable(&unowned, &made), by_peer, "{manager}");
        }
    }
    assert!(!adoptable(&fake, &made), "who owns its Secret made no such Secret");
}

/// A Secret as the API server returns it a while after our write, and its version as the status remembers it.
fn remembered(mut found: ObjectMeta) -> (ObjectMeta, SecretVersion) {
    (found.uid, found.resource_version) = (Some("s-1".into()), Some("7".into()));
    found.managed_fields.as_mut().unwrap()[0].time = Some(Time(Timestamp::UNIX_EPOCH));
    let version = version(&found).unwrap();
    (found, version)
}

#[test]
fn what_is_remembered_is_asked_where_ownership_shows_nothing() {
    for written in WRITTEN {
        let fake = fake();
        let (found, version) = remembered(written(&of(&fake)));
        let owner = Owner { remembered: Some(&version), ..of(&fake) };
        let state = |found: &ObjectMeta| owner.classify(Some(found));
        assert_eq!(state(&found), SecretState::Ours(SyncState::InSync));
        let touched = ObjectMeta { resource_version: Some("8".into()), ..found.clone() };
        assert_eq!(state(&touched), SecretState::Ours(SyncState::Touched));
        let restored = ObjectMeta { uid: Some("s-2".into()), ..found.clone() };
        assert_eq!(state(&restored), SecretState::Ours(SyncState::Drifted));
        // Ownership of fields counts more than the version.
        let mut stripped = found.clone();
        stripped.managed_fields = None;
        assert_eq!(state(&stripped), SecretState::Ours(SyncState::Drifted));
        // Without a remembered version, ownership alone decides.
        for found in [&found, &touched, &restored] {
            assert_eq!(of(&fake).classify(Some(found)), SecretState::Ours(SyncState::InSync));
        }
    }
}

#[test]
fn a_secret_of_ours_that_was_replaced_as_a_whole_is_ours_while_it_is_remembered() {
    let forms = [Format::Native, Format::Bitnami].map(|format| WRITTEN.map(|written| (format, written)));
    for (format, written) in forms.into_iter().flatten() {
        let fake = Fake { format, ..fake() };
        let (mut found, version) = remembered(written(&of(&fake)));
        let owner = Owner { remembered: Some(&version), ..of(&fake) };
        (found.owner_references, found.annotations) = (None, None);
        let mut trimmed = found.clone();
        trim(&mut trimmed);
        for found in [&found, &trimmed] {
            assert_eq!(owner.classify(Some(found)), SecretState::Ours(SyncState::Drifted));
            assert_eq!(
                of(&fake).classify(Some(found)),
                SecretState::Foreign { adoptable: false },
                "unremembered"
            );
        }
        // A Secret with another uid, one without anything that we applied, and one that somebody else
        // controls.
        let others = [
            ObjectMeta { uid: Some("s-2".into()), ..found.clone() },
            ObjectMeta { managed_fields: None, ..found.clone() },
            ObjectMeta {
                owner_references: Some(vec![OwnerReference {
                    kind: "Certificate".into(),
                    controller: Some(true),
                    ..Default::default()
                }]),
                ..found.clone()
            },
        ];
        for other in others {
            assert_eq!(owner.classify(Some(&other)), SecretState::Foreign { adoptable: false }, "{other:?}");
        }
    }
}

/// As after an update of the controller, or after it was rolled back.
#[test]
fn a_secret_of_another_renderer_is_outdated_until_somebody_changes_it() {
    let fake = fake();
    let digest = |text: String| {
        let (mut found, version) = remembered(applied(&of(&fake)));
        found.annotations.as_mut().unwrap().insert(DIGEST_ANNOTATION.to_owned(), text);
        (found, version)
    };
    let (found, version) = digest(format!("7-{}", "ab".repeat(32)));
    for remembered in [None, Some(&version)] {
        let owner = Owner { remembered, ..of(&fake) };
        assert_eq!(owner.classify(Some(&found)), SecretState::Ours(SyncState::Outdated));
        // It is immutable to others' guesses as before.
        let mut immutable = found.clone();
        immutable.annotations.as_mut().unwrap().insert(NOT_TAKEN_OVER.to_owned(), "true".to_owned());
        assert_eq!(owner.classify(Some(&immutable)), SecretState::Immutable);
        let mut changed = found.clone();
        changed.managed_fields = None;
        assert_eq!(owner.classify(Some(&changed)), SecretState::Ours(SyncState::Drifted));
    }
    let since = ObjectMeta { uid: Some("another".into()), ..found };
    let owner = Owner { remembered: Some(&version), ..of(&fake) };
    assert_eq!(owner.classify(Some(&since)), SecretState::Ours(SyncState::Drifted));
    let (other_source, version) = digest("ab".repeat(32));
    let owner = Owner { remembered: Some(&version), ..of(&fake) };
    assert_eq!(owner.classify(Some(&other_source)), SecretState::Ours(SyncState::Drifted));
}

#[test]
fn a_native_secret_whose_owner_reference_alone_is_gone_was_let_go() {
    for written in WRITTEN {
        let fake = fake();
        let (mut found, version) = remembered(written(&of(&fake)));
        found.owner_references = None;
        let owner = Owner { remembered: Some(&version), ..of(&fake) };
        assert_eq!(owner.classify(Some(&found)), SecretState::Foreign { adoptable: false });
        found.annotations.as_mut().unwrap().insert(ADOPT_ANNOTATION.to_owned(), "db".to_owned());
        assert_eq!(owner.classify(Some(&found)), SecretState::Foreign { adoptable: true });
        // If its SealedSecret left it behind, a new one, whose status remembers nothing, takes it up again.
        assert_eq!(of(&fake).classify(Some(&found)), SecretState::Ours(SyncState::Drifted));
        // For a Bitnami object, an annotation and a flag add and remove the reference.
        let fake = Fake { format: Format::Bitnami, ..fake };
        let owner = Owner { remembered: Some(&version), ..of(&fake) };
        assert_eq!(owner.classify(Some(&found)), SecretState::Ours(SyncState::Drifted));
    }
}

/// A Secret that is lent to us has no reference, and not our type; the status remembers it like any other.
#[test]
fn a_lent_secret_is_right_without_a_reference_and_its_owners_once_it_was_replaced() {
    for format in [Format::Native, Format::Bitnami] {
        let fake = Fake { format, ..fake() };
        let lent = annotated(&[(PATCH, "true")]);
        let manner = of(&fake).manner(Some(&lent));
        let (mut found, _) = remembered(applied(&of(&fake)));
        found.owner_references = None;
        found.annotations.as_mut().unwrap().extend(lent.annotations.unwrap());
        let mut managed = super::super::fields::settled(&[], &of(&fake).fields(manner)).unwrap();
        managed[0].time = Some(Time(Timestamp::UNIX_EPOCH));
        found.managed_fields = Some(managed);
        let version = version(&found).unwrap();
        let owner = Owner { remembered: Some(&version), ..of(&fake) };
        assert_eq!(owner.classify(Some(&found)), SecretState::Ours(SyncState::InSync));
        found.annotations = None;
        assert_eq!(owner.classify(Some(&found)), SecretState::Foreign { adoptable: false });
    }
}

#[test]
fn what_others_put_into_our_secret_is_named() {
    for written in WRITTEN {
        let fake = fake();
        let mut found = written(&of(&fake));
        let extra = |found: &ObjectMeta| {
            let extra = of(&fake).observe(Some(found)).extra;
            extra.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert!(extra(&found).is_empty());
        let theirs = serde_json::json!({
            "manager": "kubectl-edit", "operation": "Update",
            "fieldsV1": {"f:data": {".": {}, "f:a": {}, "f:theirs": {}, "f:\u{1b}[2J": {}, "f:..": {}}},
        });
        found.managed_fields.as_mut().unwrap().push(serde_json::from_value(theirs).unwrap());
        assert_eq!(extra(&found), ["theirs"], "managedFields may hold any text; an item's name may not");
        found.owner_references = None;
        found.annotations = None;
        assert!(extra(&found).is_empty(), "nothing is said of what isn't ours");
    }
}

#[test]
fn a_patched_secret_keeps_its_owner_and_type_unless_it_is_managed_too() {
    let fake = fake();
    let manner = |entries: &[(&str, &str)]| of(&fake).manner(Some(&annotated(entries)));
    assert_eq!(manner(&[(PATCH, "true")]), Manner { reference: false, type_: false });
    assert_eq!(manner(&[(PATCH, "true"), (MANAGED, "true")]), Manner { reference: true, type_: false });
    assert_eq!(manner(&[(MANAGED, "true")]), Manner { reference: true, type_: true });
    for mut ours in WRITTEN.map(|written| written(&of(&fake))) {
        ours.annotations.as_mut().unwrap().insert(PATCH.to_owned(), "true".to_owned());
        assert_eq!(of(&fake).manner(Some(&ours)), Manner { reference: true, type_: true });
    }
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
