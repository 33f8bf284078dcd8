//! The OpenTelemetry providers: spans to the collector in batches, metrics at intervals, both from threads of the SDK.

use std::time::Duration;

use opentelemetry_aws::trace::XrayIdGenerator;
use opentelemetry_otlp::{
    ExporterBuildError, MetricExporter, Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _,
};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::{
    Aggregation, Instrument, InstrumentKind, PeriodicReader, SdkMeterProvider, Stream,
};
use opentelemetry_sdk::trace::{BatchConfigBuilder, BatchSpanProcessor, SdkTracerProvider, SpanProcessor};

use crate::export::Reported;
use crate::processor::RootOfCarriedTrace;
use crate::sampler::sampler;
use crate::settings::{HistogramSetting, OtelSettings, SamplerSetting};

/// Creates the provider of spans for the collector. Without an endpoint, spans are created, sampled and propagated, but
/// not exported.
pub(crate) fn tracer_provider(
    settings: &OtelSettings,
    resource: Resource,
) -> Result<SdkTracerProvider, ExporterBuildError> {
    let Some(endpoint) = &settings.traces_endpoint else {
        return Ok(SdkTracerProvider::builder()
            .with_sampler(sampler(settings.sampler))
            .with_id_generator(XrayIdGenerator::default())
            .with_resource(resource)
            .build());
    };
    let exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(http_client(endpoint, settings.export_timeout)?)
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(endpoint)
        .with_timeout(settings.export_timeout)
        .build()?;
    let batches = BatchConfigBuilder::default()
        .with_scheduled_delay(settings.schedule_delay)
        .with_max_queue_size(settings.max_queue_size)
        .with_max_export_batch_size(settings.max_export_batch_size.min(settings.max_queue_size))
        .build();
    let processor =
        BatchSpanProcessor::builder(Reported::new(exporter, "traces")).with_batch_config(batches).build();
    Ok(tracer_provider_with(processor, settings.sampler, resource))
}

/// Creates a provider with X-Ray ids that passes finished spans to `processor`.
pub(crate) fn tracer_provider_with(
    processor: impl SpanProcessor + 'static,
    setting: SamplerSetting,
    resource: Resource,
) -> SdkTracerProvider {
    SdkTracerProvider::builder()
        .with_span_processor(RootOfCarriedTrace(processor))
        .with_sampler(sampler(setting))
        .with_id_generator(XrayIdGenerator::default())
        .with_resource(resource)
        .build()
}

/// Creates the provider of metrics for the collector. Without an endpoint, metrics are not recorded.
pub(crate) fn meter_provider(
    settings: &OtelSettings,
    resource: Resource,
) -> Result<SdkMeterProvider, ExporterBuildError> {
    let provider = SdkMeterProvider::builder().with_resource(resource);
    let Some(endpoint) = &settings.metrics_endpoint else { return Ok(provider.build()) };
    let exporter = MetricExporter::builder()
        .with_http()
        .with_http_client(http_client(endpoint, settings.export_timeout)?)
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(endpoint)
        .with_timeout(settings.export_timeout)
        .with_temporality(settings.metric_temporality)
        .build()?;
    let provider = match settings.histograms {
        HistogramSetting::ExplicitBuckets => provider,
        HistogramSetting::Exponential => provider.with_view(exponential),
    };
    let reader = PeriodicReader::builder(Reported::new(exporter, "metrics"))
        .with_interval(settings.metric_interval)
        .build();
    Ok(provider.with_reader(reader).build())
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

/// Creates a blocking client, because the SDK exports from threads without an async runtime; call it on such a thread
/// too. A collector on this host is never reached through a proxy.
fn http_client(endpoint: &str, timeout: Duration) -> Result<reqwest::blocking::Client, ExporterBuildError> {
    let client = reqwest::blocking::Client::builder().timeout(timeout);
    let client = if is_loopback(endpoint) { client.no_proxy() } else { client };
    client.build().map_err(|error| ExporterBuildError::InternalFailure(error.to_string()))
}

fn is_loopback(endpoint: &str) -> bool {
    let Ok(uri) = endpoint.parse::<http::Uri>() else { return false };
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::is_loopback;

    #[test]
    fn only_this_host_is_loopback() {
        assert!(is_loopback("http://localhost:4318/v1/traces"));
        assert!(is_loopback("http://127.0.0.1:4318/v1/traces"));
        assert!(is_loopback("http://[::1]:4318/v1/traces"));
        assert!(!is_loopback("http://collector:4318/v1/traces"));
        assert!(!is_loopback("http://10.0.0.7:4318/v1/traces"));
    }
}
