//! The recipients that the flags name, from the keys of a cluster to what is offered for an object of it.
//!
//! Two clusters share objects, or one takes the place of the other, by these flags alone. Invariant: no private half
//! leaves the cluster that made it.

use seal_crds::native::{Item, NativeSealed, seal, target};
use seal_crds::resources::{SealedSecretSpec, Template};
use seal_crds::{Place, Plaintext, Sealed as _};

use super::renewal::published_backups;
use super::*;
use crate::examination::{Offer, Question};

/// A cluster with its first key.
struct Cluster {
    keys: Keys<Memory>,
    flags: RecipientFlags,
}

impl Cluster {
    async fn start(flags: RecipientFlags) -> Self {
        let keys = keys(&Memory::default());
        let mut cluster = Self { keys, flags };
        cluster.look().await;
        cluster
    }

    /// Starts with these flags and brings everything up to date.
    async fn look(&mut self) {
        self.keys.settings = Settings::new(jiff::SignedDuration::ZERO, self.flags.clone()).unwrap();
        settle(&self.keys).await;
    }

    async fn renew(&mut self) {
        self.keys.store.world().ask(FIRST, KeyState::Retiring);
        self.look().await;
    }

    fn primary(&self) -> Recipient {
        let recipients = self.keys.recipients.borrow().clone().unwrap();
        recipients.current()[0].recipient.clone()
    }

    /// What this cluster finds about an offer for the object.
    fn examine(&self, spec: &SealedSecretSpec) -> Offer {
        let (keyring, recipients) =
            (self.keys.keyring.borrow().clone(), self.keys.recipients.borrow().clone().unwrap());
        let sealed = parse(spec);
        let question = Question::new(&sealed, &keyring, &recipients);
        question.answer(&sealed, &keyring, &recipients).unwrap().1.offer
    }

    /// The object with the envelope that this cluster offers, which is for exactly these recipients.
    #[track_caller]
    fn offered(&self, spec: &SealedSecretSpec, to: &[&Recipient]) -> SealedSecretSpec {
        let Offer::Made(rewrap) = self.examine(spec) else { panic!("{:?}", self.examine(spec)) };
        assert_eq!(rewrap.target, target(to.iter().map(|recipient| recipient.fingerprint())));
        SealedSecretSpec { envelopes: vec![rewrap.envelope], ..spec.clone() }
    }

    /// Whether this cluster's keys open the object.
    fn opens(&self, spec: &SealedSecretSpec) -> bool {
        parse(spec).unseal(&self.keys.keyring.borrow()).is_ok()
    }
}

fn place() -> Place {
    Place { namespace: "prod".parse().unwrap(), name: "db".parse().unwrap() }
}

fn parse(spec: &SealedSecretSpec) -> NativeSealed {
    NativeSealed::parse(place(), spec, &BTreeSet::new()).unwrap()
}

fn sealed_to(recipients: &[&Recipient]) -> SealedSecretSpec {
    let named = |recipient: &&Recipient| NamedRecipient { recipient: (*recipient).clone(), name: None };
    let to: Vec<NamedRecipient> = recipients.iter().map(named).collect();
    let item = Item::new(Plaintext::from(b"opensesame".to_vec()), false);
    let items = [("a".parse().unwrap(), item)].into();
    seal(&place(), seal_crds::Scope::Strict, &to, &items, Template::default(), &BTreeSet::new()).unwrap()
}

#[tokio::test]
async fn an_extra_recipient_opens_what_is_offered_and_no_backup() {
    let (recovery, extra) = (Identity::generate(), Identity::generate());
    let flags = RecipientFlags {
        recovery: vec![recovery.recipient().clone()],
        extra: vec![extra.recipient().clone()],
        ..RecipientFlags::default()
    };
    let mut cluster = Cluster::start(flags).await;
    let primary = cluster.primary();
    let spec = sealed_to(&[&primary]);
    let offered = cluster.offered(&spec, &[&primary, recovery.recipient(), extra.recipient()]);
    let opens = |identity: &Identity| parse(&offered).unseal(&[copy(identity)].into_iter().collect()).is_ok();
    assert!(opens(&extra) && opens(&recovery) && !opens(&Identity::generate()));

    // The renewed key's backup isn't for it, either.
    cluster.renew().await;
    let backups = published_backups(&cluster.keys.store);
    assert_eq!(backups.len(), 2);
    for text in backups {
        assert!(backup::open(text.as_bytes(), std::iter::once(extra.as_age())).is_err());
        assert!(backup::open(text.as_bytes(), std::iter::once(recovery.as_age())).is_ok());
    }
    let status = cluster.keys.store.world().sealing_key("sealing-key-2").status.clone().unwrap();
    assert_eq!(status.extra_recipients, [extra.recipient().to_string()]);
    assert_eq!(status.recovery_recipients, [recovery.recipient().to_string()]);
}

/// The private half once more, for another keyring.
fn copy(identity: &Identity) -> Identity {
    Identity::parse(&identity.to_secret_string()).unwrap()
}

#[tokio::test]
async fn an_object_that_is_also_sealed_to_the_former_cluster_is_offered_once_the_flag_names_that() {
    let old = Cluster::start(RecipientFlags::default()).await.primary();
    let mut new = Cluster::start(RecipientFlags::default()).await;
    let primary = new.primary();
    let spec = sealed_to(&[&old, &primary]);
    assert_eq!(new.examine(&spec), Offer::Foreign([old.fingerprint()].into()));
    new.flags.former = [old.fingerprint()].into();
    new.look().await;
    let offered = new.offered(&spec, &[&primary]);
    assert!(new.opens(&offered));
    // It is known, and nothing more.
    assert_eq!(new.examine(&sealed_to(&[&primary])), Offer::NotDue);
}

#[tokio::test]
async fn an_object_of_two_clusters_is_offered_by_both_if_each_seals_to_the_other_and_else_by_none() {
    let mut one = Cluster::start(RecipientFlags::default()).await;
    let mut two = Cluster::start(RecipientFlags::default()).await;
    let (old, other) = (one.primary(), two.primary());
    let spec = sealed_to(&[&old, &other]);
    one.renew().await;
    let newer = one.primary();
    assert_eq!(one.examine(&spec), Offer::Foreign([other.fingerprint()].into()));
    assert_eq!(two.examine(&spec), Offer::Foreign([old.fingerprint()].into()));

    // With the flag in one of them, that one's offer would open in both.
    one.flags.extra = vec![other.clone()];
    one.look().await;
    assert_eq!(two.examine(&spec), Offer::Foreign([old.fingerprint()].into()));
    two.flags.extra = vec![newer.clone()];
    two.flags.former = [old.fingerprint()].into();
    two.look().await;
    for cluster in [&one, &two] {
        let offered = cluster.offered(&spec, &[&newer, &other]);
        assert!(one.opens(&offered) && two.opens(&offered));
        for cluster in [&one, &two] {
            assert_eq!(
                cluster.examine(&offered),
                Offer::NotDue,
                "the offers of the two are for the same set"
            );
        }
    }
}

#[tokio::test]
async fn the_primary_says_whom_objects_are_compared_with_as_the_controller_compares_them() {
    let mut cluster = Cluster::start(RecipientFlags::default()).await;
    let first = cluster.primary();
    let said = |cluster: &Cluster, name: &str| {
        cluster.keys.store.world().sealing_key(name).status.clone().unwrap().revoked_recipients
    };
    assert_eq!(said(&cluster, "sealing-key-first"), [""; 0], "nobody is revoked");
    let laptop = Identity::generate();
    cluster.flags.revoked = [laptop.fingerprint(), first.fingerprint()].into();
    cluster.renew().await;
    let revoked: BTreeSet<String> = cluster
        .keys
        .recipients
        .borrow()
        .as_ref()
        .unwrap()
        .exposing()
        .iter()
        .map(ToString::to_string)
        .collect();
    assert!(revoked.contains(&laptop.fingerprint().to_string()), "{revoked:?}");
    assert_eq!(said(&cluster, "sealing-key-2"), revoked.into_iter().collect::<Vec<_>>());
    assert_eq!(said(&cluster, "sealing-key-first"), [""; 0], "only the primary says it");
}
