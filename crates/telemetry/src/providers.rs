//! The OpenTelemetry providers: spans to the collector in batches, metrics at intervals, both from separate threads.

use std::sync::Arc;
use std::time::Instant;

use opentelemetry::metrics::{Meter, MeterProvider as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::{
    Aggregation, Instrument, InstrumentKind, PeriodicReader, SdkMeterProvider, Stream,
};
use opentelemetry_sdk::trace::{SdkTracerProvider, ShouldSample, SpanProcessor};
use opentelemetry_semantic_conventions::metric;
use xray_sampler::Capture;

use crate::error::StartError;
use crate::export::{Collector, Delivery, Departures, Ending, Limits, Lost, SpanQueue, UntilAccepted};
use crate::processor::Corrected;
use crate::rules::{self, RulesPoller};
use crate::sampler::Sampling;
use crate::settings::{HistogramSetting, OtelSettings};
use crate::span_id::Ids;

/// The instrumentation scope: the name of the tracer and of the meter.
pub(crate) const SCOPE: &str = "telemetry";

/// Both providers, and what they share.
#[derive(Debug)]
pub(crate) struct Providers {
    pub(crate) tracers: SdkTracerProvider,
    pub(crate) meters: SdkMeterProvider,
    pub(crate) losses: Losses,
    pub(crate) ending: Arc<Ending>,
    pub(crate) departures: Departures,
}

/// What each signal has lost.
#[derive(Debug, Default)]
pub(crate) struct Losses {
    pub(crate) spans: Arc<Lost>,
    pub(crate) data_points: Arc<Lost>,
}

impl Providers {
    /// Creates the providers, and the poller of sampling rules if there are any to follow.
    pub(crate) fn new(
        settings: &OtelSettings,
        resource: Resource,
    ) -> Result<(Self, Option<RulesPoller>), StartError> {
        let (losses, ending) = (Losses::default(), Arc::new(Ending::default()));
        let sampling = Sampling::new(&settings.sampler, &resource);
        // A process that exports no span needs no rules.
        let followed = sampling.by_rules.as_ref().filter(|_| settings.traces_endpoint.is_some());
        let poller = followed.map(rules::poller).transpose()?;
        let (tracers, departures) = tracer_provider(settings, sampling, resource.clone(), &losses, &ending)?;
        let meters = meter_provider(settings, resource, &losses, &ending);
        let meter = meters.meter(SCOPE);
        losses.spans.count_in(meter.u64_counter("telemetry.spans.lost").build());
        losses.data_points.count_in(meter.u64_counter("telemetry.data_points.lost").build());
        report_uptime(&meter);
        Ok((Self { tracers, meters, losses, ending, departures }, poller))
    }
}

/// Sends the uptime with every export, whatever else happens: an alarm rings when it is missing.
fn report_uptime(meter: &Meter) {
    let started = Instant::now();
    meter
        .f64_observable_gauge(metric::PROCESS_UPTIME)
        .with_unit("s")
        .with_description("time since the process started")
        .with_callback(move |gauge| gauge.observe(started.elapsed().as_secs_f64(), &[]))
        .build();
}

/// Creates the provider of spans for the collector. Without an endpoint, spans are created, sampled and propagated, but
/// not exported.
fn tracer_provider(
    settings: &OtelSettings,
    sampling: Sampling,
    resource: Resource,
    losses: &Losses,
    ending: &Arc<Ending>,
) -> Result<(SdkTracerProvider, Departures), StartError> {
    let Some(endpoint) = &settings.traces_endpoint else {
        let provider = SdkTracerProvider::builder()
            .with_sampler(sampling.sampler)
            .with_id_generator(Ids::default())
            .with_resource(resource)
            .build();
        return Ok((provider, Departures::default()));
    };
    let collector = Collector::new(endpoint, settings.export_timeout);
    let limits = Limits {
        capacity: settings.max_queue_size,
        batch: settings.max_export_batch_size.min(settings.max_queue_size),
        delay: settings.schedule_delay,
    };
    let queue =
        SpanQueue::start(collector, limits, Arc::clone(ending), Arc::clone(&losses.spans), &resource)?;
    let departures = queue.departures();
    let Sampling { sampler, by_rules } = sampling;
    let provider = match by_rules.as_ref().and_then(|rules| Some((rules, rules.setting.adaptive.clone()?))) {
        Some((rules, adaptive)) => {
            let capture = Capture::new(queue, adaptive).reporting_to(&rules.sampler);
            tracer_provider_with(capture, sampler, resource)
        }
        None => tracer_provider_with(queue, sampler, resource),
    };
    Ok((provider, departures))
}

/// Creates a provider with X-Ray ids that passes finished spans to `processor`.
pub(crate) fn tracer_provider_with(
    processor: impl SpanProcessor + 'static,
    sampler: Box<dyn ShouldSample>,
    resource: Resource,
) -> SdkTracerProvider {
    SdkTracerProvider::builder()
        .with_span_processor(Corrected(processor))
        .with_sampler(sampler)
        .with_id_generator(Ids::default())
        .with_resource(resource)
        .build()
}

/// Creates the provider of metrics for the collector. Without an endpoint, metrics are not recorded.
fn meter_provider(
    settings: &OtelSettings,
    resource: Resource,
    losses: &Losses,
    ending: &Arc<Ending>,
) -> SdkMeterProvider {
    let provider = SdkMeterProvider::builder().with_resource(resource);
    let Some(endpoint) = &settings.metrics_endpoint else { return provider.build() };
    let collector = Collector::new(endpoint, settings.export_timeout);
    let delivery = Delivery::of_metrics(collector, Arc::clone(ending), Arc::clone(&losses.data_points));
    let provider = match settings.histograms {
        HistogramSetting::ExplicitBuckets => provider,
        HistogramSetting::Exponential => provider.with_view(exponential),
    };
    let reader = PeriodicReader::builder(UntilAccepted::new(delivery, settings.metric_temporality))
        .with_interval(settings.metric_interval)
        .build();
    provider.with_reader(reader).build()
}

/// Makes every histogram exponential, whatever bounds its instrument has. Size and scale are the standard's
/// (<https://opentelemetry.io/docs/specs/otel/metrics/sdk/#base2-exponential-bucket-histogram-aggregation>).
fn exponential(instrument: &Instrument) -> Option<Stream> {
    if instrument.kind() != InstrumentKind::Histogram {
        return None;
    }
    let aggregation =
        Aggregation::Base2ExponentialHistogram { max_size: 160, max_scale: 20, record_min_max: true };
    Stream::builder().with_aggregation(aggregation).build().ok()
}
