//! Two sets of traces side by side.

use std::collections::BTreeSet;

use aws_sdk_xray::types::TraceSummary;
use xray_engine::{Comparison as Operator, Expression, Number};

use super::chart::percent;
use super::difference::{Differences, differences};
use super::features::{self, Feature};
use crate::service_map::Histogram;
use crate::span_of_time::short;
use crate::style::{Colour, Style, printable};

/// The share of responses that are not slow.
pub(super) const SLOW: f64 = 0.95;
/// The most lines shown.
const MOST_LINES: usize = 20;

/// Two sets of traces, and what tells them apart.
#[derive(Debug)]
pub(super) struct Comparison {
    pub(super) sides: [Side; 2],
    pub(super) differences: Differences,
}

/// A set of traces.
#[derive(Debug)]
pub(super) struct Side {
    /// What they have in common.
    pub(super) title: String,
    pub(super) traces: u64,
    /// Response times of their entry points.
    pub(super) times: Histogram,
}

/// Returns the condition that a response takes longer than this, in seconds.
pub(super) fn slower_than(seconds: f64) -> Expression {
    Expression::Number(Number::ResponseTime, Operator::Greater, seconds)
}

/// Returns the response times of entry points.
pub(super) fn response_times<'a>(traces: impl IntoIterator<Item = &'a TraceSummary>) -> Histogram {
    let mut times = Histogram::default();
    for seconds in traces.into_iter().filter_map(|trace| trace.response_time()) {
        times.count(seconds, 1);
    }
    times
}

impl Comparison {
    /// Compares what two filter expressions find.
    pub(super) fn between(titles: [String; 2], first: &[TraceSummary], second: &[TraceSummary]) -> Self {
        Self::of(titles, &[first.iter().collect(), second.iter().collect()])
    }

    /// Compares the slowest with the rest. Traces that have not been answered yet are on neither side.
    pub(super) fn of_the_slowest(traces: &[TraceSummary]) -> Self {
        let limit = response_times(traces).percentile(SLOW).unwrap_or_default();
        let answered = traces.iter().filter(|trace| trace.response_time().is_some());
        let (slow, rest): (Vec<_>, Vec<_>) =
            answered.partition(|trace| trace.response_time().is_some_and(|time| time > limit));
        let slower = slower_than(limit);
        let titles = [slower.to_string(), Expression::Not(Box::new(slower)).to_string()];
        Self::of(titles, &[slow, rest])
    }

    fn of(titles: [String; 2], traces: &[Vec<&TraceSummary>; 2]) -> Self {
        let features = traces
            .each_ref()
            .map(|traces| traces.iter().map(|trace| features::of(trace)).collect::<Vec<BTreeSet<Feature>>>());
        let [first, second] = titles;
        let side = |title, traces: &Vec<&TraceSummary>| Side {
            title,
            traces: traces.len() as u64,
            times: response_times(traces.iter().copied()),
        };
        Self {
            differences: differences([&features[0], &features[1]]),
            sides: [side(first, &traces[0]), side(second, &traces[1])],
        }
    }

    /// Draws both sides and what tells them apart; every line ends in a line break.
    pub(super) fn draw(&self, style: Style) -> String {
        let mut text = String::new();
        for (name, side) in ["A", "B"].iter().zip(&self.sides) {
            let time = |share| side.times.percentile(share).map_or_else(|| "-".to_owned(), short);
            let plural = if side.traces == 1 { "trace" } else { "traces" };
            let parts = [
                format!("{} {}", style.paint(Colour::Bold, name), printable(&side.title)),
                format!("{} {plural}", side.traces),
                format!("p50 {}", time(0.5)),
                format!("p99 {}", time(0.99)),
            ];
            text.extend([&style.flow(parts, "  ", "  "), "\n"]);
        }
        text.push('\n');
        text.push_str(&self.table(style));
        if !self.differences.distinct.is_empty() {
            let names = self.differences.distinct.iter().map(|name| printable(name)).collect::<Vec<_>>();
            let line = format!("different in almost every trace: {}", names.join(", "));
            text.extend([&style.paint(Colour::Dim, &line), "\n"]);
        }
        text
    }

    fn table(&self, style: Style) -> String {
        let found = &self.differences.found;
        if found.is_empty() {
            return "nothing tells them apart\n".to_owned();
        }
        let titles = format!("{:>8} {:>15} {:>15}  {}", "A-B", "A", "B", "FILTER");
        let mut text = style.paint(Colour::Dim, &titles);
        text.push('\n');
        for difference in found.iter().take(MOST_LINES) {
            let size = format!("{:>+6.0} %", difference.size() * 100.0);
            let colour = if difference.size() > 0.0 { Colour::Red } else { Colour::Green };
            let [a, b] = [0, 1].map(|side| {
                let (count, total) = (difference.counts[side], self.sides[side].traces);
                format!("{:>7} {:>7}", percent(count, total), format!("({count})"))
            });
            let line = [style.paint(colour, &size), a, b].join(" ");
            text.extend([&line, "  ", &printable(&difference.expression), "\n"]);
        }
        if found.len() > MOST_LINES {
            let line = format!("{} smaller differences; --json has them", found.len() - MOST_LINES);
            text.extend([&style.paint(Colour::Dim, &line), "\n"]);
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_xray::types::AnnotationValue;

    use super::*;
    use crate::commands::latency::features::tests::trace;

    fn of_type(seconds: f64, kind: &str) -> TraceSummary {
        trace(seconds, &[("event_type", AnnotationValue::StringValue(kind.to_owned()))])
    }

    #[test]
    fn the_slowest_are_compared_with_the_rest() {
        let mut traces: Vec<_> = (0..95).map(|_| of_type(0.01, "Renamed")).collect();
        traces.extend((0..5).map(|_| of_type(2.0, "Enrolled")));
        traces.push(TraceSummary::builder().build());
        let comparison = Comparison::of_the_slowest(&traces);
        assert_eq!(comparison.sides.each_ref().map(|side| side.traces), [5, 95], "one is not answered yet");
        let drawn = comparison.draw(Style::PLAIN);
        assert_eq!(
            drawn,
            "\
A responsetime > 0.01  5 traces  p50 2.0 s  p99 2.0 s
B !responsetime > 0.01  95 traces  p50 10 ms  p99 10 ms

     A-B               A               B  FILTER
  +100 %   100 %     (5)     0 %     (0)  annotation.event_type = \"Enrolled\"
  -100 %     0 %     (0)   100 %    (95)  annotation.event_type = \"Renamed\"
",
            "\n{drawn}"
        );
    }

    #[test]
    fn equal_sides_have_no_difference() {
        let traces = [of_type(0.01, "Renamed"), of_type(0.02, "Renamed")];
        let titles = ["ok".to_owned(), "error".to_owned()];
        let drawn = Comparison::between(titles, &traces, &traces).draw(Style::PLAIN);
        assert!(drawn.ends_with("\nnothing tells them apart\n"), "{drawn}");
    }
}
