//! Floats as text and back, as Go's `strconv.FormatFloat` and `strconv.ParseFloat` have them.
//!
//! Binary and hexadecimal floats (`%b`, `%x`, `0x1p-2`) are not supported. The digits come from Rust's own formatting,
//! which is exact too; this file lays them out. Invariant: a text has at most 330 bytes and the precision.

use zeroize::Zeroizing;

/// The layout of a float: one of the verbs of Go's `fmt`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layout {
    /// `%e`
    Exponent,
    /// `%f`
    Point,
    /// `%g`
    Shorter,
}

/// The number of digits behind which every digit of any float is zero.
const MAX_PRECISION: usize = 1100;

/// The text of a float. Without a precision it has as many digits as the float needs. A negative float has its sign in
/// front.
pub(crate) fn format_float(value: f64, layout: Layout, precision: Option<usize>) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let exact = precision.map(|precision| precision.min(MAX_PRECISION));
    let zeros = precision.unwrap_or(0).saturating_sub(MAX_PRECISION);
    match layout {
        Layout::Point => {
            let text = match exact {
                Some(precision) => format!("{value:.precision$}"),
                None => format!("{value}"),
            };
            text + &"0".repeat(zeros)
        }
        Layout::Exponent => {
            let (digits, exponent) = digits(value, exact);
            let mut text = sign(value);
            text.push_str(&digits[..1]);
            if digits.len() > 1 {
                text.push('.');
                text.push_str(&digits[1..]);
                text.push_str(&"0".repeat(zeros));
            }
            text + &exponent_text(exponent)
        }
        Layout::Shorter => {
            // With `%g`, the precision counts significant digits, at least one, and trailing zeros aren't written.
            let count = exact.map(|precision| precision.max(1));
            let (digits, exponent) = digits(value, count.map(|count| count - 1));
            let digits = match digits.trim_end_matches('0') {
                "" => "0",
                digits => digits,
            };
            let len = i32::try_from(digits.len()).unwrap_or(i32::MAX);
            // From this exponent on, Go writes the exponent.
            let limit = match count.map(|count| i32::try_from(count).unwrap_or(i32::MAX)) {
                None => 6,
                Some(count) if count > len && len > exponent => len,
                Some(count) => count,
            };
            lay_out(value, digits, exponent, limit)
        }
    }
}

fn lay_out(value: f64, digits: &str, exponent: i32, limit: i32) -> String {
    let mut text = sign(value);
    if exponent < -4 || exponent >= limit {
        text.push_str(&digits[..1]);
        if digits.len() > 1 {
            text.push('.');
            text.push_str(&digits[1..]);
        }
        return text + &exponent_text(exponent);
    }
    let point = exponent + 1;
    if point <= 0 {
        text.push_str("0.");
        text.push_str(&"0".repeat(usize::try_from(-point).unwrap_or(0)));
        return text + digits;
    }
    let point = usize::try_from(point).unwrap_or(0);
    match digits.get(point..) {
        Some("") => text + digits,
        Some(fraction) => text + &digits[..point] + "." + fraction,
        None => text + digits + &"0".repeat(point - digits.len()),
    }
}

fn sign(value: f64) -> String {
    if value.is_sign_negative() { "-".to_owned() } else { String::new() }
}

/// The decimal digits, without point and sign, and the exponent of the first digit.
fn digits(value: f64, precision: Option<usize>) -> (String, i32) {
    let text = match precision {
        Some(precision) => format!("{:.precision$e}", value.abs()),
        None => format!("{:e}", value.abs()),
    };
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    (mantissa.replace('.', ""), exponent.parse().unwrap_or(0))
}

fn exponent_text(exponent: i32) -> String {
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("e{sign}{:02}", exponent.abs())
}

/// A float as Go's `encoding/json` writes it; `None` for an infinity or NaN.
pub(crate) fn json_float(value: f64) -> Option<String> {
    if !value.is_finite() {
        return None;
    }
    let magnitude = value.abs();
    if magnitude != 0.0 && !(1e-6..1e21).contains(&magnitude) {
        let text = format_float(value, Layout::Exponent, None);
        // Go's `encoding/json` writes e-09 as e-9.
        return Some(match text.strip_suffix(|_: char| true).and_then(|rest| rest.strip_suffix("e-0")) {
            Some(rest) => format!("{rest}e-{}", &text[text.len() - 1..]),
            None => text,
        });
    }
    Some(format_float(value, Layout::Point, None))
}

/// The result of Go's `strconv.ParseFloat`; `None` where Go has an error, which includes a float out of range.
pub(crate) fn parse_float(text: &str) -> Option<f64> {
    let mut plain = Zeroizing::new(String::with_capacity(text.len()));
    let mut before = None;
    let mut rest = text.chars().peekable();
    while let Some(char) = rest.next() {
        let is_digit = |char: &char| char.is_ascii_digit();
        if char != '_' {
            plain.push(char);
        } else if !(before.as_ref().is_some_and(is_digit) && rest.peek().is_some_and(is_digit)) {
            return None;
        }
        before = Some(char);
    }
    let float: f64 = plain.parse().ok()?;
    // A number may be infinite only if the text names infinity.
    let is_named = plain.bytes().any(|byte| byte.eq_ignore_ascii_case(&b'n'));
    (float.is_finite() || is_named).then_some(float)
}
