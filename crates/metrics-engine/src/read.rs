//! Reads series and their points out of a request.

use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, DataPointFlags, ExponentialHistogramDataPoint, HistogramDataPoint, Metric,
    NumberDataPoint, exponential_histogram_data_point,
};

use crate::amount::{Amount, Kind};
use crate::attributes;
use crate::histogram::{Buckets, Explicit, Exponential, Histogram, Range};
use crate::limits::MAX_TEXT;
use crate::refusal::Refusal;
use crate::series::{Point, Temporality};

/// What tells a series from the others of its source.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct SeriesId {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) unit: String,
    /// As a JSON object, whose keys are in order.
    pub(crate) attributes: String,
    /// The library that measures it.
    scope: String,
}

impl SeriesId {
    /// Returns how many bytes it takes.
    pub(crate) fn length(&self) -> usize {
        self.name.len() + self.unit.len() + self.attributes.len() + self.scope.len()
    }
}

/// Passes each point of a metric, or why it cannot be kept, to `each`. A time that is missing is `now`.
pub(crate) fn points(
    metric: &Metric,
    scope: &str,
    now: u64,
    mut each: impl FnMut(Result<(SeriesId, Point), Refusal>),
) {
    let reader = Reader { metric, scope, now };
    match &metric.data {
        Some(Data::Gauge(gauge)) => {
            for point in gauge.data_points.iter().filter(|point| has_value(point.flags)) {
                each(reader.number(Kind::Gauge, Ok(Temporality::Cumulative), point));
            }
        }
        Some(Data::Sum(sum)) => {
            let kind = if sum.is_monotonic { Kind::Counter } else { Kind::UpDownCounter };
            for point in sum.data_points.iter().filter(|point| has_value(point.flags)) {
                each(reader.number(kind, temporality(sum.aggregation_temporality), point));
            }
        }
        Some(Data::Histogram(histogram)) => {
            for point in histogram.data_points.iter().filter(|point| has_value(point.flags)) {
                each(reader.histogram(temporality(histogram.aggregation_temporality), point));
            }
        }
        Some(Data::ExponentialHistogram(histogram)) => {
            for point in histogram.data_points.iter().filter(|point| has_value(point.flags)) {
                each(reader.exponential(temporality(histogram.aggregation_temporality), point));
            }
        }
        Some(Data::Summary(summary)) => {
            for _ in &summary.data_points {
                each(Err(Refusal::Summary));
            }
        }
        None => {}
    }
}

fn has_value(flags: u32) -> bool {
    flags & DataPointFlags::NoRecordedValueMask as u32 == 0
}

fn temporality(exported: i32) -> Result<Temporality, Refusal> {
    match AggregationTemporality::try_from(exported) {
        Ok(AggregationTemporality::Cumulative) => Ok(Temporality::Cumulative),
        Ok(AggregationTemporality::Delta) => Ok(Temporality::Delta),
        _ => Err(Refusal::Temporality),
    }
}

struct Reader<'a> {
    metric: &'a Metric,
    scope: &'a str,
    now: u64,
}

type Read = Result<(SeriesId, Point), Refusal>;

impl Reader<'_> {
    fn number(&self, kind: Kind, temporality: Result<Temporality, Refusal>, point: &NumberDataPoint) -> Read {
        #[expect(clippy::cast_precision_loss, reason = "shown as a JSON number, which has no more digits")]
        let number = match point.value {
            Some(Value::AsInt(number)) => number as f64,
            Some(Value::AsDouble(number)) => number,
            None => return Err(Refusal::Value),
        };
        if !number.is_finite() {
            return Err(Refusal::Value);
        }
        let times = (point.start_time_unix_nano, point.time_unix_nano);
        self.series(kind, &point.attributes, temporality?, times, Amount::Number(number))
    }

    fn histogram(&self, temporality: Result<Temporality, Refusal>, point: &HistogramDataPoint) -> Read {
        let histogram = Histogram {
            count: point.count,
            sum: finite(point.sum),
            min: finite(point.min),
            max: finite(point.max),
            buckets: Buckets::Explicit(Explicit::new(&point.explicit_bounds, &point.bucket_counts)?),
        };
        let times = (point.start_time_unix_nano, point.time_unix_nano);
        let amount = Amount::Histogram(histogram);
        self.series(Kind::Histogram, &point.attributes, temporality?, times, amount)
    }

    fn exponential(
        &self,
        temporality: Result<Temporality, Refusal>,
        point: &ExponentialHistogramDataPoint,
    ) -> Read {
        let range = |buckets: &Option<exponential_histogram_data_point::Buckets>| {
            buckets.as_ref().map(|buckets| Range::new(buckets.offset, &buckets.bucket_counts))
        };
        let histogram = Histogram {
            count: point.count,
            sum: finite(point.sum),
            min: finite(point.min),
            max: finite(point.max),
            buckets: Buckets::Exponential(Exponential::new(
                point.scale,
                point.zero_count,
                finite(Some(point.zero_threshold)).unwrap_or_default().max(0.0),
                range(&point.positive).unwrap_or_default(),
                range(&point.negative).unwrap_or_default(),
            )?),
        };
        let times = (point.start_time_unix_nano, point.time_unix_nano);
        let amount = Amount::Histogram(histogram);
        self.series(Kind::ExponentialHistogram, &point.attributes, temporality?, times, amount)
    }

    fn series(
        &self,
        kind: Kind,
        attributes: &[KeyValue],
        temporality: Temporality,
        (start, time): (u64, u64),
        amount: Amount,
    ) -> Read {
        let id = SeriesId {
            name: self.metric.name.clone(),
            kind,
            unit: self.metric.unit.clone(),
            attributes: serde_json::Value::Object(attributes::object(attributes)).to_string(),
            scope: self.scope.to_owned(),
        };
        if id.length() > MAX_TEXT {
            return Err(Refusal::TooLong);
        }
        let time = if time == 0 { self.now } else { time };
        Ok((id, Point { start, time, temporality, amount }))
    }
}

fn finite(value: Option<f64>) -> Option<f64> {
    value.filter(|value| value.is_finite())
}
