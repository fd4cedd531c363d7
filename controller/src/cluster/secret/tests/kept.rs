//! What the cache keeps of a Secret's metadata, against the whole: over generated metadata, both decide the same.
//!
//! Invariant: the metadata mixes our marks with those of others in every state that a Secret can have.

use seal_random::{Random, rounds};

use super::*;

/// Metadata of a Secret in any mixture of ours and other people's marks.
fn any_metadata(random: &mut Random) -> ObjectMeta {
    let mut pick = |from: &[&str]| from[random.below(from.len())].to_owned();
    let (digest, other) = (of(&fake()).sealed.digest().to_string(), format!("7-{}", "ab".repeat(32)));
    let mut annotations = json!({"kubectl.kubernetes.io/last-applied-configuration": "hunter2"});
    for key in ANNOTATIONS {
        let value = pick(&["", "true", "db", "x", &digest, &other, "stale", &digest]);
        if !value.is_empty() {
            annotations[key] = value.into();
        }
    }
    let owners: Vec<_> = (0..pick(&["", "o", "oo"]).len())
        .map(|_| {
            json!({
                "apiVersion": pick(&["sealing.dev/v1alpha1", "sealing.dev/v1alpha1", "bitnami.com/v1alpha1", "apps/v1"]), "kind": "SealedSecret",
                "name": pick(&["db", "db", "db", "cache"]), "uid": pick(&["u-1", "u-1", "u-2"]),
                "controller": pick(&["true", "true", "true", "false"]) == "true", "blockOwnerDeletion": false,
            })
        })
        .collect();
    let ours = of(&fake()).fields(of(&fake()).manner(None)).to_fields_v1();
    let fields = [
        json!(ours),
        json!({"f:data": {"f:a": {}}}),
        json!({"f:data": {"f:theirs": {}}, "f:immutable": {}}),
        json!({"f:stringData": {"f:a": {}}}),
        json!({"f:metadata": {"f:annotations": {format!("f:{DIGEST_ANNOTATION}"): {}}}, "f:type": {}}),
    ];
    let managed: Vec<_> = (0..pick(&["", "m", "mm", "mmm"]).len())
        .map(|_| {
            json!({
                "manager": pick(&["seal-controller", "seal-controller", "seal-controller", "controller", "kubectl", "not-seal-controllers"]),
                "operation": pick(&["Apply", "Apply", "Update"]), "time": pick(&["1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "1970-01-01T00:00:01Z"]),
                "fieldsV1": fields[pick(&["", "1", "11", "111", "1111"]).len()],
            })
        })
        .collect();
    let metadata = json!({
        "name": "db", "namespace": "prod", "uid": pick(&["s-1", "s-1", "s-1", "s-2"]), "resourceVersion": pick(&["7", "8"]),
        "labels": {"a": "b"}, "annotations": annotations, "ownerReferences": owners, "managedFields": managed,
    });
    serde_json::from_value(metadata).unwrap()
}

/// What is kept decides as the whole does: of either format, whoever owns the Secret, whatever is remembered.
#[test]
fn what_the_cache_keeps_decides_exactly_as_the_whole_metadata_does() {
    let mut random = Random(13);
    let (mut states, rounds) = (Vec::new(), rounds().max(2_000));
    for _ in 0..rounds {
        let found = any_metadata(&mut random);
        let mut kept = found.clone();
        trim(&mut kept);
        let remembered = SecretVersion {
            uid: "s-1".into(),
            resource_version: "7".into(),
            applied: Some("1970-01-01T00:00:00Z".into()),
        };
        for (format, owned, remembers) in
            [(Format::Native, true, true), (Format::Bitnami, true, false), (Format::Bitnami, false, true)]
        {
            let mut fake = Fake { format, ..fake() };
            fake.shape.owned = owned;
            let is_said = remembers && random.below(2) == 0;
            let remembered = remembers.then_some(&remembered);
            let owner = Owner { remembered, is_said, ..of(&fake) };
            let (whole, part) = (owner.observe(Some(&found)), owner.observe(Some(&kept)));
            assert_eq!((whole.state, &whole.extra), (part.state, &part.extra), "{found:#?}");
            assert_eq!(owner.manner(Some(&found)).reference, owner.manner(Some(&kept)).reference);
            assert_eq!(owner.removed_uids(&found), owner.removed_uids(&kept));
            assert_eq!(native_owner(&found, "db"), native_owner(&kept, "db"));
            if !states.contains(&whole.state) {
                states.push(whole.state);
            }
        }
    }
    assert_eq!(states.len(), 7, "not every state was met: {states:?}");
}
