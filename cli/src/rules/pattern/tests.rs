//! Which paths a pattern is for, what is refused, and how long it may take.

use super::*;

fn pattern(text: &str) -> Pattern {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn matches(text: &str, path: &str) -> bool {
    pattern(text).matches(path).is_some()
}

#[test]
fn a_pattern_matches_whole_paths_by_their_segments() {
    for (text, path) in [
        ("**", "a"),
        ("**", "a/b/c.yaml"),
        ("a/**", "a/b"),
        ("a/**/b", "a/b"),
        ("a/**/b", "a/x/y/b"),
        ("**/b/*.yaml", "b/x.yaml"),
        ("**/b/*.yaml", "a/b/c/b/x.yaml"),
        ("a/*/c", "a/b/c"),
        ("db-*.yaml", "db-.yaml"),
        ("*-*-*", "a-b-c-d"),
        ("a/**/**/b", "a/b"),
        ("ü/*", "ü/é\u{301}"),
    ] {
        assert!(matches(text, path), "{text} {path}");
    }
    for (text, path) in [
        ("a/**", "a"),
        ("a/**", "ab/c"),
        ("a", "a/b"),
        ("a/*", "a/b/c"),
        ("*.yaml", "a/b.yaml"),
        ("a/**/b", "a/x/b/y"),
        ("db-*.yaml", "db.yaml"),
        ("A", "a"),
        ("**/b", "a/xb"),
    ] {
        assert!(!matches(text, path), "{text} {path}");
    }
}

#[test]
fn the_namespace_is_the_directory_in_its_place() {
    let prod = pattern("clusters/prod/{namespace}/**");
    let namespace = |path| prod.matches(path).map(|matched| matched.namespace.unwrap());
    assert_eq!(namespace("clusters/prod/shop/db.yaml"), Some("shop"));
    assert_eq!(namespace("clusters/prod/shop/dev/db.yaml"), Some("shop"));
    // A file directly beneath `prod` is in no namespace.
    assert_eq!(namespace("clusters/prod/db.yaml"), None);
    assert_eq!(pattern("**").matches("a").unwrap().namespace, None);
}

#[test]
fn what_could_be_read_in_two_ways_is_refused() {
    let refused = |text: &str| text.parse::<Pattern>().unwrap_err();
    assert_eq!(refused(""), PatternError::Empty);
    assert_eq!(refused("/a"), PatternError::Absolute);
    for text in ["a//b", "a/"] {
        assert_eq!(refused(text), PatternError::EmptySegment);
    }
    for text in ["./a", "a/../b"] {
        assert_eq!(refused(text), PatternError::Dots);
    }
    for (text, special) in
        [("a?", '?'), ("[ab]", '['), ("{a,b}", '{'), ("!a", '!'), ("a\\b", '\\'), ("a\nb", '\n')]
    {
        assert_eq!(refused(text), PatternError::Special(special), "{text}");
    }
    assert_eq!(refused("a**"), PatternError::PartOfDeep);
    assert_eq!(refused("ns-{namespace}/**"), PatternError::PartOfNamespace);
    assert_eq!(refused("{namespace}/{namespace}/**"), PatternError::NamespaceTwice);
    assert_eq!(refused("**/{namespace}/**"), PatternError::NamespaceBehindDeep);
    assert_eq!(refused("a/{namespace}"), PatternError::NamespaceLast);
    assert_eq!(refused(&"a".repeat(MAX_LENGTH + 1)), PatternError::TooLong);
    assert_eq!(refused(&vec!["a"; MAX_SEGMENTS + 1].join("/")), PatternError::TooDeep);
}

#[test]
fn one_pattern_covers_another_only_if_that_is_certain() {
    for (one, other) in [
        ("**", "a/{namespace}/**"),
        ("a/**", "a/b/*.yaml"),
        ("a/**", "a/{namespace}/**"),
        ("a/{namespace}/**", "a/*/b/**"),
        ("**/x", "a/**/x"),
        ("*.yaml", "db.yaml"),
        ("*", "*.yaml"),
        ("a/**/b", "a/b"),
    ] {
        assert!(pattern(one).covers(&pattern(other)), "{one} {other}");
    }
    for (one, other) in [
        ("a/{namespace}/**", "a/**"),
        ("a/*", "a/**"),
        ("*.yaml", "*"),
        ("a/b/**", "a/**"),
        ("**/x", "**"),
        ("db.yaml", "*.yaml"),
    ] {
        assert!(!pattern(one).covers(&pattern(other)), "{one} {other}");
    }
    assert!(Pattern::beneath("teams/a").covers(&pattern("teams/a/x/**")));
    assert!(!Pattern::beneath("teams/a").covers(&pattern("teams/**")));
}

/// What [`Pattern::covers`] says is held against every short path.
#[test]
fn no_path_escapes_a_pattern_that_covers_its_own() {
    let names = ["a", "b", "ab"];
    let mut paths: Vec<String> = names.map(str::to_owned).to_vec();
    for _ in 0..3 {
        let longer = paths.iter().flat_map(|path| names.map(|name| format!("{path}/{name}")));
        paths = longer.chain(names.map(str::to_owned)).collect();
    }
    let segments = ["a", "*", "**", "a*", "*b"];
    let mut texts: Vec<String> = segments.map(str::to_owned).to_vec();
    for _ in 0..2 {
        let longer = texts.iter().flat_map(|text| segments.map(|segment| format!("{text}/{segment}")));
        texts = longer.chain(segments.map(str::to_owned)).collect();
    }
    let patterns: Vec<(Pattern, Vec<bool>)> = texts
        .iter()
        .map(|text| pattern(text))
        .map(|pattern| {
            let matched = paths.iter().map(|path| pattern.matches(path).is_some()).collect();
            (pattern, matched)
        })
        .collect();
    let mut covered = 0;
    for (one, by_one) in &patterns {
        for (other, by_other) in patterns.iter().filter(|(other, _)| one.covers(other)) {
            covered += 1;
            let escaped = by_one.iter().zip(by_other).position(|(one, other)| *other && !one);
            assert_eq!(escaped.map(|path| &paths[path]), None, "{one} {other}");
        }
    }
    assert!(covered > patterns.len(), "{covered}");
}

#[test]
fn a_path_that_is_made_to_be_slow_is_not() {
    let deep = pattern(&format!("{}x", "**/a/".repeat(15)));
    let glob = pattern(&format!("{}x", "*a".repeat(500)));
    crate::cost::within(1, || {
        assert_eq!(deep.matches(&"a/".repeat(2_000)), None);
        assert_eq!(glob.matches(&"a".repeat(4_000)), None);
    });
}
