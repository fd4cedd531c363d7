//! The functions that a template may call: Go's own and sprig's, each by its Go name and types.
//!
//! Each family has a file with a table of [`Function`]s. Invariant: a function is called only with arguments of its
//! types, and it never panics. It reports a call that it can't do as a [`Fault`](super::function::Fault); the run
//! answers that in a way that tells nothing about a value.

use super::function::Function;

mod arguments;
mod digests;
mod documents;
mod encodings;
mod lists;
mod logic;
mod maps;
mod numbers;
mod texts;
mod unsupported;
mod words;

/// The answer to the look-up of a name.
pub(super) enum Lookup {
    Found(&'static Function),
    /// Go's templates or sprig have the function, and this crate doesn't. Holds the reason.
    Unsupported(&'static str),
    Unknown,
}

pub(super) fn find(name: &str) -> Lookup {
    match all().find(|function| function.name == name) {
        Some(function) => Lookup::Found(function),
        None => unsupported::why(name).map_or(Lookup::Unknown, Lookup::Unsupported),
    }
}

pub(super) fn all() -> impl Iterator<Item = &'static Function> {
    let families = [
        texts::FUNCTIONS,
        encodings::FUNCTIONS,
        digests::FUNCTIONS,
        documents::FUNCTIONS,
        lists::FUNCTIONS,
        maps::FUNCTIONS,
        logic::FUNCTIONS,
        numbers::FUNCTIONS,
        words::FUNCTIONS,
    ];
    families.into_iter().flatten()
}
