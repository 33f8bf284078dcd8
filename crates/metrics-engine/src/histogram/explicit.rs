//! Buckets with bounds of their own.

use super::Bucket;
use crate::limits::MAX_BUCKETS;
use crate::refusal::Refusal;

/// Buckets between bounds, each of which belongs to the bucket below it; the last bucket has no upper bound.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Explicit {
    bounds: Box<[f64]>,
    /// One more than bounds, or none if only the count is known.
    counts: Box<[u64]>,
}

impl Explicit {
    /// Checks buckets as they are exported.
    pub(crate) fn new(bounds: &[f64], counts: &[u64]) -> Result<Self, Refusal> {
        let is_count_only = counts.is_empty() && bounds.is_empty();
        let in_order = bounds.windows(2).all(|pair| pair[0] < pair[1]);
        if counts.len() > MAX_BUCKETS {
            return Err(Refusal::TooManyBuckets);
        }
        if !in_order || !bounds.iter().all(|bound| bound.is_finite()) {
            return Err(Refusal::Buckets);
        }
        if !is_count_only && counts.len() != bounds.len() + 1 {
            return Err(Refusal::Buckets);
        }
        Ok(Self { bounds: bounds.into(), counts: counts.into() })
    }

    /// Adds other buckets. Only the bounds that both have remain, because how values lie between others is unknown.
    pub(crate) fn add(&mut self, other: &Self) {
        if self.bounds != other.bounds {
            let common: Box<[f64]> =
                self.bounds.iter().copied().filter(|bound| other.bounds.contains(bound)).collect();
            *self = self.within(&common);
        }
        let other = if other.bounds == self.bounds { other } else { &other.within(&self.bounds) };
        for (own, other) in self.counts.iter_mut().zip(&other.counts) {
            *own = own.saturating_add(*other);
        }
    }

    /// Returns the same values between fewer bounds.
    fn within(&self, bounds: &[f64]) -> Self {
        let mut counts = vec![0_u64; bounds.len() + 1];
        for (index, count) in self.counts.iter().enumerate() {
            let place = self
                .bounds
                .get(index)
                .map_or(bounds.len(), |upper| bounds.partition_point(|bound| bound < upper));
            counts[place] = counts[place].saturating_add(*count);
        }
        Self { bounds: bounds.into(), counts: counts.into() }
    }

    /// Returns the buckets, lowest first.
    pub(crate) fn buckets(&self) -> Vec<Bucket> {
        let lowest = self.bounds.first().map_or(f64::NEG_INFINITY, |first| {
            // What is measured is rarely negative unless a bound says so.
            if *first > 0.0 { 0.0 } else { f64::NEG_INFINITY }
        });
        let lower = [lowest].into_iter().chain(self.bounds.iter().copied());
        let upper = self.bounds.iter().copied().chain([f64::INFINITY]);
        lower
            .zip(upper)
            .zip(&self.counts)
            .map(|((lower, upper), count)| Bucket { lower, upper, count: *count })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explicit(bounds: &[f64], counts: &[u64]) -> Explicit {
        Explicit::new(bounds, counts).unwrap()
    }

    #[test]
    fn only_common_bounds_remain() {
        let mut sum = explicit(&[1.0, 2.0, 5.0], &[1, 2, 3, 4]);
        sum.add(&explicit(&[1.0, 2.0, 5.0], &[1, 0, 0, 1]));
        assert_eq!(sum, explicit(&[1.0, 2.0, 5.0], &[2, 2, 3, 5]));
        sum.add(&explicit(&[2.0, 3.0, 5.0], &[10, 20, 30, 40]));
        assert_eq!(sum, explicit(&[2.0, 5.0], &[14, 53, 45]));
        sum.add(&explicit(&[7.0], &[1, 1]));
        assert_eq!(sum, explicit(&[], &[114]));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let refused = |bounds: &[f64], counts: &[u64]| Explicit::new(bounds, counts).unwrap_err();
        assert_eq!(refused(&[1.0], &[1]), Refusal::Buckets);
        assert_eq!(refused(&[2.0, 1.0], &[1, 1, 1]), Refusal::Buckets);
        assert_eq!(refused(&[f64::NAN], &[1, 1]), Refusal::Buckets);
        assert_eq!(refused(&[], &[1; MAX_BUCKETS + 1]), Refusal::TooManyBuckets);
    }
}
