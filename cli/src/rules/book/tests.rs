//! Which rules count where, and what their pins are.

use seal_crds::keys::Identity;

use super::*;
use crate::rules::reader::Memory;

fn key() -> String {
    Identity::generate().recipient().to_string()
}

/// A repository with one rules file, for two recipients.
fn repository() -> Memory {
    let rules = "version: 1\nnested: [teams/a]\nrecipients:\n  prod: {file: keys/prod.pub}\n  dev: {file: keys/dev.pub}\n\
                 rules:\n- {path: 'prod/{namespace}/**', to: [prod]}\n- {path: '**', to: [dev, prod]}\n";
    Memory::default()
        .with(".seal.yaml", rules)
        .with("keys/prod.pub", format!("# name: prod-2026\n{}\n", key()))
        .with("keys/dev.pub", format!("{}\n", key()))
}

fn names(ruling: &Ruling) -> Vec<String> {
    ruling.given().recipients.into_iter().filter_map(|named| named.name).collect()
}

fn refused(memory: Memory, path: &str) -> Failure {
    Book::new(memory).around(path).err().expect("it is refused")
}

#[test]
fn the_rules_at_the_top_count_for_every_file_beneath() {
    let mut book = Book::new(repository());
    let path = "prod/shop/deep/db.yaml";
    let governing = book.around(path).unwrap();
    let ruling = governing.ruling(path).unwrap();
    assert_eq!(ruling.namespace.as_deref(), Some("shop"));
    assert_eq!(ruling.location(), ".seal.yaml:7");
    assert_eq!(names(&ruling), ["prod-2026"]);
    let other = book.around("x.yaml").unwrap().ruling("x.yaml").unwrap();
    // A key without a name in its file has that of the rules.
    assert_eq!(names(&other), ["dev", "prod-2026"]);
    assert!(Book::new(Memory::default()).around(path).unwrap().rules.is_none());
}

#[test]
fn a_nested_rules_file_counts_whole_and_may_name_pins_above_it() {
    let own =
        "version: 1\nrecipients: {team: {file: ../../keys/prod.pub}}\nrules: [{path: 'db/*', to: [team]}]\n";
    let mut book = Book::new(repository().with("teams/a/.seal.yaml", own));
    let governing = book.around("teams/a/db/x.yaml").unwrap();
    let ruling = governing.ruling("teams/a/db/x.yaml").unwrap();
    assert_eq!(ruling.location(), "teams/a/.seal.yaml:3");
    assert_eq!(names(&ruling), ["prod-2026"]);
    // Nothing of the rules above is merged in.
    assert!(governing.ruling("teams/a/x.yaml").is_none());
    assert!(book.around("teams/b/x.yaml").unwrap().ruling("teams/b/x.yaml").is_some());
}

#[test]
fn a_rules_file_that_nobody_calls_nested_counts_for_nothing_and_is_named() {
    let evil = format!(
        "version: 1\nrecipients: {{evil: {{file: evil.pub}}}}\nrules: [{{path: '**', to: [evil]}}]\n{}",
        ""
    );
    let mut book = Book::new(repository().with("prod/.seal.yaml", evil).with("prod/evil.pub", key()));
    let governing = book.around("prod/shop/db.yaml").unwrap();
    assert_eq!(governing.unlisted.as_deref(), Some("prod/.seal.yaml"));
    assert_eq!(names(&governing.ruling("prod/shop/db.yaml").unwrap()), ["prod-2026"]);
    let failure = governing.check_listed().unwrap_err();
    let expected = "prod/.seal.yaml counts for nothing: .seal.yaml doesn't call its directory nested";
    assert_eq!(failure.facts, [expected]);
    assert_eq!(failure.hint.as_deref(), Some("add prod to nested there, or remove the file"));
    assert!(book.around("x.yaml").unwrap().check_listed().is_ok());
}

#[test]
fn without_rules_at_the_top_the_outermost_count() {
    let own = "version: 1\nrules: [{path: '**', to: none}]\n";
    let mut book = Book::new(Memory::default().with("apps/.seal.yaml", own));
    assert!(book.around("x.yaml").unwrap().rules.is_none());
    let governing = book.around("apps/a/x.yaml").unwrap();
    assert_eq!(governing.ruling("apps/a/x.yaml").unwrap().rule().to, To::Nobody);
}

#[test]
fn a_directory_that_is_called_nested_has_rules() {
    let failure = refused(repository(), "teams/a/x.yaml");
    assert_eq!(failure.facts, ["teams/a is nested, and has no rules file"]);
    assert!(Book::new(repository()).around("teams/x.yaml").is_ok());
}

#[test]
fn a_pin_is_a_file_of_the_repository_and_no_link_leads_to_it() {
    for (entry, fact) in [
        (None, "recipient prod: keys/prod.pub isn't there"),
        (Some(Entry::Link), "recipient prod: keys/prod.pub is behind a symbolic link"),
        (Some(Entry::NoFile), "recipient prod: keys/prod.pub isn't a file"),
        (
            Some(Entry::File(vec![b'#'; 1 << 21])),
            "recipient prod: keys/prod.pub is too large for a file of pins",
        ),
        (Some(Entry::File(vec![0xff])), "recipient prod: keys/prod.pub isn't text in UTF-8"),
    ] {
        let mut memory = repository();
        memory.0.remove("keys/prod.pub");
        memory.0.extend(entry.map(|entry| ("keys/prod.pub".to_owned(), entry)));
        let failure = refused(memory, "x.yaml");
        assert_eq!(failure.facts, [fact]);
        assert_eq!(
            (failure.exit, failure.spot.as_ref().unwrap().label()),
            (Exit::Usage, ".seal.yaml:4:3".to_owned())
        );
    }
    let mut memory = repository();
    memory.0.insert(".seal.yaml".to_owned(), Entry::Link);
    assert_eq!(refused(memory, "x.yaml").facts, [".seal.yaml is a symbolic link"]);
    let above = "version: 1\nrecipients: {prod: {file: ../prod.pub}}\n";
    assert!(
        refused(repository().with(".seal.yaml", above), "x.yaml").facts[0].contains("above the repository")
    );
    let failure = refused(repository().with("keys/prod.pub", "# nothing\n"), "x.yaml");
    assert_eq!(failure.facts, ["keys/prod.pub has no recipients"]);
}

#[test]
fn a_key_that_one_file_calls_revoked_is_revoked_in_all() {
    let leaked = Identity::generate().recipient().clone();
    let mark = format!("# revoked: {} 2026-11-27 laptop\n{}\n", leaked.fingerprint(), key());
    let memory = repository().with("keys/prod.pub", format!("{leaked}\n")).with("keys/dev.pub", mark);
    let ruling = Book::new(memory).around("prod/a/x").unwrap().ruling("prod/a/x").unwrap();
    let failure = ruling.given().into_usable().unwrap_err();
    assert!(failure.facts[0].contains("is revoked since 2026-11-27"), "{failure:?}");
}

#[test]
fn a_certificate_is_for_the_other_format() {
    let certificate = include_str!("../../../../crds/src/keys/testdata/rsa-2048.crt");
    let memory = repository().with("keys/prod.pub", certificate);
    let ruling = Book::new(memory).around("x").unwrap().ruling("x").unwrap();
    assert_eq!(names(&ruling), ["dev"]);
    let found: Vec<&str> = ruling.certificates().into_iter().map(|(name, _)| name).collect();
    assert_eq!(found, ["prod"]);
}

#[test]
fn every_directory_is_read_once() {
    struct Counting(Memory, std::cell::RefCell<Vec<String>>);
    impl ReadFiles for Counting {
        fn read(&self, path: &str, max: u64) -> Result<Entry, Failure> {
            self.1.borrow_mut().push(path.to_owned());
            self.0.read(path, max)
        }
        fn name(&self, path: &str) -> String {
            path.to_owned()
        }
    }
    let mut book = Book::new(Counting(repository(), Default::default()));
    for index in 0..1000 {
        book.around(&format!("prod/shop/{index}.yaml")).unwrap();
    }
    let read = book.reader().1.borrow();
    assert_eq!(
        *read,
        [".seal.yaml", "keys/dev.pub", "keys/prod.pub", "prod/.seal.yaml", "prod/shop/.seal.yaml"]
    );
}

#[test]
fn a_rule_for_recipients_of_two_kinds_is_refused_when_it_is_read() {
    let classic = include_str!("../../../../tests/cli/given/classic.pub");
    let memory = || repository().with("keys/dev.pub", classic);
    // The rule for prod alone is fine, and rules that aren't understood completely say nothing.
    let failure = refused(memory(), "prod/shop/db.yaml");
    let expected =
        "this rule has post-quantum recipients (prod) and classic ones (dev): nothing can be sealed to both";
    assert_eq!(failure.facts, [expected]);
    assert_eq!(
        (failure.exit, failure.spot.as_ref().unwrap().label()),
        (Exit::Usage, ".seal.yaml:8:3".to_owned())
    );
    let all_classic = memory().with("keys/prod.pub", classic);
    assert!(Book::new(all_classic).around("x").is_ok());
}
