//! Two loads side by side, ratios first.

use serde::Serialize;

use super::document::{Document, Effects, Step};
use super::times::Percentiles;
use crate::span_of_time::short;
use crate::style::{Colour, Style};

/// The width of the names of rows.
const NAME: usize = 44;

/// Two loads, measure by measure.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct Comparison {
    /// What was different besides the layer, so that the ratios may be due to it.
    pub(super) differences: Vec<Difference>,
    pub(super) rows: Vec<Row>,
}

/// A circumstance that was not the same.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Difference {
    pub(super) what: &'static str,
    pub(super) a: String,
    pub(super) b: String,
}

/// A measure of both.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct Row {
    pub(super) measure: String,
    pub(super) unit: Unit,
    /// B divided by A; `None` if A is 0.
    pub(super) ratio: Option<f64>,
    pub(super) a: f64,
    pub(super) b: f64,
}

/// What a measure is given in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) enum Unit {
    #[serde(rename = "s")]
    Seconds,
    #[serde(rename = "1/s")]
    PerSecond,
    #[serde(rename = "By")]
    Bytes,
    #[serde(rename = "1")]
    Count,
}

impl Comparison {
    /// Compares two loads: what they found of saturation, and the steps with the same rate.
    ///
    /// If both have a single step, these are compared whatever their rates.
    pub(super) fn of(a: &Document, b: &Document) -> Self {
        let mut rows = Vec::new();
        let kept_up = |document: &Document| document.saturation.as_ref()?.kept_up_per_s;
        push(&mut rows, "rate kept up with", Unit::PerSecond, kept_up(a), kept_up(b));
        let several = a.steps.len().max(b.steps.len()) > 1;
        for one in &a.steps {
            let same = |other: &&Step| !several || (one.rate_per_s / other.rate_per_s - 1.0).abs() < 1e-6;
            if let Some(other) = b.steps.iter().find(same) {
                let prefix = if several { format!("{:.1}/s ", one.rate_per_s) } else { String::new() };
                steps(&prefix, one, other, &mut rows);
            }
        }
        Self { differences: differences(a, b), rows }
    }

    /// Draws them; every line ends in a line break.
    pub(super) fn draw(&self, style: Style) -> String {
        let mut text = String::new();
        for difference in &self.differences {
            let line = format!("different {}: {} and {}", difference.what, difference.a, difference.b);
            text.extend([&style.paint(Colour::Yellow, &line), "\n"]);
        }
        let titles = format!("{:>7}  {:NAME$} {:>10} {:>10}", "B/A", "MEASURE", "A", "B");
        text.extend([&style.paint(Colour::Dim, &titles), "\n"]);
        for row in &self.rows {
            let ratio = row.ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}"));
            let ratio = style.paint(Colour::Bold, &format!("{ratio:>7}"));
            let [a, b] = [row.a, row.b].map(|value| row.unit.draw(value));
            let line = format!("{ratio}  {:NAME$} {a:>10} {b:>10}", row.measure);
            text.extend([&line, "\n"]);
        }
        text
    }
}

impl Unit {
    fn draw(self, value: f64) -> String {
        match self {
            Self::Seconds => short(value),
            Self::PerSecond => format!("{value:.1}/s"),
            Self::Bytes => format!("{:.0} MiB", value / (1024.0 * 1024.0)),
            Self::Count => format!("{value:.0}"),
        }
    }
}

fn differences(a: &Document, b: &Document) -> Vec<Difference> {
    let rates = |document: &Document| {
        document.steps.iter().map(|step| format!("{:.1}/s", step.rate_per_s)).collect::<Vec<_>>().join(" ")
    };
    let lengths =
        |document: &Document| document.steps.first().map_or_else(String::new, |step| short(step.for_s));
    let sampler = |document: &Document| {
        document.tracing.as_ref().map_or_else(
            || "unknown".to_owned(),
            |tracing| {
                format!("{} {}", tracing.sampler, tracing.argument.as_deref().unwrap_or_default())
                    .trim()
                    .to_owned()
            },
        )
    };
    let mix = |document: &Document| {
        document
            .mix
            .iter()
            .map(|(name, share)| format!("{name} {:.0} %", share * 100.0))
            .collect::<Vec<_>>()
            .join(", ")
    };
    let all = [
        ("rates", rates(a), rates(b)),
        ("lengths", lengths(a), lengths(b)),
        ("sampling", sampler(a), sampler(b)),
        ("mixes", mix(a), mix(b)),
        ("seeds", a.seed.to_string(), b.seed.to_string()),
        ("numbers of customers", a.customers.to_string(), b.customers.to_string()),
        ("versions", a.version.clone(), b.version.clone()),
    ];
    all.into_iter().filter(|(_, a, b)| a != b).map(|(what, a, b)| Difference { what, a, b }).collect()
}

fn steps(prefix: &str, a: &Step, b: &Step, rows: &mut Vec<Row>) {
    times(rows, &format!("{prefix}accept"), a.accept_s, b.accept_s);
    let (Some(a), Some(b)) = (&a.effects, &b.effects) else { return };
    times(rows, &format!("{prefix}last effect"), a.last_effect_s, b.last_effect_s);
    times(rows, &format!("{prefix}from accept to mail"), a.accept_to_mail_s, b.accept_to_mail_s);
    let lost = |effects: &Effects| effects.lost.map(as_f64);
    push(rows, &format!("{prefix}lost"), Unit::Count, lost(a), lost(b));
    push(
        rows,
        &format!("{prefix}events per CPU-second"),
        Unit::PerSecond,
        a.events_per_cpu_s,
        b.events_per_cpu_s,
    );
    let per_event = |effects: &Effects, cpu_s: Option<f64>| Some(cpu_s? / as_f64(effects.finished).max(1.0));
    for one in &a.processes {
        let Some(other) = b.processes.iter().find(|other| other.name == one.name) else { continue };
        let name = format!("{prefix}{} CPU an event", one.name);
        push(rows, &name, Unit::Seconds, per_event(a, one.cpu_s), per_event(b, other.cpu_s));
        let name = format!("{prefix}{} memory", one.name);
        push(rows, &name, Unit::Bytes, one.memory_bytes_max.map(as_f64), other.memory_bytes_max.map(as_f64));
    }
    for one in &a.hops {
        let other = b.hops.iter().find(|other| (&other.service, other.input) == (&one.service, one.input));
        let name = format!("{prefix}{} {} since intended", one.service, one.input.name());
        times(rows, &name, one.since_intended_s, other.and_then(|other| other.since_intended_s));
    }
}

fn times(rows: &mut Vec<Row>, name: &str, a: Option<Percentiles>, b: Option<Percentiles>) {
    push(rows, &format!("{name} p50"), Unit::Seconds, a.map(|a| a.p50), b.map(|b| b.p50));
    push(rows, &format!("{name} p99"), Unit::Seconds, a.map(|a| a.p99), b.map(|b| b.p99));
}

/// Adds a measure that both have.
fn push(rows: &mut Vec<Row>, measure: &str, unit: Unit, a: Option<f64>, b: Option<f64>) {
    if let (Some(a), Some(b)) = (a, b) {
        let ratio = (a > 0.0).then(|| b / a);
        rows.push(Row { measure: measure.to_owned(), unit, ratio, a, b });
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts and bytes are far below 2^52")]
fn as_f64(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::super::samples::{percentiles, step};
    use super::*;

    fn document(steps: Vec<Step>) -> Document {
        Document {
            began: jiff::Timestamp::UNIX_EPOCH,
            version: "0.1.0".to_owned(),
            url: "http://127.0.0.1:8080".to_owned(),
            run: None,
            seed: 1,
            mix: [("PointsEarned".to_owned(), 1.0)].into(),
            customers: 10,
            connections: 256,
            tracing: None,
            steps,
            saturation: None,
        }
    }

    fn ratio(comparison: &Comparison, measure: &str) -> Option<f64> {
        comparison
            .rows
            .iter()
            .find(|row| row.measure == measure)
            .unwrap_or_else(|| panic!("{comparison:?}"))
            .ratio
    }

    #[test]
    fn ratios_are_of_the_second_to_the_first() {
        let a = document(vec![step(100.0, true)]);
        let mut other = step(100.0, true);
        other.accept_s = Some(percentiles(0.002));
        other.effects.as_mut().unwrap().events_per_cpu_s = Some(750.0);
        let b = document(vec![other]);
        let comparison = Comparison::of(&a, &b);
        assert_eq!(comparison.differences, []);
        assert_eq!(ratio(&comparison, "accept p50"), Some(0.5));
        assert_eq!(ratio(&comparison, "events per CPU-second"), Some(1.5));
        assert_eq!(ratio(&comparison, "email notification since intended p99"), Some(1.0));
        assert_eq!(ratio(&comparison, "lost"), None, "nothing was lost in the first");
        let drawn = comparison.draw(Style::PLAIN);
        assert!(
            drawn.contains("   0.50  accept p50  ") && drawn.contains("    4.0 ms     2.0 ms\n"),
            "{drawn}"
        );
    }

    #[test]
    fn steps_are_compared_by_rate_and_what_differs_is_named() {
        let a = document(vec![step(100.0, true), step(150.0, true)]);
        let mut b = document(vec![step(150.0, true), step(225.0, false)]);
        b.seed = 2;
        let comparison = Comparison::of(&a, &b);
        assert!(comparison.rows.iter().all(|row| row.measure.starts_with("150.0/s ")), "{comparison:?}");
        let whats: Vec<_> = comparison.differences.iter().map(|difference| difference.what).collect();
        assert_eq!(whats, ["rates", "seeds"]);
    }

    #[test]
    fn what_is_written_is_read_again() {
        let written = serde_json::to_string(&document(vec![step(100.0, true)])).unwrap();
        let read: Document = serde_json::from_str(&written).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), written);
    }
}
