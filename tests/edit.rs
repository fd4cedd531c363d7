//! `seal edit`, with programs in the editor's place: what it shows, what it takes, and what it leaves behind.
//!
//! What the lines mean is tested beside the code; here is what needs processes: editors that fail, save as real ones do, or
//! are interrupted. Invariant of every run: nothing is left in the directory in memory, and no file but the edited one has
//! changed.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::sandbox::{CANARY, Run, Sandbox, holds};
use crate::terminal::Session;

/// What is said of an editor that seal doesn't know.
const UNKNOWN: &str = "warning: seal doesn't know whether editor keeps copies of what it edits\n";

/// A sandbox with one sealed file of two items.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    let literals = [format!("user={CANARY}-user"), format!("password={CANARY}-password")];
    let args = ["create", "db", "-n", "prod", "-r", "prod.pub", "-o", "db.yaml"];
    let literals = literals.iter().flat_map(|literal| ["--literal", literal.as_str()]);
    sandbox.succeed(args.into_iter().chain(literals), "");
    fs::create_dir(sandbox.path("memory")).unwrap();
    sandbox
}

/// An editor that does this to the file `$1`.
fn editor(sandbox: &Sandbox, script: &str) -> PathBuf {
    let path = sandbox.path("editor");
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

fn command(sandbox: &Sandbox, script: &str, args: &[&str]) -> Command {
    let mut all = vec!["edit", "db.yaml", "-r", "prod.pub", "--scratch", "memory"];
    all.extend_from_slice(args);
    let mut seal = sandbox.seal(all);
    seal.env("EDITOR", format!("'{}'", editor(sandbox, script).display())).env("PATH", "/bin:/usr/bin");
    seal
}

#[track_caller]
fn run(sandbox: &Sandbox, script: &str, args: &[&str]) -> Run {
    let run = crate::sandbox::run(&mut command(sandbox, script, args), b"");
    assert_eq!(fs::read_dir(sandbox.path("memory")).unwrap().count(), 0, "something is left in memory");
    assert!(!holds(run.stderr.as_bytes(), CANARY), "{}", run.stderr);
    assert!(!holds(&sandbox.read("db.yaml"), CANARY));
    run
}

fn value(sandbox: &Sandbox, item: &str) -> String {
    let value = sandbox.succeed(["unseal", "db.yaml", "-i", "prod.key", "--item", item], "");
    String::from_utf8(value).unwrap()
}

#[test]
fn without_an_identity_values_are_replaced_added_and_removed() {
    let sandbox = sandbox();
    let script = "cp \"$1\" shown; stat -c %a \"$1\" \"$(dirname \"$1\")\" > modes
        sed -i -e 's/^password: <sealed>/password: new/' -e '/^user/d' \"$1\"; echo 'more: \"1\"' >> \"$1\"";
    let done = run(&sandbox, script, &[]);
    assert_eq!(done.code, 0, "{}", done.stderr);
    assert_eq!(
        String::from_utf8(done.stdout).unwrap(),
        "db.yaml: password sealed again, more added for prod-2026; user removed\n"
    );
    assert_eq!((value(&sandbox, "password"), value(&sandbox, "more")), ("new".to_owned(), "1".to_owned()));
    let shown = String::from_utf8(sandbox.read("shown")).unwrap();
    assert!(shown.starts_with("# prod/db in db.yaml; sealed to prod-2026\n"), "{shown}");
    assert!(shown.ends_with("\npassword: <sealed>\nuser: <sealed>\n"), "{shown}");
    assert_eq!(sandbox.read("modes"), b"600\n700\n");
}

#[test]
fn with_an_identity_values_are_shown_and_only_changed_ones_sealed_again() {
    let sandbox = sandbox();
    let before = String::from_utf8(sandbox.read("db.yaml")).unwrap();
    let script = format!(
        "grep -q '^user: {CANARY}-user$' \"$1\" || exit 7; sed -i 's/^password: .*/password: new/' \"$1\""
    );
    let done = run(&sandbox, &script, &["-i", "prod.key"]);
    assert_eq!((done.code, done.stderr.as_str()), (0, UNKNOWN));
    let after = String::from_utf8(sandbox.read("db.yaml")).unwrap();
    let line = |text: &str, item: &str| {
        text.lines().find(|line| line.trim_start().starts_with(item)).unwrap().to_owned()
    };
    assert_eq!(line(&before, "user:"), line(&after, "user:"));
    assert_ne!(line(&before, "password:"), line(&after, "password:"));
    assert_eq!(value(&sandbox, "password"), "new");
}

#[test]
fn a_rule_says_the_namespace_and_by_what_names_it_is_sealed() {
    let sandbox = sandbox();
    let rules = "version: 1\nrecipients: {cluster: {file: prod.pub}}\nrules: [{path: 'apps/{namespace}/*', to: [cluster]}]\n";
    sandbox.write(".seal.yaml", rules);
    let open = String::from_utf8(sandbox.read("db.yaml")).unwrap().replace("  namespace: prod\n", "");
    sandbox.write("apps/prod/db.yaml", &open);
    let mut seal = sandbox.seal(["edit", "apps/prod/db.yaml", "--scratch", "memory"]);
    let script = "cp \"$1\" shown; sed -i 's/^password: .*/password: new/' \"$1\"";
    seal.env("EDITOR", format!("'{}'", editor(&sandbox, script).display())).env("PATH", "/bin:/usr/bin");
    let done = crate::sandbox::run(&mut seal, b"");
    let told = String::from_utf8(done.stdout).unwrap();
    assert_eq!(told, "apps/prod/db.yaml: password sealed again for cluster\n", "{}", done.stderr);
    assert!(sandbox.read("shown").starts_with(b"# prod/db in apps/prod/db.yaml; sealed to cluster\n"));
    let args = ["unseal", "apps/prod/db.yaml", "-i", "prod.key", "-n", "prod", "--item", "password"];
    assert_eq!(sandbox.succeed(args, ""), b"new");
}

/// `seal edit` at a terminal, with a person who answers each question of whether to edit again, in turn.
#[track_caller]
fn attended(sandbox: &Sandbox, script: &str, answers: &[&str]) -> (i32, String) {
    attended_until(sandbox, script, answers, |_| ())
}

/// As [`attended`]; `then` happens after the last answer.
#[track_caller]
fn attended_until(
    sandbox: &Sandbox,
    script: &str,
    answers: &[&str],
    then: impl FnOnce(&Session),
) -> (i32, String) {
    let editor = format!("'{}'", editor(sandbox, script).display());
    let env = [("EDITOR", editor.as_str()), ("PATH", "/bin:/usr/bin"), ("NO_COLOR", "1")];
    let args = ["edit", "db.yaml", "-r", "prod.pub", "--scratch", "memory"];
    let mut session = Session::with_environment(sandbox, "ie", &args, &env);
    for answer in answers {
        session.answer("press Enter to edit again, Ctrl-C to give up: ", "");
        // Nothing typed is on any disk while nobody looks at it.
        assert_eq!(fs::read_dir(sandbox.path("memory")).unwrap().count(), 0);
        session.answer("", answer);
    }
    then(&session);
    let (code, screen, _) = session.end();
    assert_eq!(fs::read_dir(sandbox.path("memory")).unwrap().count(), 0, "something is left in memory");
    assert!(!holds(screen.as_bytes(), CANARY), "{screen}");
    (code, screen)
}

#[test]
fn what_cannot_be_taken_is_shown_again_with_the_reason_until_it_is_mended() {
    let sandbox = sandbox();
    // The first time a number without quotes, then quotes around it.
    let script = "if grep -q '^#! error' \"$1\"; then cp \"$1\" again; sed -i 's/^password: .*/password: \"123\"/' \"$1\"
        else sed -i 's/^password: .*/password: 123/' \"$1\"; fi";
    let (code, screen) = attended(&sandbox, script, &["\r"]);
    assert_eq!(code, 0, "{screen}");
    let told = "error: item password is a number to kubectl, which wants a string there at line";
    assert_eq!(screen.matches(told).count(), 1, "{screen}");
    assert_eq!(value(&sandbox, "password"), "123");
    let again = String::from_utf8(sandbox.read("again")).unwrap();
    assert!(
        again.starts_with(
            "#! error: item password is a number to kubectl, which wants a string there at line"
        ),
        "{again}"
    );
    assert!(again.contains("\npassword: 123\n"), "what was typed is lost: {again}");
}

/// Without a terminal nobody can mend it: an editor that is a script would make the same mistake for ever.
#[test]
fn without_a_terminal_a_refused_text_is_an_error_at_once() {
    let sandbox = sandbox();
    let before = sandbox.read("db.yaml");
    let script = format!("echo run >> runs; echo '{CANARY}: [' >> \"$1\"");
    let done = run(&sandbox, &script, &[]);
    assert_eq!((done.code, sandbox.read("runs").as_slice()), (3, b"run\n".as_slice()), "{}", done.stderr);
    assert!(done.stderr.contains("error: nothing was changed: this isn't YAML"), "{}", done.stderr);
    assert_eq!(sandbox.read("db.yaml"), before);
}

#[test]
fn whoever_leaves_a_refused_text_as_it_is_or_interrupts_the_question_gives_up() {
    let sandbox = sandbox();
    let before = sandbox.read("db.yaml");
    let script = format!("echo run >> runs; grep -q '^#! error' \"$1\" || echo '{CANARY}: [' >> \"$1\"");
    for (answer, runs) in [("\r", 2), ("\x03", 1), ("\x04", 1)] {
        let _ = fs::remove_file(sandbox.path("runs"));
        let (code, screen) = attended(&sandbox, &script, &[answer]);
        assert_eq!((code, sandbox.read("runs").len()), (3, 4 * runs), "{screen}");
        assert!(screen.contains("error: nothing was changed: "), "{screen}");
        assert_eq!(sandbox.read("db.yaml"), before);
    }
    // Nor does a text without any item empty the object.
    let done = run(&sandbox, ": > \"$1\"", &[]);
    assert_eq!((done.code, sandbox.read("db.yaml") == before), (0, true), "{}", done.stderr);
    assert!(done.stderr.contains("nothing was changed"), "{}", done.stderr);
}

#[test]
fn an_editor_that_does_not_wait_is_told_of_and_one_that_fails_changes_nothing() {
    let sandbox = sandbox();
    let before = sandbox.read("db.yaml");
    let done = run(&sandbox, "true", &[]);
    assert_eq!(done.code, 0);
    assert!(done.stderr.contains("EDITOR=\"editor --wait\""), "{}", done.stderr);
    let done = run(&sandbox, "echo 'a: b' >> \"$1\"; exit 3", &[]);
    assert_eq!(done.code, 3);
    assert!(
        done.stderr.contains("the editor ended with exit status: 3, and nothing was changed"),
        "{}",
        done.stderr
    );
    assert_eq!(sandbox.read("db.yaml"), before);
}

#[test]
fn an_editor_that_renames_and_leaves_copies_is_cleaned_up_after() {
    let sandbox = sandbox();
    let script = "cp \"$1\" \"$1~\"; sed 's/^password: .*/password: new/' \"$1\" > \"$1.tmp\"; mv \"$1.tmp\" \"$1\"
        mkdir \"$(dirname \"$1\")/swap\"; cp \"$1\" \"$(dirname \"$1\")/swap/x\"; ln -s /etc/passwd \"$(dirname \"$1\")/link\"
        test -d \"$TMPDIR\" && cp \"$1\" \"$TMPDIR/temporary\"";
    let done = run(&sandbox, script, &["-i", "prod.key"]);
    assert_eq!((done.code, done.stderr.as_str()), (0, UNKNOWN));
    assert_eq!(value(&sandbox, "password"), "new");
}

#[test]
fn what_was_typed_is_put_into_a_file_that_changed_elsewhere_meanwhile() {
    let sandbox = sandbox();
    let script = "echo '# more' >> db.yaml; sed -i 's/^password: .*/password: new/' \"$1\"";
    let done = run(&sandbox, script, &[]);
    assert_eq!((done.code, done.stderr.as_str()), (0, UNKNOWN));
    assert_eq!(value(&sandbox, "password"), "new");
    assert!(sandbox.read("db.yaml").ends_with(b"# more\n"));
}

#[test]
fn an_object_that_changed_meanwhile_stays_and_what_was_typed_is_shown_again() {
    let sandbox = sandbox();
    let script = "if grep -q '^#! error' \"$1\"; then cp \"$1\" again; else sed -i '/^    user: /d' db.yaml
        sed -i 's/^password: .*/password: new/' \"$1\"; fi";
    let (code, screen) = attended(&sandbox, script, &["\r"]);
    assert_eq!(code, 3, "{screen}");
    assert!(screen.contains("db.yaml was changed meanwhile"), "{screen}");
    assert!(String::from_utf8(sandbox.read("again")).unwrap().contains("\npassword: new\n"));
    assert!(!String::from_utf8(sandbox.read("db.yaml")).unwrap().contains("    user: "));
}

#[test]
fn with_an_identity_an_item_stays_open_to_templates() {
    let sandbox = sandbox();
    sandbox.run(["set", "db.yaml", "password", "--template-item", "password", "-r", "prod.pub"], "old");
    let text = String::from_utf8(sandbox.read("db.yaml")).unwrap();
    sandbox.write(
        "db.yaml",
        text.replace("  template:\n", "  template:\n    data:\n      url: x://$(password)\n"),
    );
    let done = run(&sandbox, "sed -i 's/^password: .*/password: new/' \"$1\"", &["-i", "prod.key"]);
    assert_eq!((done.code, done.stderr.as_str()), (0, UNKNOWN));
    assert_eq!(value(&sandbox, "url"), "x://new");
}

#[test]
fn a_signal_ends_the_editor_and_leaves_nothing() {
    let sandbox = sandbox();
    let before = sandbox.read("db.yaml");
    for signal in ["TERM", "HUP"] {
        let _ = fs::remove_file(sandbox.path("started"));
        let mut seal = command(&sandbox, "echo > started; exec sleep 60", &["-i", "prod.key"]);
        let mut child =
            seal.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let start = Instant::now();
        while !sandbox.path("started").exists() {
            assert!(start.elapsed() < Duration::from_secs(30), "the editor never started");
            std::thread::sleep(Duration::from_millis(10));
        }
        assert_ne!(fs::read_dir(sandbox.path("memory")).unwrap().count(), 0);
        let pid = child.id().to_string();
        assert!(Command::new("/bin/kill").args([format!("-{signal}"), pid]).status().unwrap().success());
        let status = child.wait().unwrap();
        assert!(status.signal().is_some() || !status.success(), "{status}");
        assert!(start.elapsed() < Duration::from_secs(40));
        assert_eq!(fs::read_dir(sandbox.path("memory")).unwrap().count(), 0);
    }
    assert_eq!(sandbox.read("db.yaml"), before);
}

/// The text stands in a second directory by then, and what held the signal for the first is gone.
#[test]
fn a_signal_while_a_text_is_edited_again_leaves_nothing_either() {
    let sandbox = sandbox();
    let before = sandbox.read("db.yaml");
    let script = "if grep -q '^#! error' \"$1\"; then echo > started; exec sleep 60; fi
        sed -i 's/^password: .*/password: 123/' \"$1\"";
    let (_, screen) = attended_until(&sandbox, script, &["\r"], |session| {
        let start = Instant::now();
        while !sandbox.path("started").exists() {
            assert!(start.elapsed() < Duration::from_secs(30), "the editor never started");
            std::thread::sleep(Duration::from_millis(10));
        }
        assert_ne!(fs::read_dir(sandbox.path("memory")).unwrap().count(), 0);
        rustix::process::kill_process(session.pid(), rustix::process::Signal::TERM).unwrap();
    });
    assert_eq!(sandbox.read("db.yaml"), before, "{screen}");
}

#[test]
fn a_directory_on_a_disk_is_taken_only_by_name() {
    let sandbox = sandbox();
    let mut seal = sandbox.seal(["edit", "db.yaml", "-r", "prod.pub"]);
    let script = editor(&sandbox, "dirname \"$1\" > where; sed -i 's/^password: .*/password: new/' \"$1\"");
    seal.env("EDITOR", script).env("PATH", "/bin:/usr/bin").env("XDG_RUNTIME_DIR", sandbox.dir());
    let done = crate::sandbox::run(&mut seal, b"");
    if done.code == 0 {
        let place = String::from_utf8(sandbox.read("where")).unwrap();
        assert!(place.starts_with("/dev/shm/seal-edit-") || place.contains("/work/seal-edit-"), "{place}");
        assert!(!PathBuf::from(place.trim()).exists());
    } else {
        assert!(done.stderr.contains("there is no directory in memory"), "{}", done.stderr);
    }
}

/// A real editor, where there is one: it keeps nothing that the directory doesn't have.
#[test]
fn vim_leaves_nothing_in_the_home_directory() {
    let sandbox = sandbox();
    let Some(vim) = ["/usr/bin/vim", "/usr/bin/nvim", "/usr/bin/vi"]
        .into_iter()
        .find(|path| fs::canonicalize(path).is_ok_and(|real| real.display().to_string().contains("vim")))
    else {
        return;
    };
    let mut seal =
        sandbox.seal(["edit", "db.yaml", "-r", "prod.pub", "-i", "prod.key", "--scratch", "memory"]);
    let rc = sandbox.path("vimrc");
    fs::write(&rc, "set swapfile backup undofile undodir=. backupdir=. directory=. viminfo='10\n").unwrap();
    let commands = "-es -c '%s/^password: .*/password: new/' -c 'wq'";
    seal.env("EDITOR", format!("{vim} -u {} {commands}", rc.display())).env("PATH", "/bin:/usr/bin");
    let before = sandbox.files();
    let done = crate::sandbox::run(&mut seal, b"");
    assert_eq!(done.code, 0, "{}", done.stderr);
    assert_eq!(value(&sandbox, "password"), "new");
    let after = sandbox.files();
    let new: Vec<_> = after.keys().filter(|path| !before.contains_key(*path)).collect();
    assert!(new.is_empty() && sandbox.temporary_files().is_empty(), "{new:?}");
}
