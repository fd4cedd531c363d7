//! Functions from texts to a text.
//!
//! Positions and lengths count bytes, as in Go, so a position may be inside of a character. Invariant: every search
//! is linear, and a function whose result grows with a number refuses a number that isn't public.

use memchr::memmem;

use super::arguments::{count, int, strslice, strval, text};
use crate::Buffer;
use crate::template::bound::{Computed, Growth};
use crate::template::function::Type::{Any, Int, Text as T};
use crate::template::function::{Fault, Function, Given, Out, f, variadic};
use crate::template::print;
use crate::unicode::{self, runes};
use crate::value::{Of, Text, Value};

const SAME: Growth = Growth::Times(1, 1, 10);
const SAME_LIST: Growth = Growth::Times(1, 1, 16);

pub(super) const FUNCTIONS: &[Function] = &[
    f("trim", &[T], Out::Text, SAME, |a| Ok(Value::text(trim(text(&a[0]), char::is_whitespace)))),
    f("upper", &[T], Out::Text, THRICE, |a| Ok(recase(text(&a[0]), unicode::to_upper))),
    f("lower", &[T], Out::Text, THRICE, |a| Ok(recase(text(&a[0]), unicode::to_lower))),
    f("title", &[T], Out::Text, THRICE, |a| Ok(title(text(&a[0])))),
    f("trimAll", &[T, T], Out::Text, SAME, trim_all),
    f("trimall", &[T, T], Out::Text, SAME, trim_all),
    f("trimSuffix", &[T, T], Out::Text, SAME, |a| {
        Ok(Value::text(text(&a[1]).strip_suffix(text(&a[0])).unwrap_or(text(&a[1]))))
    }),
    f("trimPrefix", &[T, T], Out::Text, SAME, |a| {
        Ok(Value::text(text(&a[1]).strip_prefix(text(&a[0])).unwrap_or(text(&a[1]))))
    }),
    f("trunc", &[Int, T], Out::Text, SAME, |a| Ok(Value::text(trunc(int(&a[0]), text(&a[1]))))),
    f("substr", &[Int, Int, T], Out::Text, SAME, substr),
    f("repeat", &[Int, T], Out::Text, Growth::By(repeat_growth), repeat),
    f("replace", &[T, T, T], Out::Text, Growth::By(replace_growth), replace),
    f("indent", &[Int, T], Out::Text, Growth::By(indent_growth), |a| indent(b"", &a[0], &a[1])),
    f("nindent", &[Int, T], Out::Text, Growth::By(indent_growth), |a| indent(b"\n", &a[0], &a[1])),
    f("nospace", &[T], Out::Text, Growth::Times(2, 1, 10), |a| Ok(nospace(text(&a[0])))),
    f("plural", &[T, T, Int], Out::Text, SAME, |a| Ok(if int(&a[2]) == 1 { &a[0] } else { &a[1] }.clone())),
    f("join", &[T, Any], Out::Text, Growth::By(join_growth), |a| Ok(join(text(&a[0]), &strslice(&a[1])))),
    f("splitList", &[T, T], Out::List(Of::Text), Growth::Times(5, 1, 16), |a| {
        Ok(Value::texts(split(text(&a[0]), text(&a[1]), usize::MAX)))
    }),
    f("split", &[T, T], Out::Map(Of::Text), Growth::Times(18, 1, 64), |a| {
        Ok(numbered(split(text(&a[0]), text(&a[1]), usize::MAX)))
    }),
    f("splitn", &[T, Int, T], Out::Map(Of::Text), Growth::Times(18, 1, 64), splitn),
    f("toString", &[Any], Out::Text, SAME, |a| Ok(Value::Text(strval(&a[0])))),
    f("toStrings", &[Any], Out::List(Of::Text), SAME_LIST, |a| Ok(Value::texts(strslice(&a[0])))),
    variadic("cat", &[], Any, Out::Text, Growth::By(cat_growth), |a| {
        let parts: Vec<Text> =
            a.iter().filter(|value| !matches!(value, Value::Nil | Value::Missing)).map(strval).collect();
        Ok(join(b" ", &parts))
    }),
    variadic("print", &[], Any, Out::Text, Growth::By(cat_growth), |a| Ok(print::sprint(a).into())),
    variadic("println", &[], Any, Out::Text, Growth::By(cat_growth), |a| Ok(print::sprintln(a).into())),
    variadic("printf", &[T], Any, Out::Text, Growth::By(print::format::growth), |a| {
        print::format::sprintf(text(&a[0]), &a[1..])
            .map(Value::from)
            .map_err(|print::Unsupported| Fault::Type("this verb is not supported for this type"))
    }),
    // sprig sorts a list of strings in place, which shows if a variable holds the list. This sorts a copy.
    f("sortAlpha", &[Any], Out::List(Of::Text), SAME_LIST, |a| {
        let mut texts = match &a[0] {
            list @ Value::List(..) => strslice(list),
            other => vec![strval(other)],
        };
        texts.sort();
        Ok(Value::texts(texts))
    }),
];

/// A byte that isn't UTF-8 becomes a character of three bytes.
const THRICE: Growth = Growth::Times(3, 1, 10);

fn recase(text: &[u8], case: fn(char) -> char) -> Value {
    unicode::map(text, case).into()
}

fn title(text: &[u8]) -> Value {
    let mut before = ' ';
    let mapped = unicode::map(text, |char| {
        let starts = match before {
            '_' => false,
            before if before.is_ascii() => !before.is_ascii_alphanumeric(),
            before => before.is_whitespace(),
        };
        before = char;
        if starts { unicode::to_title(char) } else { char }
    });
    mapped.into()
}

fn trim(text: &[u8], is_cut: impl Fn(char) -> bool) -> &[u8] {
    let mut first_kept = None;
    let mut end = 0;
    let mut at = 0;
    for rune in runes(text) {
        let next = at + rune.bytes.len();
        if !is_cut(rune.value()) {
            first_kept.get_or_insert(at);
            end = next;
        }
        at = next;
    }
    &text[first_kept.unwrap_or(end)..end]
}

fn trim_all(a: &[Value]) -> Given {
    let mut cut: Vec<char> = runes(text(&a[0])).map(|rune| rune.value()).collect();
    cut.sort_unstable();
    Ok(Value::text(trim(text(&a[1]), |char| cut.binary_search(&char).is_ok())))
}

fn trunc(len: i64, text: &[u8]) -> &[u8] {
    let bytes = usize::try_from(len.unsigned_abs()).unwrap_or(usize::MAX);
    match len < 0 {
        true if bytes < text.len() => &text[text.len() - bytes..],
        false if bytes < text.len() => &text[..bytes],
        _ => text,
    }
}

fn substr(a: &[Value]) -> Given {
    let text = text(&a[2]);
    let (start, end) = (count(&a[0]), count(&a[1]));
    let part = match (start, end) {
        (None, end) => end.and_then(|end| text.get(..end)),
        (Some(start), Some(end)) if end <= text.len() => text.get(start..end),
        (Some(start), _) => text.get(start..),
    };
    part.map(Value::text).ok_or(Fault::Value("the text has no such part"))
}

fn repeat_growth(a: &[Computed]) -> Option<u64> {
    let times = u64::try_from(a[0].public_int()?).unwrap_or(0);
    Some(a[1].bound.size.saturating_mul(times))
}

fn repeat(a: &[Value]) -> Given {
    let times = count(&a[0]).ok_or(Fault::Value("a negative count"))?;
    let mut out = Buffer::default();
    // An empty text has the size 0, so its bound lets any count pass. Repeating it must not take any time.
    if !text(&a[1]).is_empty() {
        (0..times).for_each(|_| out.extend(text(&a[1])));
    }
    Ok(out.into())
}

fn replace_growth(a: &[Computed]) -> Option<u64> {
    // An empty text is found at every character and at the end.
    let shortest = match &a[0].value {
        Value::Text(old) if !a[0].bound.secret => u64::try_from(old.bytes().len()).unwrap_or(0).max(1),
        _ => 1,
    };
    let found = a[2].bound.size / shortest + 1;
    Some(a[2].bound.size.saturating_add(found.saturating_mul(a[1].bound.size)))
}

fn replace(a: &[Value]) -> Given {
    let (old, new, text) = (text(&a[0]), text(&a[1]), text(&a[2]));
    let mut out = Buffer::with_capacity(text.len());
    if old.is_empty() {
        for rune in runes(text) {
            out.extend(new);
            out.extend(rune.bytes);
        }
        out.extend(new);
        return Ok(out.into());
    }
    let mut last = 0;
    for at in memmem::find_iter(text, old) {
        out.extend(&text[last..at]);
        out.extend(new);
        last = at + old.len();
    }
    out.extend(&text[last..]);
    Ok(out.into())
}

fn indent_growth(a: &[Computed]) -> Option<u64> {
    let spaces = u64::try_from(a[0].public_int()?).unwrap_or(0);
    let size = a[1].bound.size;
    Some(size.saturating_add((size + 1).saturating_mul(spaces)).saturating_add(1))
}

fn indent(before: &[u8], spaces: &Value, text_: &Value) -> Given {
    let spaces = count(spaces).ok_or(Fault::Value("a negative count"))?;
    let mut out = Buffer::with_capacity(text(text_).len());
    out.extend(before);
    for (at, line) in text(text_).split(|byte| *byte == b'\n').enumerate() {
        if at > 0 {
            out.push(b'\n');
        }
        out.repeat(b' ', spaces);
        out.extend(line);
    }
    Ok(out.into())
}

/// Takes bytes for characters, as `goutils` does. A text without spaces stays as it is.
fn nospace(text: &[u8]) -> Value {
    let is_space = |byte: &u8| char::from(*byte).is_whitespace();
    if !text.iter().any(is_space) {
        return Value::text(text);
    }
    let mut out = Buffer::with_capacity(text.len());
    text.iter().filter(|byte| !is_space(byte)).for_each(|byte| out.push_char(char::from(*byte)));
    out.into()
}

fn join_growth(a: &[Computed]) -> Option<u64> {
    let (between, list) = (a[0].bound.size, a[1].bound.size);
    Some(list.saturating_add((list / 4).saturating_mul(between)))
}

pub(super) fn join(between: &[u8], parts: &[Text]) -> Value {
    let mut out = Buffer::default();
    for (at, part) in parts.iter().enumerate() {
        if at > 0 {
            out.extend(between);
        }
        out.extend(part.bytes());
    }
    out.into()
}

/// Go's `strings.SplitN`. An empty separator separates any two characters.
fn split(between: &[u8], text: &[u8], most: usize) -> Vec<Text> {
    let mut parts = Vec::new();
    let mut last = 0;
    if between.is_empty() {
        for rune in runes(text) {
            if parts.len() + 1 >= most {
                break;
            }
            // Each character is a part, and so is each byte that isn't UTF-8.
            parts.push(Text::from(rune.bytes));
            last += rune.bytes.len();
        }
        if last < text.len() {
            parts.push(Text::from(&text[last..]));
        }
        return parts;
    }
    for at in memmem::find_iter(text, between) {
        if parts.len() + 1 >= most {
            break;
        }
        parts.push(Text::from(&text[last..at]));
        last = at + between.len();
    }
    parts.push(Text::from(&text[last..]));
    parts
}

fn splitn(a: &[Value]) -> Given {
    let parts = match int(&a[1]) {
        0 => Vec::new(),
        most => split(text(&a[0]), text(&a[2]), usize::try_from(most).unwrap_or(usize::MAX)),
    };
    Ok(numbered(parts))
}

fn numbered(parts: Vec<Text>) -> Value {
    let keys = (0..parts.len()).map(|at| Text::from(format!("_{at}").as_str()));
    Value::Map(Of::Text, std::rc::Rc::new(keys.zip(parts.into_iter().map(Value::Text)).collect()))
}

/// `cat` writes at most one byte between two arguments.
fn cat_growth(a: &[Computed]) -> Option<u64> {
    let parts = u64::try_from(a.len()).unwrap_or(u64::MAX);
    Some(a.iter().map(|part| part.bound.size).fold(parts.saturating_add(10), u64::saturating_add))
}
