//! What posted bodies may cost: memory, and the time of other clients.
//!
//! Not the answers, which `controller/src/compat_http/tests.rs` holds. Invariant: no clock decides a test, except
//! for how long it waits before it gives up.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::thread;

use seal_crds::bitnami::seal_item;
use seal_crds::keys::Certificate;
use seal_crds::{Binding, Place, Scope};
use seal_tests::wait::until;
use serde_json::{Value, json};

use super::bitnami_keys::{COMPAT, Endpoints, LABEL, NEWER, NO_RENEWAL};
use super::scene::{Scene, condition};

/// The size of the largest body that the controller takes, in bytes.
const MAX_BODY: usize = 2 << 20;

/// The bodies that need the most memory for each byte, and the largest honest one.
fn bodies(scene: &Scene) -> Vec<String> {
    let fill = |start: &str, element: &str, end: &str| {
        let count = (MAX_BODY - start.len() - end.len()) / element.len();
        format!("{start}{}{end}", element.repeat(count))
    };
    let anchors = (0..100_000).map(|n| format!("- &a{n} {{}}\n")).collect::<String>();
    let place = Place { namespace: scene.namespace.parse().unwrap(), name: "db".parse().unwrap() };
    let certificate = Certificate::from_pem(NEWER.certificate).unwrap();
    let value = vec![b'x'; 700 << 10];
    let item = seal_item(certificate.public_key(), &Binding::new(Scope::Strict, &place), &value);
    let mut honest = NEWER.seal(scene);
    honest["spec"]["encryptedData"]["large"] = Value::String(item);
    let many: serde_json::Map<_, _> = (0..100_000).map(|n| (format!("i{n}"), json!("AAAA"))).collect();
    let mut crowded = NEWER.seal(scene);
    crowded["spec"]["encryptedData"] = many.into();
    vec![
        fill("[", "{\"\":0},", "0]"),
        fill("[", "[0],", "0]"),
        fill("[", "{a: },", "0]"),
        fill("", "- {}\n", ""),
        fill("", "--- {}\n", ""),
        "{a: ".repeat(MAX_BODY / 4),
        anchors,
        honest.to_string(),
        crowded.to_string(),
        fill("", "---\n", ""),
    ]
}

#[test]
fn bodies_of_the_worst_kind_fit_into_half_of_the_memory_that_the_deployment_gives() {
    let scene = Scene::new("bodies");
    let secret = NEWER.secret("sealed-secrets-keyx7k2p", &json!({LABEL: "active"}));
    scene.api().create(&scene.identities(""), &secret).unwrap();
    let controller =
        scene.start(&[COMPAT, NO_RENEWAL, "--compat-verify", "--compat-rotate", "--compat-rate-limit=1000"]);
    let endpoints = Endpoints::of(&controller);
    endpoints.until_primary(&NEWER);
    let before = controller.peak_memory();

    // These clients send all but the last byte and wait. Each holds a body, and there are more of them than the
    // controller takes at once.
    let unfinished: Vec<TcpStream> = (0..40)
        .map(|_| {
            let mut stream = TcpStream::connect(endpoints.address).unwrap();
            let head = format!("POST /v1/verify HTTP/1.1\r\nHost: x\r\nContent-Length: {MAX_BODY}\r\n\r\n");
            let _ =
                stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&vec![b' '; MAX_BODY - 1]));
            stream
        })
        .collect();
    let bodies = bodies(&scene);
    thread::scope(|scope| {
        for body in &bodies {
            for path in ["/v1/verify", "/v1/rotate"] {
                let address = endpoints.address;
                scope.spawn(move || {
                    let mut stream = TcpStream::connect(address).unwrap();
                    let length = body.len();
                    let head = format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n");
                    // The controller may refuse the body before all of it is sent, or end this connection in
                    // favour of another.
                    let _ =
                        stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes()));
                    let _ = stream.read(&mut [0; 1 << 10]);
                });
            }
        }
    });
    // A client that leaves gives back the memory held for it, so that the next one is served.
    drop(unfinished);
    assert_eq!(endpoints.send("POST", "/v1/verify", &bodies[7]).0, 200);
    let (status, resealed) = endpoints.send("POST", "/v1/rotate", &bodies[7]);
    assert!(status == 200 && resealed.len() > 700 << 10, "{status}");

    let peak = controller.peak_memory();
    assert!(peak < 256 << 10, "{peak} KiB, {before} KiB before");
}

/// The peer's definition allows anything in `template.metadata`. Parsed into values, each of these objects would
/// take more than 150 MiB.
#[test]
fn objects_of_one_tenant_take_up_no_more_memory_than_their_text() {
    let scene = Scene::new("heavy");
    let controller = scene.start(&[]);
    let elements = vec![json!({"": 0}); 190_000];
    let objects = format!("/apis/bitnami.com/v1alpha1/namespaces/{}/sealedsecrets", scene.namespace);
    for n in 0..4 {
        let mut object = NEWER.seal(&scene);
        object["metadata"]["name"] = json!(format!("heavy-{n}"));
        object["spec"]["template"] = json!({"metadata": {"x": elements}});
        scene.api().create(&objects, &object).unwrap();
    }
    let said = |n: usize| condition(&scene.api().get(&format!("{objects}/heavy-{n}")).unwrap(), "Stalled");
    until("all are looked at", || (0..4).all(|n| said(n).1 == "Malformed"));
    let peak = controller.peak_memory();
    assert!(peak < 256 << 10, "{peak} KiB");
}

/// Labels are bounded only by the size of their object, and the API server records who owns each. Parsed into
/// maps, every one of these Secrets would take more than ten times its text, and a list brings many at once.
#[test]
fn labels_without_end_take_up_no_more_memory_than_their_text() {
    let scene = Scene::new("labels-heavy");
    let labels: serde_json::Map<_, _> = (0..45_000).map(|n| (format!("l{n:05}"), json!(""))).collect();
    for n in 0..20 {
        let name = format!("heavy-{n}");
        let secret =
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "labels": labels}});
        scene.api().create(&scene.secrets(""), &secret).unwrap();
    }
    let controller = scene.start(&[]);
    scene.seal("db").item("a", "1").commit();
    scene.until_ready("db");
    let peak = controller.peak_memory();
    assert!(peak < 256 << 10, "{peak} KiB");
}
