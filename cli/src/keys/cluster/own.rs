//! Our controller in a cluster: its SealingKeys, as people who look after them read and change them.
//!
//! A SealingKey is changed under the resourceVersion that the change was decided on, so that two people, or a person
//! and the controller, never undo each other's work. Invariant: a state only rises.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ListMeta, ObjectMeta};
use kube::api::{ListParams, Patch, PatchParams};
use kube::core::{ApiResource, DynamicObject, GroupVersionKind, Request};
use kube::{Api, Resource as _};
use seal_crds::Namespace;
use seal_crds::resources::{Group, KeyState, SealingKey};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::access::Access;
use super::connect::{Connection, connect};
use super::error::ConnectError;
use super::name_of;
use crate::args::ClusterArgs;

/// The name under which the API server records changes of this program.
const FIELD_MANAGER: &str = "seal";

/// How often a change is decided afresh because somebody else was quicker.
const MAX_TRIES: usize = 5;

/// How many objects the API server is asked for at once. A SealedSecret may have more than a megabyte.
const PAGE: u32 = 100;

/// The most pages of a list: an end for a server that always names one more.
const MAX_PAGES: usize = 10_000;

/// A cluster, and the namespace of our controller in it.
pub(crate) struct Cluster {
    pub(super) connection: Connection,
    namespace: String,
}

/// The outcome of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Changed {
    /// The object was changed.
    Now,
    /// It was like that already.
    Already,
}

/// The outcome of listing objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Listed {
    All,
    /// The cluster has no such kind.
    NotDefined,
    /// The user may not list them.
    NotAllowed,
}

/// A page of a list of SealedSecrets.
#[derive(Deserialize)]
struct Page {
    #[serde(default)]
    metadata: ListMeta,
    items: Vec<Item>,
}

/// A SealedSecret of a list. Its parts are kept as text: the definition of `bitnami.com` allows values that nest without
/// end, so whoever may create objects in one namespace would stop every list.
#[derive(Deserialize)]
struct Item {
    metadata: ItemMetadata,
    spec: Option<Box<RawValue>>,
    status: Option<Box<RawValue>>,
}

/// The metadata that commands read. The rest is passed over: managedFields nest as deep as the spec.
#[derive(Deserialize)]
struct ItemMetadata {
    name: Option<String>,
    namespace: Option<String>,
    generation: Option<i64>,
    annotations: Option<BTreeMap<String, String>>,
}

impl From<Item> for DynamicObject {
    fn from(Item { metadata, spec, status }: Item) -> Self {
        let value = |text: Option<Box<RawValue>>| -> Value {
            text.and_then(|text| serde_json::from_str(text.get()).ok()).unwrap_or_default()
        };
        let ItemMetadata { name, namespace, generation, annotations } = metadata;
        let metadata = ObjectMeta { name, namespace, generation, annotations, ..ObjectMeta::default() };
        Self { types: None, metadata, data: json!({ "spec": value(spec), "status": value(status) }) }
    }
}

impl Cluster {
    /// Connects to the cluster, for our controller's namespace.
    pub(crate) fn connect(args: &ClusterArgs) -> Result<Self, ConnectError> {
        Self::connect_for(args, args.own_namespace())
    }

    /// Connects to the cluster, for another namespace.
    pub(crate) fn connect_for(args: &ClusterArgs, namespace: &str) -> Result<Self, ConnectError> {
        Ok(Self { connection: connect(Access::from(args))?, namespace: namespace.to_owned() })
    }

    /// The namespace of the controller.
    pub(crate) fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The context of the kubeconfig.
    pub(crate) fn context(&self) -> &str {
        &self.connection.context
    }

    /// The URL of the API server.
    pub(crate) fn server(&self) -> &str {
        &self.connection.server
    }

    /// The cluster, for messages.
    pub(crate) fn summary(&self) -> String {
        format!("context {} ({})", self.context(), self.server())
    }

    /// The cluster and the namespace, for messages.
    pub(crate) fn summary_of_namespace(&self) -> String {
        format!("{}, namespace {}", self.summary(), self.namespace)
    }

    /// All SealingKeys in the controller's namespace, also those that others planted there.
    pub(crate) fn sealing_keys(&self) -> Result<Vec<SealingKey>, ConnectError> {
        let list = async { self.api().list(&ListParams::default()).await };
        Ok(self.connection.run(&self.namespace, list)?.items)
    }

    /// The SealingKey of this name; `None` if there is none.
    pub(crate) fn sealing_key(&self, name: &str) -> Result<Option<SealingKey>, ConnectError> {
        self.connection.run(&self.namespace, async { self.api().get_opt(name).await })
    }

    /// Hands every SealedSecret of a group to `each`: those of a namespace, or of all. They are listed as plain JSON, so
    /// that one that has another form than this program knows stops no list. A spec or status that nests too deep to be
    /// read is handed over as absent.
    pub(crate) fn each_sealed_secret(
        &self,
        group: Group,
        namespace: Option<&Namespace>,
        mut each: impl FnMut(DynamicObject),
    ) -> Result<Listed, ConnectError> {
        let kind = GroupVersionKind::gvk(group.name, group.version, group.kind);
        let resource = ApiResource::from_gvk_with_plural(&kind, group.plural);
        let url = DynamicObject::url_path(&resource, namespace.map(Namespace::as_str));
        let mut params = ListParams::default().limit(PAGE);
        for _ in 0..MAX_PAGES {
            let page = match self.connection.attempt_any(self.page(&url, &params))? {
                Ok(page) => page,
                Err(403) => return Ok(Listed::NotAllowed),
                Err(404) => return Ok(Listed::NotDefined),
                Err(_) => {
                    return Err(ConnectError::Contended { what: "the list of SealedSecrets".to_owned() });
                }
            };
            page.items.into_iter().map(DynamicObject::from).for_each(&mut each);
            match page.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => params = params.continue_token(&token),
                None => return Ok(Listed::All),
            }
        }
        Err(ConnectError::Contended { what: "the list of SealedSecrets".to_owned() })
    }

    async fn page(&self, url: &str, params: &ListParams) -> kube::Result<Page> {
        let request = Request::new(url).list(params).map_err(kube::Error::BuildRequest)?;
        let text = self.connection.client.request_text(request).await?;
        serde_json::from_str(&text).map_err(kube::Error::SerdeError)
    }

    /// Asks for a state of a key, unless a state as high is asked for already.
    pub(crate) fn ask_state(&self, key: &SealingKey, state: KeyState) -> Result<Changed, ConnectError> {
        self.change(key, |key| (key.spec.state < state).then(|| json!({ "state": state })))
    }

    /// Says that the private half of a key is gone, and that somebody knows. An acknowledgement that came before the loss is
    /// taken back instead; once the controller has seen that, it is time to say it anew.
    pub(crate) fn acknowledge_loss(&self, key: &SealingKey) -> Result<Changed, ConnectError> {
        self.change(key, |key| {
            let counts = !key.is_acknowledgement_void();
            (key.spec.loss_acknowledged != counts).then(|| json!({ "lossAcknowledged": counts }))
        })
    }

    /// Merges into the spec of a SealingKey what `decide` says. If somebody was quicker, it decides again on what is
    /// there now.
    fn change(
        &self,
        key: &SealingKey,
        decide: impl Fn(&SealingKey) -> Option<Value>,
    ) -> Result<Changed, ConnectError> {
        let name = name_of(key);
        let mut key = key.clone();
        for _ in 0..MAX_TRIES {
            let Some(spec) = decide(&key) else { return Ok(Changed::Already) };
            let patch =
                json!({ "metadata": { "resourceVersion": key.metadata.resource_version }, "spec": spec });
            let params =
                PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
            let doing = format!("change SealingKey {name} in namespace {}", self.namespace);
            let patched = async { self.api().patch(&name, &params, &Patch::Merge(&patch)).await };
            match self.connection.attempt(&doing, patched)? {
                Ok(_) => return Ok(Changed::Now),
                Err(409) => {}
                // A definition of before may call final what this program takes back.
                Err(422) => return Err(ConnectError::Refused { what: format!("SealingKey {name}") }),
                Err(_) => return Err(ConnectError::Gone { what: format!("SealingKey {name}") }),
            }
            match self.sealing_key(&name)? {
                Some(now) if now.spec.recipient == key.spec.recipient => key = now,
                _ => return Err(ConnectError::Gone { what: format!("SealingKey {name}") }),
            }
        }
        Err(ConnectError::Contended { what: format!("SealingKey {name}") })
    }

    fn api(&self) -> Api<SealingKey> {
        Api::namespaced(self.connection.client.clone(), &self.namespace)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_that_nests_too_deep_stops_no_list() {
        let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
        let text = format!(
            r#"{{"metadata":{{"continue":"more"}},"items":[{{"metadata":{{"name":"deep","managedFields":{deep}}},"spec":{deep},"status":{{"a":1}}}},{{"metadata":{{"name":"db"}},"spec":{{"b":2}}}}]}}"#
        );
        let page: Page = serde_json::from_str(&text).unwrap();
        assert_eq!(page.metadata.continue_.as_deref(), Some("more"));
        let objects: Vec<DynamicObject> = page.items.into_iter().map(Into::into).collect();
        let parts = |object: &DynamicObject| (object.metadata.name.clone().unwrap(), object.data.clone());
        assert_eq!(parts(&objects[0]), ("deep".to_owned(), json!({"spec": null, "status": {"a": 1}})));
        assert_eq!(parts(&objects[1]), ("db".to_owned(), json!({"spec": {"b": 2}, "status": null})));
    }
}
