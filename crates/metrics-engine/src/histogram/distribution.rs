//! A histogram of either kind.

use super::{Bucket, Explicit, Exponential};

/// The distribution of values.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Histogram {
    pub(crate) count: u64,
    pub(crate) sum: Option<f64>,
    pub(crate) min: Option<f64>,
    pub(crate) max: Option<f64>,
    pub(crate) buckets: Buckets,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Buckets {
    Explicit(Explicit),
    Exponential(Exponential),
}

impl Histogram {
    /// Adds the values of another histogram.
    pub(crate) fn add(&mut self, other: &Self) {
        self.count = self.count.saturating_add(other.count);
        self.sum = self.sum.zip(other.sum).map(|(own, other)| own + other);
        self.min = either(self.min, other.min, f64::min);
        self.max = either(self.max, other.max, f64::max);
        match (&mut self.buckets, &other.buckets) {
            (Buckets::Explicit(own), Buckets::Explicit(other)) => own.add(other),
            (Buckets::Exponential(own), Buckets::Exponential(other)) => own.add(other),
            // The kind is part of a series' identity.
            (own, other) => *own = other.clone(),
        }
    }

    /// Returns the value below which a share of the values lies, by linear interpolation within its bucket. It is as
    /// precise as the bucket is narrow.
    #[expect(clippy::cast_precision_loss, reason = "counts far below 2^53, for an estimate")]
    pub(crate) fn quantile(&self, share: f64) -> Option<f64> {
        let buckets = match &self.buckets {
            Buckets::Explicit(explicit) => explicit.buckets(),
            Buckets::Exponential(exponential) => exponential.buckets(),
        };
        let total: u64 = buckets.iter().map(|bucket| bucket.count).sum();
        let rank = share * total as f64;
        let mut below = 0.0;
        for bucket in buckets.iter().filter(|bucket| bucket.count > 0) {
            let count = bucket.count as f64;
            if below + count >= rank {
                return self.within(*bucket, (rank - below) / count);
            }
            below += count;
        }
        None
    }

    /// Returns the value at a share of the way through a bucket, whose bounds are those of all values if they are
    /// narrower.
    fn within(&self, bucket: Bucket, share: f64) -> Option<f64> {
        let lower = self.min.map_or(bucket.lower, |min| bucket.lower.max(min));
        let upper = self.max.map_or(bucket.upper, |max| bucket.upper.min(max));
        match (lower.is_finite(), upper.is_finite()) {
            // Extremes of another process may lie within the bucket.
            (true, true) => Some(lower + (upper.max(lower) - lower) * share),
            (true, false) => Some(lower),
            (false, true) => Some(upper),
            (false, false) => None,
        }
    }
}

fn either(own: Option<f64>, other: Option<f64>, choose: fn(f64, f64) -> f64) -> Option<f64> {
    match (own, other) {
        (Some(own), Some(other)) => Some(choose(own, other)),
        (own, other) => own.or(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explicit(bounds: &[f64], counts: &[u64], extremes: Option<(f64, f64)>) -> Histogram {
        Histogram {
            count: counts.iter().sum(),
            sum: Some(0.0),
            min: extremes.map(|(min, _)| min),
            max: extremes.map(|(_, max)| max),
            buckets: Buckets::Explicit(Explicit::new(bounds, counts).unwrap()),
        }
    }

    fn quantiles(histogram: &Histogram) -> [Option<f64>; 3] {
        [0.5, 0.9, 0.99].map(|share| histogram.quantile(share))
    }

    #[test]
    fn percentiles_lie_within_their_buckets() {
        let histogram = explicit(&[1.0, 2.0, 4.0], &[50, 40, 10, 0], None);
        assert_eq!(quantiles(&histogram), [Some(1.0), Some(2.0), Some(3.8)]);
        assert_eq!(explicit(&[1.0], &[10, 0], None).quantile(0.5), Some(0.5), "durations begin at zero");
    }

    #[test]
    fn percentiles_are_no_further_than_the_extremes() {
        let alone = explicit(&[1.0, 10.0], &[0, 1, 0], Some((3.0, 3.0)));
        assert_eq!(quantiles(&alone), [Some(3.0); 3]);
        let beyond = explicit(&[1.0], &[0, 4], Some((20.0, 30.0)));
        assert_eq!(beyond.quantile(0.5), Some(25.0));
        assert_eq!(explicit(&[1.0], &[0, 4], None).quantile(0.5), Some(1.0), "beyond the last bound");
    }

    #[test]
    fn without_values_there_are_no_percentiles() {
        assert_eq!(quantiles(&explicit(&[1.0], &[0, 0], None)), [None; 3]);
        assert_eq!(quantiles(&explicit(&[], &[], None)), [None; 3]);
    }

    #[test]
    fn sums_and_extremes_are_those_of_both() {
        let mut sum = explicit(&[1.0], &[1, 1], Some((0.5, 7.0)));
        sum.add(&explicit(&[1.0], &[2, 0], None));
        assert_eq!((sum.count, sum.min, sum.max), (4, Some(0.5), Some(7.0)));
        sum.add(&explicit(&[1.0], &[1, 0], Some((0.1, 0.2))));
        assert_eq!((sum.count, sum.min, sum.max), (5, Some(0.1), Some(7.0)));
    }

    #[test]
    fn exponential_percentiles_are_as_precise_as_their_scale() {
        let mut all: Option<Exponential> = None;
        for value in 1..=1000 {
            let one = Exponential::of(f64::from(value), 4);
            match &mut all {
                None => all = Some(one),
                Some(all) => all.add(&one),
            }
        }
        let histogram = Histogram {
            count: 1000,
            sum: None,
            min: Some(1.0),
            max: Some(1000.0),
            buckets: Buckets::Exponential(all.unwrap()),
        };
        for (share, expected) in [(0.5, 500.0), (0.9, 900.0), (0.99, 990.0)] {
            let found = histogram.quantile(share).unwrap();
            assert!((found / expected - 1.0_f64).abs() < 0.05, "{share}: {found}");
        }
    }
}
