//! Axes of charts: scales and their ticks.

/// An axis with its label, its range and the positions that are labelled.
#[derive(Debug, Clone)]
pub(super) struct Axis {
    pub(super) label: String,
    scale: Scale,
    from: f64,
    to: f64,
    pub(super) ticks: Vec<(f64, String)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scale {
    Linear,
    Log,
}

impl Axis {
    /// From 0 to a round number of at least `most`.
    pub(super) fn linear(label: impl Into<String>, most: f64) -> Self {
        let most = if most.is_finite() && most > 0.0 { most } else { 1.0 };
        let step = round_up(most / 5.0);
        let steps = (most / step - 1e-9).ceil().max(1.0);
        let ticks = (0..=steps as u32).map(|tick| f64::from(tick) * step).map(|at| (at, short(at))).collect();
        Self { label: label.into(), scale: Scale::Linear, from: 0.0, to: step * steps, ticks }
    }

    /// From 0 to `end` itself, with round numbers in between.
    pub(super) fn until(label: impl Into<String>, end: f64) -> Self {
        let mut axis = Self::linear(label, end);
        if end.is_finite() && end > 0.0 {
            axis.to = end;
            axis.ticks.retain(|(at, _)| *at <= end);
        }
        axis
    }

    /// From a power of ten of at most `least` to one of at least `most`.
    pub(super) fn log(label: impl Into<String>, least: f64, most: f64) -> Self {
        let least = if least.is_finite() && least > 0.0 { least } else { 0.001 };
        let most = if most.is_finite() { most.max(least) } else { least };
        let first = (least.log10() + 1e-9).floor() as i32;
        let last = ((most.log10() - 1e-9).ceil() as i32).max(first + 1);
        let ticks = (first..=last).map(|power| 10_f64.powi(power)).map(|at| (at, short(at))).collect();
        Self { label: label.into(), scale: Scale::Log, from: 10_f64.powi(first), to: 10_f64.powi(last), ticks }
    }

    /// The percentiles of so many values: 0 %, 90 %, 99 %, … at equal distances, as HdrHistogram plots them. A position
    /// is 1 / (1 - quantile).
    pub(super) fn percentiles(label: impl Into<String>, count: u64) -> Self {
        let nines = (count.max(10) as f64).log10().ceil() as i32;
        let ticks = (0..=nines).map(|power| (10_f64.powi(power), percentile_label(power))).collect();
        Self { label: label.into(), scale: Scale::Log, from: 1.0, to: 10_f64.powi(nines), ticks }
    }

    /// These values in logarithmic distances, each labelled; 0 lies at the start, a power of ten before the next.
    pub(super) fn steps(label: impl Into<String>, steps: &[f64]) -> Self {
        let least = steps.iter().copied().filter(|step| *step > 0.0).fold(f64::INFINITY, f64::min);
        let least = if least.is_finite() { least } else { 1.0 };
        let from = if steps.iter().any(|step| *step <= 0.0) { least / 10.0 } else { least };
        let most = steps.iter().copied().fold(from, f64::max);
        let to = if most > from { most } else { from * 10.0 };
        let ticks = steps.iter().map(|step| (*step, short(*step))).collect();
        Self { label: label.into(), scale: Scale::Log, from, to, ticks }
    }

    /// Where a value lies: 0 at the start of the axis, 1 at its end; values beyond lie at the ends.
    pub(super) fn share(&self, value: f64) -> f64 {
        let share = match self.scale {
            Scale::Linear => (value - self.from) / (self.to - self.from),
            Scale::Log => (value.max(self.from) / self.from).ln() / (self.to / self.from).ln(),
        };
        share.clamp(0.0, 1.0)
    }
}

/// `100 - 10^-power` per cent.
fn percentile_label(power: i32) -> String {
    match power {
        0 => "0 %".to_owned(),
        1 => "90 %".to_owned(),
        2 => "99 %".to_owned(),
        power => format!("99.{} %", "9".repeat(usize::try_from(power - 2).unwrap_or_default())),
    }
}

/// 1, 2 or 5 times a power of ten, at least as large.
fn round_up(value: f64) -> f64 {
    let power = 10_f64.powf(value.log10().floor());
    let factor = [1.0, 2.0, 5.0, 10.0].into_iter().find(|factor| factor * power >= value * (1.0 - 1e-9));
    factor.unwrap_or(10.0) * power
}

/// A label without needless digits.
pub(super) fn short(value: f64) -> String {
    let (value, suffix) = match value.abs() {
        1_000_000.0.. => (value / 1_000_000.0, "M"),
        10_000.0.. => (value / 1000.0, "k"),
        _ => (value, ""),
    };
    format!("{}{suffix}", (value * 1e6).round() / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: &Axis) -> Vec<&str> {
        axis.ticks.iter().map(|(_, label)| label.as_str()).collect()
    }

    #[test]
    fn linear_axes_end_at_a_round_number() {
        assert_eq!(labels(&Axis::linear("", 47.0)), ["0", "10", "20", "30", "40", "50"]);
        assert_eq!(labels(&Axis::linear("", 0.9)), ["0", "0.2", "0.4", "0.6", "0.8", "1"]);
        assert_eq!(labels(&Axis::linear("", 100_000.0)), ["0", "20k", "40k", "60k", "80k", "100k"]);
        assert_eq!(labels(&Axis::linear("", f64::NAN)), ["0", "0.2", "0.4", "0.6", "0.8", "1"]);
        let axis = Axis::linear("", 50.0);
        assert_eq!([0.0, 25.0, 50.0, 99.0].map(|value| axis.share(value)), [0.0, 0.5, 1.0, 1.0]);
    }

    #[test]
    fn time_ends_with_the_run() {
        let axis = Axis::until("", 11.5);
        assert_eq!(labels(&axis), ["0", "5", "10"]);
        assert_eq!((axis.share(11.5), axis.share(5.75)), (1.0, 0.5));
        assert_eq!(labels(&Axis::until("", 0.0)).len(), 6);
    }

    #[test]
    fn logarithmic_axes_end_at_powers_of_ten() {
        let axis = Axis::log("", 0.3, 40.0);
        assert_eq!(labels(&axis), ["0.1", "1", "10", "100"]);
        assert!((axis.share(1.0) - 1.0 / 3.0).abs() < 1e-9);
        assert_eq!(axis.share(0.0), 0.0);
        assert_eq!(labels(&Axis::log("", 1.0, 1.0)), ["1", "10"]);
        assert_eq!(labels(&Axis::log("", 0.0, f64::NAN)), ["0.001", "0.01"]);
    }

    #[test]
    fn steps_have_logarithmic_distances_and_begin_with_0() {
        let axis = Axis::steps("", &[0.0, 100.0, 1000.0]);
        assert_eq!(labels(&axis), ["0", "100", "1000"]);
        assert_eq!([0.0, 100.0, 1000.0].map(|step| (axis.share(step) * 2.0).round()), [0.0, 1.0, 2.0]);
        let axis = Axis::steps("", &[2.0, 8.0, 32.0]);
        assert!((axis.share(8.0) - 0.5).abs() < 1e-9 && axis.share(2.0) == 0.0);
        assert_eq!(labels(&Axis::steps("", &[5.0])), ["5"]);
    }

    #[test]
    fn percentiles_lie_at_equal_distances() {
        let axis = Axis::percentiles("", 9000);
        assert_eq!(labels(&axis), ["0 %", "90 %", "99 %", "99.9 %", "99.99 %"]);
        assert!((axis.share(1.0 / (1.0 - 0.99)) - 0.5).abs() < 1e-9);
    }
}
