//! `seal` as a plugin of kubectl, its completions in a real bash, its manual pages in a real groff, and the manifest by which
//! krew installs it.
//!
//! The texts themselves are tested beside their code (`args/reference`). Invariant: the real programs read what `seal`
//! gives them.

use std::os::unix::fs::symlink;
use std::process::Command;

use seal_tests::toolchain;
use serde_json::Value;

use crate::sandbox::{Run, Sandbox, run};

/// A sandbox in which `seal` is linked under these names, and the directory of the links.
fn linked(names: &[&str]) -> (Sandbox, std::path::PathBuf) {
    let sandbox = Sandbox::new();
    let bin = sandbox.path("bin");
    std::fs::create_dir(&bin).unwrap();
    for name in names {
        symlink(env!("CARGO_BIN_EXE_test-seal"), bin.join(name)).unwrap();
    }
    (sandbox, bin)
}

#[test]
fn kubectl_runs_it_as_a_plugin_and_help_says_what_to_type() {
    let (sandbox, bin) = linked(&["kubectl-seal", "kubectl-seal_secret"]);
    let kubectl = |args: &[&str]| -> Run {
        let mut kubectl = Command::new(toolchain::bin("kubectl"));
        sandbox.confine(&mut kubectl);
        run(kubectl.env("PATH", &bin).args(args), b"")
    };
    for (typed, called) in [("seal", "kubectl seal"), ("seal-secret", "kubectl seal-secret")] {
        let help = kubectl(&[typed, "--help"]);
        let text = String::from_utf8(help.stdout).unwrap();
        assert_eq!(help.code, 0, "{}", help.stderr);
        assert!(
            text.contains(&format!("Usage: {called} [OPTIONS] [FILE]...\n       {called} <COMMAND>")),
            "{text}"
        );
        assert!(text.contains(&format!("\n  {called} create db -n prod")), "{text}");
        let help = String::from_utf8(kubectl(&[typed, "create", "-h"]).stdout).unwrap();
        assert!(help.contains(&format!("Usage: {called} create [OPTIONS] <NAME>")), "{help}");
        let refused = kubectl(&[typed, "create", "db", "--bogus"]);
        assert!(refused.stderr.contains(&format!("hint: {called} create --help")), "{}", refused.stderr);
    }
    let sealed = kubectl(&["seal", "create", "db", "-n", "prod", "-r", "prod.pub", "--literal", "a=b"]);
    assert_eq!((sealed.code, sealed.stderr.as_str()), (0, ""));
    assert!(sealed.stdout.starts_with(b"apiVersion: sealing.dev/v1alpha1\n"));
}

#[test]
fn bash_completes_commands_and_options() {
    let sandbox = Sandbox::new();
    let script = sandbox.succeed(["completions", "bash"], "");
    sandbox.write("seal.bash", script);
    let complete = |words: &[&str]| {
        let cursor = words.len() - 1;
        let words = words.join(" ");
        let asked = format!(
            "source ./seal.bash; COMP_WORDS=({words}); COMP_CWORD={cursor}; \
             _seal seal \"${{COMP_WORDS[$COMP_CWORD]}}\" \"${{COMP_WORDS[$((COMP_CWORD-1))]}}\"; \
             printf '%s\\n' \"${{COMPREPLY[@]}}\""
        );
        let mut bash = Command::new("/bin/bash");
        sandbox.confine(&mut bash);
        let run = run(bash.args(["--norc", "-c", &asked]), b"");
        assert_eq!((run.code, run.stderr.as_str()), (0, ""));
        String::from_utf8(run.stdout).unwrap()
    };
    assert_eq!(complete(&["seal", "crea"]), "create\n");
    assert_eq!(complete(&["seal", "keys", "fet"]), "fetch\n");
    assert_eq!(complete(&["seal", "create", "--dot"]), "--dotenv\n");
}

#[test]
fn groff_takes_every_manual_page() {
    let sandbox = Sandbox::new();
    let run_man = sandbox.run(["man", "-o", "man1"], "");
    assert_eq!(run_man.code, 0, "{}", run_man.stderr);
    let pages: Vec<_> = sandbox.files().into_keys().filter(|path| path.starts_with("man1")).collect();
    assert!(pages.len() > 20, "{pages:?}");
    for page in pages {
        let mut groff = Command::new("/usr/bin/groff");
        sandbox.confine(&mut groff);
        let shown = run(groff.args(["-man", "-Tascii", "-P-cbou"]).arg(&page), b"");
        let text = String::from_utf8_lossy(&shown.stdout).into_owned();
        assert_eq!(shown.code, 0, "{}", page.display());
        assert!(text.contains("SYNOPSIS") || text.contains("NAME"), "{}: {text}", page.display());
    }
    let one = sandbox.succeed(["man", "keys", "fetch"], "");
    assert_eq!(one, sandbox.read("man1/seal-keys-fetch.1"));
}

#[test]
fn the_manifest_of_krew_has_the_fields_that_krew_checks() {
    let text = std::fs::read_to_string(toolchain::repository().join("cli/krew.yaml")).unwrap();
    let manifest: Value = serde_yaml::from_str(&text).unwrap();
    assert_eq!(manifest["apiVersion"], "krew.googlecontainertools.github.com/v1alpha2");
    assert_eq!(manifest["kind"], "Plugin");
    // Links are made of the name: a dash becomes an underscore (kubectl's rule), behind `kubectl-`.
    let name = manifest["metadata"]["name"].as_str().unwrap();
    assert_eq!(format!("kubectl-{}", name.replace('-', "_")), "kubectl-seal_secret");
    let spec = &manifest["spec"];
    assert_eq!(spec["version"], format!("v{}", env!("CARGO_PKG_VERSION")));
    let short = spec["shortDescription"].as_str().unwrap();
    assert!(short.len() <= 70 && !short.ends_with('.'), "krew's style: {short}");
    assert!(spec["homepage"].as_str().unwrap().starts_with("https://"));
    let platforms = spec["platforms"].as_array().unwrap();
    let mut seen = std::collections::BTreeSet::new();
    for platform in platforms {
        let labels = &platform["selector"]["matchLabels"];
        let (os, arch) = (labels["os"].as_str().unwrap(), labels["arch"].as_str().unwrap());
        assert!(seen.insert((os, arch)), "{os} {arch} is there twice");
        let uri = platform["uri"].as_str().unwrap();
        let version = spec["version"].as_str().unwrap();
        assert!(uri.ends_with(&format!("/{version}/seal-{os}-{arch}.tar.gz")), "{uri}");
        let digest = platform["sha256"].as_str().unwrap();
        assert!(digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit()), "{digest}");
        assert_eq!(platform["bin"], "seal");
        let files = platform["files"].as_array().unwrap();
        for file in ["seal", "LICENSE"] {
            assert!(files.iter().any(|entry| entry["from"] == file && entry["to"] == "."), "{file}");
        }
    }
    assert_eq!(seen.len(), 4);
}
