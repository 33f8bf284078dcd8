//! A subscription of a queue to a topic, and its attributes.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use uuid::Uuid;

use super::arn::{Home, is_fifo};
use super::errors::{Given, unsupported};
use super::filter::{Filter, Scope};
use super::redrive::Redrive;
use crate::reply::AwsError;

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Subscription {
    pub(super) id: Uuid,
    pub(super) topic_arn: String,
    pub(super) protocol: String,
    /// The ARN of the queue.
    pub(super) endpoint: String,
    pub(super) raw: bool,
    pub(super) filter: Option<Filter>,
    pub(super) redrive: Option<Redrive>,
    scope: Scope,
}

impl Subscription {
    pub(super) fn new(topic_arn: &str, protocol: &str, endpoint: &str) -> Self {
        Self {
            id: Uuid::new_v4(),
            topic_arn: topic_arn.to_owned(),
            protocol: protocol.to_owned(),
            endpoint: endpoint.to_owned(),
            raw: false,
            filter: None,
            redrive: None,
            scope: Scope::default(),
        }
    }

    /// Returns about how much memory the subscription takes. A compiled filter policy is many times its text.
    pub(super) fn bytes(&self) -> usize {
        const FIXED: usize = 1024;
        const COMPILED: usize = 20;
        let filter = self.filter.as_ref().map_or(0, |filter| filter.text().len() * COMPILED);
        let redrive = self.redrive.as_ref().map_or(0, |redrive| redrive.text.len() * 2);
        FIXED + self.topic_arn.len() + self.endpoint.len() + filter + redrive
    }

    pub(super) fn arn(&self) -> String {
        format!("{}:{}", self.topic_arn, self.id)
    }

    /// Returns whether a FIFO queue is subscribed to a FIFO topic, so that groups and order are kept.
    pub(super) fn is_fifo(&self) -> bool {
        is_fifo(&self.topic_arn) && is_fifo(&self.endpoint)
    }

    /// Returns the subscription with these attributes of `Subscribe`.
    pub(super) fn with_all(
        mut self,
        attributes: &BTreeMap<String, String>,
        home: &Home,
    ) -> Result<Self, AwsError> {
        // The scope first, since it decides which filter policies are valid.
        let (scope, others): (Vec<_>, Vec<_>) =
            attributes.iter().partition(|(name, _)| *name == "FilterPolicyScope");
        for (name, value) in scope.into_iter().chain(others) {
            self = self.with(name, value, home, Given::OnCreation)?;
        }
        Ok(self)
    }

    /// Returns the subscription with another value of one attribute (SNS API reference, `SetSubscriptionAttributes`).
    pub(super) fn with(
        mut self,
        name: &str,
        value: &str,
        home: &Home,
        given: Given,
    ) -> Result<Self, AwsError> {
        match name {
            "RawMessageDelivery" => self.raw = boolean(value, given)?,
            "FilterPolicyScope" => {
                let scope = Scope::parse(value, given)?;
                if let Some(filter) = &self.filter {
                    self.filter = Some(Filter::parse(filter.text(), scope, given)?);
                }
                self.scope = scope;
            }
            "FilterPolicy" if value.is_empty() => self.filter = None,
            "FilterPolicy" => self.filter = Some(Filter::parse(value, self.scope, given)?),
            "RedrivePolicy" if value.is_empty() => self.redrive = None,
            "RedrivePolicy" => {
                self.redrive = Some(Redrive::parse(value, home, self.is_fifo(), given)?);
            }
            "DeliveryPolicy" => return Err(unsupported(name, "deliveries over HTTP")),
            "SubscriptionRoleArn" => return Err(unsupported(name, "deliveries to Firehose")),
            "ReplayPolicy" => return Err(unsupported(name, "the archive of a FIFO topic")),
            _ => return Err(given.invalid("AttributeName")),
        }
        Ok(self)
    }

    /// Returns what `GetSubscriptionAttributes` answers.
    pub(super) fn attributes(&self, home: &Home) -> Value {
        let account = &home.account;
        let mut attributes = json!({
            "ConfirmationWasAuthenticated": "true",
            "Endpoint": self.endpoint,
            "Owner": account,
            "PendingConfirmation": "false",
            "Protocol": self.protocol,
            "RawMessageDelivery": self.raw.to_string(),
            "SubscriptionArn": self.arn(),
            "SubscriptionPrincipal": format!("arn:aws:iam::{account}:user/local"),
            "TopicArn": self.topic_arn,
        });
        if let Some(filter) = &self.filter {
            attributes["FilterPolicy"] = filter.text().into();
            attributes["FilterPolicyScope"] = self.scope.name().into();
        }
        if let Some(redrive) = &self.redrive {
            attributes["RedrivePolicy"] = redrive.text.as_str().into();
        }
        attributes
    }

    /// Returns what lists of subscriptions say.
    pub(super) fn summary(&self, home: &Home) -> Value {
        json!({
            "SubscriptionArn": self.arn(),
            "Owner": home.account,
            "Protocol": self.protocol,
            "Endpoint": self.endpoint,
            "TopicArn": self.topic_arn,
        })
    }
}

fn boolean(value: &str, given: Given) -> Result<bool, AwsError> {
    match value.to_ascii_lowercase().as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => {
            Err(given.invalid(format!("RawMessageDelivery: Invalid value [{value}]. Must be true or false.")))
        }
    }
}
