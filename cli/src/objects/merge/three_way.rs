//! The rule of every three-way merge, for one value.
//!
//! Invariant: nothing but equality is asked of a value.

/// The two sides changed a value in different ways.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct BothChanged;

/// The value that both sides agree on: that of the side that changed it.
pub(super) fn three_way<T: PartialEq>(base: T, ours: T, theirs: T) -> Result<T, BothChanged> {
    if ours == theirs || theirs == base {
        Ok(ours)
    } else if ours == base {
        Ok(theirs)
    } else {
        Err(BothChanged)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_side_that_changed_a_value_decides() {
        for (base, ours, theirs, expected) in [
            (Some(1), Some(1), Some(1), Ok(Some(1))),
            (Some(1), Some(2), Some(1), Ok(Some(2))),
            (Some(1), Some(1), Some(2), Ok(Some(2))),
            (Some(1), Some(2), Some(2), Ok(Some(2))),
            (Some(1), None, Some(1), Ok(None)),
            (Some(1), Some(1), None, Ok(None)),
            (None, Some(1), None, Ok(Some(1))),
            (None, Some(1), Some(2), Err(BothChanged)),
            (Some(1), Some(2), Some(3), Err(BothChanged)),
            (Some(1), None, Some(2), Err(BothChanged)),
        ] {
            assert_eq!(three_way(base, ours, theirs), expected, "{base:?} {ours:?} {theirs:?}");
        }
    }
}
