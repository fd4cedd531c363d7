//! Comments and rules that silence findings, and those that silence none.

use seal_documents::source::Source;
use zeroize::Zeroizing;

use super::*;
use crate::check::scanned::Origin;
use crate::rules::book::Book;
use crate::rules::reader::{Entry, Memory};

const SECRET: &str = "apiVersion: v1\nkind: Secret\n";

fn day(text: &str) -> Day {
    text.parse().unwrap()
}

fn ignored(ignore: &str, findings: &[(Lint, &str)]) -> Result<(Vec<String>, usize), Failure> {
    let text = format!("version: 1\nrules: []\nignore: [{ignore}]\n");
    let mut files = Memory::default();
    files.0.insert(".seal.yaml".to_owned(), Entry::File(text.into_bytes()));
    let mut book = Book::new(files);
    let rules = book.around("x").unwrap().rules.unwrap();
    let all = [rules];
    check_names(&all)?;
    let findings = findings.iter().map(|(lint, path)| Finding::new(*lint, path, "x")).collect();
    let today = day("2027-01-31");
    let silenced = by_rules(&all, |path| Ok(book.around(path)?.rules), findings, today)?;
    Ok((
        silenced.left.into_iter().map(|finding| format!("{}: {}", finding.path, finding.message)).collect(),
        silenced.taken_out.len(),
    ))
}

#[test]
fn ignore_takes_out_one_rule_at_its_paths_until_its_day() {
    let entry = |until: &str| format!("{{rule: plaintext, path: 'test/**', reason: fixture{until}}}");
    let findings =
        [(Lint::Plaintext, "test/a.yaml"), (Lint::Plaintext, "a.yaml"), (Lint::Place, "test/a.yaml")];
    let left = vec!["a.yaml: x".to_owned(), "test/a.yaml: x".to_owned()];
    assert_eq!(ignored(&entry(""), &findings).unwrap(), (left.clone(), 1));
    assert_eq!(ignored(&entry(", until: 2027-01-31"), &findings).unwrap(), (left, 1));
    let (left, number) = ignored(&entry(", until: 2027-01-30"), &findings).unwrap();
    assert_eq!((left.len(), number), (4, 0));
    assert_eq!(left[3], ".seal.yaml: this entry of ignore counted until 2027-01-30: plaintext of test/**");
    let (left, _) = ignored(&entry(""), &[]).unwrap();
    assert_eq!(left, [".seal.yaml: this entry ignores nothing: there is no plaintext in test/**"]);
}

#[test]
fn ignore_of_a_rule_that_is_none_makes_the_rules_invalid() {
    let failure = ignored("{rule: plaintxt, path: '**', reason: x}", &[]).unwrap_err();
    assert_eq!(failure.exit, Exit::Usage);
    assert_eq!(failure.facts, ["there is no rule plaintxt, did you mean plaintext?"]);
    assert!(failure.spot.as_ref().unwrap().label().starts_with(".seal.yaml:3:"));
}

#[test]
fn a_comment_takes_out_what_it_allows_of_its_object_and_is_a_finding_if_that_is_nothing() {
    let text = format!(
        "# seal: allow plaintext -- x\n{SECRET}---\n{SECRET}---\n# seal: allow place -- x\n{SECRET}---\n\
         # seal: allow plaintext\n{SECRET}"
    );
    let source = Source::new("a.yaml".to_owned(), Zeroizing::new(text));
    let file = Scanned::manifest("a.yaml", &source, Origin::Tree);
    let objects: Vec<usize> = {
        let manifest = &file.manifest.as_ref().unwrap().manifest;
        manifest.objects.iter().map(|object| manifest.tree(object).range(object.node).start).collect()
    };
    let findings = objects.iter().map(|at| file.finding(Lint::Plaintext, *at, "plain")).collect();
    let files = [file];
    let silenced = by_comments(&files, findings);
    assert_eq!(silenced.taken_out.len(), 1);
    let left: Vec<_> = silenced.left.iter().map(|finding| (finding.lint, finding.message.as_str())).collect();
    assert_eq!(
        left,
        [
            (Lint::Plaintext, "plain"),
            (Lint::Plaintext, "plain"),
            (Lint::Plaintext, "plain"),
            (Lint::UnusedAllow, "this comment allows place, and there is no such finding"),
            (Lint::UnusedAllow, "this comment allows nothing, since it gives no reason"),
        ]
    );
    assert_eq!(silenced.left[3].position.unwrap().line, 8);
}
