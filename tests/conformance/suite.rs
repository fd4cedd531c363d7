//! The peer's own integration suite, against programs in the place of its own.
//!
//! Invariant: every case passes, or is in the table with the reason; a case of the table that passes is a defect
//! of the table.

use std::path::Path;

use seal_tests::control_plane::{ControlPlane, dying_with_us};
use seal_tests::peer::{self, Serving};
use seal_tests::toolchain;
use serde_json::Value;

/// Where the suite looks for the controller and its keys, unless it is told otherwise.
const NAMESPACE: &str = "kube-system";

/// A case that may fail, by the end of its name.
struct Exception {
    case: &'static str,
    why: Why,
}

/// Why a case may fail.
#[derive(PartialEq, Eq)]
enum Why {
    /// It races with the controller and passes now and then, with the peer's own programs too.
    Races(&'static str),
}

/// With the peer's own programs.
const THEIRS: &[Exception] = &[
    Exception {
        case: "With unowned secret without managed annotation should not recreate the secret",
        why: Why::Races(
            "the Secret is deleted at once, and the controller may create its own before or after",
        ),
    },
    Exception {
        case: "With unowned secret with patch annotation should not recreate the secret",
        why: Why::Races(
            "the Secret is deleted at once, and the controller may create its own before or after",
        ),
    },
];

/// The name of a case, and whether it passed; and if not, why.
struct Outcome {
    case: String,
    failure: Option<String>,
}

/// Runs the suite with a kubeseal and a controller (which it asks for its version only), while another serves.
fn run(plane: &ControlPlane, kubeseal: &Path, controller: &Path, focus: Option<&str>) -> Vec<Outcome> {
    let report = plane.dir().join("suite.json");
    let mut suite = dying_with_us(toolchain::bin("sealed-secrets-integration"));
    suite.arg("-kubeconfig").arg(plane.kubeconfig());
    suite.arg("-kubeseal-bin").arg(kubeseal).arg("-controller-bin").arg(controller);
    suite.arg("-ginkgo.json-report").arg(&report).args(focus.map(|focus| format!("-ginkgo.focus={focus}")));
    let output = suite.current_dir(plane.dir()).output().unwrap();
    let report =
        std::fs::read(&report).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stdout)));
    let report: Value = serde_json::from_slice(&report).unwrap();
    let cases =
        report[0]["SpecReports"].as_array().unwrap().iter().filter(|case| case["LeafNodeType"] == "It");
    let cases = cases.filter(|case| case["State"] != "skipped" && case["State"] != "pending");
    cases.map(outcome).collect()
}

fn outcome(case: &Value) -> Outcome {
    let texts =
        case["ContainerHierarchyTexts"].as_array().into_iter().flatten().chain([&case["LeafNodeText"]]);
    let texts: Vec<&str> = texts.filter_map(Value::as_str).collect();
    let passed = case["State"] == "passed";
    let failure = || {
        let failure = &case["Failure"];
        let log = case["CapturedGinkgoWriterOutput"].as_str().unwrap_or_default();
        format!("{}\n{log}", failure["Message"].as_str().unwrap_or_default())
    };
    Outcome { case: texts.join(" "), failure: (!passed).then(failure) }
}

#[track_caller]
fn assert_as_expected(outcomes: &[Outcome], exceptions: &[Exception]) {
    let mut wrong = Vec::new();
    for Outcome { case, failure } in outcomes {
        let exception = exceptions.iter().find(|exception| case.ends_with(exception.case));
        match (failure, exception) {
            (Some(failure), None) => wrong.push(format!("{case}: {failure}")),
            (None, Some(exception)) if !matches!(exception.why, Why::Races(_)) => {
                wrong.push(format!("{case}: it passes, but the table says that it doesn't"));
            }
            _ => {}
        }
    }
    for Exception { case, .. } in exceptions {
        if !outcomes.iter().any(|outcome| outcome.case.ends_with(case)) {
            wrong.push(format!("{case}: no such case"));
        }
    }
    let cases: Vec<&str> = outcomes.iter().map(|outcome| outcome.case.as_str()).collect();
    assert!(wrong.is_empty(), "{} of {cases:#?}\n{}", wrong.len(), wrong.join("\n\n"));
}

#[test]
fn the_suite_passes_with_the_peers_own_programs() {
    let plane = ControlPlane::start_apart(&[peer::definition()]).unwrap();
    let _controller = Serving::theirs(&plane, NAMESPACE, &[]);
    let kubeseal = toolchain::bin("kubeseal");
    let outcomes = run(&plane, &kubeseal, &toolchain::bin(peer::NAME), None);
    assert_eq!(outcomes.len(), 41);
    assert_as_expected(&outcomes, THEIRS);
}
