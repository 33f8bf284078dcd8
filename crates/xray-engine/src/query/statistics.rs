//! How requests ended and how long they took
//! (<https://docs.aws.amazon.com/xray/latest/api/API_ServiceStatistics.html>).

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::facts::Outcome;

/// How requests ended.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Statistics {
    ok: u64,
    throttled: u64,
    other_errors: u64,
    faults: u64,
    total: u64,
    /// Seconds.
    response_time: f64,
}

impl Statistics {
    /// Counts a request. Of one that has failed in several ways the worst counts.
    pub(crate) fn add(&mut self, outcome: Outcome, response_time: Option<f64>) {
        self.total += 1;
        self.response_time += response_time.unwrap_or_default();
        match outcome {
            Outcome { fault: true, .. } => self.faults += 1,
            Outcome { throttle: true, .. } => self.throttled += 1,
            Outcome { error: true, .. } => self.other_errors += 1,
            Outcome { ok: true, .. } => self.ok += 1,
            // Still in progress, or redirected.
            _ => {}
        }
    }

    pub(crate) fn to_json(&self) -> Value {
        json!({
            "OkCount": self.ok,
            "ErrorStatistics": {
                "ThrottleCount": self.throttled,
                "OtherCount": self.other_errors,
                "TotalCount": self.throttled + self.other_errors,
            },
            "FaultStatistics": {"OtherCount": self.faults, "TotalCount": self.faults},
            "TotalCount": self.total,
            "TotalResponseTime": self.response_time,
        })
    }
}

/// How often requests took how long. Times are kept to three digits, so that a histogram stays small.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Histogram(BTreeMap<u64, u64>);

impl Histogram {
    /// Counts a time in seconds, if it is known.
    pub(crate) fn add(&mut self, seconds: Option<f64>) {
        let Some(seconds) = seconds else { return };
        // Of numbers that are not negative the bits have the same order.
        *self.0.entry(three_digits(seconds.max(0.0)).to_bits()).or_default() += 1;
    }

    /// Returns the entries by time.
    pub(crate) fn to_json(&self) -> Value {
        let entry = |(bits, count): (&u64, &u64)| json!({"Value": f64::from_bits(*bits), "Count": count});
        self.0.iter().map(entry).collect()
    }
}

fn three_digits(seconds: f64) -> f64 {
    // Written and read again, since a division leaves more digits behind than it takes away.
    format!("{seconds:.2e}").parse().unwrap_or(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_histogram_has_three_digits() {
        let mut histogram = Histogram::default();
        for seconds in [0.012_349, 0.012_31, 1.0, 12.34, 0.0, -1.0] {
            histogram.add(Some(seconds));
        }
        let written = [(0.0, 2), (0.0123, 2), (1.0, 1), (12.3, 1)];
        let written: Value =
            written.into_iter().map(|(value, count)| json!({"Value": value, "Count": count})).collect();
        assert_eq!(histogram.to_json(), written);
    }

    #[test]
    fn each_request_counts_once() {
        let mut statistics = Statistics::default();
        let fault = Outcome { fault: true, error: true, ..Outcome::default() };
        let throttled = Outcome { throttle: true, error: true, ..Outcome::default() };
        let ok = Outcome { ok: true, ..Outcome::default() };
        let partial = Outcome { partial: true, ..Outcome::default() };
        for outcome in [fault, throttled, ok, partial] {
            statistics.add(outcome, Some(0.5));
        }
        let written = statistics.to_json();
        assert_eq!((&written["TotalCount"], &written["OkCount"]), (&json!(4), &json!(1)));
        assert_eq!(written["ErrorStatistics"], json!({"ThrottleCount": 1, "OtherCount": 0, "TotalCount": 1}));
        assert_eq!(written["FaultStatistics"]["TotalCount"], 1);
        assert_eq!(written["TotalResponseTime"], 2.0);
    }
}
