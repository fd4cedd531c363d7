//! Secrets of every kind, sealed and committed, come back as native Secrets to the last byte.

use seal_crds::Scope;
use serde_json::json;

use super::scene::Scene;
use super::sealing::Sealing;

const SCOPES: [Scope; 3] = [Scope::Strict, Scope::NamespaceWide, Scope::ClusterWide];
const ALL_SCOPES: &str = "--allowed-scopes=strict,namespace-wide,cluster-wide";

/// Commits the Secret in all scopes, to a controller that opens all of them, and compares the result.
#[track_caller]
fn comes_back(scene: &Scene, kind: &str, secret: impl Fn(Sealing<'_>) -> Sealing<'_>) {
    for scope in SCOPES {
        let name = format!("{kind}-{scope}");
        let sealing = secret(scene.seal(&name)).scope(scope);
        let (values, type_) = (sealing.values(), sealing.spec().template.type_);
        sealing.commit();
        let object = scene.until_ready(&name);
        assert!(scene.data(&name) == values, "{name}: other values came back");
        assert_eq!(object["status"]["items"], json!(values.len()), "{name}");
        let secret = scene.secret(&name).unwrap();
        assert_eq!(secret["type"], json!(type_.as_deref().unwrap_or("Opaque")), "{name}");
        let owner = &secret["metadata"]["ownerReferences"][0];
        assert_eq!(owner["uid"], object["metadata"]["uid"], "{name}");
        assert_eq!((&owner["controller"], &owner["blockOwnerDeletion"]), (&json!(true), &json!(false)));
    }
}

#[test]
fn secrets_of_the_built_in_types_come_back() {
    let scene = Scene::new("types");
    let _controller = scene.start(&[ALL_SCOPES]);
    let pem = |what: &str| format!("-----BEGIN {what}-----\nMIIBszCCAVmgAwIBAgIU\n-----END {what}-----\n");
    comes_back(&scene, "tls", |seal| {
        let seal = seal.of_type("kubernetes.io/tls");
        seal.item("tls.crt", pem("CERTIFICATE")).item("tls.key", pem("PRIVATE KEY"))
    });
    let auths = r#"{"auths":{"registry.example.com":{"auth":"dXNlcjpwYXNz"}}}"#;
    comes_back(&scene, "docker", |seal| {
        seal.of_type("kubernetes.io/dockerconfigjson").item(".dockerconfigjson", auths)
    });
    comes_back(&scene, "basic", |seal| {
        seal.of_type("kubernetes.io/basic-auth").item("username", "admin").item("password", "t0p-Secret")
    });
    comes_back(&scene, "ssh", |seal| {
        seal.of_type("kubernetes.io/ssh-auth").item("ssh-privatekey", pem("OPENSSH PRIVATE KEY"))
    });
}

/// The SealedSecret is too large for client-side apply, which puts a copy into an annotation.
#[test]
fn a_binary_value_of_500_kb_comes_back() {
    let scene = Scene::new("large");
    let _controller = scene.start(&[ALL_SCOPES]);
    let bytes: Vec<u8> = (0..500_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    comes_back(&scene, "large", |seal| seal.item("keystore.p12", &bytes));
}

#[test]
fn a_secret_with_200_items_comes_back() {
    let scene = Scene::new("many");
    let _controller = scene.start(&[ALL_SCOPES]);
    comes_back(&scene, "many", |seal| {
        (0..200).fold(seal, |seal, n| seal.item(&format!("item-{n}"), format!("value {n}")))
    });
}

#[test]
fn values_and_item_names_that_yaml_and_go_would_change_come_back() {
    let scene = Scene::new("odd");
    let _controller = scene.start(&[ALL_SCOPES]);
    comes_back(&scene, "odd", |seal| {
        seal.item("on", "yes")
            .item("null", "~")
            .item("1e3", "0x1F")
            .item("_._-A", "trailing newline\n")
            .item("empty", "")
            .item("zeros", [0; 64])
            .item("not-utf-8", [0xff, 0xfe, 0x00, 0x80])
            .item("umlauts", "Pässwörter: 密码 🔑\u{202e}")
    });
}

#[test]
fn template_data_is_filled_in_beside_the_items() {
    let scene = Scene::new("template");
    let _controller = scene.start(&[]);
    scene
        .seal("db")
        .template_item("password", "p\"ss")
        .label("app.kubernetes.io/name", "db")
        .annotation("example.com/team", "storage")
        .template("url", "postgres://app:$(password|url)@db/$$(HOME)")
        .commit();
    scene.until_ready("db");
    assert_eq!(scene.data("db")["url"], b"postgres://app:p%22ss@db/$(HOME)");
    assert_eq!(scene.data("db")["password"], b"p\"ss");
    let metadata = &scene.secret("db").unwrap()["metadata"];
    assert_eq!(metadata["labels"], json!({"app.kubernetes.io/name": "db"}));
    assert_eq!(metadata["annotations"]["example.com/team"], "storage");
}

#[test]
fn a_cluster_wide_object_is_refused_where_the_flag_does_not_allow_it() {
    let scene = Scene::new("scope");
    let _controller = scene.start(&[]);
    scene.seal("wide").item("a", "1").scope(Scope::ClusterWide).commit();
    let message = scene.until_stalled("wide", "ScopeRefused");
    assert!(message.contains("cluster-wide") && message.contains("--allowed-scopes"), "{message}");
    assert_eq!(scene.secret("wide"), None);
}
