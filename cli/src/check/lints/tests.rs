//! The whole of the lints over a tree in memory.

use std::collections::BTreeSet;

use seal_documents::source::Source;
use zeroize::Zeroizing;

use super::*;
use crate::check::lints::samples::strict;
use crate::check::scanned::Origin;

fn run(files: &[(&str, &str)]) -> Vec<String> {
    let sources: Vec<Source> = files
        .iter()
        .map(|(path, text)| Source::new((*path).to_owned(), Zeroizing::new((*text).to_owned())))
        .collect();
    let scanned =
        sources.iter().map(|source| Scanned::manifest(&source.name, source, Origin::Tree)).collect();
    let context =
        Context::new(scanned, files.iter().map(|(path, _)| (*path).to_owned()).collect::<BTreeSet<_>>(), 0);
    let mut found = Vec::new();
    context.files.iter().for_each(|file| of_file(file, &mut found));
    of_tree(&context, &mut found);
    found.sort_by(Finding::order);
    found
        .iter()
        .map(|found| format!("{}:{} {}", found.path, found.at.unwrap_or_default(), found.lint.name()))
        .collect()
}

#[test]
fn a_file_that_is_read_in_parts_has_findings_at_their_bytes() {
    let text = "a: b\n---\nkind: Secret\nstringData:\n  a: x\n  b: [\n";
    assert_eq!(run(&[("x.yaml", text)]), [format!("x.yaml:{} plaintext", text.find("a: x").unwrap())]);
    let db = strict("prod/db");
    let conflict = format!("{db}---\n<<<<<<< HEAD\na: b\n=======\na: c\n>>>>>>> x\n");
    assert_eq!(run(&[("x.yaml", &conflict)]), [format!("x.yaml:{} conflict-marker", db.len() + 4)]);
}

#[test]
fn a_clean_tree_has_no_finding() {
    let (dev, prod) = (strict("dev/db"), strict("prod/db"));
    let files = [
        ("dev/kustomization.yaml", "resources: [db.yaml]\nnamespace: dev\n"),
        ("dev/db.yaml", dev.as_str()),
        ("prod/db.yaml", &prod),
        ("copy/prod/db.yaml", &prod),
        ("chart/templates/secret.yaml", "kind: Secret\ndata:\n  a: {{ .Values.a }}\n"),
        ("notes.yaml", "just: text about a Secret\n"),
    ];
    assert_eq!(run(&files), Vec::<String>::new());
}
