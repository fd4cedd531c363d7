//! From a kubeconfig and an environment to the connection, and requests over the loopback of this machine.
//!
//! Not TLS and proxies over it, which need real servers and processes: `tests/way`. Invariant: no request leaves
//! this machine.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::thread::{self, JoinHandle};

use super::*;

fn kubeconfig(cluster: &str, user: &str) -> Kubeconfig {
    let text = format!(
        "clusters: [{{name: c, cluster: {{{cluster}}}}}]\nusers: [{{name: u, user: {{{user}}}}}]\n\
         contexts: [{{name: ctx, context: {{cluster: c, user: u, namespace: ns}}}}]\n"
    );
    Kubeconfig::from_yaml(&text).unwrap()
}

fn route_with(cluster: &str, user: &str, environment: &[(&str, &str)]) -> Result<Route, RouteError> {
    let proxies = Proxies::new(|name| {
        let found = environment.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| (*value).to_owned())
    });
    Route::new(&kubeconfig(cluster, user), "ctx", &proxies)
}

fn route(cluster: &str, user: &str) -> Result<Route, RouteError> {
    route_with(cluster, user, &[])
}

fn said<T>(result: Result<T, RouteError>) -> String {
    match result.err().unwrap() {
        RouteError::Value { field, source } => format!("{field}: {source}"),
        error => error.to_string(),
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// Answers each request with the next code, 401 or 404, and returns the `Authorization` header of each request.
fn serve(codes: &'static [u16]) -> (String, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = format!("http://{}", listener.local_addr().unwrap());
    let served = thread::spawn(move || {
        let answer = |code: &u16| {
            let (mut stream, _) = listener.accept().unwrap();
            let mut asked = vec![0; 4096];
            let length = stream.read(&mut asked).unwrap();
            let answer = format!("HTTP/1.1 {code} x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            stream.write_all(answer.as_bytes()).unwrap();
            let asked = String::from_utf8_lossy(&asked[..length]).into_owned();
            let header = asked.lines().find_map(|line| line.strip_prefix("authorization: "));
            header.unwrap_or_default().to_owned()
        };
        codes.iter().map(answer).collect()
    });
    (server, served)
}

async fn ask(client: &Client) -> Result<StatusCode, kube::Error> {
    Ok(client.send(Request::get("/version").body(Body::empty()).unwrap()).await?.status())
}

#[test]
fn a_clusters_own_proxy_goes_before_the_environment_and_its_exceptions() {
    let proxy = |cluster: &str, environment: &[(&str, &str)]| {
        let route = route_with(cluster, "", environment).unwrap();
        route.config.proxy_url.map(|proxy| proxy.to_string())
    };
    let server = "server: 'https://api.corp.example:6443'";
    let own = format!("{server}, proxy-url: 'socks5://127.0.0.1:1'");
    let environment = [("HTTPS_PROXY", "proxy.example:3128"), ("NO_PROXY", "api.corp.example,127.0.0.1,")];
    assert_eq!(proxy(&own, &environment), Some("socks5://127.0.0.1:1/".to_owned()));
    assert_eq!(proxy(server, &environment), None);
    assert_eq!(proxy(server, &environment[..1]), Some("http://proxy.example:3128/".to_owned()));
    assert_eq!(proxy(&format!("{server}, proxy-url: ''"), &[]), None);
}

#[test]
fn what_is_wrong_with_a_cluster_is_said_by_field() {
    let server = "server: 'https://x'";
    for (cluster, expected) in [
        ("server: '127.0.0.1:1'", "server of cluster c: it has no scheme"),
        ("server: 'https://me:hunter2@x'", "server of cluster c: it is a URL with a user name"),
        ("", "cluster c of the kubeconfig has no server"),
        (
            &format!("{server}, proxy-url: 'proxy:3128'"),
            "proxy-url of cluster c: it isn't a proxy of http, https or socks5",
        ),
        (
            &format!("{server}, certificate-authority: /no/such"),
            "certificate-authority of cluster c: /no/such can't be read",
        ),
        (
            &format!("{server}, certificate-authority-data: '*'"),
            "certificate-authority-data of cluster c: it isn't base64",
        ),
        (
            &format!("{server}, certificate-authority-data: aHVudGVyMg=="),
            "certificate-authority-data of cluster c: it holds no certificate in PEM",
        ),
    ] {
        assert_eq!(said(route(cluster, "")), expected, "{cluster}");
    }
    let ca = concat!(env!("CARGO_MANIFEST_DIR"), "/../../crds/src/keys/testdata/rsa-2048.crt");
    let both = format!("{server}, insecure-skip-tls-verify: true, certificate-authority: {ca}");
    assert_eq!(
        said(route(&both, "")),
        "insecure-skip-tls-verify of cluster c: certificate-authority is given, too"
    );
    let proxy = [("HTTPS_PROXY", "ftp://me:hunter2@x")];
    assert_eq!(
        said(route_with(server, "", &proxy)),
        "HTTPS_PROXY: it isn't a proxy of http, https or socks5"
    );
}

#[test]
fn a_context_that_leads_nowhere_is_named() {
    let kubeconfig = Kubeconfig::from_yaml("contexts: [{name: a, context: {cluster: b}}]").unwrap();
    let said = |context| said(Route::new(&kubeconfig, context, &Proxies::new(|_| None)));
    assert_eq!(said("a"), "the kubeconfig has no cluster b, which context a names");
    assert_eq!(said("b"), "the kubeconfig has no context b");
}

#[test]
fn what_only_tls_can_see_is_said_by_field_too() {
    let client = |cluster: &str, user: &str| {
        let route = route(&format!("server: 'https://x', {cluster}"), user).unwrap();
        said(block_on(route.client()))
    };
    let pem = |label: &str| {
        let text = format!("-----BEGIN {label}-----\naHVudGVyMg==\n-----END {label}-----\n");
        base64::Engine::encode(&base64::engine::general_purpose::STANDARD, text)
    };
    assert_eq!(
        client(&format!("certificate-authority-data: {}", pem("CERTIFICATE")), ""),
        "certificate-authority of cluster c: it holds something else than an X.509 certificate"
    );
    let pair =
        format!("client-certificate-data: {}, client-key-data: {}", pem("CERTIFICATE"), pem("PRIVATE KEY"));
    assert_eq!(client("", &pair), "client-key of user u: it isn't the private key of client-certificate");
    assert_eq!(
        client("tls-server-name: 'a b'", ""),
        "tls-server-name of cluster c: it isn't the name of a host"
    );
    assert_eq!(
        client("", r#"as: "a\nb""#),
        "as of user u: it holds a line break, or another character that no HTTP header may hold"
    );
}

#[test]
fn credentials_go_over_tls_or_stay_on_this_machine() {
    let sent = |server: &str| {
        let route = route(&format!("server: {server}"), "token: t, as: other").unwrap();
        let credentials = block_on(route.login.credentials()).unwrap();
        credentials.authorization.is_some()
    };
    for safe in ["https://api.example", "http://127.0.0.1:8001", "http://localhost"] {
        assert!(sent(safe), "{safe}");
    }
    for plain in ["http://api.example", "http://127.0.0.1, proxy-url: 'http://proxy.example'"] {
        assert!(!sent(plain), "{plain}");
    }
    // No login program runs where its credentials wouldn't be sent.
    let exec = "exec: {apiVersion: client.authentication.k8s.io/v1, command: /no/such}";
    let route = route("server: 'http://api.example'", exec).unwrap();
    assert!(block_on(route.login.credentials()).is_ok());
}

#[test]
fn clients_of_one_route_send_what_one_login_gave() {
    let dir = tempfile::tempdir().unwrap();
    let runs = dir.path().join("runs");
    let exec = format!(
        "exec: {{apiVersion: client.authentication.k8s.io/v1, interactiveMode: Never, command: sh, args: ['-c', \
         'echo run >> {}; echo kind: ExecCredential; echo apiVersion: client.authentication.k8s.io/v1; \
         echo \"status: {{token: t}}\"']}}",
        runs.display()
    );
    let (server, served) = serve(&[404, 404, 404, 401, 404]);
    let route = route(&format!("server: '{server}'"), &exec).unwrap();
    let counted = || fs::read_to_string(&runs).unwrap().lines().count();
    block_on(async {
        let (one, other) = (route.clone().client().await.unwrap(), route.client().await.unwrap());
        for client in [&one, &other, &one] {
            assert_eq!(ask(client).await.unwrap(), 404);
        }
        assert_eq!(counted(), 1);
        // The server refuses the token: the caller gets the answer, and the next request gets another token.
        assert_eq!(ask(&one).await.unwrap(), 401);
        assert_eq!(counted(), 1);
        assert_eq!(ask(&other).await.unwrap(), 404);
        assert_eq!(counted(), 2);
    });
    assert_eq!(served.join().unwrap(), vec!["Bearer t"; 5]);
}

#[test]
fn a_login_that_fails_later_is_the_source_of_the_requests_error() {
    let dir = tempfile::tempdir().unwrap();
    let script = dir.path().join("once");
    let exec = format!(
        "exec: {{apiVersion: client.authentication.k8s.io/v1, interactiveMode: Never, command: sh, args: ['-c', \
         'mkdir {} || exit 9; echo kind: ExecCredential; echo apiVersion: client.authentication.k8s.io/v1; \
         echo \"status: {{token: t}}\"']}}",
        script.display()
    );
    let (server, served) = serve(&[401]);
    let route = route(&format!("server: '{server}'"), &exec).unwrap();
    let error = block_on(async {
        let client = route.client().await.unwrap();
        assert_eq!(ask(&client).await.unwrap(), 401);
        ask(&client).await.unwrap_err()
    });
    served.join().unwrap();
    let mut source: Option<&dyn Error> = Some(&error);
    let found = std::iter::from_fn(|| {
        let current = source?;
        source = current.source();
        Some(current)
    })
    .find_map(|error| error.downcast_ref::<RouteError>())
    .map(ToString::to_string);
    assert_eq!(found.as_deref(), Some("the login program sh of user u gives no credentials"));
}

#[test]
fn a_pod_asks_as_its_service_account_with_the_token_of_the_time() {
    let dir = tempfile::tempdir().unwrap();
    let account = dir.path();
    let ca =
        fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/../../crds/src/keys/testdata/rsa-2048.crt")).unwrap();
    let said = || said(in_pod(account, "10.96.0.1", "443"));
    let missing = account.join("ca.crt");
    assert_eq!(said(), format!("ca.crt of the Pod's service account: {} can't be read", missing.display()));
    fs::write(&missing, "hunter2").unwrap();
    assert_eq!(said(), "ca.crt of the Pod's service account: it holds no certificate in PEM");
    fs::write(&missing, ca).unwrap();
    fs::write(account.join("token"), "one\n").unwrap();
    let route = in_pod(account, "fd00::1", "443").unwrap();
    assert_eq!(route.server(), "https://[fd00::1]:443");
    let sent = || {
        let credentials = block_on(route.login.credentials()).unwrap();
        let header = credentials.authorization.clone().unwrap();
        credentials.refuse();
        header
    };
    assert_eq!(sent(), "Bearer one");
    fs::write(account.join("token"), "two\n").unwrap();
    assert_eq!(sent(), "Bearer two");
    assert_eq!(
        self::said(in_pod(account, "10.96.0.1", "x")),
        "KUBERNETES_SERVICE_HOST with KUBERNETES_SERVICE_PORT: it isn't a URL of http or https"
    );
}

/// Holds the invariant of the crate for everything that reaches kube, with any text in any field.
#[test]
fn no_text_in_any_field_panics() {
    let texts = [
        "",
        "\n",
        "t\n",
        "\u{0}",
        "é",
        "a b",
        "://",
        "http://",
        "https://127.0.0.1:1/%zz",
        "[::1",
        "%",
        "socks5://",
        "@",
    ];
    for text in texts {
        let quoted = serde_json::to_string(text).unwrap();
        for field in ["server", "proxy-url", "tls-server-name", "certificate-authority"] {
            let cluster = format!("{field}: {quoted}");
            let cluster =
                if field == "server" { cluster } else { format!("server: 'https://127.0.0.1:1', {cluster}") };
            try_everything(route(&cluster, "token: t"));
        }
        for field in ["token", "tokenFile", "username", "client-certificate", "client-key", "as", "as-uid"] {
            try_everything(route("server: 'https://127.0.0.1:1'", &format!("{field}: {quoted}")));
        }
        let environment = [("HTTPS_PROXY", text), ("NO_PROXY", text)];
        if let Ok(route) = route_with("server: 'https://no.such.invalid'", "", &environment) {
            assert!(block_on(route.client()).is_ok(), "{text:?}");
        }
    }
}

fn try_everything(route: Result<Route, RouteError>) {
    if let Ok(mut route) = route {
        route.config.connect_timeout = Some(std::time::Duration::from_millis(500));
        block_on(async {
            if let Ok(client) = route.client().await {
                let error = ask(&client).await.unwrap_err();
                assert!(!error.to_string().contains("closed"), "a worker died: {error}");
            }
        });
    }
}

#[test]
fn a_client_keeps_its_connection_until_it_is_told_to_make_a_new_one() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = format!("server: 'http://{}'", listener.local_addr().unwrap());
    let connections = Arc::new(AtomicU64::new(0));
    let counted = connections.clone();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            counted.fetch_add(1, Ordering::SeqCst);
            thread::spawn(move || {
                let mut asked = vec![0; 4096];
                while stream.read(&mut asked).is_ok_and(|length| length > 0) {
                    stream.write_all(b"HTTP/1.1 404 x\r\ncontent-length: 0\r\n\r\n").unwrap();
                }
            });
        }
    });
    let route = route(&server, "").unwrap();
    let renewal = route.renewal.clone();
    let made = block_on(async {
        let client = route.client().await.unwrap();
        let mut made = Vec::new();
        for renews in [false, false, true, false] {
            if renews {
                renewal.renew();
            }
            assert_eq!(ask(&client).await.unwrap(), StatusCode::NOT_FOUND);
            made.push(connections.load(Ordering::SeqCst));
        }
        made
    });
    assert_eq!(made, [1, 1, 2, 2]);
}
