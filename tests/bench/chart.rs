//! A figure as an SVG: bars, or lines if anybody was measured over three counts.
//!
//! Written by hand, because a chart here is forty rectangles or lines and some words, and a picture that is committed
//! should be text whose difference can be read. It is shown as an image, which gets neither styles nor fonts of the
//! page; so it brings its colours along, for light and dark. Invariant: the text follows from the figure alone, and no
//! word of it becomes markup.

mod bars;
mod lines;
mod scale;

use crate::figure::{Figure, Unit};

/// The width of every chart, in pixels.
const WIDTH: f64 = 760.0;
/// The colours of those in a figure, by their place in it: on light ground and on dark.
const COLOURS: [(&str, &str); 8] = [
    ("#1d63d1", "#6ea8fe"),
    ("#0f8a6d", "#4fd1a5"),
    ("#d2541b", "#ff9a66"),
    ("#6b7280", "#a3abb8"),
    ("#9b3fb5", "#d99bea"),
    ("#a67c00", "#e8c547"),
    ("#b3214a", "#ff85a6"),
    ("#3d7a1f", "#9bd67a"),
];

/// The figure as a chart.
pub(crate) fn draw(figure: &Figure) -> String {
    let counts = |who: &str| figure.points.iter().filter(|point| point.who == who).count();
    // Zero has no place on a logarithmic axis.
    let is_above_zero = figure.points.iter().all(|point| point.samples.value(figure.takes) > 0.0);
    if is_above_zero && figure.who().into_iter().any(|who| counts(who) > 2) {
        lines::draw(figure)
    } else {
        bars::draw(figure)
    }
}

/// A drawing in the making.
struct Svg {
    body: String,
}

/// How a text is aligned with its place.
#[derive(Clone, Copy)]
enum Anchor {
    Start,
    Middle,
    End,
}

impl Svg {
    /// A drawing with the title of the figure.
    fn new(figure: &Figure) -> Self {
        let mut svg = Self { body: String::new() };
        let symbol = figure.unit.symbol();
        let unit = if symbol.is_empty() { String::new() } else { format!(", in {symbol}") };
        svg.text(16.0, 26.0, Anchor::Start, "title", &format!("{}{unit}", figure.title));
        svg
    }

    fn text(&mut self, x: f64, y: f64, anchor: Anchor, class: &str, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let text = escaped(text);
        self.push(&format!(
            r#"<text x="{x:.1}" y="{y:.1}" text-anchor="{anchor}" class="{class}">{text}</text>"#
        ));
    }

    fn rectangle(&mut self, [x, y, width, height]: [f64; 4], colour: usize) {
        let class = colour % COLOURS.len();
        self.push(&format!(
            r#"<rect x="{x:.1}" y="{y:.1}" width="{width:.1}" height="{height:.1}" rx="2" class="f{class}"/>"#
        ));
    }

    fn grid_line(&mut self, [x1, y1, x2, y2]: [f64; 4]) {
        self.push(&format!(r#"<path d="M{x1:.1} {y1:.1}L{x2:.1} {y2:.1}" class="grid"/>"#));
    }

    fn path(&mut self, points: &[(f64, f64)], colour: usize) {
        let class = colour % COLOURS.len();
        let steps: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1} {y:.1}")).collect();
        self.push(&format!(r#"<path d="M{}" class="s{class}"/>"#, steps.join("L")));
        for (x, y) in points {
            self.push(&format!(r#"<circle cx="{x:.1}" cy="{y:.1}" r="3.5" class="f{class}"/>"#));
        }
    }

    fn push(&mut self, element: &str) {
        self.body.push_str(element);
        self.body.push('\n');
    }

    fn finish(self, height: f64) -> String {
        let rules = |pick: fn(&(&'static str, &'static str)) -> &'static str| -> String {
            let rule = |(index, colour)| {
                let colour = pick(colour);
                format!(".f{index}{{fill:{colour}}}.s{index}{{stroke:{colour};stroke-width:2;fill:none}}")
            };
            COLOURS.iter().enumerate().map(rule).collect()
        };
        let (light, dark) = (rules(|it| it.0), rules(|it| it.1));
        let body = self.body;
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" \
             height=\"{height}\" font-family=\"system-ui,-apple-system,'Segoe UI',sans-serif\" font-size=\"13\">\n\
             <style>.ground{{fill:#fff}}text{{fill:#1f2328}}.title{{font-weight:600;font-size:14px}}.small{{fill:#59636e;\
             font-size:12px}}.grid{{stroke:#d1d9e0;stroke-width:1;fill:none}}{light}\n@media(prefers-color-scheme:dark){{\
             .ground{{fill:#0d1117}}text{{fill:#f0f6fc}}.small{{fill:#9198a1}}.grid{{stroke:#3d444d}}{dark}}}</style>\n\
             <rect width=\"100%\" height=\"100%\" rx=\"6\" class=\"ground\"/>\n{body}</svg>\n"
        )
    }
}

/// A number as people read it, with three digits that count.
pub(crate) fn number(value: f64, unit: Unit) -> String {
    let digits = match value.abs() {
        _ if unit == Unit::Count && value.fract() == 0.0 => 0,
        size if size >= 100.0 || size == 0.0 => 0,
        size if size >= 10.0 => 1,
        size if size >= 1.0 => 2,
        _ => 3,
    };
    let (sign, text) = (if value < 0.0 { "-" } else { "" }, format!("{:.digits$}", value.abs()));
    let (whole, fraction) = text.split_once('.').map_or((text.as_str(), None), |(a, b)| (a, Some(b)));
    let fraction = fraction.map(|it| format!(".{it}")).unwrap_or_default();
    format!("{sign}{}{fraction}", grouped(whole))
}

/// `10000` as `10,000`.
pub(crate) fn grouped(digits: &str) -> String {
    let first = digits.len() % 3;
    let groups = digits.as_bytes()[first..].chunks(3).map(String::from_utf8_lossy);
    let mut parts: Vec<_> = (first > 0).then(|| digits[..first].into()).into_iter().collect();
    parts.extend(groups);
    parts.join(",")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figure::{PEER, SEAL_NATIVE, tests::figure};

    #[test]
    fn two_counts_make_bars_and_three_make_lines() {
        let mut figure = figure();
        assert!(draw(&figure).contains("<rect x=") && !draw(&figure).contains("<circle"));
        figure.add(SEAL_NATIVE, 10_000, 40.0);
        assert!(draw(&figure).contains("<circle"));
        figure.add(PEER, 10_000, 0.0);
        assert!(!draw(&figure).contains("<circle"));
    }

    #[test]
    fn words_do_not_become_markup_and_both_grounds_have_colours() {
        let mut figure = figure();
        figure.title = "a <script> & \"b\"".to_owned();
        let svg = draw(&figure);
        assert!(
            svg.contains("a &lt;script&gt; &amp; &quot;b&quot;, in s") && !svg.contains("<script"),
            "{svg}"
        );
        assert!(svg.contains("prefers-color-scheme:dark"), "{svg}");
        // Well-formed: as many ends as beginnings.
        assert_eq!(svg.matches("<text").count(), svg.matches("</text>").count());
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
    }

    #[test]
    fn numbers_have_three_digits_that_count() {
        let numbers = [0.0, 0.012_34, 1.234, 12.34, 1234.5, 1_234_567.0].map(|it| number(it, Unit::Seconds));
        assert_eq!(numbers, ["0", "0.012", "1.23", "12.3", "1,234", "1,234,567"]);
        assert_eq!(number(2.0, Unit::Count), "2");
    }
}
