//! The peer's own integration suite, against programs in the place of its own.
//!
//! Invariant: every case passes, or is in the table with the reason; a case of the table that passes is a defect
//! of the table.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use seal_tests::control_plane::{ControlPlane, definitions, dying_with_us};
use seal_tests::peer::{self, Serving};
use seal_tests::toolchain;
use serde_json::Value;

/// Where the suite looks for the controller and its keys, unless it is told otherwise.
const NAMESPACE: &str = "kube-system";

/// A case that may fail, by the end of its name.
#[derive(Clone, Copy)]
struct Exception {
    case: &'static str,
    why: &'static str,
    /// It passes now and then. Any other must fail, or it has no place in the table.
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

/// With whatever programs, the peer's own too.
const RACES: &[Exception] = &[
    races("With unowned secret without managed annotation should not recreate the secret", DELETED_TOO_EARLY),
    races("With unowned secret with patch annotation should not recreate the secret", DELETED_TOO_EARLY),
];

const VERSION: &str = "ours is another program with versions of its own, and nobody but this case asks";
const DIGEST: &str = "the case wants no annotation on the Secret but its own; ours writes the digest of what made \
    it, and all else that the case asks for before that holds";
const STATUS: &str = "the case waits for a status and then updates the object it has read: with our definition a \
    status is there from the start, so the controller may write to the object in between";
const UPPER_CASE: &str = "the case's Secret is called testSecret: no cluster takes that, ours says so instead of \
    sealing it, and under another name the case passes (see NAME)";

/// With ours.
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
    fails("--recovery-unseal without --recovery-private-key should return an error", UPPER_CASE),
    fails("with valid --recovery-private-key should successfully unseal the secret", UPPER_CASE),
    fails("valid sealed secret should see the sealed secret as valid", UPPER_CASE),
    fails("invalid sealed secret should see the sealed secret as invalid", UPPER_CASE),
    fails("Without args should have the right objectmeta", UPPER_CASE),
    fails("Without args should contain the right value", UPPER_CASE),
    fails("No input namespace should use namespace from kubeconfig", UPPER_CASE),
    fails("No input namespace should qualify the Secret", UPPER_CASE),
    fails("With --namespace should qualify the output SealedSecret", UPPER_CASE),
    fails("With --namespace should qualify the Secret", UPPER_CASE),
    fails("Offline, with --cert should output the right value", UPPER_CASE),
];

/// The name that the suite gives the Secrets it has kubeseal seal. No cluster takes it, so our programs don't
/// either, and say so.
const NAME: &str = "testSecret";
/// One that a cluster takes, of the same length.
const BETTER_NAME: &str = "testsecret";

/// The name of a case, and whether it passed; and if not, why.
struct Outcome {
    case: String,
    failure: Option<String>,
}

/// Runs the suite with a kubeseal and a controller (which it asks for its version only), while another serves.
fn run(plane: &ControlPlane, kubeseal: &Path, controller: &Path, focus: Option<&str>) -> Vec<Outcome> {
    run_suite(&toolchain::bin("sealed-secrets-integration"), plane, kubeseal, controller, focus)
}

/// A suite that is the peer's but for the [`NAME`].
fn renamed(plane: &ControlPlane) -> PathBuf {
    let mut program = fs::read(toolchain::bin("sealed-secrets-integration")).unwrap();
    let found = positions(&program, NAME.as_bytes());
    for at in found {
        program[at..at + NAME.len()].copy_from_slice(BETTER_NAME.as_bytes());
    }
    let path = plane.dir().join("renamed-suite");
    fs::write(&path, program).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

fn run_suite(
    suite: &Path,
    plane: &ControlPlane,
    kubeseal: &Path,
    controller: &Path,
    focus: Option<&str>,
) -> Vec<Outcome> {
    let report = plane.dir().join("suite.json");
    let mut suite = dying_with_us(suite);
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

/// What of the suite is about the command line.
const COMMAND_LINE: &str = "kubeseal";

#[test]
fn the_suite_passes_with_the_peers_own_programs_and_our_command_line_with_its_controller() {
    let plane = ControlPlane::start_apart(&[peer::definition()]).unwrap();
    // Its own programs pass, which shows that the suite is run rightly.
    let _controller = Serving::theirs(&plane, NAMESPACE, &[]);
    let kubeseal = toolchain::bin("kubeseal");
    let outcomes = run(&plane, &kubeseal, &toolchain::bin(peer::NAME), None);
    assert_eq!(outcomes.len(), 41);
    assert_as_expected(&outcomes, RACES);
    let (kubeseal, controller) = ours(&plane);
    let outcomes = run_suite(&renamed(&plane), &plane, &kubeseal, &controller, Some(COMMAND_LINE));
    assert_as_expected(&outcomes, &[]);
}

#[test]
fn the_suite_passes_with_our_programs_and_the_peers_command_line_with_our_controller() {
    let plane = ControlPlane::start_apart(&definitions()).unwrap();
    plane.deploy();
    let kubeconfig = plane.service_account("seal-system", "seal-controller");
    let flags = ["--namespace=seal-system", "--bitnami-key-namespace=kube-system"];
    let _controller = Serving::ours(&plane, &kubeconfig, NAMESPACE, &flags);
    let (kubeseal, controller) = ours(&plane);
    let outcomes = run(&plane, &kubeseal, &controller, None);
    assert_eq!(outcomes.len(), 41);
    assert_as_expected(&outcomes, &[RACES, OURS].concat());
    for kubeseal in [kubeseal, toolchain::bin("kubeseal")] {
        let outcomes = run_suite(&renamed(&plane), &plane, &kubeseal, &controller, Some(COMMAND_LINE));
        assert_as_expected(&outcomes, &[]);
    }
}

/// Our programs under the names of the peer's.
fn ours(plane: &ControlPlane) -> (PathBuf, PathBuf) {
    let (kubeseal, controller) = (plane.dir().join("kubeseal"), plane.dir().join("controller"));
    symlink(env!("CARGO_BIN_EXE_test-seal"), &kubeseal).unwrap();
    symlink(env!("CARGO_BIN_EXE_test-seal-controller"), &controller).unwrap();
    (kubeseal, controller)
}

fn positions(haystack: &[u8], needle: &[u8]) -> Vec<usize> {
    let windows = haystack.windows(needle.len()).enumerate();
    windows.filter(|(_, window)| *window == needle).map(|(at, _)| at).collect()
}
