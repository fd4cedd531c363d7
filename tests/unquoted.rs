//! Unquoted words of YAML: what each means to us, beside what it means to the real kubectl.
//!
//! Not whole manifests, which [`round_trip`](super::round_trip) compares. Invariant: the words are the same in every run.

use std::process::Command;

use seal_go::yaml::{Resolved, resolve};
use seal_tests::{scalars, toolchain};
use serde_json::Value;

use crate::sandbox::run;

/// Whether a text can stand unquoted as a value in one line, so that a reader decides on it by its letters alone.
fn is_word(text: &str) -> bool {
    let is_inside = |char: char| char.is_ascii_alphanumeric() || "+-_.:~ ".contains(char);
    let is_syntax = text.starts_with([' ', ':']) || text.ends_with([' ', ':']) || text.contains(": ");
    !text.is_empty() && text.chars().all(is_inside) && !is_syntax && !text.starts_with("- ") && text != "-"
}

fn is_same(ours: Resolved, theirs: &Value, text: &str) -> bool {
    match ours {
        Resolved::Null => theirs.is_null(),
        Resolved::Bool(value) => theirs.as_bool() == Some(value),
        Resolved::Int(value) => theirs.as_i64() == Some(value),
        Resolved::Uint(value) => theirs.as_u64() == Some(value),
        Resolved::Float(value) => theirs.as_f64() == Some(value),
        Resolved::Timestamp | Resolved::Text => theirs.as_str() == Some(text),
    }
}

#[test]
fn an_unquoted_word_means_to_us_what_it_means_to_kubectl() {
    // JSON has no infinities, and kubectl refuses a manifest with one.
    let is_finite = |text: &String| !matches!(resolve(text), Resolved::Float(value) if !value.is_finite());
    let words: Vec<String> =
        scalars::random(20_000).into_iter().filter(|text| is_word(text) && is_finite(text)).collect();
    assert!(words.len() > 3_000, "{}", words.len());
    let kinds = |kind: fn(Resolved) -> bool| words.iter().filter(|word| kind(resolve(word))).count();
    assert!(kinds(|ours| matches!(ours, Resolved::Int(_) | Resolved::Float(_))) > 300);
    assert!(kinds(|ours| ours == Resolved::Timestamp) > 10);

    let fields: String = words.iter().enumerate().map(|(at, word)| format!("  k{at}: {word}\n")).collect();
    let manifest =
        format!("apiVersion: example.com/v1\nkind: Words\nmetadata: {{name: all}}\nspec:\n{fields}");
    let mut kubectl = Command::new(toolchain::bin("kubectl"));
    kubectl.args(["annotate", "--local", "--filename=-", "--output=json", "seen=yes"]);
    let read = run(&mut kubectl, manifest.as_bytes());
    assert_eq!(read.code, 0, "{}", read.stderr);
    let read: Value = serde_json::from_slice(&read.stdout).unwrap();
    let differences: Vec<String> = words
        .iter()
        .enumerate()
        .map(|(at, word)| (word, &read["spec"][format!("k{at}")]))
        .filter(|(word, theirs)| !is_same(resolve(word), theirs, word))
        .map(|(word, theirs)| format!("{word:?}: to us {:?}, to kubectl {theirs}", resolve(word)))
        .collect();
    assert!(differences.is_empty(), "{}:\n{}", differences.len(), differences.join("\n"));
}
