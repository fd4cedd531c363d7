//! The peer's certificate from a URL: over TLS, through proxies, and from servers that are slow, large or elsewhere.
//!
//! The real kubeseal runs beside ours, with the same environment. Not the parts of an answer, which are tested
//! beside the code (`cli/src/keys/url`). Invariant: a server that the system doesn't trust isn't believed, and then
//! nothing is sealed.

use std::io::{self, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::process::Command;
use std::time::{Duration, Instant};

use seal_tests::tls::Server;
use seal_tests::toolchain;
use seal_tests::tunnel::{Asked, Tunnel};

use crate::sandbox::{CANARY, Run, Sandbox, holds, run};

const SECRET: &str =
    "apiVersion: v1\nkind: Secret\nmetadata: {name: db, namespace: prod}\nstringData: {a: opensesame}\n";

/// Serves a certificate at `/cert.pem`, and faulty answers at other paths.
fn server() -> Server {
    let certificate = std::fs::read(toolchain::repository().join("tests/cli/given/rsa.crt")).unwrap();
    Server::start(&["localhost", "certs.example"], move |request, out| match request.line.split(' ').nth(1) {
        Some("/cert.pem") => ok(out, &certificate),
        Some("/moved") => elsewhere(out, "/cert.pem"),
        Some("/plain") => elsewhere(out, "http://localhost:1/cert.pem"),
        Some("/loop") => elsewhere(out, "/loop"),
        Some("/large") => ok(out, &vec![b'x'; 1024 * 1024 + 1]),
        _ => out.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"),
    })
}

fn ok(out: &mut dyn Write, body: &[u8]) -> io::Result<()> {
    write!(out, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len())?;
    out.write_all(body)
}

fn elsewhere(out: &mut dyn Write, location: &str) -> io::Result<()> {
    write!(
        out,
        "HTTP/1.1 302 Found\r\nlocation: {location}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    )
}

struct Clients {
    sandbox: Sandbox,
}

impl Clients {
    /// Both programs, in an environment that trusts these certificates and no others.
    fn new(trusted: &str) -> Self {
        let sandbox = Sandbox::new();
        sandbox.write("trusted.pem", trusted);
        Self { sandbox }
    }

    fn ours(&self, url: &str, environment: &[(&str, &str)]) -> Run {
        let ours = self.run(self.sandbox.seal(["kubeseal", "--cert", url]), environment);
        assert!(
            !holds(ours.stderr.as_bytes(), CANARY) && !ours.stderr.contains("panicked"),
            "{}",
            ours.stderr
        );
        assert_eq!(ours.code == 0, !ours.stdout.is_empty(), "{}", ours.stderr);
        ours
    }

    fn theirs(&self, url: &str, environment: &[(&str, &str)]) -> Run {
        let mut theirs = Command::new(toolchain::bin("kubeseal"));
        self.sandbox.confine(&mut theirs);
        theirs.args(["--cert", url]);
        self.run(theirs, environment)
    }

    fn run(&self, mut program: Command, environment: &[(&str, &str)]) -> Run {
        program.env("SSL_CERT_FILE", self.sandbox.path("trusted.pem")).env("SSL_CERT_DIR", "/nonexistent");
        run(program.envs(environment.iter().copied()), SECRET.as_bytes())
    }

    /// Whether both programs seal; the test fails if they disagree.
    #[track_caller]
    fn seal(&self, url: &str, environment: &[(&str, &str)]) -> bool {
        let (ours, theirs) = (self.ours(url, environment), self.theirs(url, environment));
        assert_eq!(
            ours.code == 0,
            theirs.code == 0,
            "{url}\nours: {}\ntheirs: {}",
            ours.stderr,
            theirs.stderr
        );
        ours.code == 0
    }

    /// The message of our program, which must not seal.
    #[track_caller]
    fn said(&self, url: &str, environment: &[(&str, &str)]) -> String {
        let ours = self.ours(url, environment);
        assert_ne!(ours.code, 0);
        ours.stderr.lines().next().unwrap_or_default().to_owned()
    }
}

#[test]
fn a_server_that_the_system_trusts_is_believed_and_no_other() {
    let server = server();
    let port = server.address().port();
    let clients = Clients::new(server.certificate());
    assert!(clients.seal(&format!("https://localhost:{port}/cert.pem"), &[]));
    assert!(clients.seal(&format!("https://localhost:{port}/moved"), &[]));
    // The certificate is for names, and this address isn't among them.
    assert!(!clients.seal(&format!("https://127.0.0.1:{port}/cert.pem"), &[]));
    let strangers = Clients::new(Server::start(&["localhost"], |_, _| Ok(())).certificate());
    let before = server.asked().len();
    assert!(!strangers.seal(&format!("https://localhost:{port}/cert.pem"), &[]));
    assert_eq!(server.asked().len(), before, "a request was sent to a stranger");
    let said = strangers.said(&format!("https://localhost:{port}/cert.pem"), &[]);
    assert!(said.contains("localhost can't be reached: ") && said.contains("certificate"), "{said}");
}

#[test]
fn a_proxy_of_the_environment_leads_to_the_server() {
    let server = server();
    let tunnel = Tunnel::http(server.address());
    let clients = Clients::new(server.certificate());
    let url = "https://certs.example/cert.pem";
    let asked = |authorization: Option<&str>| Asked {
        target: "certs.example:443".to_owned(),
        authorization: authorization.map(str::to_owned),
    };
    let address = tunnel.address().to_string();
    for proxy in [address.clone(), format!("http://{address}")] {
        for variable in ["HTTPS_PROXY", "https_proxy"] {
            assert!(clients.seal(url, &[(variable, &proxy)]), "{variable}={proxy}");
            assert_eq!(tunnel.take_asked(), [asked(None), asked(None)]);
        }
    }
    assert!(clients.seal(url, &[("HTTPS_PROXY", &format!("http://me:p%40ss@{address}"))]));
    assert_eq!(tunnel.take_asked(), [asked(Some("Basic bWU6cEBzcw==")), asked(Some("Basic bWU6cEBzcw=="))]);
    let socks = Tunnel::socks5(server.address());
    assert!(clients.seal(url, &[("HTTPS_PROXY", &format!("socks5://{}", socks.address()))]));
    assert_eq!(socks.take_asked(), [asked(None), asked(None)]);
    // The proxy isn't used for these exceptions, and without it the name leads nowhere.
    for environment in
        [("NO_PROXY", "other.example,certs.example"), ("no_proxy", "example"), ("NO_PROXY", "*")]
    {
        assert!(!clients.seal(url, &[("HTTPS_PROXY", &address), environment]), "{environment:?}");
    }
    assert!(!clients.seal(url, &[("HTTP_PROXY", &address)]));
    assert!(clients.seal(
        &format!("https://localhost:{}/cert.pem", server.address().port()),
        &[("HTTPS_PROXY", &address)]
    ));
    assert_eq!(tunnel.take_asked(), []);
}

#[test]
fn what_fails_on_the_way_is_said_with_the_place_and_without_the_password() {
    let server = server();
    let clients = Clients::new(server.certificate());
    let tunnel = Tunnel::http(server.address());
    let proxy = format!("http://me:{CANARY}@{}", tunnel.address());
    let base = format!("https://localhost:{}", server.address().port());
    let nobody = [("HTTPS_PROXY", format!("http://me:{CANARY}@127.0.0.1:1"))];
    let nobody: Vec<_> = nobody.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let through = ": https://certs.example/x: certs.example can't be reached through the proxy 127.0.0.1:1: connection \
                   refused";
    let told = clients.said("https://certs.example/x", &nobody);
    assert!(told.ends_with(through), "{told}");
    let told = clients.said(&format!("https://me:{CANARY}@certs.example/x"), &[("HTTPS_PROXY", &proxy)]);
    assert!(told.ends_with(": https://certs.example/x: certs.example answered with status 404"), "{told}");
    let told = clients.said("https://certs.example/x", &[("HTTPS_PROXY", &format!("ftp://{CANARY}@x"))]);
    assert!(told.contains("HTTPS_PROXY can't be used"), "{told}");
    for (path, end) in [
        ("/plain", "localhost redirects to a place that isn't followed"),
        ("/loop", "localhost redirects to a place that isn't followed"),
        ("/large", "localhost answered with more than 1048576 bytes"),
    ] {
        let told = clients.said(&format!("{base}{path}"), &[]);
        assert!(told.ends_with(end), "{told}");
    }
}

#[test]
fn a_server_that_says_nothing_over_tls_is_given_up() {
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let url = format!("https://localhost:{}/cert.pem", silent.local_addr().unwrap().port());
    let clients = Clients::new(Server::start(&["localhost"], |_, _| Ok(())).certificate());
    let begin = Instant::now();
    let said = clients.said(&url, &[]);
    assert!(said.ends_with("localhost doesn't answer"), "{said}");
    assert!(begin.elapsed() < Duration::from_secs(15), "{:?}", begin.elapsed());
}
