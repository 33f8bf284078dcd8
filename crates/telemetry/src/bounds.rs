//! Bucket bounds of histograms that several crates share. The SDK's default bounds go up to 10,000 and suit
//! milliseconds: values in seconds would all fall into the lowest two buckets.

/// Bounds for durations in seconds, as the conventions require for
/// [HTTP](https://opentelemetry.io/docs/specs/semconv/http/http-metrics/) and
/// [messaging](https://opentelemetry.io/docs/specs/semconv/messaging/messaging-metrics/).
pub const DURATIONS: [f64; 14] =
    [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];
