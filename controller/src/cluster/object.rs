//! A SealedSecret as the watch delivers it, perhaps malformed.
//!
//! Not [`SealedSecret`]: an object that doesn't fit that type would make the whole list fail, and then one
//! malformed object would stop all the others. Nor kube's `DeserializeGuard`, which keeps only metadata: the
//! last status is needed to see that a malformed object was reported already. Invariant: whatever the
//! apiserver stores under this kind deserializes.

use std::borrow::Cow;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use kube::core::NamespaceResourceScope;
use seal_crds::resources::{SealedSecret, SealedSecretStatus};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Object {
    #[serde(default)]
    pub(super) metadata: ObjectMeta,
    /// Ciphertext and public text; decoded when it is needed.
    #[serde(default)]
    pub(super) spec: Value,
    #[serde(default, deserialize_with = "readable")]
    pub(super) status: Option<SealedSecretStatus>,
}

/// A status that can't be read is none: it is written anew.
fn readable<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SealedSecretStatus>, D::Error> {
    Ok(serde_json::from_value(Value::deserialize(deserializer)?).ok())
}

impl Resource for Object {
    type DynamicType = ();
    type Scope = NamespaceResourceScope;

    fn kind((): &()) -> Cow<'_, str> {
        SealedSecret::kind(&())
    }

    fn group((): &()) -> Cow<'_, str> {
        SealedSecret::group(&())
    }

    fn version((): &()) -> Cow<'_, str> {
        SealedSecret::version(&())
    }

    fn plural((): &()) -> Cow<'_, str> {
        SealedSecret::plural(&())
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn whatever_is_stored_deserializes() {
        for object in [
            json!({}),
            json!({"metadata": {"name": "db"}, "spec": 7, "status": "x"}),
            json!({"metadata": {}, "spec": {"scope": []}, "status": {"conditions": [{"type": 1}]}}),
        ] {
            let object: Object = serde_json::from_value(object).unwrap();
            assert!(object.status.is_none());
        }
        let status = json!({"status": {"observedGeneration": 4}});
        let object: Object = serde_json::from_value(status).unwrap();
        assert_eq!(object.status.unwrap().observed_generation, 4);
    }
}
