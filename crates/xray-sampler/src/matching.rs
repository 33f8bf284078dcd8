//! What rules are matched against: the service, as described by its resource, and the request, as described by the
//! attributes that a span has when it starts.
//!
//! An absent value counts as empty, so that only a pattern such as `*` matches it: a rule for a path does not match a
//! span without a path. The X-Ray SDKs at first ignored the pattern in this case, and rules for one endpoint matched
//! all requests without a path as well (<https://github.com/aws/aws-xray-sdk-go/pull/244>).

use opentelemetry::{Key, KeyValue, Value};
use opentelemetry_sdk::Resource;
use opentelemetry_semantic_conventions::attribute;

use crate::glob::Glob;
use crate::http_attributes::{Http, text};
use crate::rule::Rule;

/// The value of `cloud.platform` for AWS Lambda.
const LAMBDA: &str = "aws_lambda";

/// The service whose traces are sampled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Service {
    name: String,
    /// All names that X-Ray uses for the service's type.
    types: Vec<&'static str>,
    arn: Option<String>,
    is_lambda: bool,
}

impl Service {
    pub(crate) fn of(resource: &Resource) -> Self {
        let get = |key: &'static str| resource.get_ref(&Key::from_static_str(key)).map(Value::as_str);
        let platform = get(attribute::CLOUD_PLATFORM).unwrap_or_default();
        let launch_type = get(attribute::AWS_ECS_LAUNCHTYPE).unwrap_or_default();
        let is_lambda = platform == LAMBDA;
        let function = || get(attribute::CLOUD_RESOURCE_ID).filter(|_| is_lambda);
        Self {
            name: get(attribute::SERVICE_NAME).unwrap_or_default().into_owned(),
            types: service_types(&platform, &launch_type),
            arn: get(attribute::AWS_ECS_CONTAINER_ARN).or_else(function).map(|arn| arn.into_owned()),
            is_lambda,
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Returns whether a rule can match requests of this service. X-Ray returns the rules of all services, and those of
    /// others need not be evaluated for each request.
    pub(crate) fn matches(&self, rule: &Rule) -> bool {
        self.mismatches(rule).next().is_none()
    }

    /// Iterates over the fields of a rule that do not match this service.
    pub(crate) fn mismatches<'a>(&'a self, rule: &'a Rule) -> impl Iterator<Item = Mismatch<'a>> {
        let type_matches = || match &*self.types {
            [] => rule.service_type.matches(""),
            types => types.iter().any(|one| rule.service_type.matches(one)),
        };
        let name = (!rule.service_name.matches(&self.name))
            .then(|| Mismatch { field: Field::ServiceName, found: Found::One(&self.name) });
        let service_type = (!type_matches())
            .then(|| Mismatch { field: Field::ServiceType, found: Found::AnyOf(&self.types) });
        let both = [name, service_type].into_iter().flatten();
        both.filter(|_| !rule.is_default())
    }
}

/// Returns the names of a service's type.
///
/// On Amazon ECS there are two. AWS documents the type as the one shown in the trace map, which is `AWS::ECS::Fargate`
/// or `AWS::ECS::EC2` for services that export through the collector, but lists `AWS::ECS::Container` as the value for
/// ECS, which is also what samplers for other languages use. A rule with either is meant for the service.
///
/// Sources:
/// <https://docs.aws.amazon.com/xray/latest/devguide/xray-console-sampling.html#xray-console-sampling-options>;
/// `determineAwsOrigin` of the collector's `awsxrayexporter`.
fn service_types(platform: &str, launch_type: &str) -> Vec<&'static str> {
    match platform {
        "aws_ecs" => match launch_type.to_ascii_lowercase().as_str() {
            "fargate" => vec!["AWS::ECS::Container", "AWS::ECS::Fargate"],
            "ec2" => vec!["AWS::ECS::Container", "AWS::ECS::EC2"],
            _ => vec!["AWS::ECS::Container"],
        },
        "aws_ec2" => vec!["AWS::EC2::Instance"],
        "aws_eks" => vec!["AWS::EKS::Container"],
        "aws_elastic_beanstalk" => vec!["AWS::ElasticBeanstalk::Environment"],
        "aws_app_runner" => vec!["AWS::AppRunner::Service"],
        LAMBDA => vec!["AWS::Lambda::Function"],
        _ => Vec::new(),
    }
}

/// The request that starts a trace.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    http: Http<'a>,
    arn: &'a str,
    attributes: &'a [KeyValue],
}

impl<'a> Request<'a> {
    /// Creates the request from the attributes that a span starts with.
    pub(crate) fn of(service: &'a Service, attributes: &'a [KeyValue]) -> Self {
        // Outside AWS Lambda, these attributes describe a resource other than the service's.
        let invoked = || {
            let arn = text(attributes, attribute::CLOUD_RESOURCE_ID)
                .or_else(|| text(attributes, attribute::AWS_LAMBDA_INVOKED_ARN));
            arn.filter(|_| service.is_lambda)
        };
        let arn = service.arn.as_deref().or_else(invoked).unwrap_or_default();
        Self { http: Http::of(attributes), arn, attributes }
    }

    /// Returns whether a rule matches this request. That it [matches](Service::matches) the service is taken for
    /// granted.
    pub(crate) fn matches(&self, rule: &Rule) -> bool {
        rule.is_default() || self.mismatches(rule).next().is_none()
    }

    /// Iterates over the fields of a rule that do not match this request. Patterns are evaluated one by one, so that the
    /// first mismatch ends a search for any.
    pub(crate) fn mismatches<'b>(&'b self, rule: &'b Rule) -> impl Iterator<Item = Mismatch<'b>> {
        let fields = [
            (Field::UrlPath, &rule.url_path, self.http.path),
            (Field::HttpMethod, &rule.http_method, self.http.method),
            (Field::Host, &rule.host, self.http.host),
            (Field::ResourceArn, &rule.resource_arn, self.arn),
        ];
        let fields = fields.into_iter().filter_map(|(field, pattern, value)| {
            (!pattern.matches(value)).then_some(Mismatch { field, found: Found::One(value) })
        });
        let attributes = rule.attributes.iter().filter_map(|(key, pattern)| self.attribute(key, pattern));
        fields.chain(attributes).filter(|_| !rule.is_default())
    }

    fn attribute<'b>(&'b self, key: &'b str, pattern: &Glob) -> Option<Mismatch<'b>> {
        let field = Field::Attribute(key);
        // The last attribute of a key is the one that is exported.
        match self.attributes.iter().rev().find(|attribute| attribute.key.as_str() == key) {
            None => Some(Mismatch { field, found: Found::Nothing }),
            Some(attribute) => {
                let is_matched = pattern.matches(&attribute.value.as_str());
                (!is_matched).then_some(Mismatch { field, found: Found::Attribute(&attribute.value) })
            }
        }
    }
}

/// A field of a rule that does not match.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Mismatch<'a> {
    pub(crate) field: Field<'a>,
    pub(crate) found: Found<'a>,
}

/// A field of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Field<'a> {
    ServiceName,
    ServiceType,
    UrlPath,
    HttpMethod,
    Host,
    ResourceArn,
    /// The attribute with this key.
    Attribute(&'a str),
}

/// What a field was matched against.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Found<'a> {
    /// No attribute of this key.
    Nothing,
    One(&'a str),
    /// Several names, any of which may match; none if the service's type is unknown.
    AnyOf(&'a [&'static str]),
    Attribute(&'a Value),
}

#[cfg(test)]
mod tests;
