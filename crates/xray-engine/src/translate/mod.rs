//! OpenTelemetry spans as X-Ray documents, by the rules of the AWS collector's `awsxray` exporter.
//!
//! A trace has to look here as it will in X-Ray behind a collector, so the exporter's rules apply even where different
//! ones would be nicer. They were read from, and tested against, version 0.156 of
//! <https://github.com/open-telemetry/opentelemetry-collector-contrib/tree/main/exporter/awsxrayexporter>. In short:
//! SERVER and CONSUMER spans and spans without a parent become segments, all others subsegments; calls of the AWS SDK
//! (`rpc.system=aws-api`) are recognised and named after the service called.

mod annotations;
mod attributes;
mod aws;
mod cause;
mod deprecated;
mod document;
mod http;
mod ids;
mod keys;
mod name;
mod source;
mod sql;

pub(crate) use self::attributes::Attributes;
pub(crate) use self::document::documents;

#[cfg(test)]
pub(crate) mod tests;
