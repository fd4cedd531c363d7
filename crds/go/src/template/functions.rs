//! The functions that a template may call: Go's own and sprig's, each by its Go name and types.
//!
//! A file for each family, with a table of [`Function`]s. Invariant: a function is called only with arguments of its
//! types; it never panics, and what it can't do it says with a [`Fault`](super::function::Fault), for which the caller
//! has an answer that tells nothing.

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

/// What is known of a name.
pub(super) enum Lookup {
    Found(&'static Function),
    /// The peer has it; why this doesn't.
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
