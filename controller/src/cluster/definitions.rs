//! Waits for the definitions of our own kinds. Without them the controller can neither watch SealedSecrets
//! nor publish a key.
//!
//! It doesn't wait for the definition of sealed-secrets, which a cluster may never have. Invariant: the
//! controller waits only if the API server answers that they are missing; any other trouble shows in the
//! first request that meets it.

use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::APIResourceList;
use kube::{Client, Resource as _};
use seal_crds::resources::{API_VERSION, GROUP, SealedSecret, SealingKey};

use super::api::is_code;

/// Waits until the API server serves our kinds, and logs the missing ones until then.
pub(crate) async fn wait(client: &Client) {
    let mut said = Vec::new();
    loop {
        let missing = match client.list_api_group_resources(API_VERSION).await {
            Ok(served) => missing(&served),
            Err(error) if is_code(&error, 404) => missing(&APIResourceList::default()),
            Err(_) => return,
        };
        if missing.is_empty() {
            return;
        }
        if missing != said {
            tracing::warn!(
                missing = missing.join(", "),
                "the cluster lacks definitions; install them with: seal-controller crds | kubectl apply \
                 --server-side --force-conflicts -f -"
            );
            said = missing;
        }
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
}

/// The names of the definitions that aren't served.
fn missing(served: &APIResourceList) -> Vec<String> {
    let kinds = [SealedSecret::plural(&()), SealingKey::plural(&())];
    let is_served = |plural: &str| served.resources.iter().any(|resource| resource.name == plural);
    kinds.iter().filter(|plural| !is_served(plural)).map(|plural| format!("{plural}.{GROUP}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn served(names: &[&str]) -> APIResourceList {
        let resources: Vec<_> = names.iter().map(|name| serde_json::json!({"name": name})).collect();
        serde_json::from_value(serde_json::json!({"resources": resources})).unwrap()
    }

    #[test]
    fn each_kind_that_is_not_served_is_named() {
        assert_eq!(missing(&served(&["sealedsecrets", "sealedsecrets/status", "sealingkeys"])), [""; 0]);
        assert_eq!(missing(&served(&["sealedsecrets", "sealedsecrets/status"])), ["sealingkeys.sealing.dev"]);
        assert_eq!(missing(&served(&[])), ["sealedsecrets.sealing.dev", "sealingkeys.sealing.dev"]);
    }
}
