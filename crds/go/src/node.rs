//! The view of a value that Go's encoders need.
//!
//! [`json`](crate::json) and [`yaml`](crate::yaml) write any type that gives this view: the values of templates, and
//! the objects of a caller. Invariant: a view borrows; it copies no text.

/// A value that can be written as JSON and as YAML.
pub trait Node: Sized {
    /// The value, one level deep.
    fn view(&self) -> View<'_, Self>;
}

/// One value, with what it holds.
pub enum View<'v, N> {
    /// Go's `nil`.
    Null,
    /// A boolean.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// A float. JSON has neither infinities nor NaN.
    Float(f64),
    /// A string, of any bytes.
    Text(&'v [u8]),
    /// A list.
    List(&'v [N]),
    /// Keys and their values, in the order in which JSON shows them.
    Map(Vec<(&'v [u8], &'v N)>),
}
