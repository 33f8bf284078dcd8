//! The sampling rules of AWS X-Ray, for OpenTelemetry in Rust.
//!
//! Sampling rules are defined centrally, in the X-Ray console, through its API or as an `AWS::XRay::SamplingRule`, and
//! determine how many traces of which requests are recorded
//! (<https://docs.aws.amazon.com/xray/latest/devguide/xray-console-sampling.html>). [`XRaySampler`] applies the rules.
//! [`Poller`] fetches them, reports how often each was applied, and receives this service's share of each reservoir.
//!
//! ```no_run
//! use opentelemetry_sdk::Resource;
//! use opentelemetry_sdk::trace::{ParentBasedSampler, SdkTracerProvider};
//! use xray_sampler::{HttpTransport, Poller, XRaySampler};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let resource = Resource::builder().with_service_name("orders").build();
//! let sampler = XRaySampler::new(&resource);
//!
//! // The collector's extension `awsproxy`, or the X-Ray daemon.
//! let poller = Poller::new(&sampler, HttpTransport::new("http://localhost:2000")?);
//! let polling = poller.handle();
//! let task = tokio::spawn(poller.run());
//!
//! let tracers = SdkTracerProvider::builder()
//!     .with_resource(resource)
//!     .with_sampler(ParentBasedSampler::new(sampler))
//!     // .with_batch_exporter(…)
//!     .build();
//!
//! // … the service runs …
//! tracers.shutdown()?;
//! polling.stop();
//! task.await?;
//! # Ok(())
//! # }
//! ```
//!
//! The root span of a trace that a rule sampled has the attribute [`aws.xray.sampling_rule`](SAMPLING_RULE) with the
//! rule's name. Use `ParentBasedSampler`, because the SDK's `Sampler::ParentBased` drops attributes of the sampler
//! inside it.
//!
//! # Matching
//!
//! Patterns have the wildcards `*` and `?`, and are matched without regard to case. Rules are evaluated by priority,
//! then by name, and the first that matches decides. The rule named `Default` matches every request and comes last.
//!
//! | field | matched against |
//! |---|---|
//! | service name | `service.name` of the resource |
//! | service type | the type for `cloud.platform` of the resource, such as `AWS::EC2::Instance`; on Amazon ECS `AWS::ECS::Container` and also, depending on `aws.ecs.launchtype`, `AWS::ECS::Fargate` or `AWS::ECS::EC2` |
//! | resource ARN | `aws.ecs.container.arn` of the resource; on AWS Lambda `cloud.resource_id` of the resource or the span, or `aws.lambda.invoked_arn` |
//! | host | `server.address`; formerly `http.host`, `net.host.name` |
//! | method | `http.request.method` (its original if that is `_OTHER`); formerly `http.method` |
//! | path | `url.path`, or the path of `url.full`; formerly `http.target`, `http.url` |
//! | attributes | attributes of the span with exactly these keys, all of which must be present; values other than strings are compared as text |
//!
//! Only attributes that a span has **when it starts** are matched. An absent value counts as empty: it is matched by
//! `*`, and not by a more specific pattern.
//!
//! OpenTelemetry's sampler for JavaScript takes the same rule for the same request, with exceptions: it takes `/` for an
//! absent path, the client's address for an absent host and the cluster's ARN for an absent container's, matches only
//! strings, and reads neither the former names, nor the original of an unknown method, nor the launch type.
//!
//! [`SamplingRules`] explains without sampling anything which rule would apply to a request, and why the rules before
//! it would not.
//!
//! # Sampling
//!
//! The reservoir comes first: up to the quota of traces per second that X-Ray assigned to this service, or, without a
//! valid quota, one borrowed trace per second if the rule has a reservoir. The rule's rate applies to the rest, by
//! trace id. While X-Ray boosts a rate (adaptive sampling), the higher rate applies.
//!
//! [`Capture`] passes on traces that no rule sampled and that turn out to be anomalous, and counts anomalies, which X-Ray
//! bases a boost on.
//!
//! As long as there are no current rules, one trace per second and 5 % of the rest are sampled.
//!
//! # Calls
//!
//! [`Poller`] describes when calls are made. [`HttpTransport`] makes them unsigned, through a proxy that signs them.
//! For signed calls, or any other way to reach X-Ray, implement [`Transport`]. IAM actions: `xray:GetSamplingRules`,
//! `xray:GetSamplingTargets`.

mod adaptive;
mod anomalies;
mod calls;
mod clock;
mod explain;
mod glob;
mod http;
mod http_attributes;
mod journal;
mod limiter;
mod matching;
mod poller;
mod ratio;
mod rule;
mod rule_set;
mod rule_state;
mod sampler;
mod shared;
mod statistics;
mod target;
mod timing;
mod transport;
mod wire;

#[cfg(test)]
mod tests;

pub use self::adaptive::{AdaptiveSampling, Capture, InvalidAdaptiveSampling};
pub use self::explain::{Mismatch, RuleField, SamplingRules, Verdict};
pub use self::http::{HttpError, HttpTransport, InvalidEndpoint};
pub use self::poller::{Poller, PollerHandle};
pub use self::sampler::{SAMPLING_RULE, XRaySampler};
pub use self::transport::{MAX_RESPONSE, Operation, Transport};
