//! Rules files, right and wrong.

mod schema;

use super::*;
use crate::talk::exit::Exit;

const WHOLE: &str = "\
# yaml-language-server: $schema=seal.schema.json
version: 1
require-recovery: true
recipients:
  prod:     {file: keys/prod.pub}
  staging:  {file: keys/staging.pub}
  recovery: {file: ../keys/recovery.pub, recovery: true}
nested: [teams/payments]
rules:
  - path: \"clusters/prod/{namespace}/**\"
    to: [prod, recovery]
    scopes: [strict, namespace-wide]
    types: [Opaque, kubernetes.io/tls]
    max-age: 365d
  - path: \"clusters/staging/{namespace}/**\"
    to: &both [staging, recovery]
  - {path: 'dev/**', to: *both}
  - path: \"**\"
    to: none
ignore:
  - {rule: plaintext, path: \"test/**\", reason: fixture, until: 2027-01-31}
";

fn parse(text: &str) -> Result<RulesFile, Failure> {
    RulesFile::parse(".seal.yaml", text)
}

/// The message, with the place in front.
fn refused(text: &str) -> String {
    let failure = parse(text).expect_err(text);
    assert_eq!(failure.exit, Exit::Usage, "{text}");
    let spot = failure.spot.as_ref().expect("every error has its place").label();
    format!("{} {}", spot.strip_prefix(".seal.yaml:").unwrap(), failure.facts.join(": "))
}

/// The whole file with one text in place of another.
fn with(old: &str, new: &str) -> String {
    assert!(WHOLE.contains(old), "{old}");
    WHOLE.replacen(old, new, 1)
}

#[test]
fn a_rules_file_says_whom_to_seal_to_for_each_path() {
    let file = parse(WHOLE).unwrap();
    assert!(file.requires_recovery);
    assert!(file.recipients["recovery"].is_recovery && !file.recipients["prod"].is_recovery);
    assert_eq!(file.recipients["prod"].file, "keys/prod.pub");
    assert_eq!(file.recipients["staging"].at, At { line: 6, column: 3 });
    assert_eq!(file.nested[0].directory, "teams/payments");
    let (prod, matched) = file.matching("clusters/prod/shop/db.yaml").unwrap();
    let prod = &file.rules[prod];
    assert_eq!(matched.namespace, Some("shop"));
    assert_eq!(prod.to, To::Recipients(vec!["prod".to_owned(), "recovery".to_owned()]));
    assert_eq!((prod.default_scope(), prod.max_age), (Scope::Strict, Some(365)));
    assert!(prod.allows_scope(Scope::NamespaceWide) && !prod.allows_scope(Scope::ClusterWide));
    assert!(prod.allows_type("Opaque") && !prod.allows_type("kubernetes.io/basic-auth"));
    assert_eq!(prod.at, At { line: 10, column: 5 });
    let dev = &file.rules[file.matching("dev/db.yaml").unwrap().0];
    assert_eq!(dev.to, To::Recipients(vec!["staging".to_owned(), "recovery".to_owned()]));
    assert!(dev.allows_scope(Scope::ClusterWide) && dev.allows_type("x"));
    assert_eq!(file.rules[file.matching("README.md").unwrap().0].to, To::Nobody);
    assert_eq!(file.ignore[0].until.unwrap().to_string(), "2027-01-31");
}

#[test]
fn a_maximum_age_is_typed_as_lengths_of_time_are_in_flags() {
    let file = parse(&with("365d", "48h")).unwrap();
    assert_eq!(file.rules[0].max_age, Some(2));
}

#[test]
fn the_least_rules_file_is_its_version() {
    assert_eq!(parse("version: 1\n").unwrap().rules, []);
    assert_eq!(parse("{\"version\": 1, \"rules\": []}\n").unwrap().rules, []);
    assert_eq!(parse("\u{feff}version: 1\r\n").unwrap().rules, []);
}

#[test]
fn a_slip_of_the_hand_never_means_no_rule() {
    for (text, message) in [
        (
            with("recipients:", "recipeints:"),
            "4:1 recipeints isn't a field of the rules file, did you mean recipients?",
        ),
        (
            with("    to: [prod, recovery]", "    too: [prod, recovery]"),
            "11:5 too isn't a field of a rule, did you mean to?",
        ),
        (with("scopes:", "scope:"), "12:5 scope isn't a field of a rule, did you mean scopes?"),
        (with("{file: keys/prod.pub}", "{path: keys/prod.pub}"), "5:14 path isn't a field of a recipient"),
        (with("reason: fixture, ", ""), "21:5 an entry of ignore needs reason"),
        (with("until:", "unti:"), "21:57 unti isn't a field of an entry of ignore, did you mean until?"),
        (with("[prod, recovery]", "[prd, recovery]"), "11:10 there is no recipient prd, did you mean prod?"),
        (with("    to: none", ""), "18:5 a rule needs to"),
        (with("version: 1", "version: 2"), "2:10 version 2 isn't known"),
        (with("version: 1\n", ""), "2:1 the rules file needs version"),
        (with("version: 1", "version: 1\nversion: 1"), "3:1 the key version is there twice"),
        (with("to: none", "<<: *both"), "19:5 merge keys (<<) aren't understood here"),
        (with("to: none", "to: prod"), "19:9 to must be none, or a list of recipients"),
        (with("to: none", "to: []"), "19:9 to has no recipients"),
        (with("[prod, recovery]", "[prod, prod, recovery]"), "11:16 prod is named twice"),
        (
            with("[prod, recovery]", "[prod]"),
            "11:9 no recipient of this rule is a recovery recipient, and require-recovery asks for one",
        ),
        (with("365d", "365"), "14:14 max-age is a number to kubectl, which wants a string there"),
        (with("365d", "1y"), "14:14 max-age must be whole days, such as 365d"),
        (with("365d", "0d"), "14:14 max-age must be whole days, such as 365d"),
        (with("365d", "36h"), "14:14 max-age must be whole days, such as 365d"),
        (with("365d", "36526d"), "14:14 max-age must be whole days, such as 365d"),
        (
            with("[strict,", "[strcit,"),
            "12:14 scope strcit: it is one of strict, namespace-wide, cluster-wide",
        ),
        (with("[strict, namespace-wide]", "[strict, strict]"), "12:22 strict is named twice"),
        (with("[strict, namespace-wide]", "[]"), "12:13 scopes is empty: leave it out to allow every one"),
        (with("2027-01-31", "2027-02-31"), "21:64 until must be a day, written YYYY-MM-DD"),
        (with("rule: plaintext", "rule: PLAIN"), "21:12 PLAIN can't be the name of a rule"),
        (with("\"test/**\"", "\"{namespace}/**\""), "21:29 in ignore, {namespace} has no meaning"),
        (
            with("nested: [teams/payments]", "nested: [teams/payments, teams/payments/]"),
            "8:26 teams/payments is named twice",
        ),
        (with("nested: [teams/payments]", "nested: teams/payments"), "8:9 nested must be a list"),
        (
            with("require-recovery: true", "require-recovery: maybe"),
            "3:19 require-recovery must be true or false",
        ),
        (with("  prod: ", "  none: "), "5:3 \"none\" can't be the name of a recipient"),
        (
            with("\"**\"", "\"**/{namespace}/**\""),
            "18:11 the path **/{namespace}/** can't be used: behind **, {namespace} could be any directory",
        ),
        (format!("{WHOLE}---\nversion: 1\n"), "23:1 a rules file is one document, and there are more"),
        (String::new(), "1:1 the rules file is empty"),
        ("# nothing\n".to_owned(), "1:1 the rules file is empty"),
        ("[version]".to_owned(), "1:1 the rules file must be a mapping"),
        ("version: [".to_owned(), "1:10 the rules file can't be read: this isn't YAML: unclosed bracket '['"),
    ] {
        assert_eq!(refused(&text), message);
    }
}

#[test]
fn a_recipient_is_a_file_beneath_the_repository_and_nothing_else() {
    for file in [
        "/etc/passwd",
        "~/keys/prod.pub",
        "keys/../../x",
        "..",
        "../..",
        "./keys",
        "keys//x",
        "keys/",
        "'a\\b'",
        "\"a\\nb\"",
    ] {
        let message = refused(&with("keys/prod.pub", file));
        assert!(message.contains("is the path of no file beneath the repository"), "{message}");
    }
    for url in ["https://example.com/prod.pub", "file:///etc/passwd"] {
        assert!(refused(&with("keys/prod.pub", url)).contains("is a URL"), "{url}");
    }
}

#[test]
fn a_text_that_is_made_to_be_slow_is_refused() {
    let lists = |count: usize| format!("version: 1\nnested: [{}]\n", "a, ".repeat(count));
    assert!(refused(&lists(1001)).contains("nested has more than 1000 entries"));
    assert!(refused(&format!("version: 1\nrules: {}", "[".repeat(5000))).contains("nests deeper"));
    let bomb = "version: 1\na: &a [x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b]\n\
                d: &d [*c,*c,*c,*c,*c,*c,*c,*c]\ne: [*d,*d,*d,*d,*d,*d,*d,*d]\n";
    assert!(refused(bomb).contains("says far more than it is long"));
}

#[test]
fn a_private_key_in_a_rules_file_is_not_repeated() {
    let secret = seal_crds::keys::Identity::generate().to_secret_string();
    for text in [
        with("keys/prod.pub", &secret),
        with("to: none", &format!("to: [{}]", *secret)),
        with("  prod: ", &format!("  {}: ", *secret)),
        format!("{}: 1\nversion: 1\n", *secret),
    ] {
        let failure = parse(&text).expect_err("a private key has no place in a rules file");
        let said = format!("{failure:?}").to_ascii_uppercase();
        assert!(!said.contains(&secret.to_ascii_uppercase()[25..]), "{said}");
    }
}
