//! The markers that git writes around the lines of a merge conflict.
//!
//! A marker is a line that begins with the same character at least seven times, and then ends or has a blank. No marker can
//! stand in a mapping of YAML or in JSON, so a text that has one and can't be read is in the middle of a merge. Not the
//! settling of conflicts, which the command line does. Invariant: text that only speaks of markers, further in on a line,
//! has none.

/// The least length of a marker; git's attribute `conflict-marker-size` makes longer ones.
const MIN_LENGTH: usize = 7;

/// The byte at which the first conflict begins that is whole: its three kinds of markers, in their order and of one length.
pub fn conflict(text: &str) -> Option<usize> {
    let mut open: Option<Open> = None;
    for marker in markers(text) {
        match (marker.character, &mut open) {
            ('<', _) => open = Some(Open { at: marker.at, length: marker.length, is_parted: false }),
            ('=', Some(open)) if marker.length == open.length => open.is_parted = true,
            ('>', Some(open)) if marker.length == open.length && open.is_parted => return Some(open.at),
            _ => {}
        }
    }
    None
}

/// A conflict that has begun.
struct Open {
    at: usize,
    length: usize,
    /// The marker between its sides was there.
    is_parted: bool,
}

/// The byte at which the first marker stands that begins or ends a conflict. It may stand alone, as somebody leaves one who
/// takes out the others by hand.
pub(super) fn first_marker(text: &str) -> Option<usize> {
    markers(text).find(|marker| "<>".contains(marker.character)).map(|marker| marker.at)
}

struct Marker {
    at: usize,
    character: char,
    length: usize,
}

fn markers(text: &str) -> impl Iterator<Item = Marker> {
    let mut start = 0;
    text.split_inclusive('\n').filter_map(move |line| {
        let at = start;
        start += line.len();
        let character = line.chars().next().filter(|first| "<=>".contains(*first))?;
        let line = line.trim_end_matches(['\n', '\r']);
        let rest = line.trim_start_matches(character);
        let length = line.len() - rest.len();
        let is_marker = length >= MIN_LENGTH && (rest.is_empty() || rest.starts_with(' '));
        is_marker.then_some(Marker { at, character, length })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_conflict_is_three_markers_of_one_length_in_their_order() {
        for (text, at) in [
            ("a: 1\n<<<<<<< main\nb: 2\n=======\nb: 3\n>>>>>>> topic\n", Some(5)),
            ("<<<<<<<\r\n=======\r\n>>>>>>>\r\n", Some(0)),
            ("<<<<<<<<< a\n=========\n>>>>>>>>> b\n", Some(0)),
            ("<<<<<<< a\n<<<<<<< b\n=======\n>>>>>>> c\n", Some(10)),
            ("<<<<<<< a\n=========\n>>>>>>> b\n", None),
            ("<<<<<<< a\n>>>>>>> b\n", None),
            ("  <<<<<<< a\n  =======\n  >>>>>>> b\n", None),
            ("Heading\n=======\n", None),
            ("<<<<<<<a\n=======\n>>>>>>>b\n", None),
        ] {
            assert_eq!(conflict(text), at, "{text}");
        }
    }

    #[test]
    fn a_marker_that_stands_alone_is_found_where_it_begins_or_ends_a_conflict() {
        assert_eq!(first_marker("a: 1\n>>>>>>> topic\n"), Some(5));
        assert_eq!(first_marker("<<<<<<<\n"), Some(0));
        assert_eq!(first_marker("Heading\n=======\n> text\n"), None);
    }
}
