//! The core over a store in memory: the effects, their order, and the time of the next look.
//!
//! The decisions and the real stores have tests of their own. Each test scripts the state and the answers of
//! the store, and reads the effects on it.

mod examinations;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Condvar, Mutex, mpsc};

use futures::future::join_all;
use seal_crds::keys::{Fingerprint, Keyring};
use seal_crds::native::{NamedRecipient, RewrapError};
use seal_crds::resources::{Envelope, SealedSecretSpec, SealedSecretStatus, SecretVersion, find_condition};
use seal_crds::{Digest, Examined, ItemName, Place, Plaintext, Reason, Scope, Shape, UnsealError, Unsealed};

use super::*;
use crate::store::{Requests, SecretState, Successor, SyncState, Write, Written};

/// An object, and the result of opening it.
#[derive(Clone, Default)]
struct Object {
    generation: i64,
    requests: Requests,
    opens: Opens,
    successor: Option<Successor>,
    /// The object's shape is sealed in.
    hidden: bool,
    /// The recipients of its envelope.
    sealed_to: BTreeSet<Fingerprint>,
    /// Which data key each item uses.
    assignment: Option<String>,
    /// What an examination takes beyond an opening.
    more_tries: usize,
    /// The bytes of the object without its status.
    weight: usize,
    /// The event that decoding waits for.
    awaits: Option<Arc<Mutex<mpsc::Receiver<()>>>>,
}

#[derive(Clone, Default)]
enum Opens {
    #[default]
    Well,
    Badly,
    /// No key at hand opens it.
    Never,
    Panicking,
    /// Well, as soon as this comes.
    After(Arc<Mutex<mpsc::Receiver<()>>>),
    /// Well, and is counted meanwhile.
    Counted(Arc<Openings>),
}

/// The openings that are under way.
struct Openings {
    /// How long each lasts, unless two are under way.
    patience: Duration,
    /// How many there are now, and the most that there were at once.
    counts: Mutex<(usize, usize)>,
    one_more: Condvar,
}

impl Openings {
    fn new(patience: Duration) -> Self {
        Self { patience, counts: Mutex::default(), one_more: Condvar::new() }
    }

    /// Stays until two are under way, or its time is over.
    fn stay(&self) {
        let mut counts = self.counts.lock().unwrap();
        counts.0 += 1;
        counts.1 = counts.1.max(counts.0);
        self.one_more.notify_all();
        let stayed = self.one_more.wait_timeout_while(counts, self.patience, |(_, most)| *most < 2);
        stayed.unwrap().0.0 -= 1;
    }

    fn most(&self) -> usize {
        self.counts.lock().unwrap().1
    }
}

impl Object {
    fn test() -> Self {
        Self { generation: 1, more_tries: 1000, ..Self::default() }
    }

    fn that_opens(mut self, opens: Opens) -> Self {
        self.opens = opens;
        self
    }

    fn requested(mut self, at: &str) -> Self {
        self.requests = Requests { flux: Some(at.to_owned()), own: Some(format!("{at}, by hand")) };
        self
    }
}

/// A store that records the effects, and answers as it is told.
struct Memory {
    state: Mutex<SecretState>,
    status: Mutex<Option<SealedSecretStatus>>,
    /// The failures of the next calls by method; after them, calls succeed.
    failures: Mutex<VecDeque<(&'static str, Failure)>>,
    /// The number of the next reports that come too late.
    stale: Mutex<u32>,
    /// A write finds something to write.
    writes: bool,
    /// Items that somebody put into the Secret.
    extra: Mutex<Vec<&'static str>>,
    /// The version of the Secret after a write.
    version: Mutex<Option<SecretVersion>>,
    done: Mutex<Vec<String>>,
}

impl Memory {
    fn with(state: SecretState) -> Self {
        Self {
            state: Mutex::new(state),
            status: Mutex::default(),
            failures: Mutex::default(),
            stale: Mutex::default(),
            writes: true,
            extra: Mutex::default(),
            version: Mutex::default(),
            done: Mutex::default(),
        }
    }

    fn failing(self, call: &'static str, failure: Failure) -> Self {
        self.failures.lock().unwrap().push_back((call, failure));
        self
    }

    fn answer(&self, call: &'static str) -> Result<(), Failure> {
        let mut failures = self.failures.lock().unwrap();
        match failures.front() {
            Some((expected, _)) if *expected == call => Err(failures.pop_front().unwrap().1),
            _ => Ok(()),
        }
    }

    fn extra(&self) -> BTreeSet<ItemName> {
        self.extra.lock().unwrap().iter().map(|name| name.parse().unwrap()).collect()
    }

    fn did(&self, what: String) {
        self.done.lock().unwrap().push(what);
    }
}

impl Store for Memory {
    type Object = Object;

    fn place(&self, _: &Object) -> Result<Place, Failure> {
        Ok(place())
    }

    async fn successor(&self, object: &Object) -> Result<Option<Successor>, Failure> {
        self.answer("successor")?;
        Ok(object.successor.clone())
    }

    async fn share(&self, _: &Object) -> Result<(), Failure> {
        self.answer("share")?;
        self.did("share".to_owned());
        Ok(())
    }

    fn decode(object: &Object, _: &Last, _: &Policy) -> Result<Arc<dyn Sealed>, Failure> {
        if let Some(awaited) = &object.awaits {
            let came = awaited.lock().unwrap().recv_timeout(Duration::from_secs(20));
            came.map_err(|_| Failure::new(Reason::Malformed, "nothing came"))?;
        }
        let Object { generation, opens, hidden, sealed_to, assignment, more_tries, .. } = object.clone();
        Ok(Arc::new(Fake {
            generation,
            opens,
            hidden,
            sealed_to,
            assignment,
            more_tries,
            place: place(),
            shape: shape(),
        }))
    }

    fn last(&self, object: &Object) -> Last {
        Last {
            generation: object.generation,
            status: self.status.lock().unwrap().clone(),
            requests: object.requests.clone(),
            ..Last::default()
        }
    }

    async fn observe(&self, _: &Object, sealed: &dyn Sealed) -> Result<Observed, Failure> {
        assert!(sealed.is_revealed(), "its shape says whether the Secret is right");
        self.answer("observe")?;
        Ok(Observed { state: *self.state.lock().unwrap(), extra: self.extra(), left_out: Vec::new() })
    }

    async fn write(
        &self,
        _: &Object,
        _: &dyn Sealed,
        write: Write,
        data: &BTreeMap<ItemName, Plaintext>,
    ) -> Result<Written, Failure> {
        self.answer("write")?;
        self.did(format!("{write:?} {}", data.len()));
        *self.state.lock().unwrap() = SecretState::Ours(SyncState::InSync);
        let version = self.version.lock().unwrap().clone();
        Ok(Written { changed: self.writes, version, extra: self.extra() })
    }

    fn weight(&self, object: &Object) -> usize {
        object.weight
    }

    async fn report(&self, _: &Object, status: &SealedSecretStatus) -> Result<Reported, Failure> {
        self.answer("report")?;
        let mut stale = self.stale.lock().unwrap();
        if *stale > 0 {
            *stale -= 1;
            return Ok(Reported::Stale);
        }
        self.did(format!("report {}", find_condition(&status.conditions, "Ready").unwrap().reason));
        *self.status.lock().unwrap() = Some(status.clone());
        Ok(Reported::UpToDate)
    }

    async fn notify(&self, _: &Object, notice: &Notice) {
        self.did(format!("notify {}", notice.reason));
    }
}

#[derive(Clone)]
struct Fake {
    generation: i64,
    opens: Opens,
    hidden: bool,
    assignment: Option<String>,
    sealed_to: BTreeSet<Fingerprint>,
    more_tries: usize,
    place: Place,
    shape: Shape,
}

impl Sealed for Fake {
    fn format(&self) -> seal_crds::Format {
        seal_crds::Format::Native
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
        Digest::of(&SealedSecretSpec {
            scope: Scope::Strict,
            envelopes: Vec::new(),
            encrypted_data: BTreeMap::new(),
            template: Default::default(),
        })
    }

    fn is_revealed(&self) -> bool {
        !self.hidden
    }

    fn reveal(&self, keys: &Keyring) -> Result<Option<Arc<dyn Sealed>>, UnsealError> {
        self.unseal(keys)?;
        Ok(Some(Arc::new(Self { hidden: false, ..self.clone() })))
    }

    fn source(&self) -> String {
        format!("source {}", self.generation)
    }

    fn assignment(&self) -> Option<String> {
        self.assignment.clone()
    }

    fn sealed_to(&self) -> Vec<BTreeSet<Fingerprint>> {
        vec![self.sealed_to.clone()]
    }

    fn tried(&self, keys: &Keyring) -> BTreeSet<Fingerprint> {
        keys.fingerprints().collect()
    }

    /// Needs the first key, and every item is exposed if anybody is revoked.
    fn examine(&self, keys: &Keyring, exposing: &BTreeSet<Fingerprint>) -> Result<Examined, UnsealError> {
        let unsealed = self.unseal(keys)?;
        let items = self.shape.keys.iter().filter(|_| !exposing.is_empty());
        let exposed = items.map(|item| (item.clone(), exposing.clone())).collect();
        Ok(Examined { unsealed, only: keys.fingerprints().take(1).collect(), exposed })
    }

    fn more_tries(&self, _: &Keyring) -> usize {
        self.more_tries
    }

    fn offer(&self, _: &Keyring, to: &[NamedRecipient]) -> Option<Result<Envelope, RewrapError>> {
        let age = to.iter().map(|named| named.recipient.to_string()).collect();
        Some(Ok(Envelope { keys: Vec::new(), recipients: Vec::new(), age }))
    }

    fn unseal(&self, keys: &Keyring) -> Result<Unsealed, UnsealError> {
        let well = || {
            Ok(Unsealed {
                data: [("password".parse().unwrap(), Plaintext::from(b"x".to_vec()))].into(),
                opened_by: keys.fingerprints().take(1).collect(),
            })
        };
        match &self.opens {
            Opens::Well => well(),
            Opens::After(event) => {
                let came = event.lock().unwrap().recv_timeout(Duration::from_secs(20));
                came.map_err(|_| UnsealError::WrongPlace { sealed: "nothing".into(), found: "came".into() })?;
                well()
            }
            Opens::Counted(openings) => {
                openings.stay();
                well()
            }
            Opens::Badly => {
                Err(UnsealError::WrongPlace { sealed: "prod/db".into(), found: "staging/db".into() })
            }
            Opens::Never => Err(UnsealError::NoMatchingKey {
                envelope: 0,
                sealed_to: Vec::new(),
                tried: keys.fingerprints().collect(),
            }),
            Opens::Panicking => panic!("a bug"),
        }
    }
}

fn place() -> Place {
    Place { namespace: "prod".parse().unwrap(), name: "db".parse().unwrap() }
}

fn shape() -> Shape {
    Shape { keys: ["password".parse().unwrap()].into(), ..Shape::default() }
}

fn context(store: Memory) -> Context<Memory> {
    let (_, keys) = watch::channel(Arc::new(Keyring::default()));
    Context {
        store,
        policy: Policy::default(),
        keys,
        metrics: Metrics::default(),
        backoff: Backoff::default(),
        examinations: None,
        cores: Cores::default(),
    }
}

fn done(context: &Context<Memory>) -> Vec<String> {
    std::mem::take(&mut *context.store.done.lock().unwrap())
}

fn count(context: &Context<Memory>, series: &str) -> u64 {
    let page = context.metrics.to_text();
    let value = page.lines().find_map(|line| line.strip_prefix(&format!("seal_controller_{series}_total ")));
    value.unwrap().parse().unwrap()
}

fn unreachable_api() -> Failure {
    Failure::new(Reason::ApiUnavailable, "the API server can't be reached")
}

#[tokio::test]
async fn ready_is_said_only_after_the_secret_is_written() {
    let context = context(Memory::with(SecretState::Absent));
    assert_eq!(reconcile(&context, &Object::test()).await, Next::OnChange);
    assert_eq!(done(&context), ["Create 1", "report InSync", "notify Ready"]);
    assert_eq!((count(&context, "unseals"), count(&context, "heals")), (1, 0));
}

/// This test has a single thread for all async work.
#[tokio::test]
async fn others_are_answered_while_an_object_is_decoded() {
    let context = context(Memory::with(SecretState::Absent));
    let (answer, awaited) = mpsc::channel();
    let object = Object { awaits: Some(Arc::new(Mutex::new(awaited))), ..Object::test() };
    tokio::join!(reconcile(&context, &object), async { answer.send(()).unwrap() });
    assert_eq!(done(&context), ["Create 1", "report InSync", "notify Ready"]);
}

/// This test has a single thread for all async work.
#[tokio::test]
async fn others_are_answered_while_an_object_is_opened() {
    for hidden in [false, true] {
        let context = context(Memory::with(SecretState::Absent));
        let (answer, awaited) = mpsc::channel();
        let opens = Opens::After(Arc::new(Mutex::new(awaited)));
        let object = Object { hidden, opens, ..Object::test() };
        // A shape that is sealed in takes an opening of its own.
        tokio::join!(reconcile(&context, &object), async {
            answer.send(()).unwrap();
            answer.send(()).unwrap();
        });
        assert_eq!(done(&context), ["Create 1", "report InSync", "notify Ready"], "sealed in: {hidden}");
    }
}

#[tokio::test]
async fn no_more_objects_are_opened_at_once_than_there_are_cores() {
    // A second one must not come within a tenth of a second; where it may come, it has all the time that it needs.
    for (cores, patience) in [(1, Duration::from_millis(100)), (2, Duration::from_secs(20))] {
        let shared = Cores::new(cores);
        // Each has a Secret of its own, so that none finds its work done by another.
        let alone = || Context { cores: shared.clone(), ..context(Memory::with(SecretState::Absent)) };
        let contexts: Vec<_> = (0..4).map(|_| alone()).collect();
        let openings = Arc::new(Openings::new(patience));
        let object = Object::test().that_opens(Opens::Counted(openings.clone()));
        join_all(contexts.iter().map(|context| reconcile(context, &object))).await;
        let unseals: u64 = contexts.iter().map(|context| count(context, "unseals")).sum();
        assert_eq!((openings.most(), unseals), (cores, 4));
    }
}

#[tokio::test]
async fn an_unchanged_object_is_neither_opened_written_nor_reported() {
    let context = context(Memory::with(SecretState::Absent));
    reconcile(&context, &Object::test()).await;
    done(&context);
    assert_eq!(reconcile(&context, &Object::test()).await, Next::OnChange);
    assert_eq!(done(&context), [""; 0]);
    assert_eq!(count(&context, "unseals"), 1);
}

#[tokio::test]
async fn a_healing_is_told_and_counted_and_the_status_stays() {
    let context = context(Memory::with(SecretState::Absent));
    reconcile(&context, &Object::test()).await;
    for (state, write) in
        [(SecretState::Absent, "Create 1"), (SecretState::Ours(SyncState::Drifted), "Update 1")]
    {
        done(&context);
        *context.store.state.lock().unwrap() = state;
        reconcile(&context, &Object::test()).await;
        assert_eq!(done(&context), [write, "notify Healed"]);
    }
    assert_eq!(count(&context, "heals"), 2);
}

/// The cache showed no Secret, but the store's second look found it in sync.
#[tokio::test]
async fn a_write_that_found_nothing_to_do_is_no_healing() {
    let mut store = Memory::with(SecretState::Absent);
    store.writes = false;
    let context = context(store);
    reconcile(&context, &Object::test()).await;
    done(&context);
    *context.store.state.lock().unwrap() = SecretState::Ours(SyncState::Drifted);
    reconcile(&context, &Object::test()).await;
    assert_eq!(done(&context), ["Update 1"]);
    assert_eq!((count(&context, "heals"), count(&context, "secret_writes")), (0, 0));
}

#[tokio::test]
async fn what_somebody_added_is_said_without_opening_the_object_and_once() {
    let context = context(Memory::with(SecretState::Absent));
    reconcile(&context, &Object::test()).await;
    done(&context);
    *context.store.extra.lock().unwrap() = vec!["theirs"];
    reconcile(&context, &Object::test()).await;
    assert_eq!(done(&context), ["report InSync"]);
    let message = |context: &Context<Memory>| {
        let status = context.store.status.lock().unwrap().clone().unwrap();
        find_condition(&status.conditions, "Ready").unwrap().message.clone()
    };
    assert!(message(&context).ends_with("items that are not from it: theirs"), "{}", message(&context));
    reconcile(&context, &Object::test()).await;
    assert_eq!(done(&context), [""; 0]);
    context.store.extra.lock().unwrap().clear();
    reconcile(&context, &Object::test()).await;
    assert_eq!(message(&context), "the Secret is what this SealedSecret says");
    assert_eq!(count(&context, "unseals"), 1);
}

#[tokio::test]
async fn whoever_adds_and_removes_items_all_the_time_is_not_followed() {
    let context = context(Memory::with(SecretState::Absent));
    reconcile(&context, &Object::test()).await;
    done(&context);
    let mut waits = 0;
    for round in 0..100 {
        *context.store.extra.lock().unwrap() = if round % 2 == 0 { vec!["theirs"] } else { vec![] };
        waits += usize::from(reconcile(&context, &Object::test()).await != Next::OnChange);
    }
    assert!(done(&context).len() < 40 && waits > 30, "{waits}");
}

#[tokio::test]
async fn the_version_that_a_write_left_is_remembered_until_the_next_also_through_failures() {
    let context = context(Memory::with(SecretState::Absent));
    let remembered =
        || context.store.status.lock().unwrap().as_ref().and_then(|status| status.secret.clone());
    let version = |version: &str| {
        Some(SecretVersion { uid: "s-1".into(), resource_version: version.into(), applied: None })
    };
    *context.store.version.lock().unwrap() = version("1");
    reconcile(&context, &Object::test()).await;
    assert_eq!(remembered(), version("1"));
    // The object is opened without a write, and then refused. In both cases the remembered version stays.
    *context.store.version.lock().unwrap() = version("2");
    reconcile(&context, &Object { generation: 2, ..Object::test() }).await;
    reconcile(&context, &Object { generation: 3, ..Object::test().that_opens(Opens::Badly) }).await;
    assert_eq!(remembered(), version("1"));
    *context.store.state.lock().unwrap() = SecretState::Ours(SyncState::Drifted);
    reconcile(&context, &Object { generation: 4, ..Object::test() }).await;
    assert_eq!(remembered(), version("2"));
}

#[tokio::test]
async fn a_permanent_failure_waits_for_a_change_and_is_said_once() {
    let context = context(Memory::with(SecretState::Absent));
    let object = Object::test().that_opens(Opens::Badly);
    assert_eq!(reconcile(&context, &object).await, Next::OnChange);
    assert_eq!(done(&context), ["report WrongPlace", "notify NotReady"]);
    assert_eq!(reconcile(&context, &object).await, Next::OnChange);
    assert_eq!(done(&context), [""; 0]);
}

#[tokio::test]
async fn a_transient_failure_is_tried_again_later_and_later_and_forgotten_with_success() {
    let store =
        (0..4).fold(Memory::with(SecretState::Absent), |store, _| store.failing("write", unreachable_api()));
    let context = context(store);
    let mut longest = Duration::ZERO;
    for attempt in 0..4 {
        let Next::After(wait) = reconcile(&context, &Object::test()).await else {
            panic!("attempt {attempt} is not tried again")
        };
        assert!(!wait.is_zero());
        longest = longest.max(wait);
    }
    assert!(longest >= Duration::from_secs(2), "{longest:?}");
    assert_eq!(done(&context), ["report ApiUnavailable", "notify NotReady"], "said once, too");

    assert_eq!(reconcile(&context, &Object::test()).await, Next::OnChange);
    assert_eq!(done(&context), ["Create 1", "report InSync", "notify Ready"]);
    *context.store.state.lock().unwrap() = SecretState::Absent;
    context.store.failures.lock().unwrap().push_back(("observe", unreachable_api()));
    let Next::After(wait) = reconcile(&context, &Object::test()).await else { panic!("it is tried again") };
    assert!(wait <= Duration::from_millis(500), "{wait:?}");
}

#[tokio::test]
async fn a_status_that_could_not_be_written_is_tried_again_and_not_told() {
    let context = context(Memory::with(SecretState::Absent).failing("report", unreachable_api()));
    assert!(matches!(reconcile(&context, &Object::test()).await, Next::After(_)));
    assert_eq!(done(&context), ["Create 1"]);
    assert_eq!(reconcile(&context, &Object::test()).await, Next::OnChange);
    assert_eq!(done(&context), ["report InSync", "notify Ready"]);
    assert_eq!(count(&context, "secret_writes"), 1);
}

#[tokio::test]
async fn a_decision_on_what_is_no_longer_so_is_neither_told_nor_final() {
    for object in [Object::test(), Object::test().that_opens(Opens::Badly)] {
        let context = context(Memory::with(SecretState::Absent));
        *context.store.stale.lock().unwrap() = 1;
        assert!(matches!(reconcile(&context, &object).await, Next::After(_)));
        let before = done(&context);
        assert!(before.iter().all(|what| what == "Create 1"), "{before:?}");
        assert_eq!(reconcile(&context, &object).await, Next::OnChange);
        assert_eq!(done(&context).len(), 2, "it is decided afresh, said and told");
    }
}

#[tokio::test]
async fn a_refused_object_keeps_its_refusal_also_where_the_status_could_not_be_written() {
    let context = context(Memory::with(SecretState::Absent).failing("report", unreachable_api()));
    let object = Object::test().that_opens(Opens::Badly);
    assert!(
        matches!(reconcile(&context, &object).await, Next::After(_)),
        "the status is still to be written"
    );
    reconcile(&context, &object).await;
    assert_eq!(done(&context), ["report WrongPlace", "notify NotReady"]);
}

#[tokio::test]
async fn a_request_to_look_is_answered_although_nothing_is_to_be_done() {
    let context = context(Memory::with(SecretState::Absent));
    reconcile(&context, &Object::test()).await;
    done(&context);
    reconcile(&context, &Object::test().requested("now")).await;
    assert_eq!(done(&context), ["report InSync"]);
    let status = context.store.status.lock().unwrap().clone().unwrap();
    assert_eq!(handled(&status).map(Option::as_deref), [Some("now"), Some("now, by hand")]);
    reconcile(&context, &Object::test().requested("now")).await;
    assert_eq!(done(&context), [""; 0]);
    assert_eq!(count(&context, "unseals"), 1);
}

#[tokio::test]
async fn a_foreign_secret_is_not_written_and_nothing_is_opened_for_it() {
    let context = context(Memory::with(SecretState::Foreign { adoptable: false }));
    assert_eq!(reconcile(&context, &Object::test()).await, Next::OnChange);
    assert_eq!(done(&context), ["report ForeignSecret", "notify NotReady"]);
    assert_eq!(count(&context, "unseals"), 0);
}

#[tokio::test]
async fn a_superseded_object_steps_back_before_it_is_opened_and_says_so_once() {
    let context = context(Memory::with(SecretState::Ours(SyncState::Drifted)));
    let object = Object { successor: Some(Successor::Owns), ..Object::test().that_opens(Opens::Panicking) };
    for expected in [&["share", "report Superseded", "notify NotReady"][..], &["share"]] {
        assert_eq!(reconcile(&context, &object).await, Next::OnChange);
        assert_eq!(done(&context), expected);
    }
    assert_eq!(count(&context, "unseals"), 0);
    let next = Object { successor: None, ..Object::test() };
    assert_eq!(reconcile(&context, &next).await, Next::OnChange);
    assert_eq!(done(&context), ["Update 1", "report InSync", "notify Ready"]);
}

#[tokio::test]
async fn an_object_whose_successor_is_not_ready_makes_the_secret_and_says_why_without_opening_again() {
    let context = context(Memory::with(SecretState::Absent));
    let beside = |reason: Option<&str>| Object {
        successor: Some(Successor::NotReady(reason.map(str::to_owned))),
        ..Object::test()
    };
    let message = || {
        let status = context.store.status.lock().unwrap().clone().unwrap();
        find_condition(&status.conditions, "Ready").unwrap().message.clone()
    };
    reconcile(&context, &beside(None)).await;
    assert_eq!(done(&context), ["share", "Create 1", "report InSync", "notify Ready"]);
    for (reason, expected) in
        [(Some("ScopeRefused"), &["share", "report InSync"][..]), (Some("ScopeRefused"), &["share"])]
    {
        reconcile(&context, &beside(reason)).await;
        assert_eq!(done(&context), expected);
        assert!(message().ends_with(
            "; the SealedSecret of this name in sealing.dev can't take it over yet: ScopeRefused"
        ));
    }
    reconcile(&context, &Object::test()).await;
    assert_eq!(done(&context), ["report InSync"]);
    assert_eq!(message(), "the Secret is what this SealedSecret says");
    assert_eq!(count(&context, "unseals"), 1);

    // If the store can't tell whether there is a native object, nothing is done.
    let failing = self::context(
        Memory::with(SecretState::Absent).failing("successor", Failure::new(Reason::ApiUnavailable, "x")),
    );
    assert!(matches!(reconcile(&failing, &Object::test()).await, Next::After(_)));
    assert_eq!(done(&failing), ["report ApiUnavailable", "notify NotReady"]);
}

#[tokio::test]
async fn an_object_whose_shape_is_sealed_in_is_opened_for_it_and_written_only_when_it_must_be() {
    let context = context(Memory::with(SecretState::Absent));
    let object = Object { hidden: true, ..Object::test() };
    reconcile(&context, &object).await;
    assert_eq!(done(&context), ["Create 1", "report InSync", "notify Ready"]);
    reconcile(&context, &object).await;
    assert_eq!(done(&context), [""; 0]);
    let bad = Object { generation: 2, ..object.that_opens(Opens::Badly) };
    reconcile(&context, &bad).await;
    assert_eq!(done(&context), ["report WrongPlace", "notify NotReady"]);
}

#[tokio::test]
async fn a_bug_while_opening_is_one_objects_trouble() {
    let context = context(Memory::with(SecretState::Absent));
    let object = Object::test().that_opens(Opens::Panicking);
    assert!(matches!(reconcile(&context, &object).await, Next::After(_)));
    assert_eq!(done(&context), ["report Interrupted", "notify NotReady"]);
}
