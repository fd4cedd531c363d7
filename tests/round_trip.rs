//! `seal unseal` returns what `seal` sealed, and kubectl reads the manifests in between as `seal` wrote them.
//!
//! YAML readers disagree about some texts, so the real kubectl is asked how it reads our output, and how it would
//! have read our input. Invariant: random Secrets are the same in every run, so that a failure can be looked at.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use seal_random::Random;
use seal_tests::control_plane::ControlPlane;
use serde::Deserialize as _;
use serde_json::{Value, json};

use crate::sandbox::{Run, Sandbox, run};

/// Words that some YAML reader takes for something else than a string, or for part of the syntax.
const WORDS: &[&str] = &[
    "on",
    "off",
    "On",
    "yes",
    "no",
    "NO",
    "y",
    "n",
    "Y",
    "N",
    "true",
    "True",
    "FALSE",
    "null",
    "Null",
    "~",
    "1e3",
    "1E3",
    "1e+3",
    "0x1F",
    "0xg",
    "017",
    "018",
    "0o17",
    "0b11",
    "1_000",
    "_1",
    "1__0",
    "+1",
    "-1",
    "+",
    "-",
    ".",
    "..",
    ".5",
    "5.",
    "1.5",
    "1.5.2",
    ".inf",
    "-.INF",
    "+.inf",
    ".nan",
    ".NaN",
    "inf",
    "nan",
    "1:30",
    "190:20:30",
    "2026-11-21",
    "2026-11-21T12:00:00Z",
    "2026-11-21 12:00:00",
    "12:30:45",
    "<<",
    "=",
    "",
    " ",
    " x",
    "x ",
    "a: b",
    "a:b",
    ":a",
    "a:",
    "# a",
    "a #b",
    "a#b",
    "-a",
    "- a",
    "? a",
    "?a",
    "!a",
    "&a",
    "*a",
    "%a",
    "@a",
    "`a",
    "|",
    ">",
    "'",
    "\"",
    "a'b",
    "[a]",
    "{a}",
    "a,b",
    "[",
    "]",
    "{",
    "}",
    ",",
    "é",
    "日本",
    "\u{1f511}",
    "\u{85}",
    "\u{a0}",
    "\u{2028}",
    "\u{2029}",
    "\u{feff}",
    "a\u{feff}",
    "\u{7f}",
    "\u{1b}[0m",
    "\u{0}",
    "\t",
    "a\tb",
    "a\nb",
    "a\n",
    "\n",
    "\n\na",
    "a\r\nb",
    "a  \nb",
    " a\n b",
    "---",
    "...",
    "--- a",
    "a\n---\nb",
    "\\",
    "\\n",
    "$(a)",
    "0",
    "00",
    "1",
    "1234567890123456789012",
    "0.1e-7",
    "e3",
    "1e",
    "0x",
    "TRUE",
    "none",
    "None",
    "nil",
    "undefined",
    "\u{fffd}",
    "\u{200b}",
    "\u{202e}a",
    "a\u{2028}b",
    "x: |",
];

fn pick<'a>(random: &mut Random, from: &[&'a str]) -> &'a str {
    from[random.below(from.len())]
}

fn words(random: &mut Random) -> String {
    (0..=random.below(3)).map(|_| pick(random, WORDS)).collect()
}

fn bytes(random: &mut Random) -> Vec<u8> {
    let longest = [1, 8, 300, 5_000][random.below(4)];
    (0..random.below(longest)).map(|_| random.draw() as u8).collect()
}

/// The content of a Secret, whatever its layout.
#[derive(Debug, PartialEq)]
struct Said {
    name: String,
    namespace: String,
    scope: &'static str,
    immutable: Option<bool>,
    annotations: BTreeMap<String, String>,
    data: BTreeMap<String, Vec<u8>>,
}

impl Said {
    fn random(random: &mut Random) -> Self {
        let names = ["db", "null", "true", "1e3", "0x1f", "1.5", "on", "017", "2026-11-21", "y", "1e1.e2"];
        let items = ["on", "null", "1e3", "y", "1_000", "-", "=", "-x", "a.b", ".x", "2026-11-21", "0o7"];
        let items = items.iter().filter(|item| !item.contains('='));
        let items: Vec<_> = items.filter(|_| random.below(3) == 0).map(ToString::to_string).collect();
        let value = |random: &mut Random| {
            if random.below(2) == 0 { words(random).into_bytes() } else { bytes(random) }
        };
        let data = items.into_iter().chain(["x".to_owned()]).map(|item| (item, value(random))).collect();
        Self {
            name: pick(random, &names).to_owned(),
            namespace: pick(random, &["prod", "null", "1e3", "on", "007"]).to_owned(),
            scope: pick(random, &["strict", "namespace-wide", "cluster-wide"]),
            immutable: [None, Some(true), Some(false)][random.below(3)],
            annotations: (0..random.below(5)).map(|n| (format!("example.com/n{n}"), words(random))).collect(),
            data,
        }
    }

    fn to_json(&self) -> String {
        let data: BTreeMap<_, _> =
            self.data.iter().map(|(item, value)| (item, BASE64.encode(value))).collect();
        let mut secret = json!({
            "apiVersion": "v1", "kind": "Secret",
            "metadata": {"name": self.name, "namespace": self.namespace, "annotations": self.annotations},
            "data": data,
        });
        if let Some(immutable) = self.immutable {
            secret["immutable"] = json!(immutable);
        }
        // Characters are escaped, because JSON may hold some that the YAML parser doesn't take.
        let ascii = |c: char| match c {
            c if c.is_ascii() && c != '\u{7f}' => c.to_string(),
            c => c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect(),
        };
        secret.to_string().chars().map(ascii).collect()
    }

    fn to_yaml(&self) -> String {
        let map = |map: Vec<(&String, String)>| {
            map.iter().map(|(key, value)| format!("    {}: {value}\n", quoted(key))).collect::<String>()
        };
        let annotations = self.annotations.iter().map(|(key, value)| (key, quoted(value))).collect();
        let data = self.data.iter().map(|(item, value)| (item, quoted(&BASE64.encode(value)))).collect();
        let immutable = self.immutable.map(|it| format!("immutable: {it}\n")).unwrap_or_default();
        format!(
            "apiVersion: v1\nkind: Secret\n{immutable}metadata:\n  name: {}\n  namespace: {}\n  \
             annotations:\n{}data:\n{}",
            quoted(&self.name),
            quoted(&self.namespace),
            map(annotations),
            map(data)
        )
    }

    /// The content of a Secret in JSON.
    fn of(secret: &Value, scope: &'static str) -> Self {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let map = |value: &Value| value.as_object().cloned().unwrap_or_default();
        let annotations = map(&secret["metadata"]["annotations"]);
        Self {
            name: text(&secret["metadata"]["name"]),
            namespace: text(&secret["metadata"]["namespace"]),
            scope,
            immutable: secret["immutable"].as_bool(),
            annotations: annotations.into_iter().map(|(key, value)| (key, text(&value))).collect(),
            data: map(&secret["data"])
                .into_iter()
                .map(|(item, value)| (item, BASE64.decode(text(&value)).unwrap()))
                .collect(),
        }
    }
}

/// The manifests that the real kubectl reads in these files; it skips those that it can't read.
fn kubectl(sandbox: &Sandbox, files: &str) -> Vec<Value> {
    let args = ["create", "--dry-run=client", "--validate=false", "--output=json", "--filename", files];
    let mut kubectl = ControlPlane::shared().kubectl(args);
    let read = run(kubectl.current_dir(sandbox.dir()), b"");
    let documents = serde_json::Deserializer::from_slice(&read.stdout).into_iter::<Value>();
    let lists = documents.map(|document| document.expect("kubectl prints JSON"));
    lists.flat_map(|list| list["items"].as_array().cloned().unwrap_or_else(|| vec![list])).collect()
}

/// A string in the form that YAML of every version reads the same.
fn quoted(text: &str) -> String {
    let escape = |c: char| match c {
        ' ' | '!' | '#'..='[' | ']'..='~' => c.to_string(),
        c => format!("\\U{:08X}", u32::from(c)),
    };
    format!("\"{}\"", text.chars().map(escape).collect::<String>())
}

#[test]
fn random_secrets_come_back_and_kubectl_reads_them_as_written() {
    let sandbox = Sandbox::new();
    let mut random = Random(1);
    let (mut all, mut meant) = (Vec::new(), Vec::new());
    for n in 0..60 {
        let said = Said::random(&mut random);
        let text = if n % 2 == 0 { said.to_yaml() } else { said.to_json() };
        let sealed = sandbox.succeed(["-r", "prod.pub", "--scope", said.scope], &text);
        let opened = sandbox.succeed(["unseal", "-i", "prod.key"], &sealed);
        let opened: Value = serde_yaml::from_slice(&opened).unwrap();
        assert_eq!(Said::of(&opened, said.scope), said, "{text}");
        // The files are named by number, so kubectl reads them in order.
        sandbox.write(format!("sealed/{n:02}.yaml"), &sealed);
        all.push(sealed);
        meant.push(said);
    }
    let read = kubectl(&sandbox, "sealed");
    assert_eq!(read.len(), meant.len());
    for ((read, said), sealed) in read.iter().zip(&meant).zip(&all) {
        let ours: Value = serde_yaml::from_slice(sealed).unwrap();
        assert_eq!(read["spec"], ours["spec"]);
        let (metadata, template) = (&read["metadata"], &read["spec"]["template"]);
        assert_eq!((&metadata["name"], &metadata["namespace"]), (&json!(said.name), &json!(said.namespace)));
        let annotations = template["metadata"].get("annotations").cloned().unwrap_or_else(|| json!({}));
        assert_eq!(annotations, json!(said.annotations));
        let items: Vec<_> = read["spec"]["encryptedData"].as_object().unwrap().keys().cloned().collect();
        assert_eq!(items, said.data.keys().cloned().collect::<Vec<_>>());
        assert_eq!(template["immutable"].as_bool(), said.immutable);
        assert!(metadata.get("creationTimestamp").is_none() && read.get("status").is_none());
    }
}

/// However a value is written, it means the same to both, or `seal` refuses it. `seal` refuses a value that
/// kubectl doesn't read as a string, and the few that other libraries would read as another string.
#[test]
fn words_mean_to_seal_what_they_mean_to_kubectl() {
    let indented = |text: String| text.replace('\n', "\n    ");
    let forms: [fn(&str) -> String; 4] = [
        str::to_owned,
        |word| format!("'{}'", word.replace('\'', "''")),
        |word| json!(word).to_string(),
        |word| format!("|-\n{word}"),
    ];
    let sandbox = Sandbox::new();
    let texts: Vec<_> = WORDS.iter().flat_map(|word| forms.map(|write| indented(write(word)))).collect();
    for (n, text) in texts.iter().enumerate() {
        let head = "apiVersion: v1\nkind: Secret\nmetadata:";
        let manifest = format!("{head} {{name: w{n}, namespace: prod}}\nstringData:\n  value: {text}\n");
        sandbox.write(format!("words/{n}.yaml"), manifest);
    }
    let read = kubectl(&sandbox, "words");
    let theirs: BTreeMap<_, _> = read
        .iter()
        .map(|secret| (secret["metadata"]["name"].as_str().unwrap(), &secret["stringData"]["value"]))
        .collect();
    assert!(theirs.len() > texts.len() * 3 / 4, "kubectl reads only {} of {}", theirs.len(), texts.len());

    let mut differences = Vec::new();
    for (n, text) in texts.iter().enumerate() {
        let sealed = sandbox.run(["-r", "prod.pub", &format!("words/{n}.yaml")], "");
        let ours = (sealed.code == 0).then(|| opened(&sandbox, &sealed));
        let theirs = theirs.get(format!("w{n}").as_str()).and_then(|value| value.as_str());
        let is_disputed = text.contains(['\u{85}', '\u{2028}', '\u{2029}', '\u{feff}']) || text == "!a";
        // Only Go's reader takes a single tab in a block for indentation.
        let is_refused_by_go_alone = text == "|-\n    \t" && theirs.is_none();
        if ours.as_deref() != theirs && !(ours.is_none() && is_disputed) && !is_refused_by_go_alone {
            differences.push(format!("{text:?}: to seal {ours:?}, to kubectl {theirs:?} {}", sealed.stderr));
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

/// The value that was sealed.
#[track_caller]
fn opened(sandbox: &Sandbox, sealed: &Run) -> String {
    let args = ["unseal", "-i", "prod.key", "--item", "value"];
    String::from_utf8(sandbox.succeed(args, &sealed.stdout)).unwrap()
}

/// `seal unseal` writes a stream that both readers split in the same way.
#[test]
fn several_documents_in_both_forms_come_back_in_order() {
    let sandbox = Sandbox::new();
    let yaml = |n: usize| {
        let head = "apiVersion: v1\nkind: Secret\nmetadata:";
        format!("{head} {{name: s{n}, namespace: prod}}\nstringData: {{value: x}}\n")
    };
    let json = |n: usize| {
        let metadata = json!({"name": format!("s{n}"), "namespace": "prod"});
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"value": "x"}})
    };
    sandbox.write("a.yaml", format!("{}---\n{}", yaml(1), yaml(2)));
    sandbox.write("b.json", format!("{}{}", json(3), json(4)));
    sandbox.write("c.yaml", yaml(5));
    let sealed = sandbox.succeed(["-r", "prod.pub", "a.yaml", "b.json", "c.yaml"], "");
    let opened = sandbox.succeed(["unseal", "-i", "prod.key"], &sealed);
    sandbox.write("sealed.yaml", &sealed);
    sandbox.write("opened.yaml", &opened);
    let names = |objects: &[Value]| {
        let names = objects.iter().map(|object| object["metadata"]["name"].as_str().unwrap().to_owned());
        names.collect::<Vec<_>>()
    };
    let all = ["s1", "s2", "s3", "s4", "s5"];
    assert_eq!(names(&kubectl(&sandbox, "sealed.yaml")), all);
    assert_eq!(names(&kubectl(&sandbox, "opened.yaml")), all);
    let ours: Vec<Value> = serde_yaml::Deserializer::from_slice(&sealed)
        .map(|document| Value::deserialize(document).unwrap())
        .collect();
    assert_eq!(names(&ours), all);
}
