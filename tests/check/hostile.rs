//! Names of files that drive terminals, add lines, or are commands: in every form of the report.

use serde_json::Value;

use super::{BROKEN, Repo};

const HOSTILE: &str = "::error::x\n##[error]\u{1b}[2J, %0A.yaml";

fn report(format: &str) -> String {
    let repo = Repo::new();
    repo.write(HOSTILE, BROKEN);
    repo.git(["add", "-A"]);
    let run = repo.check(["--staged", "--strict", "--format", format]);
    assert_eq!(run.code, 1, "{}", run.stderr);
    assert!(!run.stderr.contains('\u{1b}'));
    let text = String::from_utf8(run.stdout).unwrap();
    assert!(!text.contains('\u{1b}'), "{text:?}");
    text
}

#[test]
fn text_has_one_line_for_it() {
    let text = report("text");
    assert_eq!(text.lines().count(), 1);
    assert!(
        text.starts_with("./::error::x\\n##[error]\\u{1b}[2J, %0A.yaml:3:17 error unreadable: "),
        "{text}"
    );
}

#[test]
fn github_has_no_command_but_ours() {
    let text = report("github");
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 2, "{text}");
    let expected = "::error file=%3A%3Aerror%3A%3Ax%0A##%5Berror]\\u{1b}[2J%2C %250A.yaml,line=3,col=17,title=unreadable::";
    assert!(lines[0].starts_with(expected), "{text}");
    assert!(lines[1].starts_with("- ::error::x\\n##\\[error]"), "{text}");
}

#[test]
fn json_and_sarif_have_the_very_name() {
    let json: Value = serde_json::from_str(&report("json")).unwrap();
    assert_eq!(json["findings"][0]["path"], HOSTILE);
    let sarif: Value = serde_json::from_str(&report("sarif")).unwrap();
    let result = &sarif["runs"][0]["results"][0];
    let place = &result["locations"][0]["physicalLocation"];
    assert_eq!(
        place["artifactLocation"]["uri"],
        "%3A%3Aerror%3A%3Ax%0A%23%23%5Berror%5D%1B%5B2J,%20%250A.yaml"
    );
    assert_eq!(place["region"]["startLine"], 3);
    let fingerprint = "unreadable\t::error::x\\n##[error]\u{1b}[2J, %0A.yaml\t\t";
    assert_eq!(result["partialFingerprints"]["seal/v1"], fingerprint);
}
