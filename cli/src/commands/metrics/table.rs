//! Metrics as a table of text, by service.

use std::collections::BTreeMap;

use jiff::Timestamp;
use metrics_engine::{Document, Metric, Reading, Series, Service};
use serde_json::Value;

use super::number;
use crate::style::{Colour, Style, printable};

/// The columns of a line: as many as a terminal has that says nothing else, and more if there is room.
const LEAST_WIDTH: usize = 80;
const MOST_WIDTH: usize = 120;
/// The columns of percentiles, of a value, and of a rate, each with the blanks before it.
const PERCENTILE: usize = 8;
const VALUE: usize = 8;
const RATE: usize = 9;
/// What the lines of a metric's series begin with.
const INDENT: &str = "   ";
/// An export older than this is shown with its age, in seconds.
const RECENT: i64 = 15;

/// Attributes with their values.
type Attributes = BTreeMap<String, String>;

/// Draws all services; every line ends in a line break.
pub(super) fn draw(document: &Document, style: Style) -> String {
    let width = style.width().clamp(LEAST_WIDTH, MOST_WIDTH);
    let services = document.services.iter();
    let mut text = services
        .map(|service| Sheet { width, style }.service(service, document.at))
        .collect::<Vec<_>>()
        .join("\n");
    if document.left_out > 0 {
        let left_out = format!("! {} data points were left out; the log says why", document.left_out);
        text.extend([&style.paint(Colour::Yellow, &left_out), "\n"]);
    }
    text
}

#[derive(Debug, Clone, Copy)]
struct Sheet {
    width: usize,
    style: Style,
}

impl Sheet {
    fn service(self, service: &Service, now: Timestamp) -> String {
        let common = common(service);
        let mut text = self.titles(service);
        let age = now.as_second() - service.exported_at.as_second();
        if age > RECENT {
            let age = self.style.paint(Colour::Yellow, &format!("last export {age} s ago"));
            text.extend(["  ", &age, "\n"]);
        }
        let instances = (service.instances > 1).then(|| format!("{} instances", service.instances));
        let remarks: Vec<String> = instances.into_iter().chain(common.iter().map(pair)).collect();
        for line in flow(&remarks, self.width - 2) {
            text.extend(["  ", &self.style.paint(Colour::Dim, &line), "\n"]);
        }
        for metric in &service.metrics {
            text.push_str(&self.metric(metric, &common));
        }
        text
    }

    /// Returns the name of the service and the titles of the columns.
    fn titles(self, service: &Service) -> String {
        let titles = format!(
            "{:>PERCENTILE$}{:>PERCENTILE$}{:>PERCENTILE$}{:>VALUE$}{:>RATE$}",
            "P50", "P90", "P99", "VALUE", "RATE"
        );
        let name = printable(&service.name);
        let gap = self.width.saturating_sub(name.chars().count() + titles.len());
        let name = self.style.paint(Colour::of_name(&service.name), &name);
        format!("{name}{:gap$}{}\n", "", self.style.paint(Colour::Dim, &titles))
    }

    fn metric(self, metric: &Metric, common: &Attributes) -> String {
        let unit = if metric.unit.is_empty() || number::shows(&metric.unit) {
            String::new()
        } else {
            format!(" {}", printable(&metric.unit))
        };
        let name = printable(&metric.name);
        let own: Vec<Vec<String>> = metric.series.iter().map(|series| own(series, common)).collect();
        // A single series without attributes needs no separate line.
        if let ([series], [own]) = (&*metric.series, &*own)
            && own.is_empty()
        {
            return self.row(&[format!("{name}{unit}")], "  ", &cells(series, &metric.unit), Colour::Bold);
        }
        let mut text = format!("  {}{unit}\n", self.style.paint(Colour::Bold, &name));
        for (series, own) in metric.series.iter().zip(&own) {
            let cells = cells(series, &metric.unit);
            let own = if own.is_empty() { &["(no attributes)".to_owned()][..] } else { own };
            text.push_str(&self.row(own, INDENT, &cells, Colour::Dim));
        }
        text
    }

    /// Draws a series: what it is about, over several lines if that is long, and its values on the first of them, or below
    /// if they leave no room.
    fn row(self, parts: &[String], indent: &str, cells: &str, colour: Colour) -> String {
        let room = self.width - cells.chars().count();
        let is_long = parts.iter().any(|part| indent.len() + part.chars().count() > room);
        let lines = flow(parts, if is_long { self.width } else { room } - indent.len());
        let mut text = String::new();
        for (index, line) in lines.iter().enumerate() {
            text.extend([indent, &self.style.paint(colour, line)]);
            if index == 0 && !is_long {
                let gap = room - indent.len() - line.chars().count();
                text.extend([&" ".repeat(gap), cells.trim_end()]);
            }
            text.push('\n');
        }
        if is_long {
            text.extend([&" ".repeat(room), cells.trim_end(), "\n"]);
        }
        text
    }
}

/// Returns the values of a series: percentiles if it has them, else as little as is needed.
fn cells(series: &Series, unit: &str) -> String {
    let rate = series.rate_per_s.map(number::rate).unwrap_or_default();
    match &series.reading {
        Reading::Number { value } => {
            format!("{:>VALUE$}{rate:>RATE$}", number::value(*value, unit))
        }
        Reading::Histogram { count, p50, p90, p99, .. } => {
            let cell =
                |value: &Option<f64>| value.map_or_else(|| "-".to_owned(), |at| number::value(at, unit));
            format!(
                "{:>PERCENTILE$}{:>PERCENTILE$}{:>PERCENTILE$}{:>VALUE$}{rate:>RATE$}",
                cell(p50),
                cell(p90),
                cell(p99),
                number::value(count_of(*count), "")
            )
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "shown with few digits")]
fn count_of(count: u64) -> f64 {
    count as f64
}

/// Joins parts to lines of at most `room` columns; a part that is longer is cut.
fn flow(parts: &[String], room: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for part in parts {
        let part = cut(part, room);
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + part.chars().count() <= room => {
                line.extend([" ", &part]);
            }
            _ => lines.push(part),
        }
    }
    lines
}

/// Returns the attributes that most series of a service have, with their value there. They are named once.
fn common(service: &Service) -> Attributes {
    let all = || service.metrics.iter().flat_map(|metric| &metric.series);
    let mut times: BTreeMap<(String, String), usize> = BTreeMap::new();
    for (key, value) in all().flat_map(|series| &series.attributes) {
        *times.entry((printable(key), shown(value))).or_default() += 1;
    }
    let series = all().count();
    times.into_iter().filter(|(_, times)| series > 2 && times * 2 > series).map(|(pair, _)| pair).collect()
}

/// Returns what a series is about, besides what is common.
fn own(series: &Series, common: &Attributes) -> Vec<String> {
    let attributes = series.attributes.iter().map(|(key, value)| (printable(key), shown(value)));
    let mut own: Vec<String> = attributes
        .filter(|(key, value)| common.get(key) != Some(value))
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    own.extend(series.instance.iter().map(|id| format!("instance={}", printable(id))));
    own
}

fn pair((key, value): (&String, &String)) -> String {
    format!("{key}={value}")
}

fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), printable)
}

/// Returns a text in at most `most` columns.
fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn document() -> Document {
        let age = json!({
            "attributes": {"queue": "q", "event_type": "ContactPreferencesChanged", "stage": "done"},
            "count": 12, "sum": 3, "min": 0.01, "max": 1, "p50": 0.0446, "p90": 0.5, "p99": null,
            "rate_per_s": 0.333});
        let duration = json!({
            "attributes": {"queue": "q", "operation": "changes the visibility of messages"},
            "count": 7, "sum": 3, "min": 0.01, "max": 1, "p50": 0.0446, "p90": 0.5, "p99": 0.9,
            "rate_per_s": 1});
        serde_json::from_value(json!({
            "at": "2026-11-26T15:01:00Z", "left_out": 2,
            "services": [
                {"name": "email", "instances": 2, "exported_at": "2026-11-26T15:00:58Z", "metrics": [
                    {"name": "event.age", "kind": "histogram", "unit": "s", "series": [age]},
                    {"name": "in_flight", "kind": "gauge", "unit": "", "series": [
                        {"attributes": {"queue": "q"}, "instance": "a", "value": 3, "rate_per_s": null}]},
                    {"name": "operation.duration", "kind": "histogram", "unit": "s", "series": [duration]},
                    {"name": "sent", "kind": "counter", "unit": "{event}", "series": [
                        {"attributes": {"queue": "q"}, "value": 12345, "rate_per_s": 1234}]},
                ]},
                {"name": "gone", "instances": 0, "exported_at": "2026-11-26T14:50:00Z", "metrics": [
                    {"name": "sent", "kind": "counter", "unit": "", "series": [
                        {"attributes": {"long": "x".repeat(90)}, "value": 1, "rate_per_s": null},
                        {"attributes": {"a\u{1b}[2J": true}, "value": 2, "rate_per_s": 0}]},
                ]},
            ],
        }))
        .unwrap()
    }

    #[test]
    fn a_table_fits_a_narrow_terminal() {
        let drawn = draw(&document(), Style::PLAIN.within(80));
        let long = "x".repeat(71);
        let expected = format!(
            "\
email                                       P50     P90     P99   VALUE     RATE
  2 instances queue=q
  event.age
   event_type=ContactPreferencesChanged 44.6 ms  500 ms       -      12   0.33/s
   stage=done
  in_flight
   instance=a                                                         3
  operation.duration
   operation=changes the visibility of messages
                                        44.6 ms  500 ms  900 ms       7      1/s
  sent {{event}}                                                    12345  1.23k/s

gone                                        P50     P90     P99   VALUE     RATE
  last export 660 s ago
  sent
   long={long}…
                                                                      1
   a�[2J=true                                                         2      0/s
! 2 data points were left out; the log says why
"
        );
        assert_eq!(drawn, expected, "\n{drawn}");
    }
}
