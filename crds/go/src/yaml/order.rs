//! The order in which yaml.v2 writes keys: numbers inside of keys by their value, letters behind everything else.
//!
//! yaml.v2's relation isn't an order for keys with numbers that begin with zeros, so yaml.v2 writes them in varying
//! order. The standard library's sort may panic for such a relation; merging ends with any relation. Invariant: every
//! key comes out once, after `n log n` comparisons, and no key is copied.

use zeroize::Zeroizing;

/// The entries, sorted by their keys.
pub(super) fn sorted<T>(entries: &[(Zeroizing<String>, T)]) -> Vec<(&str, &T)> {
    match entries {
        [] => Vec::new(),
        [(key, value)] => vec![(key.as_str(), value)],
        _ => {
            let (left, right) = entries.split_at(entries.len() / 2);
            merge(&sorted(left), &sorted(right))
        }
    }
}

fn merge<'e, T>(left: &[(&'e str, &'e T)], right: &[(&'e str, &'e T)]) -> Vec<(&'e str, &'e T)> {
    let mut merged = Vec::with_capacity(left.len() + right.len());
    let (mut left, mut right) = (left, right);
    while let ([one, left_rest @ ..], [other, right_rest @ ..]) = (left, right) {
        if is_less(other.0, one.0) {
            merged.push(*other);
            right = right_rest;
        } else {
            merged.push(*one);
            left = left_rest;
        }
    }
    merged.extend_from_slice(left);
    merged.extend_from_slice(right);
    merged
}

/// yaml.v2's `keyList.Less`.
fn is_less(one: &str, other: &str) -> bool {
    let same = one.char_indices().zip(other.chars()).find(|((_, a), b)| a != b);
    let Some(((at, a), b)) = same else {
        return one.len() < other.len();
    };
    match (a.is_alphabetic(), b.is_alphabetic()) {
        (true, true) => return a < b,
        (false, false) => {}
        (_, other_is_letter) => return other_is_letter,
    }
    // Zeros behind another digit are part of a number; zeros without one stand in front of a number.
    let before = one[..at].bytes().rev().take_while(u8::is_ascii_digit);
    let is_within = (a == '0' || b == '0') && before.into_iter().any(|byte| byte != b'0');
    let number = |text: &str| {
        let digits = text[at..].bytes().take_while(u8::is_ascii_digit);
        digits.fold((i64::from(is_within), 0_usize), |(value, length), byte| {
            (value.wrapping_mul(10).wrapping_add(i64::from(byte - b'0')), length + 1)
        })
    };
    (number(one), a) < (number(other), b)
}
