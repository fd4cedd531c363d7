//! Opens every SealedSecret that the API server has, with the keys that would be left, and tells later whether there is
//! another one.
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
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Client;
use kube::api::{Api, ListParams};
use seal_crds::keys::Keyring;
use seal_crds::resources::{Group, SealedSecret};
use seal_crds::{Namespace, Reason};

use super::api::{failure, is_code};
use super::metadata::Metadata;
use super::object::Object;
use super::store::ClusterStore;
use super::work::objects;
use crate::failure::Failure;
use crate::policy::Policy;
use crate::proof::{Needing, Opened, Proof};
use crate::store::{Last, Store as _};

/// The most objects of one page: each may be over a megabyte, and all of a page is in memory at once.
const PAGE: u32 = 20;

/// The same where only metadata is listed.
const PAGE_OF_METADATA: u32 = 100;

/// The proof over a cluster.
pub(crate) struct ClusterProof {
    pub(crate) client: Client,
    /// The only namespace that the controller watches; then it can't prove anything about the others.
    pub(crate) watch: Option<Namespace>,
    /// The flags, of which only those about the forms of objects matter here.
    pub(crate) policy: Policy,
}

impl Proof for ClusterProof {
    fn needing(&self, keys: Arc<Keyring>, known: Opened) -> BoxFuture<'_, Result<Needing, Failure>> {
        self.ask(keys, known).boxed()
    }

    fn is_all<'a>(&'a self, opened: &'a Opened) -> BoxFuture<'a, Result<bool, Failure>> {
        self.compare(opened).boxed()
    }
}

impl ClusterProof {
    async fn ask(&self, keys: Arc<Keyring>, known: Opened) -> Result<Needing, Failure> {
        if let Some(namespace) = &self.watch {
            return Ok(Needing::Unknown(format!(
                "this controller watches namespace {namespace} alone (--watch-namespace), so it can't tell whether a \
                 SealedSecret elsewhere needs the key"
            )));
        }
        let api = objects(&self.client, None, Group::NATIVE);
        let mut params = ListParams::default().limit(PAGE);
        let (mut found, mut opened) = (Vec::new(), Opened::default());
        loop {
            let page = match api.list(&params).await {
                Err(error) if is_code(&error, 404) => {
                    let why =
                        "the cluster lacks the definition of SealedSecrets, and with it everybody's objects";
                    return Ok(Needing::Unknown(why.to_owned()));
                }
                page => page.map_err(|error| failure("listing SealedSecrets for a proof", &error))?,
            };
            let mut new = Vec::new();
            for object in page.items {
                match id(&object.metadata).filter(|id| known.has(id)) {
                    Some(id) => opened.insert(id),
                    None => new.push(object),
                }
            }
            for (object, opens) in try_all(new, keys.clone(), self.policy.clone()).await? {
                match id(&object.metadata) {
                    Some(id) if opens => opened.insert(id),
                    _ => found.push(object.name()),
                }
            }
            match page.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) if !Needing::is_enough(&found) => params = params.continue_token(&token),
                _ => return Ok(Needing::of(found, opened)),
            }
        }
    }

    async fn compare(&self, opened: &Opened) -> Result<bool, Failure> {
        let api: Api<Metadata<SealedSecret>> = Api::all(self.client.clone());
        let mut params = ListParams::default().limit(PAGE_OF_METADATA);
        let mut objects = Vec::new();
        loop {
            let page = api.list(&params).await;
            let page = page.map_err(|error| failure("listing SealedSecrets after a proof", &error))?;
            objects.extend(page.items.iter().map(|object| id(&object.metadata)));
            match page.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => params = params.continue_token(&token),
                None => return Ok(opened.is_all_of(&objects)),
            }
        }
    }
}

/// What an object is told by from another, and from itself with another spec. The API server gives every object both.
fn id(metadata: &ObjectMeta) -> Option<(String, i64)> {
    Some((metadata.uid.clone()?, metadata.generation?))
}

/// Tells of each object whether it opens, and does so off the async threads.
async fn try_all(
    page: Vec<Object>,
    keys: Arc<Keyring>,
    policy: Policy,
) -> Result<Vec<(Arc<Object>, bool)>, Failure> {
    let opens = move |object: &Arc<Object>| {
        let sealed = ClusterStore::decode(object, &Last::default(), &policy).ok();
        sealed.is_some_and(|sealed| sealed.unseal(&keys).is_ok())
    };
    let work = move || {
        let objects = page.into_iter().map(Arc::new);
        objects.map(|object| (opens(&object), object)).map(|(opens, object)| (object, opens)).collect()
    };
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|_| Failure::new(Reason::Interrupted, "a proof was interrupted"))
}
