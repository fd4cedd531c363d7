//! Edits of every layout; each result has been read again by the code under test.

use zeroize::Zeroizing;

use super::*;
use crate::source::Source;

fn spec() -> Written {
    Written::Mapping(vec![
        ("scope".to_owned(), Written::text("strict")),
        ("envelopes".to_owned(), Written::Sequence(vec![Written::one("age", &Written::text("x"))])),
        (
            "items".to_owned(),
            Written::Mapping(vec![
                ("a".to_owned(), Written::text("nu")),
                ("b".to_owned(), Written::text("bb")),
            ]),
        ),
        ("template".to_owned(), Written::one("type", &Written::text("Opaque"))),
    ])
}

/// Gives the first object the spec above, and takes the annotations `x` and `y` from it.
fn edited(text: &str) -> Result<Edited, SpliceError> {
    let source = Source::new("f".to_owned(), Zeroizing::new(text.to_owned()));
    let manifest = Manifest::parse(&source).unwrap();
    let object = &manifest.objects[0];
    let tree = manifest.tree(object);
    let get = |keys: &[&str]| keys.iter().try_fold(object.node, |node, key| tree.get(node, key));
    let mut edits = Edits {
        document: object.document,
        replaced: vec![(get(&["spec"]).unwrap(), spec())],
        removed: Vec::new(),
    };
    if let Some(annotations) = get(&["metadata", "annotations"]) {
        let keys = tree.mapping(annotations).unwrap().iter().map(|(key, _)| *key);
        let keys = keys.filter(|key| matches!(tree.scalar(*key), Some("x" | "y"))).collect();
        edits.removed.push((annotations, keys));
    }
    edit(&manifest, &[edits]).map_err(|error| error.error)
}

fn text(text: &str) -> String {
    edited(text).unwrap().text
}

const HEAD: &str = "apiVersion: a/v1\nkind: K\n";

#[test]
fn what_is_equal_stays_as_it_is_written_and_comments_with_it() {
    let old = "metadata: # m\n  annotations:\n    # about x\n    x: y # gone\n    keep: \"me\"   # k\n    y: |\n      z\n\n    \
               # tail\nspec: # s\n  # about the items\n  items: # i\n    # about a\n    a: >- # h\n      long\n    # about b\n    \
               'b': old # b\n    c: d\n  template:\n      type:   'Opaque' # t\n      metadata:\n        name: n # n\n      \
               # end\n";
    let new = "metadata: # m\n  annotations:\n    # about x\n    keep: \"me\"   # k\n\n    \
               # tail\nspec: # s\n  scope: strict\n  envelopes:\n    - age: x\n  # about the items\n  items: # i\n    \
               # about a\n    a: nu\n    # about b\n    'b': bb # b\n  template:\n      type:   'Opaque' # t\n      # end\n";
    for line_break in ["\n", "\r\n"] {
        let result = edited(&format!("{HEAD}{old}").replace('\n', line_break)).unwrap();
        assert_eq!(result.text, format!("{HEAD}{new}").replace('\n', line_break));
        assert_eq!(result.lost_comments.len(), 3);
    }
}

#[test]
fn new_lines_end_as_the_line_does_that_they_come_to() {
    let old = format!("{HEAD}spec:\n  template:\n    type: Opaque\n  data: xyz\n");
    let new = format!(
        "{HEAD}spec:\n  scope: strict\n  envelopes:\n    - age: x\n  items:\n    a: nu\n    b: bb\n  template:\n    \
         type: Opaque\n"
    );
    for (above, line_break) in [("# yq left this\r\n\r\n", "\n"), ("# x\n", "\r\n")] {
        let file = |text: &str| format!("{above}{}", text.replace('\n', line_break));
        assert_eq!(text(&file(&old)), file(&new));
    }
}

#[test]
fn what_is_new_stands_where_it_belongs() {
    let old = "spec:\n  template:\n    type: Opaque\n  data: xyz\n";
    let new = "spec:\n  scope: strict\n  envelopes:\n    - age: x\n  items:\n    a: nu\n    b: bb\n  template:\n    \
               type: Opaque\n";
    assert_eq!(text(&format!("{HEAD}{old}")), format!("{HEAD}{new}"));
    let old = "spec:\n  items: {a: x}\n# end";
    let new = "spec:\n  scope: strict\n  envelopes:\n    - age: x\n  items: {a: nu,\"b\":\"bb\"}\n  template:\n    \
               type: Opaque\n# end";
    assert_eq!(text(&format!("{HEAD}{old}")), format!("{HEAD}{new}"));
    let all = format!("{HEAD}spec:\n  data: x\n");
    assert!(text(&all).ends_with("spec:\n  scope: strict\n  envelopes:\n    - age: x\n  items:\n    a: nu\n    b: bb\n  template:\n    type: Opaque\n"));
}

#[test]
fn json_keeps_its_layout() {
    let old = "{\n  \"apiVersion\": \"a/v1\",\n  \"kind\": \"K\",\n  \"metadata\": {\n    \"annotations\": {\n      \
               \"x\": \"1\",\n      \"k\": \"2\",\n      \"y\": \"3\"\n    }\n  },\n  \"spec\": {\n    \"items\": {\n      \"a\": \"0\"\n    },\n    \
               \"n\": {},\n    \"m\": 1\n  }\n}\n";
    let new = "{\n  \"apiVersion\": \"a/v1\",\n  \"kind\": \"K\",\n  \"metadata\": {\n    \"annotations\": {\n      \
               \"k\": \"2\"\n    }\n  },\n  \"spec\": {\n    \"scope\": \"strict\",\n    \"envelopes\": [\n      {\n        \
               \"age\": \"x\"\n      }\n    ],\n    \"items\": {\n      \"a\": \"nu\",\n      \"b\": \"bb\"\n    },\n    \
               \"template\": {\n      \"type\": \"Opaque\"\n    }\n  }\n}\n";
    assert_eq!(text(old), new);
    let old = r#"{"apiVersion":"a/v1","kind":"K","spec":{"items":{"a":"0"},"z":0}}"#;
    let new = r#"{"apiVersion":"a/v1","kind":"K","spec":{"scope":"strict","envelopes":[{"age":"x"}],"items":{"a":"nu","b":"bb"},"template":{"type":"Opaque"}}}"#;
    assert_eq!(text(old), new);
}

#[test]
fn an_item_of_a_list_is_edited_where_it_stands() {
    let old = "apiVersion: v1\nkind: List\nitems:\n- apiVersion: a/v1 # one\n  kind: K\n  spec:\n    items:\n      a: z # a\n      \
               b: bb\n- {apiVersion: v1, kind: X} # two\n";
    let new = "apiVersion: v1\nkind: List\nitems:\n- apiVersion: a/v1 # one\n  kind: K\n  spec:\n    scope: strict\n    \
               envelopes:\n      - age: x\n    items:\n      a: nu # a\n      b: bb\n    template:\n      type: Opaque\n\
               - {apiVersion: v1, kind: X} # two\n";
    assert_eq!(text(old), new);
}

#[test]
fn a_sequence_is_replaced_from_its_first_dash_wherever_that_stands() {
    for indent in ["  ", "    "] {
        let old = format!(
            "spec:\n  envelopes: # e\n  # about them\n{indent}- age: old\n{indent}  keys: [a]\n{indent}- age: older\n  items:\n    a: nu\n    b: bb\n"
        );
        let new = format!(
            "spec:\n  scope: strict\n  envelopes: # e\n  # about them\n{indent}- age: x\n  items:\n    a: nu\n    b: bb\n  template:\n    type: Opaque\n"
        );
        for line_break in ["\n", "\r\n"] {
            let old = format!("{HEAD}{old}").replace('\n', line_break);
            assert_eq!(text(&old), format!("{HEAD}{new}").replace('\n', line_break));
        }
    }
}

#[test]
fn an_anchor_that_is_used_elsewhere_is_refused() {
    let list = "apiVersion: v1\nkind: List\nitems:\n- apiVersion: a/v1\n  kind: K\n  spec: {items: {a: &a z}}\n\
                - {apiVersion: v1, kind: X, data: {a: *a}}\n";
    assert_eq!(edited(list).unwrap_err(), SpliceError::NotLocal);
    let alias = "apiVersion: v1\nkind: List\nitems:\n- apiVersion: a/v1\n  kind: K\n  metadata: {annotations: &x {x: y, k: z}}\n  \
                 spec: {}\n- {apiVersion: v1, kind: X, metadata: {annotations: *x}}\n";
    assert!(edited(alias).is_err());
}

#[test]
fn values_without_text_and_entries_on_one_line_are_taken_out_whole() {
    let old = "metadata:\n  annotations:\n    x:\n    k: v\n    y: # gone\nspec:\n  creationTimestamp: null\n  items:\n";
    let result = text(&format!("{HEAD}{old}"));
    assert!(
        result.starts_with(&format!("{HEAD}metadata:\n  annotations:\n    k: v\nspec:\n  scope: strict\n")),
        "{result}"
    );
    let flow = "metadata: {annotations: {x: 1, k: v, y: 2,}}\nspec: {items: {}, more: [1, 2]}\n";
    let result = text(&format!("{HEAD}{flow}"));
    assert!(result.contains("annotations: {k: v,}"), "{result}");
}

#[test]
fn text_in_a_block_stays_in_one_where_it_can() {
    let edit_a = |old: &str, new: &str| {
        let source =
            Source::new("f".to_owned(), Zeroizing::new(format!("{HEAD}data:\n  a: {old}\n  b: z # b\n")));
        let manifest = Manifest::parse(&source).unwrap();
        let tree = manifest.tree(&manifest.objects[0]);
        let node = tree.get(manifest.objects[0].node, "data").unwrap();
        let data = vec![("a".to_owned(), Written::text(new)), ("b".to_owned(), Written::text("z"))];
        let edits =
            Edits { document: 0, replaced: vec![(node, Written::Mapping(data))], removed: Vec::new() };
        let text = edit(&manifest, &[edits]).unwrap().text;
        text.strip_prefix(&format!("{HEAD}data:\n  a: "))
            .unwrap()
            .strip_suffix("\n  b: z # b\n")
            .unwrap()
            .to_owned()
    };
    assert_eq!(edit_a("| # h\n      x\n\n      y", "new\n\n  more\n"), "| # h\n      new\n\n        more");
    assert_eq!(edit_a("|-\n      x", "# new"), "|-\n      # new");
    for (old, new) in [
        ("|-\n      x", "new\n"),
        ("|\n      x", "new"),
        ("|\n      x", " new\n"),
        ("|+\n      x", "new\n"),
        (">\n      x", "new\n"),
        ("|\n      x", "a\u{7}\n"),
        ("|\n      x", "a\n\n"),
    ] {
        assert_eq!(edit_a(old, new), *Written::text(new).to_yaml(0).trim_end(), "{old:?} {new:?}");
    }
}

/// Gives the sequence `spec.envelopes` these envelopes: the keys, the recipients and the age file of each.
fn with_envelopes(text: &str, envelopes: &[(&str, &[&str], &str)]) -> Result<Edited, SpliceError> {
    let source = Source::new("f".to_owned(), Zeroizing::new(format!("{HEAD}spec:\n{text}")));
    let manifest = Manifest::parse(&source).unwrap();
    let tree = manifest.tree(&manifest.objects[0]);
    let spec = tree.get(manifest.objects[0].node, "spec").unwrap();
    let sequence =
        |values: &[&str]| Written::Sequence(values.iter().map(|value| Written::text(*value)).collect());
    let envelope = |(key, recipients, age): &(&str, &[&str], &str)| {
        Written::Mapping(vec![
            ("keys".to_owned(), sequence(&[key])),
            ("recipients".to_owned(), sequence(recipients)),
            ("age".to_owned(), Written::text(*age)),
        ])
    };
    let value = Written::Sequence(envelopes.iter().map(envelope).collect());
    let replaced = vec![(tree.get(spec, "envelopes").unwrap(), value)];
    let edited = edit(&manifest, &[Edits { document: 0, replaced, removed: Vec::new() }]);
    edited.map_err(|error| error.error)
}

#[track_caller]
fn envelopes(text: &str, envelopes: &[(&str, &[&str], &str)]) -> (String, usize) {
    let edited = with_envelopes(text, envelopes).unwrap();
    let text = edited.text.strip_prefix(&format!("{HEAD}spec:\n")).unwrap().to_owned();
    (text, edited.lost_comments.len())
}

const TWO: &str = "  envelopes: # e\n  # about a\n  - keys: ['a'] # k\n    recipients:   [x] # r\n    age: \"one\" # a\n\n  \
                   # about b\n  - {keys: [b], recipients: [w], age: two} # b\n  other: c\n";

#[test]
fn an_item_that_comes_or_goes_leaves_the_others_as_they_are_written() {
    let (text, lost) = envelopes(TWO, &[("a", &["x"], "one"), ("b", &["w"], "two"), ("c", &["x"], "three")]);
    let new = "  - keys:\n      - c\n    recipients:\n      - x\n    age: three\n";
    assert_eq!((text, lost), (TWO.replace("  other", &format!("{new}  other")), 0));
    let (text, lost) = envelopes(TWO, &[("a", &["x"], "one")]);
    assert_eq!((text, lost), (TWO.replace("  - {keys: [b], recipients: [w], age: two} # b\n", ""), 1));
    let (text, lost) = envelopes(TWO, &[("b", &["w"], "two"), ("c", &["z"], "three")]);
    let gone = "  - keys: ['a'] # k\n    recipients:   [x] # r\n    age: \"one\" # a\n";
    let new = new.replace("x\n", "z\n");
    assert_eq!((text, lost), (TWO.replace(gone, "").replace("  other", &format!("{new}  other")), 3));
}

#[test]
fn an_item_in_the_place_of_one_like_it_takes_over_its_layout() {
    let (text, lost) = envelopes(TWO, &[("new", &["x"], "new"), ("b", &["w"], "two")]);
    assert_eq!((text, lost), (TWO.replace("'a'", "'new'").replace("\"one\"", "\"new\""), 0));
    // Nothing is shared, so no comment about the one stays at the other.
    let (text, lost) = envelopes(
        "  envelopes:\n  - age: x # a\n    keys: [k]\n    recipients: [x]\n",
        &[("a", &["w"], "z")],
    );
    assert_eq!(
        (&*text, lost),
        ("  envelopes:\n  - keys:\n      - a\n    recipients:\n      - w\n    age: z\n", 1)
    );
}

#[test]
fn the_first_entry_of_an_item_comes_and_goes_on_the_line_of_its_dash() {
    let (text, lost) =
        envelopes("  envelopes:\n  - recipients: [x] # r\n    age: w\n", &[("k", &["x"], "w")]);
    assert_eq!(
        (&*text, lost),
        ("  envelopes:\n  - keys:\n      - k\n    recipients: [x] # r\n    age: w\n", 0)
    );
    let old = "  envelopes:\n  - more: 1\n    and: 2\n    keys: [k]\n    recipients: [x]\n    age: w\n";
    let (text, _) = envelopes(old, &[("k", &["x"], "w")]);
    assert_eq!(text, "  envelopes:\n  - keys: [k]\n    recipients: [x]\n    age: w\n");
}

#[test]
fn items_of_a_flow_sequence_come_and_go_with_their_commas() {
    let old =
        "  envelopes: [{keys: [a], recipients: [x], age: one}, {keys: [b], recipients: [w], age: two}]\n";
    let (text, _) = envelopes(old, &[("b", &["w"], "two")]);
    assert_eq!(text, "  envelopes: [{keys: [b], recipients: [w], age: two}]\n");
    let (text, _) = envelopes(old, &[("a", &["x"], "one")]);
    assert_eq!(text, "  envelopes: [{keys: [a], recipients: [x], age: one}]\n");
    let (text, _) = envelopes(old, &[("a", &["x"], "one"), ("b", &["w"], "two"), ("c", &["z"], "t")]);
    assert_eq!(text, old.replace("}]", "}, {\"keys\":[\"c\"],\"recipients\":[\"z\"],\"age\":\"t\"}]"));
}

#[test]
fn a_scalar_keeps_its_quotes_where_they_can_hold_the_new_text() {
    let edit_a = |old: &str, new: &str| {
        let source = Source::new("f".to_owned(), Zeroizing::new(format!("{HEAD}a: {old} # c\n")));
        let manifest = Manifest::parse(&source).unwrap();
        let tree = manifest.tree(&manifest.objects[0]);
        let replaced = vec![(tree.get(manifest.objects[0].node, "a").unwrap(), Written::text(new))];
        let text = edit(&manifest, &[Edits { document: 0, replaced, removed: Vec::new() }]).unwrap().text;
        text.strip_prefix(&format!("{HEAD}a: ")).unwrap().strip_suffix(" # c\n").unwrap().to_owned()
    };
    for (old, new, written) in [
        ("'x'", "it's new", "'it''s new'"),
        ("'x'", "a\nb", "\"a\\nb\""),
        ("\"x\"", "new", "\"new\""),
        ("x", "new", "new"),
        ("x", "on", "\"on\""),
        ("!!str 1", "2", "!!str \"2\""),
        ("&a x", "new", "&a new"),
    ] {
        assert_eq!(edit_a(old, new), written, "{old}");
    }
}

#[test]
fn comments_between_entries_in_braces_stay_when_a_neighbour_goes() {
    let entry = |name: &str| format!("    {name}: \"x\",");
    let cases = [
        // The items `a` and `b` stay, and get the values `nu` and `bb`.
        (
            format!("{} # about c\n    # about a\n{} # a\n", entry("c"), entry("a")),
            "    # about a\n    a: \"nu\", # a\n".to_owned(),
        ),
        (
            format!("{} # a\n    # below\n{} # c\n", entry("a"), entry("c")),
            "    a: \"nu\", # a\n    # below\n".to_owned(),
        ),
        (
            "    a: \"x\", # a\n    # below\n    c: \"x\"\n".to_owned(),
            "    a: \"nu\" # a\n    # below\n".to_owned(),
        ),
    ];
    let head = format!("{HEAD}spec: {{\n  scope: \"strict\",\n  envelopes: [{{age: x}}],\n");
    let tail = "  template: {type: Opaque},\n}\n";
    for line_break in ["\n", "\r\n"] {
        for (old, new) in &cases {
            let old =
                format!("{head}  items: {{\n    b: \"bb\",\n{old}  }},\n{tail}").replace('\n', line_break);
            let new =
                format!("{head}  items: {{\n    b: \"bb\",\n{new}  }},\n{tail}").replace('\n', line_break);
            assert_eq!(text(&old), new);
        }
    }
}

#[test]
fn a_new_entry_in_braces_comes_between_the_comments_of_its_neighbours() {
    let head = format!("{HEAD}spec: {{\n  scope: \"strict\",\n  envelopes: [{{age: x}}],\n  items: {{\n");
    let tail = "  },\n  template: {type: Opaque},\n}\n";
    for (old, new) in [
        ("    a: \"nu\", # about a\n", "    a: \"nu\", # about a\n    \"b\": \"bb\",\n"),
        ("    a: \"nu\" # about a\n", "    a: \"nu\", # about a\n    \"b\": \"bb\"\n"),
        ("    a: \"nu\",\n", "    a: \"nu\",\n    \"b\": \"bb\",\n"),
        ("    # about b\n    b: \"bb\",\n", "    \"a\": \"nu\",\n    # about b\n    b: \"bb\",\n"),
    ] {
        assert_eq!(text(&format!("{head}{old}{tail}")), format!("{head}{new}{tail}"));
    }
}
