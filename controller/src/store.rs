//! The seam between the reconcile core and where Secrets live.
//!
//! Two stores implement it: the Kubernetes API ([`crate::cluster`]) and a directory ([`crate::host`]). A
//! store reports the state that it finds, and writes as it is told. Invariant: the core never learns which
//! store it runs over, and a store never decides whether to write.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::Arc;

use seal_crds::resources::{SealedSecretStatus, SecretVersion};
use seal_crds::secret::LeftOut;
use seal_crds::{Format, ItemName, Place, Plaintext, Sealed};

use crate::failure::Failure;
use crate::policy::Policy;

/// A place that holds sealed objects and their Secrets.
pub(crate) trait Store: Send + Sync + 'static {
    /// A sealed object as the store holds it, perhaps malformed. Cheap to clone: it goes to other threads.
    type Object: Clone + Send + Sync + 'static;

    /// The object's namespace and name.
    ///
    /// # Errors
    ///
    /// A permanent failure if they may not be used.
    fn place(&self, object: &Self::Object) -> Result<Place, Failure>;

    /// The native object of the same name, if `object` has the Bitnami format; `None` if there is no such
    /// object.
    fn successor(
        &self,
        object: &Self::Object,
    ) -> impl Future<Output = Result<Option<Successor>, Failure>> + Send;

    /// Makes an object and its successor share their Secret, so that it goes only when both have gone.
    fn share(&self, object: &Self::Object) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Parses the object; `last` is the status that it has. The object's content decides how long this takes,
    /// so it is called off the async threads only.
    ///
    /// # Errors
    ///
    /// A permanent failure that describes the fault.
    fn decode(object: &Self::Object, last: &Last, policy: &Policy) -> Result<Arc<dyn Sealed>, Failure>;

    /// The object's last status, with what a next one needs to know of the object.
    fn last(&self, object: &Self::Object) -> Last;

    /// Looks at the object's Secret. Reads metadata only, never a value.
    fn observe(
        &self,
        object: &Self::Object,
        sealed: &dyn Sealed,
    ) -> impl Future<Output = Result<Observed, Failure>> + Send;

    /// Writes the Secret as the object says, unless a second look finds it in sync.
    ///
    /// # Guarantees
    ///
    /// The Secret is old or new, never in between. The store looks at it again before it writes: a foreign
    /// Secret that appeared since [`Store::observe`] stays as it is.
    fn write(
        &self,
        object: &Self::Object,
        sealed: &dyn Sealed,
        write: Write,
        data: &BTreeMap<ItemName, Plaintext>,
    ) -> impl Future<Output = Result<Written, Failure>> + Send;

    /// The bytes that the object has without its status. A status is bounded by what is left; zero if nothing bounds
    /// it.
    fn weight(&self, object: &Self::Object) -> usize;

    /// Publishes a status. The core calls it only with a status that differs from the last.
    ///
    /// # Guarantees
    ///
    /// A status isn't published onto an object that has changed since the decision.
    fn report(
        &self,
        object: &Self::Object,
        status: &SealedSecretStatus,
    ) -> impl Future<Output = Result<Reported, Failure>> + Send;

    /// Tells people of a transition or a healing. The notice may be lost.
    fn notify(&self, object: &Self::Object, notice: &Notice) -> impl Future<Output = ()> + Send;
}

/// The state of an object before this reconcile.
#[derive(Clone, Debug, Default)]
pub(crate) struct Last {
    /// The object's format; the users of each format read other conditions and Events.
    pub(crate) format: Format,
    /// A number that changes with every change of the object's spec.
    pub(crate) generation: i64,
    /// The object's status; `None` before the first reconcile.
    pub(crate) status: Option<SealedSecretStatus>,
    /// The requests to look at the object, which the next status repeats.
    pub(crate) requests: Requests,
}

/// The requests to look at an object now, by annotations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Requests {
    /// Flux's.
    pub(crate) flux: Option<String>,
    /// Anybody's.
    pub(crate) own: Option<String>,
}

/// The native object of the same name as a Bitnami object. A migration has both for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Successor {
    /// The native object controls the Secret.
    Owns,
    /// The native object is Ready, and has no Secret at the moment.
    Ready,
    /// The native object doesn't make the Secret. This holds the reason of its condition Ready, once it has
    /// one.
    NotReady(Option<String>),
}

/// The result of a look at an object's Secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Observed {
    /// Whose the Secret is, and whether it is in sync.
    pub(crate) state: SecretState,
    /// Items that a Secret of ours holds beside those of the object. Somebody added them, or the Secret had
    /// them when it was adopted. They stay.
    pub(crate) extra: BTreeSet<ItemName>,
    /// Labels and annotations of the template that the Secret doesn't get; empty in a store without labels.
    pub(crate) left_out: Vec<LeftOut>,
}

/// The state of an object's Secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SecretState {
    /// There is no Secret.
    Absent,
    /// The Secret belongs to somebody else.
    Foreign {
        /// The Secret permits this object to take it over.
        adoptable: bool,
    },
    /// The Secret is ours.
    Ours(SyncState),
    /// The Secret is ours or may be adopted, but it is immutable, and isn't known to hold the object's
    /// values.
    Immutable,
}

/// Whether a Secret of ours is what the object says, as far as its metadata shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SyncState {
    /// The Secret is what the object says.
    InSync,
    /// Somebody has changed the Secret since it was in sync; the metadata shows no change of our fields.
    Touched,
    /// Nobody has changed the Secret, but another version of the renderer made it, and this one may make other
    /// bytes.
    Outdated,
    /// The Secret isn't what the object says, or may not be.
    Drifted,
}

/// How to write the Secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Write {
    /// Create it; fail if there is one.
    Create,
    /// Write our Secret again, as the object says.
    Update,
    /// Take over a Secret of somebody else's that permits it.
    Adopt,
}

/// The result of a write.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Written {
    /// The write changed something.
    pub(crate) changed: bool,
    /// The version of the Secret after the write; `None` if nothing was written, or the store has no
    /// versions.
    pub(crate) version: Option<SecretVersion>,
    /// As [`Observed::extra`], after the write.
    pub(crate) extra: BTreeSet<ItemName>,
}

/// The result of publishing a status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Reported {
    /// The published status is the decided one.
    UpToDate,
    /// The object has changed since the decision, or is gone, so nothing was published. The change wakes the
    /// object again.
    Stale,
}

/// One sentence for people about one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Notice {
    /// Somebody should look at this.
    pub(crate) warning: bool,
    /// The reason for programs, in CamelCase.
    pub(crate) reason: &'static str,
    /// The sentence.
    pub(crate) message: String,
}
