//! A key in hardware, for tests: the plugin `age-plugin-touch` has it in software and counts how often it is touched.
//!
//! The program is `src/bin/age-plugin-touch.rs`. Invariant: the key protects nothing; its seed is in the test data of the
//! contract.

use std::path::Path;

use crate::toolchain;

/// The environment variable that names the file which gets a byte for each touch.
pub const TOUCHES: &str = "SEAL_TEST_TOUCHES";

/// The environment variable with a PIN that the plugin asks for; without it, it asks for none.
pub const PIN: &str = "SEAL_TEST_PIN";

/// The identity, as the plugin knows it.
pub const IDENTITY: &str = "AGE-PLUGIN-TOUCH-1W3HH2CMGHVU8R9";

/// A field of the key's record: `seed` or `recipient`.
///
/// # Panics
/// When the record has no such field.
#[must_use]
pub fn record(field: &str) -> &'static str {
    let records = include_str!("../../crds/src/keys/testdata/tagged.txt");
    let mut fields = records.lines().filter_map(|line| line.split_once(" = "));
    fields.find(|(name, _)| *name == field).expect("the first record has every field").1
}

/// The recipient, `age1tagpq1…`.
#[must_use]
pub fn recipient() -> &'static str {
    record("recipient")
}

/// An identity file, as a plugin prints it.
#[must_use]
pub fn identity_file() -> String {
    format!("# created by age-plugin-touch\n# public key: {}\n{IDENTITY}\n", recipient())
}

/// A `PATH` on which the plugin is.
#[must_use]
pub fn path() -> String {
    let program = toolchain::own("age-plugin-touch");
    format!("{}:/usr/bin:/bin", program.parent().unwrap_or(Path::new("/")).display())
}

/// How often the key was touched, by the file of [`TOUCHES`].
#[must_use]
pub fn count(file: &Path) -> usize {
    std::fs::read(file).map_or(0, |touches| touches.len())
}
