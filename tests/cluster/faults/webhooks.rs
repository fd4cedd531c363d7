//! An admission webhook that refuses Secrets, is away, or doesn't answer: a real one, which the API server asks over TLS.
//! It can hold a request, so here is also what becomes of a write under which the controller is told to end.
//!
//! Nothing wakes the controller when the webhook is of another mind. Invariant: the webhook is asked about the Secrets of
//! one test only, and only about those with its label.

use std::time::{Duration, Instant};

use seal_tests::controller::Controller;
use seal_tests::wait::until;
use seal_tests::webhook::{Verdict, Webhook};
use serde_json::json;

use super::admission::until_retried;
use super::applied::Applied;
use crate::cluster::deploy;
use crate::cluster::lease::holder;
use crate::cluster::scene::Scene;

const CONFIGURATIONS: &str = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations";
/// The label of the Secrets that the webhook is asked about.
const GUARDED: &str = "guarded";

/// A webhook for the scene's Secrets. Its configuration goes with it: the control plane is shared.
struct Guard<'s> {
    scene: &'s Scene<'s>,
    webhook: Webhook,
}

impl<'s> Guard<'s> {
    /// Returns once the API server asks it.
    fn of(scene: &'s Scene<'s>) -> Self {
        let webhook = Webhook::start();
        let object = webhook.configuration(&scene.namespace, &scene.namespace, GUARDED);
        scene.api().create(CONFIGURATIONS, &object).unwrap();
        let guard = Self { scene, webhook };
        guard.webhook.set(Verdict::Refuse(403));
        let probe = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "probe", "labels": {GUARDED: "true"}},
        });
        until("the webhook is asked", || {
            scene.api().create(&format!("{}?dryRun=All", scene.secrets("")), &probe).is_err()
        });
        guard.webhook.set(Verdict::Permit);
        guard
    }

    /// A Secret that the webhook is asked about.
    fn seal(&self, applied: &mut Applied<'_>, name: &str, value: &str) {
        let sealing = self.scene.seal(name).item("a", value).label(GUARDED, "true");
        applied.commit(name, &sealing.manifest(), value);
    }
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        // What is held would keep threads of the API server.
        self.webhook.set(Verdict::Permit);
        let _ = self.scene.api().delete(&format!("{CONFIGURATIONS}/{}", self.scene.namespace));
    }
}

#[test]
fn a_webhook_that_refuses_or_is_away_is_waited_for_and_the_status_says_which() {
    let (scene, _controller) = Scene::with_controller("webhook");
    let guard = Guard::of(&scene);
    let mut applied = Applied::to(&scene);
    guard.seal(&mut applied, "changed", "0");
    guard.seal(&mut applied, "drifted", "0");
    applied.until_it_is_so();
    let refusals = [400, 403, 404, 409, 410, 413, 422, 429, 500, 504].map(Verdict::Refuse);
    for (round, verdict) in refusals.into_iter().chain([Verdict::Fail]).enumerate() {
        guard.webhook.set(verdict);
        let (value, new) = (format!("{round}"), format!("new-{round}"));
        guard.seal(&mut applied, "changed", &value);
        guard.seal(&mut applied, &new, &value);
        // A webhook that is away can't refuse what somebody else changes either.
        let reason = if verdict == Verdict::Fail { "AdmissionUnavailable" } else { "AdmissionRefused" };
        for name in ["changed", &new] {
            let message = until_retried(&scene, name, reason);
            assert!(message.contains("webhook") && !message.contains("two owners"), "{message}");
        }
        applied.seal("beside", &value);
        scene.until_ready("beside");
        guard.webhook.set(Verdict::Permit);
        scene.api().merge(&scene.secrets("drifted"), &json!({"data": {"a": "ZHJpZnQ="}})).unwrap();
        applied.until_it_is_so();
    }
}

/// The threat is one namespace whose webhook hangs: its requests wait for as long as the webhook may take, and there are
/// more of them than a controller has in hand.
#[test]
fn a_namespace_whose_webhook_does_not_answer_holds_up_no_other_namespace() {
    const HELD: usize = 40;
    let (scene, other) = (deploy::scene("hanging"), deploy::scene("beside"));
    let controller = scene.start_as_shipped();
    let guard = Guard::of(&scene);
    let (mut applied, mut beside) = (Applied::to(&scene), Applied::to(&other));
    beside.seal("before", "1");
    beside.until_it_is_so();
    guard.webhook.set(Verdict::Hold);
    (0..HELD).for_each(|n| guard.seal(&mut applied, &format!("held-{n}"), "1"));
    until("the webhook is asked", || guard.webhook.asked() > 0);
    // One after the other, behind two of forty that take 20 seconds each, these would take minutes.
    for n in 0..5 {
        beside.seal(&format!("new-{n}"), "1");
        other.until_ready(&format!("new-{n}"));
        beside.seal("before", &format!("{n}"));
        other.until_ready("before");
    }
    beside.until_it_is_so();
    assert_eq!(controller.http("/readyz").map(|(code, _)| code), Some(200));
    guard.webhook.set(Verdict::Permit);
    applied.until_it_is_so();
}

/// Tells the controller to end while the webhook holds the write of an object.
fn tell_to_end_during_a_write(guard: &Guard<'_>, applied: &mut Applied<'_>, controller: &Controller) {
    guard.webhook.set(Verdict::Hold);
    guard.seal(applied, "held", "1");
    until("the write is held", || guard.webhook.asked() > 0);
    controller.tell_to_end();
    until("it is ending", || controller.http("/readyz").is_some_and(|(_, page)| page.contains("stopping")));
}

/// Otherwise each rollout would leave objects that wait for the next leader.
#[test]
fn a_write_that_is_under_way_when_the_controller_is_told_to_end_is_finished_with_its_status() {
    let (scene, mut controller) = Scene::with_controller("drained");
    let guard = Guard::of(&scene);
    let mut applied = Applied::to(&scene);
    guard.seal(&mut applied, "before", "1");
    applied.until_it_is_so();
    tell_to_end_during_a_write(&guard, &mut applied, &controller);
    // Nothing new is begun.
    scene.seal("late").item("a", "1").commit();
    guard.webhook.set(Verdict::Permit);
    assert_eq!(controller.ended().code(), Some(0));
    assert_eq!(scene.secret("late"), None);
    scene.api().delete(&scene.sealed_secrets("late")).unwrap();
    assert_eq!(applied.differences(), [""; 0], "nobody else was there to finish it");
    assert_eq!(holder(&scene), None);
}

/// The bound is README's. Without it the kubelet would kill the process, and another replica would wait for the Lease to run
/// out.
#[test]
fn a_write_that_is_held_for_too_long_keeps_the_controller_from_ending_no_longer_than_the_bound() {
    const BOUND: Duration = Duration::from_secs(15);
    let (scene, mut controller) = Scene::with_controller("cut-short");
    let guard = Guard::of(&scene);
    let mut applied = Applied::to(&scene);
    let told = Instant::now();
    tell_to_end_during_a_write(&guard, &mut applied, &controller);
    assert_eq!(controller.ended().code(), Some(0));
    let took = told.elapsed();
    assert!((BOUND..2 * BOUND).contains(&took), "{took:?}: the grace period of the Pod is twice the bound");
    assert!(controller.log().contains("some reconciles can't be finished in time"));
    assert_eq!(holder(&scene), None);
    assert_eq!(scene.secret("held"), None);
    guard.webhook.set(Verdict::Permit);
    let _next = scene.start(&[]);
    applied.until_it_is_so();
}
