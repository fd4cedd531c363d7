//! The HTTP endpoints of sealed-secrets, so that kubeseal works against this controller.
//!
//! ```text
//! GET  /healthz       ok
//! GET  /v1/cert.pem   the primary's certificate
//! POST /v1/verify     a SealedSecret: 200 it opens, 409 it doesn't           --compat-verify
//! POST /v1/rotate     a SealedSecret: 200 and it, sealed to the primary; 409 --compat-rotate
//! ```
//! Also 400 for what is no SealedSecret (the peer says 500), 408 and 413 for a body that is slow or large, 429, and
//! 503 as long as there is no key.
//!
//! Not what is done to an object ([`posted`]). Who reaches the listener needs no right in the cluster, so the two that
//! open something are off unless asked for. What they may cost is bounded for all clients together by the number of
//! connections ([`crate::listen`]), the size of a body, and the number of objects at work; for each client by a rate
//! of openings ([`limit`]). What never comes to an opening (an empty body, a malformed one) takes nothing from that
//! rate: who waits behind the API server has its address in common with all who do. Invariants: plaintext and private
//! keys are in no answer and no log line; the work for a client who has gone ends at the next step.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Extension;
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use http_body_util::BodyExt as _;
use seal_crds::keys::{Certificate, Keyring};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;

use crate::listen::{self, Client};
use crate::metrics::Metrics;
use crate::policy::Policy;
use limit::Limit;
use posted::{Posted, PostedError};

pub(crate) mod args;
mod limit;
mod posted;

/// Of a body. An object in a cluster has at most about 1.5 MiB. Each connection may hold one, and a test adds up what
/// that and [`AT_ONCE`] objects of the heaviest kind take of the memory that the Deployment gives.
const MAX_BODY: usize = 2 << 20;
/// For a body to arrive.
const BODY_TIME: Duration = Duration::from_secs(20);
/// How long a request waits for those before it.
const QUEUE_TIME: Duration = Duration::from_secs(20);
/// Objects that are parsed and opened at once. Those who wait are served in their order, so each client waits for at most
/// the one object of every connection.
const AT_ONCE: usize = 2;

/// What is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Options {
    /// Where.
    pub(crate) listen: SocketAddr,
    /// Whether `/v1/verify` is.
    pub(crate) verify: bool,
    /// Whether `/v1/rotate` is.
    pub(crate) rotate: bool,
    /// Requests a second that may open something, for each client.
    pub(crate) rate: u32,
    /// How many more at once, after a rest.
    pub(crate) burst: u32,
}

/// What the endpoints answer from.
pub(crate) struct Source {
    pub(crate) keys: watch::Receiver<Arc<Keyring>>,
    /// The primary's.
    pub(crate) certificate: watch::Receiver<Option<Certificate>>,
    /// The one of the reconcile.
    pub(crate) policy: Policy,
    pub(crate) metrics: Metrics,
}

/// Serves until the task is aborted.
///
/// # Errors
///
/// Where the address can't be listened on.
pub(crate) async fn serve(options: &Options, source: Source) -> std::io::Result<JoinHandle<()>> {
    let listener = TcpListener::bind(options.listen).await?;
    let address = listener.local_addr()?;
    let Options { verify, rotate, .. } = options;
    tracing::info!(%address, verify, rotate, "serving the endpoints of sealed-secrets");
    Ok(listen::serve(listener, router(options, source)))
}

fn router(options: &Options, source: Source) -> Router {
    let limit = Limit::new(options.rate, options.burst);
    let service = Arc::new(Service { source, limit, permits: Arc::new(Semaphore::new(AT_ONCE)) });
    let verify = if options.verify { post(verify) } else { any(|| off("/v1/verify", "--compat-verify")) };
    let rotate = if options.rotate { post(rotate) } else { any(|| off("/v1/rotate", "--compat-rotate")) };
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/v1/cert.pem", get(certificate))
        .route("/v1/verify", verify)
        .route("/v1/rotate", rotate)
        .with_state(service)
}

async fn off(path: &str, flag: &str) -> (StatusCode, String) {
    let text = format!(
        "{path} is off, because it opens what anybody posts; the controller's flag {flag} turns it on\n"
    );
    (StatusCode::NOT_FOUND, text)
}

async fn certificate(State(service): State<Arc<Service>>) -> Result<Response, Refused> {
    let pem = service.source.certificate.borrow().as_ref().map(Certificate::to_pem).ok_or(Refused::NoKey)?;
    Ok(([(header::CONTENT_TYPE, "application/x-pem-file")], pem).into_response())
}

async fn verify(
    State(service): State<Arc<Service>>,
    Extension(client): Extension<Client>,
    request: Request,
) -> Result<StatusCode, Refused> {
    let judge = |source: &Source, keys: &Keyring, posted: Posted| {
        posted.verify(keys, &source.policy)?;
        Ok(StatusCode::OK)
    };
    service.open("/v1/verify", client, request, judge).await
}

async fn rotate(
    State(service): State<Arc<Service>>,
    Extension(client): Extension<Client>,
    request: Request,
) -> Result<Response, Refused> {
    let reseal = |source: &Source, keys: &Keyring, posted: Posted| {
        let certificate = source.certificate.borrow().clone().ok_or(Refused::NoKey)?;
        let object = posted.reseal(keys, &source.policy, certificate.public_key())?;
        let json = [(header::CONTENT_TYPE, "application/json")];
        Ok((json, object.to_string()).into_response())
    };
    service.open("/v1/rotate", client, request, reseal).await
}

struct Service {
    source: Source,
    limit: Limit,
    permits: Arc<Semaphore>,
}

/// What a request wants of an object.
type Work<T> = fn(&Source, &Keyring, Posted) -> Result<T, Refused>;

impl Service {
    /// What `work` makes of the object in the body.
    async fn open<T: Send + 'static>(
        self: &Arc<Self>,
        path: &'static str,
        client: Client,
        request: Request,
        work: Work<T>,
    ) -> Result<T, Refused> {
        let outcome = self.try_open(path, client, request, work).await;
        let answer = outcome.as_ref().map_or_else(Refused::as_str, |_| "ok");
        self.source.metrics.compat_answered(path, answer);
        outcome
    }

    /// Off the async threads, since parsing and key operations take time.
    async fn try_open<T: Send + 'static>(
        self: &Arc<Self>,
        path: &'static str,
        client: Client,
        request: Request,
        work: Work<T>,
    ) -> Result<T, Refused> {
        let body = tokio::time::timeout(BODY_TIME, collect(request.into_body())).await;
        let body = body.map_err(|_| Refused::Slow)??;
        let permit = tokio::time::timeout(QUEUE_TIME, Arc::clone(&self.permits).acquire_owned()).await;
        let permit = permit.map_err(|_| Refused::Busy)?.expect("it is never closed");
        let service = Arc::clone(self);
        let waiting = Waiting::default();
        let _client_waits = waiting.clone();
        let opened = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            service.work(path, client, &body, work, &waiting)
        });
        // The task panicked, or the runtime is going down. The panic's message stays in the task.
        opened.await.unwrap_or(Err(Refused::Interrupted))
    }

    fn work<T>(
        &self,
        path: &'static str,
        client: Client,
        body: &[u8],
        work: Work<T>,
        waiting: &Waiting,
    ) -> Result<T, Refused> {
        let source = &self.source;
        let keys = source.keys.borrow().clone();
        if keys.rsa_keys().is_empty() {
            return Err(Refused::NoKey);
        }
        let posted = Posted::parse(body, &source.policy)?;
        waiting.require()?;
        self.limit.take(client, Instant::now()).map_err(Refused::TooMany)?;
        let place = posted.place();
        let outcome = work(source, &keys, posted);
        let answer = outcome.as_ref().map_or_else(Refused::as_str, |_| "ok");
        tracing::info!(path, %place, answer, "opened what was posted");
        outcome
    }
}

/// The body, in a buffer that holds no more than was sent and may be.
async fn collect(mut body: Body) -> Result<Vec<u8>, Refused> {
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        // A connection that broke, and then nobody hears the answer.
        let frame = frame.map_err(|_| Refused::Interrupted)?;
        let Ok(data) = frame.into_data() else { continue };
        if bytes.len() + data.len() > MAX_BODY {
            return Err(Refused::TooLarge);
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes)
}

/// Whether the client still waits for its answer. hyper drops the future of a request whose client has gone, and that
/// drops one of the two copies.
#[derive(Clone, Default)]
struct Waiting(Arc<()>);

impl Waiting {
    fn require(&self) -> Result<(), Refused> {
        if Arc::strong_count(&self.0) > 1 { Ok(()) } else { Err(Refused::Interrupted) }
    }
}

/// Why a request isn't answered as it wished.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error(transparent)]
    Posted(#[from] PostedError),
    #[error("there is no sealing key of this kind yet")]
    NoKey,
    #[error("too many requests at once (--compat-rate-limit)")]
    TooMany(Duration),
    #[error("the body is larger than {MAX_BODY} bytes")]
    TooLarge,
    #[error("the body took longer than {} seconds", BODY_TIME.as_secs())]
    Slow,
    #[error("too many requests before this one")]
    Busy,
    #[error("opening the object was interrupted")]
    Interrupted,
}

impl Refused {
    fn status(&self) -> StatusCode {
        match self {
            Self::Posted(error) => error.status(),
            Self::NoKey | Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
            Self::TooMany(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Slow => StatusCode::REQUEST_TIMEOUT,
            Self::Interrupted => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// For logs and metrics.
    fn as_str(&self) -> &'static str {
        match self {
            Self::Posted(error) if error.status() == StatusCode::CONFLICT => "refused",
            Self::Posted(_) | Self::TooLarge | Self::Slow => "malformed",
            Self::TooMany(_) => "limited",
            Self::NoKey | Self::Busy | Self::Interrupted => "unavailable",
        }
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let text = (self.status(), format!("{self}\n"));
        match self {
            // kubeseal's client waits for this long and tries again.
            Self::TooMany(wait) => {
                let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
                ([(header::RETRY_AFTER, seconds.to_string())], text).into_response()
            }
            _ => text.into_response(),
        }
    }
}

#[cfg(test)]
mod tests;
