//! Tests of the rules that every reason keeps, and of README's tables of reasons.
//!
//! The tests of each part show when a reason is given. Invariant: README has a row for each reason, and no other row.

use std::collections::BTreeSet;
use std::path::Path;

use super::*;

const BEGIN: &str = "<!-- `make generate` writes these tables from crds/src/reason.rs -->\n";
const END: &str = "<!-- end of the tables -->\n";

/// The heading above the table of these reasons.
fn heading(shown: Shown) -> &'static str {
    match shown {
        Shown::SealedSecret => "",
        Shown::Host => "On a host also:\n\n",
        Shown::SealingKey => "Of a SealingKey (`kubectl describe sealingkeys -n seal-system`):\n\n",
        Shown::Event => {
            "Of Events only. Warnings come at once. The others say what the status says too; they wait until the controller has nothing\n\
             else to send, and when very many come together, the oldest are left out (`seal_controller_events_left_out_total`):\n\n"
        }
        Shown::Log => "In the controller's log only:\n\n",
        Shown::Answer => "In answers of `--compat-http` only, as the message:\n\n",
    }
}

fn row(reason: Reason) -> String {
    let by_itself = if reason.facts().kind == Kind::Transient { "it is tried again by itself; " } else { "" };
    format!("| `{}` | {} | {by_itself}{} |\n", reason.as_str(), reason.meaning(), reason.remedy())
}

fn tables() -> String {
    let mut tables = String::new();
    for table in Reason::ALL.chunk_by(|one, next| one.shown() == next.shown()) {
        tables += &format!("\n{}| reason | means | do |\n| --- | --- | --- |\n", heading(table[0].shown()));
        tables.extend(table.iter().map(|reason| row(*reason)));
    }
    tables + "\n"
}

/// `make generate` runs this with SEAL_UPDATE=1, which writes the tables instead.
#[test]
fn readme_has_a_row_for_every_reason_and_no_other() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let readme = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = readme.split_once(BEGIN).expect("README marks where the tables begin");
    let (found, after) = rest.split_once(END).expect("README marks where the tables end");
    let expected = tables();
    if std::env::var_os("SEAL_UPDATE").is_some() {
        std::fs::write(&path, format!("{before}{BEGIN}{expected}{END}{after}")).unwrap();
    } else {
        assert!(found == expected, "README's tables of reasons are out of date: run `make generate`");
    }
}

#[test]
fn a_table_has_all_reasons_that_are_shown_in_one_place() {
    let shown: Vec<Shown> = Reason::ALL.iter().map(|reason| reason.shown()).collect();
    assert!(shown.is_sorted(), "reasons that are shown in one place stand together in the enum");
}

#[test]
fn reasons_are_camel_case_words_each_with_its_own_text() {
    let texts: BTreeSet<&str> = Reason::ALL.iter().map(|reason| reason.as_str()).collect();
    assert_eq!(texts.len(), Reason::ALL.len());
    for text in texts {
        assert!(text.starts_with(|first: char| first.is_ascii_uppercase()), "{text}");
        assert!(text.bytes().all(|byte| byte.is_ascii_alphabetic()), "{text}");
        assert!(!text.starts_with("Err"), "{text}");
    }
}

#[test]
fn what_is_said_of_a_reason_is_a_fragment_that_a_table_can_hold() {
    for reason in Reason::ALL {
        for text in [reason.meaning(), reason.remedy()] {
            assert!(
                !text.is_empty() && !text.ends_with('.') && !text.contains(['|', '\n']),
                "{reason:?}: {text}"
            );
        }
    }
}

/// Programs of others match on these words, and wait or fail by their meaning.
#[test]
fn no_reason_is_renamed_or_becomes_another_kind() {
    let known = [
        (
            Kind::Notice,
            "InSync NewestActive NotNewestActive Retiring Revoked Ready NotReady Healed LeftOut KeyAdded",
        ),
        (
            Kind::Permanent,
            "NoMatchingKey CannotOpen TooManyTrials Superseded WrongPlace WrongScope ItemAltered EnvelopeAltered \
             MissingKey WrongKeys DuplicateKey WrongRecipients UnusedEnvelope InvalidName InvalidTemplate \
             NotForTemplates Malformed MalformedEnvelope UnknownVersion ScopeRefused NamespaceRefused ForeignSecret \
             FieldConflict ImmutableSecret SecretTooLarge SecretRefused Ambiguous IdentityMissing StateUnreadable \
             LaterVersion Planted Duplicate NamespaceMissing",
        ),
        (
            Kind::Transient,
            "Contested Conflict NotFound Forbidden ApiBusy ApiError ApiUnavailable Interrupted NoSpace OutputFailed \
             StatusFailed KeyUnreadable",
        ),
    ];
    for (kind, words) in known {
        for word in words.split_whitespace() {
            let reason = Reason::ALL.iter().find(|reason| reason.as_str() == word);
            assert_eq!(reason.map(|reason| reason.facts().kind), Some(kind), "{word}");
        }
    }
}
