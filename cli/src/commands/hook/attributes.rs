//! The lines for `.gitattributes`: put in, and taken out again.
//!
//! Invariant: no line of anybody else's changes, and a file that names the merge driver already is left as it is: somebody
//! chose for which paths.

use super::super::git::setup::ATTRIBUTES;

/// The file, at the top of the work tree.
pub(super) const FILE_NAME: &str = ".gitattributes";

/// A comment above the lines, for those who meet them in a fresh clone.
const HEADING: &str =
    "# SealedSecrets are merged item by item. Git has to be told in each clone: seal hook install";

/// The attribute that a line needs to be one of ours.
const MERGE: &str = "merge=seal";

/// The names of files for which the lines are, one for each line.
pub(super) fn samples() -> Vec<String> {
    let pattern = |line: &str| line.split(' ').next().unwrap_or_default().replace('*', "seal-hook-sample");
    ATTRIBUTES.lines().map(pattern).collect()
}

/// The file with the lines; `None` if it has some already.
pub(super) fn with_lines(old: &[u8]) -> Option<Vec<u8>> {
    if lines(old).any(is_about_us) {
        return None;
    }
    let mut new = old.to_vec();
    if !new.is_empty() && !new.ends_with(b"\n") {
        new.push(b'\n');
    }
    new.extend(format!("{HEADING}\n{ATTRIBUTES}").bytes());
    Some(new)
}

/// The file without the lines that were put in; `None` if there are none.
pub(super) fn without_lines(old: &[u8]) -> Option<Vec<u8>> {
    let is_ours = |line: &[u8]| {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        line == HEADING.as_bytes() || ATTRIBUTES.lines().any(|ours| line == ours.as_bytes())
    };
    let new: Vec<u8> =
        old.split_inclusive(|byte| *byte == b'\n').filter(|line| !is_ours(line)).flatten().copied().collect();
    (new.len() < old.len()).then_some(new)
}

/// Whether the file has lines that name the merge driver.
pub(super) fn has_lines(text: &[u8]) -> bool {
    lines(text).any(is_about_us)
}

fn is_about_us(line: &[u8]) -> bool {
    let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    words.next().is_some_and(|pattern| !pattern.starts_with(b"#"))
        && words.any(|word| word == MERGE.as_bytes())
}

fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| *byte == b'\n')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_and_go_and_leave_all_others_as_they_were() {
        for old in ["", "*.png binary\n", "# merge=seal\n*.yaml text eol=lf\n", "a b\r\n\n\n"] {
            let new = with_lines(old.as_bytes()).unwrap();
            assert!(new.starts_with(old.as_bytes()) && has_lines(&new));
            assert_eq!(with_lines(&new), None);
            assert_eq!(without_lines(&new).unwrap(), old.as_bytes());
        }
        let new = with_lines(b"*.png binary").unwrap();
        assert!(new.starts_with(b"*.png binary\n# Sealed"));
        assert_eq!(without_lines(b"*.png binary\n"), None);
    }

    #[test]
    fn a_choice_of_paths_is_left_as_it_is() {
        for chosen in ["clusters/**  text merge=seal\n", "*.yaml diff=seal merge=seal"] {
            assert_eq!(with_lines(chosen.as_bytes()), None);
        }
        assert_eq!(without_lines(b"clusters/** merge=seal\n"), None);
    }

    #[test]
    fn each_pattern_has_a_sample() {
        assert_eq!(samples(), ["seal-hook-sample.yaml", "seal-hook-sample.yml", "seal-hook-sample.json"]);
    }
}
