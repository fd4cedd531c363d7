//! From numbers to pixels, and where the ticks of an axis are.
//!
//! Invariant: a larger number is never before a smaller one, and all that is given is in the range.

/// A logarithmic axis from the power of ten below the least number to the one above the largest, or closer.
pub(super) struct Log {
    from: f64,
    to: f64,
    pixels: (f64, f64),
}

impl Log {
    /// # Panics
    /// When there is no number above zero.
    pub(super) fn new(numbers: impl Iterator<Item = f64>, pixels: (f64, f64)) -> Self {
        let (from, to) = numbers
            .filter(|number| *number > 0.0)
            .fold((f64::MAX, f64::MIN), |(from, to), number| (from.min(number), to.max(number)));
        assert!(from <= to, "there is nothing to draw");
        // Some air, so that no point is on an edge.
        Self { from: from / 1.3, to: to * 1.3, pixels }
    }

    /// Where a number is. Zero has no place on such an axis, and is drawn at its beginning.
    pub(super) fn at(&self, number: f64) -> f64 {
        let part = (number.max(self.from) / self.from).ln() / (self.to / self.from).ln();
        self.pixels.0 + part * (self.pixels.1 - self.pixels.0)
    }

    /// Round numbers on the axis: of each power of ten, the more the shorter the axis is.
    pub(super) fn ticks(&self) -> Vec<f64> {
        let steps: &[f64] = match self.to / self.from {
            range if range > 300.0 => &[1.0],
            range if range > 8.0 => &[1.0, 2.0, 5.0],
            _ => &[1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0],
        };
        #[expect(clippy::cast_possible_truncation, reason = "an exponent of ten")]
        let (first, last) = (self.from.log10().floor() as i32, self.to.log10().ceil() as i32);
        let all = (first..=last).flat_map(|power| steps.iter().map(move |step| step * 10_f64.powi(power)));
        all.filter(|tick| (self.from..=self.to).contains(tick)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn larger_numbers_are_further_and_ticks_are_round() {
        let axis = Log::new([500.0, 2000.0, 10_000.0, 0.0].into_iter(), (0.0, 100.0));
        let places = [0.0, 500.0, 2000.0, 10_000.0].map(|number| axis.at(number));
        assert!(places.is_sorted() && places[0] >= 0.0 && places[3] <= 100.0, "{places:?}");
        assert_eq!(axis.ticks(), [500.0, 1000.0, 2000.0, 5000.0, 10_000.0]);
        assert_eq!(Log::new([0.02, 900.0].into_iter(), (0.0, 1.0)).ticks(), [0.1, 1.0, 10.0, 100.0, 1000.0]);
        assert_eq!(Log::new([28.0, 50.0].into_iter(), (0.0, 1.0)).ticks(), [30.0, 40.0, 50.0, 60.0]);
    }

    #[test]
    fn one_number_is_in_the_middle() {
        let at = Log::new(std::iter::once(7.0), (0.0, 100.0)).at(7.0);
        assert!((at - 50.0).abs() < 1e-9, "{at}");
    }
}
