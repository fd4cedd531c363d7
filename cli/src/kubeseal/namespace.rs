//! The namespace of a Secret that names none: the flag's, else the kubeconfig's, in kubectl's order.
//!
//! The commands of `seal` never take it from a kubeconfig, since it is part of what is sealed. kubeseal does,
//! and scripts rely on it. Invariant: no cluster is asked.

use std::env;

use super::failure::KubesealError;
use crate::keys::cluster::Access;

/// The file of a Pod's service account that holds its namespace.
const IN_CLUSTER: &str = "/var/run/secrets/kubernetes.io/serviceaccount/namespace";

/// The namespace that was chosen.
pub(super) struct ChosenNamespace {
    pub(super) namespace: String,
    /// Whether the user typed it as a flag.
    pub(super) is_typed: bool,
}

/// Chooses the namespace: the flag's, else the kubeconfig's, else that of the Pod around this program.
///
/// # Errors
///
/// [`KubesealError::NoConfiguration`], if none of them names a namespace.
pub(super) fn find(flag: Option<&str>, access: &Access) -> Result<ChosenNamespace, KubesealError> {
    if let Some(flag) = flag {
        return Ok(ChosenNamespace { namespace: flag.to_owned(), is_typed: true });
    }
    let namespace = from_kubeconfig(access).or_else(in_cluster).ok_or(KubesealError::NoConfiguration)?;
    Ok(ChosenNamespace { namespace, is_typed: false })
}

/// The namespace of the context, if the context is usable, which means that its cluster has a server.
fn from_kubeconfig(access: &Access) -> Option<String> {
    let default = || "default".to_owned();
    let Ok(kubeconfig) = access.read() else {
        return access.server.url.as_ref().map(|_| default());
    };
    let context = access.context.as_ref().or(kubeconfig.current_context.as_ref())?;
    let context = kubeconfig.contexts.iter().find(|known| known.name == *context)?.context.as_ref()?;
    let cluster = access.cluster.as_ref().unwrap_or(&context.cluster);
    let cluster = kubeconfig.clusters.iter().find(|known| known.name == *cluster);
    let server = cluster.and_then(|known| known.cluster.as_ref()?.server.as_ref());
    access.server.url.as_ref().or(server).filter(|server| !server.is_empty())?;
    Some(context.namespace.clone().filter(|namespace| !namespace.is_empty()).unwrap_or_else(default))
}

/// The namespace of the Pod around this program, if there is one.
fn in_cluster() -> Option<String> {
    env::var_os("KUBERNETES_SERVICE_HOST").filter(|host| !host.is_empty())?;
    let given = env::var("POD_NAMESPACE").ok().filter(|namespace| !namespace.is_empty());
    given.or_else(|| {
        let text = std::fs::read_to_string(IN_CLUSTER).ok()?;
        Some(text.trim().to_owned()).filter(|namespace| !namespace.is_empty())
    })
}
