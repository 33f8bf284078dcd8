//! Whether a layer keeps up with a rate, and which rate to try next.

use super::document::{Effects, Saturation, Step};
use super::schedule::Rate;

/// By how much each step is faster than the one before.
const FASTER: f64 = 1.5;
/// Two rates closer together than this are not told apart.
const CLOSE: f64 = 1.15;
/// The most steps of one load.
const MOST_STEPS: usize = 20;
/// The longest time in which 99 in a hundred events are accepted by a layer that keeps up.
const ACCEPT_P99_S: f64 = 1.0;
/// The share of the events of half a step by which the backlog may grow: what is in flight varies.
const GROWTH: f64 = 0.05;
/// A layer that finishes what it takes within this time keeps up, however the number in flight varies.
const BEHIND_S: f64 = 1.0;
/// The generator is late if 99 in a hundred events do not begin within this time of their own.
const LAG_P99_S: f64 = 0.05;

/// Returns why the layer did not keep up in this step; `None` if it did.
pub(super) fn not_kept_up(step: &Step) -> Option<String> {
    let refused: u64 = step.rejected.iter().chain(&step.failed).map(|problem| problem.count).sum();
    if refused > 0 {
        return Some(format!("{refused} of {} events were not accepted", step.sent));
    }
    if let Some(p99) = step.accept_s.map(|times| times.p99).filter(|p99| *p99 > ACCEPT_P99_S) {
        return Some(format!("accepting took {p99:.1} s at p99, more than {ACCEPT_P99_S:.0} s"));
    }
    let effects = step.effects.as_ref()?;
    let is_behind = as_f64(effects.backlog) > step.rate_per_s * BEHIND_S;
    let grows = as_f64(effects.backlog_growth) > step.rate_per_s * step.for_s / 2.0 * GROWTH;
    (is_behind && grows).then(|| {
        let Effects { backlog, backlog_growth, .. } = effects;
        format!("{backlog} events were unfinished at the end, {backlog_growth} more than at half time")
    })
}

/// Whether the generator itself was late, so that the step says nothing about the layer.
pub(super) fn generator_was_late(step: &Step) -> bool {
    step.generator.lag_s.is_some_and(|lag| lag.p99 > LAG_P99_S)
}

/// What to do after some steps.
#[derive(Debug, PartialEq)]
pub(super) enum Next {
    Try(Rate),
    /// Enough is known, or no more can be learned: why.
    End(String),
}

/// Chooses the next rate: half as high again until one is too high, then between the two, until they are close.
pub(super) fn next(steps: &[Step]) -> Next {
    let Some(last) = steps.last() else { return Next::End("there was no step".to_owned()) };
    if generator_was_late(last) {
        return Next::End(
            "the generator itself was late: the layer may take more, with a generator elsewhere".to_owned(),
        );
    }
    if last.effects.as_ref().is_some_and(|effects| effects.unfinished > 0) {
        return Next::End("the layer did not catch up within the limit of --drain".to_owned());
    }
    let (kept_up, failed) = bounds(steps);
    let rate = match (kept_up, failed) {
        (Some(kept_up), None) => kept_up * FASTER,
        (None, Some(failed)) => failed / FASTER,
        (Some(kept_up), Some(failed)) if failed / kept_up > CLOSE => (kept_up * failed).sqrt(),
        _ => return Next::End("the rates are close together".to_owned()),
    };
    if steps.len() >= MOST_STEPS {
        return Next::End(format!("{MOST_STEPS} steps were made"));
    }
    Rate::per_second(rate)
        .map_or_else(|| Next::End("the next rate is beyond the generator".to_owned()), Next::Try)
}

/// Returns the highest rate that the layer kept up with, and the lowest with which it did not.
fn bounds(steps: &[Step]) -> (Option<f64>, Option<f64>) {
    let rates =
        |kept_up: bool| steps.iter().filter(move |step| step.kept_up == kept_up).map(|step| step.rate_per_s);
    let failed = rates(false).min_by(f64::total_cmp);
    // A rate above one that was too high has been luck.
    let kept_up =
        rates(true).filter(|rate| failed.is_none_or(|failed| *rate < failed)).max_by(f64::total_cmp);
    (kept_up, failed)
}

/// Returns what the steps have shown.
pub(super) fn saturation(steps: &[Step], ended: String) -> Saturation {
    let (kept_up_per_s, failed_per_s) = bounds(steps);
    let at_failed = steps.iter().find(|step| !step.kept_up && Some(step.rate_per_s) == failed_per_s);
    let finished_per_s = at_failed.and_then(|step| Some(step.effects.as_ref()?.finished_per_s));
    Saturation { kept_up_per_s, failed_per_s, finished_per_s, ended }
}

#[expect(clippy::cast_precision_loss, reason = "numbers of events are far below 2^52")]
fn as_f64(number: i64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::super::samples::step;
    use super::*;

    /// Makes the steps against a layer that takes this much.
    fn search(first: f64, capacity: f64) -> (Vec<f64>, Saturation) {
        let mut steps = Vec::new();
        let mut rate = first;
        loop {
            steps.push(step(rate, rate <= capacity));
            match next(&steps) {
                Next::Try(next) => rate = next.as_f64(),
                Next::End(ended) => {
                    return (steps.iter().map(|step| step.rate_per_s).collect(), saturation(&steps, ended));
                }
            }
        }
    }

    #[test]
    fn rates_close_in_on_what_the_layer_takes() {
        for (first, capacity) in [(20.0, 333.0), (500.0, 90.0), (100.0, 100.0)] {
            let (tried, found) = search(first, capacity);
            let (kept_up, failed) = (found.kept_up_per_s.unwrap(), found.failed_per_s.unwrap());
            assert!(
                kept_up <= capacity && capacity < failed && failed / kept_up <= CLOSE,
                "{tried:?} {found:?}"
            );
            assert!(tried.len() <= 12, "{tried:?}");
        }
    }

    #[test]
    fn steps_end_where_nothing_can_be_learned() {
        let (tried, found) = search(9_000.0, f64::MAX);
        assert_eq!((tried.len(), found.failed_per_s), (1, None));
        let mut late = step(100.0, true);
        late.generator.lag_s =
            late.accept_s.map(|times| super::super::times::Percentiles { p99: 0.2, ..times });
        assert!(matches!(next(&[late]), Next::End(why) if why.contains("generator")));
        let mut behind = step(100.0, false);
        behind.effects.as_mut().unwrap().unfinished = 3;
        assert!(matches!(next(&[behind]), Next::End(why) if why.contains("--drain")));
    }

    #[test]
    fn a_layer_does_not_keep_up_if_it_refuses_is_slow_or_falls_behind() {
        let mut fine = step(100.0, true);
        fine.effects.as_mut().unwrap().backlog_growth = 40;
        assert_eq!(not_kept_up(&fine), None);
        let mut behind = fine.clone();
        behind.effects.as_mut().unwrap().backlog = 120;
        assert!(not_kept_up(&behind).unwrap().starts_with("120 events were unfinished at the end, 40 more"));
        let mut slow = fine.clone();
        slow.accept_s = slow.accept_s.map(|times| super::super::times::Percentiles { p99: 1.5, ..times });
        assert!(not_kept_up(&slow).unwrap().contains("1.5 s at p99"));
        let mut refusing = fine;
        refusing
            .rejected
            .push(super::super::document::Problem { problem: "overloaded".to_owned(), count: 2 });
        assert!(not_kept_up(&refusing).unwrap().starts_with("2 of"));
    }
}
