//! The search for the highest rate that keeps a target: the rate doubles until it does not, then the interval is halved.

use std::time::{Duration, Instant};

use super::sender::LATE_MS;
use crate::{
    cli::RampArgs,
    latency::Summary,
    report::{Report, Section, Step, Steps},
    schedule::{LEAD, Schedule},
    stop::Stop,
    threshold::{LATENCY_UNIT, Subject, Threshold},
};

/// The rates to search in.
const LEAST: f64 = 0.1;
pub(super) const MOST: f64 = 1_000_000.0;
const MOST_STEPS: usize = 60;

/// What is known of the highest rate.
#[derive(Debug, Clone)]
struct Search {
    /// Of the next step.
    rate: f64,
    /// The highest that has kept the target.
    lower: Option<f64>,
    /// The lowest that has not, twice.
    upper: Option<f64>,
    /// The current rate has failed once.
    doubtful: bool,
    /// The ratio of both at which the search ends.
    close: f64,
    /// The highest to try.
    most: f64,
}

impl Search {
    fn new(rate: f64, precision_percent: f64, most: f64) -> Self {
        let close = 1.0 + precision_percent / 100.0;
        Self { rate, lower: None, upper: None, doubtful: false, close, most }
    }

    /// Takes the result of the last step; false if there is no further one.
    fn record(&mut self, met: bool) -> bool {
        match met {
            true => self.lower = Some(self.rate),
            false if !self.doubtful => {
                self.doubtful = true;
                return true;
            }
            false => self.upper = Some(self.rate),
        }
        self.doubtful = false;
        let next = match (self.lower, self.upper) {
            (Some(lower), Some(upper)) if upper / lower <= self.close => None,
            (Some(lower), Some(upper)) => Some((lower * upper).sqrt()),
            (Some(lower), None) if lower >= self.most => None,
            (Some(lower), None) => Some((lower * 2.0).min(self.most)),
            (None, Some(upper)) => Some(upper / 2.0),
            (None, None) => None,
        };
        let next = next.filter(|rate| (LEAST..=self.most).contains(rate));
        self.rate = next.unwrap_or(self.rate);
        next.is_some()
    }
}

/// The steps that were taken.
pub(super) struct Ramp {
    steps: Steps,
    /// Items per second.
    highest: Option<f64>,
    late: bool,
    /// What would allow a higher rate, where the highest one that was possible has kept the target.
    limit: Option<String>,
}

/// Latencies of one step.
pub(super) struct Measured {
    /// That of the scenario.
    pub(super) main: Summary,
    pub(super) replies: Summary,
    pub(super) lateness: Summary,
    /// Nothing is missing.
    pub(super) complete: bool,
}

/// What is sent at a rate.
pub(super) trait RampLoad {
    /// The key of its latency.
    const MAIN: &'static str;
    /// Items on each tick.
    fn burst(&self) -> usize;
    /// The most ticks a second for which a step can last as long as it should, and what would allow more.
    fn most(&self) -> (f64, String);
    /// Sends at so many ticks a second, for the time of a step.
    async fn step(&mut self, rate: f64) -> Result<Measured, Stop>;
}

impl Ramp {
    /// Searches, beginning with `rate`; returns the best step as well.
    pub(super) async fn run<L: RampLoad>(
        arguments: &RampArgs,
        target: &Threshold,
        rate: f64,
        load: &mut L,
    ) -> Result<(Self, Option<Measured>), Stop> {
        let (most, limit) = load.most();
        if rate > most {
            return Err(Stop::Usage(format!(
                "--rate {rate} is more than {most:.1}, the most that is possible: {limit}"
            )));
        }
        let mut search = Search::new(rate, arguments.precision, most);
        let steps = Steps { target: target.to_string(), steps: Vec::new() };
        let mut ramp = Self { steps, highest: None, late: false, limit: None };
        let mut best: Option<Measured> = None;
        loop {
            let measured = load.step(search.rate).await?;
            let (value, met) = judge(target, L::MAIN, &measured)?;
            let late = measured.lateness.percentile_ms(99.0) > LATE_MS;
            ramp.late |= late;
            ramp.steps.steps.push(Step {
                rate: search.rate * load.burst() as f64,
                messages: measured.replies.count(),
                value_ms: value,
                p50_ms: measured.main.percentile_ms(50.0),
                p99_ms: measured.main.percentile_ms(99.0),
                met,
                note: match () {
                    () if !measured.complete => "deliveries missing",
                    () if late => "the tester was late",
                    () => "",
                },
            });
            let (rate, complete) = (search.rate, measured.complete);
            let more = search.record(met);
            if search.lower == Some(rate) {
                ramp.highest = Some(rate * load.burst() as f64);
                best = Some(measured);
            }
            // What is lost makes the run void: further steps would only wait for it.
            if !more || !complete || ramp.steps.steps.len() >= MOST_STEPS {
                ramp.limit = search.lower.filter(|lower| *lower >= most).map(|_| limit);
                return Ok((ramp, best));
            }
        }
    }

    pub(super) fn report(self, report: &mut Report) {
        let highest = self.highest.unwrap_or_default();
        report.figure(Section::Load, "targetRate", "highest rate within the target", highest, "/s");
        report.count(Section::Load, "steps", "steps", self.steps.steps.len() as u64);
        if self.highest.is_none() {
            report.warn(format!("no rate kept '{}'", self.steps.target));
        }
        if let Some(limit) = self.limit {
            report.warn(format!(
                "the highest possible rate kept the target, so that the hub may keep it at more: {limit}"
            ));
        }
        if self.late {
            report.warn("the tester itself was late in a step: it needs more CPU or --threads".to_owned());
        }
        report.steps(self.steps);
    }
}

/// The schedule of a step that begins now, whose indexes follow those before.
pub(super) fn schedule_of(ramp: &RampArgs, rate: f64, burst: usize, first: u64) -> Schedule {
    let time = ramp.step_warmup + ramp.step.max(Duration::from_secs_f64(1.0 / rate));
    let warmup = (rate * ramp.step_warmup.as_secs_f64()).round() as u64 * burst as u64;
    Schedule::new(Instant::now() + LEAD, rate, time, burst).with_indexes(first, 1).with_warmup(warmup)
}

/// The value that the target is about, and whether it is kept.
fn judge(target: &Threshold, main: &str, measured: &Measured) -> Result<(Option<f64>, bool), Stop> {
    let Subject::Latency(key, statistic) = &target.subject else { return Err(wrong(target, main)) };
    let summary = match key.as_deref() {
        None => &measured.main,
        Some(key) if key == main => &measured.main,
        Some("reply") => &measured.replies,
        Some(_) => return Err(wrong(target, main)),
    };
    if summary.count() == 0 {
        return Ok((None, false));
    }
    let value = statistic.of(summary);
    let kept = target.met_by(value, LATENCY_UNIT).map_err(Stop::Usage)?;
    Ok((Some(value), kept && measured.complete))
}

fn wrong(target: &Threshold, main: &str) -> Stop {
    Stop::Usage(format!("--target '{target}': a limit of the latency `{main}` or `reply` is needed, as in p99<5ms"))
}

/// Refuses what cannot be searched for, before anything is opened.
pub(super) fn check(target: Option<&Threshold>, main: &str) -> Result<(), Stop> {
    let Some(target) = target else { return Ok(()) };
    match &target.subject {
        Subject::Latency(None, _) => Ok(()),
        Subject::Latency(Some(key), _) if key == main || key == "reply" => Ok(()),
        _ => Err(wrong(target, main)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Searches with a hub that keeps the target up to this rate; the rates of all steps, and the result.
    fn search(start: f64, mut keeps: impl FnMut(f64) -> bool) -> (Vec<f64>, Option<f64>) {
        let mut search = Search::new(start, 5.0, MOST);
        let mut rates = Vec::new();
        loop {
            rates.push(search.rate);
            let met = keeps(search.rate);
            if !search.record(met) {
                return (rates, search.lower);
            }
            assert!(rates.len() < MOST_STEPS);
        }
    }

    #[test]
    fn the_rate_doubles_and_is_then_bisected() {
        let (rates, highest) = search(20.0, |rate| rate <= 700.0);
        assert_eq!(rates[..6], [20.0, 40.0, 80.0, 160.0, 320.0, 640.0]);
        let highest = highest.expect("a rate");
        assert!(highest <= 700.0 && highest > 700.0 / 1.05, "{highest}");
        assert!(rates.len() < 18, "{rates:?}");
    }

    #[test]
    fn a_start_that_is_too_fast_is_halved() {
        let (rates, highest) = search(1000.0, |rate| rate <= 30.0);
        assert_eq!(rates[..4], [1000.0, 1000.0, 500.0, 500.0]);
        let highest = highest.expect("a rate");
        assert!(highest <= 30.0 && highest > 30.0 / 1.05, "{highest}");
    }

    #[test]
    fn a_step_that_fails_once_does_not_count() {
        let mut hiccups = 0;
        let (_, highest) = search(20.0, |rate| {
            let hiccup = (35.0..50.0).contains(&rate) && hiccups == 0;
            hiccups += usize::from(hiccup);
            !hiccup && rate <= 200.0
        });
        assert_eq!(hiccups, 1);
        assert!(highest.expect("a rate") > 190.0);
    }

    #[test]
    fn a_limit_is_the_last_step() {
        let mut search = Search::new(20.0, 5.0, 100.0);
        let mut rates = vec![search.rate];
        while search.record(true) {
            rates.push(search.rate);
        }
        assert_eq!((rates, search.lower), (vec![20.0, 40.0, 80.0, 100.0], Some(100.0)));
    }

    #[test]
    fn a_hub_that_keeps_no_rate_has_no_result_and_one_that_keeps_all_ends() {
        assert_eq!(search(20.0, |_| false).1, None);
        assert!(search(20.0, |_| true).1.expect("a rate") > MOST / 2.0);
    }
}
