//! What is true of some traces more often than of others.

use std::collections::{BTreeMap, BTreeSet};

use super::chart::share;
use super::features::Feature;

/// Smaller differences of shares are left out.
const SMALLEST: f64 = 0.02;

/// A feature with how many traces of each side have it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Difference {
    /// The filter expression.
    pub(super) expression: String,
    pub(super) counts: [u64; 2],
    /// Shares of all traces of that side, from 0 to 1.
    pub(super) shares: [f64; 2],
}

impl Difference {
    /// Returns how much larger the share is on the first side; negative if it is smaller.
    pub(super) fn size(&self) -> f64 {
        self.shares[0] - self.shares[1]
    }
}

/// The features that tell one side from the other.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Differences {
    /// The largest difference first.
    pub(super) found: Vec<Difference>,
    /// What is different in almost every trace, such as an id: its values tell nothing about others.
    pub(super) distinct: Vec<String>,
}

/// Compares two sides, each with the features of every trace.
pub(super) fn differences(sides: [&[BTreeSet<Feature>]; 2]) -> Differences {
    let mut counts: BTreeMap<&Feature, [u64; 2]> = BTreeMap::new();
    for (side, traces) in sides.iter().enumerate() {
        for feature in traces.iter().flatten() {
            counts.entry(feature).or_default()[side] += 1;
        }
    }
    let distinct = distinct(&counts);
    let totals = sides.map(|side| side.len() as u64);
    let mut found: Vec<Difference> = counts
        .into_iter()
        .filter(|(feature, _)| !distinct.contains(&feature.about))
        .map(|(feature, counts)| Difference {
            expression: feature.expression.clone(),
            counts,
            shares: [share(counts[0], totals[0]), share(counts[1], totals[1])],
        })
        .filter(|difference| difference.size().abs() >= SMALLEST)
        .collect();
    without_repetitions(&mut found);
    found.sort_by(|a, b| {
        b.size().abs().total_cmp(&a.size().abs()).then_with(|| a.expression.cmp(&b.expression))
    });
    Differences { found, distinct: distinct.into_iter().collect() }
}

/// Removes "is set" where one value says the same: all traces in which something is set have that value.
fn without_repetitions(found: &mut Vec<Difference>) {
    let has_value = |one: &Difference, other: &Difference| {
        let rest = other.expression.strip_prefix(&one.expression);
        other.counts == one.counts && rest.is_some_and(|rest| rest.starts_with(" = "))
    };
    let all = found.clone();
    found.retain(|one| !all.iter().any(|other| has_value(one, other)));
}

/// Returns what has several values of which more than half occur once: ids and the like.
fn distinct(counts: &BTreeMap<&Feature, [u64; 2]>) -> BTreeSet<String> {
    let mut values: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for (feature, counts) in counts {
        let (all, once) = values.entry(&feature.about).or_default();
        *all += 1;
        *once += u64::from(counts[0] + counts[1] == 1);
    }
    let is_distinct = |(_, (all, once)): &(&str, (u64, u64))| *all > 2 && 2 * once > *all;
    values.into_iter().filter(is_distinct).map(|(about, _)| about.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn traces(features: &[&[(&str, &str)]]) -> Vec<BTreeSet<Feature>> {
        let feature = |(about, expression): &(&str, &str)| Feature {
            about: (*about).to_owned(),
            expression: (*expression).to_owned(),
        };
        features.iter().map(|trace| trace.iter().map(feature).collect()).collect()
    }

    #[test]
    fn the_largest_difference_comes_first_with_its_counts() {
        let slow = traces(&[&[("t", "t = a"), ("fault", "fault")], &[("t", "t = a"), ("s", "s")]]);
        let rest =
            traces(&[&[("t", "t = b"), ("s", "s")], &[("t", "t = b")], &[("t", "t = a")], &[("t", "t = b")]]);
        let Differences { found, distinct } = differences([&slow, &rest]);
        let found: Vec<_> =
            found.iter().map(|one| (one.expression.as_str(), one.counts, one.size())).collect();
        assert_eq!(
            found,
            [("t = a", [2, 1], 0.75), ("t = b", [0, 3], -0.75), ("fault", [1, 0], 0.5), ("s", [1, 1], 0.25),]
        );
        assert!(distinct.is_empty());
    }

    #[test]
    fn ids_and_what_all_have_in_common_tell_nothing() {
        let slow = traces(&[&[("id", "id = 1"), ("x", "x")], &[("id", "id = 2"), ("x", "x")]]);
        let rest = traces(&[&[("id", "id = 3"), ("x", "x")]]);
        let Differences { found, distinct } = differences([&slow, &rest]);
        assert_eq!(found, []);
        assert_eq!(distinct, ["id"]);
    }

    #[test]
    fn what_is_set_is_left_out_if_one_value_says_the_same() {
        let set = ("k is set", "annotation.k");
        let slow = traces(&[&[set, ("k", "annotation.k = 1")], &[set, ("k", "annotation.k = 1")]]);
        let rest = traces(&[&[], &[("l is set", "annotation.kl")]]);
        let expressions = |slow: &[BTreeSet<Feature>]| {
            let found = differences([slow, &rest]).found;
            found.into_iter().map(|one| one.expression).collect::<Vec<_>>()
        };
        assert_eq!(expressions(&slow), ["annotation.k = 1", "annotation.kl"]);
        let several = traces(&[&[set, ("k", "annotation.k = 1")], &[set, ("k", "annotation.k = 2")]]);
        assert_eq!(expressions(&several)[0], "annotation.k");
    }

    #[test]
    fn a_side_may_be_empty() {
        let slow = traces(&[&[("x", "x")]]);
        let found = differences([&slow, &[]]).found;
        assert_eq!((found[0].counts, found[0].size()), ([1, 0], 1.0));
        assert_eq!(differences([&[], &[]]), Differences::default());
    }
}
