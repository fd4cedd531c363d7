//! Two files that should have the same items, such as those of production and staging.
//!
//! Invariant: only names are shown; of values only whether they are the same, and only to whoever opens both.

use std::collections::BTreeMap;

use seal_foreign::{line, word};

use super::snapshot::{Seen, Snapshot, is_same_value};

/// What a comparison found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Beside {
    /// One line for each fact: `missing in prod: smtp-pass`.
    pub(crate) lines: Vec<String>,
    /// Something is on one side alone, or different.
    pub(crate) is_different: bool,
}

/// Compares two files. Objects are the same if both files have one, else by their names without the namespace.
pub(crate) fn beside(one: &Snapshot, other: &Snapshot) -> Beside {
    let (left, right) = names(&one.path, &other.path);
    let mut found = Beside { lines: Vec::new(), is_different: false };
    let is_single = one.objects.len() == 1 && other.objects.len() == 1;
    let name = |seen: &'_ Seen| if is_single { None } else { seen.object_name().name.clone() };
    let by_name = |snapshot: &'_ Snapshot| -> BTreeMap<Option<String>, usize> {
        let names = snapshot.objects.iter().enumerate().rev();
        names.map(|(index, seen)| (name(seen), index)).collect()
    };
    let (in_one, in_other) = (by_name(one), by_name(other));
    let prefix = |seen: &Seen| {
        if is_single { String::new() } else { format!("{}: ", line(&seen.object_name().to_string(), 256)) }
    };
    let missing = |side: &str, seen: &Seen| {
        format!("missing in {side}: {}", line(&seen.object_name().to_string(), 256))
    };
    for was in &one.objects {
        match in_other.get(&name(was)) {
            Some(is) => found.compare(was, &other.objects[*is], &left, &right, &prefix(was)),
            None => found.differ(missing(&right, was)),
        }
    }
    for is in &other.objects {
        if !in_one.contains_key(&name(is)) {
            found.differ(missing(&left, is));
        }
    }
    found
}

impl Beside {
    fn differ(&mut self, line: String) {
        self.lines.push(line);
        self.is_different = true;
    }

    fn compare(&mut self, was: &Seen, is: &Seen, left: &str, right: &str, prefix: &str) {
        let (old, new) = (was.items(), is.items());
        let list = |items: Vec<&str>| items.into_iter().map(word).collect::<Vec<_>>().join(", ");
        let missing_right: Vec<&str> = old.difference(&new).copied().collect();
        let missing_left: Vec<&str> = new.difference(&old).copied().collect();
        if !missing_left.is_empty() {
            self.differ(format!("{prefix}missing in {left}: {}", list(missing_left)));
        }
        if !missing_right.is_empty() {
            self.differ(format!("{prefix}missing in {right}: {}", list(missing_right)));
        }
        let (mut same, mut different) = (Vec::new(), Vec::new());
        for item in old.intersection(&new) {
            match is_same_value(was, is, item) {
                Some(true) => same.push(*item),
                Some(false) => different.push(*item),
                None => {}
            }
        }
        if !same.is_empty() {
            self.lines.push(format!("{prefix}same: {}", list(same)));
        }
        if !different.is_empty() {
            self.differ(format!("{prefix}different: {}", list(different)));
        }
    }
}

/// The names of two files for people: the first part of the path by which they differ; the whole paths if that is the file's
/// name.
fn names(one: &str, other: &str) -> (String, String) {
    let (left, right): (Vec<&str>, Vec<&str>) = (one.split('/').collect(), other.split('/').collect());
    let at = left.iter().zip(&right).position(|(a, b)| a != b);
    match at {
        Some(at) if at + 1 < left.len() && at + 1 < right.len() => (word(left[at]), word(right[at])),
        _ => (line(one, 256), line(other, 256)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_named_by_the_directory_that_tells_them_apart() {
        let found = |one, other| names(one, other);
        let pair = |one: &str, other: &str| (one.to_owned(), other.to_owned());
        assert_eq!(found("clusters/prod/db.yaml", "clusters/staging/db.yaml"), pair("prod", "staging"));
        assert_eq!(found("prod.yaml", "staging.yaml"), pair("prod.yaml", "staging.yaml"));
        assert_eq!(found("a/x.yaml", "a/y.yaml"), pair("a/x.yaml", "a/y.yaml"));
        assert_eq!(found("x.yaml", "x.yaml"), pair("x.yaml", "x.yaml"));
    }
}
