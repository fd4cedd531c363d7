//! The HTTP page: liveness, readiness, metrics.
//!
//! Not an API: nothing here opens, seals or lists anything. Invariants: every answer is public; connections are bounded
//! ([`crate::listen`]), since whoever is in the cluster reaches this page, and a probe that isn't answered restarts the
//! Pod.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::http::{StatusCode, header};
use axum::routing::get;
use tokio::task::JoinHandle;

use crate::listen;
use crate::metrics::Metrics;

/// Whether the controller does its work.
#[derive(Clone, Default)]
pub struct Health(Arc<AtomicBool>);

impl Health {
    pub(crate) fn set_ready(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub(crate) fn set_unready(&self) {
        self.0.store(false, Ordering::Relaxed);
    }

    fn is_ready(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Serves `/healthz` (the process answers), `/readyz` (keys are loaded and caches complete) and `/metrics`.
///
/// # Errors
///
/// Where the address can't be listened on.
pub async fn serve(listen: SocketAddr, health: Health, metrics: Metrics) -> std::io::Result<JoinHandle<()>> {
    let readiness = move || async move {
        if health.is_ready() {
            (StatusCode::OK, "ok\n")
        } else {
            (StatusCode::SERVICE_UNAVAILABLE, "starting\n")
        }
    };
    let page = move || async move {
        let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
        ([(header::CONTENT_TYPE, content_type)], metrics.to_text())
    };
    let router = Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(readiness))
        .route("/metrics", get(page));
    let listener = tokio::net::TcpListener::bind(listen).await?;
    tracing::info!(address = %listener.local_addr()?, "serving health and metrics");
    Ok(listen::serve(listener, router))
}
