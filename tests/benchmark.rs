//! The benchmark works: every question in its small size, and the report.
//!
//! Not how fast anything is, which `make bench` measures. Invariant: nothing here depends on time.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::sandbox::{Run, run};

#[test]
fn every_question_is_answered_in_small_and_the_report_is_whole() {
    let dir = tempfile::tempdir().unwrap();
    let run = bench(dir.path(), &["--size=small"]);
    assert_eq!(run.code, 0, "{}\n{}", String::from_utf8_lossy(&run.stdout), run.stderr);

    let page = fs::read_to_string(dir.path().join("BENCHMARKS.md")).unwrap();
    let results = fs::read_to_string(dir.path().join("results.json")).unwrap();
    let charts: Vec<_> =
        page.lines().filter_map(|line| line.strip_prefix("![")?.split("](").nth(1)).collect();
    assert!(charts.len() > 15, "{page}");
    for chart in charts {
        let svg = fs::read_to_string(dir.path().join(chart.trim_end_matches(')'))).unwrap();
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"), "{chart}");
    }
    // Ours and each peer were measured.
    for who in [
        "seal, native",
        "seal, Bitnami",
        "sealed-secrets",
        "kubeseal",
        "age",
        "bare client, native",
        "git grep",
    ] {
        assert!(page.contains(&format!("| {who} |")), "{who}:\n{page}");
    }
    // Nothing of a machine is in what people commit, but what it is.
    for private in ["/tmp/", "/home/", "/root/"] {
        assert!(!page.contains(private) && !results.contains(private), "{private}");
    }
}

/// The run before is one of ours with other numbers, so that nothing here depends on how fast anything is.
#[test]
fn a_ratio_that_is_a_quarter_worse_than_before_fails_the_run_and_is_named_with_its_question() {
    let dir = tempfile::tempdir().unwrap();
    let measured = bench(dir.path(), &["--size=small", "--only=check"]);
    assert_eq!(measured.code, 0, "{}", measured.stderr);
    let now = dir.path().join("results.json");
    let results: Value = serde_json::from_slice(&fs::read(&now).unwrap()).unwrap();
    let (name, value) =
        (&results["answers"][0]["ratios"][0]["name"], &results["answers"][0]["ratios"][0]["value"]);
    let (name, value) = (name.as_str().unwrap(), value.as_f64().unwrap());

    let compared = |now_is: f64, size: &str| {
        let mut before = results.clone();
        before["answers"][0]["ratios"][0]["value"] = json!(value / now_is);
        let file = dir.path().join("before.json");
        fs::write(&file, before.to_string()).unwrap();
        let [before, render] =
            [("before", &file), ("render", &now)].map(|(flag, file)| format!("--{flag}={}", file.display()));
        let run = bench(&dir.path().join("again"), &[size, &before, &render]);
        let said = String::from_utf8(run.stdout).unwrap();
        let moved = said.lines().filter(|line| line.contains(" in the committed run")).map(str::to_owned);
        (run.code, moved.collect::<Vec<_>>())
    };
    let (code, moved) = compared(1.25, "--size=full");
    assert_eq!((code, moved.len()), (1, 1), "{moved:?}");
    assert!(
        moved[0].starts_with(&format!("WORSE: {name}: ")) && moved[0].ends_with(" (ONLY=check)"),
        "{moved:?}"
    );
    let (code, moved) = compared(0.75, "--size=full");
    assert_eq!((code, moved.len()), (0, 1), "{moved:?}");
    assert!(moved[0].starts_with("better: "), "{moved:?}");
    assert_eq!(compared(1.15, "--size=full"), (0, vec![]), "noise");
    assert_eq!(compared(100.0, "--size=small"), (0, vec![]), "a small run says nothing of speed");
}

#[test]
fn a_wrong_argument_is_refused_with_the_usage() {
    let run = run(Command::new(env!("CARGO_BIN_EXE_bench")).arg("--only=everything"), b"");
    assert_eq!(run.code, 2);
    assert!(run.stderr.contains("there is no question \"everything\"") && run.stderr.contains("Exit codes:"));
}

/// Runs the benchmark with the programs of the tests, and its report into a directory.
fn bench(into: &Path, args: &[&str]) -> Run {
    fs::create_dir_all(into).unwrap();
    let mut bench = Command::new(env!("CARGO_BIN_EXE_bench"));
    bench
        .args(args)
        .arg(format!("--into={}", into.display()))
        .arg(format!("--seal={}", env!("CARGO_BIN_EXE_test-seal")))
        .arg(format!("--controller={}", env!("CARGO_BIN_EXE_test-seal-controller")));
    run(&mut bench, b"")
}
