//! The HTTP endpoints of sealed-secrets, so that kubeseal works against this controller.
//!
//! ```text
//! GET  /healthz       ok
//! GET  /v1/cert.pem   the primary's certificate
//! POST /v1/verify     a SealedSecret: 200 it opens, 409 it doesn't           --compat-verify
//! POST /v1/rotate     a SealedSecret: 200 and it, sealed to the primary; 409 --compat-rotate
//! ```
//! Also 400 if the body is no SealedSecret (sealed-secrets says 500), 408 and 413 for a body that is slow or
//! large, 429 above the rate, and 503 as long as there is no key or the queue is too long.
//!
//! Not the work on an object ([`posted`]). A client needs no right in the cluster to reach the listener, so
//! the two endpoints that open something are off by default. For all clients together, their cost is bounded
//! by the number of connections ([`crate::listen`]), the size of a body, and the number of objects at work.
//! For each client, it is bounded by a rate of openings ([`limit`]). A request that comes to no opening (an
//! empty body, a malformed one) takes nothing from that rate, because all clients behind the API server share
//! its address. Invariants: no answer and no log line holds plaintext or a private key; the work for a client
//! that has gone ends at the next step.

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
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;

use crate::listen::{self, Client, ListenError};
use crate::metrics::Metrics;
use crate::policy::Policy;
use limit::Limit;
use posted::{Posted, PostedError};

pub(crate) mod args;
mod limit;
mod posted;

/// The most bytes of a body. An object in a cluster has at most about 1.5 MiB. Each connection may hold one
/// body. A test adds up the memory of these bodies and of [`AT_ONCE`] objects of the heaviest kind, and
/// compares it with the memory that the Deployment gives.
const MAX_BODY: usize = 2 << 20;
/// How long a body may take to arrive.
const BODY_TIME: Duration = Duration::from_secs(20);
/// How long a request waits for the requests before it.
const QUEUE_TIME: Duration = Duration::from_secs(20);
/// How many objects are parsed and opened at once. Waiting requests are served in order, so a client waits
/// for at most one object of every connection.
const AT_ONCE: usize = 2;

/// The endpoints to serve, their address, and how often they may open something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Options {
    /// The address to listen on.
    pub(crate) listen: SocketAddr,
    /// Serve `/v1/verify`.
    pub(crate) verify: bool,
    /// Serve `/v1/rotate`.
    pub(crate) rotate: bool,
    /// How many requests a second may open something, for each client.
    pub(crate) rate: u32,
    /// How many more of these requests may come at once after a rest, for each client.
    pub(crate) burst: u32,
}

/// The keys and the policy that the endpoints answer with, and the metrics.
pub(crate) struct Context {
    pub(crate) keys: watch::Receiver<Arc<Keyring>>,
    /// The certificate of the primary; `None` if there is no key yet.
    pub(crate) certificate: watch::Receiver<Option<Certificate>>,
    /// The policy that the reconcile uses too.
    pub(crate) policy: Policy,
    pub(crate) metrics: Metrics,
}

/// Serves until the task is aborted.
///
/// # Errors
///
/// If the controller can't listen on the address.
pub(crate) async fn serve(options: &Options, context: Context) -> Result<JoinHandle<()>, ListenError> {
    let (listener, address) = listen::bind(options.listen).await?;
    let Options { verify, rotate, .. } = options;
    tracing::info!(%address, verify, rotate, "serving the endpoints of sealed-secrets");
    Ok(listen::serve(listener, router(options, context)))
}

impl PostedError {
    /// 409 is what kubeseal takes for "can't be opened"; everything else is a fault of the request.
    fn status(&self) -> StatusCode {
        match self {
            Self::Refused(_) => StatusCode::CONFLICT,
            _ => StatusCode::BAD_REQUEST,
        }
    }
}

fn router(options: &Options, context: Context) -> Router {
    let limit = Limit::new(options.rate, options.burst);
    let service = Arc::new(Service { context, limit, permits: Arc::new(Semaphore::new(AT_ONCE)) });
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
    let pem = service.context.certificate.borrow().as_ref().map(Certificate::to_pem).ok_or(Refused::NoKey)?;
    Ok(([(header::CONTENT_TYPE, "application/x-pem-file")], pem).into_response())
}

async fn verify(
    State(service): State<Arc<Service>>,
    Extension(client): Extension<Client>,
    request: Request,
) -> Result<StatusCode, Refused> {
    let judge = |context: &Context, keys: &Keyring, posted: Posted| {
        posted.verify(keys, &context.policy)?;
        Ok(StatusCode::OK)
    };
    service.open("/v1/verify", client, request, judge).await
}

async fn rotate(
    State(service): State<Arc<Service>>,
    Extension(client): Extension<Client>,
    request: Request,
) -> Result<Response, Refused> {
    let reseal = |context: &Context, keys: &Keyring, posted: Posted| {
        let certificate = context.certificate.borrow().clone().ok_or(Refused::NoKey)?;
        let object = posted.reseal(keys, &context.policy, certificate.public_key())?;
        let json = [(header::CONTENT_TYPE, "application/json")];
        Ok((json, object.to_string()).into_response())
    };
    service.open("/v1/rotate", client, request, reseal).await
}

struct Service {
    context: Context,
    limit: Limit,
    permits: Arc<Semaphore>,
}

/// The work that a request asks for on its object.
type Work<T> = fn(&Context, &Keyring, Posted) -> Result<T, Refused>;

impl Service {
    /// Does `work` on the object in the body, and counts the answer.
    async fn open<T: Send + 'static>(
        self: &Arc<Self>,
        path: &'static str,
        client: Client,
        request: Request,
        work: Work<T>,
    ) -> Result<T, Refused> {
        let outcome = self.try_open(path, client, request, work).await;
        let answer = outcome.as_ref().map_or_else(Refused::as_str, |_| "ok");
        self.context.metrics.compat_answered(path, answer);
        outcome
    }

    /// Does `work` off the async threads, since parsing and key operations take time.
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
        let context = &self.context;
        let keys = context.keys.borrow().clone();
        if keys.rsa_keys().is_empty() {
            return Err(Refused::NoKey);
        }
        let posted = Posted::parse(body, &context.policy)?;
        waiting.require()?;
        self.limit.take(client, Instant::now()).map_err(Refused::TooMany)?;
        let place = posted.place();
        let outcome = work(context, &keys, posted);
        let answer = outcome.as_ref().map_or_else(Refused::as_str, |_| "ok");
        tracing::info!(path, %place, answer, "opened what was posted");
        outcome
    }
}

/// Reads the body, at most [`MAX_BODY`] bytes. The buffer grows with the bytes that arrive, not with the
/// length that the client announces.
async fn collect(mut body: Body) -> Result<Vec<u8>, Refused> {
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        // The connection broke, so nobody hears the answer.
        let frame = frame.map_err(|_| Refused::Interrupted)?;
        let Ok(data) = frame.into_data() else { continue };
        if bytes.len() + data.len() > MAX_BODY {
            return Err(Refused::TooLarge);
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes)
}

/// Says whether the client still waits for its answer, by the number of its copies. hyper drops the future of
/// a request whose client has gone, and that drops one of the two copies.
#[derive(Clone, Default)]
struct Waiting(Arc<()>);

impl Waiting {
    fn require(&self) -> Result<(), Refused> {
        if Arc::strong_count(&self.0) > 1 { Ok(()) } else { Err(Refused::Interrupted) }
    }
}

/// Why a request gets no successful answer.
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

    /// The word for this answer in logs and metrics.
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
