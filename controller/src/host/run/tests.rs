//! Real agents, as processes: once, in a loop, two at a time, killed, on a full disk.
//!
//! Not single passes. Invariant: every agent ends with its test.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::*;
use crate::host::site::Site;

const ARGS: &str = "SEAL_TEST_HOST_SITE";

/// Not a test of its own: the agent that other tests start, kill and stop. Reads flags from a file.
#[test]
fn agent_process() {
    let Ok(text) = std::env::var(ARGS) else { return };
    #[derive(clap::Parser)]
    struct Cli {
        #[command(flatten)]
        args: HostArgs,
    }
    let args = <Cli as clap::Parser>::parse_from(text.split('\n')).args;
    // Logs everything that any crate could ever log; tests that don't read it send it nowhere.
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(io::stderr)
        .with_ansi(false)
        .init();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let code = match runtime.block_on(run(args)) {
        Ok(code) if code == ExitCode::SUCCESS => 0,
        Ok(_) => 1,
        Err(_) => 3,
    };
    std::process::exit(code);
}

fn agent_command(site: &Site, secrets: &Path, more: &[&str]) -> Command {
    let flag = |name: &str, path: &Path| format!("--{name}={}", path.display());
    let mut args = vec![
        "host".to_owned(),
        flag("manifests", &site.path("manifests")),
        flag("secrets", secrets),
        flag("identity", &site.path("keys.txt")),
    ];
    args.extend(more.iter().map(|&more| more.to_owned()));
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "--nocapture", "host::run::tests::agent_process"])
        .env(ARGS, args.join("\n"))
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

fn spawn(site: &Site, more: &[&str]) -> Child {
    agent_command(site, &site.path("secrets"), more).spawn().unwrap()
}

fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(Instant::now() < until, "not within 20 s: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn end(mut child: Child, signal: rustix::process::Signal) -> Option<i32> {
    let pid = rustix::process::Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    rustix::process::kill_process(pid, signal).unwrap();
    child.wait().unwrap().code()
}

#[test]
fn the_loop_follows_manifests_drift_and_keys_and_stops_on_sigterm() {
    let site = Site::new();
    site.commit("prod/db", "one");
    // The resync is so long that only watching can wake the loop.
    let child = spawn(&site, &["--resync=1h", "--prune-after=100ms"]);
    let is = |at: &'static str, value: &'static str| site.item(at).as_deref() == Some(value);
    eventually("written", || is("prod/db/password", "one"));
    site.commit("prod/db", "two");
    eventually("changed", || is("prod/db/password", "two"));
    fs::write(site.path("secrets/prod/db/password"), "wrong").unwrap();
    eventually("healed", || is("prod/db/password", "two"));
    fs::remove_dir_all(site.path("secrets/prod")).unwrap();
    eventually("made again", || is("prod/db/password", "two"));

    // Sealed for somebody else's identity; it opens once that is added to the file.
    let other = Site::new();
    site.commit_text("later.yaml", &other.sealed("prod/later", seal_crds::Scope::Strict, &[("a", "b")]));
    eventually("no key", || site.condition("prod/later").is_some_and(|c| c.1 == "NoMatchingKey"));
    let both = [site.path("keys.txt"), other.path("keys.txt")].map(|path| fs::read_to_string(path).unwrap());
    fs::write(site.path("keys.txt"), both.join("\n")).unwrap();
    eventually("opened with the new key", || is("prod/later/a", "b"));

    site.remove("later.yaml");
    eventually("pruned", || site.item("prod/later/a").is_none());
    assert_eq!(end(child, rustix::process::Signal::TERM), Some(0));
    assert_eq!(site.item("prod/db/password").as_deref(), Some("two"));
}

#[test]
fn a_checkout_behind_a_link_is_followed_when_the_link_moves_on() {
    let site = Site::new();
    site.commit("prod/db", "one");
    fs::rename(site.path("manifests"), site.path("release-1")).unwrap();
    symlink("release-1", site.path("manifests")).unwrap();
    let child = spawn(&site, &["--resync=1h"]);
    eventually("written", || site.item("prod/db/password").as_deref() == Some("one"));
    fs::create_dir(site.path("release-2")).unwrap();
    let next = site.sealed("prod/db", seal_crds::Scope::Strict, &[("password", "two")]);
    fs::write(site.path("release-2/db.yaml"), next).unwrap();
    symlink("release-2", site.path("next")).unwrap();
    fs::rename(site.path("next"), site.path("manifests")).unwrap();
    eventually("changed", || site.item("prod/db/password").as_deref() == Some("two"));
    assert_eq!(end(child, rustix::process::Signal::INT), Some(0));
}

#[test]
fn killed_again_and_again_at_random_a_reader_sees_whole_secrets_only() {
    let site = Site::new();
    let both = |n: usize| {
        let text = format!("value {n}");
        site.sealed("prod/db", seal_crds::Scope::Strict, &[("a", &text), ("b", &text)])
    };
    site.commit("prod/other", "same");
    for n in 0..25_u32 {
        site.commit_text("db.yaml", &both(n as usize));
        let mut child = spawn(&site, &["--resync=1h"]);
        std::thread::sleep(Duration::from_millis(u64::from(n * 37 % 120)));
        child.kill().unwrap();
        child.wait().unwrap();
        let seen = fs::read_dir(site.path("secrets/prod/db/..data")).map(|entries| {
            let values = entries.map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap());
            values.collect::<Vec<_>>()
        });
        if let Ok(seen) = seen {
            assert!(seen.len() == 2 && seen[0] == seen[1] && seen[0].starts_with("value "), "{n}: {seen:?}");
        }
    }
    assert_eq!(agent_command(&site, &site.path("secrets"), &["--once"]).status().unwrap().code(), Some(0));
    assert_eq!(site.item("prod/db/a").as_deref(), Some("value 24"));
    assert_eq!(fs::read_dir(site.path("secrets/prod/db")).unwrap().count(), 4);
    assert_eq!(fs::read_dir(site.path("secrets/prod")).unwrap().count(), 2);
}

#[test]
fn a_second_agent_and_a_bad_checkout_have_their_exit_codes() {
    let site = Site::new();
    site.commit("prod/db", "one");
    let first = spawn(&site, &[]);
    eventually("written", || site.item("prod/db/password").is_some());
    let once = || agent_command(&site, &site.path("secrets"), &["--once"]).status().unwrap().code();
    assert_eq!(once(), Some(3), "somebody else is at work");
    end(first, rustix::process::Signal::TERM);
    assert_eq!(once(), Some(0));
    site.commit_text("bad.yaml", "kind: SealedSecret\nkind: SealedSecret\n");
    assert_eq!(once(), Some(1), "a file that can't be read");
}

#[tokio::test]
async fn an_output_that_others_can_write_to_is_refused_before_anything_is_written() {
    let site = Site::new();
    site.commit("prod/db", "one");
    fs::set_permissions(site.path("secrets"), fs::Permissions::from_mode(0o777)).unwrap();
    let (_sender, stop) = watch::channel(false);
    let error = run_until(site.args(&["--once"]), stop).await.unwrap_err();
    assert!(matches!(error, HostError::Exposed(_)), "{error}");
    assert_eq!(fs::read_dir(site.path("secrets")).unwrap().count(), 0);
}

#[tokio::test]
async fn a_missing_output_is_made_and_a_missing_checkout_is_not() {
    let site = Site::new();
    site.commit("prod/db", "one");
    let secrets = site.path("new/deep/secrets");
    let (_sender, stop) = watch::channel(false);
    let outcome = run_until(site.args_for(&secrets, &["--once"]), stop.clone()).await.unwrap();
    assert!(outcome.unwrap().is_complete());
    assert_eq!(fs::metadata(&secrets).unwrap().permissions().mode() & 0o777, 0o700);
    fs::remove_dir_all(site.path("manifests")).unwrap();
    let error = run_until(site.args_for(&secrets, &["--once"]), stop).await.unwrap_err();
    assert!(matches!(error, HostError::Manifests { .. }), "{error}");
    assert!(secrets.join("prod/db/password").exists());
}

#[tokio::test]
async fn an_output_within_the_checkout_is_refused() {
    let site = Site::new();
    symlink(site.path("manifests"), site.path("elsewhere")).unwrap();
    let (_sender, stop) = watch::channel(false);
    for secrets in ["manifests", "manifests/out", "elsewhere/out", "."] {
        let error =
            run_until(site.args_for(&site.path(secrets), &["--once"]), stop.clone()).await.unwrap_err();
        assert!(matches!(error, HostError::Nested(..)), "{secrets}: {error}");
    }
    assert_eq!(fs::read_dir(site.path("manifests")).unwrap().count(), 0);
}

/// On a real file system without a free byte: a small tmpfs in a mount namespace of its own.
#[test]
fn on_a_really_full_disk_the_old_secret_stays_whole() {
    let site = Site::new();
    let (small, large) = ("x".repeat(10_000), "y".repeat(300_000));
    site.commit("prod/db", &small);
    let script = r#"
        set -e
        mount -t tmpfs -o size=256k,mode=0700 seal "$1"
        shift
        "$@" && first=0 || first=$?
        cp "$SEAL_TEST_LARGE" "$SEAL_TEST_MANIFEST"
        "$@" && second=0 || second=$?
        cat "$SEAL_TEST_SECRETS/prod/db/password" > "$SEAL_TEST_SEEN"
        find "$SEAL_TEST_SECRETS/prod" -name '..seal-*' | wc -l > "$SEAL_TEST_SEEN.generations"
        exit $((10 * first + second))
    "#;
    fs::write(
        site.path("large.yaml"),
        site.sealed("prod/db", seal_crds::Scope::Strict, &[("password", &large)]),
    )
    .unwrap();
    let agent = agent_command(&site, &site.path("secrets"), &["--once"]);
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount", "sh", "-c", script, "sh"]);
    command.arg(site.path("secrets")).arg(agent.get_program()).args(agent.get_args());
    for (name, value) in agent.get_envs() {
        command.env(name, value.expect("only set"));
    }
    command
        .env("SEAL_TEST_LARGE", site.path("large.yaml"))
        .env("SEAL_TEST_MANIFEST", site.path("manifests/prod-db.yaml"))
        .env("SEAL_TEST_SECRETS", site.path("secrets"))
        .env("SEAL_TEST_SEEN", site.path("seen"))
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let may_mount = Command::new("unshare").args(["--user", "--map-root-user", "--mount", "true"]).status();
    let may_mount = may_mount.is_ok_and(|status| status.success());
    assert!(
        may_mount,
        "this test mounts a tmpfs, and needs user namespaces for that (`unshare --user --mount`)"
    );
    assert_eq!(command.status().unwrap().code(), Some(1), "first run in place, second not");
    assert_eq!(fs::read_to_string(site.path("seen")).unwrap(), small);
    assert_eq!(fs::read_to_string(site.path("seen.generations")).unwrap().trim(), "1");
}

/// The forms that a value may take in a place where it has no business: as it is, as text of its bytes, as
/// base64 at any offset.
fn disguises(value: &str) -> Vec<String> {
    use base64::Engine as _;
    let bytes = value.as_bytes();
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let list = bytes.iter().map(u8::to_string).collect::<Vec<_>>().join(", ");
    let mut all = vec![value.to_owned(), hex.to_uppercase(), hex, list];
    for engine in [base64::engine::general_purpose::STANDARD, base64::engine::general_purpose::URL_SAFE] {
        for before in 0..3 {
            let encoded = engine.encode([&b"\0\0"[..before], bytes].concat());
            // The first and the last group depend on the bytes around the value.
            all.push(encoded[4..encoded.len() - 4].to_owned());
        }
    }
    all
}

fn files_below(path: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut left = vec![path.to_owned()];
    while let Some(path) = left.pop() {
        let metadata = fs::symlink_metadata(&path).unwrap();
        if metadata.is_dir() {
            left.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else if metadata.is_file() {
            files.push(path);
        }
    }
    files
}

/// Real agents with everything logged, through all that a Secret goes through and all that can go wrong.
#[test]
fn nothing_but_the_item_files_ever_holds_a_secret() {
    const VALUE: &str = "canary-value-7f3a9c51";
    const BESIDE: &str = "canary-beside-20d4e8b6";
    let site = Site::new();
    let status = site.path("status");
    let state = site.path("state.json");
    let flags = [
        format!("--status={}", status.display()),
        format!("--state={}", state.display()),
        "--prune-after=10ms".to_owned(),
        "--once".to_owned(),
    ];
    let flags: Vec<_> = flags.iter().map(String::as_str).collect();
    let mut log = String::new();
    let mut run = |code| {
        let output =
            agent_command(&site, &site.path("secrets"), &flags).stderr(Stdio::piped()).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{}", String::from_utf8_lossy(&output.stderr));
        log += std::str::from_utf8(&output.stderr).unwrap();
    };
    let sealed = |at| site.sealed(at, seal_crds::Scope::Strict, &[("password", VALUE)]);
    let forbidden: Vec<_> =
        [VALUE, BESIDE, &site.identity.to_secret_string()].into_iter().flat_map(disguises).collect();

    site.commit_text("db.yaml", &sealed("prod/db"));
    site.commit_text("gone.yaml", &sealed("prod/gone"));
    run(0);
    fs::write(site.path("secrets/prod/db/password"), BESIDE).unwrap();
    run(0);
    assert_eq!(site.item("prod/db/password").as_deref(), Some(VALUE), "healed");
    site.remove("gone.yaml");
    run(0);
    let plaintext = format!("apiVersion: v1\nkind: Secret\nstringData: {{password: {BESIDE}}}\n---\n");
    site.commit_text("beside.yaml", &format!("{plaintext}{}", sealed("prod/beside")));
    site.commit_text("moved.yaml", &sealed("prod/moved").replace("prod", "staging"));
    site.commit_text("twice.yaml", &sealed("prod/db"));
    site.commit_text("broken.yaml", &format!("kind: SealedSecret\nx: {BESIDE}\n  y: [{BESIDE}"));
    site.commit_text("spec.yaml", &sealed("prod/spec").replace("scope: strict", &format!("scope: {BESIDE}")));
    site.commit_text("group.yaml", &sealed("prod/group").replace("sealing.dev/", BESIDE));
    fs::create_dir_all(site.path("secrets/prod/foreign")).unwrap();
    fs::write(site.path("secrets/prod/foreign/password"), VALUE).unwrap();
    site.commit_text("foreign.yaml", &sealed("prod/foreign"));
    run(1);

    for said in ["pruned the Secret", "isn't as it was written", "broken.yaml", "group.yaml"] {
        assert!(log.contains(said), "the log is there, and says {said:?}: {log}");
    }
    let found = forbidden.iter().find(|text| log.contains(*text));
    assert!(found.is_none(), "in the log: {found:?}");
    let (mut items, mut others) = (Vec::new(), 0);
    for path in ["secrets", "status", "state.json"].into_iter().flat_map(|at| files_below(&site.path(at))) {
        let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
        if path.file_name().is_some_and(|name| name == "password") {
            items.push(text);
            continue;
        }
        others += 1;
        let found = forbidden.iter().find(|forbidden| text.contains(*forbidden));
        assert!(found.is_none(), "in {}: {found:?}", path.display());
    }
    assert_eq!(items, [VALUE; 3], "prod/db, prod/beside and the foreign one");
    assert!(others >= 6, "status files and the state file were looked at");
}
