//! Response times as a chart of text, with buckets on a logarithmic scale.

use crate::service_map::Histogram;
use crate::span_of_time::short;
use crate::style::{Colour, Style};

/// The columns of the longest bar.
const BAR: usize = 40;
/// The percentiles that are shown.
pub(super) const PERCENTILES: [(&str, f64); 5] =
    [("p50", 0.5), ("p90", 0.9), ("p95", 0.95), ("p99", 0.99), ("max", 1.0)];
/// Times below this one share a bucket, in seconds.
const SHORTEST: f64 = 1e-4;
/// The upper bounds of buckets within a power of ten.
const STEPS: [f64; 3] = [1.0, 2.0, 5.0];

/// A bucket: the times above the bound of the one before and up to its own, in seconds, and how many there are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::commands) struct Bucket {
    pub(in crate::commands) up_to: f64,
    pub(in crate::commands) count: u64,
}

/// Returns buckets bounded by 1, 2 and 5 times powers of ten, from the first to the last that is not empty.
pub(in crate::commands) fn buckets(times: &Histogram) -> Vec<Bucket> {
    let mut buckets: Vec<Bucket> = Vec::new();
    let mut bounds = bounds();
    let mut bound = SHORTEST;
    for (seconds, count) in times.iter() {
        // A little more, since 0.002 is not exactly two thousandths.
        while seconds > bound * (1.0 + 1e-9) {
            if buckets.last().is_some_and(|last| last.up_to < bound) {
                buckets.push(Bucket { up_to: bound, count: 0 });
            }
            match bounds.next() {
                Some(next) => bound = next,
                None => break,
            }
        }
        match buckets.last_mut() {
            Some(last) if last.up_to >= bound => last.count += count,
            _ => buckets.push(Bucket { up_to: bound, count }),
        }
    }
    buckets
}

/// Iterates over the bounds above the first, to far above the longest time.
fn bounds() -> impl Iterator<Item = f64> {
    (-4..9).flat_map(|power| STEPS.map(|step| step * 10_f64.powi(power))).filter(|bound| *bound > SHORTEST)
}

/// Draws the chart of times of one thing, named in the singular; every line ends in a line break.
pub(in crate::commands) fn draw(times: &Histogram, what: &str, style: Style) -> String {
    let buckets = buckets(times);
    let most = buckets.iter().map(|bucket| bucket.count).max().unwrap_or(0);
    let total = times.total();
    let mut text = String::new();
    for bucket in &buckets {
        let bar = style.paint(Colour::Cyan, &"█".repeat(columns(bucket.count, most)));
        let share = percent(bucket.count, total);
        let line = format!("≤ {:>7} {:>9} {share:>7}  {bar}", short(bucket.up_to), bucket.count);
        text.extend([line.trim_end(), "\n"]);
    }
    let percentiles = PERCENTILES.iter().map(|(name, share)| {
        let time = times.percentile(*share).map_or_else(|| "-".to_owned(), short);
        format!("{} {time}", style.paint(Colour::Dim, name))
    });
    let plural = if total == 1 { "" } else { "s" };
    let parts = [format!("{total} {what}{plural}")].into_iter().chain(percentiles);
    text.extend(["\n", &style.flow(parts, "  ", "  "), "\n"]);
    text
}

/// Returns a count's share of all, in percent.
pub(super) fn percent(count: u64, total: u64) -> String {
    match share(count, total) * 100.0 {
        0.0 => "0 %".to_owned(),
        percent if percent < 0.1 => "<0.1 %".to_owned(),
        percent if percent < 9.95 => format!("{percent:.1} %"),
        percent => format!("{percent:.0} %"),
    }
}

/// Returns a count's share of all, from 0 to 1; 0 if there are none.
#[expect(clippy::cast_precision_loss, reason = "counts of traces are far below 2^52")]
pub(super) fn share(count: u64, total: u64) -> f64 {
    if total == 0 { 0.0 } else { count as f64 / total as f64 }
}

/// Returns the length of a bar: at least one column, unless there is nothing to show.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "at most BAR"
)]
fn columns(count: u64, most: u64) -> usize {
    ((share(count, most) * BAR as f64).round() as usize).max(usize::from(count > 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_have_round_bounds_and_gaps_are_shown() {
        let times = Histogram::of(&[(0.0, 1), (0.001, 2), (0.001_01, 3), (0.002, 4), (0.03, 5)]);
        let found: Vec<_> =
            buckets(&times).iter().map(|bucket| (short(bucket.up_to), bucket.count)).collect();
        let expected = [
            ("100 µs", 1),
            ("200 µs", 0),
            ("500 µs", 0),
            ("1.0 ms", 2),
            ("2.0 ms", 7),
            ("5.0 ms", 0),
            ("10 ms", 0),
            ("20 ms", 0),
            ("50 ms", 5),
        ];
        assert_eq!(found, expected.map(|(bound, count)| (bound.to_owned(), count)));
    }

    #[test]
    fn no_time_is_lost() {
        let times = Histogram::of(&[(0.000_1, 1), (1e7, 2), (5e8, 3), (1e12, 4)]);
        assert_eq!(buckets(&times).iter().map(|bucket| bucket.count).sum::<u64>(), 10);
        assert_eq!(buckets(&Histogram::default()), []);
    }

    #[test]
    fn the_chart_has_percentiles() {
        let times = Histogram::of(&[(0.004, 97), (0.3, 2), (1.5, 1)]);
        let drawn = draw(&times, "response", Style::PLAIN);
        assert_eq!(
            drawn,
            "\
≤  5.0 ms        97    97 %  ████████████████████████████████████████
≤   10 ms         0     0 %
≤   20 ms         0     0 %
≤   50 ms         0     0 %
≤  100 ms         0     0 %
≤  200 ms         0     0 %
≤  500 ms         2   2.0 %  █
≤   1.0 s         0     0 %
≤   2.0 s         1   1.0 %  █

100 responses  p50 4.0 ms  p90 4.0 ms  p95 4.0 ms  p99 300 ms  max 1.5 s
",
            "\n{drawn}"
        );
    }
}
