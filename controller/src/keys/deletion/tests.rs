//! What is to go, and for how long an answer counts.
//!
//! The stories are in [`crate::keys::tests`].

use seal_crds::keys::stored::Note;
use seal_crds::resources::KeyState;

use super::*;
use crate::keys::lifecycle::tests;
use crate::proof::Opened;

fn holder(secret: &str, sequence: i64) -> Holder {
    tests::holder(secret, sequence, Note::Says(KeyState::Retiring))
}

fn deleted(secret: &str, sequence: i64) -> Holder {
    Holder { deleted_at: Some(Timestamp::UNIX_EPOCH), is_held: true, ..holder(secret, sequence) }
}

#[test]
fn a_secret_goes_without_a_proof_only_if_a_copy_stays() {
    let first = deleted("first", 1);
    let copy = |secret: &str, is_deleting: bool| {
        let deleted_at = first.deleted_at.filter(|_| is_deleting);
        Holder { secret: secret.into(), deleted_at, ..first.clone() }
    };
    let names = |releases: &[Release]| releases.iter().map(|it| it.secret.clone()).collect::<Vec<_>>();
    for (holders, copied, only) in [
        (vec![first.clone(), copy("copy", false)], vec!["first"], vec![]),
        (vec![first.clone(), copy("copy", true)], vec![], vec!["first", "copy"]),
        (vec![first.clone(), holder("other", 2)], vec![], vec!["first"]),
        // Another finalizer than ours holds it.
        (vec![Holder { is_held: false, ..first.clone() }], vec![], vec![]),
    ] {
        let deletions = Deletions::of(&holders);
        assert_eq!(
            (names(&deletions.copied), names(&deletions.only)),
            (copied.into_iter().map(str::to_owned).collect(), only.into_iter().map(str::to_owned).collect(),)
        );
    }
}

#[test]
fn an_answer_counts_while_every_key_that_it_relied_on_stays() {
    let (kept, also, gone) = (holder("kept", 2), holder("also", 3), deleted("gone", 1));
    let holders = [kept.clone(), also.clone(), gone];
    let proven = Proven::new(Needing::Nobody(Opened::default()), survivors(&holders));
    assert!(proven.counts(&holders));
    assert!(proven.counts(&[kept.clone(), also.clone(), holder("newer", 4)]), "more keys open no less");
    assert!(!proven.counts(std::slice::from_ref(&kept)));
    assert!(!proven.counts(&[kept, Holder { deleted_at: Some(Timestamp::UNIX_EPOCH), ..also }]));
}
