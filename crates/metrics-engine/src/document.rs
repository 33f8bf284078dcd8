//! What is shown: services, their metrics, and the series of each.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value};

use crate::amount::{Amount, Kind};
use crate::read::SeriesId;
use crate::series::Held;
use crate::source::{Source, SourceId};
use crate::state::State;

/// The metrics of all services at a moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Document {
    /// The moment.
    pub at: Timestamp,
    /// Data points that were left out since the start.
    pub left_out: u64,
    /// In the order of their names.
    pub services: Vec<Service>,
}

/// The metrics of a service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Service {
    /// `service.name`.
    pub name: String,
    /// How many of its instances export at the moment.
    pub instances: usize,
    /// When the last export arrived.
    pub exported_at: Timestamp,
    /// In the order of their names.
    pub metrics: Vec<Metric>,
}

/// A metric of a service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Metric {
    /// The name of its instrument.
    pub name: String,
    /// How its values are read.
    pub kind: Kind,
    /// In UCUM; may be empty.
    pub unit: String,
    /// In the order of their attributes.
    pub series: Vec<Series>,
}

/// A series of a metric, over all instances of the service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Series {
    /// What it is about.
    pub attributes: Map<String, Value>,
    /// `service.instance.id` of a gauge, if it has one: gauges cannot be added up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// What was measured.
    #[serde(flatten)]
    pub reading: Reading,
    /// By how much a counter, or the count of a histogram, rises a second.
    #[serde(serialize_with = "short")]
    pub rate_per_s: Option<f64>,
}

/// What was measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Reading {
    /// A histogram.
    Histogram {
        /// How many values it has.
        count: u64,
        /// Their sum.
        #[serde(serialize_with = "short")]
        sum: Option<f64>,
        /// The least of them.
        #[serde(serialize_with = "short")]
        min: Option<f64>,
        /// The greatest of them.
        #[serde(serialize_with = "short")]
        max: Option<f64>,
        /// Half of them are below.
        #[serde(serialize_with = "short")]
        p50: Option<f64>,
        /// 90 % of them are below.
        #[serde(serialize_with = "short")]
        p90: Option<f64>,
        /// 99 % of them are below.
        #[serde(serialize_with = "short")]
        p99: Option<f64>,
    },
    /// A number.
    Number {
        /// Its value.
        #[serde(serialize_with = "short_number")]
        value: f64,
    },
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
fn short_number<S: Serializer>(number: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    short(&Some(*number), serializer)
}

/// Writes a whole number without a decimal point.
#[expect(clippy::cast_possible_truncation, reason = "a whole number that fits")]
#[expect(clippy::ref_option, reason = "the signature that serde asks for")]
fn short<S: Serializer>(number: &Option<f64>, serializer: S) -> Result<S::Ok, S::Error> {
    match number {
        Some(number) if number.fract() == 0.0 && number.abs() < 1e15 => {
            serializer.serialize_i64(*number as i64)
        }
        number => number.filter(|number| number.is_finite()).serialize(serializer),
    }
}

/// A series over all instances, before it is read.
#[derive(Clone)]
struct Sum {
    total: Amount,
    rate: Option<f64>,
    time: u64,
}

/// What tells a series from others of its service.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Place<'a> {
    name: &'a str,
    kind: Kind,
    unit: &'a str,
    attributes: &'a str,
    instance: Option<&'a str>,
}

impl<'a> Place<'a> {
    fn of(source: &'a SourceId, id: &'a SeriesId) -> Self {
        let instance = source.instance.as_deref().filter(|_| id.kind == Kind::Gauge);
        Self { name: &id.name, kind: id.kind, unit: &id.unit, attributes: &id.attributes, instance }
    }
}

/// Returns what is shown at `now`.
pub(crate) fn of(state: &State, now: u64) -> Document {
    let mut services: BTreeMap<&str, BTreeMap<Place<'_>, Sum>> = BTreeMap::new();
    for ((id, series), held) in &state.series {
        let Some(source) = state.sources.get(id) else { continue };
        let service = services.entry(&id.service).or_default();
        if let Some(sum) = shown(series.kind, held, source, now) {
            let place = Place::of(id, series);
            service.entry(place).and_modify(|other| other.add(series.kind, &sum)).or_insert(sum);
        }
    }
    Document {
        at: timestamp(now),
        left_out: state.left_out,
        services: services.into_iter().map(|(name, sums)| service(state, name, sums, now)).collect(),
    }
}

/// Returns a series of one source, unless it ended with its process.
fn shown(kind: Kind, held: &Held, source: &Source, now: u64) -> Option<Sum> {
    let is_silent = source.is_silent(now);
    if !kind.outlasts_its_process() {
        let is_open = !is_silent && source.is_present(held.time);
        return is_open.then(|| Sum { total: held.total(), rate: None, time: held.time });
    }
    let rate = match held.rate() {
        _ if is_silent => None,
        // Nothing was counted since, if only what was is exported.
        Some(_) if !source.exported_last(held.arrived) => Some(0.0),
        rate => rate,
    };
    Some(Sum { total: held.total(), rate, time: held.time })
}

impl Sum {
    fn add(&mut self, kind: Kind, other: &Self) {
        if kind == Kind::Gauge {
            // Two libraries of a process measure it.
            if other.time > self.time {
                self.clone_from(other);
            }
            return;
        }
        self.total.add(&other.total);
        self.rate = match (self.rate, other.rate) {
            (Some(own), Some(other)) => Some(own + other),
            (own, other) => own.or(other),
        };
    }

    fn reading(&self) -> Reading {
        match &self.total {
            Amount::Number(number) => Reading::Number { value: *number },
            Amount::Histogram(histogram) => Reading::Histogram {
                count: histogram.count,
                sum: histogram.sum,
                min: histogram.min,
                max: histogram.max,
                p50: histogram.quantile(0.5),
                p90: histogram.quantile(0.9),
                p99: histogram.quantile(0.99),
            },
        }
    }
}

fn service(state: &State, name: &str, sums: BTreeMap<Place<'_>, Sum>, now: u64) -> Service {
    let sources = || state.sources.iter().filter(|(id, _)| id.service == name).map(|(_, source)| source);
    let mut metrics: Vec<Metric> = Vec::new();
    for (place, sum) in sums {
        let series = Series {
            attributes: serde_json::from_str(place.attributes).unwrap_or_default(),
            instance: place.instance.map(str::to_owned),
            reading: sum.reading(),
            rate_per_s: sum.rate,
        };
        match metrics.last_mut() {
            Some(last) if (&*last.name, last.kind, &*last.unit) == (place.name, place.kind, place.unit) => {
                last.series.push(series);
            }
            _ => metrics.push(Metric {
                name: place.name.to_owned(),
                kind: place.kind,
                unit: place.unit.to_owned(),
                series: vec![series],
            }),
        }
    }
    Service {
        name: name.to_owned(),
        instances: sources().filter(|source| !source.is_silent(now)).count(),
        exported_at: timestamp(sources().map(|source| source.last).max().unwrap_or(now)),
        metrics,
    }
}

fn timestamp(nanoseconds: u64) -> Timestamp {
    Timestamp::from_nanosecond(i128::from(nanoseconds)).unwrap_or_default()
}
