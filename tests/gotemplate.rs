//! Go templates: we render every text as the real engine does with the real functions.
//!
//! The cases are data, not code: `gotemplate/templates.txt` holds templates that people write, one after each
//! line of dashes, and each is rendered over several maps; [`combinations`] makes calls of every function. Not
//! here: rules that need no peer, such as the engine's bounds (the crate's own tests).
//!
//! Invariant: if the peer renders a template, we render the same bytes or refuse it for a listed reason. If the peer
//! doesn't render it, we don't either, except for calls that fail because of a value: they give the zero of their type.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use seal_go::template::{Branching, Budget, GoTemplate, GoTemplateError, Values};
use seal_tests::toolchain;
use serde_json::{Value, json};

mod combinations;

type Data = BTreeMap<&'static str, Vec<u8>>;

/// Usual values, values that nobody should have, and no values; the first two sets have values of the same lengths.
fn data() -> [Data; 3] {
    let typical: &[(&str, &[u8])] = &[
        ("user", b"admin"),
        ("password", b"p@ss'w\"o\\rd:<1>&/\n x"),
        ("number", b"5432"),
        ("digit", b"3"),
        ("empty", b""),
        ("csv", b"a,b,,b,c"),
        ("json", br#"{"a":1,"b":{"c":[1,"x"],"d":null},"list":[1.5,true,1e30,"<"],"text":"t"}"#),
        ("base64", b"aGVsbG8="),
        ("spaced", b" \t padded text \n"),
        ("lines", b"first: line\n  second\n\nfourth\n"),
        ("unicode", "h\u{e9}llo w\u{f6}rld \u{df}\u{1c6}\u{130} \u{1f600}\u{a0}\u{2028}\u{ad}".as_bytes()),
        ("bytes", b"\xff\xfea\xc3\x28b\xe2\x82"),
        ("hostile", b"<a href='x'>\"&=\\\x00\x01\x7f\n\r\t</a>\xe2\x80\xa8\xff"),
        ("format", b"%s|%d"),
        ("tls.crt", b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"),
        ("dash-ed", b"dashed"),
    ];
    let typical: Data = typical.iter().map(|(key, value)| (*key, value.to_vec())).collect();
    let other = typical.iter().map(|(key, value)| (*key, value.iter().rev().map(|b| b ^ 0x15).collect()));
    let other = other.collect();
    let nothing = typical.keys().map(|key| (*key, Vec::new())).collect();
    [typical, other, nothing]
}

/// The results of the real engine, one for each case.
fn peer(cases: &[(&str, &Data)]) -> Vec<Result<Vec<u8>, String>> {
    let mut child = Command::new(toolchain::bin("gotemplate"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut input = Vec::new();
    for (template, data) in cases {
        let data: BTreeMap<_, _> = data.iter().map(|(key, value)| (key, STANDARD.encode(value))).collect();
        serde_json::to_writer(&mut input, &json!({"template": template, "data": data})).unwrap();
        input.push(b'\n');
    }
    let writer = std::thread::spawn(move || stdin.write_all(&input).unwrap());
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(output.status.success());
    let lines = String::from_utf8(output.stdout).unwrap();
    let results: Vec<_> = lines
        .lines()
        .map(|line| {
            let result: Value = serde_json::from_str(line).unwrap();
            match result.get("error").and_then(Value::as_str) {
                Some(error) => Err(error.to_owned()),
                None => Ok(STANDARD.decode(result["output"].as_str().unwrap_or("")).unwrap()),
            }
        })
        .collect();
    assert_eq!(results.len(), cases.len());
    results
}

fn ours(template: &str, data: &Data, branching: Branching) -> Result<Vec<u8>, GoTemplateError> {
    let values = Values::new(&data.iter().map(|(key, value)| (*key, value.as_slice())).collect());
    let mut budget = Budget::of_object();
    let template = GoTemplate::parse(template, branching, &mut budget)?;
    template.render(&values, &mut budget).map(|rendered| rendered.value.bytes().to_vec())
}

/// The fault in our result of a case, if there is one.
fn problem(template: &str, data: &Data, peer: &Result<Vec<u8>, String>) -> Option<String> {
    use GoTemplateError as E;
    let shown = |output: &[u8]| String::from_utf8_lossy(output).into_owned();
    let allowed = ours(template, data, Branching::Allowed);
    match (peer, &allowed) {
        (Ok(peer), Ok(allowed)) if peer == allowed => {}
        (Ok(_), Err(E::UnsupportedFunction { .. })) | (Err(_), Err(_)) => {}
        (Ok(peer), Ok(allowed)) => {
            return Some(format!(
                "{template}\n  the peer gives: {:?}\n  we give:        {:?}",
                shown(peer),
                shown(allowed)
            ));
        }
        (Ok(peer), Err(error)) => {
            return Some(format!("{template}\n  the peer gives: {:?}\n  we refuse: {error}", shown(peer)));
        }
        (Err(peer), Ok(allowed)) => {
            return Some(format!("{template}\n  the peer refuses: {peer}\n  we give: {:?}", shown(allowed)));
        }
    }
    // Without branching the result is the same, or a refusal for a public reason, or a total result where the
    // peer fails.
    match (&allowed, &ours(template, data, Branching::Refused)) {
        (Ok(allowed), Ok(refused)) if allowed == refused => None,
        (_, Err(E::Branching { .. } | E::SizeFromValue { .. } | E::TooLarge { .. })) => None,
        (Err(allowed), Err(refused)) if allowed == refused => None,
        (Err(E::Failed { .. } | E::WrongType { .. }), Ok(_) | Err(_)) => None,
        (allowed, refused) => {
            let shown = |outcome: &Result<Vec<u8>, E>| match outcome {
                Ok(output) => format!("{:?}", shown(output)),
                Err(error) => error.to_string(),
            };
            Some(format!(
                "{template}\n  with branching:    {}\n  without branching: {}",
                shown(allowed),
                shown(refused)
            ))
        }
    }
}

fn check(templates: &[String]) {
    check_over(templates, &data());
    // Values of the same names and lengths but other contents have the same outcome.
    let [one, other, _] = data();
    for template in templates {
        let outcome = |data| ours(template, data, Branching::Refused).map(|_| ());
        assert_eq!(outcome(&one), outcome(&other), "the outcome tells something of a value: {template}");
    }
}

fn check_over(templates: &[String], data: &[Data]) {
    let cases: Vec<(&str, &Data)> = templates
        .iter()
        .flat_map(|template| data.iter().map(move |data| (template.as_str(), data)))
        .collect();
    let problems: Vec<String> = cases
        .iter()
        .zip(peer(&cases))
        .filter_map(|((template, data), peer)| problem(template, data, &peer))
        .collect();
    assert!(
        problems.is_empty(),
        "{} of {}:\n{}",
        problems.len(),
        cases.len(),
        problems[..problems.len().min(20)].join("\n")
    );
}

fn templates() -> Vec<String> {
    let file = concat!("---\n", include_str!("gotemplate/templates.txt"));
    let split = file.split("---").skip(1);
    split.map(|text| text.split_once('\n').unwrap().1.to_owned()).collect()
}

#[test]
fn what_people_write_renders_as_in_the_peer() {
    let templates = templates();
    assert!(templates.len() > 90, "{}", templates.len());
    check(&templates);
}

#[test]
fn every_function_of_the_peer_is_supported_or_named_with_the_reason() {
    let output = Command::new(toolchain::bin("gotemplate")).arg("functions").output().unwrap();
    let names = String::from_utf8(output.stdout).unwrap();
    assert!(names.lines().count() > 200);
    for name in names.lines() {
        let text = format!("{{{{ {name} }}}}");
        let parsed = GoTemplate::parse(&text, Branching::Refused, &mut Budget::of_object());
        let unknown = matches!(parsed, Err(GoTemplateError::UnknownFunction { .. }));
        assert!(!unknown, "{name}");
    }
}
