//! What sums up several rounds.

use histogram_log::Interval;

/// Returns the mean; not a number if there are no values.
///
/// The ratio of two means differs less between two runs, on a machine that does other things too, than that of two medians or of two
/// minima; docs/performance.md has the figures.
#[expect(clippy::cast_precision_loss, reason = "few values")]
pub(crate) fn mean(values: impl IntoIterator<Item = f64>) -> f64 {
    let values: Vec<f64> = values.into_iter().collect();
    values.iter().sum::<f64>() / values.len() as f64
}

/// Returns the median; not a number if there are no values.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => f64::NAN,
        odd if odd % 2 == 1 => values[middle],
        _ => f64::midpoint(values[middle - 1], values[middle]),
    }
}

/// Returns what this share of all latencies does not exceed, in seconds.
#[expect(clippy::cast_precision_loss, reason = "at most an hour in microseconds")]
pub(crate) fn percentile<'a>(intervals: impl IntoIterator<Item = &'a &'a Interval>, share: f64) -> f64 {
    let mut all = histogram_log::empty();
    for interval in intervals {
        // All have the same bounds.
        let added = all.add(&interval.histogram);
        debug_assert!(added.is_ok());
    }
    all.value_at_quantile(share) as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_are_summed_up() {
        assert!((median([3.0, 1.0, 2.0]) - 2.0).abs() < 1e-9);
        assert!((median([4.0, 1.0, 2.0, 3.0]) - 2.5).abs() < 1e-9);
        assert!((mean([1.0, 2.0, 6.0]) - 3.0).abs() < 1e-9);
        assert!(median([]).is_nan() && mean([]).is_nan());
    }
}
