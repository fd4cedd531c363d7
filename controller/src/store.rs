//! The seam between the reconcile core and where Secrets live.
//!
//! Two stores implement it: the Kubernetes API ([`crate::cluster`]) and a directory ([`crate::host`]). Not
//! a cache and not a decision: a store says what it finds and does what it is told. Invariant: the core
//! never learns which store it runs over, and a store never decides whether to write.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::Arc;

use seal_crds::resources::{SealedSecretStatus, SecretVersion};
use seal_crds::secret::LeftOut;
use seal_crds::{Format, ItemName, Place, Plaintext, Sealed};

use crate::failure::Failure;
use crate::policy::Policy;

/// Where sealed objects come from and Secrets go to.
pub(crate) trait Store: Send + Sync + 'static {
    /// A sealed object as the store holds it, perhaps malformed. Cheap to clone: it goes to other threads.
    type Object: Clone + Send + Sync + 'static;

    /// Where the object is.
    ///
    /// # Errors
    ///
    /// A permanent failure where its namespace or name may not be used.
    fn place(&self, object: &Self::Object) -> Result<Place, Failure>;

    /// The native object of the same name, for an object of the peer's format; none where there is none.
    fn successor(
        &self,
        object: &Self::Object,
    ) -> impl Future<Output = Result<Option<Successor>, Failure>> + Send;

    /// Makes the Secret of an object that has a successor go only when both have gone.
    fn share(&self, object: &Self::Object) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Parses the object, of which `last` was said. Takes time by what is in the object, so it is called off the async
    /// threads only.
    ///
    /// # Errors
    ///
    /// A permanent failure that says what is wrong with it.
    fn decode(object: &Self::Object, last: &Last, policy: &Policy) -> Result<Arc<dyn Sealed>, Failure>;

    /// What was said of the object last.
    fn last(&self, object: &Self::Object) -> Last;

    /// What is found where the Secret belongs. Reads metadata only, never a value.
    fn observe(
        &self,
        object: &Self::Object,
        sealed: &dyn Sealed,
    ) -> impl Future<Output = Result<Observed, Failure>> + Send;

    /// Makes the Secret what the object says, if a second look doesn't find it right already.
    ///
    /// # Guarantees
    ///
    /// The Secret is old or new, never in between. It is looked at again before it is touched: a foreign
    /// one that appeared since [`Store::observe`] stays as it is.
    fn write(
        &self,
        object: &Self::Object,
        sealed: &dyn Sealed,
        write: Write,
        data: &BTreeMap<ItemName, Plaintext>,
    ) -> impl Future<Output = Result<Written, Failure>> + Send;

    /// Publishes a status; called only when it differs from the last.
    ///
    /// # Guarantees
    ///
    /// A status that was decided on what is no longer so isn't published.
    fn report(
        &self,
        object: &Self::Object,
        status: &SealedSecretStatus,
    ) -> impl Future<Output = Result<Reported, Failure>> + Send;

    /// Tells people of a transition or a healing. May be lost.
    fn notify(&self, object: &Self::Object, notice: &Notice) -> impl Future<Output = ()> + Send;
}

/// What is known of an object before this reconcile.
#[derive(Clone, Debug, Default)]
pub(crate) struct Last {
    /// The format, whose users look in different places for what is said.
    pub(crate) format: Format,
    /// Changes with every change of what the object asks for.
    pub(crate) generation: i64,
    /// The status as it stands; none before anybody looked.
    pub(crate) status: Option<SealedSecretStatus>,
    /// `reconcile.fluxcd.io/requestedAt`, to be echoed.
    pub(crate) requested_at: Option<String>,
}

/// A native object of the same name, as far as it concerns one of the peer's. A migration has both for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Successor {
    /// It controls the Secret.
    Owns,
    /// It is Ready, and has no Secret at the moment.
    Ready,
    /// It doesn't make the Secret; with the reason of its condition, once it has one.
    NotReady(Option<String>),
}

/// What was found where the Secret belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Observed {
    /// Whose it is, and whether it is right.
    pub(crate) target: Target,
    /// Items that a Secret of ours holds and that aren't from the object: somebody added them, or they were there
    /// when it was adopted. They stay.
    pub(crate) extra: BTreeSet<ItemName>,
    /// Labels and annotations of the template that it doesn't get; none where a Secret has no such thing.
    pub(crate) left_out: Vec<LeftOut>,
}

/// What is where the Secret belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// Nothing.
    Absent,
    /// Somebody else's; `adoptable` where it permits this object to take it over.
    Foreign {
        /// Whether it says that it may be adopted.
        adoptable: bool,
    },
    /// Ours.
    Ours(State),
    /// Ours, or it permits to be taken over; but it is immutable, and not known to hold what the object says.
    Fixed,
}

/// Whether a Secret of ours is what the object says, as far as metadata tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// It is.
    Right,
    /// It was, somebody has changed it since, and by all that metadata shows nothing of ours.
    Touched,
    /// It isn't, or may not be.
    Drifted,
}

/// What to do to the Secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Write {
    /// Make it; refuse where one is there.
    Create,
    /// Make ours what the object says.
    Update,
    /// Take over somebody else's, which permits it.
    Adopt,
}

/// What became of a write.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Written {
    /// Whether it changed anything.
    pub(crate) changed: bool,
    /// The Secret as it was left, where it was written and the store has versions.
    pub(crate) version: Option<SecretVersion>,
    /// As [`Observed::extra`], afterwards.
    pub(crate) extra: BTreeSet<ItemName>,
}

/// What became of a status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Reported {
    /// What is published is what was decided.
    UpToDate,
    /// The object has changed since it was looked at, or is gone, so nothing was published. The change is cause for
    /// another look.
    Stale,
}

/// One sentence for people about one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Notice {
    /// Whether somebody should look.
    pub(crate) warning: bool,
    /// CamelCase, for programs.
    pub(crate) reason: &'static str,
    /// For people.
    pub(crate) message: String,
}
