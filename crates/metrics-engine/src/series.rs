//! What is kept of a series: its total and its rate.

use crate::amount::{Amount, Kind};

/// Whether values accumulate since the start of their process or since the last export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Temporality {
    Cumulative,
    Delta,
}

/// A measurement as it was exported. Times are in nanoseconds since the epoch.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Point {
    /// Since when it accumulates; 0 if that is unknown.
    pub(crate) start: u64,
    pub(crate) time: u64,
    pub(crate) temporality: Temporality,
    pub(crate) amount: Amount,
}

/// A series with all that it has counted.
#[derive(Debug)]
pub(crate) struct Held {
    /// What the present process has counted.
    current: Amount,
    /// What processes before it had counted.
    ended: Option<Box<Amount>>,
    start: u64,
    /// When it was measured.
    pub(crate) time: u64,
    /// When it arrived.
    pub(crate) arrived: u64,
    /// By how much it rises a second.
    rate: Option<f64>,
}

impl Held {
    /// Creates a series of its first point. `previous` is when its source exported before, without this series.
    pub(crate) fn new(point: Point, arrived: u64, previous: Option<u64>) -> Self {
        let since = match point.temporality {
            Temporality::Cumulative => previous.unwrap_or(point.time),
            Temporality::Delta => point.start,
        };
        Self {
            rate: per_second(point.amount.size(), since, point.time),
            current: point.amount,
            ended: None,
            start: point.start,
            time: point.time,
            arrived,
        }
    }

    /// Takes in the next point. Returns the start of its process if that is another one than before.
    pub(crate) fn update(&mut self, kind: Kind, point: Point, arrived: u64) -> Option<u64> {
        if self.is_outdated(kind, &point) {
            return None;
        }
        self.arrived = arrived;
        let before = std::mem::replace(&mut self.time, point.time);
        if kind == Kind::Gauge {
            self.current = point.amount;
            return None;
        }
        if point.temporality == Temporality::Delta {
            self.start = point.start;
            self.rate = per_second(point.amount.size(), point.start, point.time);
            self.current.add(&point.amount);
            return None;
        }
        let falls = kind.outlasts_its_process() && point.amount.size() < self.current.size();
        let restarted = point.start > self.start || falls;
        let (increase, since) = if restarted {
            (point.amount.size(), point.start.max(before))
        } else {
            (point.amount.size() - self.current.size(), before)
        };
        self.rate = per_second(increase, since, point.time).or(self.rate);
        self.start = point.start;
        let last = std::mem::replace(&mut self.current, point.amount);
        if !restarted {
            return None;
        }
        if kind.outlasts_its_process() {
            match &mut self.ended {
                Some(ended) => ended.add(&last),
                None => self.ended = Some(Box::new(last)),
            }
        }
        Some(point.start)
    }

    /// Whether a point is late, was sent again because an answer was lost, or is that of a process before this one.
    fn is_outdated(&self, kind: Kind, point: &Point) -> bool {
        let is_late = point.time < self.time;
        let is_known = point.time == self.time && point.start == self.start;
        let is_earlier = point.temporality == Temporality::Cumulative && point.start < self.start;
        is_late || (kind != Kind::Gauge && (is_known || is_earlier))
    }

    /// Returns all that was counted.
    pub(crate) fn total(&self) -> Amount {
        let mut total = self.current.clone();
        if let Some(ended) = &self.ended {
            total.add(ended);
        }
        total
    }

    /// Returns by how much it rises a second, as of its last point.
    pub(crate) fn rate(&self) -> Option<f64> {
        self.rate
    }
}

#[expect(clippy::cast_precision_loss, reason = "a rate is shown with three digits")]
fn per_second(increase: f64, since: u64, until: u64) -> Option<f64> {
    let span = until.checked_sub(since).filter(|span| *span > 0 && since > 0)?;
    Some(increase * 1e9 / span as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: u64 = 1_000_000_000;

    fn point(temporality: Temporality, start: u64, time: u64, number: f64) -> Point {
        Point { start: start * S, time: time * S, temporality, amount: Amount::Number(number) }
    }

    fn cumulative(start: u64, time: u64, number: f64) -> Point {
        point(Temporality::Cumulative, start, time, number)
    }

    fn delta(start: u64, time: u64, number: f64) -> Point {
        point(Temporality::Delta, start, time, number)
    }

    /// Returns the total and the rate after these points.
    fn after(kind: Kind, points: impl IntoIterator<Item = Point>) -> (f64, Option<f64>) {
        let mut points = points.into_iter();
        let mut held = Held::new(points.next().unwrap(), 0, None);
        for point in points {
            held.update(kind, point, 0);
        }
        (held.total().size(), held.rate())
    }

    #[test]
    fn a_restart_does_not_make_a_counter_fall() {
        let first = [cumulative(100, 110, 5.0), cumulative(100, 120, 25.0)];
        assert_eq!(after(Kind::Counter, first.clone()), (25.0, Some(2.0)));
        let more = first.into_iter().chain([cumulative(125, 130, 10.0), cumulative(125, 140, 11.0)]);
        assert_eq!(after(Kind::Counter, more), (36.0, Some(0.1)));
        let unknown_start = [cumulative(0, 10, 5.0), cumulative(0, 20, 2.0)];
        assert_eq!(after(Kind::Counter, unknown_start), (7.0, Some(0.2)));
    }

    #[test]
    fn what_was_open_in_a_process_ends_with_it() {
        let restarted = [cumulative(100, 110, 5.0), cumulative(120, 130, 2.0)];
        assert_eq!(after(Kind::UpDownCounter, restarted), (2.0, Some(0.2)));
        let falling = [cumulative(100, 110, 5.0), cumulative(100, 120, 2.0)];
        assert_eq!(after(Kind::UpDownCounter, falling), (2.0, Some(-0.3)));
    }

    #[test]
    fn deltas_add_up_and_one_that_arrives_twice_counts_once() {
        let points = [delta(10, 20, 5.0), delta(20, 30, 7.0)];
        assert_eq!(after(Kind::Counter, points.clone()), (12.0, Some(0.7)));
        let twice = points.clone().into_iter().chain([points[1].clone()]);
        assert_eq!(after(Kind::Counter, twice), (12.0, Some(0.7)));
    }

    #[test]
    fn a_late_point_changes_nothing() {
        let points = [cumulative(100, 120, 25.0), cumulative(100, 110, 5.0)];
        assert_eq!(after(Kind::Counter, points), (25.0, None));
    }

    #[test]
    fn a_gauge_is_its_last_value() {
        let points = [cumulative(0, 110, 5.0), cumulative(0, 120, 2.0), cumulative(0, 120, 3.0)];
        assert_eq!(after(Kind::Gauge, points), (3.0, None));
    }

    #[test]
    fn the_first_point_counts_since_the_export_without_it() {
        let rate = |previous| Held::new(cumulative(100, 120, 10.0), 0, previous).rate();
        assert_eq!(rate(Some(115 * S)), Some(2.0));
        assert_eq!(rate(None), None);
    }
}
