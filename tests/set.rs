//! `seal set` and its kin on files, where a text can't show it: bytes, links, line ends, full disks, closed pipes.
//!
//! What they say and refuse is in `cli/`, and every layout is in `cli/src/objects/change/tests`. Invariant: a file that isn't
//! changed as asked for is left as it was.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::process::{Command, Stdio};

use crate::sandbox::{CANARY, Run, Sandbox, run};

/// A sandbox with `db.yaml` of two items.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    let literals = ["--literal", "user=app", "--literal", "password=old"];
    let args = ["create", "db", "-n", "prod", "-r", "prod.pub", "-o", "db.yaml"];
    sandbox.succeed(args.into_iter().chain(literals), "");
    sandbox
}

#[track_caller]
fn set(sandbox: &Sandbox, file: &str, value: &str) {
    let done = sandbox.run(["set", file, "password", "-r", "prod.pub"], value);
    assert_eq!((done.code, done.stderr.as_str()), (0, ""));
}

fn value(sandbox: &Sandbox, file: &str) -> Vec<u8> {
    sandbox.succeed(["unseal", file, "-i", "prod.key", "--item", "password"], "")
}

#[test]
fn a_value_is_sealed_byte_for_byte() {
    let sandbox = sandbox();
    for bytes in [&b"\x00\xff\r\n\n"[..], b" ", b"\xef\xbb\xbfx", "é".repeat(10_000).as_bytes()] {
        let done = sandbox.run(["set", "db.yaml", "password", "-r", "prod.pub"], bytes);
        assert_eq!(done.code, 0, "{}", done.stderr);
        assert_eq!(value(&sandbox, "db.yaml"), bytes);
    }
}

#[test]
fn a_byte_order_mark_and_the_line_ends_of_windows_stay() {
    let sandbox = sandbox();
    let text = String::from_utf8(sandbox.read("db.yaml")).unwrap();
    let windows = format!("\u{feff}# Windows\n{text}").replace('\n', "\r\n");
    sandbox.write("db.yaml", &windows);
    set(&sandbox, "db.yaml", "new");
    let after = String::from_utf8(sandbox.read("db.yaml")).unwrap();
    assert!(after.starts_with("\u{feff}# Windows\r\napiVersion: "), "{after}");
    assert_eq!(after.matches('\n').count(), after.matches("\r\n").count());
    assert_eq!(value(&sandbox, "db.yaml"), b"new");
}

#[test]
fn a_link_stays_and_the_file_that_it_points_at_changes_with_its_mode() {
    let sandbox = sandbox();
    fs::rename(sandbox.path("db.yaml"), sandbox.path("real.yaml")).unwrap();
    fs::set_permissions(sandbox.path("real.yaml"), fs::Permissions::from_mode(0o640)).unwrap();
    symlink("real.yaml", sandbox.path("db.yaml")).unwrap();
    set(&sandbox, "db.yaml", "new");
    assert!(fs::symlink_metadata(sandbox.path("db.yaml")).unwrap().is_symlink());
    assert_eq!(fs::metadata(sandbox.path("real.yaml")).unwrap().permissions().mode() & 0o777, 0o640);
    assert_eq!(value(&sandbox, "real.yaml"), b"new");
}

#[test]
fn another_name_of_the_file_keeps_the_old_content_and_is_told_of() {
    let sandbox = sandbox();
    fs::hard_link(sandbox.path("db.yaml"), sandbox.path("other.yaml")).unwrap();
    let done = sandbox.run(["set", "db.yaml", "password", "-r", "prod.pub"], "new");
    let path = sandbox.path("db.yaml").canonicalize().unwrap();
    let warning =
        format!("warning: {} had another name (a hard link), which keeps the old content\n", path.display());
    assert_eq!((done.code, done.stderr), (0, warning));
    assert_eq!(
        (value(&sandbox, "db.yaml"), value(&sandbox, "other.yaml")),
        (b"new".to_vec(), b"old".to_vec())
    );
}

#[test]
fn a_file_that_is_not_text_or_too_large_is_refused() {
    let sandbox = sandbox();
    sandbox.write("bad.yaml", b"apiVersion: \xff\n");
    let done = sandbox.run(["set", "bad.yaml", "password", "-r", "prod.pub"], CANARY);
    assert_eq!(done.code, 3);
    assert!(
        done.stderr.contains("this isn't text in UTF-8") && done.stderr.contains("bad.yaml:1:13"),
        "{}",
        done.stderr
    );
    let large = fs::File::create(sandbox.path("large.yaml")).unwrap();
    large.set_len(100 << 20).unwrap();
    let done = sandbox.run(["set", "large.yaml", "password", "-r", "prod.pub"], CANARY);
    assert!(done.code == 3 && done.stderr.contains("is larger than 64 MiB"), "{}", done.stderr);
    // Nor is a value that is.
    let before = sandbox.read("db.yaml");
    let done = sandbox.run(["set", "db.yaml", "--file", "password=large.yaml", "-r", "prod.pub"], "");
    assert!(done.code == 3 && done.stderr.contains("is larger than 64 MiB"), "{}", done.stderr);
    let done = sandbox.run(["set", "db.yaml", "password", "-r", "prod.pub"], vec![b'x'; 2 << 20]);
    assert!(done.code == 3 && done.stderr.contains("bytes together"), "{}", done.stderr);
    assert_eq!(sandbox.read("db.yaml"), before);
}

#[test]
fn a_word_where_a_path_belongs_is_not_repeated_if_no_file_is_there() {
    let sandbox = sandbox();
    let before = sandbox.files();
    for flag in ["--file", "--env-file", "--dotenv"] {
        let word = format!("password={CANARY}");
        let done = sandbox.run(["set", "db.yaml", flag, &word, "-r", "prod.pub"], "");
        assert_eq!(done.code, 3, "{flag}: {}", done.stderr);
        assert!(!done.stderr.contains(CANARY), "{flag}: {}", done.stderr);
        assert!(done.stderr.contains(flag) && done.stderr.contains("isn't there"), "{}", done.stderr);
    }
    assert_eq!(sandbox.files(), before);
}

#[test]
fn a_namespace_from_outside_is_warned_of_where_other_items_may_have_another() {
    let sandbox = sandbox();
    let text = String::from_utf8(sandbox.read("db.yaml")).unwrap();
    sandbox.write("db.yaml", text.replace("  namespace: prod\n", ""));
    let set = |items: &[&str]| {
        let args = ["set", "db.yaml", "-n", "prod", "-r", "prod.pub"];
        let made_up = items.iter().flat_map(|item| ["--generate", item]);
        sandbox.run(args.into_iter().chain(made_up), "").stderr
    };
    let warning = "warning: db.yaml names no namespace, so that of -n is taken for prod/db; if the other items were sealed \
                   for another one, it opens nowhere\n";
    assert_eq!(set(&["more=32"]), warning);
    assert_eq!(set(&["more=32", "user=32", "password=32"]), "", "all of them are sealed for this place");
    let rules =
        "version: 1\nrecipients: {prod: {file: prod.pub}}\nrules: [{path: \"{namespace}/**\", to: [prod]}]\n";
    sandbox.write(".seal.yaml", rules);
    sandbox.write("prod/db.yaml", sandbox.read("db.yaml"));
    let done =
        sandbox.run(["set", "prod/db.yaml", "-n", "prod", "-r", "prod.pub", "--generate", "more=32"], "");
    assert!(done.code == 0 && !done.stderr.contains("names no namespace"), "{}", done.stderr);
}

#[test]
fn a_full_disk_changes_none_of_several_files() {
    let sandbox = sandbox();
    sandbox.write("b.yaml", sandbox.read("db.yaml"));
    let before = sandbox.files();
    let mut shell = Command::new("/bin/sh");
    sandbox.confine(&mut shell);
    let script =
        "trap '' XFSZ; ulimit -f 2; exec \"$0\" set db.yaml b.yaml --generate password=32 -r prod.pub";
    let done = run(shell.arg("-c").arg(script).arg(env!("CARGO_BIN_EXE_test-seal")), b"");
    assert_eq!(done.code, 3, "{}", done.stderr);
    assert!(done.stderr.contains("can't write"), "{}", done.stderr);
    assert_eq!(sandbox.files(), before);
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let sandbox = sandbox();
    for args in
        [&["set", "db.yaml", "--generate", "password=32", "-r", "prod.pub"][..], &["rm", "db.yaml", "user"]]
    {
        let mut seal = sandbox.seal(args);
        let mut child =
            seal.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let ended = Run::from(child.wait_with_output().unwrap());
        assert_eq!((ended.code, ended.stderr.as_str()), (0, ""), "{args:?}");
    }
    assert_eq!(value(&sandbox, "db.yaml").len(), 32);
}

#[test]
fn several_files_get_a_made_up_value_each_or_the_same() {
    let sandbox = sandbox();
    sandbox.write("b.yaml", sandbox.read("db.yaml"));
    let both = ["set", "db.yaml", "b.yaml", "--generate", "password=24:hex", "-r", "prod.pub"];
    sandbox.succeed(both, "");
    assert_ne!(value(&sandbox, "db.yaml"), value(&sandbox, "b.yaml"));
    sandbox.succeed(both.iter().copied().chain(["--same"]), "");
    assert_eq!(value(&sandbox, "db.yaml"), value(&sandbox, "b.yaml"));
}

#[test]
fn a_first_rules_file_says_that_its_keys_would_stand_behind_a_link() {
    let sandbox = Sandbox::new();
    fs::create_dir(sandbox.path("elsewhere")).unwrap();
    symlink("elsewhere", sandbox.path("keys")).unwrap();
    let key = String::from_utf8(sandbox.read("prod.pub")).unwrap();
    let key = key.lines().find(|line| line.starts_with("age1")).unwrap();
    let done = sandbox.run(["init", "-r", key], "");
    assert_eq!(done.code, 3);
    assert!(
        done.stderr.contains("keys/recipient.pub is a symbolic link, or stands behind one"),
        "{}",
        done.stderr
    );
    assert!(!done.stderr.contains("there already"), "{}", done.stderr);
}

#[test]
fn an_envelope_that_a_text_merge_left_is_tidied_and_nothing_else() {
    let sandbox = sandbox();
    let text = String::from_utf8(sandbox.read("db.yaml")).unwrap();
    let (start, end) = (text.find("    - keys:").unwrap(), text.find("  encryptedData:").unwrap());
    let twice = format!("# kept\n{}    # kept, too\n{}", &text[..end], &text[start..]);
    sandbox.write("deep/db.yaml", &twice);
    let refused = sandbox.run(["unseal", "deep/db.yaml", "-i", "prod.key"], "");
    assert_eq!(refused.code, 3, "{}", refused.stderr);
    let done = sandbox.succeed(["tidy", "deep"], "");
    assert_eq!(String::from_utf8(done).unwrap(), "deep/db.yaml:2: prod/db: 1 unused envelope dropped\n");
    let tidied = String::from_utf8(sandbox.read("deep/db.yaml")).unwrap();
    assert_eq!(tidied, format!("# kept\n{}    # kept, too\n{}", &text[..end], &text[end..]));
    assert_eq!(value(&sandbox, "deep/db.yaml"), b"old");
}

/// kustomize sets the namespace of such objects later, to that of the directory.
#[test]
fn a_rule_gives_the_namespace_of_an_object_that_names_none() {
    let sandbox = Sandbox::new();
    let rules = "version: 1\nrecipients: {cluster: {file: prod.pub}}\nrules: [{path: 'apps/{namespace}/*', to: [cluster]}]\n";
    sandbox.write(".seal.yaml", rules);
    let args =
        ["create", "db", "-n", "shop", "-r", "prod.pub", "--literal", "user=app", "--literal", "old=x"];
    let sealed = String::from_utf8(sandbox.succeed(args, "")).unwrap().replace("  namespace: shop\n", "");
    sandbox.write("apps/shop/db.yaml", &sealed);
    let done = |args: &[&str]| {
        let run = sandbox.run(args, "new");
        assert_eq!(run.code, 0, "{args:?}: {}", run.stderr);
        assert!(!run.stderr.contains("warning"), "{args:?}: {}", run.stderr);
        String::from_utf8(run.stdout).unwrap()
    };
    let set = done(&["set", "apps/shop/db.yaml", "user"]);
    assert_eq!(set, "apps/shop/db.yaml: user sealed again for cluster\n");
    done(&["rm", "apps/shop/db.yaml", "old"]);
    done(&["move", "apps/shop/db.yaml", "--item", "user=login", "-i", "prod.key"]);
    let text = String::from_utf8(sandbox.read("apps/shop/db.yaml")).unwrap();
    assert!(!text.contains("namespace:"), "{text}");
    let args = ["unseal", "apps/shop/db.yaml", "-i", "prod.key", "-n", "shop", "--item", "login"];
    assert_eq!(sandbox.succeed(args, ""), b"new");
    // A flag may say the same, and nothing else.
    done(&["set", "apps/shop/db.yaml", "login", "-n", "shop"]);
    let other = sandbox.run(["set", "apps/shop/db.yaml", "login", "-n", "dev"], "new");
    assert_eq!(other.code, 2);
    assert!(other.stderr.contains("namespace dev isn't that of apps/shop/db.yaml"), "{}", other.stderr);
    // Where no path says it, somebody has to.
    sandbox.write(".seal.yaml", rules.replace("{namespace}", "*"));
    assert!(sandbox.run(["set", "apps/shop/db.yaml", "login"], "new").stderr.contains("give it with -n"));
}
