//! Conflicts whose markers would stand where neither choice is an object that anybody sealed.

use super::*;

/// What a person gets by either choice: ours, then theirs.
fn choices(merged: &Merged) -> [String; 2] {
    assert!(!merged.is_clean, "{}", merged.text);
    [Side::Ours, Side::Theirs].map(|side| conflict::take(&merged.text, MARKER_SIZE, side).unwrap())
}

#[test]
fn an_object_that_moved_on_one_side_and_changed_on_the_other_is_taken_whole() {
    let base = sealed(&["a", "m"]);
    let theirs = document(&set(&base, &["b"]));
    let ours = document(&sealed(&["a", "m"])).replace("namespace: prod", "namespace: stage");
    let merged = merge_texts(&document(&base), &ours, &theirs);
    assert_eq!(choices(&merged), [ours, theirs]);
    assert_eq!(merged.conflicts[0], "prod/db: removed in ours, changed in theirs");
    assert!(merged.conflicts[1].contains("the text merge"), "{:?}", merged.conflicts);
}

#[test]
fn sides_of_a_base_that_cannot_be_read_are_not_mixed_by_a_choice() {
    let base = sealed(&["a", "user"]);
    let unreadable = format!("{{{{ x\n{}", document(&base));
    let typed = |spec: &SealedSecretSpec, type_: &str| {
        let mut spec = spec.clone();
        spec.template.type_ = Some(type_.to_owned());
        document(&spec)
    };
    let ours = typed(&set(&base, &["b"]), "example.com/ours");
    let theirs = typed(&set(&without(&base, "user"), &["y2"]), "example.com/theirs");
    let merged = merge_texts(&unreadable, &ours, &theirs);
    for (choice, side) in choices(&merged).iter().zip([&ours, &theirs]) {
        let (choice, side) = (read(choice), read(side));
        assert!(choice.fault.is_none(), "{}", merged.text);
        assert!(Version::of(&choice).is_sealed_as(&Version::of(&side)), "{}", merged.text);
    }
}

#[test]
fn an_object_that_one_side_deleted_near_a_new_one_does_not_lend_it_its_items() {
    let base = sealed(&["a", "b"]);
    let named =
        |spec: &SealedSecretSpec, name: &str| document(spec).replace("name: db", &format!("name: {name}"));
    let two = named(&sealed(&["x"]), "two");
    let before = format!("{}---\n{two}", named(&base, "one"));
    let ours = format!("{}---\n{two}", named(&set(&base, &["a", "c"]), "one"));
    let theirs = format!("{}---\n{two}", named(&sealed(&["a"]), "nt1"));
    let merged = merge_texts(&before, &ours, &theirs);
    assert_eq!(choices(&merged), [ours, theirs]);
}
