//! Patches among the objects: kustomize and kubectl merge one into another object, as its directives say.
//!
//! The directives are those of Kubernetes' strategic merge patch. The reader of a Secret decides what becomes of one
//! that is a patch.

/// Whether a key is a directive: `$patch`, `$retainKeys`, `$setElementOrder/<list>`, `$deleteFromPrimitiveList/<list>`.
pub fn is_directive(key: &str) -> bool {
    let is_list = |name: &str| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric());
    match key.split_once('/') {
        Some(("$setElementOrder" | "$deleteFromPrimitiveList", list)) => is_list(list),
        _ => matches!(key, "$patch" | "$retainKeys"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_names_of_directives_are_directives() {
        for key in
            ["$patch", "$retainKeys", "$setElementOrder/finalizers", "$deleteFromPrimitiveList/finalizers"]
        {
            assert!(is_directive(key), "{key}");
        }
        for key in [
            "patch",
            "$",
            "$hunter2",
            "$setElementOrder",
            "$setElementOrder/",
            "$setElementOrder/a b",
            "$patch/x",
        ] {
            assert!(!is_directive(key), "{key}");
        }
    }
}
