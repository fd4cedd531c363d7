//! Tests of pins: which lines are read and which are refused, and that a text with marks raised keeps the rest.

use super::*;
use crate::keys::tests::{SSH_RECIPIENT, X25519_RECIPIENT, hybrid_recipient};

fn fingerprint(n: u8) -> Fingerprint {
    format!("{n:02x}").repeat(32).parse().unwrap()
}

fn marked(mark: Mark, since: &str, name: &str) -> Marked {
    Marked { mark, since: since.parse().unwrap(), name: name.parse().unwrap() }
}

fn marks<const N: usize>(marks: [(u8, Mark); N]) -> BTreeMap<Fingerprint, Marked> {
    marks.into_iter().map(|(n, mark)| (fingerprint(n), marked(mark, "2026-11-27", "sealing-key-2"))).collect()
}

#[test]
fn a_file_of_pins_has_recipients_and_marks() {
    let text = format!(
        "\u{feff}# name: prod\r\n{X25519_RECIPIENT}\r\n\r\n# retiring: {} 2025-11-27 sealing-key-first\r\n\
         # revoked: {} 2026-01-02 Anna's old laptop\n{SSH_RECIPIENT}\n# destroyed: {} 2026-02-03 é # :\n",
        fingerprint(1),
        fingerprint(2),
        fingerprint(3)
    );
    let pins = Pins::parse(&text).unwrap();
    assert_eq!(pins.recipients(), [X25519_RECIPIENT.parse().unwrap(), SSH_RECIPIENT.parse().unwrap()]);
    assert_eq!(
        pins.marks().map(|(fingerprint, marked)| (*fingerprint, marked.clone())).collect::<Vec<_>>(),
        [
            (fingerprint(1), marked(Mark::Retiring, "2025-11-27", "sealing-key-first")),
            (fingerprint(2), marked(Mark::Revoked, "2026-01-02", "Anna's old laptop")),
            (fingerprint(3), marked(Mark::Destroyed, "2026-02-03", "é # :")),
        ]
    );
    assert!(pins.lists(&fingerprint(1)) && pins.lists(&Fingerprint::of(X25519_RECIPIENT)));
    assert!(!pins.lists(&fingerprint(4)));
}

#[test]
fn a_marked_line_has_this_form_for_ever() {
    let line = marked(Mark::Revoked, "2026-11-27", "sealing-key-2").line(&fingerprint(0xab));
    assert_eq!(
        line,
        "# revoked: abababababababababababababababababababababababababababababababab 2026-11-27 sealing-key-2"
    );
    assert_eq!(Mark::ALL.map(Mark::as_str), ["retiring", "destroyed", "revoked"]);
}

#[test]
fn older_readers_skip_the_marks() {
    let text =
        raise(&format!("{X25519_RECIPIENT}\n"), &marks([(1, Mark::Revoked), (2, Mark::Retiring)])).unwrap();
    assert_eq!(parse_recipients(&text).unwrap(), [X25519_RECIPIENT.parse().unwrap()]);
}

#[test]
fn a_file_may_have_marks_and_no_recipient() {
    for text in ["", "# nobody\n", &raise("", &marks([(1, Mark::Revoked)])).unwrap()] {
        assert!(Pins::parse(text).unwrap().recipients().is_empty());
    }
}

#[test]
fn a_comment_that_begins_as_a_mark_and_is_none_is_refused() {
    let key = fingerprint(1);
    let form = |mark| Err(MarkError::Form(mark));
    let long = "x".repeat(81);
    for (line, expected) in [
        (format!("#revoked: {key} 2026-11-27 k"), form(Mark::Revoked)),
        (format!("# Revoked: {key} 2026-11-27 k"), form(Mark::Revoked)),
        (format!(" # revoked: {key} 2026-11-27 k"), form(Mark::Revoked)),
        (format!("## revoked: {key} 2026-11-27 k"), form(Mark::Revoked)),
        (format!("# revoked : {key} 2026-11-27 k"), form(Mark::Revoked)),
        (format!("#\u{a0}revoked: {key} 2026-11-27 k"), form(Mark::Revoked)),
        (format!("# revoked:{key} 2026-11-27 k"), form(Mark::Revoked)),
        (format!("# revoked {key} 2026-11-27 k"), form(Mark::Revoked)),
        (format!("#REVOKED - {} k", key.to_string().to_uppercase()), form(Mark::Revoked)),
        (format!("# retiring: {key}"), form(Mark::Retiring)),
        (format!("# retiring: {key} 2026-11-27"), form(Mark::Retiring)),
        ("# destroyed: see the wiki".to_owned(), Err(MarkError::Fingerprint)),
        (format!("# revoked:  {key} 2026-11-27 k"), Err(MarkError::Fingerprint)),
        (format!("# revoked: {} 2026-11-27 k", "AB".repeat(32)), Err(MarkError::Fingerprint)),
        (format!("# revoked: {} 2026-11-27 k", key.short()), Err(MarkError::Fingerprint)),
        (format!("# revoked: {key}  2026-11-27 k"), Err(MarkError::Date)),
        (format!("# revoked: {key} yesterday k"), Err(MarkError::Date)),
        (format!("# revoked: {key} 2026-02-30 k"), Err(MarkError::Date)),
        (format!("# revoked: {key} 2026-11-27 "), Err(MarkError::Name)),
        (format!("# revoked: {key} 2026-11-27  k"), Err(MarkError::Name)),
        (format!("# revoked: {key} 2026-11-27 k "), Err(MarkError::Name)),
        (format!("# revoked: {key} 2026-11-27 a\u{202e}b"), Err(MarkError::Name)),
        (format!("# revoked: {key} 2026-11-27 {long}"), Err(MarkError::Name)),
    ] {
        let found = parse_line(&line);
        assert_eq!(found.clone().map(|_| ()), expected, "{line:?}");
        let error = Pins::parse(&format!("{X25519_RECIPIENT}\n{line}\n")).unwrap_err();
        assert_eq!(error, PinsError::Mark { line: 2, source: found.unwrap_err() });
        assert!(raise(&line, &BTreeMap::new()).is_err(), "what isn't understood isn't edited");
    }
}

/// Each of these looks like a mark in some program.
#[test]
fn a_line_with_a_fingerprint_that_is_no_mark_is_refused() {
    let key = fingerprint(1);
    let digits = key.to_string();
    let (one, other) = digits.split_at(32);
    for line in [
        format!("# note\r# revoked: {key} 2026-11-27 k"),
        format!("{}\r# revoked: {key} 2026-11-27 k", SSH_RECIPIENT.trim_end()),
        format!("# \u{200b}revoked: {key} 2026-11-27 k"),
        format!("# \u{200b}revoked: {one}\u{200b}{other} 2026-11-27 k"),
        format!("# rev\u{43e}ked: {key} 2026-11-27 k"),
        format!("# rev\u{43e}ked:{}0 2026-11-27 k", key.to_string().to_uppercase()),
        format!("# formerly revoked: {key}"),
        format!("# fingerprint: {key} # revoked: {key} 2026-11-27 k"),
        format!("# fingerprint: {key}\r"),
        key.to_string(),
    ] {
        assert_eq!(parse_line(&line), Err(MarkError::Unmarked), "{line:?}");
        let text = format!("{X25519_RECIPIENT}\n{line}\n#\n");
        let error = PinsError::Mark { line: 2, source: MarkError::Unmarked };
        if !line.ends_with('\r') {
            assert_eq!(Pins::parse(&text), Err(error.clone()), "{line:?}");
            assert_eq!(raise(&text, &BTreeMap::new()), Err(error), "what isn't understood isn't edited");
        }
    }
}

#[test]
fn what_other_programs_write_into_such_a_file_is_read() {
    let key = Fingerprint::of(X25519_RECIPIENT);
    let commit = "7e".repeat(20);
    let text = format!(
        "# context: {key}\n# server: https://{key}.example.com\r\n\n# name: prod\n# created: 2026-11-27T10:00:00Z\n# fingerprint: \
         {key}\r\n{X25519_RECIPIENT}\n# public key: {}\n# as of commit {commit}\n# {SSH_RECIPIENT}\n{}\n",
        hybrid_recipient(),
        hybrid_recipient()
    );
    assert_eq!(Pins::parse(&text).unwrap().recipients().len(), 2);
}

#[test]
fn other_comments_stay_comments() {
    for line in [
        "# revoked keys are below",
        "# name: revoked: x",
        "# the revoked: ones",
        "#",
        "# : revoked:",
        "revoked",
    ] {
        assert_eq!(parse_line(line), Ok(None), "{line:?}");
    }
}

#[test]
fn a_line_that_is_no_recipient_is_named_and_not_shown() {
    let error = Pins::parse(&format!("{X25519_RECIPIENT}\nAGE-SECRET-KEY-1QQ\n")).unwrap_err();
    assert_eq!(error, PinsError::Recipient { line: 2, source: RecipientError::Identity });
}

#[test]
fn the_highest_mark_of_a_key_counts_wherever_it_stands() {
    for order in
        [[Mark::Retiring, Mark::Destroyed, Mark::Revoked], [Mark::Revoked, Mark::Retiring, Mark::Destroyed]]
    {
        let lines = order.map(|mark| marked(mark, "2026-11-27", "k").line(&fingerprint(1)));
        let one_file = Pins::parse(&lines.join("\n")).unwrap();
        assert_eq!(one_file.marked(&fingerprint(1)).unwrap().mark, Mark::Revoked);
        let mut several = Pins::default();
        several.extend(lines.iter().map(|line| Pins::parse(line).unwrap()));
        assert_eq!(several.marked(&fingerprint(1)).unwrap().mark, Mark::Revoked);
    }
    let mut pins = Pins::parse(hybrid_recipient()).unwrap();
    pins.extend([Pins::parse(hybrid_recipient()).unwrap(), Pins::parse(X25519_RECIPIENT).unwrap()]);
    assert_eq!(pins.recipients().len(), 2);
}

#[test]
fn marks_go_to_the_end_sorted_and_keep_every_other_byte() {
    let line = |n, mark| marked(mark, "2026-11-27", "sealing-key-2").line(&fingerprint(n));
    let (two, seven) = (line(2, Mark::Retiring), line(7, Mark::Revoked));
    let both = marks([(7, Mark::Revoked), (2, Mark::Retiring)]);
    for (text, expected) in [
        (String::new(), format!("{two}\n{seven}\n")),
        ("# ours\n".to_owned(), format!("# ours\n\n{two}\n{seven}\n")),
        (X25519_RECIPIENT.to_owned(), format!("{X25519_RECIPIENT}\n\n{two}\n{seven}\n")),
        (format!("{X25519_RECIPIENT}\n\n"), format!("{X25519_RECIPIENT}\n\n{two}\n{seven}\n")),
        (
            format!("\u{feff}{X25519_RECIPIENT}\r\n"),
            format!("\u{feff}{X25519_RECIPIENT}\r\n\n{two}\n{seven}\n"),
        ),
    ] {
        let raised = raise(&text, &both).unwrap();
        assert_eq!(raised, expected);
        assert_eq!(raise(&raised, &both).unwrap(), raised, "a second time changes nothing");
    }
}

#[test]
fn a_new_mark_finds_its_place_among_the_others() {
    let line = |n, mark| marked(mark, "2026-11-27", "sealing-key-2").line(&fingerprint(n));
    let text = format!("{}\n# why: it leaked\n{}", line(2, Mark::Retiring), line(5, Mark::Revoked));
    let raised =
        raise(&text, &marks([(1, Mark::Revoked), (3, Mark::Destroyed), (9, Mark::Revoked)])).unwrap();
    let expected = [
        line(1, Mark::Revoked),
        line(2, Mark::Retiring),
        "# why: it leaked".to_owned(),
        line(3, Mark::Destroyed),
        line(5, Mark::Revoked),
        line(9, Mark::Revoked),
    ];
    assert_eq!(raised, format!("{}\n", expected.join("\n")));
}

#[test]
fn a_mark_rises_in_its_place_and_never_falls() {
    let old = marked(Mark::Destroyed, "2026-01-01", "first").line(&fingerprint(1));
    let text = format!("\u{feff}{old}\r\n# after\n");
    let revoked = marked(Mark::Revoked, "2026-11-27", "sealing-key-2").line(&fingerprint(1));
    let raised = raise(&text, &marks([(0, Mark::Retiring), (1, Mark::Revoked)])).unwrap();
    let new = marked(Mark::Retiring, "2026-11-27", "sealing-key-2").line(&fingerprint(0));
    assert_eq!(raised, format!("\u{feff}{new}\n{revoked}\r\n# after\n"));
    for lower in [Mark::Retiring, Mark::Destroyed] {
        assert_eq!(raise(&text, &marks([(1, lower)])).unwrap(), text);
    }
}

#[test]
fn any_text_becomes_a_name() {
    for (text, name) in
        [("sealing-key-2", "sealing-key-2"), (" a\nb ", "a\\nb"), ("", "unnamed"), ("\u{202e}", "\\u{202e}")]
    {
        assert_eq!(PinName::shortened(text).as_str(), name);
    }
    let long = PinName::shortened(&"é".repeat(300));
    assert_eq!(long.as_str().chars().count(), 80);
    assert_eq!(long.as_str().parse(), Ok(long.clone()));
}
