//! The command line of kubeseal, ours beside the real one. Both get the same arguments, input, kubeconfig and
//! files, and must give the same output, files and exit code, apart from the ciphertext.
//!
//! Not whether a cluster opens the result: that is the conformance tests'. Invariant: each case runs both
//! programs; if ours differs on purpose, the case says why.

mod differences;
mod inputs;
mod names;
mod omitted;
mod usage;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use seal_tests::{scalars, toolchain};
use serde_json::{Value, json};

use crate::sandbox::{Files, Run, Sandbox, run};

const CERTIFICATE: &[u8] = include_bytes!("../crds/src/keys/testdata/rsa-2048.crt");
const KEY: &str = include_str!("../crds/src/keys/testdata/rsa-2048.pem");
const OTHER_KEY: &str = include_str!("../crds/src/keys/testdata/rsa-3072.pem");

/// A kubeconfig with three contexts: with a namespace, without one, and with a cluster that doesn't exist.
const KUBECONFIG: &str = "apiVersion: v1\nkind: Config\ncurrent-context: named\n\
    clusters: [{name: c, cluster: {server: 'https://127.0.0.1:1'}}]\n\
    contexts: [{name: named, context: {cluster: c, namespace: staging}}, {name: bare, context: {cluster: c}}, \
    {name: broken, context: {cluster: none, namespace: lost}}]\n";

/// One of the two programs.
#[derive(Clone, Copy, PartialEq)]
enum Program {
    Ours,
    Peer,
}

/// The end of a run, and the files after it.
struct Outcome {
    run: Run,
    files: Files,
}

/// A directory with all inputs, the same for every run.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    for (name, text) in inputs::INPUTS {
        sandbox.write(name, text);
    }
    sandbox.write("cert.pem", CERTIFICATE);
    sandbox.write("key.pem", KEY);
    sandbox.write("other.pem", OTHER_KEY);
    sandbox.write("kubeconfig", KUBECONFIG);
    let secret = |pem: &str| json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "k"}, "data": {"tls.key": base64(pem)}});
    let list = json!({"apiVersion": "v1", "kind": "List", "items": [secret(OTHER_KEY), secret(KEY)]});
    sandbox.write("backup.json", secret(KEY).to_string());
    sandbox.write("backup.yaml", serde_yaml::to_string(&secret(KEY)).unwrap());
    sandbox.write("backups.json", list.to_string());
    sandbox.write("backups.yaml", serde_yaml::to_string(&list).unwrap());
    sandbox
}

fn base64(text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(text)
}

/// Runs a program in a sandbox of its own, which `prepare` may add to. The arguments are separated by spaces.
fn outcome(program: Program, args: &str, stdin: &str, prepare: &dyn Fn(&Sandbox)) -> Outcome {
    let sandbox = sandbox();
    prepare(&sandbox);
    let args = args.split(' ').filter(|arg| !arg.is_empty());
    let mut command = match program {
        Program::Ours => sandbox.seal(["kubeseal"].into_iter().chain(args)),
        Program::Peer => {
            let mut peer = Command::new(toolchain::bin("kubeseal"));
            sandbox.confine(&mut peer);
            peer.args(args);
            peer
        }
    };
    command.env("KUBECONFIG", sandbox.path("kubeconfig"));
    let stdin = fs::read(sandbox.path(stdin)).unwrap();
    let run = run(&mut command, &stdin);
    assert!(program == Program::Peer || sandbox.temporary_files().is_empty(), "something was left behind");
    Outcome { run, files: sandbox.files() }
}

/// The text, with every sealed value replaced by a word.
fn masked(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let is_inside = |c: char| c.is_ascii_alphanumeric() || "+/=".contains(c);
    let mut out = String::new();
    let mut rest = &*text;
    while let Some(first) = rest.chars().next() {
        let length = rest.find(|c| is_inside(c) != is_inside(first)).unwrap_or(rest.len());
        let (part, after) = rest.split_at(length);
        out += if part.len() > 340 && part.starts_with("AQ") { "SEALED" } else { part };
        rest = after;
    }
    out
}

/// The first line of the message; in ours a place and a hint follow it.
fn first_line(stderr: &str) -> &str {
    stderr.lines().next().unwrap_or_default()
}

#[track_caller]
fn assert_same(args: &str, stdin: &str, prepare: &dyn Fn(&Sandbox)) -> Outcome {
    let [ours, peer] = [Program::Ours, Program::Peer].map(|program| outcome(program, args, stdin, prepare));
    let case = format!("{args} < {stdin}\nours: {}\npeer: {}", ours.run.stderr, peer.run.stderr);
    assert_eq!(ours.run.code, peer.run.code, "{case}");
    assert_eq!(masked(&ours.run.stdout), masked(&peer.run.stdout), "{case}");
    assert_eq!(first_line(&ours.run.stderr), first_line(&peer.run.stderr), "{case}");
    let files = |files: &Files| -> Vec<_> {
        files.iter().map(|(path, content)| (path.clone(), masked(content))).collect()
    };
    assert_eq!(files(&ours.files), files(&peer.files), "{case}");
    ours
}

const SEALING: [&str; 13] = [
    "plain.yaml",
    "placed.yaml",
    "nameless.yaml",
    "empty.yaml",
    "wide.yaml",
    "anywhere.yaml",
    "several.yaml",
    "one.json",
    "two.json",
    "live.yaml",
    "owned.yaml",
    "nothing",
    "word",
];

#[test]
fn sealing_prints_what_the_real_kubeseal_prints() {
    for input in SEALING {
        for format in ["", "-o yaml", "--format=YAML"] {
            assert_same(&format!("--cert cert.pem {format}"), input, &|_| {});
        }
    }
}

#[test]
fn namespace_name_and_scope_are_found_where_the_real_kubeseal_finds_them() {
    for input in ["plain.yaml", "placed.yaml", "nameless.yaml", "wide.yaml", "anywhere.yaml", "several.yaml"]
    {
        for args in [
            "--scope strict",
            "--scope namespace-wide",
            "--scope=cluster-wide",
            "-n prod",
            "--namespace=other",
            "-n other --scope cluster-wide",
            "--name renamed",
            "--context bare",
            "--context broken",
            "--context missing",
            "--cluster c --context broken",
            "--kubeconfig nothing",
            "--allow-empty-data",
        ] {
            assert_same(&format!("--cert cert.pem -o yaml {args}"), input, &|_| {});
        }
    }
    assert_same("--cert cert.pem --allow-empty-data", "empty.yaml", &|_| {});
}

#[test]
fn every_text_is_written_as_go_writes_it() {
    let texts = inputs::TEXTS.iter().enumerate();
    let annotations: Value = texts.map(|(index, text)| (format!("k{index}"), json!(text))).collect();
    // yaml.v2 has no stable order for keys with zeros in front, so its output varies.
    let is_odd = |text: &str| text.contains(['\u{2028}', '\u{2029}']) || text.starts_with(['0', '+', '-']);
    let texts = inputs::TEXTS.iter().filter(|text| !is_odd(text));
    let labels: Value = texts.map(|text| ((*text).to_owned(), json!("x"))).collect();
    let long: String = "k".repeat(130);
    let secret = json!({
        "metadata": {"name": "db", "namespace": "prod", "annotations": annotations, "labels": labels},
        "stringData": {(long): "x", "a": "y"},
    });
    // If they are written as they are, ours refuses them, since YAML libraries read them in different ways.
    let mut secret = secret.to_string();
    for separator in ['\u{2028}', '\u{2029}'] {
        secret = secret.replace(separator, &format!("\\u{:04x}", u32::from(separator)));
    }
    for format in ["json", "yaml"] {
        let args = format!("--cert cert.pem -f texts.json -o {format}");
        assert_same(&args, "nothing", &|sandbox| sandbox.write("texts.json", &secret));
    }
}

#[test]
fn random_texts_are_written_as_go_writes_them() {
    let texts = scalars::random(3_000).into_iter().enumerate();
    let annotations: Value = texts.map(|(index, text)| (format!("k{index}"), json!(text))).collect();
    let mut secret =
        json!({"metadata": {"name": "db", "namespace": "prod", "annotations": annotations}, "stringData": {"a": "y"}})
            .to_string();
    for separator in ['\u{85}', '\u{2028}'] {
        secret = secret.replace(separator, &format!("\\u{:04x}", u32::from(separator)));
    }
    for format in ["json", "yaml"] {
        let args = format!("--cert cert.pem -f texts.json -o {format}");
        assert_same(&args, "nothing", &|sandbox| sandbox.write("texts.json", &secret));
    }
}

#[test]
fn files_are_read_and_written_as_the_real_kubeseal_does() {
    for args in [
        "--cert cert.pem -f plain.yaml -w out.json",
        "--cert cert.pem --secret-file plain.yaml --sealed-secret-file out.yaml",
        "--cert cert.pem -f several.yaml -w out.yml -o json",
        "--cert=file:///proc/self/cwd/cert.pem -f plain.yaml",
        "--fetch-cert --cert cert.pem",
        "--fetch-cert --cert cert.pem -w fetched.pem",
        "--version",
        "--rotate=false --version=false --from-file x",
        "--from-file x",
        "--cert cert.pem -f plain.yaml -o bogus",
        "--cert cert.pem -f plain.yaml -v 5 --logtostderr=false --stderrthreshold WARNING --token t -- --bogus",
    ] {
        if args.starts_with("--rotate") {
            // The real one prints this warning to standard output, where the result goes.
            let ours = outcome(Program::Ours, args, "nothing", &|_| {});
            assert!(
                ours.run.stdout.is_empty()
                    && ours.run.stderr.starts_with("Flag --rotate has been deprecated")
            );
            continue;
        }
        assert_same(args, "nothing", &|_| {});
    }
}

#[test]
fn raw_values_are_sealed_for_the_same_places() {
    for args in [
        "",
        "--name db",
        "--name db -n prod",
        "--name db --scope strict",
        "--scope namespace-wide",
        "--scope cluster-wide",
        "--name db --from-file value",
        "--name db --from-file=password=value",
        "--name db --from-file value --from-file value",
        "--name db --from-file value,value",
        "--name db --from-file /dev/stdin",
        "--name db --context bare -o yaml",
    ] {
        assert_same(&format!("--cert cert.pem --raw {args}"), "value", &|_| {});
    }
}

#[test]
fn secrets_are_merged_into_files_of_either_format() {
    for (file, format) in
        [("live.yaml", "yaml"), ("live.yaml", "json"), ("plain.yaml", "json"), ("two.json", "yaml")]
    {
        let first = format!("--cert cert.pem -f {file} -o {format}");
        let sealed = outcome(Program::Peer, &first, "nothing", &|_| {}).run.stdout;
        // The file holds only one of the documents.
        let sealed = String::from_utf8(sealed).unwrap();
        let sealed = sealed.split("---\n").find(|text| !text.is_empty()).unwrap().to_owned();
        for input in ["plain.yaml", "placed.yaml", "empty.yaml", "one.json", "live.yaml", "nothing"] {
            // The real one crashes if only the new Secret has labels or annotations.
            if input == "live.yaml" && file != "live.yaml" {
                continue;
            }
            for args in ["", "-o yaml", "-n other"] {
                let args = format!("--cert cert.pem --merge-into sealed {args}");
                assert_same(&args, input, &|sandbox| sandbox.write("sealed", &sealed));
            }
        }
    }
    assert_same("--cert cert.pem --merge-into rich.yaml -o yaml", "plain.yaml", &|sandbox| {
        sandbox.write("rich.yaml", differences::RICH);
    });
}

#[test]
fn a_link_of_the_name_is_enough() {
    let sandbox = sandbox();
    let link = sandbox.path("kubeseal");
    symlink(Path::new(env!("CARGO_BIN_EXE_test-seal")), &link).unwrap();
    let mut command = Command::new(&link);
    sandbox.confine(&mut command);
    let version = run(command.arg("--version"), b"");
    assert_eq!((version.code, &*version.stdout), (0, &b"kubeseal version: v0.40.0\n"[..]));
}

#[test]
fn what_is_sealed_opens_as_the_real_kubeseals_own() {
    for (input, args) in [
        ("live.yaml", ""),
        ("owned.yaml", ""),
        ("plain.yaml", "-o yaml"),
        ("plain.yaml", "--scope namespace-wide"),
        ("anywhere.yaml", "-o yaml"),
        ("one.json", "-n prod"),
    ] {
        let sealed = outcome(Program::Ours, &format!("--cert cert.pem {args}"), input, &|_| {}).run.stdout;
        for keys in
            ["key.pem", "other.pem,key.pem", "backup.json", "backup.yaml", "backups.json", "backups.yaml"]
        {
            for format in ["json", "yaml"] {
                let args = format!("--recovery-unseal --recovery-private-key {keys} -o {format}");
                assert_same(&args, "sealed", &|sandbox| sandbox.write("sealed", &sealed));
            }
        }
        let args = "--recovery-unseal --recovery-private-key other.pem";
        let refused = assert_same(args, "sealed", &|sandbox| sandbox.write("sealed", &sealed));
        assert_eq!(refused.run.code, 1);
    }
}
