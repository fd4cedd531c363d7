//! The lists of what secret scanners pass over: all of a SealedSecret's ciphertext, and nothing else.
//!
//! Both files have the same patterns, in the part of regular expressions that RE2, Python and `grep -P` read alike. The real
//! gitleaks reads its file here; grep stands in for detect-secrets, line by line.

use std::collections::BTreeSet;

use seal_tests::toolchain;

use super::{read, yaml};
use crate::sandbox::{Sandbox, run};

/// The patterns of detect-secrets, which are arguments.
fn detect_secrets() -> Vec<String> {
    let config = yaml("cli/git-example/pre-commit.yaml");
    let args = config["repos"][1]["hooks"][0]["args"].as_sequence().unwrap().clone();
    args.iter()
        .map(|arg| arg.as_str().unwrap().strip_prefix("--exclude-lines=").unwrap().to_owned())
        .collect()
}

/// The lines of a text that no pattern matches.
fn left(sandbox: &Sandbox, text: &str) -> Vec<String> {
    let mut kept: Vec<&str> = text.lines().collect();
    for pattern in detect_secrets() {
        let mut grep = std::process::Command::new("grep");
        sandbox.confine(&mut grep);
        grep.env("PATH", "/usr/bin:/bin").args(["-P", "-x", "-e", &pattern]);
        let matched = run(&mut grep, text.as_bytes());
        assert!(matched.code < 2, "{pattern}: {}", matched.stderr);
        let matched = String::from_utf8(matched.stdout).unwrap();
        let matched: BTreeSet<&str> = matched.lines().collect();
        kept.retain(|line| !matched.contains(line));
    }
    kept.into_iter().map(str::to_owned).collect()
}

#[test]
fn both_files_have_the_same_patterns() {
    let toml = read("cli/git-example/gitleaks.toml");
    let of_gitleaks: Vec<&str> =
        toml.lines().filter_map(|line| line.trim().strip_prefix("'''")?.strip_suffix("''',")).collect();
    assert_eq!(of_gitleaks, detect_secrets());
    assert_eq!(of_gitleaks.len(), 5);
}

#[test]
fn no_ciphertext_is_left_for_a_scanner_in_either_format_and_every_word_of_people_is() {
    let sandbox = Sandbox::new();
    let secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: db, namespace: prod}\nstringData:\n  password: x\n  long.key_2: \
                  \"opensesame opensesame opensesame\"\n";
    sandbox.write("secret.yaml", secret);
    for flags in [
        ["-r", "prod.pub"].as_slice(),
        &["-r", "classic.pub"],
        &["--seal-format", "bitnami", "--cert", "rsa.crt"],
    ] {
        let run = sandbox.run([flags, &["secret.yaml"]].concat(), "");
        assert_eq!(run.code, 0, "{}", run.stderr);
        let text = String::from_utf8(run.stdout).unwrap();
        for text in [text.clone(), text.replace('\n', "\r\n")] {
            let left = left(&sandbox, &text);
            assert!(left.iter().any(|line| line.contains("kind: SealedSecret")), "{left:?}");
            let longest = left.iter().max_by_key(|line| line.len()).unwrap();
            assert!(longest.len() < 50, "{longest}");
        }
    }
}

#[test]
fn what_is_no_ciphertext_is_left() {
    let sandbox = Sandbox::new();
    let data_key = "XCqRsp7BBKN3eY2NzMF6kIbL57FuWtVtFNb_KrFy4UQ";
    let lines = [
        "  token: ghp_abcdefghijklmnopqrstuvwxyz0123456789AB".to_owned(),
        "  password: aHVudGVyMmh1bnRlcjJodW50ZXIyaHVudGVyMmh1bnRlcjI=".to_owned(),
        "  key: AKIAIOSFODNN7EXAMPLE".to_owned(),
        // An item, and a token behind it.
        format!("  {{a: {data_key}.{}, token: ghp_abcdefghijklmnopqrstuvwxyz0123456789AB}}", "A".repeat(60)),
        format!("  a: {data_key}.{} # ghp_abcdefghijklmnopqrstuvwxyz0123456789AB", "A".repeat(60)),
        "  jwt: eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.abcdefghijklmnopqrstuvwxyz0123456789".to_owned(),
        format!("AGE-SECRET-KEY-1{}", "Q".repeat(58)),
    ];
    assert_eq!(left(&sandbox, &lines.join("\n")), lines);
}

/// The lines of a file on which the real gitleaks finds something.
#[track_caller]
fn gitleaks(sandbox: &Sandbox, flags: &[&str], file: &str) -> Vec<u64> {
    let mut gitleaks = std::process::Command::new(toolchain::bin("gitleaks"));
    sandbox.confine(&mut gitleaks);
    gitleaks.args(["dir", "--no-banner", "--log-level=error", "--report-format=json", "--report-path=-"]);
    let run = run(gitleaks.args(flags).arg(file), b"");
    let found: serde_json::Value = serde_json::from_slice(&run.stdout).expect(&run.stderr);
    let lines: Vec<u64> =
        found.as_array().unwrap().iter().map(|finding| finding["StartLine"].as_u64().unwrap()).collect();
    assert_eq!(run.code, i32::from(!lines.is_empty()), "{}", run.stderr);
    lines
}

#[test]
fn the_real_gitleaks_is_quiet_about_ciphertext_and_finds_a_token_beside_it() {
    let sandbox = Sandbox::new();
    sandbox.write("gitleaks.toml", read("cli/git-example/gitleaks.toml"));
    let secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: db, namespace: prod}\nstringData: {password: x, api-key: why}\n";
    let sealed = |flags: &[&str]| {
        let run = sandbox.run(flags, secret);
        assert_eq!(run.code, 0, "{}", run.stderr);
        run.stdout
    };
    let bitnami = sealed(&["--seal-format", "bitnami", "--cert", "rsa.crt"]);
    sandbox.write("bitnami.yaml", &bitnami);
    assert!(!gitleaks(&sandbox, &[], "bitnami.yaml").is_empty(), "by itself it takes ciphertext for a key");
    sandbox.write("sealed.yaml", [bitnami, b"---\n".to_vec(), sealed(&["-r", "prod.pub"])].concat());
    assert_eq!(gitleaks(&sandbox, &["-c", "gitleaks.toml"], "sealed.yaml"), [0; 0]);
    let mut text = String::from_utf8(sandbox.read("sealed.yaml")).unwrap();
    let line = text.lines().count() as u64 + 1;
    text += &format!("# ghp_{}\n", "Zx81mQpL0vRt7KcWn3YbHs6DfJg2UaEiOe94");
    sandbox.write("sealed.yaml", text);
    assert_eq!(gitleaks(&sandbox, &["-c", "gitleaks.toml"], "sealed.yaml"), [line]);
}
