//! Which rule would apply to a request, and why the ones before it would not.

use opentelemetry::KeyValue;
use opentelemetry_sdk::Resource;

use crate::matching::{self, Field, Found, Request, Service};
use crate::rule::Rule;
use crate::wire;

/// The sampling rules of an account, in the order of evaluation, to be explained rather than applied.
///
/// ```
/// use opentelemetry::KeyValue;
/// use opentelemetry_sdk::Resource;
/// use xray_sampler::{RuleField, SamplingRules};
///
/// let response = r#"{"SamplingRuleRecords": [
///     {"SamplingRule": {"RuleName": "Default", "Priority": 10000, "Version": 1}},
///     {"SamplingRule": {"RuleName": "health", "Priority": 1, "URLPath": "/health*", "Version": 1}}
/// ]}"#;
/// let rules = SamplingRules::from_json(response.as_bytes())?;
/// let resource = Resource::builder().with_service_name("orders").build();
/// let verdicts = rules.explain(&resource, &[KeyValue::new("url.path", "/orders")]);
///
/// assert_eq!(verdicts[0].rule, "health");
/// assert_eq!(verdicts[0].mismatches[0].field, RuleField::UrlPath);
/// assert_eq!(verdicts[0].mismatches[0].found.as_deref(), Some("/orders"));
/// assert_eq!(verdicts[1].rule, "Default");
/// assert!(verdicts[1].mismatches.is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct SamplingRules(Vec<Rule>);

/// A rule that was evaluated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The name of the rule.
    pub rule: String,
    /// The fields that do not match. The rule applies if there are none.
    pub mismatches: Vec<Mismatch>,
}

/// A field of a rule that does not match a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// The field.
    pub field: RuleField,
    /// The value that its pattern was matched against; `None` if there is none. For a service type with several names,
    /// those names, separated by commas.
    pub found: Option<String>,
}

/// A field of a sampling rule with a pattern
/// (<https://docs.aws.amazon.com/xray/latest/api/API_SamplingRule.html>).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RuleField {
    /// `ServiceName`.
    ServiceName,
    /// `ServiceType`.
    ServiceType,
    /// `URLPath`.
    UrlPath,
    /// `HTTPMethod`.
    HttpMethod,
    /// `Host`.
    Host,
    /// `ResourceARN`.
    ResourceArn,
    /// The entry of `Attributes` with this key.
    Attribute(String),
}

impl SamplingRules {
    /// Parses the response of `GetSamplingRules`, as the poller does: a rule that cannot be parsed, or whose version is
    /// not supported, is left out.
    ///
    /// # Errors
    /// When the response is not JSON, or not an object with a list of rules.
    pub fn from_json(response: &[u8]) -> Result<Self, serde_json::Error> {
        let mut rules = wire::rules_page(response)?.rules;
        rules.sort_by_cached_key(Rule::order);
        Ok(Self(rules))
    }

    /// Evaluates the rules for the root span of a service, given its resource and the attributes that the span starts
    /// with. Returns all rules up to the one that applies, which is the last; if its mismatches are not empty, none does.
    #[must_use]
    pub fn explain(&self, resource: &Resource, attributes: &[KeyValue]) -> Vec<Verdict> {
        let service = Service::of(resource);
        let request = Request::of(&service, attributes);
        let mut verdicts = Vec::new();
        for rule in &self.0 {
            let mismatches: Vec<Mismatch> =
                service.mismatches(rule).chain(request.mismatches(rule)).map(Mismatch::from).collect();
            let applies = mismatches.is_empty();
            verdicts.push(Verdict { rule: rule.name.to_string(), mismatches });
            if applies {
                break;
            }
        }
        verdicts
    }
}

impl From<matching::Mismatch<'_>> for Mismatch {
    fn from(mismatch: matching::Mismatch<'_>) -> Self {
        let field = match mismatch.field {
            Field::ServiceName => RuleField::ServiceName,
            Field::ServiceType => RuleField::ServiceType,
            Field::UrlPath => RuleField::UrlPath,
            Field::HttpMethod => RuleField::HttpMethod,
            Field::Host => RuleField::Host,
            Field::ResourceArn => RuleField::ResourceArn,
            Field::Attribute(key) => RuleField::Attribute(key.to_owned()),
        };
        let found = match mismatch.found {
            Found::Nothing => None,
            Found::One(value) => Some(value.to_owned()).filter(|value| !value.is_empty()),
            Found::AnyOf(values) => Some(values.join(", ")).filter(|values| !values.is_empty()),
            Found::Attribute(value) => Some(value.as_str().into_owned()),
        };
        Self { field, found }
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::KeyValue;
    use opentelemetry_sdk::Resource;
    use serde_json::json;

    use super::{Mismatch, RuleField, SamplingRules, Verdict};

    fn rules() -> SamplingRules {
        let rule = |name: &str, priority: u32, more: serde_json::Value| {
            let mut rule = json!({"RuleName": name, "Priority": priority, "Version": 1});
            rule.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            json!({"SamplingRule": rule})
        };
        let records = [
            rule("Default", 1, json!({"URLPath": "/nowhere"})),
            rule(
                "vouchers",
                7,
                json!({"Attributes": {"type": "Voucher*", "tenant": "a"}, "HTTPMethod": "PUT"}),
            ),
            rule("other", 5, json!({"ServiceName": "other", "ServiceType": "AWS::EC2::*"})),
        ];
        SamplingRules::from_json(json!({"SamplingRuleRecords": records}).to_string().as_bytes()).unwrap()
    }

    fn orders() -> Resource {
        let platform = KeyValue::new("cloud.platform", "aws_ecs");
        let resource = Resource::builder_empty().with_service_name("orders");
        resource.with_attributes([platform, KeyValue::new("aws.ecs.launchtype", "fargate")]).build()
    }

    #[test]
    fn every_field_that_does_not_match_is_named_with_its_value() {
        let attributes = [KeyValue::new("http.request.method", "post"), KeyValue::new("type", "Order")];
        let verdicts = rules().explain(&orders(), &attributes);
        let mismatch = |field, found: Option<&str>| Mismatch { field, found: found.map(str::to_owned) };
        let verdict = |rule: &str, mismatches| Verdict { rule: rule.to_owned(), mismatches };
        let types = Some("AWS::ECS::Container, AWS::ECS::Fargate");
        assert_eq!(
            verdicts,
            [
                verdict(
                    "other",
                    vec![
                        mismatch(RuleField::ServiceName, Some("orders")),
                        mismatch(RuleField::ServiceType, types),
                    ]
                ),
                verdict(
                    "vouchers",
                    vec![
                        mismatch(RuleField::HttpMethod, Some("post")),
                        mismatch(RuleField::Attribute("tenant".to_owned()), None),
                        mismatch(RuleField::Attribute("type".to_owned()), Some("Order")),
                    ]
                ),
                verdict("Default", Vec::new()),
            ]
        );
    }

    #[test]
    fn nothing_after_the_rule_that_applies_is_evaluated() {
        let attributes = [("http.request.method", "put"), ("type", "voucherGifted"), ("tenant", "A")]
            .map(|(key, value)| KeyValue::new(key, value));
        let verdicts = rules().explain(&orders(), &attributes);
        assert_eq!(
            verdicts.last().unwrap(),
            &Verdict { rule: "vouchers".to_owned(), mismatches: Vec::new() }
        );
    }

    #[test]
    fn what_is_no_list_of_rules_is_an_error() {
        assert!(SamplingRules::from_json(b"[]").is_err());
        assert_eq!(SamplingRules::from_json(b"{}").unwrap().explain(&orders(), &[]), []);
    }
}
