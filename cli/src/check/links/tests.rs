//! Links that lead to files, directories and each other, and their bounds.

use super::*;

fn links(of: &[(&str, &str)]) -> Links {
    Links(of.iter().map(|(link, target)| ((*link).to_owned(), (*target).to_owned())).collect())
}

/// The paths under which links show files, each with its first link and the file.
fn shown(of: &[(&str, &str)], files: &[&str]) -> Vec<String> {
    let links = links(of);
    let mut shown: Vec<String> = links
        .show(files.iter().copied())
        .unwrap()
        .into_iter()
        .map(|seen| format!("{} ({}) is {}", seen.path, seen.link, seen.file))
        .collect();
    shown.sort();
    shown
}

#[test]
fn a_link_shows_a_file_or_all_that_is_beneath_a_directory() {
    assert_eq!(
        shown(&[("prod/db.yaml", "dev/db.yaml")], &["dev/db.yaml", "dev/db.yaml.txt"]),
        ["prod/db.yaml (prod/db.yaml) is dev/db.yaml"]
    );
    assert_eq!(
        shown(&[("prod", "dev")], &["dev/a.yaml", "dev/b/c.yaml", "dev-2/a.yaml", "dev.yaml"]),
        ["prod/a.yaml (prod) is dev/a.yaml", "prod/b/c.yaml (prod) is dev/b/c.yaml"]
    );
    // The top has no name.
    assert_eq!(shown(&[("prod/all", "")], &["a.yaml"]), ["prod/all/a.yaml (prod/all) is a.yaml"]);
    assert!(shown(&[("prod", "elsewhere")], &["dev/a.yaml"]).is_empty());
}

#[test]
fn links_lead_from_one_to_the_next() {
    // A link to what only another link shows, in whatever order their names are.
    let expected = ["a/db.yaml (a) is c/db.yaml", "b/db.yaml (b) is c/db.yaml"];
    assert_eq!(shown(&[("a", "b"), ("b", "c")], &["c/db.yaml"]), expected);
    assert_eq!(
        shown(&[("prod/shop", "x/shop"), ("x/shop/db.yaml", "dev/db.yaml")], &["dev/db.yaml"]),
        ["prod/shop/db.yaml (prod/shop) is dev/db.yaml", "x/shop/db.yaml (x/shop/db.yaml) is dev/db.yaml"]
    );
    // As many as one likes: a bound here would be a way around.
    let chain: Vec<(String, String)> = (0..100).map(|n| (format!("l{n}"), format!("l{}", n + 1))).collect();
    let chain: Vec<(&str, &str)> = chain.iter().map(|(link, to)| (link.as_str(), to.as_str())).collect();
    assert_eq!(shown(&chain, &["l100"]).len(), 100);
    let behind = links(&chain).behind(["l0".to_owned()].into_iter()).unwrap();
    assert!(behind.contains("l100") && behind.len() == 100);
}

#[test]
fn more_links_than_any_tool_follows_show_nothing() {
    let chain: Vec<(String, String)> = (0..300).map(|n| (format!("l{n}"), format!("l{}", n + 1))).collect();
    let chain: Vec<(&str, &str)> = chain.iter().map(|(link, to)| (link.as_str(), to.as_str())).collect();
    assert_eq!(shown(&chain, &["l300"]).len(), MAX_LINKS);
}

#[test]
fn circles_come_to_an_end() {
    assert_eq!(shown(&[("a/self", "a")], &["a/db.yaml"]), ["a/self/db.yaml (a/self) is a/db.yaml"]);
    let circle = [("a/x", "b"), ("b/y", "a")];
    assert_eq!(
        shown(&circle, &["a/1", "b/2"]),
        ["a/x/2 (a/x) is b/2", "a/x/y/1 (a/x) is a/1", "b/y/1 (b/y) is a/1", "b/y/x/2 (b/y) is b/2",]
    );
    assert!(shown(&[("a", "b"), ("b", "a")], &["c"]).is_empty());
    let found = links(&[("a", "b/c"), ("b", "a/d")]).behind(["a/x".to_owned()].into_iter()).unwrap();
    assert!(found.iter().all(|path| path.len() <= MAX_PATH));
}

#[test]
fn too_many_paths_are_an_error_that_each_link_has_a_part_in() {
    let many: Vec<(String, String)> = (0..2000).map(|n| (format!("links/{n}"), "dev".to_owned())).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|(link, to)| (link.as_str(), to.as_str())).collect();
    let links = links(&many);
    let files: Vec<String> = (0..100).map(|n| format!("dev/{n}.yaml")).collect();
    assert_eq!(links.show(files.iter().map(String::as_str)), Err(TooMany));
    let finding = links.too_many();
    assert_eq!((finding.severity, finding.related.len()), (crate::check::lint::Severity::Error, 2000));
}
