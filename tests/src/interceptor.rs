//! A server between a program and the API server that reads the requests: it can delay them, answer them itself, and
//! end the streams that are open.
//!
//! Not [`crate::proxy`], which forwards bytes and can only cut them. Programs speak plain HTTP to this one, with their
//! own token, and it speaks TLS to the API server. Invariant: a request that no rule is about reaches the API server
//! as it came, and its answer the program.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use futures::StreamExt as _;
use http::request::Parts;
use http::{StatusCode, header};
use kube::config::{AuthInfo, KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::{oneshot, watch};

/// What becomes of a request.
pub enum Act {
    /// It reaches the API server.
    Pass,
    /// It reaches the API server after this time.
    Delay(Duration),
    /// It gets this answer, and the API server never hears of it.
    Answer(Answer),
}

/// An answer in the place of the API server's.
pub struct Answer {
    status: u16,
    retry_after: Option<u32>,
    body: Value,
}

impl Answer {
    /// The refusal of a request, as the API server words it.
    #[must_use]
    pub fn refusal(status: u16, reason: &str) -> Self {
        Self { status, retry_after: None, body: refusal(status, reason) }
    }

    /// The same, with the header that says when to come back.
    #[must_use]
    pub fn later(seconds: u32) -> Self {
        Self { retry_after: Some(seconds), ..Self::refusal(429, "TooManyRequests") }
    }

    /// The answer to a watch whose resourceVersion is compacted away: a stream with this as its only event.
    #[must_use]
    pub fn expired() -> Self {
        let body = json!({"type": "ERROR", "object": refusal(410, "Expired")});
        Self { status: 200, retry_after: None, body }
    }
}

fn refusal(status: u16, reason: &str) -> Value {
    json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": "a test says so", "reason": reason, "code": status,
    })
}

type Rule = Box<dyn Fn(&Parts) -> Act + Send + Sync>;

/// A running server. It ends with the process.
pub struct Interceptor {
    shared: Arc<Shared>,
}

struct Shared {
    upstream: Client,
    rule: Mutex<Option<Rule>>,
    answered: AtomicUsize,
    /// Changes when all streams have to end.
    ends: watch::Sender<()>,
}

impl Interceptor {
    /// Leads the programs that use this kubeconfig through the server.
    ///
    /// # Panics
    /// When the kubeconfig can't be used, or there is no free port.
    #[must_use]
    pub fn before(kubeconfig: &Path) -> Self {
        let mut file: Value =
            serde_json::from_slice(&fs::read(kubeconfig).expect("the kubeconfig is ours")).expect("JSON");
        let original = Kubeconfig::read_from(kubeconfig).expect("the kubeconfig is ours");
        let (begun, begins) = oneshot::channel();
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("the operating system lets a test have a thread").block_on(serve(original, begun));
        });
        let (shared, address) = begins.blocking_recv().expect("it serves");
        let cluster = &mut file["clusters"][0]["cluster"];
        *cluster = json!({"server": format!("http://{address}")});
        fs::write(kubeconfig, file.to_string()).expect("the kubeconfig is ours");
        Self { shared }
    }

    /// Decides by this rule from now on.
    pub fn set(&self, rule: impl Fn(&Parts) -> Act + Send + Sync + 'static) {
        self.shared.answered.store(0, Ordering::SeqCst);
        *self.shared.rule() = Some(Box::new(rule));
    }

    /// Lets everything pass again.
    pub fn clear(&self) {
        *self.shared.rule() = None;
    }

    /// How many requests got an [`Answer`] since the rule was set.
    #[must_use]
    pub fn answered(&self) -> usize {
        self.shared.answered.load(Ordering::SeqCst)
    }

    /// Ends all answers that are under way, watches above all.
    pub fn end_streams(&self) {
        self.shared.ends.send_replace(());
    }
}

impl Shared {
    fn rule(&self) -> std::sync::MutexGuard<'_, Option<Rule>> {
        self.rule.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn serve(original: Kubeconfig, begun: oneshot::Sender<(Arc<Shared>, SocketAddr)>) {
    let options = KubeConfigOptions::default();
    let config = Config::from_custom_kubeconfig(original, &options).await;
    let mut config = config.expect("the kubeconfig names one context");
    // The programs say themselves who they are.
    config.auth_info = AuthInfo::default();
    config.read_timeout = None;
    config.default_retry = false;
    let upstream = Client::try_from(config).expect("the kubeconfig makes a client");
    let (rule, answered, ends) = (Mutex::new(None), AtomicUsize::new(0), watch::Sender::new(()));
    let shared = Arc::new(Shared { upstream, rule, answered, ends });
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("there is a free port");
    let address = listener.local_addr().expect("it was just bound");
    let _ = begun.send((shared.clone(), address));
    let router = Router::new().fallback(handle).with_state(shared);
    axum::serve(listener, router).await.expect("it serves until the process ends");
}

async fn handle(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (mut head, body) = request.into_parts();
    let act = shared.rule().as_ref().map_or(Act::Pass, |rule| rule(&head));
    match act {
        Act::Pass => {}
        Act::Delay(time) => tokio::time::sleep(time).await,
        Act::Answer(answer) => {
            shared.answered.fetch_add(1, Ordering::SeqCst);
            return answer.into();
        }
    }
    head.headers.remove(header::HOST);
    let Ok(body) = to_bytes(body, usize::MAX).await else {
        return answer(StatusCode::BAD_REQUEST, None, "the request broke off".to_owned());
    };
    let request = http::Request::from_parts(head, kube::client::Body::from(body.to_vec()));
    let mut ends = shared.ends.subscribe();
    match shared.upstream.send(request).await {
        Ok(answer) => {
            let ended = async move { drop(ends.changed().await) };
            answer
                .map(|body| Body::from_stream(Body::new(body).into_data_stream().take_until(Box::pin(ended))))
        }
        Err(error) => answer(StatusCode::BAD_GATEWAY, None, error.to_string()),
    }
}

impl From<Answer> for Response {
    fn from(Answer { status, retry_after, body }: Answer) -> Self {
        let status = StatusCode::from_u16(status).expect("a test's status is one");
        answer(status, retry_after, format!("{body}\n"))
    }
}

fn answer(status: StatusCode, retry_after: Option<u32>, body: String) -> Response {
    let mut answer = Response::builder().status(status).header(header::CONTENT_TYPE, "application/json");
    if let Some(seconds) = retry_after {
        answer = answer.header(header::RETRY_AFTER, seconds);
    }
    answer.body(Body::from(body)).expect("fixed words and numbers")
}
