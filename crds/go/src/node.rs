//! A value, as Go's encoders look at it.
//!
//! [`json`](crate::json) and [`yaml`](crate::yaml) write any type that can show itself so: the values of templates, and
//! the objects of a program. Invariant: a view borrows; it copies no text.

/// Something that can be written as JSON and as YAML.
pub trait Node: Sized {
    /// The value, one level deep.
    fn view(&self) -> View<'_, Self>;
}

/// One value, with what it holds.
pub enum View<'v, N> {
    /// Nothing: Go's `nil`.
    Null,
    /// A boolean.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// A float; JSON has none that are infinite or not a number.
    Float(f64),
    /// A string, of any bytes.
    Text(&'v [u8]),
    /// A list.
    List(&'v [N]),
    /// Keys and their values, in the order in which JSON has them.
    Map(Vec<(&'v [u8], &'v N)>),
}
