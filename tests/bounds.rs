//! What a hostile text may cost either program, and what a crash of one leaves behind. The real processes run
//! under limits of the kernel.
//!
//! Not which texts are refused and why, which the crates' own tests hold. Invariant: no test measures time with a
//! clock. The kernel ends a process that needs more CPU time or more memory than it is given, and then its exit
//! code is another one.

use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use seal_tests::toolchain;
use seal_tests::wait::until;

use crate::sandbox::{Sandbox, run};

/// Seconds of CPU time for one text, in builds without optimization too. Half a mebibyte of nested brackets once
/// took minutes.
const CPU: u32 = 20;
/// Address space for one text, in KiB. Two texts of 4 MiB once took more than twice as much.
const MEMORY: u32 = 700 << 10;

/// The same command with at most this CPU time and memory.
fn limited(command: &Command) -> Command {
    let mut limited = Command::new("/bin/sh");
    limited
        .args(["-c", &format!("ulimit -t {CPU} && ulimit -v {MEMORY} && exec \"$0\" \"$@\"")])
        .arg(command.get_program())
        .args(command.get_args());
    if let Some(dir) = command.get_current_dir() {
        limited.current_dir(dir);
    }
    limited.env_clear().envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    limited
}

/// Texts that cost some reader the square of their length or hundreds of times their memory: a name, the text,
/// and the message that refuses it.
fn hostile() -> [(&'static str, String, &'static str); 7] {
    let laughing = (1..60).map(|n| format!("a{n}: &a{n} [*a{0}, *a{0}, *a{0}]\n", n - 1));
    [
        ("maps", "{a: ".repeat(128 << 10), "nests deeper than 127 levels"),
        (
            "lists",
            format!("{}{}", "[".repeat(256 << 10), "]".repeat(256 << 10)),
            "nests deeper than 127 levels",
        ),
        ("dashes", "- ".repeat(1 << 20), "nests deeper than 127 levels"),
        ("json", "{\"a\":".repeat(512 << 10), "nests deeper than 127 levels"),
        ("many", format!("a: [{}]\n", "{},".repeat(1_300_000)), "holds more than 1000000 values"),
        (
            "aliases",
            std::iter::once("a0: &a0 ['', '']\n".to_owned()).chain(laughing).collect(),
            "holds more than",
        ),
        (
            "texts",
            format!("a: &a {}\nb: [{}]\n", "x".repeat(1 << 20), "*a,".repeat(100_000)),
            "says far more",
        ),
    ]
}

#[test]
fn seal_refuses_a_hostile_text_before_it_costs_anything() {
    let sandbox = Sandbox::new();
    for (name, text, expected) in hostile() {
        for args in [&["-r", "prod.pub"][..], &["kubeseal", "--validate"]] {
            let found = run(&mut limited(&sandbox.seal(args)), text.as_bytes());
            let words: String = found.stderr.chars().take(1000).collect();
            assert!(found.code > 0 && words.contains(expected), "{name} {args:?}: {} {words}", found.code);
        }
    }
    // The key file of `-i` comes from outside too: it may be a backup that another person sent.
    for (name, text, _) in hostile() {
        sandbox.write("keys.yaml", format!("# apiVersion, kind, tls.key\n{text}"));
        let found = run(&mut limited(&sandbox.seal(["unseal", "-i", "keys.yaml"])), b"");
        assert!(found.code > 0, "{name}: {}", found.code);
    }
}

#[test]
fn seal_counts_items_before_it_seals_any() {
    let sandbox = Sandbox::new();
    let items = (0..300_000).map(|n| format!("  k{n}: v\n")).collect::<String>();
    let secret =
        format!("apiVersion: v1\nkind: Secret\nmetadata: {{name: a, namespace: b}}\nstringData:\n{items}");
    let found = run(&mut limited(&sandbox.seal(["-r", "prod.pub"])), secret.as_bytes());
    let expected = "encryptedData has 300000 items; at most 1024 are allowed";
    assert!(found.code == 3 && found.stderr.contains(expected), "{} {}", found.code, found.stderr);
}

#[test]
fn host_mode_refuses_a_hostile_manifest_before_it_costs_anything() {
    for (name, text, expected) in hostile() {
        let host = Host::new();
        let file = if name == "json" { "a.json" } else { "a.yaml" };
        let mention = if name == "json" { "{\"kind\": \"SealedSecret\"} " } else { "# SealedSecret\n" };
        fs::write(host.sandbox.path("manifests").join(file), format!("{mention}{text}")).unwrap();
        let found = run(&mut limited(&host.command(&["--once"])), b"");
        assert!(
            found.code == 1 && found.stderr.contains(expected),
            "{name}: {} {}",
            found.code,
            found.stderr
        );
    }
}

struct Host {
    sandbox: Sandbox,
}

impl Host {
    fn new() -> Self {
        let sandbox = Sandbox::new();
        for dir in ["manifests", "secrets"] {
            fs::create_dir(sandbox.path(dir)).unwrap();
        }
        let identity = seal_crds::keys::Identity::generate().to_secret_string();
        sandbox.write("host.key", identity.as_bytes());
        Self { sandbox }
    }

    fn command(&self, flags: &[&str]) -> Command {
        let mut command = Command::new(toolchain::own("test-seal-controller"));
        self.sandbox.confine(&mut command);
        let secrets = self.sandbox.path("secrets");
        command
            .args(["host", "--manifests", "manifests", "--identity", "host.key", "--secrets"])
            .arg(secrets);
        command.args(flags);
        command
    }
}

/// Starts a program without a limit on core files, ends it as a crash does, and returns what the kernel says of it.
fn crash(command: &Command, is_running: impl Fn(&Child) -> bool) -> (String, bool, Vec<String>) {
    let mut unlimited = Command::new("/bin/sh");
    unlimited.args(["-c", "ulimit -c unlimited && exec \"$0\" \"$@\""]).arg(command.get_program());
    unlimited
        .args(command.get_args())
        .envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let dir = command.get_current_dir().unwrap().to_owned();
    let mut child = unlimited
        .current_dir(&dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    until("it runs", || is_running(&child));
    let limits = fs::read_to_string(format!("/proc/{}/limits", child.id())).unwrap();
    let limit = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap().to_owned();
    kill_process(Pid::from_child(&child), Signal::ABORT).unwrap();
    let status = child.wait().unwrap();
    assert_eq!(status.signal(), Some(Signal::ABORT.as_raw()));
    let cores =
        fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
    (limit, status.core_dumped(), cores.filter(|name| name.starts_with("core")).collect())
}

/// Whether the program itself runs, past its first lines. Before that the process is the shell, which has another name.
fn is(child: &Child, name: &str) -> bool {
    let exe = fs::read_link(format!("/proc/{}/exe", child.id()));
    let waits =
        fs::read_to_string(format!("/proc/{}/stat", child.id())).is_ok_and(|stat| stat.contains(") S "));
    exe.is_ok_and(|exe| exe.ends_with(Path::new(name))) && waits
}

#[test]
fn a_crash_leaves_no_core_of_either_program() {
    let host = Host::new();
    let seal = host.sandbox.seal(["-r", "prod.pub"]);
    for (command, name) in [(seal, "test-seal"), (host.command(&[]), "test-seal-controller")] {
        let (limit, is_dumped, cores) = crash(&command, |child| is(child, name));
        let limit: Vec<_> = limit.split_whitespace().skip(4).take(2).collect();
        assert_eq!((limit, is_dumped, cores), (vec!["0", "0"], false, vec![]), "{name}");
    }
}
