//! The endpoints over a real socket, called as kubeseal and the API server call them.

mod slow;

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use seal_crds::bitnami::seal_item;
use seal_crds::keys::RsaPrivateKey;
use seal_crds::{Binding, Place, Scope};
use serde_json::{Value, json};

use super::*;

const KEY: &str = include_str!("../keys/bitnami/testdata/newer.pem");
const CERTIFICATE: &str = include_str!("../keys/bitnami/testdata/newer.crt");

/// Options that turn everything on, at a free port.
fn options() -> Options {
    let listen = SocketAddr::from(([127, 0, 0, 1], 0));
    Options { listen, verify: true, rotate: true, rate: 1000, burst: 1000 }
}

struct Server {
    address: SocketAddr,
    metrics: Metrics,
    task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn start(options: &Options, has_key: bool) -> Server {
    let mut keyring = Keyring::default();
    if has_key {
        keyring.insert_rsa_key(RsaPrivateKey::from_pem(KEY).unwrap());
    }
    let certificate = has_key.then(|| Certificate::from_pem(CERTIFICATE).unwrap());
    let metrics = Metrics::default();
    let context = Context {
        keys: watch::channel(Arc::new(keyring)).1,
        certificate: watch::channel(certificate).1,
        policy: Policy::default(),
        metrics: metrics.clone(),
    };
    let (listener, address) = listen::bind(options.listen).await.unwrap();
    Server { address, metrics, task: listen::serve(listener, router(options, context)) }
}

impl Server {
    /// Sends a request; returns the status, the head in lower case, and the body.
    async fn send(&self, method: &str, path: &str, body: &[u8]) -> (u16, String, String) {
        self.send_from([127, 0, 0, 1], method, path, body).await
    }

    async fn send_from(&self, from: [u8; 4], method: &str, path: &str, body: &[u8]) -> (u16, String, String) {
        let (address, body) = (self.address, body.to_vec());
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::from((from, 0))).unwrap();
        let stream = socket.connect(address).await.unwrap().into_std().unwrap();
        stream.set_nonblocking(false).unwrap();
        let talk = move || {
            let mut stream = stream;
            stream.write_all(head.as_bytes()).unwrap();
            // The server may answer and close the connection before it has read everything.
            drop(stream.write_all(&body));
            let mut answer = String::new();
            drop(stream.read_to_string(&mut answer));
            answer
        };
        let answer = tokio::task::spawn_blocking(talk).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").expect("an answer has a head");
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, head.to_lowercase(), body.to_owned())
    }

    async fn post(&self, path: &str, object: &Value) -> (u16, String) {
        let (status, _, body) = self.send("POST", path, object.to_string().as_bytes()).await;
        (status, body)
    }

    fn count(&self, path: &str, answer: &str) -> u64 {
        let series = format!("seal_controller_compat_requests_total{{path=\"{path}\",answer=\"{answer}\"}} ");
        let text = self.metrics.to_text();
        text.lines().find_map(|line| line.strip_prefix(&series)).map_or(0, |count| count.parse().unwrap())
    }
}

fn sealed(namespace: &str) -> Value {
    let place = Place { namespace: "prod".parse().unwrap(), name: "db".parse().unwrap() };
    let certificate = Certificate::from_pem(CERTIFICATE).unwrap();
    let item = seal_item(certificate.public_key(), &Binding::new(Scope::Strict, &place), b"hunter2");
    json!({
        "apiVersion": "bitnami.com/v1alpha1", "kind": "SealedSecret",
        "metadata": {"name": "db", "namespace": namespace},
        "spec": {"encryptedData": {"password": item}},
    })
}

#[tokio::test]
async fn the_certificate_of_the_primary_is_served() {
    let server = start(&options(), true).await;
    let (status, head, body) = server.send("GET", "/v1/cert.pem", b"").await;
    assert_eq!((status, body.as_str()), (200, CERTIFICATE));
    assert!(head.contains("content-type: application/x-pem-file"), "{head}");
    assert_eq!(server.send("GET", "/healthz", b"").await.2, "ok\n");
}

#[tokio::test]
async fn without_a_key_nothing_is_said_of_any_object() {
    let server = start(&options(), false).await;
    assert_eq!(server.send("GET", "/v1/cert.pem", b"").await.0, 503);
    for path in ["/v1/verify", "/v1/rotate"] {
        assert_eq!(server.post(path, &sealed("prod")).await.0, 503);
        assert_eq!(server.count(path, "unavailable"), 1);
    }
    assert_eq!(server.send("GET", "/healthz", b"").await.0, 200);
}

#[tokio::test]
async fn what_opens_something_is_off_by_default_and_says_so() {
    use clap::Parser as _;
    let args = ["seal-controller", "run", "--compat-http", "127.0.0.1:0"];
    let crate::args::Command::Run(args) = crate::args::Cli::parse_from(args).command else {
        panic!("run was asked for")
    };
    let server = start(&args.compat.to_options().unwrap(), true).await;
    for (path, flag) in [("/v1/verify", "--compat-verify"), ("/v1/rotate", "--compat-rotate")] {
        for method in ["GET", "POST"] {
            let (status, _, body) = server.send(method, path, sealed("prod").to_string().as_bytes()).await;
            assert_eq!(status, 404);
            assert!(body.contains(flag), "{body}");
        }
    }
    assert_eq!(server.send("GET", "/v1/cert.pem", b"").await.0, 200);
}

#[tokio::test]
async fn an_object_that_opens_is_valid_and_another_a_conflict() {
    let server = start(&options(), true).await;
    assert_eq!(server.post("/v1/verify", &sealed("prod")).await, (200, String::new()));
    for path in ["/v1/verify", "/v1/rotate"] {
        let (status, body) = server.post(path, &sealed("staging")).await;
        assert_eq!(status, 409);
        assert!(body.contains("item password can't be opened"), "{body}");
        assert_eq!(server.post(path, &json!({"kind": "Secret"})).await.0, 400);
        assert_eq!((server.count(path, "refused"), server.count(path, "malformed")), (1, 1));
    }
    assert_eq!(server.count("/v1/verify", "ok"), 1);
}

#[tokio::test]
async fn what_is_sealed_again_is_json_and_opens() {
    let server = start(&options(), true).await;
    let (status, head, body) = server.send("POST", "/v1/rotate", sealed("prod").to_string().as_bytes()).await;
    assert_eq!(status, 200);
    assert!(head.contains("content-type: application/json"), "{head}");
    let resealed: Value = serde_json::from_str(&body).unwrap();
    assert_ne!(resealed, sealed("prod"));
    assert_eq!(server.post("/v1/verify", &resealed).await.0, 200);
    assert!(!body.contains("hunter2") && !body.contains("aHVudGVyMg"), "{body}");
}

#[tokio::test]
async fn a_body_is_bounded() {
    let server = start(&options(), true).await;
    let mut large = sealed("prod").to_string();
    large.push_str(&" ".repeat(MAX_BODY - large.len()));
    assert_eq!(server.send("POST", "/v1/verify", large.as_bytes()).await.0, 200);
    large.push(' ');
    assert_eq!(server.send("POST", "/v1/verify", large.as_bytes()).await.0, 413);
}

#[tokio::test]
async fn both_that_open_something_have_one_limit_and_the_certificate_none() {
    let object = sealed("prod").to_string();
    let answers = within_a_second(async |server| {
        let mut answers = Vec::new();
        for path in ["/v1/verify", "/v1/rotate", "/v1/verify", "/v1/rotate"] {
            answers.push(server.send("POST", path, object.as_bytes()).await);
        }
        for _ in 0..10 {
            assert_eq!(server.send("GET", "/v1/cert.pem", b"").await.0, 200);
        }
        assert_eq!(server.count("/v1/verify", "limited"), 1);
        answers
    });
    let answers = answers.await;
    let statuses: Vec<_> = answers.iter().map(|(status, ..)| *status).collect();
    assert_eq!(statuses, [200, 200, 429, 429]);
    assert!(answers[2].1.contains("retry-after: 1"), "{}", answers[2].1);
}

#[tokio::test]
async fn what_opens_nothing_takes_nothing_from_the_limit() {
    let object = sealed("prod").to_string();
    let statuses = within_a_second(async |server| {
        let mut statuses = Vec::new();
        for body in ["", "", "{", "a: b: c", "{}", "[", &object, &object, &object] {
            statuses.push(server.send("POST", "/v1/verify", body.as_bytes()).await.0);
        }
        statuses
    });
    assert_eq!(statuses.await, [400, 400, 400, 400, 400, 400, 200, 200, 429]);
}

#[tokio::test]
async fn one_client_takes_nothing_from_another() {
    let object = sealed("prod").to_string();
    let statuses = within_a_second(async |server| {
        let mut statuses = Vec::new();
        for from in [[127, 0, 0, 2], [127, 0, 0, 2], [127, 0, 0, 2], [127, 0, 0, 1]] {
            statuses.push(server.send_from(from, "POST", "/v1/verify", object.as_bytes()).await.0);
        }
        statuses
    });
    assert_eq!(statuses.await, [200, 200, 429, 200]);
}

/// Talks to a server that lets two requests through at once, and then one a second. If the machine stands
/// still for a second, a token comes back in between, so the conversation is tried again with a new server.
async fn within_a_second<T>(talk: impl AsyncFn(&Server) -> T) -> T {
    for _ in 0..20 {
        let server = start(&Options { rate: 1, burst: 1, ..options() }, true).await;
        let begun = Instant::now();
        let outcome = talk(&server).await;
        if begun.elapsed() < Duration::from_millis(900) {
            return outcome;
        }
    }
    panic!("a few requests never came within a second");
}

/// A client that sends a request and leaves holds nothing: neither one of the [`AT_ONCE`] objects at work nor
/// a place in the queue.
#[tokio::test]
async fn a_client_that_has_gone_holds_up_nobody() {
    let server = start(&options(), true).await;
    // Work that takes a while, but only a small part of the time that a request may wait.
    let body = "- a\n".repeat(MAX_BODY / 32);
    let head = format!("POST /v1/verify HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", body.len());
    for _ in 0..4 * AT_ONCE {
        let mut stream = TcpStream::connect(server.address).unwrap();
        stream.write_all(head.as_bytes()).unwrap();
        drop(stream.write_all(body.as_bytes()));
    }
    let mut status = 503;
    // On a machine that is busy with something else, the objects at work may take longer than a client is
    // kept waiting.
    for _ in 0..10 {
        if status == 503 {
            status = server.post("/v1/verify", &sealed("prod")).await.0;
        }
    }
    assert_eq!(status, 200);
    let worked_on = server.count("/v1/verify", "malformed");
    assert!(worked_on <= 2 * AT_ONCE as u64, "{worked_on} of {}", 4 * AT_ONCE);
}

#[test]
fn a_client_that_has_gone_is_noticed() {
    let waiting = Waiting::default();
    let client_waits = waiting.clone();
    assert!(waiting.require().is_ok());
    drop(client_waits);
    assert!(waiting.require().is_err());
}

/// The sum holds the largest body for every connection. For each object at work it also holds the heaviest
/// values of a body with the tree they are read from, and ten copies of its text: the most there are on the
/// way to an answer (decoded, opened, sealed and printed). `tests/cluster/bodies.rs` measures a real
/// process.
#[test]
fn bodies_fit_into_half_of_what_the_deployment_gives() {
    let deployment = include_str!("../../deploy/deployment.yaml");
    let (_, limit) = deployment.split_once("limits: {memory: ").unwrap();
    let limit: usize = limit.split_once("Mi}").unwrap().0.parse().unwrap();
    let bodies = listen::CONNECTIONS * MAX_BODY + AT_ONCE * (2 * posted::MAX_WEIGHT + 10 * MAX_BODY);
    assert!(bodies <= (limit << 20) / 2, "{bodies} of {limit} MiB");
}
