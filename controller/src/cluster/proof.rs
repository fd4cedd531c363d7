//! Opens every SealedSecret that the API server has, with the keys that would be left.
//!
//! [`crate::keys`] asks. Each list is a consistent read, so an object that was there when the key's deletion began, and
//! is there still, is in it; caches and statuses aren't asked. Only native objects are opened: a sealing key of ours
//! opens nothing of the Bitnami format, whose objects need RSA keys.
//!
//! The controller's policy isn't applied: an object that a flag refuses today may be allowed tomorrow. Invariant: an
//! object counts as opened only if it unseals as a whole at its own place.

use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use kube::Client;
use kube::api::ListParams;
use seal_crds::keys::Keyring;
use seal_crds::resources::Group;
use seal_crds::{Namespace, Reason};

use super::api::failure;
use super::object::Object;
use super::store::ClusterStore;
use super::work::objects;
use crate::failure::Failure;
use crate::policy::Policy;
use crate::proof::{Needing, Proof};
use crate::store::{Last, Store as _};

/// The most objects of one page: each may be over a megabyte, and all of a page is in memory at once.
const PAGE: u32 = 20;

/// The proof over a cluster.
pub(crate) struct ClusterProof {
    pub(crate) client: Client,
    /// The only namespace that the controller watches; then it can't prove anything about the others.
    pub(crate) watch: Option<Namespace>,
    /// The flags, of which only those about the forms of objects matter here.
    pub(crate) policy: Policy,
}

impl Proof for ClusterProof {
    fn needing(&self, keys: Arc<Keyring>) -> BoxFuture<'_, Result<Needing, Failure>> {
        self.ask(keys).boxed()
    }
}

impl ClusterProof {
    async fn ask(&self, keys: Arc<Keyring>) -> Result<Needing, Failure> {
        if let Some(namespace) = &self.watch {
            return Ok(Needing::Unknown(format!(
                "this controller watches namespace {namespace} alone (--watch-namespace), so it can't tell whether a \
                 SealedSecret elsewhere needs the key"
            )));
        }
        let api = objects(&self.client, None, Group::NATIVE);
        let mut params = ListParams::default().limit(PAGE);
        let mut found = Vec::new();
        loop {
            let page = api.list(&params).await;
            let page = page.map_err(|error| failure("listing SealedSecrets for a proof", &error))?;
            found.extend(shut(page.items, keys.clone(), self.policy.clone()).await?);
            match page.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) if !Needing::is_enough(&found) => params = params.continue_token(&token),
                _ => return Ok(Needing::of(found)),
            }
        }
    }
}

/// The objects that don't open, by namespace and name. Opens them off the async threads.
async fn shut(page: Vec<Object>, keys: Arc<Keyring>, policy: Policy) -> Result<Vec<String>, Failure> {
    let work = move || {
        page.into_iter().map(Arc::new).filter_map(|object| is_shut(&object, &keys, &policy)).collect()
    };
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|_| Failure::new(Reason::Interrupted, "a proof was interrupted"))
}

fn is_shut(object: &Arc<Object>, keys: &Keyring, policy: &Policy) -> Option<String> {
    let sealed = ClusterStore::decode(object, &Last::default(), policy).ok();
    let opens = sealed.is_some_and(|sealed| sealed.unseal(keys).is_ok());
    (!opens).then(|| object.name())
}
