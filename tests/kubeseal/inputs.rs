//! The inputs of the two programs: Secrets and SealedSecrets in every form that people write.
//!
//! Invariant: no value protects anything.

/// The inputs by name, so that a case is one line.
pub(super) const INPUTS: [(&str, &str); 21] = [
    ("nothing", ""),
    ("word", "secret\n"),
    ("value", "v\n"),
    ("plain.yaml", "apiVersion: v1\nkind: Secret\nmetadata: {name: db}\nstringData: {password: x}\n"),
    ("placed.yaml", "metadata: {name: db, namespace: prod}\ndata: {password: eA==, empty: \"\"}\n"),
    (
        "control.json",
        r#"{"metadata": {"name": "db", "namespace": "prod", "annotations": {"a": "\u007f"}}, "data": {"a": "eA=="}}"#,
    ),
    ("nameless.yaml", "apiVersion: v1\nkind: Secret\nstringData: {password: x}\n"),
    ("empty.yaml", "apiVersion: v1\nkind: Secret\nmetadata: {name: db, namespace: prod}\n"),
    (
        "wide.yaml",
        "apiVersion: v1\nkind: Secret\nmetadata: {name: db, namespace: prod, annotations: \
         {sealedsecrets.bitnami.com/namespace-wide: \"true\", a: b}}\ndata: {password: eA==}\n",
    ),
    (
        "anywhere.yaml",
        "apiVersion: v1\nkind: Secret\nmetadata: {name: db, annotations: \
         {sealedsecrets.bitnami.com/cluster-wide: \"true\"}}\ndata: {password: eA==}\nstringData: {password: z}\n",
    ),
    (
        "several.yaml",
        "# two of them\n---\napiVersion: v1\nkind: Secret\nmetadata: {name: one, namespace: a}\nstringData: {x: z}\n\
         ---\n---\napiVersion: v1\nkind: Secret\nmetadata: {name: two, namespace: b}\nimmutable: false\n\
         type: kubernetes.io/basic-auth\nstringData: {password: z, \"10\": a, \"9\": b}\n",
    ),
    (
        "one.json",
        r#"{"apiVersion":"v1","kind":"Secret","metadata":{"name":"db","namespace":"prod","creationTimestamp":null,
        "labels":{}},"data":{"password":"eA=="},"immutable":true,"type":""}"#,
    ),
    (
        "two.json",
        "{\"metadata\":{\"name\":\"one\",\"namespace\":\"a\"},\"stringData\":{\"x\":\"<y>\"}}\n\
         {\"metadata\":{\"name\":\"two\",\"namespace\":\"a\"},\"stringData\":{\"x\":\"y\"}}",
    ),
    (
        "live.yaml",
        r#"apiVersion: v1
kind: Secret
metadata:
  name: db
  namespace: prod
  uid: 4b0f
  resourceVersion: "7"
  generation: 3
  selfLink: /x
  creationTimestamp: "2020-01-01T00:00:00Z"
  deletionTimestamp: "2020-01-01T00:00:00Z"
  deletionGracePeriodSeconds: 0
  ownerReferences: [{apiVersion: v1, kind: Pod, name: p, uid: u}]
  finalizers: [a/b, c/d]
  generateName: db-
  annotations: {kubectl.kubernetes.io/last-applied-configuration: "{}", sealedsecrets.bitnami.com/managed: "true"}
  labels: {app: db}
type: Opaque
data: {password: eA==}
"#,
    ),
    (
        "owned.yaml",
        "apiVersion: v1\nkind: Secret\nmetadata: {name: db, namespace: prod, annotations: \
         {sealedsecrets.bitnami.com/skip-set-owner-references: \"true\"}}\nstringData: {password: x}\n",
    ),
    ("upper-case.yaml", "metadata: {name: testSecret, namespace: prod}\nstringData: {password: x}\n"),
    ("odd.yaml", "metadata: {name: \"a/b\\e[2J\", namespace: Team_A}\nstringData: {password: x}\n"),
    ("spaced.yaml", "metadata: {name: db, namespace: prod}\nstringData: {\"pass word\": x}\n"),
    ("twice.yaml", "metadata: {name: db, namespace: prod}\ndata: {password: eA==, password: eQ==}\n"),
    ("boolean.yaml", "metadata: {name: db, namespace: prod}\nstringData: {on: x}\n"),
    (
        "map.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: db, namespace: prod}\ndata: {password: eA==}\n",
    ),
];

/// Annotations of all kinds of text: the styles of YAML and JSON differ most there.
pub(super) const TEXTS: &[&str] = &[
    "",
    " ",
    "2001-01-01T00:00:00,5Z",
    "2001-01-01 00:00:00,5",
    "2001-01-01T00:00:00+99:99",
    "2001-01-01T00:00:00+25:00",
    "2001-01-01T00:00:00+24:60",
    "2001-01-01   00:00:00",
    ".5_0",
    "0b-11",
    "1:30._",
    "+-5",
    "x ",
    " x",
    "a: b",
    "a:b",
    ":x",
    "x:",
    "a #b",
    "a#b",
    "#a",
    "- x",
    "-",
    "-x",
    "---",
    "---x",
    "...",
    "?",
    "? x",
    "?x",
    "@x",
    "`x",
    "%x",
    "x%",
    "a,b",
    "[a",
    "a]",
    "{a}",
    "*a",
    "&a",
    "!a",
    "|",
    ">",
    "=",
    "<<",
    "'a'",
    "it's",
    "\"q\"",
    "\\",
    "null",
    "~",
    "~x",
    "Null",
    "y",
    "yEs",
    "Yes",
    "on",
    "OFF",
    "true",
    "1",
    "-1",
    "+1",
    "01",
    "08",
    "0x",
    "0x1f",
    "0o17",
    "0b11",
    "0b12",
    "1_000",
    "1_000.5",
    "_1",
    "1.",
    ".5",
    "._5",
    ".",
    ".e",
    "1e3",
    "1e",
    "1e400",
    "12e03",
    "0.1.2",
    ".inf",
    "+.inf",
    "-.INF",
    ".nan",
    "0xffffffffffffffff",
    "0xffffffffffffffffff",
    "18446744073709551616",
    "-9223372036854775809",
    "1:30",
    "1:60",
    "1:2:3.5",
    "+1_0:5",
    "2001-01-01",
    "2001-1-1",
    "2001-13-01",
    "2001-02-30",
    "2001-1-1 1:1:1",
    "2001-01-01T01:01:01Z",
    "2001-01-01T01:01:01.5+01:00",
    "2001-01-01T01:01:01",
    "<a href='x'>&amp;</a>",
    "tab\tx",
    "a\nb",
    "a\nb\n",
    "a\nb\n\n",
    "\n",
    "\n\n",
    "\na",
    " a\nb",
    "a \nb",
    "a\n b",
    "a\nb ",
    "a\n\n\nb",
    "a\tb\nc",
    "a\r\nb",
    "\r",
    "x\u{2028}",
    "\u{2029}\n",
    "é€中",
    "😀",
    "\u{feff}x",
    "\u{a0}",
    "\u{1}\u{8}\u{b}\u{c}\u{1b}",
    "-----BEGIN X-----\nabc\n-----END X-----\n",
    "lorem ipsum dolor sit amet consectetur adipiscing elit sed do eiusmod tempor incididunt ut labore et dolore",
    "lorem ipsum: dolor sit amet consectetur adipiscing elit sed do eiusmod tempor incididunt ut labore et dolore",
    "lorem ipsum dolor sit amet consectetur\tadipiscing elit sed do eiusmod tempor  incididunt ut  labore et dolore",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa  bbb ccc   ddd e ",
    "'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa  b'b cc'c   d'd e",
];
