//! Connections: how many at once, and for how long.
//!
//! Not the routes. axum's own `serve` waits for a slow client for ever, and this listener is for whoever is in the
//! cluster. Invariant: no client holds a connection for longer than [`LIFETIME`] and the time of one answer.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

/// Connections at once.
const CONNECTIONS: usize = 64;
/// For the header of a request, and for the next request on an idle connection.
const HEADER_TIME: Duration = Duration::from_secs(20);
/// When a connection takes no further request: the peer's limit for one.
const LIFETIME: Duration = Duration::from_secs(120);
/// For what is under way then.
const LAST_ANSWER: Duration = Duration::from_secs(60);

/// Serves until the task is aborted.
pub(super) fn serve(listener: TcpListener, router: Router) -> JoinHandle<()> {
    tokio::spawn(async move {
        let connections = Arc::new(Semaphore::new(CONNECTIONS));
        loop {
            let permit = Arc::clone(&connections).acquire_owned().await.expect("it is never closed");
            match listener.accept().await {
                Ok((stream, client)) => {
                    let router = router.clone();
                    tokio::spawn(async move {
                        let _permit = permit;
                        serve_connection(stream, client, router).await;
                    });
                }
                // Out of file descriptors, most likely: they come back when somebody leaves.
                Err(error) => {
                    tracing::warn!(kind = %error.kind(), "can't take a connection");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            }
        }
    })
}

async fn serve_connection(stream: TcpStream, client: SocketAddr, router: Router) {
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIME)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let mut connection = std::pin::pin!(connection);
    let ended = match tokio::time::timeout(LIFETIME, connection.as_mut()).await {
        Ok(ended) => ended,
        Err(_) => {
            connection.as_mut().graceful_shutdown();
            tokio::time::timeout(LAST_ANSWER, connection).await.unwrap_or(Ok(()))
        }
    };
    if ended.is_err() {
        tracing::debug!(%client, "a connection broke");
    }
}
