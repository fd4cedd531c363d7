//! The benchmark works: every question in its small size, and the report.
//!
//! Not how fast anything is, which `make bench` measures. Invariant: nothing here depends on time.

use std::fs;
use std::process::Command;

use crate::sandbox::run;

#[test]
fn every_question_is_answered_in_small_and_the_report_is_whole() {
    let dir = tempfile::tempdir().unwrap();
    let mut bench = Command::new(env!("CARGO_BIN_EXE_bench"));
    bench
        .arg("--size=small")
        .arg(format!("--into={}", dir.path().display()))
        .arg(format!("--seal={}", env!("CARGO_BIN_EXE_test-seal")))
        .arg(format!("--controller={}", env!("CARGO_BIN_EXE_test-seal-controller")));
    let run = run(&mut bench, b"");
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

#[test]
fn a_wrong_argument_is_refused_with_the_usage() {
    let run = run(Command::new(env!("CARGO_BIN_EXE_bench")).arg("--only=everything"), b"");
    assert_eq!(run.code, 2);
    assert!(run.stderr.contains("there is no question \"everything\"") && run.stderr.contains("Exit codes:"));
}
