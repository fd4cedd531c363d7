//! A Secret that sealed-secrets would take for one of its keys.
//!
//! [`super`] decides whether it is one. Invariant: its private half is wiped on drop, and the type has no
//! `Debug`, as [`seal_crds::keys::stored::KeySecret`] has none.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use seal_crds::plaintext::WipedString;
use seal_crds::resources::bitnami::SEALING_KEY_LABEL;
use serde::Deserialize;

/// A TLS Secret, as the API server sends it.
#[derive(Deserialize)]
pub(crate) struct TlsSecret {
    pub(super) metadata: ObjectMeta,
    #[serde(default)]
    pub(super) data: TlsData,
}

/// The two items of a TLS Secret, in base64.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct TlsData {
    #[serde(rename = "tls.key")]
    pub(super) key: WipedString,
    #[serde(rename = "tls.crt")]
    pub(super) certificate: WipedString,
}

impl TlsSecret {
    /// The value of the label that sealed-secrets gives its keys.
    pub(in crate::keys) fn label(&self) -> Option<&str> {
        self.metadata.labels.as_ref()?.get(SEALING_KEY_LABEL).map(String::as_str)
    }
}
