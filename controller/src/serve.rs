//! The HTTP page: liveness, readiness, metrics.
//!
//! Not an API: nothing here opens, seals or lists anything. Invariants: every answer is public; connections
//! are bounded ([`crate::listen`]), since every client in the cluster reaches this page, and a probe without
//! an answer restarts the Pod.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::http::{StatusCode, header};
use axum::routing::get;
use tokio::task::JoinHandle;

use crate::contact::Contact;
use crate::listen::{self, ListenError};
use crate::metrics::Metrics;

/// The controller's state, as far as `/readyz` depends on it.
#[derive(Clone)]
pub(crate) struct Health {
    state: Arc<Mutex<State>>,
    contact: Contact,
}

struct State {
    phase: Phase,
    /// The controller has published which key to seal to, or has tried to. Until then `/readyz` isn't "ok":
    /// clients that read "ok" go on to seal.
    are_keys_said: bool,
    /// Why there is no key to seal to; `None` if there is one. Sealed objects still open without one, so the
    /// reconcile goes on.
    keyless: Option<String>,
}

/// The life of a replica.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// It waits for this, and then it could lead.
    Starting(&'static str),
    /// It could lead at once, or does.
    Serving,
    /// It was told to end.
    Stopping,
}

impl Health {
    pub(crate) fn new(contact: Contact) -> Self {
        let state = State { phase: Phase::Starting("the definitions"), are_keys_said: false, keyless: None };
        Self { state: Arc::new(Mutex::new(state)), contact }
    }

    pub(crate) fn set_phase(&self, phase: Phase) {
        self.state().phase = phase;
    }

    pub(crate) fn set_keyless(&self, why: Option<String>) {
        let mut state = self.state();
        (state.keyless, state.are_keys_said) = (why, true);
    }

    /// Status and body of `/readyz`: "ok", or each reason why not on a line of its own.
    pub(crate) fn readiness(&self) -> (StatusCode, String) {
        let mut reasons = self.state().reasons();
        reasons.extend(self.contact.troubles());
        if reasons.is_empty() {
            (StatusCode::OK, "ok\n".to_owned())
        } else {
            (StatusCode::SERVICE_UNAVAILABLE, reasons.iter().map(|reason| format!("{reason}\n")).collect())
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // The state is still valid after a panic elsewhere.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn reasons(&self) -> Vec<String> {
        let phase = match self.phase {
            Phase::Starting(what) => Some(format!("starting: waiting for {what}")),
            Phase::Stopping => Some("stopping".to_owned()),
            Phase::Serving if !self.are_keys_said => {
                Some("starting: waiting for the status of the sealing keys".to_owned())
            }
            Phase::Serving => None,
        };
        phase.into_iter().chain(self.keyless.clone()).collect()
    }
}

/// Serves `/healthz` (the process answers), `/readyz` (this replica leads or could lead at once: there is contact with the
/// API server, keys are loaded, one of them is there to seal to, and caches are complete) and `/metrics`.
///
/// # Errors
///
/// If the controller can't listen on the address.
pub(crate) async fn serve(
    listen: SocketAddr,
    health: Health,
    metrics: Metrics,
) -> Result<JoinHandle<()>, ListenError> {
    let readiness = move || async move { health.readiness() };
    let page = move || async move {
        let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
        ([(header::CONTENT_TYPE, content_type)], metrics.to_text())
    };
    let router = Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(readiness))
        .route("/metrics", get(page));
    let (listener, address) = listen::bind(listen).await?;
    tracing::info!(%address, "serving health and metrics");
    Ok(listen::serve(listener, router))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::leadership::tests::TestClock;

    #[test]
    fn a_replica_is_ready_when_it_could_lead_and_else_says_every_reason() {
        let time = TestClock::default();
        let contact = Contact::new(time.clock(), Metrics::default());
        let health = Health::new(contact.clone());
        let said = || {
            let (code, body) = health.readiness();
            assert_eq!(code == StatusCode::OK, body == "ok\n");
            body
        };
        assert_eq!(said(), "starting: waiting for the definitions\n");
        health.set_phase(Phase::Serving);
        assert_eq!(said(), "starting: waiting for the status of the sealing keys\n");
        health.set_keyless(None);
        contact.made();
        assert_eq!(said(), "ok\n");
        time.advance(Duration::from_secs(11));
        assert_eq!(said(), "no contact with the API server for 11 s\n");
        health.set_keyless(Some("no key".to_owned()));
        assert_eq!(said(), "no key\nno contact with the API server for 11 s\n");
        contact.made();
        health.set_keyless(None);
        assert_eq!(said(), "ok\n");
        health.set_phase(Phase::Stopping);
        assert_eq!(said(), "stopping\n");
    }
}
