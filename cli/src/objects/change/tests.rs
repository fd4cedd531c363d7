//! Changes of objects in their files.
//!
//! The contract's own tests hold what becomes of items and envelopes; these hold what becomes of the file.

mod layouts;

use super::*;

#[test]
fn a_go_template_that_names_an_item_may_use_it() {
    for text in ["{{ .a }}", "x{{$.a|b64enc}}", "{{ index . \"a\" }}", "{{ get . `a` }}", "{{ if .a.b }}"] {
        assert!(may_use(text, "a"), "{text}");
    }
    for text in ["a", ".a", "{{ .ab }}", "{{ .b }} a", "{{ printf \"a%s\" .b }}"] {
        assert!(!may_use(text, "a"), "{text}");
    }
}
