//! Secrets of every kind, sealed, committed, and back as native Secrets to the last byte.

use seal_crds::Scope;
use serde_json::json;

use super::scene::{Scene, condition};
use super::sealing::Sealing;

const SCOPES: [Scope; 3] = [Scope::Strict, Scope::NamespaceWide, Scope::ClusterWide];

/// Commits it in all scopes to a controller that opens all, and compares.
fn comes_back(prefix: &str, secret: impl Fn(Sealing<'_>) -> Sealing<'_>) {
    let scene = Scene::new(prefix);
    let _controller = scene.start(&["--allowed-scopes=strict,namespace-wide,cluster-wide"]);
    for scope in SCOPES {
        let name = format!("a-{scope}");
        let sealing = secret(scene.seal(&name)).scope(scope);
        let (values, template) = (sealing.values(), sealing.spec().template);
        sealing.commit();
        let status = scene.until_ready(&name)["status"].clone();
        assert!(scene.data(&name) == values, "{name}: other values came back");
        let found = scene.secret(&name).unwrap();
        assert_eq!(found["type"], json!(template.type_.as_deref().unwrap_or("Opaque")));
        assert_eq!(status["items"], json!(values.len()));
        let owner = &found["metadata"]["ownerReferences"][0];
        assert_eq!(owner["uid"], scene.sealed(&name)["metadata"]["uid"]);
        assert_eq!((&owner["controller"], &owner["blockOwnerDeletion"]), (&json!(true), &json!(false)));
    }
}

#[test]
fn a_tls_secret_comes_back() {
    let pem = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
    comes_back("tls", |seal| {
        seal.of_type("kubernetes.io/tls")
            .item("tls.crt", pem)
            .item("tls.key", pem.replace("CERTIFICATE", "KEY"))
    });
}
