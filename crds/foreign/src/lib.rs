//! Words of others, escaped and cut for a message: names, paths and texts out of manifests, templates and files.
//!
//! The threat: the author of such a word drives the terminal of a person who reads the message (escape sequences),
//! hides or reorders the text around it (zero-width characters, bidi, tags), adds a false line to a log, or fills
//! status, Events and logs. So the code that makes a message puts every such word through [`word`] or [`path`]. And
//! every message of a controller goes through [`message`] on its way out, in case a word was forgotten.
//!
//! The functions don't judge the meaning of a word. Plaintext is in no message at all. Invariants: a result has no
//! [unprintable](is_unprintable) character, except for the line ends in a result of [`lines`]; it is never longer
//! than its bound; and [`message`] and [`lines`] don't change their own results.

use std::path::Path;

/// The most bytes of a word, escapes included.
pub const MAX_WORD: usize = 128;
/// The most bytes of a path. The end of a longer path is kept, because it names the file.
pub const MAX_PATH: usize = 256;
/// The most bytes of a whole message. Kubernetes takes 1,024 in an Event, where a reason stands before the message, and
/// 32,768 in a condition.
pub const MAX_MESSAGE: usize = 1000;
/// The most bytes of a message for a terminal, which may have several lines.
pub const MAX_LINES: usize = 4096;

const ELLIPSIS: char = '…';

/// `true` if a character shows nothing itself, or changes how other characters are shown: controls, line and paragraph
/// separators, format characters (general category Cf), and characters that programs may ignore if they don't know them
/// (`Default_Ignorable_Code_Point`: fillers, variation selectors, tags); also the blank of Braille.
pub fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}'
            | '\u{890}'..='\u{891}' | '\u{8e2}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
            | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{110bd}' | '\u{110cd}' | '\u{13430}'..='\u{1343f}'
            | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// A word for a message: escaped, quotes and backslashes too, so that it can't end the quotes around it, and cut.
pub fn word(word: &str) -> String {
    shown(word.chars(), MAX_WORD, |c| is_unprintable(c) || matches!(c, '"' | '\\')).collect()
}

/// A path for a message: escaped, and cut at the front.
pub fn path(path: &Path) -> String {
    let path = path.to_string_lossy();
    // The characters go backwards, so that the front is cut. An escape is kept or cut as a whole, like a character.
    let kept = shown(path.chars().rev(), MAX_PATH, is_unprintable);
    kept.rev().collect()
}

/// A whole message: escaped, and cut.
pub fn message(text: &str) -> String {
    line(text, MAX_MESSAGE)
}

/// A line of a report, of at most `max` bytes: escaped, line ends too, and cut.
pub fn line(text: &str, max: usize) -> String {
    shown(text.chars(), max, is_unprintable).collect()
}

/// A text of several lines, of at most `max` bytes: escaped except for the line ends, and cut.
pub fn lines(text: &str, max: usize) -> String {
    shown(text.chars(), max, |c| c != '\n' && is_unprintable(c)).collect()
}

/// The characters, or escapes in their place, up to `max` bytes; then an ellipsis if characters are left.
fn shown(
    characters: impl Iterator<Item = char>,
    max: usize,
    is_escaped: impl Fn(char) -> bool,
) -> std::vec::IntoIter<String> {
    let (mut pieces, mut length, mut fitting) = (Vec::new(), 0, 0);
    for c in characters {
        let piece = if is_escaped(c) { c.escape_default().to_string() } else { c.to_string() };
        length += piece.len();
        pieces.push(piece);
        if length > max {
            pieces.truncate(fitting);
            pieces.push(ELLIPSIS.to_string());
            break;
        }
        if length + ELLIPSIS.len_utf8() <= max {
            fitting = pieces.len();
        }
    }
    pieces.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each of these characters hides, reorders or blanks the text beside it in some program.
    const HOSTILE: [char; 34] = [
        '\0',
        '\u{7}',
        '\u{8}',
        '\n',
        '\r',
        '\t',
        '\u{1b}',
        '\u{7f}',
        '\u{85}',
        '\u{9b}',
        '\u{ad}',
        '\u{34f}',
        '\u{61c}',
        '\u{115f}',
        '\u{180e}',
        '\u{200b}',
        '\u{200d}',
        '\u{200f}',
        '\u{2028}',
        '\u{2029}',
        '\u{202e}',
        '\u{2060}',
        '\u{2066}',
        '\u{2069}',
        '\u{2800}',
        '\u{3164}',
        '\u{fe0f}',
        '\u{feff}',
        '\u{ffa0}',
        '\u{fff9}',
        '\u{fffb}',
        '\u{e0001}',
        '\u{e0041}',
        '\u{e01ef}',
    ];

    #[test]
    fn what_drives_a_terminal_hides_or_reorders_is_escaped() {
        for c in HOSTILE {
            let text = format!("a{c}b");
            let expected = format!("a{}b", c.escape_default());
            assert_eq!(word(&text), expected);
            assert_eq!(message(&text), expected);
            assert_eq!(path(Path::new(&text)), expected);
            assert_eq!(lines(&text, MAX_LINES), if c == '\n' { text } else { expected });
        }
        for text in ["é", "e\u{301}", "日本語", "שלום", "हिन्दी", "😀", "a b", "a'b", "ﬁ", "\u{a0}"]
        {
            assert_eq!((word(text), message(text)), (text.to_owned(), text.to_owned()));
        }
    }

    #[test]
    fn a_word_can_not_end_its_own_quotes() {
        assert_eq!(format!("\"{}\"", word(r#"x" is fine; "y\"#)), r#""x\" is fine; \"y\\""#);
    }

    #[test]
    fn everything_is_cut_on_characters_and_says_so() {
        for (name, shown, max) in [
            ("word", word as fn(&str) -> String, MAX_WORD),
            ("message", message, MAX_MESSAGE),
            ("lines", |text| lines(text, MAX_LINES), MAX_LINES),
            ("path", |text| path(Path::new(text)), MAX_PATH),
        ] {
            for c in ["x", "é", "日", "😀", "\u{202e}", "\u{1b}"] {
                let long = shown(&c.repeat(500_000));
                assert!(long.len() <= max && long.len() > max - 16, "{name} {c:?} {}", long.len());
                assert!(long.starts_with('…') != long.ends_with('…'), "{name} {long}");
                assert!(!long.chars().any(is_unprintable));
            }
            let most = "x".repeat(max);
            assert_eq!(shown(&most), most, "{name}");
        }
        assert!(path(Path::new(&format!("{}db.yaml", "d/".repeat(500)))).ends_with("/d/db.yaml"));
    }

    #[test]
    fn a_message_that_is_shown_twice_does_not_change() {
        for text in ["a\u{202e}\"b\\", &"\u{1b}\n\"".repeat(5000)] {
            assert_eq!(message(&message(text)), message(text));
            let lines = |text: &str| lines(text, MAX_LINES);
            assert_eq!(lines(&lines(text)), lines(text));
        }
    }
}
