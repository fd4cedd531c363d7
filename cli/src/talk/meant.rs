//! The word that was meant by a word that isn't known: `recipeints` means `recipients`.
//!
//! Invariant: a suggestion is one of the known words, and never the unknown one, which may be a value in the wrong place.

/// The most characters of a word that is compared. The comparison takes the square of the length.
const LONGEST: usize = 64;

/// The nearest of the known words, if it is near enough: two slips of the hand, and one in a short word.
pub(crate) fn meant<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    if word.chars().count() > LONGEST {
        return None;
    }
    let word = word.to_lowercase();
    let slips = if word.chars().count() <= 3 { 1 } else { 2 };
    let distance = |known: &str| strsim::damerau_levenshtein(&known.to_lowercase(), &word);
    let nearest =
        known.into_iter().map(|known| (distance(known), known)).min_by_key(|(distance, _)| *distance);
    nearest.filter(|(distance, _)| *distance <= slips).map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_hand_is_understood_and_another_word_is_not() {
        let known = ["recipients", "rules", "to", "nested"];
        assert_eq!(meant("recipeints", known), Some("recipients"));
        assert_eq!(meant("Rule", known), Some("rules"));
        assert_eq!(meant("ot", known), Some("to"));
        assert_eq!(meant("xy", known), None);
        assert_eq!(meant("password", known), None);
        assert_eq!(meant(&"r".repeat(100_000), known), None);
    }
}
