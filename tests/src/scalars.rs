//! Texts at random that some reader of YAML takes for something else than a text, or for part of the syntax: dates,
//! numbers, indicators, ends of lines, long lines.
//!
//! The tests that compare our YAML with that of a real Go program draw from here, each for its program. Not the texts
//! that a person thought of; each test keeps its own. Invariant: the texts are the same in every run.

use seal_random::Random;

const PARTS: [&str; 60] = [
    "0",
    "1",
    "7",
    "9",
    "24",
    "59",
    "60",
    "2001",
    "-",
    "-",
    ":",
    ":",
    ".",
    ",",
    "_",
    "+",
    "T",
    "t",
    "Z",
    " ",
    " ",
    "2001-01-01",
    "2001-1-1",
    "T00:00:00",
    " 00:00:00",
    "+24:60",
    "+25:00",
    "e",
    "E",
    "e+3",
    "0x",
    "0b",
    "0o",
    "f",
    "inf",
    ".nan",
    "null",
    "~",
    "on",
    "y",
    "#",
    ": ",
    "- ",
    "? ",
    "'",
    "\"",
    "\\",
    "[",
    "{",
    "*",
    "&",
    "<<",
    "\n",
    "\n",
    "\t",
    "\u{2028}",
    "\u{85}",
    "é",
    "\u{1f600}",
    "a word or two that fill a line, sooner or later",
];

/// So many texts, each of a few parts.
pub fn random(count: usize) -> Vec<String> {
    let mut random = Random(0x5ca1a);
    let text = |random: &mut Random| {
        let length = 1 + random.below(8);
        (0..length).map(|_| PARTS[random.below(PARTS.len())]).collect()
    };
    (0..count).map(|_| text(&mut random)).collect()
}
