//! Which objects open, and what sealing them again keeps.

use axum::http::StatusCode;
use seal_crds::bitnami::Label;
use seal_crds::keys::RsaPrivateKey;
use seal_crds::resources::bitnami::{CLUSTER_WIDE, NAMESPACE_WIDE};
use seal_crds::{ItemName, Namespace};

use super::*;

const OLDER: &str = include_str!("../../keys/bitnami/testdata/older.pem");
const NEWER: &str = include_str!("../../keys/bitnami/testdata/newer.pem");

fn keyring(pems: &[&str]) -> Keyring {
    let mut keyring = Keyring::default();
    for pem in pems {
        assert!(keyring.insert_rsa_key(RsaPrivateKey::from_pem(pem).unwrap()));
    }
    keyring
}

fn public(pem: &str) -> RsaPublicKey {
    RsaPrivateKey::from_pem(pem).unwrap().public_key().clone()
}

/// All scopes, and a namespace with keys.
fn policy() -> Policy {
    let refused: Namespace = "seal-system".parse().unwrap();
    Policy { scopes: Scope::ALL.into(), refused_namespaces: [refused].into(), ..Policy::default() }
}

fn place(namespace: &str) -> Place {
    Place { namespace: namespace.parse().unwrap(), name: "db".parse().unwrap() }
}

/// `prod/db` with two items that are sealed to the older key under this scope, and say no scope.
fn sealed_as(scope: Scope) -> Value {
    let binding = Binding::new(scope, &place("prod"));
    let seal = |value: &str| seal_item(&public(OLDER), &binding, value.as_bytes());
    json!({
        "apiVersion": "bitnami.com/v1alpha1", "kind": "SealedSecret",
        "metadata": {"name": "db", "namespace": "prod"},
        "spec": {"encryptedData": {"password": seal("hunter2"), "empty": seal("")}},
    })
}

/// The same, with the annotations that its scope needs.
fn sealed(scope: Scope) -> Value {
    let mut object = sealed_as(scope);
    if let Some(key) = scope.bitnami_annotation() {
        object["metadata"]["annotations"] = json!({key: "true"});
    }
    object
}

fn parse(object: &Value) -> Result<Posted, PostedError> {
    Posted::parse(object.to_string().as_bytes(), &policy())
}

fn verify(object: &Value) -> Result<(), PostedError> {
    parse(object)?.verify(&keyring(&[NEWER, OLDER]), &policy())
}

fn reseal(object: &Value) -> Result<Value, PostedError> {
    parse(object)?.reseal(&keyring(&[NEWER, OLDER]), &policy(), &public(NEWER))
}

/// The values, if the object opens as it stands.
fn open(object: &Value, keys: &Keyring) -> Result<BTreeMap<ItemName, Vec<u8>>, UnsealError> {
    let posted = parse(object).unwrap();
    let data = posted.sealed.unseal(keys)?.data;
    Ok(data.into_iter().map(|(name, value)| (name, value.expose().to_vec())).collect())
}

#[track_caller]
fn assert_refused<T>(result: Result<T, PostedError>, reason: &str) {
    match result.err() {
        Some(PostedError::Refused(failure)) if failure.reason.as_str() == reason => {
            assert!(!failure.message.contains("hunter2"), "{failure}");
        }
        other => panic!("{other:?}, not {reason}"),
    }
}

#[test]
fn every_item_is_sealed_anew_to_the_primary_under_the_label_it_had() {
    for scope in Scope::ALL {
        let object = sealed(scope);
        let resealed = reseal(&object).unwrap();
        let expected =
            [("password".parse().unwrap(), b"hunter2".to_vec()), ("empty".parse().unwrap(), Vec::new())];
        assert_eq!(open(&resealed, &keyring(&[NEWER])).unwrap(), expected.into(), "{scope}");
        assert!(open(&resealed, &keyring(&[OLDER])).is_err(), "{scope}");
        let sealed = parse(&resealed).unwrap().sealed;
        assert_eq!(sealed.open_under(sealed.scopes(), &keyring(&[NEWER])).unwrap().scope, scope);
        for item in ["password", "empty"] {
            assert_ne!(resealed["spec"]["encryptedData"][item], object["spec"]["encryptedData"][item]);
        }
    }
}

#[test]
fn the_scope_is_that_of_the_label_that_opened_whatever_the_annotations_say() {
    let marks = |key: &str| json!({ key: "true", "team": "a" });
    for (scope, others) in [
        (Scope::Strict, [CLUSTER_WIDE, NAMESPACE_WIDE]),
        (Scope::NamespaceWide, [CLUSTER_WIDE, "sealedsecrets.bitnami.com/unknown"]),
        (Scope::ClusterWide, [NAMESPACE_WIDE, "sealedsecrets.bitnami.com/unknown"]),
    ] {
        for other in others {
            let mut object = sealed_as(scope);
            object["metadata"]["annotations"] = marks(other);
            object["spec"]["template"]["metadata"]["annotations"] = marks(other);
            let resealed = reseal(&object).unwrap();
            let says = |metadata: &Value| claimed(&metadata["annotations"]);
            assert_eq!(says(&resealed["metadata"]), scope, "{other}");
            assert_eq!(says(&resealed["spec"]["template"]["metadata"]), scope, "{other}");
            assert_eq!(resealed["metadata"]["annotations"]["team"], "a");
            assert!(open(&resealed, &keyring(&[NEWER])).is_ok(), "{scope} {other}");
        }
    }
}

fn claimed(annotations: &Value) -> Scope {
    match (annotations.get(CLUSTER_WIDE).is_some(), annotations.get(NAMESPACE_WIDE).is_some()) {
        (false, false) => Scope::Strict,
        (false, true) => Scope::NamespaceWide,
        (true, false) => Scope::ClusterWide,
        (true, true) => panic!("{annotations}"),
    }
}

#[test]
fn what_is_not_sealed_stays_except_what_the_api_server_filled_in() {
    let mut object = sealed(Scope::Strict);
    let template = json!({
        "type": "kubernetes.io/basic-auth", "immutable": true, "unknown": 7,
        "metadata": {"labels": {"app": "db"}, "annotations": {"note": "x"}},
        "data": {"url": "db.example.com"},
    });
    object["spec"]["template"] = template.clone();
    object["spec"]["unknown"] = json!([1]);
    object["metadata"]["labels"] = json!({"team": "a"});
    object["metadata"]["annotations"] = json!({"note": "y"});
    let expected = object.clone();

    object["status"] = json!({"observedGeneration": 3});
    object["metadata"]["annotations"][LAST_APPLIED] = json!("{}");
    object["spec"]["template"]["metadata"]["annotations"][LAST_APPLIED] = json!("hunter2");
    for field in FILLED_IN {
        object["metadata"][field] = json!(null);
    }
    object["metadata"]["uid"] = json!("1");
    let mut resealed = reseal(&object).unwrap();
    resealed["spec"]["encryptedData"] = expected["spec"]["encryptedData"].clone();
    assert_eq!(resealed, expected);
}

#[test]
fn the_deprecated_data_becomes_template_and_items() {
    let secret = json!({
        "kind": "Secret", "apiVersion": "v1", "type": "kubernetes.io/basic-auth", "immutable": true,
        "metadata": {"name": "other", "labels": {"app": "db"}, "annotations": {"note": "x"}},
        "data": {"password": "aHVudGVyMg=="},
    });
    let seal = |scope, secret: &str| {
        let binding = Binding::new(scope, &place("prod"));
        let mut object = sealed(scope);
        object["spec"] = json!({"data": seal_item(&public(OLDER), &binding, secret.as_bytes())});
        object
    };
    let object = seal(Scope::NamespaceWide, &secret.to_string());
    verify(&object).unwrap();
    let resealed = reseal(&object).unwrap();
    assert_eq!(resealed["spec"].get("data"), None);
    let template = json!({
        "type": "kubernetes.io/basic-auth", "immutable": true,
        "metadata": {"labels": {"app": "db"}, "annotations": {"note": "x", NAMESPACE_WIDE: "true"}},
    });
    assert_eq!(resealed["spec"]["template"], template);
    let values = open(&resealed, &keyring(&[NEWER])).unwrap();
    assert_eq!(values, [("password".parse().unwrap(), b"hunter2".to_vec())].into());

    let broken = seal(Scope::Strict, r#"{"data": {"password": "hunter2!"#);
    assert_refused(verify(&broken), "Malformed");
    assert_refused(reseal(&broken), "Malformed");
}

#[test]
fn what_would_not_become_a_secret_is_refused() {
    for scope in Scope::ALL {
        verify(&sealed(scope)).unwrap();
    }
    // A label that isn't the claimed one: the annotations say what will be tried.
    assert_refused(verify(&sealed_as(Scope::NamespaceWide)), "CannotOpen");
    let mut moved = sealed(Scope::Strict);
    moved["metadata"]["namespace"] = json!("staging");
    assert_refused(verify(&moved), "CannotOpen");
    assert_refused(reseal(&moved), "CannotOpen");
    let mut foreign = sealed(Scope::Strict);
    foreign["spec"]["encryptedData"]["password"] = json!("AA");
    assert_refused(verify(&foreign), "Malformed");
    let unknown_key = parse(&sealed(Scope::Strict)).unwrap().verify(&keyring(&[NEWER]), &policy());
    assert_refused(unknown_key, "CannotOpen");
}

/// The peer's endpoints answered such questions: `/v1/verify` before 0.39, `/v1/rotate` before 0.40.
#[test]
fn no_template_is_rendered_that_could_answer_a_question_about_a_value() {
    let branching = Policy { branching: seal_go::template::Branching::Allowed, ..policy() };
    let keys = keyring(&[OLDER]);
    let mut renders = Vec::new();
    for guess in ["hunter2", "hunter3"] {
        let mut object = sealed(Scope::Strict);
        // JSON, unless the guess is right.
        let text = format!("{{\"a\": {{{{ if eq .password {guess:?} }}}}no{{{{ else }}}}1{{{{ end }}}}}}");
        let data = json!({".dockerconfigjson": text});
        object["spec"]["template"] = json!({"type": "kubernetes.io/dockerconfigjson", "data": data});
        let posted = || Posted::parse(object.to_string().as_bytes(), &branching).unwrap();
        renders.push(posted().sealed.unseal(&keys).is_ok());
        assert!(posted().verify(&keys, &branching).is_ok(), "{guess}");
        assert!(posted().reseal(&keys, &branching, &public(NEWER)).is_ok(), "{guess}");
    }
    assert_eq!(renders, [false, true], "the template asks");
    // Whether it is one is public.
    let mut broken = sealed(Scope::Strict);
    broken["spec"]["template"]["data"] = json!({"probe": "{{ .password"});
    assert_refused(parse(&broken), "InvalidTemplate");
}

#[test]
fn a_name_that_no_cluster_takes_can_be_asked_about_and_is_not_sealed_again() {
    let named = |name: &str, scope, sealed_for: &str| {
        let label = Label::from_text(scope, "prod", sealed_for);
        let mut object = sealed(scope);
        object["metadata"]["name"] = json!(name);
        object["spec"]["encryptedData"] = json!({"a": label.seal_item(&public(OLDER), b"1")});
        object
    };
    for name in ["testSecret", "a_b", "../x", "a\u{1b}b"] {
        for scope in Scope::ALL {
            let object = named(name, scope, name);
            verify(&object).unwrap();
            let refused = reseal(&object).unwrap_err();
            assert_eq!(refused.status(), StatusCode::BAD_REQUEST);
            assert!(refused.to_string().contains("is not a DNS subdomain"), "{refused}");
        }
    }
    // It is no way round the label, nor round the policy.
    assert_refused(verify(&named("testSecret", Scope::Strict, "misnamed")), "CannotOpen");
    assert_refused(verify(&named("testSecret", Scope::Strict, "testsecret")), "CannotOpen");
    let mut beside_keys = named("testSecret", Scope::ClusterWide, "testSecret");
    beside_keys["metadata"]["namespace"] = json!("seal-system");
    assert_refused(verify(&beside_keys), "NamespaceRefused");
    assert_eq!(parse(&named("a\u{1b}b", Scope::Strict, "x")).unwrap().place(), "prod/a\\u{1b}b");
}

#[test]
fn the_policy_of_the_reconcile_holds_here_too() {
    let mut token = sealed(Scope::Strict);
    token["spec"]["template"]["type"] = json!("kubernetes.io/service-account-token");
    let mut beside_keys = sealed(Scope::Strict);
    beside_keys["metadata"]["namespace"] = json!("seal-system");
    for (object, reason) in [(&token, "InvalidTemplate"), (&beside_keys, "NamespaceRefused")] {
        assert_refused(verify(object), reason);
        assert_refused(reseal(object), reason);
    }
    let strict = Policy { bitnami_scopes: [Scope::Strict].into(), ..policy() };
    let keys = keyring(&[OLDER]);
    for object in [sealed(Scope::ClusterWide), sealed_as(Scope::ClusterWide)] {
        let posted = || Posted::parse(object.to_string().as_bytes(), &strict).unwrap();
        assert!(posted().verify(&keys, &strict).is_err());
        assert_refused(posted().reseal(&keys, &strict, &public(NEWER)), "ScopeRefused");
    }
}

#[test]
fn without_a_namespace_only_a_cluster_wide_object_can_be_judged() {
    for (scope, namespace) in [(Scope::Strict, "default"), (Scope::NamespaceWide, "default")] {
        let mut object = sealed(scope);
        let binding = Binding::new(scope, &place(namespace));
        object["spec"]["encryptedData"] = json!({"a": seal_item(&public(OLDER), &binding, b"1")});
        object["metadata"].as_object_mut().unwrap().remove("namespace");
        assert_refused(verify(&object), "NamespaceMissing");
        assert_refused(reseal(&object), "NamespaceMissing");
    }
    let mut object = sealed(Scope::ClusterWide);
    object["metadata"].as_object_mut().unwrap().remove("namespace");
    verify(&object).unwrap();
    assert_eq!(reseal(&object).unwrap()["metadata"].get("namespace"), None);
}

#[test]
fn yaml_and_json_are_read_and_one_document_is_taken() {
    let object = sealed(Scope::Strict);
    let yaml = serde_yaml::to_string(&object).unwrap();
    let kinds = [yaml.clone(), format!("---\n{yaml}---\n"), format!("\n {object}"), format!("# x\n{yaml}")];
    for body in kinds {
        assert_eq!(Posted::parse(body.as_bytes(), &policy()).map(|_| ()).map_err(|e| e.to_string()), Ok(()));
    }
    let mut other = object.clone();
    other["kind"] = json!("Secret");
    let mut native = object.clone();
    native["apiVersion"] = json!("sealing.dev/v1alpha1");
    let change = |path: &str, value: Value| {
        let mut object = object.clone();
        *object.pointer_mut(path).unwrap() = value;
        object.to_string()
    };
    for (body, expected) in [
        (String::new(), "the body has 0 documents"),
        ("--- null".to_owned(), "the body has 0 documents"),
        (format!("{yaml}---\n{yaml}"), "the body has 2 documents"),
        (format!("{object}{object}"), "the body has 2 documents"),
        ("{hunter2".to_owned(), "the body isn't JSON at line 1"),
        ("a: b: hunter2".to_owned(), "the body isn't YAML"),
        ("hunter2".to_owned(), "the body is no SealedSecret of bitnami.com/v1alpha1"),
        (other.to_string(), "the body is no SealedSecret"),
        (native.to_string(), "the body is no SealedSecret"),
        (change("/metadata", json!(["db"])), "metadata has a field of the wrong form"),
        (change("/metadata/name", json!(1)), "metadata has a field of the wrong form"),
        (change("/metadata/name", json!("")), "name \"\" is not a DNS subdomain"),
        (change("/metadata/name", json!("X".repeat(254))), "name \"XX"),
        (change("/metadata/namespace", json!("../x")), "namespace \"../x\" is not a DNS label"),
        (change("/spec", json!([])), "the spec "),
    ] {
        let error = Posted::parse(body.as_bytes(), &policy()).err().expect(&body);
        assert_eq!(error.status(), StatusCode::BAD_REQUEST);
        assert!(error.to_string().starts_with(expected), "{error}: {body}");
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
}

/// `yes` is `true` to kubectl, which would send it so.
#[test]
fn an_object_in_yaml_means_what_it_means_to_kubectl() {
    let mut object = sealed(Scope::Strict);
    object["spec"]["template"]["immutable"] = json!(true);
    let yaml = serde_yaml::to_string(&object).unwrap();
    let words = yaml.replace("immutable: true", "immutable: yes");
    assert_ne!(words, yaml);
    let posted = Posted::parse(words.as_bytes(), &policy()).unwrap();
    assert_eq!(posted.object, object);
}

#[test]
fn an_object_in_yaml_that_readers_could_disagree_on_is_refused() {
    let yaml = serde_yaml::to_string(&sealed(Scope::Strict)).unwrap();
    for (replaced, with, expected) in [
        ("  name: db", "  name: db\n  <<: {a: b}", "merge keys (<<) aren't understood here at line "),
        ("  name: db", "  name: db\n  name: db", "the key name is there twice at line "),
        ("  name: db", "  name: db\n  on: x", "the unquoted key on is a boolean to kubectl at line "),
        (
            "spec:",
            "spec:\n  more: 1",
            "this value is a number to kubectl, which wants a string there at line ",
        ),
        ("spec:", "spec: !x", "this has a tag that seal doesn't know at line "),
    ] {
        let body = yaml.replacen(replaced, with, 1);
        assert_ne!(body, yaml);
        let error = Posted::parse(body.as_bytes(), &policy()).err().expect(&body);
        assert_eq!(error.status(), StatusCode::BAD_REQUEST);
        assert!(error.to_string().starts_with(expected), "{error}: {body}");
    }
    let exported = yaml.replacen("  name: db", "  name: db\n  generation: 3", 1);
    assert!(Posted::parse(exported.as_bytes(), &policy()).is_ok(), "the API server fills in numbers");
}

#[test]
fn the_answer_to_a_refusal_is_a_conflict() {
    let refused = verify(&sealed_as(Scope::NamespaceWide)).unwrap_err();
    assert_eq!(refused.status(), StatusCode::CONFLICT);
}

/// Whoever reaches the port chooses the key of every item, and so the work.
#[test]
fn what_would_take_too_many_trials_is_refused_with_a_reason_of_its_own() {
    let pems = include_str!("../../../../crds/src/keys/testdata/rsa-2048-twenty.pem");
    let all: Vec<RsaPrivateKey> = RsaPrivateKey::all_from_pem(pems).unwrap();
    let binding = Binding::new(Scope::Strict, &place("prod"));
    let mut object = sealed_as(Scope::Strict);
    object["spec"]["encryptedData"] = (0..1024)
        .map(|item| {
            let sealed = seal_item(all[item % all.len()].public_key(), &binding, b"hunter2");
            (format!("{item:04}"), Value::from(sealed))
        })
        .collect::<Map<_, _>>()
        .into();
    let mut keys = Keyring::default();
    all.into_iter().for_each(|key| assert!(keys.insert_rsa_key(key)));
    let policy = policy();
    assert_refused(parse(&object).unwrap().verify(&keys, &policy), "TooManyTrials");
    let primary = public(NEWER);
    let refused = parse(&object).unwrap().reseal(&keys, &policy, &primary);
    assert_eq!(refused.as_ref().map_err(PostedError::status).err(), Some(StatusCode::CONFLICT));
    assert_refused(refused, "TooManyTrials");
}
