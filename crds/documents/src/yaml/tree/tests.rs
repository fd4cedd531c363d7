//! Spans, documents and aliases of a tree, and what a message may say.

use super::*;

fn ranges<'a>(text: &'a str, tree: &Tree<'_>) -> Vec<&'a str> {
    tree.nodes.iter().map(|node| &text[node.range.clone()]).collect()
}

#[test]
fn a_key_without_a_colon_is_told_from_one_with_a_null() {
    for (text, bare) in [
        ("{a:b, c: d, e, f: , g : }", &["a:b", "e"][..]),
        ("a:\nb: ~\n? c\n? d\n: 1\n", &["c"]),
        ("- [x: , y]\n- {\"q\", \"r\":}\n", &["\"q\""]),
    ] {
        let tree = &parse(text, 0).unwrap()[0];
        let mut found: Vec<_> = tree.bare_keys.iter().map(|id| &text[tree.range(*id)]).collect();
        found.sort_unstable_by_key(|key| text.find(*key));
        assert_eq!(found, bare, "{text}");
    }
    assert!(parse("{a: 1}, b", 7).is_err());
    let tree = &parse("{a}", 7).unwrap()[0];
    assert_eq!(tree.bare_keys.len(), 1, "offsets count from the base");
}

#[test]
fn a_block_collection_ends_with_its_last_leaf() {
    let text = "a:\n  b: 1\n  c: |\n    x\n\n# after\nd: 2\n";
    let trees = parse(text, 0).unwrap();
    let root = trees[0].root.unwrap();
    let a = trees[0].get(root, "a").unwrap();
    assert_eq!(&text[trees[0].range(a)], "b: 1\n  c: |\n    x");
    assert_eq!(&text[trees[0].range(root)], text.trim_end());
}

#[test]
fn bodies_leave_the_separators_out() {
    let text = "# head\n--- # one\na: 1\n# x\n---\nb: 2\n...\n# y\n---\n";
    let bodies: Vec<_> = parse(text, 0).unwrap().iter().map(|t| &text[t.body.clone()]).collect();
    assert_eq!(bodies, [" # one\na: 1\n# x\n", "\nb: 2\n", "\n"]);
    let text = "# head\na: 1\n---\nb: 2";
    let bodies: Vec<_> = parse(text, 0).unwrap().iter().map(|t| &text[t.body.clone()]).collect();
    assert_eq!(bodies, ["# head\na: 1\n", "\nb: 2"]);
    let text = "{a: 1} # one\n--- {b: 2} # two\n...\n# y\n";
    let bodies: Vec<_> = parse(text, 0).unwrap().iter().map(|t| &text[t.body.clone()]).collect();
    assert_eq!(bodies, ["{a: 1} # one\n", " {b: 2} # two\n"]);
}

#[test]
fn documents_without_content_have_no_root() {
    let trees = parse("---\n---\na:\n--- # c\n", 0).unwrap();
    let roots: Vec<_> = trees.iter().map(|t| t.root.is_some()).collect();
    assert_eq!(roots, [false, true, false]);
}

#[test]
fn an_alias_is_followed_but_never_copied() {
    let text = "a: &x [1, 2]\nb: *x\nc: &y {z: *x}\n";
    let trees = parse(text, 0).unwrap();
    let tree = &trees[0];
    let b = tree.get(tree.root.unwrap(), "b").unwrap();
    assert_eq!(&text[tree.range(b)], "*x");
    assert_eq!(&text[tree.range(tree.resolve(b))], "[1, 2]");
    assert_eq!(ranges(text, tree).len(), 1 + 4 + 2 + 4);
}

#[test]
fn an_alias_inside_its_own_anchor_is_refused() {
    assert!(parse("a: &x [*x]\n", 0).is_err());
}

#[test]
fn a_text_that_is_out_of_bounds_is_refused_before_anything_is_built() {
    let mut laughing = String::from("a0: &a0 [x, x]\n");
    for n in 1..60 {
        laughing += &format!("a{n}: &a{n} [*a{0}, *a{0}, *a{0}]\n", n - 1);
    }
    for (text, problem) in [
        ("{a: ".repeat(100_000), "this nests deeper than 127 levels"),
        ("- ".repeat(100_000), "this nests deeper than 127 levels"),
        (laughing, "this says far more than it is long (aliases)"),
    ] {
        assert_eq!(parse(&text, 7).err().unwrap().error.to_string(), problem);
    }
    assert_eq!(parse(&"- ".repeat(500), 7).err().unwrap().at, 7 + 2 * 127);
}

#[test]
fn a_message_never_quotes_the_input() {
    for text in
        ["a: @hunter2", "a: \"hunter2", "\thunter2: x", "a: *hunter2", "a: !hunter2!x y", "hunter2: %"]
    {
        if let Err(error) = parse(text, 0) {
            let problem = error.error.to_string();
            assert!(!problem.contains("hunter2") && !problem.contains('@'), "{problem}");
        }
    }
}

#[test]
fn a_block_sequence_begins_with_its_first_dash() {
    for (text, sequences) in [
        ("a:\n  - b\n  - c\nd: e\n", &["- b\n  - c"][..]),
        ("a:\n- b\n- c\nd: e\n", &["- b\n- c"]),
        ("x:\n  a:\n  - k: v\n    l: w\n", &["- k: v\n    l: w"]),
        ("a: # c - d\n# - e\n- b\n", &["- b"]),
        ("a:\n- # x\n  b\n", &["- # x\n  b"]),
        ("a: &s !!seq\n- &x b\n", &["- &x b"]),
        ("a:\n- - b\n", &["- - b", "- b"]),
        ("a:\n-\n  b: c\n", &["-\n  b: c"]),
        ("a:\n-\n- k\n", &["-\n- k"]),
        ("a:\r\n- b\r\n", &["- b"]),
        ("- - - a\n", &["- - - a", "- - a", "- a"]),
        ("? - a\n: - b\n", &["- a", "- b"]),
        ("a: x - y\nb:\n- c\n", &["- c"]),
        ("a: |\n  - x\nb:\n- c\n", &["- c"]),
    ] {
        let tree = &parse(text, 0).unwrap()[0];
        let sequences_of = tree.nodes.iter().filter(|node| matches!(node.kind, NodeKind::Sequence { .. }));
        let found: Vec<_> = sequences_of.map(|node| &text[node.range.clone()]).collect();
        assert_eq!(found, sequences, "{text:?}");
    }
}
