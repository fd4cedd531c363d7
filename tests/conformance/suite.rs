//! The peer's own integration suite, run with our programs in the place of the peer's.
//!
//! Invariant: every case passes, or is in the table with the reason; a case of the table that passes is a defect
//! of the table.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use seal_tests::control_plane::{ControlPlane, definitions, dying_with_us, succeed};
use seal_tests::peer::{self, Serving};
use seal_tests::toolchain;
use serde_json::Value;

/// The namespace in which the suite looks for the controller and its keys by default.
const NAMESPACE: &str = "kube-system";

/// A case that may fail, named by the end of its name.
#[derive(Clone, Copy)]
struct Exception {
    case: &'static str,
    why: &'static str,
    /// Whether the case passes now and then. Any other case in the table must fail.
    races: bool,
}

const fn races(case: &'static str, why: &'static str) -> Exception {
    Exception { case, why, races: true }
}

const fn fails(case: &'static str, why: &'static str) -> Exception {
    Exception { case, why, races: false }
}

const DELETED_TOO_EARLY: &str = "the Secret is deleted when the SealedSecret has just been created: whether the \
    controller has seen it by then is chance, and if it hasn't, there is nothing foreign and it creates its own";

/// Cases that race with any programs, the peer's own too.
const RACES: &[Exception] = &[
    races("With unowned secret without managed annotation should not recreate the secret", DELETED_TOO_EARLY),
    races("With unowned secret with patch annotation should not recreate the secret", DELETED_TOO_EARLY),
];

const VERSION: &str = "ours is another program with versions of its own, and nobody but this case asks";
const DIGEST: &str = "the case wants no annotation on the Secret but its own; ours writes the digest of what made \
    it, and all else that the case asks for before that holds";
const STATUS: &str = "the case waits for a status and then updates the object it has read: with our definition a \
    status is there from the start, so the controller may write to the object in between";

/// Cases that fail or race with our programs.
const OURS: &[Exception] = &[
    fails("controller --version should produce the version", VERSION),
    fails("should take ownership of the existing Secret overwriting the whole Secret", DIGEST),
    fails(
        "should take ownership of the existing Secret patching instead of overwriting the whole Secret",
        DIGEST,
    ),
    fails(
        "With patch annotation should not take ownership of existing Secret while patching the Secret",
        DIGEST,
    ),
    fails("and empty secret should not take ownership of existing Secret while patching the Secret", DIGEST),
    races("With existing object (update) should produce updated Secret", STATUS),
    races("Immutable Secret Error should record update failure as an event", STATUS),
];

/// The name of a case, and its failure if it didn't pass.
struct Outcome {
    case: String,
    failure: Option<String>,
}

/// Runs the suite with a kubeseal and a controller, which the suite asks only for its version, while a controller
/// serves.
fn run(plane: &ControlPlane, kubeseal: &Path, controller: &Path, focus: Option<&str>) -> Vec<Outcome> {
    let report = plane.dir().join("suite.json");
    let mut suite = dying_with_us(toolchain::bin("sealed-secrets-integration"));
    suite.arg("-kubeconfig").arg(plane.kubeconfig());
    suite.arg("-kubeseal-bin").arg(kubeseal).arg("-controller-bin").arg(controller);
    suite.arg("-ginkgo.json-report").arg(&report).args(focus.map(|focus| format!("-ginkgo.focus={focus}")));
    let output = suite.current_dir(plane.dir()).output().unwrap();
    let report = fs::read(&report).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stdout)));
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
            (None, Some(Exception { why, races: false, .. })) => {
                wrong.push(format!("{case}: it passes, but the table says that it doesn't: {why}"));
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

/// The name of the suite's part about the command line.
const COMMAND_LINE: &str = "kubeseal";
/// The cases that race because of our definition. Our controller passes them with the peer's definition.
const RACING: &str = "With existing object \\(update\\)|Immutable Secret Error";

#[test]
fn the_suite_passes_with_the_peers_own_programs_and_our_command_line_with_its_controller() {
    let native = definitions().into_iter().filter(|path| !path.ends_with("sealedsecrets.bitnami.com.yaml"));
    let plane = ControlPlane::start_apart(&native.chain([peer::definition()]).collect::<Vec<_>>()).unwrap();
    // The peer's own programs pass, which shows that the suite is run rightly.
    let theirs = Serving::theirs(&plane, NAMESPACE, &[]);
    let outcomes = run(&plane, &toolchain::bin("kubeseal"), &toolchain::bin(peer::NAME), None);
    assert_eq!(outcomes.len(), 41);
    assert_as_expected(&outcomes, RACES);
    let (kubeseal, controller) = ours(&plane);
    assert_as_expected(&run(&plane, &kubeseal, &controller, Some(COMMAND_LINE)), &[]);
    theirs.terminate();

    succeed(plane.kubectl(["create", "namespace", "seal-system"]).arg("--output=name"));
    for role in ["rbac.yaml", "users.yaml"] {
        let file = toolchain::repository().join("controller/deploy").join(role);
        succeed(plane.kubectl(["apply", "--server-side", "-f"]).arg(file));
    }
    let _ours = serve_ours(&plane);
    let outcomes = run(&plane, &kubeseal, &controller, Some(RACING));
    assert_eq!(outcomes.len(), 2);
    assert_as_expected(&outcomes, &[]);
}

#[test]
fn the_suite_passes_with_our_programs_and_the_peers_command_line_with_our_controller() {
    let plane = ControlPlane::start_apart(&definitions()).unwrap();
    plane.deploy();
    let _controller = serve_ours(&plane);
    let (kubeseal, controller) = ours(&plane);
    let outcomes = run(&plane, &kubeseal, &controller, None);
    assert_eq!(outcomes.len(), 41);
    assert_as_expected(&outcomes, &[RACES, OURS].concat());
    assert_as_expected(&run(&plane, &toolchain::bin("kubeseal"), &controller, Some(COMMAND_LINE)), &[]);
}

/// Starts our controller, in the place of the peer's.
fn serve_ours(plane: &ControlPlane) -> Serving {
    let kubeconfig = plane.service_account("seal-system", "seal-controller");
    let flags = ["--namespace=seal-system", "--bitnami-key-namespace=kube-system"];
    Serving::ours(plane, &kubeconfig, NAMESPACE, &flags)
}

/// Links to our programs under the names of the peer's.
fn ours(plane: &ControlPlane) -> (PathBuf, PathBuf) {
    let (kubeseal, controller) = (plane.dir().join("kubeseal"), plane.dir().join("controller"));
    symlink(env!("CARGO_BIN_EXE_test-seal"), &kubeseal).unwrap();
    symlink(env!("CARGO_BIN_EXE_test-seal-controller"), &controller).unwrap();
    (kubeseal, controller)
}
