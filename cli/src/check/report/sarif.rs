//! The report as SARIF 2.1.0, for code scanning.
//!
//! Invariants: one run; URIs are relative to the root, with `/`, and percent-encoded; a result has no snippet; its
//! fingerprint is the line that a baseline would have for it, so that a tool recognises it when lines move.

use serde_json::{Value, json};

use super::Report;
use super::text::message;
use crate::check::baseline;
use crate::check::finding::Finding;
use crate::check::lint::{Lint, Severity};

/// The report, with a line feed at its end.
pub(crate) fn text(report: &Report) -> String {
    let rules: Vec<Value> = Lint::all().map(rule).collect();
    let results: Vec<Value> = report.findings.iter().map(result).collect();
    let gaps: Vec<Value> = report
        .not_looked_at
        .iter()
        .map(|gap| json!({"level": "note", "message": {"text": gap.line()}}))
        .collect();
    let document = json!({
        "$schema": "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {"name": "seal", "version": env!("CARGO_PKG_VERSION"), "rules": rules}},
            "columnKind": "unicodeCodePoints",
            "invocations": [{"executionSuccessful": true, "toolExecutionNotifications": gaps}],
            "results": results,
        }],
    });
    serde_json::to_string_pretty(&document).expect("texts and numbers are JSON") + "\n"
}

fn level(severity: Severity) -> &'static str {
    severity.as_str()
}

fn rule(lint: Lint) -> Value {
    let row = lint.row();
    json!({
        "id": row.name,
        "shortDescription": {"text": row.finds},
        "fullDescription": {"text": row.why},
        "help": {"text": row.fix},
        "defaultConfiguration": {"level": level(row.severity)},
    })
}

fn result(finding: &Finding) -> Value {
    // Viewers want a region; a finding about a whole file is shown at its first line.
    let (line, column) = finding.position.map_or((1, 1), |at| (at.line, at.column));
    let mut said = message(finding);
    if let Some(hint) = &finding.hint {
        said += &format!("; {hint}");
    }
    json!({
        "ruleId": finding.lint.name(),
        "ruleIndex": finding.lint as usize,
        "level": level(finding.severity),
        "message": {"text": plain(&seal_foreign::line(&said, usize::MAX))},
        "locations": [{
            "physicalLocation": {
                "artifactLocation": {"uri": uri(&finding.path), "uriBaseId": "%SRCROOT%"},
                "region": {"startLine": line, "startColumn": column},
            },
        }],
        "partialFingerprints": {"seal/v1": baseline::line(&finding.key())},
    })
}

/// A message without links: SARIF 2.1.0 (3.11.6) reads `[text](target)` as one, and the name of an object may say that.
fn plain(message: &str) -> String {
    message.replace('\\', "\\\\").replace('[', "\\[").replace(']', "\\]")
}

/// A path as a relative reference of RFC 3986. A colon is encoded too: in the first segment it would end a scheme.
fn uri(path: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/!$&'()*+,;=@".contains(&byte);
    let encode =
        |byte: u8| if is_plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    let uri: String = path.bytes().map(encode).collect();
    // Two slashes at the beginning would name a host.
    if uri.starts_with('/') { format!(".{uri}") } else { uri }
}

#[cfg(test)]
mod tests {
    use super::super::tests::hostile;
    use super::*;

    /// The properties that the schema of SARIF 2.1.0 requires, and those that code scanning does.
    #[test]
    fn the_log_has_what_the_schema_requires_and_no_excerpt() {
        let text = text(&hostile());
        assert!(!text.contains("snippet") && !text.contains('\u{1b}'));
        let log: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(log["version"], "2.1.0");
        let runs = log["runs"].as_array().unwrap();
        assert_eq!(runs.len(), 1);
        let driver = &runs[0]["tool"]["driver"];
        assert_eq!(driver["name"], "seal");
        let rules = driver["rules"].as_array().unwrap();
        for rule in rules {
            assert!(rule["id"].is_string() && rule["shortDescription"]["text"].is_string(), "{rule}");
            assert!(
                rule["help"]["text"].is_string() && rule["fullDescription"]["text"].is_string(),
                "{rule}"
            );
        }
        let levels = ["error", "warning", "note", "none"];
        let results = runs[0]["results"].as_array().unwrap();
        assert_eq!(results.len(), 4);
        for result in results {
            let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
            assert_eq!(rules[index]["id"], result["ruleId"]);
            assert!(levels.contains(&result["level"].as_str().unwrap()));
            assert!(result["message"]["text"].is_string());
            let place = &result["locations"][0]["physicalLocation"];
            assert_eq!(place["artifactLocation"]["uriBaseId"], "%SRCROOT%");
            assert!(place["region"]["startLine"].as_u64().unwrap() >= 1);
            assert!(result["partialFingerprints"]["seal/v1"].is_string());
        }
        assert!(runs[0]["invocations"][0]["executionSuccessful"].is_boolean());
        let second = &results[1];
        assert_eq!(
            second["locations"][0]["physicalLocation"]["artifactLocation"]["uri"],
            "a,b%3Ac%25%0A%3A%3Aerror%3A%3Ax%1B%5B2J%20%C3%A9.yaml"
        );
        assert_eq!(
            second["partialFingerprints"]["seal/v1"],
            "copied\ta,b:c%\\n::error::x\u{1b}[2J é.yaml\tdev/db\tx"
        );
    }

    #[test]
    fn a_path_is_a_relative_reference() {
        assert_eq!(uri("a b/ü.yaml"), "a%20b/%C3%BC.yaml");
        assert_eq!(uri("//host/x"), ".//host/x");
        assert_eq!(uri("a:b?c#d"), "a%3Ab%3Fc%23d");
    }
}
