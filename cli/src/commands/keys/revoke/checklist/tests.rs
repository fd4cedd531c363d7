//! The checklist: which values are on it, by which key, and what makes it incomplete.

use super::*;
use seal_crds::keys::pins::PinName;

fn key(digits: &str) -> Fingerprint {
    digits.repeat(32).parse().unwrap()
}

/// The list of a key of which the cluster or the pins say that it isn't one of sealed-secrets.
fn list() -> Checklist {
    of_sort(true)
}

fn of_sort(is_native: bool) -> Checklist {
    Checklist::new(&Target {
        is_native,
        fingerprint: key("aa"),
        name: PinName::shortened("leaked"),
        sealing_key: None,
        is_revoked_there: false,
        opens_backups_of: BTreeMap::from([(key("bb"), "sealing-key-first".to_owned())]),
        may_open_backups_of: Vec::new(),
    })
}

fn native(name: &str, recipient: &str) -> String {
    let id = "A".repeat(43);
    format!(
        "apiVersion: sealing.dev/v1alpha1\nkind: SealedSecret\nmetadata: {{name: {name}, namespace: prod}}\nspec:\n  \
         scope: strict\n  envelopes:\n  - {{keys: [{id}], age: AAAA, recipients: [{{fingerprint: {}}}]}}\n  \
         encryptedData: {{password: {id}.AAAA}}\n",
        key(recipient)
    )
}

fn bitnami_object(name: &str) -> String {
    format!(
        "apiVersion: bitnami.com/v1alpha1\nkind: SealedSecret\nmetadata: {{name: {name}, namespace: prod}}\n\
         spec: {{encryptedData: {{token: AAAA}}}}\n"
    )
}

#[test]
fn files_count_if_they_name_the_key_or_one_whose_backup_it_opens() {
    let mut list = list();
    for (path, text) in [
        ("a.yaml", native("direct", "aa")),
        ("b.yaml", native("by-backup", "bb")),
        ("c.yaml", native("other", "cc")),
        ("d.yaml", bitnami_object("unknown")),
        ("old/a.yaml", native("direct", "aa")),
        ("prod.pub", format!("# revoked: {} 2026-11-27 k\n", key("aa"))),
    ] {
        list.add_file(path, text.into_bytes());
    }
    list.add_file("image.png", vec![0xff; 10]);
    assert_eq!(
        list.to_lines(),
        [
            "prod/by-backup: password (b.yaml), exposed to sealing-key-first (bbbbbbbbbbbbbbbb)",
            "prod/direct: password (a.yaml, old/a.yaml), exposed to leaked (aaaaaaaaaaaaaaaa)",
            "at least these: 2 values of 2 SealedSecrets to change at the source",
        ]
    );
    assert!(list.is_complete());
}

#[test]
fn a_file_that_names_the_key_and_cannot_be_read_makes_the_list_incomplete() {
    let mut list = list();
    list.add_file("chart.yaml", format!("{{{{ if .x }}}}\n{}", native("db", "aa")).into_bytes());
    assert!(!list.is_complete());
    let said = list.to_lines().join("\n");
    assert!(said.contains("not looked at: chart.yaml in some commit"), "{said}");
}

fn live(text: &str, opened_by: &[&str], exposed: &[&str]) -> Live {
    let source = Source::new("x".to_owned(), Zeroizing::new(text.to_owned()));
    Live {
        opened_by: opened_by.iter().map(|digits| key(digits)).collect(),
        exposed: exposed.iter().map(|item| (*item).to_owned()).collect(),
        ..Live::unsaid(claimed::read(&source).objects.remove(0))
    }
}

#[test]
fn what_may_be_sealed_to_a_key_of_unknown_sort_is_listed_as_such_whatever_other_objects_claim() {
    let fill = |list: &mut Checklist| {
        list.add_cluster(LiveObjects {
            // The object was sealed to a newer key; of the second one nobody says what opens it.
            objects: vec![
                live(&bitnami_object("moved"), &["cc"], &[]),
                live(&bitnami_object("new"), &[], &[]),
            ],
            gaps: Vec::new(),
        });
        list.add_file("claims.yaml", native("claims", "aa").into_bytes());
        list.add_file("old.yaml", bitnami_object("moved").into_bytes());
    };
    let mut unknown = of_sort(false);
    fill(&mut unknown);
    assert!(!unknown.is_complete() && !unknown.is_bitnami());
    let lines = unknown.to_lines();
    assert_eq!(
        lines[..3],
        [
            "prod/claims: password (claims.yaml), exposed to leaked (aaaaaaaaaaaaaaaa)",
            "may be: prod/moved: token (old.yaml), exposed to leaked (aaaaaaaaaaaaaaaa)",
            "may be: prod/new: token (cluster), exposed to leaked (aaaaaaaaaaaaaaaa)",
        ]
    );
    assert!(
        lines[3].starts_with("incomplete, not known: whether the key is one of sealed-secrets"),
        "{lines:?}"
    );
    assert_eq!(lines[4], "at least these: 1 value of 1 SealedSecret to change at the source");
    let mut native = list();
    fill(&mut native);
    assert!(native.is_complete() && native.to_lines().len() == 2);
    // That the controller opens a native object with the key says its sort.
    let mut opens = of_sort(false);
    opens.add_cluster(LiveObjects {
        objects: vec![live(&bitnami_object("new"), &[], &[]), live(&self::native("db", "aa"), &["aa"], &[])],
        gaps: Vec::new(),
    });
    assert!(opens.is_complete());
}

#[test]
fn the_clusters_objects_count_by_what_they_claim_and_by_what_the_controller_says() {
    let mut list = of_sort(false);
    list.add_cluster(LiveObjects {
        objects: vec![
            live(&native("claims", "aa"), &[], &[]),
            live(&native("rewrapped", "cc"), &["cc"], &["password"]),
            live(&native("other", "cc"), &["cc"], &[]),
            live(&bitnami_object("opened"), &["aa"], &[]),
            live(&bitnami_object("another"), &["cc"], &[]),
        ],
        gaps: Vec::new(),
    });
    // Now it is known that the key is one of sealed-secrets.
    list.add_file("old.yaml", bitnami_object("old").into_bytes());
    let lines = list.to_lines();
    let objects: Vec<&str> =
        lines.iter().filter_map(|line| line.split_once(": ")).map(|(name, _)| name).collect();
    assert_eq!(objects, ["prod/claims", "prod/old", "prod/opened", "prod/rewrapped", "at least these"]);
}

#[test]
fn each_line_says_which_of_the_keys_has_had_the_items_as_far_as_anybody_says() {
    let said = |exposed_to: &[&str]| {
        let mut list = list();
        let exposed_to = exposed_to.iter().map(|digits| key(digits)).collect();
        let object = Live { exposed_to, ..live(&native("db", "cc"), &["cc"], &["password"]) };
        list.add_cluster(LiveObjects { objects: vec![object], gaps: Vec::new() });
        list.to_lines().remove(0)
    };
    let begins = "prod/db: password (cluster), exposed to";
    assert_eq!(said(&["bb"]), format!("{begins} sealing-key-first (bbbbbbbbbbbbbbbb)"));
    assert_eq!(said(&["aa", "dd"]), format!("{begins} leaked (aaaaaaaaaaaaaaaa)"));
    assert_eq!(said(&[]), format!("{begins} a revoked recipient"), "an older controller");
    assert!(said(&["dd"]).starts_with("at least these: 0 values"), "it is exposed to another key");
}
