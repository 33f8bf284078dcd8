//! What recent traces have: the keys and values that an expression may name.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_xray::types::{AnnotationValue, ServiceId, TraceSummary};
use xray_engine::{Text, ValueOf};

use super::texts;

/// Keys and values, as they are compared.
#[derive(Debug, Default)]
pub(super) struct Seen {
    annotations: BTreeMap<String, BTreeSet<Literal>>,
    services: BTreeSet<String>,
    types: BTreeSet<String>,
    accounts: BTreeSet<String>,
    texts: Vec<(Text, String)>,
}

/// A value as it is written: a string, which needs quotation marks, or anything else.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Literal {
    Text(String),
    Other(String),
}

impl Seen {
    /// Collects what these traces have.
    pub(super) fn of(traces: &[TraceSummary]) -> Self {
        let mut seen = Self::default();
        for trace in traces {
            seen.add(trace);
        }
        seen
    }

    fn add(&mut self, trace: &TraceSummary) {
        for (key, values) in trace.annotations().into_iter().flatten() {
            let literals = values.iter().filter_map(|value| literal(value.annotation_value()?));
            self.annotations.entry(key.clone()).or_default().extend(literals);
        }
        let services = trace.service_ids();
        let field = |of: fn(&ServiceId) -> Option<&str>| services.iter().filter_map(of).map(str::to_owned);
        self.services.extend(field(ServiceId::name));
        self.types.extend(field(ServiceId::r#type));
        self.accounts.extend(field(ServiceId::account_id));
        let zones = trace.availability_zones().iter().map(|zone| (Text::AvailabilityZone, zone.name()));
        let instances = trace.instance_ids().iter().map(|instance| (Text::InstanceId, instance.id()));
        let resources = trace.resource_arns().iter().map(|resource| (Text::ResourceArn, resource.arn()));
        let places = zones.chain(instances).chain(resources);
        let places = places.filter_map(|(text, value)| Some((text, value?)));
        for (text, value) in
            texts::of_request(trace).chain(places).map(|(text, value)| (text, value.to_owned()))
        {
            if !self.texts.contains(&(text, value.clone())) {
                self.texts.push((text, value));
            }
        }
    }

    /// Iterates over the keys of annotations.
    pub(super) fn annotation_keys(&self) -> impl Iterator<Item = &str> {
        self.annotations.keys().map(String::as_str)
    }

    /// Iterates over the values of something.
    pub(super) fn values(&self, of: &ValueOf) -> Box<dyn Iterator<Item = Literal> + '_> {
        let texts = |values: &BTreeSet<String>| -> Box<dyn Iterator<Item = Literal>> {
            Box::new(values.clone().into_iter().map(Literal::Text))
        };
        match of {
            ValueOf::Annotation(key) => Box::new(self.annotations.get(key).into_iter().flatten().cloned()),
            ValueOf::ServiceName | ValueOf::Text(Text::Name) => texts(&self.services),
            ValueOf::ServiceType | ValueOf::Text(Text::Type) => texts(&self.types),
            ValueOf::AccountId | ValueOf::Text(Text::AccountId) => texts(&self.accounts),
            ValueOf::Text(text) => {
                let text = *text;
                let values = self.texts.iter().filter(move |(one, _)| *one == text);
                Box::new(values.map(|(_, value)| Literal::Text(value.clone())))
            }
            // Traces do not say which groups they are in.
            ValueOf::GroupName => Box::new(std::iter::empty()),
        }
    }
}

fn literal(value: &AnnotationValue) -> Option<Literal> {
    match value {
        AnnotationValue::BooleanValue(value) => Some(Literal::Other(value.to_string())),
        AnnotationValue::NumberValue(value) => Some(Literal::Other(value.to_string())),
        AnnotationValue::StringValue(value) => Some(Literal::Text(value.clone())),
        _ => None,
    }
}

/// Returns a value as it stands in an expression.
pub(super) fn quoted(literal: Literal) -> String {
    match literal {
        Literal::Text(text) => format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")),
        Literal::Other(text) => text,
    }
}
