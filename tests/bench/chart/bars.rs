//! A bar for each who, in groups by count.
//!
//! Invariant: all bars begin at zero, so their lengths are in the ratio of the numbers.

use super::{Anchor, Svg, WIDTH, grouped, number};
use crate::figure::Figure;

const ROW: f64 = 24.0;
/// Where bars begin, and the longest ends.
const FROM: f64 = 210.0;
const TO: f64 = WIDTH - 110.0;

pub(super) fn draw(figure: &Figure) -> String {
    let mut svg = Svg::new(figure);
    let value = |point: &crate::figure::Point| point.samples.value(figure.takes);
    let longest = figure.points.iter().map(value).fold(0.0, f64::max);
    let who = figure.who();
    let (xs, mut y) = (figure.xs(), 44.0);
    for x in &xs {
        if xs.len() > 1 {
            svg.text(
                16.0,
                y + 15.0,
                Anchor::Start,
                "small",
                &format!("{} {}", grouped(&x.to_string()), figure.over),
            );
            y += ROW;
        }
        for (colour, name) in who.iter().enumerate() {
            let Some(value) = figure.value(name, *x) else { continue };
            let length = if longest > 0.0 { value / longest * (TO - FROM) } else { 0.0 };
            svg.text(FROM - 10.0, y + 15.0, Anchor::End, "who", name);
            svg.rectangle([FROM, y + 3.0, length.max(1.0), ROW - 7.0], colour);
            svg.text(FROM + length + 8.0, y + 15.0, Anchor::Start, "value", &number(value, figure.unit));
            y += ROW;
        }
        y += 6.0;
    }
    svg.finish(y + 8.0)
}

#[cfg(test)]
mod tests {
    use crate::figure::tests::figure;

    #[test]
    fn lengths_are_in_the_ratio_of_the_numbers() {
        let svg = super::draw(&figure());
        let widths: Vec<f64> = svg
            .lines()
            .filter(|line| line.starts_with("<rect x="))
            .map(|line| line.split("width=\"").nth(1).unwrap().split('"').next().unwrap().parse().unwrap())
            .collect();
        // 1 s and 14 s for 500 objects, 8 s for 2,000.
        assert_eq!(widths, [31.4, 440.0, 251.4]);
        assert!(svg.contains(">2,000 objects<") && svg.contains(">14.0<"), "{svg}");
    }
}
