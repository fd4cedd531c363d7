//! The effect of `seal` on files and streams, where a text can't show it: bytes, modes, links, closed pipes, full
//! disks, and a killed process.
//!
//! Its output and its refusals are in `cli/`. Invariant: every test here looks at the whole working directory, so
//! that nothing appears in it unseen.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::sandbox::{CANARY, Files, Run, Sandbox, holds, run};

const SECRET: &str = "apiVersion: v1\nkind: Secret\nmetadata: {name: db, namespace: prod}\nstringData: {password: opensesame}\n";

/// A Secret that is longer than a disk of [`small_disk`], both sealed and plain.
fn long_secret() -> String {
    SECRET.replace(CANARY, &CANARY.repeat(2_000))
}

fn mode(sandbox: &Sandbox, name: &str) -> u32 {
    fs::metadata(sandbox.path(name)).unwrap().permissions().mode() & 0o7777
}

fn set_mode(sandbox: &Sandbox, name: &str, mode: u32) {
    fs::set_permissions(sandbox.path(name), Permissions::from_mode(mode)).unwrap();
}

/// The files that are new or changed since `before`.
fn new(sandbox: &Sandbox, before: &Files) -> Files {
    let mut after = sandbox.files();
    after.retain(|path, content| before.get(path) != Some(content));
    after
}

/// Runs `seal` with a limit of 1 kB for each file. A longer write ends the program, or fails with an error if it
/// is `told`.
fn small_disk(sandbox: &Sandbox, told: bool, args: &str) -> Run {
    let mut shell = Command::new("/bin/sh");
    sandbox.confine(&mut shell);
    let trap = if told { "trap '' XFSZ; " } else { "" };
    // Two blocks of 512 bytes, as POSIX has it; of 1,024 bytes in some shells.
    let script = format!("{trap}ulimit -f 2; exec \"$0\" {args}");
    run(shell.arg("-c").arg(script).arg(env!("CARGO_BIN_EXE_test-seal")), b"")
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let sandbox = Sandbox::new();
    sandbox.write("secret.yaml", long_secret());
    for args in [&["-r", "prod.pub", "secret.yaml"][..], &["--help"], &["keys", "new"]] {
        let mut seal = sandbox.seal(args);
        let mut child =
            seal.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let ended = Run::from(child.wait_with_output().unwrap());
        assert_eq!((ended.code, ended.stderr.contains("error")), (0, false), "{args:?}: {}", ended.stderr);
    }
}

#[test]
fn a_full_disk_behind_standard_output_is_a_failure() {
    let sandbox = Sandbox::new();
    let full = File::options().write(true).open("/dev/full").unwrap();
    let mut seal = sandbox.seal(["create", "db", "-n", "prod", "-r", "prod.pub", "--literal=a=b"]);
    let ended = Run::from(seal.stdin(Stdio::null()).stdout(full).output().unwrap());
    assert_eq!(ended.stderr, "error: can't write to standard output: no space left on device\n");
    assert_eq!(ended.code, 3);
}

#[test]
fn a_full_disk_changes_no_file_and_leaves_none() {
    let sandbox = Sandbox::new();
    sandbox.write("secret.yaml", long_secret());
    sandbox.write("out.yaml", "precious\n");
    sandbox.succeed(["-r", "prod.pub", "secret.yaml", "-o", "sealed.yaml"], "");
    let before = sandbox.files();
    for (args, name) in [
        ("-r prod.pub secret.yaml -o out.yaml", "out.yaml"),
        ("-r prod.pub secret.yaml -o new.yaml", "new.yaml"),
        ("-r prod.pub -w secret.yaml", "secret.yaml"),
        ("unseal -i prod.key sealed.yaml -o out.yaml", "out.yaml"),
    ] {
        let ended = small_disk(&sandbox, true, args);
        let said = format!("error: can't write {name}: file too large\n");
        // The message has the full path if the file existed and was resolved.
        assert_eq!((ended.code, ended.stderr.replace(&sandbox.dir().display().to_string(), "")), (3, said));
        assert!(sandbox.files() == before, "{args}: {:?}", new(&sandbox, &before).keys());
    }
}

#[test]
fn killed_while_it_writes_it_has_changed_no_file_and_shown_no_value() {
    let sandbox = Sandbox::new();
    sandbox.write("secret.yaml", long_secret());
    sandbox.write("other.yaml", SECRET);
    let before = sandbox.files();
    for args in ["-r prod.pub secret.yaml -o out.yaml", "-r prod.pub -w other.yaml secret.yaml"] {
        let ended = small_disk(&sandbox, false, args);
        assert_eq!(ended.code, -1, "{args}: it wasn't killed: {}", ended.stderr);
        let left = new(&sandbox, &before);
        assert!(!left.is_empty(), "{args}: it was killed before it wrote anything");
        for (path, content) in left {
            assert!(path.display().to_string().starts_with(".seal-"), "{args}: {}", path.display());
            assert!(!holds(&content, CANARY), "{args}: {} holds a value", path.display());
            fs::remove_file(sandbox.path(path)).unwrap();
        }
        assert_eq!(sandbox.files(), before, "{args}");
        assert!(sandbox.temporary_files().is_empty(), "{args}");
    }
}

/// The user asked for plaintext. Until it is complete, only the owner can read the part that is written.
#[test]
fn killed_while_it_writes_plaintext_it_leaves_it_to_its_owner_alone() {
    let sandbox = Sandbox::new();
    sandbox.write("sealed.yaml", sandbox.succeed(["-r", "prod.pub"], long_secret()));
    sandbox.write("out.yaml", "precious\n");
    set_mode(&sandbox, "out.yaml", 0o644);
    let before = sandbox.files();
    let ended = small_disk(&sandbox, false, "unseal -i prod.key sealed.yaml -o out.yaml");
    assert_eq!(ended.code, -1, "it wasn't killed: {}", ended.stderr);
    let left: Vec<PathBuf> = new(&sandbox, &before).into_keys().collect();
    assert_eq!(left.len(), 1, "{left:?}");
    assert_eq!(mode(&sandbox, left[0].to_str().unwrap()), 0o600);
    assert!(sandbox.temporary_files().is_empty());
}

#[test]
fn everything_around_a_secret_passes_through_to_the_byte() {
    let sandbox = Sandbox::new();
    for (before, after) in [
        ("", ""),
        ("\u{feff}{apiVersion: v1, kind: A}\n---\n", ""),
        (
            "apiVersion: v1\r\nkind:   A\r\n---\r\n",
            "---\r\napiVersion: v1\r\nkind: \"\\x41\" # é\u{1f511}\r\n",
        ),
        (
            "%YAML 1.1\n---\napiVersion: v1\nkind: A\na: !x &y\n  z: |2+\n\n    k\n\n...\n---\n",
            "--- {apiVersion: v1,\n kind: B}\n---\n# nothing\n",
        ),
        ("# of nothing\n---\n", "...\n---\napiVersion: v1\nkind: no line break at the end"),
        ("kind: A\napiVersion:  v1  \n\n\n---\n", "---\n\n\n---\n"),
    ] {
        let text = format!("{before}{SECRET}{after}");
        let run = sandbox.run(["-r", "prod.pub"], &text);
        assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{text}");
        let sealed = String::from_utf8(run.stdout).unwrap();
        let inside = sealed.strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
        let inside = inside.unwrap_or_else(|| panic!("{text:?}\nbecame\n{sealed:?}"));
        assert!(inside.starts_with("apiVersion: sealing.dev/v1alpha1"), "{inside}");
        let opened = sandbox.succeed(["unseal", "-i", "prod.key", "--item", "password"], &sealed);
        assert_eq!(opened, CANARY.as_bytes());
    }
}

/// A whole repository goes through `seal -w` again and again: after the first time nothing in it changes.
#[test]
fn sealing_everything_again_changes_no_byte() {
    let sandbox = Sandbox::new();
    let list = "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Secret\n  metadata: {name: a, namespace: b}\n  \
                stringData: {a: opensesame}\n";
    for (name, text) in [
        ("secret.yaml", SECRET.to_owned()),
        ("list.yaml", list.to_owned()),
        ("two.yaml", format!("# head\n{SECRET}---\n# tail\n{SECRET}")),
        ("secret.json", r#"{"apiVersion":"v1","kind":"Secret","metadata":{"name":"j","namespace":"b"},"data":{"a":"b3BlbnNlc2FtZQ=="}}"#.to_owned()),
        ("empty.yaml", "apiVersion: v1\nkind: Secret\nmetadata: {name: c}\ndata: {} # placeholder\n".to_owned()),
        ("patch.yaml", "apiVersion: v1\nkind: Secret\nmetadata: {name: d}\n$patch: delete\n".to_owned()),
        ("other.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: d}   # as it is\n".to_owned()),
    ] {
        sandbox.write(name, text);
    }
    let names =
        ["secret.yaml", "list.yaml", "two.yaml", "secret.json", "empty.yaml", "patch.yaml", "other.yaml"];
    let seal = |args: &[&str]| sandbox.run([args, &names].concat(), "");
    let first = seal(&["-r", "prod.pub", "-w"]);
    assert_eq!(first.code, 0, "{}", first.stderr);
    let sealed = sandbox.files();
    assert!(!sealed.values().any(|content| holds(content, CANARY)), "a value was left");
    for args in [&["-r", "prod.pub", "-w"][..], &["-w"]] {
        let again = seal(args);
        assert_eq!(again.code, 0, "{}", again.stderr);
        assert!(
            again.stderr.contains("nothing to seal: 5 SealedSecrets are sealed already"),
            "{}",
            again.stderr
        );
        assert!(sandbox.files() == sealed, "{:?}", new(&sandbox, &sealed).keys());
    }
    // A stream doesn't change either.
    let text = sandbox.read("two.yaml");
    assert!(sandbox.run(["-r", "prod.pub"], &text).stdout == text);
}

#[test]
fn files_keep_their_modes_and_links_their_targets() {
    let sandbox = Sandbox::new();
    sandbox.write("real/secret.yaml", SECRET);
    set_mode(&sandbox, "real/secret.yaml", 0o640);
    symlink("real/secret.yaml", sandbox.path("link.yaml")).unwrap();
    sandbox.succeed(["-r", "prod.pub", "-w", "link.yaml"], "");
    assert!(sandbox.path("link.yaml").is_symlink());
    assert_eq!(mode(&sandbox, "real/secret.yaml"), 0o640);
    assert!(sandbox.read("real/secret.yaml").starts_with(b"apiVersion: sealing.dev"));

    sandbox.write("secret.yaml", "x");
    set_mode(&sandbox, "secret.yaml", 0o644);
    sandbox.succeed(["unseal", "-i", "prod.key", "link.yaml", "-o", "secret.yaml"], "");
    assert_eq!(mode(&sandbox, "secret.yaml"), 0o600, "plaintext is for its owner, whatever was there");
    sandbox.run(["keys", "new", "-o", "new.key"], "");
    assert_eq!(mode(&sandbox, "new.key"), 0o600);
}

#[test]
fn what_cannot_be_read_is_named_with_the_reason() {
    let sandbox = Sandbox::new();
    symlink("nowhere", sandbox.path("dangling.yaml")).unwrap();
    sandbox.write("utf16.yaml", SECRET.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>());
    sandbox.write("packed.yaml", b"kind: Secret\n\x1f\x8b\x08opensesame");
    for (file, said) in [
        ("/proc/self/mem", "error: can't read /proc/self/mem: input/output error\n"),
        ("dangling.yaml", "error: can't read dangling.yaml: no such file or directory\nhint: check the path"),
        ("utf16.yaml", "error: this isn't YAML"),
        ("packed.yaml", "error: this isn't text in UTF-8\n  --> packed.yaml:2:2\nhint: is it compressed"),
    ] {
        let run = sandbox.run(["-r", "prod.pub", file], "");
        assert!(run.stderr.starts_with(said), "{file}: {}", run.stderr);
        assert_eq!((run.code, run.stdout), (3, Vec::new()), "{file}");
        assert!(!holds(run.stderr.as_bytes(), CANARY), "{file}: {}", run.stderr);
    }
}

/// Slips of the hand in a manifest: `seal` seals it, or refuses it without quoting its content.
#[test]
fn a_mangled_manifest_never_shows_a_value() {
    const MANIFEST: &str = "apiVersion: v1\nkind: Secret\nmetadata:\n  name: db\n  namespace: prod\n  labels: {app: web}\n\
                            stringData:\n  user: opensesame\n  password: \"opensesame: x\"\n  pem: |\n    opensesame\n    \
                            opensesame x\n  flow: 'opensesame'\ndata: {other: b3BlbnNlc2FtZQ==, last: \"b3BlbnNlc2FtZQ==\"}\n";
    let sandbox = Sandbox::new();
    let mut state = 7_u64;
    let mut below = |end: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from((state >> 33) % end as u64).unwrap()
    };
    let (mut sealed, mut refused) = (0, 0);
    for _ in 0..400 {
        let mut text: Vec<char> = MANIFEST.chars().collect();
        for _ in 0..=below(2) {
            let at = below(text.len());
            match below(3) {
                0 => drop(text.drain(at..(at + 1 + below(3)).min(text.len()))),
                1 => text.insert(
                    at,
                    [
                        ':', '{', '}', '[', ',', '&', '*', '!', '|', '\'', '"', '\t', '\n', ' ', '-', '#',
                        '?', '%', '\\', '\u{1b}',
                    ][below(20)],
                ),
                _ => text.swap(at, below(MANIFEST.len()).min(at + 1).min(MANIFEST.len() - 8)),
            }
        }
        let text: String = text.into_iter().collect();
        let run = sandbox.run(["-r", "prod.pub"], &text);
        assert!([0, 2, 3].contains(&run.code), "{}: {}\n{text}", run.code, run.stderr);
        assert!(!holds(run.stderr.as_bytes(), CANARY), "{}\n{text}", run.stderr);
        assert!(!run.stderr.contains('\u{1b}'), "{:?}\n{text}", run.stderr);
        assert!(run.code == 0 || run.stdout.is_empty(), "{text}");
        *(if run.code == 0 { &mut sealed } else { &mut refused }) += 1;
    }
    assert!(sealed > 20 && refused > 100, "{sealed} sealed, {refused} refused");
}
