//! Random calls of every function, with arguments of its types. Tests of this engine and of its callers generate
//! templates from them.
//!
//! Nearly no random text would render, so these are well-formed calls. Invariant: a new function in the tables is
//! called here without a change.

use super::function::{Function, Out, Type};
use super::functions;
use crate::value::Of;
use seal_random::Random;

/// The names of the items that the calls use. The caller chooses the values; the last one should be JSON.
pub const ITEMS: [&str; 4] = ["pin", "other", "digit", "json"];

const TEXTS: [&str; 24] = [
    ".pin",
    ".pin",
    ".other",
    ".digit",
    ".json",
    "$.pin",
    "(index . \"pin\")",
    "\"a\"",
    "\"S3\"",
    "\"\"",
    "\"1\"",
    "\",\"",
    "\"\\\"\"",
    "\"\\\\\"",
    "\"\\n\"",
    "\"{\"",
    "\"%s\"",
    "\"%q %v\"",
    "\"%5.1d\"",
    "\"pin\"",
    "\"b\"",
    "\"_0\"",
    "\"string\"",
    "(first (splitList \",\" .pin))",
];
const INTS: [&str; 8] = ["0", "1", "-1", "5", "(len .pin)", "(atoi .digit)", "(int .pin)", "(int64 .pin)"];
const FLOATS: [&str; 4] = ["0.5", "1.0", "-2.25", "(float64 .pin)"];
const BOOLS: [&str; 6] = [
    "true",
    "false",
    "(hasPrefix \"S3\" .pin)",
    "(hasPrefix \"1\" .pin)",
    "(eq .pin .other)",
    "(contains \"\\\"\" .pin)",
];
const LISTS: [&str; 5] =
    ["(list)", "(list 1 \"a\" nil .pin)", "(splitList \"\" .pin)", "(fromJson .json)", "(until 3)"];
const MAPS: [&str; 4] =
    ["(dict)", "(dict \"a\" 1 \"b\" .pin)", "(fromJson .json)", "(dict \"a\" (dict \"b\" .other))"];
const OTHERS: [&str; 6] = ["nil", "nil", ".missing", ".", "(fromJson .json)", "(fromJson .json).a"];

fn one_of<'t>(random: &mut Random, among: &[&'t str]) -> &'t str {
    among[random.below(among.len())]
}

/// A random expression of any type, for an action.
pub fn expression(random: &mut Random) -> String {
    // Mostly a single call, since a deeply nested expression seldom renders.
    let depth = [1, 1, 1, 2, 2, 3][random.below(6)];
    value(random, Type::Any, depth)
}

/// A call of this function, without parentheses.
pub fn call(random: &mut Random, name: &str) -> String {
    let function =
        functions::all().find(|function| function.name == name).expect("the function is in a table");
    call_of(random, function, 1)
}

fn value(random: &mut Random, type_: Type, depth: usize) -> String {
    if depth > 0 && random.below(4) > 0 {
        // More often than its share, an argument whose result can have any type: there a value may decide the type.
        let chooses = type_ == Type::Any && random.below(2) == 0;
        let is_fitting = |function: &&Function| match chooses {
            true => function.out == Out::Any,
            false => fits(function.out, type_),
        };
        let fitting: Vec<_> = functions::all().filter(is_fitting).collect();
        let function = fitting[random.below(fitting.len())];
        return format!("({})", call_of(random, function, depth - 1));
    }
    let among: &[&str] = match type_ {
        Type::Text => &TEXTS,
        Type::Int => &INTS,
        Type::Float => &FLOATS,
        Type::Bool => &BOOLS,
        Type::List => &LISTS,
        Type::Map => &MAPS,
        Type::Any | Type::Reflect => match random.below(12) {
            0 | 1 => &INTS,
            2 => &FLOATS,
            3 => &BOOLS,
            4 => &LISTS,
            5 => &MAPS,
            6 | 7 => &OTHERS,
            _ => &TEXTS,
        },
    };
    one_of(random, among).to_owned()
}

fn call_of(random: &mut Random, function: &Function, depth: usize) -> String {
    let mut text = function.name.to_owned();
    let (takes, more) = function.parameters();
    let more = more.into_iter().flat_map(|type_| vec![type_; random.below(4)]);
    let types: Vec<Type> = takes.iter().copied().chain(more).collect();
    for type_ in types {
        text.push(' ');
        let type_ = match type_ {
            // Now and then an argument of a wrong type.
            _ if random.below(24) == 0 => Type::Any,
            // A parameter that takes everything is most interesting with a number, such as an index.
            Type::Reflect if random.below(2) == 0 => Type::Int,
            type_ => type_,
        };
        text.push_str(&value(random, type_, depth));
    }
    text
}

/// `true` if a function with this result may give a value of this type.
fn fits(out: Out, type_: Type) -> bool {
    match type_ {
        Type::Any | Type::Reflect => true,
        Type::Text => matches!(out, Out::Text | Out::Any),
        Type::Int => matches!(out, Out::Int(_) | Out::Any),
        Type::Float => matches!(out, Out::Float | Out::Any),
        Type::Bool => matches!(out, Out::Bool | Out::Any),
        Type::List => matches!(out, Out::List(_) | Out::Any),
        Type::Map => matches!(out, Out::Map(Of::Any) | Out::Any),
    }
}
