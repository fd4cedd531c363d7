//! One object, from manifest to Secret.
//!
//! The whole controller in one scroll, the same for both stores and both formats: guard → decode → observe →
//! plan → unseal or examine → write → status. [`crate::store`] reads and writes, [`crate::plan`] decides, and
//! [`crate::status`] words the status.
//!
//! Invariant: every effect of a reconcile is a line of [`reconcile`] or [`attempt`]; plaintext lives from
//! `unseal` to the end of `write` and is wiped there.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use seal_crds::keys::Keyring;
use seal_crds::reason::About;
use seal_crds::resources::{SealedSecretStatus, SecretVersion};
use seal_crds::{Place, Reason, Sealed, UnsealError, Unsealed};
use tokio::sync::watch;

use crate::backoff::{Backoff, Whose};
use crate::cores::{Core, Cores};
use crate::examination::{Findings, Question, missing};
use crate::failure::Failure;
use crate::metrics::Metrics;
use crate::pace::{Pace, Running};
use crate::plan::{Plan, plan, precedence};
use crate::policy::Policy;
use crate::recipients::Recipients;
use crate::status::{Look, Reconciled, Remarks, fitting, handled, kept_status, news, next_status, says};
use crate::store::{Last, Notice, Observed, Reported, Store};

/// The values that all reconciles share.
pub(crate) struct Context<S> {
    /// The store of the objects and their Secrets.
    pub(crate) store: S,
    /// The rules for which objects are opened.
    pub(crate) policy: Policy,
    /// The keys that open objects; the next reconcile sees a change.
    pub(crate) keys: watch::Receiver<Arc<Keyring>>,
    /// Counters.
    pub(crate) metrics: Metrics,
    /// The waits of objects that keep failing.
    pub(crate) backoff: Backoff,
    /// What examinations need; `None` on a host, where nobody renews keys.
    pub(crate) examinations: Option<Examinations>,
    /// The cores for work whose length an object's content decides.
    pub(crate) cores: Cores,
}

/// What examinations of objects need, beside the keys.
pub(crate) struct Examinations {
    /// The recipients of the cluster; `None` until they are loaded, and then nothing is examined.
    pub(crate) recipients: watch::Receiver<Option<Arc<Recipients>>>,
    /// The turns of all objects, of both groups.
    pub(crate) pace: Arc<Pace>,
}

/// The result of a look at an object.
pub(crate) struct Looked {
    pub(crate) next: Next,
    /// How the look left the object; `None` if that isn't known, because a request failed or came too late.
    pub(crate) left: Option<Left>,
}

/// How a look left an object and its Secret. As long as both stay like this, and so do the keys and recipients, another
/// look would do nothing.
pub(crate) struct Left {
    /// The status that the look published; `None` if the object kept its status.
    pub(crate) status: Option<SealedSecretStatus>,
    /// The version of the Secret that the look wrote; `None` if it wrote none, and the Secret is as it was found.
    pub(crate) secret: Option<SecretVersion>,
}

/// The cause of the next look at the object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// A change of the object, its Secret or the keys.
    OnChange,
    /// This time has passed, or a change: something failed that may pass by itself, or it is the object's turn to
    /// be examined.
    After(Duration),
}

/// The result of a successful attempt.
struct Done {
    outcome: Outcome,
    /// The wait until the object's turn to be examined; `None` if it isn't due for that.
    turn: Option<Duration>,
    /// Whether the object was examined in a turn of its own.
    took_turn: bool,
}

/// What an attempt did.
enum Outcome {
    /// The Secret was in sync, so nothing was opened.
    Kept(Remarks, Option<Look>),
    /// The object was opened; `healed` says that this undid somebody's change.
    Opened { reconciled: Box<Reconciled>, healed: bool, secret: SecretAfter },
}

/// The Secret after a look.
enum SecretAfter {
    /// It is as it was observed.
    Observed,
    /// It has this version; `None` if it is another one than was observed, and nothing was written.
    Put(Option<SecretVersion>),
}

/// The status after a look.
enum Published {
    /// It is the one before the look.
    Unchanged,
    /// It is this one.
    New(Box<SealedSecretStatus>),
    /// The object has changed meanwhile, so nothing was published.
    Stale,
}

/// What the keys of the cluster have to do with an object.
struct Keys {
    keyring: Arc<Keyring>,
    /// `None` on a host, and until the recipients are loaded.
    asked: Option<Asked>,
}

/// The question that an examination would answer, with what it takes.
struct Asked {
    question: Question,
    look: Look,
    recipients: Arc<Recipients>,
}

/// The reason why an object is examined now.
enum Examines {
    /// It is its turn.
    InTurn(#[expect(dead_code, reason = "the turn ends when this is dropped")] Running),
    /// It is opened anyway, and the rest is little.
    Along,
}

/// Brings one object's Secret and status up to date.
pub(crate) async fn reconcile<S: Store>(context: &Context<S>, object: &S::Object) -> Next {
    look(context, object).await.next
}

/// As [`reconcile`], and also tells how the object was left.
pub(crate) async fn look<S: Store>(context: &Context<S>, object: &S::Object) -> Looked {
    let last = context.store.last(object);
    let outcome = attempt(context, object, &last).await;
    context.metrics.reconciled(outcome.as_ref().err());

    let turn = outcome.as_ref().ok().and_then(|done| done.turn);
    let took_turn = outcome.as_ref().is_ok_and(|done| done.took_turn);
    let outcome = outcome.map(|done| done.outcome);
    let published = match &outcome {
        Ok(Outcome::Kept(remarks, look)) => keep(context, object, &last, remarks, look.as_ref()).await,
        Ok(Outcome::Opened { reconciled, healed, .. }) => {
            if *healed {
                let message = "the Secret had been changed or deleted, and is what it should be again";
                let notice =
                    Notice { warning: true, reason: Reason::Healed.as_str(), message: message.to_owned() };
                tell(context, object, &notice).await;
                context.metrics.healed();
            }
            report(context, object, &last, Ok(reconciled)).await
        }
        Err(failure) => report(context, object, &last, Err(failure)).await,
    };
    let place = context.store.place(object).ok();
    // Findings that came along with an opening cost no turn, so losing them takes none away.
    if took_turn
        && !matches!(published, Ok(Published::Unchanged | Published::New(_)))
        && let (Some(examinations), Some(place)) = (&context.examinations, &place)
    {
        examinations.pace.lost(&(last.format, place.clone()), Instant::now());
    }
    if matches!(published, Ok(Published::Stale)) {
        // The change wakes the object sooner than this wait ends, and then it is decided afresh. No status
        // was written, so nothing is logged.
        tracing::debug!(
            place = place.as_ref().map(tracing::field::display),
            "the object has changed meanwhile"
        );
        let next = Next::After(context.backoff.failed(place, Whose::Objects, Instant::now()));
        return Looked { next, left: None };
    }
    let left = left(&outcome, &published);
    // Both failures count: if the status of a refusal couldn't be written, it must be tried again.
    let failures: Vec<Failure> = outcome.err().into_iter().chain(published.err()).collect();
    for failure in failures.iter().filter(|failure| !says(&last, failure)) {
        let then = if failure.is_permanent() { "refused" } else { "will try again" };
        tracing::warn!(reason = failure.reason.as_str(), %failure, place = place.as_ref().map(tracing::field::display), "{then}");
    }
    let next = if failures.iter().all(Failure::is_permanent) {
        context.backoff.passed(place.as_ref());
        turn.map_or(Next::OnChange, Next::After)
    } else {
        let is_the_objects = failures.iter().any(|it| !it.is_permanent() && it.whose() == Whose::Objects);
        let whose = if is_the_objects { Whose::Objects } else { Whose::ApiServers };
        Next::After(context.backoff.failed(place, whose, Instant::now()))
    };
    Looked { next, left }
}

/// How a look with this outcome left the object.
fn left(outcome: &Result<Outcome, Failure>, published: &Result<Published, Failure>) -> Option<Left> {
    let secret = match outcome {
        Ok(Outcome::Opened { secret: SecretAfter::Put(version), .. }) => Some(version.clone()?),
        Ok(_) | Err(_) => None,
    };
    match published {
        Ok(Published::Unchanged) => Some(Left { status: None, secret }),
        Ok(Published::New(status)) => Some(Left { status: Some((**status).clone()), secret }),
        Ok(Published::Stale) | Err(_) => None,
    }
}

async fn attempt<S: Store>(context: &Context<S>, object: &S::Object, last: &Last) -> Result<Done, Failure> {
    let store = &context.store;
    let place = store.place(object)?;
    context.policy.admit_place(&place)?;
    let successor = store.successor(object).await?;
    if successor.is_some() {
        store.share(object).await?;
    }
    let successor = precedence(&place, successor)?;
    let sealed = decode(context, object, &place, last).await?;
    context.policy.admit(&*sealed)?;
    let sealed = reveal(context, sealed).await?;

    let Observed { state, extra, left_out } = store.observe(object, &*sealed).await?;
    let mut remarks = Remarks { left_out, extra, successor };
    let Keys { keyring, asked } = keys_of(context, &*sealed, last);
    let is_due = asked.as_ref().is_some_and(|asked| asked.question.is_due(last) && !asked.look.is_keyless);
    let planned = plan(&place, last, state)?;
    if matches!(planned, Plan::Write { .. })
        && !context.backoff.may_write(&place, last.generation, Instant::now())
    {
        return Err(contested());
    }
    let is_kept = planned == Plan::Keep;
    let comes_along =
        !is_kept && asked.as_ref().is_some_and(|asked| asked.question.comes_along(&*sealed, &keyring));
    let turn = match is_due {
        true if comes_along => Ok(Some(Examines::Along)),
        true => context.begin_examination(&place, last).transpose(),
        false => Ok(None),
    };
    let (examines, waits) = match turn {
        Ok(examines) => (examines, None),
        Err(wait) => (None, Some(wait)),
    };
    let planned = if examines.is_some() { planned.and_examine() } else { planned };
    let (write, heals) = match planned {
        Plan::Keep => {
            let outcome = Outcome::Kept(remarks, asked.map(|asked| asked.look));
            return Ok(Done { outcome, turn: waits, took_turn: false });
        }
        Plan::Verify => (None, false),
        Plan::Write { write, heals } => (Some(write), heals),
    };
    let took_turn = matches!(examines, Some(Examines::InTurn(_)));
    let look = asked.as_ref().map(|asked| Look { missing: Vec::new(), ..asked.look.clone() });
    let (unsealed, findings) = match (examines, asked) {
        (Some(examines), Some(asked)) => {
            let look = asked.look.clone();
            match examine(context, sealed.clone(), keyring, asked, examines).await {
                Ok((unsealed, findings)) => (unsealed, Some(findings)),
                // The Secret is right all the same, and the look says that a key is gone.
                Err(failure) if is_kept && look.is_key_missing() && failure.reason.about() == About::Key => {
                    return Ok(Done { outcome: Outcome::Kept(remarks, Some(look)), turn: None, took_turn });
                }
                Err(failure) => return Err(failure),
            }
        }
        _ => {
            let opening = sealed.clone();
            (open(context, &place, keyring, move |keys| opening.unseal(keys)).await?, None)
        }
    };
    let (mut healed, mut version, mut secret) = (false, None, SecretAfter::Observed);
    if let Some(write) = write {
        let written = store.write(object, &*sealed, write, &unsealed.data).await?;
        if written.changed {
            context.metrics.written();
            tracing::info!(%place, ?write, heals, "wrote the Secret");
            healed = heals;
        }
        (remarks.extra, version) = (written.extra, written.version);
        secret = SecretAfter::Put(version.clone());
    }
    let (items, by) = (unsealed.data.len(), unsealed.opened_by);
    let reconciled = Box::new(Reconciled { items, by, remarks, version, findings, look });
    Ok(Done { outcome: Outcome::Opened { reconciled, healed, secret }, turn: waits, took_turn })
}

/// The keys at hand, and the question about the object that they raise.
fn keys_of<S: Store>(context: &Context<S>, sealed: &dyn Sealed, last: &Last) -> Keys {
    let keyring = context.keys.borrow().clone();
    let recipients = context.examinations.as_ref().and_then(|needed| needed.recipients.borrow().clone());
    let asked = recipients.map(|recipients| {
        let question = Question::new(sealed, &keyring, &recipients);
        let tried = sealed.tried(&keyring);
        let (source, comparison) = (question.source.clone(), question.comparison.clone());
        let missing = missing(last, &tried);
        let look = Look { source, comparison, missing, is_keyless: tried.is_empty() };
        Asked { question, look, recipients }
    });
    Keys { keyring, asked }
}

impl<S> Context<S> {
    /// Begins the object's examination; `Some(Err)` is the wait until its turn, and `None` means that nothing is
    /// examined here.
    fn begin_examination(&self, place: &Place, last: &Last) -> Option<Result<Examines, Duration>> {
        let pace = &self.examinations.as_ref()?.pace;
        Some(pace.run((last.format, place.clone())).map(Examines::InTurn))
    }
}

/// Examines the object off the async threads. Its turn ends with the work.
async fn examine<S>(
    context: &Context<S>,
    sealed: Arc<dyn Sealed>,
    keyring: Arc<Keyring>,
    asked: Asked,
    examines: Examines,
) -> Result<(Unsealed, Findings), Failure> {
    let Asked { question, recipients, .. } = asked;
    let place = sealed.place().clone();
    open(context, &place, keyring, move |keys| {
        let _turn = examines;
        question.answer(&*sealed, keys, &recipients)
    })
    .await
}

fn contested() -> Failure {
    Failure::new(Reason::Contested, "somebody keeps changing the Secret back; it is left alone for a while")
}

/// The most bytes of an object that is decoded where it stands: one as small keeps no thread busy for long.
const SMALL: usize = 8 << 10;

/// What is said where a bug met one object, which is no reason to stop all others.
const INTERRUPTED: &str = "decoding the object was interrupted";

/// Decodes the object, a large one off the async threads: its content decides how long this takes, and a busy thread
/// answers nobody.
async fn decode<S: Store>(
    context: &Context<S>,
    object: &S::Object,
    place: &Place,
    last: &Last,
) -> Result<Arc<dyn Sealed>, Failure> {
    if (1..=SMALL).contains(&context.store.weight(object)) {
        let decoded = catch_unwind(AssertUnwindSafe(|| S::decode(object, last, &context.policy)));
        return decoded.unwrap_or_else(|_| Err(Failure::new(Reason::Interrupted, INTERRUPTED)));
    }
    let (object, last, policy) = (object.clone(), last.clone(), context.policy.clone());
    let core = context.cores.take(&place.namespace);
    apart(core, INTERRUPTED, move || S::decode(&object, &last, &policy)).await?
}

/// Returns the object with its shape known. If the shape is sealed in too, the object is opened at every
/// look, because nothing else shows whether its Secret is in sync. Only the deprecated `data` of the Bitnami
/// format is like that.
async fn reveal<S>(context: &Context<S>, sealed: Arc<dyn Sealed>) -> Result<Arc<dyn Sealed>, Failure> {
    if sealed.is_revealed() {
        return Ok(sealed);
    }
    let opening = sealed.clone();
    let keys = context.keys.borrow().clone();
    let revealed = open(context, sealed.place(), keys, move |keys| opening.reveal(keys)).await?;
    Ok(revealed.unwrap_or(sealed))
}

/// Opens the object off the async threads, because key operations take time.
async fn open<S, T: Send + 'static>(
    context: &Context<S>,
    place: &Place,
    keys: Arc<Keyring>,
    with: impl FnOnce(&Keyring) -> Result<T, UnsealError> + Send + 'static,
) -> Result<T, Failure> {
    let core = context.cores.take(&place.namespace);
    context.metrics.unsealed();
    Ok(apart(core, "opening the object was interrupted", move || with(&keys)).await??)
}

/// Does `work` on a thread that isn't needed for answers, as soon as a core is free for it. The work keeps the core until
/// it ends, even if nobody waits for it any more.
async fn apart<T: Send + 'static>(
    core: impl Future<Output = Core>,
    interrupted: &'static str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Failure> {
    let core = core.await;
    let work = move || {
        let _core = core;
        work()
    };
    let done = tokio::task::spawn_blocking(work).await;
    // The task panicked, or the runtime is going down. The panic's message stays in the task.
    done.map_err(|_| Failure::new(Reason::Interrupted, interrupted))
}

/// Publishes the status of an object that wasn't opened, if it has to change.
async fn keep<S: Store>(
    context: &Context<S>,
    object: &S::Object,
    last: &Last,
    remarks: &Remarks,
    look: Option<&Look>,
) -> Result<Published, Failure> {
    let kept = kept_status(last, remarks, look, Timestamp::now());
    let (Some(before), Some(status)) = (&last.status, kept) else {
        return Ok(Published::Unchanged);
    };
    // A person who adds an item and removes it, again and again, changes the status each time. This is
    // limited like writes of the Secret.
    let is_asked = handled(&status) != handled(before);
    if !is_asked {
        let place = context.store.place(object)?;
        if !context.backoff.may_write(&place, last.generation, Instant::now()) {
            return Err(contested());
        }
    }
    publish(context, object, last, status, Ok(remarks)).await
}

async fn report<S: Store>(
    context: &Context<S>,
    object: &S::Object,
    last: &Last,
    outcome: Result<&Reconciled, &Failure>,
) -> Result<Published, Failure> {
    let status = next_status(last, outcome, Timestamp::now());
    publish(context, object, last, status, outcome.map(|reconciled| &reconciled.remarks)).await
}

/// Writes a status that differs from the last, as far as it fits beside the object, and tells people the news in
/// it.
async fn publish<S: Store>(
    context: &Context<S>,
    object: &S::Object,
    last: &Last,
    status: SealedSecretStatus,
    outcome: Result<&Remarks, &Failure>,
) -> Result<Published, Failure> {
    let status = fitting(status, context.store.weight(object), last, Timestamp::now());
    if last.status.as_ref() == Some(&status) {
        return Ok(Published::Unchanged);
    }
    if context.store.report(object, &status).await? == Reported::Stale {
        return Ok(Published::Stale);
    }
    for notice in news(last, &status, outcome) {
        // A failure is logged by the reconcile, whether or not it could be published.
        match outcome {
            Ok(_) => tell(context, object, &notice).await,
            Err(_) => context.store.notify(object, &notice).await,
        }
    }
    Ok(Published::New(Box::new(status)))
}

/// Tells people of a notice; a warning also goes to the log.
async fn tell<S: Store>(context: &Context<S>, object: &S::Object, notice: &Notice) {
    if notice.warning {
        let place = context.store.place(object).ok();
        let place = place.as_ref().map(tracing::field::display);
        tracing::warn!(place, reason = notice.reason, "{}", notice.message);
    }
    context.store.notify(object, notice).await;
}

#[cfg(test)]
mod tests;
