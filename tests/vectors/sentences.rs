//! The message of a refusal, in two parts: the values that it names, which a vector holds for ever, and its English,
//! which [`FILE`] holds in its present form.
//!
//! Invariant: a sentence may change in a commit that shows the difference in [`FILE`]; a sentence that no
//! longer names a value fails, in any words.

use std::collections::BTreeMap;
use std::fs;

use super::{Refusal, Refused, bitnami, dir, native_refusals};

/// The file of sentences: on each line a vector without its `.yaml`, and its sentence.
const FILE: &str = "sentences.txt";

/// The words of a sentence: the text between spaces, without a bracket or quotes around it and without the punctuation
/// after it. So `16` isn't `1`, and `envelopes[0].keys` isn't `envelopes[0]`.
fn words(sentence: &str) -> Vec<&str> {
    let bare = sentence
        .split_whitespace()
        .map(|text| text.trim_start_matches('(').trim_end_matches([',', ';', ':', '.', ')']));
    bare.map(|text| text.trim_matches('"')).collect()
}

/// The names that a sentence lacks. A name that is listed twice has to be there twice.
fn unnamed<'n>(names: &'n [String], sentence: &str) -> Vec<&'n str> {
    let mut words = words(sentence);
    let mut missing = Vec::new();
    for name in names {
        match words.iter().position(|word| word == name) {
            Some(at) => drop(words.swap_remove(at)),
            None => missing.push(name.as_str()),
        }
    }
    missing
}

/// Asserts that the reason is that of the vector, and that the sentence names every value.
#[track_caller]
pub(super) fn assert_refused(file: &str, found: &Refusal, expected: &Refused) {
    assert_eq!(found.reason, expected.reason, "{file}");
    let sentence = found.sentence.as_deref();
    assert_eq!(sentence.is_none(), expected.names.is_empty(), "{file}: every sentence names something");
    let missing = unnamed(&expected.names, sentence.unwrap_or_default());
    assert!(missing.is_empty(), "{file}: {missing:?} is missing in: {}", sentence.unwrap_or_default());
}

/// With `SEAL_UPDATE=sentences`, writes the present sentences to the file.
#[test]
fn sentences_are_those_that_were_written_down() {
    let refusals = native_refusals().into_iter().chain(bitnami::refusals());
    let sentences = refusals.filter_map(|(file, found, _)| Some((file, found.sentence?)));
    let found: BTreeMap<_, _> =
        sentences.map(|(file, sentence)| (file.trim_end_matches(".yaml").to_owned(), sentence)).collect();
    let path = dir().join(FILE);
    if std::env::var("SEAL_UPDATE").is_ok_and(|what| what == "sentences") {
        let lines = found.iter().map(|(file, sentence)| format!("{file}: {sentence}\n"));
        fs::write(&path, lines.collect::<String>()).unwrap();
    }
    let text = fs::read_to_string(path).unwrap();
    let line = |line: &str| {
        let (file, sentence) = line.split_once(": ").expect("a line has a vector and a sentence");
        (file.to_owned(), sentence.to_owned())
    };
    let lines: Vec<_> = text.lines().map(line).collect();
    assert!(lines.is_sorted(), "the vectors are in order");
    let mut written: BTreeMap<_, _> = lines.into_iter().collect();
    for (file, sentence) in &found {
        assert_eq!(written.remove(file).as_ref(), Some(sentence), "{file}");
    }
    assert!(written.is_empty(), "no vector says {written:?}");
}

#[test]
fn a_name_is_found_as_a_whole_word_only() {
    let sentence = "item user is in \"..data\" 16 times (key 3eec): sealed for prod/db, at envelopes[10].age";
    for name in ["user", "..data", "16", "3eec", "prod/db", "envelopes[10].age"] {
        assert!(unnamed(&[name.to_owned()], sentence).is_empty(), "{name}");
    }
    for part in ["use", "data", "1", "6", "3ee", "prod", "db", "envelopes[1]", "envelopes[10]", "age"] {
        assert_eq!(unnamed(&[part.to_owned()], sentence), [part]);
    }
    let twice = ["16", "16"].map(str::to_owned);
    assert_eq!(unnamed(&twice, sentence), ["16"]);
    assert!(unnamed(&twice, "16 of 16").is_empty());
}
