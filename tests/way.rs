//! The way to a cluster is kubectl's: the real kubectl and our programs with the same kubeconfig and environment.
//!
//! Not every rule of it, which `cli/kubeconfig` tests over values. The kubeconfigs here lead to a real
//! kube-apiserver, through real proxies of this machine. Invariant: if kubectl reaches the server, so do we, with
//! the same requests to proxies and the same login programs; and no kubeconfig makes a program panic.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use seal_tests::control_plane::ControlPlane;
use seal_tests::controller::Controller;
use seal_tests::toolchain;
use seal_tests::tunnel::Tunnel;
use seal_tests::wait::until;
use serde_json::{Value, json};

use crate::cluster::scene::Scene;
use crate::sandbox::{CANARY, Run, Sandbox, holds, run};
use crate::unhelpful_cluster::kubeconfig;

/// The name of a server that only the tests' proxies can reach.
const SERVER: &str = "api.corp.example:6443";

/// The program that asks the cluster.
#[derive(Clone, Copy, Debug)]
enum Program {
    Kubectl,
    Seal,
}

impl Program {
    /// Asks the cluster something, with a manifest on standard input.
    fn go(self, sandbox: &Sandbox, kubeconfig: &Path, environment: &[(&str, &str)]) -> Run {
        let mut command = match self {
            Self::Kubectl => {
                let mut kubectl = Command::new(toolchain::bin("kubectl"));
                sandbox.confine(&mut kubectl);
                kubectl.env("KUBERC", "off").args(["get", "--raw", "/version", "--context=test"]);
                kubectl
            }
            Self::Seal => sandbox.seal(["keys", "fetch", "--context=test", "--controller-namespace=default"]),
        };
        command.env("PATH", "/usr/bin:/bin").env("KUBECONFIG", kubeconfig).envs(environment.iter().copied());
        let gone = run(&mut command, b"kind: Secret\n");
        assert!(!gone.stderr.contains("panicked"), "{self:?}: {}", gone.stderr);
        gone
    }

    /// Whether the program reached the API server, and its message. The namespace in which `seal` looks has no
    /// sealing keys.
    fn reaches(self, sandbox: &Sandbox, kubeconfig: &Path, environment: &[(&str, &str)]) -> (bool, String) {
        let gone = self.go(sandbox, kubeconfig, environment);
        let reached = match self {
            Self::Kubectl => gone.code == 0,
            Self::Seal => gone.stderr.contains("has no sealing key in namespace default"),
        };
        (reached, gone.stderr)
    }
}

/// The administrator's kubeconfig, as soon as the API server serves SealingKeys: after their definition comes, it
/// is busy for a moment.
fn administrator() -> &'static Path {
    let kubeconfig = ControlPlane::shared().kubeconfig();
    let sandbox = Sandbox::new();
    until("SealingKeys are served", || Program::Seal.reaches(&sandbox, kubeconfig, &[]).0);
    kubeconfig
}

/// The address of the shared kube-apiserver.
fn api_server() -> SocketAddr {
    let kubeconfig: Value = serde_json::from_slice(&fs::read(administrator()).unwrap()).unwrap();
    let server = kubeconfig["clusters"][0]["cluster"]["server"].as_str().unwrap().to_owned();
    server.trim_start_matches("https://").parse().unwrap()
}

/// Whether kubectl and seal both reach [`SERVER`] with these settings, and their requests to the proxies.
fn both(
    proxy_url: Option<&str>,
    environment: &[(&str, &str)],
    proxies: [&Tunnel; 2],
) -> (bool, [Vec<String>; 2]) {
    let sandbox = Sandbox::new();
    let kubeconfig = kubeconfig(&sandbox, |config| {
        let cluster = &mut config["clusters"][0]["cluster"];
        cluster["server"] = json!(format!("https://{SERVER}"));
        cluster["tls-server-name"] = json!("kubernetes.default.svc");
        if let Some(proxy_url) = proxy_url {
            cluster["proxy-url"] = json!(proxy_url);
        }
    });
    let [theirs, ours] = [Program::Kubectl, Program::Seal].map(|program| {
        let (reached, said) = program.reaches(&sandbox, &kubeconfig, environment);
        let asked = proxies.map(|proxy| {
            let mut asked: Vec<_> = proxy.take_asked().into_iter().map(|asked| asked.target).collect();
            asked.dedup();
            asked
        });
        (reached, asked, said)
    });
    assert_eq!(
        (ours.0, &ours.1),
        (theirs.0, &theirs.1),
        "{proxy_url:?} {environment:?}\n{}{}",
        ours.2,
        theirs.2
    );
    (ours.0, ours.1)
}

#[test]
fn proxies_are_used_where_kubectl_uses_them() {
    let [http, socks] = [Tunnel::http(api_server()), Tunnel::socks5(api_server())];
    let (at, socks_at) = (http.address().to_string(), format!("socks5://{}", socks.address()));
    let url = format!("http://{at}");
    let by = |proxy_url: Option<&str>, environment: &[(&str, &str)]| {
        let (reached, [http, socks]) = both(proxy_url, environment, [&http, &socks]);
        assert!(http.iter().chain(&socks).all(|target| target == SERVER), "{http:?} {socks:?}");
        match (reached, http.is_empty(), socks.is_empty()) {
            (true, false, true) => "http",
            (true, true, false) => "socks",
            (false, true, true) => "nobody",
            other => panic!("{other:?}"),
        }
    };
    for (proxy_url, environment, expected) in [
        (None, vec![("HTTPS_PROXY", &*url)], "http"),
        (None, vec![("https_proxy", &*at)], "http"),
        (None, vec![("HTTPS_PROXY", &*socks_at)], "socks"),
        (None, vec![("HTTPS_PROXY", &*at), ("NO_PROXY", "127.0.0.1")], "http"),
        (None, vec![("HTTPS_PROXY", &*at), ("NO_PROXY", "10.0.0.0/8,127.0.0.0/8,other.example,")], "http"),
        (None, vec![("HTTPS_PROXY", &*at), ("NO_PROXY", "api.corp.example")], "nobody"),
        (None, vec![("HTTPS_PROXY", &*at), ("no_proxy", "x, .corp.example:6443")], "nobody"),
        (None, vec![("HTTPS_PROXY", &*at), ("NO_PROXY", "api.corp.example:443")], "http"),
        (None, vec![("HTTP_PROXY", &*at)], "nobody"),
        (Some(&*url), vec![("NO_PROXY", "api.corp.example,127.0.0.1")], "http"),
        (Some(&*socks_at), vec![("HTTPS_PROXY", &*at)], "socks"),
    ] {
        assert_eq!(by(proxy_url, &environment), expected, "{proxy_url:?} {environment:?}");
    }
}

/// A login program that counts its runs, and stores `KUBERNETES_EXEC_INFO` and the size of its standard input.
fn login_program(sandbox: &Sandbox, token: &str) -> PathBuf {
    let script = format!(
        "#!/bin/sh\necho run >> {dir}/runs\nprintf %s \"$KUBERNETES_EXEC_INFO\" > {dir}/told\nwc -c > {dir}/read\n\
         printf '{{\"apiVersion\":\"client.authentication.k8s.io/v1\",\"kind\":\"ExecCredential\",\"status\":\
         {{\"expirationTimestamp\":\"2035-01-01T00:00:00Z\",\"token\":\"{token}\"}}}}'\n",
        dir = sandbox.dir().display(),
    );
    sandbox.write("login.sh", script);
    sandbox.path("login.sh")
}

fn exec(script: &Path) -> Value {
    json!({"exec": {
        "apiVersion": "client.authentication.k8s.io/v1", "command": "/bin/sh", "args": [script],
        "interactiveMode": "IfAvailable", "provideClusterInfo": true,
    }})
}

fn token_of(kubeconfig: &Path) -> String {
    let kubeconfig: Value = serde_json::from_slice(&fs::read(kubeconfig).unwrap()).unwrap();
    kubeconfig["users"][0]["user"]["token"].as_str().unwrap().to_owned()
}

#[test]
fn a_login_program_is_run_once_and_told_what_kubectl_tells_it() {
    let sandbox = Sandbox::new();
    let script = login_program(&sandbox, &token_of(administrator()));
    let kubeconfig = kubeconfig(&sandbox, |config| config["users"][0]["user"] = exec(&script));
    let [theirs, ours] = [Program::Kubectl, Program::Seal].map(|program| {
        let (reached, said) = program.reaches(&sandbox, &kubeconfig, &[]);
        assert!(reached, "{program:?}: {said}");
        let text = |name| String::from_utf8(sandbox.read(name)).unwrap();
        let mut told: Value = serde_json::from_str(&text("told")).unwrap();
        // Some programs write a missing field as null.
        if let Some(cluster) = told["spec"]["cluster"].as_object_mut() {
            cluster.retain(|_, value| !value.is_null());
        }
        let seen = (text("runs"), told, text("read").trim().to_owned());
        fs::remove_file(sandbox.path("runs")).unwrap();
        seen
    });
    assert_eq!(ours, theirs);
    assert_eq!((&*ours.0, &*ours.2), ("run\n", "0"));
    assert!(ours.1["spec"]["cluster"]["certificate-authority-data"].is_string(), "{}", ours.1);
}

#[test]
fn the_controllers_two_clients_share_one_run_of_a_login_program() {
    let scene = Scene::new("login");
    let sandbox = Sandbox::new();
    let script = login_program(&sandbox, &token_of(&scene.kubeconfig));
    let kubeconfig = kubeconfig(&sandbox, |config| config["users"][0]["user"] = exec(&script));
    let flags = [format!("--namespace={}", scene.keys), format!("--watch-namespace={}", scene.namespace)];
    let mut controller = Controller::start(&kubeconfig, scene.plane.dir(), &flags).ready();
    assert!(controller.terminate().success());
    assert_eq!(sandbox.read("runs"), b"run\n");
}

#[test]
fn token_files_and_lists_of_files_are_read_as_kubectl_reads_them() {
    let sandbox = Sandbox::new();
    sandbox.write("token", format!("{}\n", token_of(administrator())));
    for user in [json!({"tokenFile": "token"}), json!({"tokenFile": "token", "token": "stale"})] {
        let file = kubeconfig(&sandbox, |config| config["users"][0]["user"] = user.clone());
        let missing = sandbox.path("missing");
        let list = std::env::join_paths([&missing, &file, &missing]).unwrap();
        for program in [Program::Kubectl, Program::Seal] {
            let (reached, said) = program.reaches(&sandbox, list.as_ref(), &[]);
            assert!(reached, "{program:?} with {user}: {said}");
        }
    }
    let said = Program::Seal.go(&sandbox, "no/one:/no/two".as_ref(), &[]).stderr;
    assert!(
        said.starts_with("error: KUBECONFIG names no file that exists: no/one, /no/two\nhint: "),
        "{said}"
    );
}

#[test]
fn kubeseal_takes_the_namespace_of_the_first_file_that_is_there() {
    let sandbox = Sandbox::new();
    let file = kubeconfig(&sandbox, |config| config["contexts"][0]["context"]["namespace"] = json!("prod"));
    let list = std::env::join_paths([&sandbox.path("missing"), &file]).unwrap();
    let mut theirs = Command::new(toolchain::bin("kubeseal"));
    sandbox.confine(&mut theirs);
    for mut kubeseal in [theirs, sandbox.seal(["kubeseal"])] {
        kubeseal.env("KUBECONFIG", &list).args(["--cert=rsa.crt", "--format=json"]);
        let sealed =
            run(&mut kubeseal, b"{apiVersion: v1, kind: Secret, metadata: {name: db}, stringData: {a: b}}");
        assert_eq!((sealed.code, &*sealed.stderr), (0, ""));
        let sealed: Value = serde_json::from_slice(&sealed.stdout).unwrap();
        assert_eq!(sealed["metadata"]["namespace"], "prod");
    }
}

/// Both programs refuse what kubectl refuses, with a message and not by a panic.
#[test]
fn what_kubectl_cannot_use_is_refused_by_field() {
    let certificate = toolchain::repository().join("tests/cli/given/rsa.crt");
    type Change<'c> = &'c dyn Fn(&mut Value);
    let changes: [(Change<'_>, &str); 6] = [
        (&|config| config["clusters"][0]["cluster"]["server"] = json!("127.0.0.1:1"), "server of cluster"),
        (&|config| config["users"][0]["user"] = json!({"token": format!("{CANARY}\n")}), "token of user"),
        (&|config| config["users"][0]["user"] = json!({"tokenFile": "/no/such"}), "tokenFile of user"),
        (
            &|config| {
                let cluster = &mut config["clusters"][0]["cluster"];
                cluster.as_object_mut().unwrap().remove("certificate-authority-data");
                cluster["certificate-authority"] = json!("/no/such");
            },
            "certificate-authority of cluster",
        ),
        (
            &|config| {
                config["users"][0]["user"] =
                    json!({"client-certificate": certificate, "client-key": certificate});
            },
            "client-key of user",
        ),
        (
            &|config| config["clusters"][0]["cluster"]["proxy-url"] = json!(format!("ftp://{CANARY}@x")),
            "proxy-url of cluster",
        ),
    ];
    for (change, field) in changes {
        let sandbox = Sandbox::new();
        let file = kubeconfig(&sandbox, change);
        let (reached, _) = Program::Kubectl.reaches(&sandbox, &file, &[]);
        // kubectl reads a key only when a server asks for a certificate, which this one doesn't.
        assert!(!reached || field.starts_with("client-key"), "kubectl takes it: {field}");
        let ours = Program::Seal.go(&sandbox, &file, &[]);
        let mut controller = Command::new(toolchain::own("test-seal-controller"));
        sandbox.confine(&mut controller);
        controller.args(["run", "--listen=127.0.0.1:0"]).env("KUBECONFIG", &file);
        let controllers = run(&mut controller, b"");
        for (said, start) in [
            (&ours, format!("error: {field} ")),
            (&controllers, format!("seal-controller: there is no way to the Kubernetes API: {field} ")),
        ] {
            let text = &said.stderr;
            assert!(text.starts_with(&start) && text.contains(" can't be used: "), "{text}");
            assert!(!holds(text.as_bytes(), CANARY) && !text.contains("panicked"), "{text}");
            assert_eq!(said.code, 3, "{text}");
        }
    }
}
