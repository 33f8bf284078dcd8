//! The sampling rules of AWS X-Ray, for OpenTelemetry in Rust.
//!
//! Sampling rules are defined once, in the X-Ray console, with its API or as an `AWS::XRay::SamplingRule`, and say how
//! many traces of which requests are recorded
//! (<https://docs.aws.amazon.com/xray/latest/devguide/xray-console-sampling.html>). [`XRaySampler`] applies them,
//! [`Poller`] fetches them, reports how often each was applied, and receives this service's part of a rule's reservoir.
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
//! # What a sampled span looks like
//!
//! A root span that a rule sampled has the attribute [`aws.xray.sampling_rule`](SAMPLING_RULE) with the rule's name.
//! `Sampler::ParentBased` of the SDK drops attributes of the sampler inside it; `ParentBasedSampler` keeps them.
//!
//! # How a rule matches
//!
//! Patterns have the wildcards `*` and `?`, and case never matters. Rules are evaluated by priority, then by name, and the
//! first that matches decides; the rule named `Default` matches everything and comes last.
//!
//! | field | is matched with |
//! |---|---|
//! | service name | `service.name` of the resource |
//! | service type | the type that follows from `cloud.platform` of the resource; on Amazon ECS both `AWS::ECS::Container` and, by `aws.ecs.launchtype`, `AWS::ECS::Fargate` or `AWS::ECS::EC2` |
//! | resource ARN | `aws.ecs.container.arn` of the resource; on AWS Lambda `cloud.resource_id` of the resource or the span, or `aws.lambda.invoked_arn` |
//! | host | `server.address`; formerly `http.host`, `net.host.name` |
//! | method | `http.request.method` (its original if that is `_OTHER`); formerly `http.method` |
//! | path | `url.path`, or the path of `url.full`; formerly `http.target`, `http.url` |
//! | attributes | attributes of the span under exactly these keys, all of which must be present; numbers and booleans are compared as text |
//!
//! Only attributes that a span has **when it is started** are seen. What is absent counts as an empty text, which `*`
//! matches and a more specific pattern does not.
//!
//! # How many traces are sampled
//!
//! First the reservoir: the quota that X-Ray assigned to this service, in traces a second; without a valid quota, one trace
//! a second is borrowed if the rule has a reservoir. Then the rule's rate, by the trace id. X-Ray may boost the rate for
//! some time (adaptive sampling), which is honoured; reporting the anomalies that lead to a boost is not implemented.
//!
//! Without current rules the first trace of each second is sampled, and 5 % of the others.
//!
//! # How the calls are made
//!
//! [`Poller`] describes when. [`HttpTransport`] makes them unsigned; [`Transport`] is the trait to implement for calls that
//! are signed or go another way. IAM actions: `xray:GetSamplingRules`, `xray:GetSamplingTargets`.

mod calls;
mod clock;
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

pub use self::http::{HttpError, HttpTransport, InvalidEndpoint};
pub use self::poller::{Poller, PollerHandle};
pub use self::sampler::{SAMPLING_RULE, XRaySampler};
pub use self::transport::{MAX_ANSWER, Operation, Transport};
