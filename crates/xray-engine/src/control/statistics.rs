//! What clients have sampled, in windows of ten seconds
//! (<https://docs.aws.amazon.com/xray/latest/api/API_SamplingStatisticSummary.html>).

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

/// The length of a window, in seconds.
const WINDOW_S: u64 = 10;
/// How long a window is kept, in seconds. AWS says "recent".
const HISTORY_S: u64 = 60 * 60;
/// Rules in one window: far more than exist at a time, since rules may be deleted and created.
const MAX_RULES: usize = 100;

/// Requests of one rule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Counts {
    /// Those that matched.
    pub(crate) requests: u64,
    /// Those that were sampled.
    pub(crate) sampled: u64,
    /// Those that were sampled before the client had a quota.
    pub(crate) borrowed: u64,
}

/// The latest windows, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Statistics(VecDeque<Window>);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Window {
    /// Epoch seconds.
    start: u64,
    rules: BTreeMap<String, Counts>,
}

impl Statistics {
    /// Adds what a client reports for the window that `timestamp` falls into. Windows that are an hour old are dropped.
    pub(crate) fn record(&mut self, rule: &str, counts: Counts, timestamp: f64, now: f64) {
        let oldest = whole(now).saturating_sub(HISTORY_S);
        while self.0.front().is_some_and(|window| window.start < oldest) {
            self.0.pop_front();
        }
        let start = whole(timestamp) / WINDOW_S * WINDOW_S;
        if start < oldest {
            return;
        }
        let Some(window) = self.window(start) else { return };
        if window.rules.len() < MAX_RULES || window.rules.contains_key(rule) {
            let total = window.rules.entry(rule.to_owned()).or_default();
            total.requests = total.requests.saturating_add(counts.requests);
            total.sampled = total.sampled.saturating_add(counts.sampled);
            total.borrowed = total.borrowed.saturating_add(counts.borrowed);
        }
    }

    /// Returns the window that starts at `start`, which is made if necessary. Reports arrive nearly in order.
    fn window(&mut self, start: u64) -> Option<&mut Window> {
        let place = self.0.iter().rposition(|window| window.start <= start);
        let place = match place {
            Some(place) if self.0[place].start == start => place,
            before => {
                let place = before.map_or(0, |before| before + 1);
                self.0.insert(place, Window { start, rules: BTreeMap::new() });
                place
            }
        };
        self.0.get_mut(place)
    }

    /// Returns start, rule and counts, ordered by start and rule.
    pub(crate) fn rows(&self) -> impl Iterator<Item = (u64, &str, Counts)> {
        self.0.iter().flat_map(|window| {
            window.rules.iter().map(|(rule, counts)| (window.start, rule.as_str(), *counts))
        })
    }
}

/// Returns whole seconds.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a negative time counts as zero")]
fn whole(seconds: f64) -> u64 {
    seconds as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(requests: u64) -> Counts {
        Counts { requests, sampled: 1, borrowed: 0 }
    }

    #[test]
    fn reports_are_added_up_by_window_and_rule() {
        let mut statistics = Statistics::default();
        let now = 1_000_000.0;
        for (rule, timestamp) in [("b", 999_991.0), ("b", 999_999.9), ("b", 1_000_000.0), ("a", 999_985.0)] {
            statistics.record(rule, counts(2), timestamp, now);
        }
        statistics.record("a", counts(5), 999_990.0, now);
        let rows: Vec<_> =
            statistics.rows().map(|(start, rule, counts)| (start, rule, counts.requests)).collect();
        assert_eq!(rows, [(999_980, "a", 2), (999_990, "a", 5), (999_990, "b", 4), (1_000_000, "b", 2)]);
    }

    #[test]
    fn windows_older_than_an_hour_are_dropped() {
        let mut statistics = Statistics::default();
        for number in 0..1_000_u32 {
            let now = 1_000_000.0 + f64::from(number) * 10.0;
            statistics.record("a", counts(1), now, now);
        }
        assert_eq!(statistics.rows().count(), 361);
        statistics.record("a", counts(1), 1_000.0, 1_009_990.0);
        assert_eq!(statistics.rows().next().unwrap().0, 1_006_390);
    }

    #[test]
    fn a_window_holds_a_limited_number_of_rules() {
        let mut statistics = Statistics::default();
        for number in 0..150 {
            statistics.record(&format!("{number:03}"), counts(1), 1_000.0, 1_000.0);
        }
        statistics.record("000", counts(1), 1_000.0, 1_000.0);
        assert_eq!(statistics.rows().count(), MAX_RULES);
        assert_eq!(statistics.rows().next().unwrap().2.requests, 2);
    }
}
