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

use crate::listen::{self, ListenError};
use crate::metrics::Metrics;

/// The controller's state, as far as `/readyz` depends on it.
#[derive(Clone, Default)]
pub(crate) struct Health(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    is_serving: bool,
    /// The controller has published which key to seal to, or has tried to. Until then `/readyz` isn't "ok":
    /// clients that read "ok" go on to seal.
    are_keys_said: bool,
    /// Why there is no key to seal to; `None` if there is one. Sealed objects still open without one, so the
    /// reconcile goes on.
    keyless: Option<String>,
}

impl Health {
    pub(crate) fn set_ready(&self) {
        self.state().is_serving = true;
    }

    pub(crate) fn set_unready(&self) {
        self.state().is_serving = false;
    }

    pub(crate) fn set_keyless(&self, why: Option<String>) {
        let mut state = self.state();
        (state.keyless, state.are_keys_said) = (why, true);
    }

    pub(crate) fn readiness(&self) -> (StatusCode, String) {
        let State { is_serving, are_keys_said, keyless } = &*self.state();
        match keyless {
            Some(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")),
            None if *is_serving && *are_keys_said => (StatusCode::OK, "ok\n".to_owned()),
            None => (StatusCode::SERVICE_UNAVAILABLE, "starting\n".to_owned()),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // The state is still valid after a panic elsewhere.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Serves `/healthz` (the process answers), `/readyz` (keys are loaded, one of them is there to seal to, and
/// caches are complete) and `/metrics`.
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
