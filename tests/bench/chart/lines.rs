//! A line for each who over the counts, both axes logarithmic: a cost that grows as the things do is a straight line
//! with the slope of the diagonal.
//!
//! Invariant: every point of the figure is in the chart, also where somebody has only one.

use super::scale::Log;
use super::{Anchor, Svg, WIDTH, grouped, number};
use crate::figure::Figure;

const TOP: f64 = 48.0;
const BOTTOM: f64 = 330.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = WIDTH - 24.0;
/// The width of a cell of the legend.
const CELL: f64 = 230.0;

pub(super) fn draw(figure: &Figure) -> String {
    let mut svg = Svg::new(figure);
    let values = figure.points.iter().map(|point| point.samples.value(figure.takes));
    let (x_axis, y_axis) =
        (Log::new(figure.xs().into_iter().map(float), (LEFT, RIGHT)), Log::new(values, (BOTTOM, TOP)));
    for tick in y_axis.ticks() {
        let y = y_axis.at(tick);
        svg.grid_line([LEFT, y, RIGHT, y]);
        svg.text(LEFT - 8.0, y + 4.0, Anchor::End, "small", &number(tick, figure.unit));
    }
    for x in figure.xs() {
        let at = x_axis.at(float(x));
        svg.grid_line([at, BOTTOM, at, BOTTOM + 5.0]);
        svg.text(at, BOTTOM + 20.0, Anchor::Middle, "small", &grouped(&x.to_string()));
    }
    svg.text(f64::midpoint(LEFT, RIGHT), BOTTOM + 40.0, Anchor::Middle, "small", &figure.over);

    let mut end = BOTTOM + 56.0;
    for (index, who) in figure.who().into_iter().enumerate() {
        let of_who = figure
            .xs()
            .into_iter()
            .filter_map(|x| Some((x_axis.at(float(x)), y_axis.at(figure.value(who, x)?))));
        svg.path(&of_who.collect::<Vec<_>>(), index);
        let (column, row) = (float((index % 3) as u64), float((index / 3) as u64));
        let (x, y) = (LEFT + column * CELL, BOTTOM + 58.0 + row * 22.0);
        svg.rectangle([x, y - 9.0, 12.0, 10.0], index);
        svg.text(x + 18.0, y, Anchor::Start, "who", who);
        end = y + 16.0;
    }
    svg.finish(end)
}

#[expect(clippy::cast_precision_loss, reason = "counts are small")]
fn float(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use crate::figure::{SEAL_NATIVE, tests::figure};

    #[test]
    fn every_point_is_drawn_and_everybody_is_in_the_legend() {
        let mut figure = figure();
        figure.add(SEAL_NATIVE, 10_000, 40.0);
        let svg = super::draw(&figure);
        assert_eq!(svg.matches("<circle").count(), figure.points.len());
        assert!(figure.who().iter().all(|who| svg.contains(&format!(">{who}</text>"))), "{svg}");
        assert!(svg.contains(">10,000</text>"), "{svg}");
    }
}
