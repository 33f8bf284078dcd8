//! Measures what a request costs that no rule samples: three spans with ten attributes each, with and without a capture of
//! anomalous traces, and with one that captures nothing because the request succeeds.
//!
//! ```console
//! cargo run --release -p xray-sampler --example cost
//! ```
#![expect(clippy::print_stdout, reason = "it is what a measurement is for")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use opentelemetry::trace::{TraceContextExt as _, Tracer as _, TracerProvider as _};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider, ShouldSample, Span, SpanData, SpanProcessor};
use xray_sampler::{AdaptiveSampling, Capture, InvalidAdaptiveSampling, XRaySampler};

const REQUESTS: u32 = 100_000;
const ROUNDS: usize = 7;

/// The place of an exporter.
#[derive(Debug)]
struct Nothing;

impl SpanProcessor for Nothing {
    fn on_start(&self, _: &mut Span, _: &Context) {}

    fn on_end(&self, span: SpanData) {
        black_box(span);
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

fn provider(
    sampler: impl ShouldSample + 'static,
    processor: impl SpanProcessor + 'static,
) -> SdkTracerProvider {
    SdkTracerProvider::builder().with_sampler(sampler).with_span_processor(processor).build()
}

fn request(provider: &SdkTracerProvider) {
    let tracer = provider.tracer("cost");
    let attributes = || (0..10).map(|_| KeyValue::new("http.response.header", "some text of a usual length"));
    let open = |parent: &Context, name: &'static str| {
        let builder = tracer.span_builder(name).with_attributes(attributes());
        parent.with_span(builder.start_with_context(&tracer, parent))
    };
    let request = open(&Context::new(), "request");
    for call in ["one call", "another call"] {
        open(&request, call).span().end();
    }
    request.span().set_attribute(KeyValue::new("http.response.status_code", 202));
    request.span().end();
}

/// Returns the shortest time of several rounds, for one span.
fn per_span(provider: &SdkTracerProvider) -> Duration {
    let round = || {
        let began = Instant::now();
        (0..REQUESTS).for_each(|_| request(provider));
        began.elapsed() / REQUESTS / 3
    };
    (0..ROUNDS).map(|_| round()).min().unwrap_or_default()
}

fn main() -> Result<(), InvalidAdaptiveSampling> {
    let config: AdaptiveSampling = "version: 1.0".parse()?;
    // Without rules it falls back to 5 %; what that adds is the same in both.
    let sampler = XRaySampler::new(&Resource::builder_empty().build());
    let capture = || Capture::new(Nothing, config.clone());
    for (what, provider) in [
        ("off, 5 % sampled", provider(sampler.clone(), Nothing)),
        ("on, 5 % sampled", provider(sampler.recording_unsampled(), capture())),
        ("off, all sampled", provider(Sampler::AlwaysOn, Nothing)),
        ("on, all sampled", provider(Sampler::AlwaysOn, capture())),
    ] {
        println!("{what:>18}: {:>5} ns for each span", per_span(&provider).as_nanos());
    }
    Ok(())
}
