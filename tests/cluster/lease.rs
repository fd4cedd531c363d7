//! Replicas beside each other: one leads, and another takes its place when it ends, or when nothing is heard of it.
//!
//! The Lease only saves work, so what may never be is tested without it too ([`super::keys`], and the controller's
//! own tests): two keys, a lower state, a second primary.

use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use seal_tests::controller::Controller;
use seal_tests::wait::{eventually, until};
use serde_json::{Value, json};

use super::faults::applied::Applied;
use super::keys::{FIRST, hold_up_renewals};
use super::outage::wire;
use super::scene::{ACCOUNT, Scene, condition, items, path};

/// How often a replica has listed the objects of a kind for its watches.
fn lists(replica: &Controller, kind: &str) -> u64 {
    replica.metric(&format!(r#"seal_controller_watch_lists_total{{kind="{kind}"}}"#))
}

/// Two replicas that are ready, the leader first.
fn pair(scene: &Scene) -> [Controller; 2] {
    let [one, other] = [scene.launch(&[]), scene.launch(&[])].map(Controller::ready);
    until("one of them leads", || one.is_leader() != other.is_leader());
    if one.is_leader() { [one, other] } else { [other, one] }
}

fn lease(scene: &Scene) -> Value {
    scene.api().get(&path("/apis/coordination.k8s.io/v1", &scene.keys, "leases", "seal-controller")).unwrap()
}

/// The replica that holds the Lease; `None` if it is given up.
pub(super) fn holder(scene: &Scene) -> Option<String> {
    Some(lease(scene)["spec"]["holderIdentity"].as_str()?.to_owned()).filter(|holder| !holder.is_empty())
}

#[test]
fn one_of_two_leads_and_gives_the_lease_up_when_it_ends() {
    let scene = Scene::new("lease");
    let [mut leader, other] = pair(&scene);
    assert_eq!(other.http("/readyz"), Some((200, "ok\n".to_owned())), "a replica that doesn't lead is ready");
    scene.seal("before").item("a", "1").commit();
    scene.until_ready("before");
    assert_eq!(other.metric("seal_controller_secret_writes_total"), 0);
    // All Secrets for the cache, and three times some of them for the keys.
    until("it has the metadata of all Secrets at hand", || lists(&other, "secrets") == 4);
    assert_eq!(lists(&other, "sealedsecrets"), 0, "the leader alone watches SealedSecrets");

    let before = holder(&scene);
    assert_eq!(leader.terminate().code(), Some(0));
    assert_ne!(holder(&scene), before);
    scene.seal("after").item("a", "1").commit();
    scene.until_ready("after");
    assert!(other.is_leader());
    assert_eq!(other.metric("seal_controller_secret_writes_total"), 1);
    assert_eq!((lists(&other, "secrets"), lists(&other, "sealedsecrets")), (4, 1), "its caches were warm");
    let after = lease(&scene);
    assert_eq!(after["spec"]["leaseTransitions"], json!(2));
    assert_eq!(after["spec"]["leaseDurationSeconds"], json!(15));
}

/// The leader is stopped, as on a node that hangs, and goes on when another replica leads and the world is another.
#[test]
fn a_leader_that_was_stopped_is_succeeded_and_writes_nothing_when_it_goes_on() {
    let scene = Scene::new("stopped");
    let [stopped, other] = pair(&scene);
    scene.seal("before").item("a", "1").commit();
    scene.until_ready("before");
    let wrote = stopped.metric("seal_controller_secret_writes_total");
    // So that nobody is sealed to in the end, which a replica says that follows.
    hold_up_renewals(&scene);
    stopped.pause();
    // It hasn't seen any of this when it goes on.
    let revoked = json!({"spec": {"state": "Revoked"}});
    scene.api().merge(&scene.sealing_keys(FIRST), &revoked).unwrap();
    scene.seal("meanwhile").item("a", "1").commit();
    until("the other one leads", || other.is_leader());
    scene.until_ready("meanwhile");
    let said = eventually("the key is revoked", || {
        let key = scene.api().get(&scene.sealing_keys(FIRST)).unwrap();
        if key["status"]["state"] == "Revoked" { Ok(key) } else { Err(key["status"].clone()) }
    });
    let noted = scene.api().get(&scene.identities(FIRST)).unwrap();

    stopped.resume();
    until("it knows that it doesn't lead", || !stopped.is_leader());
    let last = scene.nudge("before");
    assert_eq!(condition(&last, "Ready").0, "True");
    assert_eq!(stopped.metric("seal_controller_secret_writes_total"), wrote);
    assert_eq!(scene.api().get(&scene.identities(FIRST)).unwrap(), noted);
    // The usage of the key may be told meanwhile, by the other one.
    let now = scene.api().get(&scene.sealing_keys(FIRST)).unwrap();
    assert_eq!(now["spec"], said["spec"]);
    for field in ["state", "conditions", "fingerprint"] {
        assert_eq!(now["status"][field], said["status"][field], "{field}");
    }
    until("it follows", || stopped.http("/readyz").is_some_and(|(_, page)| page.contains("it is revoked")));
    assert!(other.is_leader());
}

/// The leader is stopped in the middle of its writes, and goes on when another one has its objects. The audit log says
/// which replica sent what, because each has a token of its own.
#[test]
fn a_leader_that_goes_on_after_its_term_writes_nothing_though_objects_change_all_the_time() {
    let scene = Scene::new("woken");
    let stopped = scene.start(&[]);
    let token = token_of(&scene);
    until("it leads", || stopped.is_leader());
    // With this kubeconfig the other one has another token.
    let _ = scene.plane.service_account(&scene.keys, ACCOUNT);
    assert_ne!(token_of(&scene), token);
    let other = scene.start(&[]);
    let names: Vec<String> = (0..30).map(|n| format!("db-{n}")).collect();
    let seal_all = |value: &str| {
        for name in &names {
            scene.seal(name).item("a", value).commit();
        }
    };
    seal_all("1");
    until("it is in the middle", || scene.secret(&names[5]).is_some());
    stopped.pause();
    until("the other one leads", || other.is_leader());
    let over = lease(&scene)["spec"]["acquireTime"].as_str().unwrap().to_owned();
    seal_all("2");
    stopped.resume();
    seal_all("3");
    until("it knows that it doesn't lead", || !stopped.is_leader());
    for name in &names {
        scene.until_ready(name);
        until("the last value counts", || scene.data(name).get("a").is_some_and(|value| value == b"3"));
    }
    assert_eq!(stopped.http("/readyz"), Some((200, "ok\n".to_owned())));

    let requests = scene.requests();
    let of_it: Vec<&Value> = requests
        .iter()
        .filter(|request| request["user"]["extra"]["authentication.kubernetes.io/credential-id"][0] == token)
        .collect();
    let is_write = |request: &Value| !["get", "list", "watch"].contains(&request["verb"].as_str().unwrap());
    assert!(of_it.iter().any(|request| is_write(request)), "it wrote before");
    let late = |request: &&&Value| request["requestReceivedTimestamp"].as_str().unwrap() > over.as_str();
    assert!(of_it.iter().filter(late).count() > 0, "it goes on");
    // The API server refuses a Lease that is replaced too late.
    let is_done = |request: &Value| request["responseStatus"]["code"] != 409;
    let written: Vec<_> = of_it.iter().filter(late).filter(|it| is_write(it) && is_done(it)).collect();
    assert!(written.is_empty(), "{written:?}");
}

/// The name of the token in the scene's kubeconfig, as the audit log has it.
fn token_of(scene: &Scene) -> String {
    let kubeconfig: Value = serde_json::from_slice(&fs::read(&scene.kubeconfig).unwrap()).unwrap();
    let token = kubeconfig["users"][0]["user"]["token"].as_str().unwrap();
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    let claims: Value = serde_json::from_slice(&claims).unwrap();
    format!("JTI={}", claims["jti"].as_str().unwrap())
}

/// As on a node that is gone: nobody gives the Lease up.
#[test]
fn a_leader_that_is_killed_is_succeeded_when_its_lease_has_run_out() {
    let scene = Scene::new("killed");
    let [mut leader, other] = pair(&scene);
    scene.seal("before").item("a", "1").commit();
    scene.until_ready("before");
    let held = holder(&scene);
    leader.kill();
    scene.api().delete(&scene.secrets("before")).unwrap();
    scene.seal("meanwhile").item("a", "1").commit();
    scene.until_ready("meanwhile");
    until("it is healed", || scene.secret("before").is_some());
    assert!(other.is_leader());
    assert_ne!(holder(&scene), held);
}

/// As in a network that is cut: the leader runs on, and nobody hears of it.
#[test]
fn a_leader_that_reaches_no_api_server_stops_leading_and_follows_when_it_does_again() {
    let mut scene = Scene::new("cut-off");
    let direct = fs::read(&scene.kubeconfig).unwrap();
    let proxy = wire(&mut scene);
    let leader = scene.start(&[]);
    until("it leads", || leader.is_leader());
    fs::write(&scene.kubeconfig, direct).unwrap();
    let other = scene.start(&[]);
    assert!(!other.is_leader());
    let mut applied = Applied::to(&scene);
    applied.begin();
    let wrote = leader.metric("seal_controller_secret_writes_total");

    proxy.cut();
    applied.change("1");
    until("its term ends", || !leader.is_leader());
    until("the other one leads", || other.is_leader());
    applied.until_it_is_so();
    proxy.mend();
    scene.api().merge(&scene.sealing_keys(FIRST), &json!({"spec": {"state": "Retiring"}})).unwrap();
    until("it follows", || leader.log().matches("loaded the sealing keys").count() > 1);
    assert!(other.is_leader() && !leader.is_leader());
    applied.until_it_is_so();
    assert_eq!(leader.metric("seal_controller_secret_writes_total"), wrote);
}

/// Each leader is stopped during a renewal, at another step, and the other one finishes it. What the next
/// leader does is undone by none that goes on. (The controller's own tests stop it before every single request.)
#[test]
fn a_renewal_whose_leader_is_stopped_is_finished_once() {
    let scene = Scene::new("mid-renewal");
    let pair = pair(&scene);
    let object = |path: &str| scene.api().get(path);
    let state = |name: &str| object(&scene.sealing_keys(name)).unwrap_or_default()["status"]["state"].clone();
    let (primary, second, third) = (FIRST, "sealing-key-2", "sealing-key-3");
    let steps: [(&str, &str, &dyn Fn() -> bool); 2] = [
        (primary, second, &|| object(&scene.identities(second)).is_some()),
        (second, third, &|| object(&scene.sealing_keys(third)).is_some()),
    ];
    for (old, new, is_reached) in steps {
        let (leader, other) = if pair[0].is_leader() { (&pair[0], &pair[1]) } else { (&pair[1], &pair[0]) };
        scene.api().merge(&scene.sealing_keys(old), &json!({"spec": {"state": "Retiring"}})).unwrap();
        until("the renewal is under way", is_reached);
        leader.pause();
        until("the other one leads", || other.is_leader());
        until("it finishes the renewal", || {
            let key = object(&scene.sealing_keys(new)).unwrap_or_default();
            condition(&key, "Primary").0 == "True" && state(old) == "Retiring"
        });
        // The leader that goes on has seen none of this.
        scene.api().merge(&scene.sealing_keys(old), &json!({"spec": {"state": "Revoked"}})).unwrap();
        until("the old key is revoked", || state(old) == "Revoked");
        leader.resume();
        until("it knows that it doesn't lead", || !leader.is_leader());
        scene.seal(new).item("a", "1").commit();
        scene.until_ready(new);
        assert!(other.is_leader());
    }
    let labelled = format!("{}?labelSelector=sealing.dev/sealing-key", scene.identities(""));
    let note = |secret: &Value| secret["metadata"]["annotations"]["sealing.dev/state"].clone();
    let mut notes: Vec<_> = items(&object(&labelled).unwrap())
        .iter()
        .map(|secret| (secret["metadata"]["name"].as_str().unwrap().to_owned(), note(secret)))
        .collect();
    notes.sort_by(|one, other| one.0.cmp(&other.0));
    let expected = [(second, "Revoked"), (third, "Active"), (primary, "Revoked")];
    assert_eq!(notes, expected.map(|(name, state)| (name.to_owned(), json!(state))));
    let keys = object(&scene.sealing_keys("")).unwrap();
    let primaries = items(&keys).iter().filter(|key| condition(key, "Primary").0 == "True").count();
    assert_eq!((items(&keys).len(), primaries), (3, 1));
}

#[test]
fn without_the_right_to_the_lease_no_replica_is_ready_and_the_log_says_why() {
    let scene = Scene::new("leaseless");
    let roles = path("/apis/rbac.authorization.k8s.io/v1", &scene.keys, "roles", "seal-controller");
    let mut role = scene.api().get(&roles).unwrap();
    let as_shipped = role.clone();
    role["rules"].as_array_mut().unwrap().retain(|rule| rule["resources"] != json!(["leases"]));
    scene.api().replace(&roles, &role).unwrap();
    let controller = scene.launch(&[]);
    until("it is said", || controller.log().contains("forbids reading the Lease"));
    let page = controller.http("/readyz");
    assert!(
        page.as_ref()
            .is_some_and(|(code, why)| *code == 503 && why.starts_with("starting: waiting for the Lease\n")),
        "{page:?}"
    );
    assert!(items(&scene.api().get(&scene.sealing_keys("")).unwrap()).is_empty());
    let mut role = scene.api().get(&roles).unwrap();
    role["rules"] = as_shipped["rules"].clone();
    scene.api().replace(&roles, &role).unwrap();
    let controller = controller.ready();
    assert!(controller.is_leader());
}
