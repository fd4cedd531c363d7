//! An admission webhook on this machine, which the API server asks over TLS about the objects that a test chooses.
//!
//! Not a policy of the API server's own, which can't be slow or away. Invariant: a request that isn't held is answered by
//! the verdict of the moment at which it came.

use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};

use crate::tls::{Request, Server};

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The object is let through.
    Permit,
    /// The object is refused, with this HTTP status.
    Refuse(u16),
    /// The webhook closes the connection, as one that is away.
    Fail,
    /// Nothing is answered until the next verdict, which is for this request too.
    Hold,
}

/// A running webhook. Its threads end with the process.
pub struct Webhook {
    server: Server,
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    /// The verdict is another one.
    changed: Condvar,
}

struct State {
    verdict: Verdict,
    asked: usize,
}

impl Webhook {
    /// Starts a webhook that lets everything through.
    ///
    /// # Panics
    /// When there is no free port.
    #[must_use]
    pub fn start() -> Self {
        let state = Mutex::new(State { verdict: Verdict::Permit, asked: 0 });
        let shared = Arc::new(Shared { state, changed: Condvar::new() });
        let answering = Arc::clone(&shared);
        let server = Server::start(&["localhost"], move |request, out| answering.answer(request, out));
        Self { server, shared }
    }

    /// The configuration that has the API server ask for each Secret of the namespace that has this label, and refuse what
    /// it can't ask about.
    #[must_use]
    pub fn configuration(&self, name: &str, namespace: &str, label: &str) -> Value {
        use base64::Engine as _;
        let bundle = base64::engine::general_purpose::STANDARD.encode(self.server.certificate());
        json!({
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
            "metadata": {"name": name},
            "webhooks": [{
                "name": format!("{name}.example.com"),
                "clientConfig": {
                    "url": format!("https://localhost:{}/validate", self.server.address().port()),
                    "caBundle": bundle,
                },
                "rules": [{
                    "apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"],
                    "resources": ["secrets"],
                }],
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
                "objectSelector": {"matchExpressions": [{"key": label, "operator": "Exists"}]},
                "failurePolicy": "Fail", "timeoutSeconds": 30,
                "sideEffects": "None", "admissionReviewVersions": ["v1"],
            }],
        })
    }

    /// Decides like this from now on, also about what is held.
    pub fn set(&self, verdict: Verdict) {
        *self.shared.state() = State { verdict, asked: 0 };
        self.shared.changed.notify_all();
    }

    /// How many requests came since the verdict was set.
    #[must_use]
    pub fn asked(&self) -> usize {
        self.shared.state().asked
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer(&self, request: &Request, out: &mut dyn Write) -> io::Result<()> {
        let mut state = self.state();
        state.asked += 1;
        let is_held = |state: &mut State| state.verdict == Verdict::Hold;
        let state = self.changed.wait_while(state, is_held).unwrap_or_else(PoisonError::into_inner);
        let verdict = state.verdict;
        drop(state);
        let review: Value = serde_json::from_slice(&request.body)?;
        let status = match verdict {
            Verdict::Permit => json!({}),
            Verdict::Refuse(code) => json!({"code": code, "message": "every Secret has two owners"}),
            Verdict::Hold | Verdict::Fail => return Ok(()),
        };
        let answer = json!({
            "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
            "response": {
                "uid": review["request"]["uid"], "allowed": verdict == Verdict::Permit, "status": status,
            },
        });
        let answer = answer.to_string();
        write!(
            out,
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n",
            answer.len()
        )?;
        write!(out, "connection: close\r\n\r\n{answer}")
    }
}
