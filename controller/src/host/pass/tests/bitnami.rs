//! SealedSecrets of the Bitnami format on a host: the same core, another key file.
//!
//! Not the format, which has tests of its own.

use seal_crds::Binding;
use seal_crds::bitnami::seal_item;
use seal_crds::keys::Certificate;
use serde_json::{Value, json};

use super::*;

const KEY: &str = include_str!("../../../../../crds/src/keys/testdata/rsa-2048.pem");
const CERTIFICATE: &str = include_str!("../../../../../crds/src/keys/testdata/rsa-2048.crt");

fn commit(site: &Site, at: &str, scope: Scope, value: &str) {
    commit_with(site, at, scope, value, &json!({}));
}

fn commit_with(site: &Site, at: &str, scope: Scope, value: &str, templates: &Value) {
    let certificate = Certificate::from_pem(CERTIFICATE).unwrap();
    let sealed = seal_item(certificate.public_key(), &Binding::new(scope, &place(at)), value.as_bytes());
    let (namespace, name) = at.split_once('/').unwrap();
    let mut manifest = json!({
        "apiVersion": "bitnami.com/v1alpha1", "kind": "SealedSecret",
        "metadata": {"namespace": namespace, "name": name, "annotations": {}},
        "spec": {"encryptedData": {"password": sealed}, "template": {"data": templates}},
    });
    if let Some(annotation) = scope.bitnami_annotation() {
        manifest["metadata"]["annotations"][annotation] = json!("true");
    }
    site.commit_text(&format!("{namespace}-{name}.json"), &manifest.to_string());
}

#[tokio::test]
async fn sealed_secrets_of_the_peers_format_become_files_and_native_ones_go_before_them() {
    let site = Site::new();
    fs::write(site.path("rsa.pem"), KEY).unwrap();
    let key = format!("--identity={}", site.path("rsa.pem").display());
    commit(&site, "prod/db", Scope::Strict, "theirs");
    commit(&site, "prod/wide", Scope::ClusterWide, "wide");
    let mut agent = site.agent(&[&key]);
    assert!(pass(&mut agent).await.is_complete());
    assert_eq!(site.item("prod/db/password").as_deref(), Some("theirs"));
    assert_eq!(site.item("prod/wide/password").as_deref(), Some("wide"));
    assert_eq!(site.condition("prod/db").unwrap().0, "True/Synced");
    let (opened, before) = (count(&agent, "unseals"), site.fingerprint());
    pass(&mut agent).await;
    assert_eq!((count(&agent, "unseals"), site.fingerprint()), (opened, before));

    // A migration: the native manifest beside the Bitnami one, and then alone.
    site.commit("prod/db", "ours");
    for _ in 0..2 {
        assert!(pass(&mut agent).await.is_complete());
        assert_eq!(site.item("prod/db/password").as_deref(), Some("ours"));
        let _ = fs::remove_file(site.path("manifests/prod-db.json"));
    }
}

/// The flags refuse the native object. The Secret that the Bitnami object made stays, first with both
/// manifests there, then with the native one alone.
#[tokio::test]
async fn a_migration_that_is_refused_on_a_host_takes_nothing_away() {
    let site = Site::new();
    fs::write(site.path("rsa.pem"), KEY).unwrap();
    let key = format!("--identity={}", site.path("rsa.pem").display());
    commit(&site, "prod/db", Scope::ClusterWide, "theirs");
    let mut agent = site.agent(&[&key]);
    assert!(pass(&mut agent).await.is_complete());
    let native = site.sealed("prod/db", Scope::ClusterWide, &[("password", "ours")]);
    site.commit_text("native.yaml", &native);
    for _ in 0..3 {
        assert!(!pass(&mut agent).await.is_complete());
        assert_eq!(site.condition("prod/db").unwrap().1, "ScopeRefused");
        assert_eq!(site.item("prod/db/password").as_deref(), Some("theirs"));
        let _ = fs::remove_file(site.path("manifests/prod-db.json"));
    }
    drop(agent);
    let mut allowed = site.agent(&[&key, "--allowed-scopes=cluster-wide"]);
    assert!(pass(&mut allowed).await.is_complete());
    assert_eq!(site.item("prod/db/password").as_deref(), Some("ours"));
}

#[tokio::test]
async fn an_item_that_null_leaves_out_has_no_file_and_loses_the_one_it_had() {
    let site = Site::new();
    fs::write(site.path("rsa.pem"), KEY).unwrap();
    commit(&site, "prod/db", Scope::Strict, "hunter2");
    let mut agent = site.agent(&[&format!("--identity={}", site.path("rsa.pem").display())]);
    assert!(pass(&mut agent).await.is_complete());
    assert_eq!(site.item("prod/db/password").as_deref(), Some("hunter2"));
    let file = site.path("manifests/prod-db.json");
    let mut manifest: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    manifest["spec"]["template"] = json!({"data": {"password": null, "url": "{{ .password }}@db"}});
    site.commit_text("prod-db.json", &manifest.to_string());
    assert!(pass(&mut agent).await.is_complete());
    assert_eq!(site.item("prod/db/password"), None);
    assert_eq!(site.item("prod/db/url").as_deref(), Some("hunter2@db"));
}

#[tokio::test]
async fn the_flags_of_this_format_count_on_a_host_too() {
    let site = Site::new();
    fs::write(site.path("rsa.pem"), KEY).unwrap();
    let key = format!("--identity={}", site.path("rsa.pem").display());
    commit(&site, "prod/wide", Scope::ClusterWide, "wide");
    let mut agent = site.agent(&[&key, "--bitnami-allowed-scopes=strict"]);
    assert!(!pass(&mut agent).await.is_complete());
    assert_eq!(site.condition("prod/wide").unwrap().1, "ScopeRefused");
    assert_eq!(site.item("prod/wide/password"), None);
}

#[tokio::test]
async fn templates_that_never_end_are_refused_and_keep_no_other_object_waiting() {
    let site = Site::new();
    fs::write(site.path("rsa.pem"), KEY).unwrap();
    let key = format!("--identity={}", site.path("rsa.pem").display());
    // Each template calls the one before it twice.
    let double = |n: usize| {
        format!(
            "{{{{define \"t{n}\"}}}}{0}{0}{{{{end}}}}",
            format_args!("{{{{template \"t{}\"}}}}", n.saturating_sub(1))
        )
    };
    let text = (1..=60).map(double).collect::<String>() + "{{define \"t0\"}}{{end}}{{template \"t60\"}}";
    for at in ["prod/one", "prod/two", "prod/three"] {
        commit_with(&site, at, Scope::Strict, "x", &json!({ "t": text }));
    }
    commit(&site, "prod/zzz", Scope::Strict, "good");
    for flags in [&[key.as_str()][..], &[&key, "--allow-template-branching"]] {
        let mut agent = site.agent(flags);
        assert!(!pass(&mut agent).await.is_complete());
        for name in ["prod/one", "prod/two", "prod/three"] {
            assert_eq!(site.condition(name).unwrap().1, "InvalidTemplate");
        }
        assert_eq!(site.item("prod/zzz/password").as_deref(), Some("good"));
    }
}
