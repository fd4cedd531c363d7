//! From a SealedSecret of the peer's to its Secret, with the status and Events that the peer's users look at.

use seal_crds::bitnami::seal_item;
use seal_crds::keys::RsaPrivateKey;
use seal_crds::{Binding, Place, Scope};
use seal_foreign::is_unprintable;
use seal_tests::control_plane::succeed_with;
use seal_tests::wait::until;
use serde_json::{Value, json};

use super::scene::Peers;
use crate::cluster::scene::{Scene, condition};
use crate::many_keys::KEYS;

#[test]
fn every_scope_opens_where_it_allows_and_synced_is_said_first() {
    let (peers, _controller) = Peers::with_controller("peers");
    let (scene, namespace) = (&peers.scene, peers.scene.namespace.as_str());
    peers.seal("strict").item("a", "1").label("app", "db").annotation("example.com/x", "y").commit();
    peers.seal("wide").scope(Scope::NamespaceWide).for_place(namespace, "other").item("a", "2").commit();
    peers.seal("widest").scope(Scope::ClusterWide).for_place("other", "other").item("a", "3").commit();
    for (name, value) in [("strict", b"1"), ("wide", b"2"), ("widest", b"3")] {
        let object = peers.until_ready(name);
        assert_eq!(scene.data(name)["a"], value);
        assert_eq!(object["status"]["conditions"][0]["type"], "Synced");
        assert_eq!(condition(&object, "Synced").0, "True");
        let secret = scene.secret(name).unwrap();
        let owner = &secret["metadata"]["ownerReferences"][0];
        assert_eq!(
            (&owner["apiVersion"], &owner["uid"]),
            (&json!("bitnami.com/v1alpha1"), &object["metadata"]["uid"])
        );
    }
    let secret = scene.secret("strict").unwrap();
    assert_eq!((&secret["metadata"]["labels"]["app"], &secret["type"]), (&json!("db"), &json!("Opaque")));
    until("it is told in the peer's words", || {
        scene.events("strict").iter().any(|(reason, _)| reason == "Unsealed")
    });
    scene.api().merge(&scene.secrets("strict"), &json!({"data": {"a": "eA=="}})).unwrap();
    until("drift is healed", || scene.data("strict")["a"] == b"1");
    scene.api().delete(&peers.path("strict")).unwrap();
    until("the Secret is collected", || scene.secret("strict").is_none());
}

#[test]
fn what_can_not_be_opened_is_said_in_both_ways_and_once() {
    let (peers, controller) = Peers::with_controller("shut");
    peers.seal("bad").for_place(&peers.scene.namespace, "other").item("a", "1").commit();
    let message = peers.until_stalled("bad", "CannotOpen");
    let object = peers.sealed("bad");
    assert_eq!(condition(&object, "Synced"), ("False".to_owned(), "CannotOpen".to_owned(), message));
    until("it is told", || peers.scene.events("bad").iter().any(|(reason, _)| reason == "ErrUnsealFailed"));
    let _controller = peers.scene.restart(controller);
    peers.after("later");
    assert_eq!(peers.sealed("bad"), object);
    assert_eq!(peers.scene.secret("bad"), None);
}

/// Text that somebody wrote into a manifest reaches the terminal of everybody who reads the status or the Events.
#[test]
fn words_of_a_manifest_are_escaped_and_cut_in_status_and_events() {
    let (peers, controller) = Peers::with_controller("words");
    let hostile = "\u{1b}]0;x\u{7}\u{202e}\u{e0041}\u{ad}\n";
    let long = "x".repeat(200_000);
    let templates = [
        ("type", json!({"type": format!("{hostile}{long}")})),
        ("function", json!({"data": {"b": format!("{{{{ {long} }}}}")}})),
        ("text", json!({"data": {"b": format!("{{{{ 1{hostile} }}}}")}})),
    ];
    for (name, template) in &templates {
        let mut manifest = peers.seal(name).item("a", "1").manifest();
        manifest["spec"]["template"] = template.clone();
        peers.commit(&manifest);
    }
    let mut said = Vec::new();
    for (name, _) in templates {
        said.push(peers.until_stalled(name, "InvalidTemplate"));
        until("it is told", || !peers.scene.events(name).is_empty());
        said.extend(peers.scene.events(name).into_iter().map(|(_, note)| note));
    }
    for text in &said {
        assert!(text.len() <= 1024 && !text.chars().any(is_unprintable), "{}", text.escape_debug());
    }
    assert!(said[0].contains(r"\u{1b}]0;x\u{7}\u{202e}\u{e0041}\u{ad}\nxx"), "{}", said[0]);
    let log = controller.log();
    assert!(log.lines().all(|line| line.len() < 8192 && !line.chars().any(is_unprintable)));
}

#[test]
fn a_second_start_opens_and_writes_nothing() {
    let (peers, controller) = Peers::with_controller("again");
    for name in ["a", "b", "c"] {
        peers.seal(name).item("a", "1").commit();
        peers.until_ready(name);
    }
    let controller = peers.scene.restart(controller);
    peers.after("later");
    assert_eq!(controller.metric("seal_controller_unseals_total"), 1);
    assert_eq!(controller.metric("seal_controller_secret_writes_total"), 1);
}

#[test]
fn a_whole_secret_that_was_sealed_at_once_has_its_shape_and_is_kept_right() {
    let (peers, controller) = Peers::with_controller("whole");
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db", "labels": {"app": "db"}},
        "type": "example.com/db", "data": {"a": "MQ=="},
    });
    peers.seal("db").whole(&secret).commit();
    peers.until_ready("db");
    let made = peers.scene.secret("db").unwrap();
    assert_eq!((&made["type"], &made["data"]), (&secret["type"], &secret["data"]));
    assert_eq!(made["metadata"]["labels"], json!({"app": "db"}));
    let controller = peers.scene.restart(controller);
    peers.after("later");
    assert_eq!(peers.scene.secret("db").unwrap(), made, "nothing had to be written");
    assert_eq!(controller.metric("seal_controller_secret_writes_total"), 1, "the later one's");
    peers.scene.api().merge(&peers.scene.secrets("db"), &json!({"data": {"a": null}})).unwrap();
    until("drift is healed", || peers.scene.data("db").contains_key("a"));
}

#[test]
fn templates_are_rendered_and_branch_only_where_a_flag_lets_them() {
    let peers = Peers::new("templates");
    let mut controller = peers.scene.start(&[]);
    let with = |text: &str| {
        let mut manifest = peers.seal("db").item("a", "x").manifest();
        manifest["spec"]["template"]["data"] = json!({"url": text});
        peers.commit(&manifest);
    };
    with("https://{{ .a | upper }}");
    peers.until_ready("db");
    assert_eq!(peers.scene.data("db")["url"], b"https://X");
    with("{{ if .a }}yes{{ end }}");
    let message = peers.until_stalled("db", "InvalidTemplate");
    assert!(message.contains("url"), "{message}");
    assert!(controller.terminate().success());
    let _controller = peers.scene.start(&["--allow-template-branching"]);
    peers.until_ready("db");
    assert_eq!(peers.scene.data("db")["url"], b"yes");
}

/// A client-side apply sends a merge patch, in which `null` removes the field.
#[test]
fn an_item_that_null_leaves_out_is_not_in_the_secret_unless_kubectl_drops_the_null() {
    let (peers, _controller) = Peers::with_controller("omitted");
    let scene = &peers.scene;
    let sealed = |name: &str, round: &str| {
        let sealing = peers.seal(name).item("a", "1").item("b", "2").omit("a").label("round", round);
        let mut manifest = sealing.manifest();
        manifest["spec"]["template"]["data"]["t"] = json!("<{{ .a }}>");
        manifest
    };
    let kubectl = |args: &[&str], manifest: &Value| {
        let mut kubectl = scene.plane.kubectl(args);
        succeed_with(kubectl.args(["-n", &scene.namespace, "-f", "-"]), &manifest.to_string());
    };
    let until_its_keys_are = |name: &str, round: &str, keys: &[&str]| {
        until(&format!("{name} has {keys:?}"), || {
            let labels = scene.secret(name).map(|secret| secret["metadata"]["labels"]["round"] == round);
            labels == Some(true) && scene.data(name).keys().eq(keys)
        });
        assert_eq!(scene.data(name)["t"], b"<1>");
    };
    for (name, first, again) in [
        ("server-side", &["apply", "--server-side"][..], &["apply", "--server-side"][..]),
        ("replaced", &["create"], &["replace"]),
    ] {
        for (round, args) in [("1", first), ("2", again)] {
            kubectl(args, &sealed(name, round));
            until_its_keys_are(name, round, &["b", "t"]);
        }
    }
    kubectl(&["apply"], &sealed("client-side", "1"));
    until_its_keys_are("client-side", "1", &["a", "b", "t"]);
    // Without the null the item is back, and with the null it goes again.
    let removed = json!({"spec": {"template": {"data": {"a": null}}}});
    scene.api().merge(&peers.path("replaced"), &removed).unwrap();
    until_its_keys_are("replaced", "2", &["a", "b", "t"]);
    kubectl(&["apply", "--server-side", "--force-conflicts"], &sealed("replaced", "3"));
    until_its_keys_are("replaced", "3", &["b", "t"]);
}

#[test]
fn scopes_and_namespaces_are_refused_by_the_flags_of_this_format() {
    let peers = Peers::on(Scene::in_one_namespace("refused"));
    let mut controller = peers.scene.start(&[]);
    peers.seal("db").item("a", "1").commit();
    peers.until_stalled("db", "NamespaceRefused");
    assert!(controller.terminate().success());
    let _controller = peers.scene.start(&["--allow-own-namespace", "--bitnami-allowed-scopes=strict"]);
    peers.until_ready("db");
    peers.seal("wide").scope(Scope::ClusterWide).item("a", "1").commit();
    let message = peers.until_stalled("wide", "ScopeRefused");
    assert!(message.contains("--bitnami-allowed-scopes"), "{message}");
    assert_eq!(peers.scene.secret("wide"), None);
}

/// Keys are renewed every month and items are added one by one, so one object has items for many keys.
#[test]
fn an_object_whose_items_are_sealed_to_many_keys_is_made_and_all_of_them_are_named() {
    let peers = Peers::new("many-keys");
    let scene = &peers.scene;
    let keys = RsaPrivateKey::all_from_pem(KEYS).unwrap();
    for (index, key) in keys.iter().enumerate() {
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls",
            "metadata": {
                "name": format!("many-{index}"),
                "labels": {"sealedsecrets.bitnami.com/sealed-secrets-key": "active"},
            },
            "stringData": {"tls.crt": "", "tls.key": &*key.to_secret_pem()},
        });
        scene.api().create(&scene.identities(""), &secret).unwrap();
    }
    let _controller = scene.start(&[]);
    let place = Place { namespace: scene.namespace.parse().unwrap(), name: "db".parse().unwrap() };
    let binding = Binding::new(Scope::Strict, &place);
    let mut manifest = peers.seal("db").item("a", "1").manifest();
    for (index, key) in keys.iter().enumerate() {
        let sealed = seal_item(key.public_key(), &binding, b"x");
        manifest["spec"]["encryptedData"][format!("i{index}")] = json!(sealed);
    }
    peers.commit(&manifest);
    let object = peers.until_ready("db");
    assert_eq!(object["status"]["openedBy"].as_array().unwrap().len(), keys.len() + 1);
    assert_eq!(scene.data("db").len(), keys.len() + 1);
}
