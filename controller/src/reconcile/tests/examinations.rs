//! Examinations over a store in memory: when an object is opened for one, and what its status says afterwards.
//!
//! The contract tests what an examination finds, [`crate::pace`] tests the turns. Invariant: no examination writes a
//! Secret.

use seal_crds::keys::Identity;
use seal_crds::resources::{Condition, ConditionStatus};

use super::*;
use crate::recipients::RecordedKey;

/// A cluster with its keys, the primary first, and its objects.
struct Cluster {
    keys: watch::Sender<Arc<Keyring>>,
    recipients: watch::Sender<Option<Arc<Recipients>>>,
}

impl Cluster {
    fn with(identities: &[&Identity]) -> Self {
        let cluster = Self { keys: watch::Sender::default(), recipients: watch::Sender::new(None) };
        cluster.set(identities, &[], &[]);
        cluster
    }

    /// Sets the keys, the primary first, with former recipients and revoked ones.
    fn set(&self, identities: &[&Identity], former: &[&Identity], revoked: &[&Identity]) {
        let copy = |identity: &&Identity| Identity::parse(&identity.to_secret_string()).unwrap();
        self.keys.send_replace(Arc::new(identities.iter().map(copy).collect()));
        let fingerprint = |identity: &&Identity| identity.fingerprint();
        let current = identities.iter().take(1);
        let current = current.map(|key| NamedRecipient { recipient: key.recipient().clone(), name: None });
        let keys = identities
            .iter()
            .map(|key| RecordedKey { fingerprint: key.fingerprint(), recovery: BTreeSet::new() });
        let recipients = Recipients::new(
            current.collect(),
            &keys.collect::<Vec<_>>(),
            former.iter().map(fingerprint),
            revoked.iter().map(fingerprint).collect(),
        );
        self.recipients.send_replace(Some(Arc::new(recipients)));
    }

    /// A controller over this store that has just started.
    fn start(&self, store: Memory) -> Context<Memory> {
        let examinations = Examinations { recipients: self.recipients.subscribe(), pace: Arc::default() };
        Context { keys: self.keys.subscribe(), examinations: Some(examinations), ..context(store) }
    }
}

fn sealed_to(identities: &[&Identity]) -> Object {
    Object { sealed_to: identities.iter().map(|identity| identity.fingerprint()).collect(), ..Object::test() }
}

fn status(context: &Context<Memory>) -> SealedSecretStatus {
    context.store.status.lock().unwrap().clone().unwrap()
}

fn condition(context: &Context<Memory>, type_: &str) -> Option<Condition> {
    find_condition(&status(context).conditions, type_).cloned()
}

#[tokio::test]
async fn a_new_object_is_examined_when_it_is_opened_for_its_secret_and_not_again_after_a_restart() {
    let key = Identity::generate();
    let cluster = Cluster::with(&[&key]);
    let first = cluster.start(Memory::with(SecretState::Absent));
    assert_eq!(reconcile(&first, &sealed_to(&[&key])).await, Next::OnChange);
    assert_eq!(done(&first), ["Create 1", "report InSync", "notify Ready"]);
    let usage = status(&first).usage.unwrap();
    assert_eq!((usage.source.as_str(), usage.only), ("source 1", vec![key.fingerprint().to_string()]));
    assert_eq!(usage.keyring, Fingerprint::of_set([key.fingerprint()]));
    assert_eq!(status(&first).conditions.len(), 1, "there is nothing to offer, and nothing is exposed");

    let second = cluster.start(first.store);
    assert_eq!(reconcile(&second, &sealed_to(&[&key])).await, Next::OnChange);
    assert_eq!((done(&second), count(&second, "unseals")), (Vec::new(), 0));
}

/// This test has a single thread for all async work.
#[tokio::test]
async fn others_are_answered_while_an_object_is_examined() {
    let key = Identity::generate();
    let context = Cluster::with(&[&key]).start(Memory::with(SecretState::Absent));
    let (answer, awaited) = mpsc::channel();
    let object = sealed_to(&[&key]).that_opens(Opens::After(Arc::new(Mutex::new(awaited))));
    tokio::join!(reconcile(&context, &object), async { answer.send(()).unwrap() });
    assert_eq!(done(&context), ["Create 1", "report InSync", "notify Ready"]);
    assert!(status(&context).usage.is_some(), "it was examined");
}

#[tokio::test]
async fn a_new_key_has_every_object_examined_without_a_write_and_only_once_a_minute() {
    let [old, new] = [Identity::generate(), Identity::generate()];
    let cluster = Cluster::with(&[&old]);
    let context = cluster.start(Memory::with(SecretState::Absent));
    reconcile(&context, &sealed_to(&[&old])).await;
    done(&context);

    cluster.set(&[&new, &old], &[], &[]);
    let Next::After(wait) = reconcile(&context, &sealed_to(&[&old])).await else { panic!("it has no turn") };
    assert!((55..=60).contains(&wait.as_secs()), "{wait:?}");
    assert_eq!((done(&context), count(&context, "unseals")), (Vec::new(), 1), "it isn't opened out of turn");

    let later = cluster.start(context.store);
    assert_eq!(reconcile(&later, &sealed_to(&[&old])).await, Next::OnChange);
    assert_eq!((done(&later), count(&later, "unseals")), (vec!["report InSync".into()], 1));
    let rewrap = status(&later).rewrap.unwrap();
    assert_eq!(rewrap.envelope.age, new.recipient().to_string());
    assert_eq!(
        (rewrap.source.as_str(), Some(&rewrap.target)),
        ("source 1", status(&later).usage.unwrap().target.as_ref())
    );
    let offered = condition(&later, "RewrapOffered").unwrap();
    assert_eq!((offered.status, offered.reason.as_str()), (ConditionStatus::True, "Offered"));

    // The offer is applied: a new generation, whose Secret is right already.
    let applied = Object { generation: 2, ..sealed_to(&[&new]) };
    assert!(matches!(reconcile(&later, &applied).await, Next::After(_)), "examined, but not within a minute");
    assert_eq!(done(&later), ["report InSync"]);
    assert_eq!(status(&later).rewrap, None);
    assert_eq!(condition(&later, "RewrapOffered"), None);
    let last = cluster.start(later.store);
    assert_eq!(reconcile(&last, &applied).await, Next::OnChange);
    assert_eq!(status(&last).usage.unwrap().source, "source 2");
}

#[tokio::test]
async fn an_item_that_comes_under_the_same_envelopes_has_the_object_examined_again() {
    let key = Identity::generate();
    let cluster = Cluster::with(&[&key]);
    let first = cluster.start(Memory::with(SecretState::Absent));
    reconcile(&first, &sealed_to(&[&key])).await;
    done(&first);
    let patched = Object { assignment: Some("another".into()), ..sealed_to(&[&key]) };
    let second = cluster.start(first.store);
    assert_eq!(reconcile(&second, &patched).await, Next::OnChange);
    assert_eq!((done(&second), count(&second, "unseals")), (vec!["report InSync".into()], 1));
    let third = cluster.start(second.store);
    assert_eq!(reconcile(&third, &patched).await, Next::OnChange);
    assert_eq!(count(&third, "unseals"), 0);
}

#[tokio::test]
async fn whoever_changes_an_object_all_the_time_has_it_opened_but_not_examined() {
    let key = Identity::generate();
    let context = Cluster::with(&[&key]).start(Memory::with(SecretState::Absent));
    reconcile(&context, &sealed_to(&[&key])).await;
    for generation in 2..9 {
        let Next::After(_) = reconcile(&context, &Object { generation, ..sealed_to(&[&key]) }).await else {
            panic!("it is examined later")
        };
    }
    assert_eq!(count(&context, "unseals"), 8);
    assert_eq!(status(&context).usage.unwrap().source, "source 1", "it says what it is about");
}

#[tokio::test]
async fn an_object_that_is_opened_anyway_is_examined_out_of_turn_if_that_takes_little_more() {
    let key = Identity::generate();
    let cluster = Cluster::with(&[&key]);
    let context = cluster.start(Memory::with(SecretState::Absent));
    let cheap = Object { more_tries: 8, ..sealed_to(&[&key]) };
    for generation in 1..9 {
        let changed = Object { generation, ..cheap.clone() };
        assert_eq!(reconcile(&context, &changed).await, Next::OnChange);
        assert_eq!(status(&context).usage.unwrap().source, format!("source {generation}"));
    }
    assert_eq!(count(&context, "unseals"), 8);
    // An offer has to be sealed, and what isn't opened waits for its turn.
    cluster.set(&[&Identity::generate(), &key], &[], &[]);
    let turns = [9, 10].map(|generation| Object { generation, ..cheap.clone() });
    assert_eq!(reconcile(&context, &turns[0]).await, Next::OnChange);
    let Next::After(_) = reconcile(&context, &turns[1]).await else { panic!("its turn is over") };
}

#[tokio::test]
async fn findings_that_could_not_be_published_are_found_again_soon() {
    let key = Identity::generate();
    let context = Cluster::with(&[&key]).start(Memory::with(SecretState::Absent));
    *context.store.stale.lock().unwrap() = 1;
    reconcile(&context, &sealed_to(&[&key])).await;
    let Next::After(wait) = reconcile(&context, &sealed_to(&[&key])).await else { panic!("it is due") };
    assert!(wait <= Duration::from_secs(5), "{wait:?}");
    assert_eq!(status(&context).usage, None);
}

/// The Secret is right by then, so the object isn't opened again but for its turn.
#[tokio::test]
async fn findings_that_came_along_with_an_opening_and_could_not_be_published_put_off_no_turn() {
    let key = Identity::generate();
    let cluster = Cluster::with(&[&key]);
    let cheap = Object { more_tries: 8, ..sealed_to(&[&key]) };
    let context = cluster.start(Memory::with(SecretState::Absent));
    reconcile(&context, &cheap).await;
    cluster.set(&[&key], &[], &[&Identity::generate()]);
    let context = cluster.start(context.store);
    *context.store.state.lock().unwrap() = SecretState::Absent;
    *context.store.stale.lock().unwrap() = 1;
    reconcile(&context, &cheap).await;
    assert_eq!(status(&context).usage.unwrap().revoked, None, "what was found is lost");
    assert_eq!(reconcile(&context, &cheap).await, Next::OnChange, "its turn comes at once");
    assert!(status(&context).usage.unwrap().revoked.is_some());
}

#[tokio::test]
async fn an_object_that_may_be_another_clusters_too_is_left_alone_until_its_recipients_are_known() {
    let [key, theirs] = [Identity::generate(), Identity::generate()];
    let cluster = Cluster::with(&[&key]);
    let context = cluster.start(Memory::with(SecretState::Absent));
    let object = sealed_to(&[&key, &theirs]);
    reconcile(&context, &object).await;
    let condition_of = |context: &Context<Memory>| condition(context, "RewrapOffered").unwrap();
    assert_eq!(condition_of(&context).reason, "ForeignRecipients");
    assert!(condition_of(&context).message.contains(&theirs.fingerprint().short()));
    assert_eq!((status(&context).rewrap, status(&context).usage.unwrap().target), (None, None));

    cluster.set(&[&key], &[&theirs], &[]);
    let context = cluster.start(context.store);
    reconcile(&context, &object).await;
    assert_eq!(condition_of(&context).reason, "Offered");

    // And back: the offer goes without an opening.
    cluster.set(&[&key], &[], &[]);
    let context = cluster.start(context.store);
    reconcile(&context, &object).await;
    assert_eq!(
        (condition_of(&context).reason.as_str(), status(&context).rewrap),
        ("ForeignRecipients", None)
    );
    assert_eq!(count(&context, "unseals"), 0);
}

#[tokio::test]
async fn a_revoked_recipient_exposes_and_this_is_found_once_and_told() {
    let [key, leaked] = [Identity::generate(), Identity::generate()];
    let cluster = Cluster::with(&[&key]);
    let context = cluster.start(Memory::with(SecretState::Absent));
    reconcile(&context, &sealed_to(&[&key])).await;
    done(&context);
    cluster.set(&[&key], &[], &[&leaked]);
    let context = cluster.start(context.store);
    for expected in [&["report InSync", "notify RevokedRecipient"][..], &[]] {
        assert_eq!(reconcile(&context, &sealed_to(&[&key])).await, Next::OnChange);
        assert_eq!(done(&context), expected);
    }
    assert_eq!(status(&context).exposed, ["password"]);
    assert_eq!(status(&context).exposed_to, [leaked.fingerprint().to_string()]);
    assert_eq!(condition(&context, "Exposed").unwrap().reason, "RevokedRecipient");
    cluster.set(&[&key], &[], &[]);
    let context = cluster.start(context.store);
    reconcile(&context, &sealed_to(&[&key])).await;
    assert_eq!((status(&context).exposed, condition(&context, "Exposed")), (Vec::new(), None));
}

/// The threat: all keys are gone, and there is nothing to open with; or there are two thousand objects, whose turns take
/// minutes.
#[tokio::test]
async fn a_key_that_is_gone_is_said_at_once_without_opening_anything() {
    let [key, other] = [Identity::generate(), Identity::generate()];
    let cluster = Cluster::with(&[&key]);
    let context = cluster.start(Memory::with(SecretState::Absent));
    reconcile(&context, &sealed_to(&[&key])).await;
    done(&context);
    cluster.set(&[&other], &[], &[]);
    let object = sealed_to(&[&key]).that_opens(Opens::Never);
    assert!(matches!(reconcile(&context, &object).await, Next::After(_)), "its turn comes");
    assert_eq!(done(&context), ["report KeyMissing", "notify KeyMissing"]);
    let missing = condition(&context, "KeyMissing").unwrap();
    assert!(missing.message.contains(&key.fingerprint().short()), "{}", missing.message);
    assert_eq!(count(&context, "unseals"), 1);
    let ready = condition(&context, "Ready").unwrap();
    assert_eq!((ready.status, ready.reason.as_str()), (ConditionStatus::True, "KeyMissing"));

    // In its turn it is tried with the keys that there are. The Secret is still right, and nothing else is said.
    let context = cluster.start(context.store);
    assert_eq!(reconcile(&context, &object).await, Next::OnChange);
    assert_eq!((done(&context), count(&context, "unseals")), (vec![], 1));
    // Once there is a reason to write the Secret, it can't be written.
    *context.store.state.lock().unwrap() = SecretState::Absent;
    reconcile(&context, &object).await;
    assert_eq!(done(&context), ["report NoMatchingKey", "notify NotReady"]);
    // The key comes back.
    cluster.set(&[&key], &[], &[]);
    let context = cluster.start(context.store);
    reconcile(&context, &sealed_to(&[&key])).await;
    assert_eq!(condition(&context, "KeyMissing"), None);
    assert_eq!(condition(&context, "Ready").unwrap().reason, "InSync");
}

/// The sealing keys may be lost while no controller runs, or for a moment.
#[tokio::test]
async fn without_any_key_objects_whose_secret_is_right_say_so_and_take_it_back() {
    let key = Identity::generate();
    let cluster = Cluster::with(&[&key]);
    let context = cluster.start(Memory::with(SecretState::Absent));
    reconcile(&context, &sealed_to(&[&key])).await;
    done(&context);
    // A definition that prunes doesn't keep which keys opened it.
    for opened_by in [true, false] {
        if !opened_by {
            context.store.status.lock().unwrap().as_mut().unwrap().opened_by.clear();
        }
        cluster.set(&[], &[&key], &[]);
        let object = sealed_to(&[&key]).that_opens(Opens::Never);
        for expected in [&["report KeyMissing", "notify KeyMissing"][..], &[]] {
            assert_eq!(reconcile(&context, &object).await, Next::OnChange);
            assert_eq!(done(&context), expected);
        }
        assert_eq!(condition(&context, "Ready").unwrap().status, ConditionStatus::True);
        cluster.set(&[&key], &[], &[]);
        reconcile(&context, &sealed_to(&[&key])).await;
        assert_eq!(done(&context), ["report InSync"]);
        assert_eq!(condition(&context, "KeyMissing"), None);
    }
    assert_eq!(count(&context, "unseals"), 1);
}

#[tokio::test]
async fn a_failure_takes_nothing_of_what_was_found() {
    let [old, new] = [Identity::generate(), Identity::generate()];
    let cluster = Cluster::with(&[&new, &old]);
    let context = cluster.start(Memory::with(SecretState::Absent));
    reconcile(&context, &sealed_to(&[&old])).await;
    let found = status(&context);
    *context.store.state.lock().unwrap() = SecretState::Ours(SyncState::Drifted);
    context.store.failures.lock().unwrap().push_back(("write", unreachable_api()));
    reconcile(&context, &sealed_to(&[&old])).await;
    let failed = status(&context);
    assert_eq!(find_condition(&failed.conditions, "Ready").unwrap().reason, "ApiUnavailable");
    assert_eq!((failed.usage, failed.rewrap), (found.usage, found.rewrap));
    assert_eq!(condition(&context, "RewrapOffered").unwrap().reason, "Offered");
}

#[tokio::test]
async fn an_object_without_room_for_an_offer_gets_the_rest_of_its_status_and_is_not_tried_again() {
    let [old, new] = [Identity::generate(), Identity::generate()];
    let cluster = Cluster::with(&[&new, &old]);
    let context = cluster.start(Memory::with(SecretState::Absent));
    let object = Object { weight: 1 << 20, ..sealed_to(&[&old]) };
    reconcile(&context, &object).await;
    let offered = condition(&context, "RewrapOffered").unwrap();
    assert_eq!((offered.status, offered.reason.as_str()), (ConditionStatus::False, "OfferTooLarge"));
    assert!(status(&context).rewrap.is_none() && status(&context).usage.is_some());
    let context = cluster.start(context.store);
    done(&context);
    assert_eq!(reconcile(&context, &object).await, Next::OnChange);
    assert_eq!((done(&context), count(&context, "unseals")), (Vec::new(), 0));
}

#[tokio::test]
async fn nothing_is_examined_before_the_recipients_are_loaded_nor_for_a_secret_of_somebody_else() {
    let key = Identity::generate();
    let cluster = Cluster::with(&[&key]);
    cluster.recipients.send_replace(None);
    let context = cluster.start(Memory::with(SecretState::Absent));
    assert_eq!(reconcile(&context, &sealed_to(&[&key])).await, Next::OnChange);
    assert_eq!(status(&context).usage, None);
    let foreign = cluster.start(Memory::with(SecretState::Foreign { adoptable: false }));
    cluster.set(&[&key], &[], &[]);
    reconcile(&foreign, &sealed_to(&[&key])).await;
    assert_eq!(count(&foreign, "unseals"), 0);
}
