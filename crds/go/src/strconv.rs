//! Numbers and quoted texts, as Go's `strconv` writes and reads them.

mod float;
mod integer;
mod quote;
mod unquote;

pub(crate) use float::{Layout, format_float, json_float, parse_float};
pub(crate) use integer::{atoi, parse_int, parse_uint};
pub(crate) use quote::{can_backquote, quote, quote_char};
pub(crate) use unquote::{Unit, unquote, unquote_char};
