//! `seal` at a terminal, where it behaves otherwise than in a pipe: it prints help instead of waiting, prints no
//! plaintext unless asked to, uses colours, and asks questions without echo.
//!
//! The terminal is a real pseudo-terminal, and these tests hold its other end. Invariant: the program has no
//! other terminal, so nothing depends on where the tests were started.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Pid;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};
use seal_crds::keys::{Identity, backup};
use seal_tests::{toolchain, touch};

use crate::cluster::scene::{Scene, items};
use crate::sandbox::{CANARY, Sandbox};

const PATIENCE: Duration = Duration::from_secs(30);
const INTERRUPT: &str = "\x03";

/// A running `seal`, and the person at its terminal.
pub(crate) struct Session {
    terminal: File,
    child: Child,
    /// The text on the screen, in pieces; it ends with the program.
    screen: Receiver<Vec<u8>>,
    seen: String,
    /// The program's side, kept open so that nothing is lost when it ends.
    far_end: File,
}

impl Session {
    /// Starts `seal` with some of its streams (`i`, `o`, `e`) on a new terminal; the others are closed.
    fn start(sandbox: &Sandbox, streams: &str, args: &[&str]) -> Self {
        Self::with_environment(sandbox, streams, args, &[])
    }

    pub(crate) fn with_environment(
        sandbox: &Sandbox,
        streams: &str,
        args: &[&str],
        env: &[(&str, &str)],
    ) -> Self {
        let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&terminal).unwrap();
        unlockpt(&terminal).unwrap();
        let name = ptsname(&terminal, Vec::new()).unwrap().into_string().unwrap();
        let far_end = rustix::fs::OFlags::RDWR | rustix::fs::OFlags::NOCTTY | rustix::fs::OFlags::CLOEXEC;
        let far_end = File::from(rustix::fs::open(&name, far_end, rustix::fs::Mode::empty()).unwrap());
        let mut command = Command::new(toolchain::own("on-terminal"));
        sandbox.confine(&mut command);
        command.arg(&name).arg(streams).arg(env!("CARGO_BIN_EXE_test-seal")).args(args);
        command.env("TERM", "xterm").envs(env.iter().copied());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn().unwrap();

        let terminal = File::from(terminal);
        let mut reader = terminal.try_clone().unwrap();
        let (sender, screen) = mpsc::channel();
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(read @ 1..) = reader.read(&mut buffer) {
                if sender.send(buffer[..read].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self { terminal, child, screen, seen: String::new(), far_end }
    }

    /// Waits until the screen shows a text, then types.
    #[track_caller]
    pub(crate) fn answer(&mut self, question: &str, typed: &str) {
        while !self.seen.ends_with(question) {
            let more = self.screen.recv_timeout(PATIENCE);
            let more = more.unwrap_or_else(|_| panic!("no {question:?} after {:?}", self.seen));
            self.seen.push_str(&String::from_utf8(more).unwrap());
        }
        self.terminal.write_all(typed.as_bytes()).unwrap();
    }

    /// Waits until the screen has shown a text anywhere, then types.
    #[track_caller]
    fn interject(&mut self, text: &str, typed: &str) {
        while !self.seen.contains(text) {
            let more = self.screen.recv_timeout(PATIENCE);
            let more = more.unwrap_or_else(|_| panic!("no {text:?} after {:?}", self.seen));
            self.seen.push_str(&String::from_utf8(more).unwrap());
        }
        self.terminal.write_all(typed.as_bytes()).unwrap();
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Waits for the end, and returns the exit code (of a signal the one that shells show), everything on the screen, and the output that went elsewhere.
    #[track_caller]
    pub(crate) fn end(mut self) -> (i32, String, String) {
        // A program that asks something that no test answers would wait for ever.
        let start = Instant::now();
        while self.child.try_wait().unwrap().is_none() {
            if start.elapsed() > 4 * PATIENCE {
                self.child.kill().unwrap();
            }
            thread::sleep(Duration::from_millis(5));
        }
        let child = self.child.wait_with_output().unwrap();
        let after = tcgetattr(&self.far_end).unwrap();
        assert!(after.local_modes.contains(LocalModes::ECHO | LocalModes::ICANON), "the terminal is spoilt");
        // The reader ends when nobody holds the far end open any more.
        drop(self.far_end);
        while let Ok(more) = self.screen.recv_timeout(PATIENCE) {
            self.seen.push_str(&String::from_utf8(more).unwrap());
        }
        let elsewhere = String::from_utf8([child.stdout, child.stderr].concat()).unwrap();
        let code = child.status.code().or(child.status.signal().map(|signal| 128 + signal));
        (code.unwrap(), self.seen.replace("\r\n", "\n"), elsewhere)
    }
}

fn sealed(sandbox: &Sandbox) {
    let secret = format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{name: db, namespace: prod}}\nstringData: {{password: {CANARY}}}\n"
    );
    sandbox.succeed(["-r", "prod.pub", "-o", "sealed.yaml"], secret);
}

#[test]
fn without_input_at_a_terminal_it_prints_help() {
    let (code, screen, _) = Session::start(&Sandbox::new(), "ioe", &[]).end();
    assert_eq!(code, 0, "{screen}");
    assert!(screen.contains("seal [OPTIONS] [FILE]...") && screen.contains("Exit codes:"), "{screen}");
}

/// Otherwise `seal > sealed.yaml` would write the help into the file, and `seal unseal` would wait for ever.
#[test]
fn without_input_at_a_terminal_nothing_goes_elsewhere() {
    for args in [&["-r", "prod.pub"][..], &["unseal", "-i", "prod.key"]] {
        let (code, screen, elsewhere) = Session::start(&Sandbox::new(), "ie", args).end();
        assert_eq!((code, elsewhere.as_str()), (2, ""), "{args:?}: {screen}");
        assert!(screen.contains("no file is named, and standard input is the terminal"), "{screen}");
    }
}

#[test]
fn plaintext_reaches_a_terminal_only_when_asked_for() {
    let sandbox = Sandbox::new();
    sealed(&sandbox);
    let unseal = ["unseal", "-i", "prod.key", "sealed.yaml", "--item", "password"];
    let (code, screen, _) = Session::start(&sandbox, "oe", &unseal).end();
    assert_eq!(code, 2, "{screen}");
    assert!(screen.contains("plaintext isn't printed to a terminal") && !screen.contains(CANARY), "{screen}");
    let (code, screen, _) = Session::start(&sandbox, "oe", &[&unseal[..], &["--show"]].concat()).end();
    assert_eq!((code, screen.as_str()), (0, CANARY));
    let (code, screen, piped) = Session::start(&sandbox, "ie", &unseal).end();
    assert_eq!((code, screen.as_str(), piped.as_str()), (0, "", CANARY));
}

#[test]
fn an_identity_reaches_a_terminal_only_when_asked_for() {
    let (code, screen, _) = Session::start(&Sandbox::new(), "oe", &["keys", "new"]).end();
    assert_eq!(code, 2, "{screen}");
    assert!(!screen.contains("AGE-SECRET-KEY"), "{screen}");
    let (code, screen, _) = Session::start(&Sandbox::new(), "oe", &["keys", "new", "--show"]).end();
    assert_eq!(code, 0, "{screen}");
    assert!(screen.contains("\nAGE-SECRET-KEY-PQ-1"), "{screen}");
}

#[test]
fn a_login_program_asks_the_person_once_and_nobody_where_there_is_none() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "login.sh",
        "printf 'code: ' >&2\nread code\n[ \"$code\" = 123 ] || exit 4\necho '{\"kind\": \"ExecCredential\", \
         \"apiVersion\": \"client.authentication.k8s.io/v1\", \"status\": {\"token\": \"t\"}}'\n",
    );
    sandbox.write(
        "config",
        "clusters: [{name: c, cluster: {server: 'https://127.0.0.1:1'}}]\n\
         contexts: [{name: prod, context: {cluster: c, user: u}}]\n\
         users: [{name: u, user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: /bin/sh, \
         args: [login.sh], interactiveMode: Always}}}]\n",
    );
    let fetch = ["keys", "fetch", "--context", "prod", "--kubeconfig", "config"];
    let mut session = Session::start(&sandbox, "ie", &fetch);
    session.answer("code: ", "123\n");
    let (code, screen, _) = session.end();
    assert_eq!((code, screen.matches("code: ").count()), (3, 1), "{screen}");
    assert!(screen.contains("https://127.0.0.1:1 can't be reached: connection refused"), "{screen}");
    let (code, screen, _) = Session::start(&sandbox, "e", &fetch).end();
    assert_eq!(code, 3, "{screen}");
    assert!(screen.contains("interactiveMode is Always, and standard input isn't a terminal"), "{screen}");
}

#[test]
fn colours_are_for_terminals_that_want_them() {
    let run = |streams: &str, env: &[(&str, &str)]| {
        let sandbox = Sandbox::new();
        let args = ["-r", "prod.pub", "missing.yaml"];
        Session::with_environment(&sandbox, streams, &args, env).end()
    };
    let (code, screen, _) = run("e", &[]);
    assert_eq!(code, 3);
    assert!(screen.contains("\u{1b}[31m") && screen.contains("error"), "{screen:?}");
    for env in [[("NO_COLOR", "1")], [("TERM", "dumb")]] {
        let (_, screen, _) = run("e", &env);
        assert!(screen.starts_with("error: can't read missing.yaml"), "{env:?}: {screen:?}");
    }
    let (_, _, piped) = run("io", &[]);
    assert!(piped.starts_with("error: can't read missing.yaml"), "{piped:?}");
}

/// A name may come from a file, and an argument from a script: neither may move the cursor.
#[test]
fn nothing_but_colours_is_sent_to_a_terminal() {
    let sandbox = Sandbox::new();
    let secret = |name: &str| {
        format!(
            "apiVersion: v1\nkind: Secret\nmetadata: {{name: {name}, namespace: prod}}\nstringData: {{a: b}}\n"
        )
    };
    for (n, name) in
        ["\"a\\e[2Jb\"", "\"a\\r\\e]0;x\\a\"", "\"a\u{202e}b\"", "\"a\u{200b}b\""].iter().enumerate()
    {
        sandbox.write(format!("{n}.yaml"), secret(name));
    }
    for args in [
        &["0.yaml"][..],
        &["1.yaml"],
        &["2.yaml"],
        &["3.yaml"],
        &["no\u{1b}[2Jsuch.yaml"],
        &["--namespace=a\u{1b}[2Jb"],
        &["--no\u{1b}[2Jsuch"],
        &["keys", "no\u{1b}[2Jsuch"],
    ] {
        let (code, screen, _) = Session::start(&sandbox, "e", &[&["-r", "prod.pub"], args].concat()).end();
        assert!([2, 3].contains(&code), "{args:?}: {screen}");
        let mut rest = screen.as_str();
        while let Some((_, after)) = rest.split_once('\u{1b}') {
            let sequence = after.split_inclusive(|c: char| c.is_ascii_alphabetic()).next().unwrap();
            assert!(sequence.starts_with('[') && sequence.ends_with('m'), "{args:?}: {screen:?}");
            rest = after;
        }
        let odd = ['\r', '\u{7}', '\u{202e}', '\u{200b}'];
        assert!(!screen.contains(odd), "{args:?}: {screen:?}");
    }
}

/// Without -r the recipients come from the cluster, and at a terminal the current context is enough: the person
/// sees which one it is.
#[test]
fn at_a_terminal_the_cluster_need_not_be_named() {
    let sandbox = Sandbox::new();
    let (code, screen, _) = Session::start(&sandbox, "e", &["keys", "fetch"]).end();
    assert_eq!(code, 3, "{screen}");
    assert!(screen.contains("there is no kubeconfig"), "{screen}");
}

/// When called as kubeseal, it prints errors about flags to standard output, as the real one does. If standard
/// output isn't the terminal, the person gets the error on standard error too.
#[test]
fn a_flag_that_is_wrong_is_told_to_whoever_sends_the_result_elsewhere() {
    let [elsewhere, here] =
        ["e", "oe"].map(|streams| Session::start(&Sandbox::new(), streams, &["kubeseal", "--nosuch"]).end());
    assert_eq!((elsewhere.0, here.0), (2, 2));
    assert!(
        elsewhere.1.contains("error") && elsewhere.1.contains("unknown flag: --nosuch"),
        "{}",
        elsewhere.1
    );
    assert!(elsewhere.2.ends_with("unknown flag: --nosuch\n"), "{}", elsewhere.2);
    assert!(here.1.ends_with("\nunknown flag: --nosuch\n") && !here.1.contains("hint"), "{}", here.1);
}

/// The rows that a terminal shows after these characters.
fn rows(sent: &str) -> Vec<String> {
    let mut rows = vec![Vec::new()];
    let mut column = 0;
    let mut rest = sent.chars();
    while let Some(c) = rest.next() {
        let row: &mut Vec<char> = rows.last_mut().unwrap();
        match c {
            '\n' => {
                rows.push(Vec::new());
                column = 0;
            }
            '\r' => column = 0,
            '\u{1b}' => assert!(rest.by_ref().find(char::is_ascii_alphabetic) == Some('m'), "{sent:?}"),
            c => {
                row.resize(row.len().max(column + 1), ' ');
                row[column] = c;
                column += 1;
            }
        }
    }
    rows.iter().map(|row| row.iter().collect::<String>().trim_end().to_owned()).collect()
}

#[test]
fn a_migration_shows_how_far_it_is_and_leaves_nothing_of_that() {
    const OBJECTS: usize = 800;
    let sandbox = Sandbox::new();
    let secrets: String = (0..OBJECTS)
        .map(|n| format!("---\nkind: Secret\napiVersion: v1\nmetadata: {{name: s{n}, namespace: prod}}\nstringData: {{a: b}}\n"))
        .collect();
    let args = ["--seal-format", "bitnami", "--cert", "rsa.crt"];
    let sealed = String::from_utf8(sandbox.succeed(args, secrets)).unwrap();
    sandbox.write("good.yaml", &sealed);
    // The last object is in another place than it was sealed for.
    sandbox.write("bad.yaml", sealed.replace("name: s799\n", "name: moved\n"));
    for (file, code) in [("good.yaml", 0), ("bad.yaml", 3)] {
        let args = ["migrate", "-i", "rsa.key", "-r", "prod.pub", file];
        assert_shows_progress(&sandbox, &args, code, "opening and sealing", OBJECTS);
    }
}

/// Checks that a run of this many jobs shows at a terminal how far it is, and leaves nothing of that: the rows are those
/// that it prints elsewhere.
#[track_caller]
fn assert_shows_progress(sandbox: &Sandbox, args: &[&str], code: i32, what: &str, jobs: usize) {
    let piped = sandbox.run(args, "");
    assert_eq!(piped.code, code, "{}", piped.stderr);
    let piped = [String::from_utf8(piped.stdout).unwrap(), piped.stderr].concat();
    assert!(!piped.contains(what), "{piped}");
    // Two streams come together in another order on a terminal.
    let sorted = |text: &str| {
        let mut rows = rows(text);
        rows.sort();
        rows
    };
    for env in [("TERM", "xterm"), ("TERM", "dumb"), ("NO_COLOR", "1")] {
        let (exit, screen, _) = Session::with_environment(sandbox, "oe", args, &[env]).end();
        assert_eq!(exit, code, "{screen}");
        let shown: Vec<&str> = screen.split(&format!("{what}: ")).skip(1).collect();
        assert!(!shown.is_empty(), "{env:?}: {screen:?}");
        for line in shown {
            let (done, rest) = line.split_once(' ').unwrap();
            assert!(done.parse::<usize>().unwrap() <= jobs, "{line:?}");
            assert!(rest.starts_with(&format!("of {jobs}\r")), "{line:?}");
        }
        assert_eq!(sorted(&screen), sorted(&piped), "{env:?}");
    }
}

/// Files with post-quantum SealedSecrets, enough that opening all takes a while.
fn many(sandbox: &Sandbox, key: &Identity) -> usize {
    const FILES: usize = 30;
    sandbox.write("own.key", key.to_secret_string().as_bytes());
    sandbox.write("own.pub", format!("{}\n", key.recipient()));
    let secrets: String = (0..40)
        .map(|n| format!("---\nkind: Secret\napiVersion: v1\nmetadata: {{name: s{n}, namespace: prod}}\nstringData: {{a: b}}\n"))
        .collect();
    let sealed = sandbox.succeed(["-r", "own.pub"], secrets);
    for file in 0..FILES {
        sandbox.write(format!("deploy/{file}.yaml"), &sealed);
    }
    FILES
}

#[test]
fn a_rotation_shows_how_far_it_is_and_leaves_nothing_of_that() {
    let (sandbox, key) = (Sandbox::new(), Identity::generate());
    let files = many(&sandbox, &key);
    let args = ["rotate", "-i", "own.key", "-r", "own.pub", "-r", "prod.pub", "--dry-run", "deploy"];
    assert_shows_progress(&sandbox, &args, 0, "rotating", files);
}

#[test]
fn a_check_of_a_repository_shows_how_far_it_is_and_leaves_nothing_of_that() {
    const FILES: usize = 100;
    let sandbox = Sandbox::new();
    many_for_a_check(&sandbox, FILES);
    assert_shows_progress(&sandbox, &["check", "deploy"], 0, "checking", FILES);
}

/// A repository for [`check`](a_check_of_a_repository_shows_how_far_it_is_and_leaves_nothing_of_that) that takes a while.
fn many_for_a_check(sandbox: &Sandbox, files: usize) {
    let objects =
        "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: secret}\ndata: {a: b}\n".repeat(100);
    for file in 0..files {
        sandbox.write(format!("deploy/{file}.yaml"), &objects);
    }
    let mut git = Command::new("git");
    sandbox.confine(&mut git);
    git.env("PATH", std::env::var_os("PATH").unwrap()).env("GIT_CONFIG_NOSYSTEM", "1");
    assert!(git.args(["init", "-q", "deploy"]).status().unwrap().success());
}

/// In 40 columns too, where a line that doesn't fit would be left on the screen.
#[test]
fn an_interrupted_check_says_how_far_it_came_and_leaves_nothing_else_on_the_screen() {
    const FILES: usize = 300;
    let sandbox = Sandbox::new();
    many_for_a_check(&sandbox, FILES);
    for columns in [0, 40, 16] {
        let mut session = Session::start(&sandbox, "ioe", &["check", "deploy"]);
        let size = Winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&session.terminal, size).unwrap();
        session.interject(&format!(" of {FILES}"), INTERRUPT);
        let (code, screen, _) = session.end();
        assert_eq!(code, 130, "{screen:?}");
        let rows = rows(&screen);
        let [told, rest] = &rows[..] else { panic!("{rows:?}") };
        let done = told.strip_prefix("interrupted: ").and_then(|told| told.split_once(" of 300 files done"));
        let done: usize = done.unwrap_or_else(|| panic!("{rows:?}")).0.parse().unwrap();
        assert!((1..FILES).contains(&done) && rest.is_empty(), "{rows:?}");
    }
}

#[test]
fn a_drill_shows_how_far_it_is_and_leaves_nothing_of_that() {
    let (sandbox, [key, recovery]) = (Sandbox::new(), [(); 2].map(|()| Identity::generate()));
    let files = many(&sandbox, &key);
    let date = serde_json::from_value("2026-01-02T03:04:05Z".into()).unwrap();
    let file = backup::encrypt(&key, 1, &date, std::slice::from_ref(recovery.recipient())).unwrap();
    sandbox.write(format!("backups/{}", backup::file_name(&key.fingerprint())), file);
    sandbox.write("recovery.key", recovery.to_secret_string().as_bytes());
    let args = ["keys", "drill", "backups", "-i", "recovery.key", "-r", "own.pub", "deploy"];
    assert_shows_progress(&sandbox, &args, 0, "opening SealedSecrets", files);
}

#[test]
fn a_check_of_the_cluster_shows_how_many_are_ready_and_leaves_nothing_of_that() {
    let (scene, sandbox) = (Scene::new("watched"), Sandbox::new());
    sealed(&sandbox);
    let kubeconfig = scene.plane.kubeconfig().display().to_string();
    let args =
        ["rotate", "--verify", "--timeout=3s", "--context=test", "--kubeconfig", &kubeconfig, "sealed.yaml"];
    assert_shows_progress(&sandbox, &args, 1, "waiting until all are Ready", 1);
}

const CREATE: [&str; 8] = ["create", "db", "-n", "prod", "-r", "prod.pub", "--prompt", "password"];

#[test]
fn a_value_is_asked_for_twice_and_never_shown() {
    let sandbox = Sandbox::new();
    let mut session = Session::start(&sandbox, "ie", &[&CREATE[..], &["-o", "sealed.yaml"]].concat());
    // The answer has a slip, and a character of two bytes that one keypress deletes.
    session.answer("password: ", &format!("xé\u{7f}\u{7f}{CANARY}\n"));
    session.answer("password again: ", &format!("wrong\u{15}{CANARY}\n"));
    let (code, screen, _) = session.end();
    assert_eq!((code, screen.as_str()), (0, "password: \npassword again: \n"));
    let opened = sandbox.succeed(["unseal", "-i", "prod.key", "sealed.yaml", "--item", "password"], "");
    assert_eq!(opened, CANARY.as_bytes());
}

#[test]
fn a_new_value_of_an_item_is_asked_for_if_none_comes_in() {
    let sandbox = Sandbox::new();
    sealed(&sandbox);
    let mut session = Session::start(&sandbox, "ioe", &["set", "sealed.yaml", "password", "-r", "prod.pub"]);
    session.answer("password: ", &format!("{CANARY} two\n"));
    session.answer("password again: ", &format!("{CANARY} two\n"));
    let (code, screen, _) = session.end();
    assert_eq!(code, 0, "{screen}");
    assert!(screen.ends_with("sealed.yaml: password sealed again for prod-2026\n"), "{screen}");
    assert!(!screen.contains(CANARY), "{screen}");
    let value = sandbox.succeed(["unseal", "sealed.yaml", "-i", "prod.key", "--item", "password"], "");
    assert_eq!(value, format!("{CANARY} two").as_bytes());
}

/// Nobody types a secret, twice, only to be told that it can't be used.
#[test]
fn a_value_is_asked_for_only_after_everything_that_can_be_refused_without_it() {
    let sandbox = Sandbox::new();
    sealed(&sandbox);
    let rules = "version: 1\nrecipients: {prod: {file: prod.pub}, cert: {file: rsa.crt}}\nrules:\n\
        - {path: 'none/**', to: none}\n- {path: 'cert/**', to: [cert]}\n- {path: '**', to: [prod]}\n";
    sandbox.write("ruled/.seal.yaml", rules);
    for file in ["prod.pub", "rsa.crt", "sealed.yaml"] {
        let text = sandbox.read(file);
        sandbox.write(format!("ruled/{file}"), &text);
        sandbox.write(format!("ruled/none/{file}"), &text);
    }
    let git = |args: &[&str]| {
        let mut git = Command::new("git");
        sandbox.confine(&mut git);
        git.current_dir(sandbox.path("ruled")).env("PATH", std::env::var_os("PATH").unwrap());
        assert!(git.env("GIT_CONFIG_NOSYSTEM", "1").args(args).status().unwrap().success());
    };
    git(&["init", "-q"]);
    // Sixteen envelopes are as many as there may be.
    sandbox.write("full.yaml", sandbox.read("sealed.yaml"));
    for n in 1..16 {
        let run = sandbox.run(["set", "full.yaml", &format!("i{n}"), "-r", "prod.pub"], "x");
        assert_eq!(run.code, 0, "{}", run.stderr);
    }
    let create = ["create", "db", "-n", "prod", "--prompt", "password"];
    let refused = |args: &[&str], because: &str| {
        let (code, screen, _) = Session::start(&sandbox, "ioe", args).end();
        assert!([2, 3].contains(&code) && screen.contains(because), "{args:?}: {screen}");
        assert!(!screen.contains("password: "), "{args:?}: {screen}");
    };
    for (more, because) in [
        (&["-r", "nosuch.pub"][..], "nosuch.pub"),
        (&["-r", "prod.pub", "-i", "nosuch.key", "-o", "new.yaml"], "can't read nosuch.key"),
        (&["-r", "prod.pub", "-o", "nosuch/db.yaml"], "can't write nosuch/db.yaml"),
        (&["-r", "prod.pub", "-o", "ruled"], "can't write ruled"),
        (&["-r", "prod.pub", "-o", "full.yaml"], "this would drop: i1, i10"),
        (&["-r", "prod.pub", "--type", "kubernetes.io/tls"], "tls.crt"),
        (&["-r", "prod.pub", "--generate", "password=16"], "item password is given twice"),
        (&["-o", "ruled/none/new.yaml"], "nothing may be sealed into"),
        (&["-o", "ruled/cert/db.yaml"], "names no recipient for the native format"),
    ] {
        refused(&[&create[..], more].concat(), because);
    }
    for (args, because) in [
        (&["set", "sealed.yaml", "password", "-r", "nosuch.pub"][..], "nosuch.pub"),
        (&["set", "sealed.yaml", "--prompt", "password", "-r", "nosuch.pub"], "nosuch.pub"),
        (&["set", "ruled/none/sealed.yaml", "password"], "nothing may be sealed into"),
        (&["set", "full.yaml", "new", "-r", "prod.pub"], "envelopes"),
    ] {
        refused(args, because);
    }
}

#[test]
fn two_different_answers_seal_nothing() {
    let sandbox = Sandbox::new();
    let mut session = Session::start(&sandbox, "ie", &CREATE);
    session.answer("password: ", "one\n");
    session.answer("password again: ", "two\n");
    let (code, screen, output) = session.end();
    assert_eq!((code, output.as_str()), (3, ""));
    assert!(screen.contains("typed in two different ways"), "{screen}");
    assert!(!screen.contains("one") && !screen.contains("two\n"), "{screen}");
}

#[test]
fn an_interrupted_question_gives_the_terminal_back() {
    let sandbox = Sandbox::new();
    for typed in [INTERRUPT.to_owned(), format!("{CANARY}{INTERRUPT}")] {
        let mut session = Session::start(&sandbox, "ie", &CREATE);
        session.answer("password: ", &typed);
        let (code, screen, output) = session.end();
        assert_eq!((code, output.as_str()), (3, ""));
        assert!(screen.contains("interrupted") && !screen.contains(CANARY), "{screen}");
    }
}

/// `given/protected.key` is `prod.key`, encrypted by the real `age -p` behind "correct horse".
#[test]
fn the_passphrase_of_an_identity_file_is_asked_for_once_and_never_shown() {
    let sandbox = Sandbox::new();
    sealed(&sandbox);
    let unseal = ["unseal", "-i", "protected.key", "sealed.yaml", "--item", "password"];
    for (typed, code, piped) in [("correct horse", 0, CANARY), ("wrong horse", 3, "")] {
        let mut session = Session::start(&sandbox, "ie", &unseal);
        session.answer("passphrase of protected.key: ", &format!("{typed}\n"));
        let (found, screen, output) = session.end();
        assert_eq!((found, output.as_str()), (code, piped), "{screen}");
        assert!(!screen.contains("horse"), "{screen}");
        assert_eq!(screen.contains("the passphrase of protected.key is wrong"), code == 3, "{screen}");
    }
    let mut session = Session::start(&sandbox, "ie", &unseal);
    session.answer("passphrase of protected.key: ", INTERRUPT);
    let (code, screen, output) = session.end();
    assert_eq!((code, output.as_str()), (3, ""));
    assert!(screen.contains("interrupted"), "{screen}");
}

/// A plugin has no terminal of its own, so what it asks is asked in its name.
#[test]
fn the_pin_of_a_key_in_hardware_is_asked_for_in_the_name_of_its_plugin() {
    let sandbox = Sandbox::new();
    sandbox.write("touch.key", touch::identity_file());
    let secret = format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{name: db, namespace: prod}}\nstringData: {{password: {CANARY}}}\n"
    );
    sandbox.succeed(["-r", touch::recipient(), "-o", "sealed.yaml"], secret);
    let unseal = ["unseal", "-i", "touch.key", "sealed.yaml", "--item", "password"];
    let path = touch::path();
    for (typed, code, piped) in [("1234", 0, CANARY), ("4321", 3, "")] {
        let env = [("PATH", path.as_str()), (touch::PIN, "1234")];
        let mut session = Session::with_environment(&sandbox, "ie", &unseal, &env);
        session.answer("age-plugin-touch: PIN of the test key: ", &format!("{typed}\n"));
        let (found, screen, output) = session.end();
        assert_eq!((found, output.as_str()), (code, piped), "{screen}");
        assert!(!screen.contains(typed), "{screen}");
        assert_eq!(screen.contains("age-plugin-touch failed: the PIN is wrong"), code == 3, "{screen}");
    }
}

#[test]
fn what_cannot_be_taken_back_is_done_only_after_a_yes() {
    let sandbox = Sandbox::new();
    let before = sandbox.read("prod.pub");
    let revoke = ["keys", "revoke", "prod-2026", "--offline", "-r", "prod.pub"];
    for answer in ["no\n", "y\n", "\n", "\u{4}"] {
        let mut session = Session::start(&sandbox, "ioe", &revoke);
        session.answer("Type yes to go on: ", answer);
        let (code, screen, _) = session.end();
        assert_eq!(code, 3, "{screen}");
        assert!(screen.contains("Revoke prod-2026 (7507ada810f7332c) for ever in prod.pub?"), "{screen}");
        assert!(screen.contains("nothing was done: the answer wasn't yes"), "{screen}");
        assert_eq!(sandbox.read("prod.pub"), before);
    }
    let mut session = Session::start(&sandbox, "ioe", &revoke);
    session.answer("Type yes to go on: ", "yes\n");
    let (code, screen, _) = session.end();
    assert_eq!(code, 1, "{screen}");
    assert!(String::from_utf8(sandbox.read("prod.pub")).unwrap().contains("\n# revoked: 7507ada8"));
}

#[test]
fn a_private_half_goes_to_a_cluster_only_after_a_yes_to_its_name() {
    let (scene, sandbox) = (Scene::new("asked"), Sandbox::new());
    let [key, recovery] = [(); 2].map(|()| Identity::generate());
    let date = serde_json::from_value("2026-01-02T03:04:05Z".into()).unwrap();
    let file = backup::encrypt(&key, 1, &date, std::slice::from_ref(recovery.recipient())).unwrap();
    sandbox.write(format!("backups/{}", backup::file_name(&key.fingerprint())), file);
    sandbox.write("recovery.key", recovery.to_secret_string().as_bytes());
    sandbox.write("own.pub", format!("{}\n", key.recipient()));
    let kubeconfig = scene.plane.kubeconfig().display().to_string();
    // The context is the current one, which somebody may have forgotten to change.
    let restore = ["keys", "restore", "backups", "-i", "recovery.key", "-r", "own.pub"];
    let restore =
        [&restore[..], &["--kubeconfig", &kubeconfig, "--controller-namespace", &scene.keys]].concat();
    let held = || items(&scene.api().get(&scene.identities("")).unwrap()).len();
    for (answer, code, count) in [("y\n", 3, 0), ("yes\n", 0, 1)] {
        let mut session = Session::start(&sandbox, "ioe", &restore);
        session.answer("Type yes to go on: ", answer);
        let (found, screen, _) = session.end();
        assert_eq!((found, held()), (code, count), "{screen}");
        let question = "Restore 1 key, with the private half, to context test (https://";
        assert!(screen.contains(question), "{screen}");
        assert!(screen.contains(&format!("), namespace {}?", scene.keys)), "{screen}");
    }
}

#[test]
fn a_key_that_upstream_does_not_have_takes_a_yes() {
    let sandbox = Sandbox::new();
    let rules = "version: 1\nrecipients: {prod: {file: prod.pub}}\nrules: [{path: '**', to: [prod]}]\n";
    sandbox.write(".seal.yaml", rules);
    let git = |args: &[&str]| {
        let mut git = Command::new("git");
        sandbox.confine(&mut git);
        git.env("PATH", std::env::var_os("PATH").unwrap()).env("GIT_CONFIG_NOSYSTEM", "1");
        let config = ["-c", "user.name=x", "-c", "user.email=x@example.com"];
        assert!(git.args(config).args(args).status().unwrap().success());
    };
    git(&["init", "-q"]);
    git(&["add", ".seal.yaml", "prod.pub"]);
    git(&["commit", "-q", "-m", "x"]);
    let identity = Identity::generate();
    let pins = format!("{}{}\n", String::from_utf8(sandbox.read("prod.pub")).unwrap(), identity.recipient());
    sandbox.write("prod.pub", pins);
    for (typed, expected) in [("no\r", 3), ("yes\r", 0)] {
        let args = ["create", "db", "-n", "a", "--literal", "a=opensesame", "-o", "db.yaml"];
        let mut session = Session::start(&sandbox, "ioe", &args);
        session.answer("Type yes to go on: ", typed);
        let (code, screen, _) = session.end();
        assert_eq!(code, expected, "{screen}");
        assert!(screen.contains(&identity.recipient().fingerprint().to_string()), "{screen}");
        assert_eq!(sandbox.path("db.yaml").exists(), code == 0);
    }
}
