//! Whether a condition holds for a trace.
//!
//! A comparison with something that a trace does not have is false, also with `!=`. Annotations and users are those of any
//! segment; the other simple keywords are about the entry point, so that an error downstream which was handled is found by
//! `service() { error }` alone.

use std::sync::Arc;

use super::expression::{AnnotationTest, CauseKind, CausePart, End, Expression, NodePattern};
use super::keyword::{Flag, Number, Text};
use crate::facts::{
    Annotated, CallFacts, CauseEntity, CauseService, Facts, HttpFacts, Outcome, RootCause, SegmentFacts,
    ServiceId,
};

impl Expression {
    /// Whether it holds for a trace. A group holds for none: it is replaced by its own expression before.
    #[must_use]
    pub fn matches(&self, trace: &Facts) -> bool {
        holds(self, &Subject::Trace(trace))
    }
}

/// What is filtered.
enum Subject<'a> {
    Trace(&'a Facts),
    Segment(&'a Facts, &'a SegmentFacts),
    Call(&'a Facts, &'a CallFacts),
    CauseService(&'a CauseService, Place),
    CauseEntity(&'a CauseEntity, &'a CauseService, Place),
    CauseException(&'a (Arc<str>, Arc<str>), Place),
}

/// The place in a list, from 0.
#[derive(Clone, Copy)]
struct Place {
    index: usize,
    last: bool,
}

fn holds(expression: &Expression, subject: &Subject<'_>) -> bool {
    match expression {
        Expression::All(conditions) => conditions.iter().all(|condition| holds(condition, subject)),
        Expression::Any(conditions) => conditions.iter().any(|condition| holds(condition, subject)),
        Expression::Not(condition) => !holds(condition, subject),
        Expression::Flag(flag) => subject.flag(*flag),
        Expression::Number(number, comparison, wanted) => {
            subject.number(*number).is_some_and(|value| comparison.holds(value, *wanted))
        }
        Expression::Text(text, comparison, wanted) => {
            subject.text(*text, &mut |value| comparison.holds(value, wanted))
        }
        Expression::IsSet(text) => subject.text(*text, &mut |_| true),
        Expression::Annotation(end, key, test) => subject.annotation(*end, key, test),
        Expression::Group(..) => false,
        Expression::Service(pattern, condition) => subject
            .trace()
            .is_some_and(|trace| segments(trace, pattern, condition.as_deref()).next().is_some()),
        Expression::Edge(source, destination, condition) => subject
            .trace()
            .is_some_and(|trace| calls(trace, source, destination, condition.as_deref()).next().is_some()),
        Expression::RootCause(kind, part, condition) => subject.trace().is_some_and(|trace| {
            causes(trace, *kind).iter().any(|cause| part_holds(cause, *part, condition.as_deref()))
        }),
        Expression::CausePattern(pattern) => subject.trace().is_some_and(|trace| {
            pattern.matches(&trace.causes().map(RootCause::to_json).collect::<Vec<_>>())
        }),
    }
}

/// Iterates over the segments of services that are meant for which a condition holds.
pub(super) fn segments<'a>(
    trace: &'a Facts,
    pattern: &'a NodePattern,
    condition: Option<&'a Expression>,
) -> impl Iterator<Item = &'a SegmentFacts> {
    trace.segments.iter().filter(move |segment| {
        is_meant(pattern, &segment.service) && holds_if_any(condition, &Subject::Segment(trace, segment))
    })
}

/// Iterates over the calls between services that are meant for which a condition holds.
pub(super) fn calls<'a>(
    trace: &'a Facts,
    source: &'a NodePattern,
    destination: &'a NodePattern,
    condition: Option<&'a Expression>,
) -> impl Iterator<Item = &'a CallFacts> {
    trace.calls.iter().filter(move |call| {
        is_meant(source, &trace.segments[call.source].service)
            && is_meant(destination, &trace.segments[call.destination].service)
            && holds_if_any(condition, &Subject::Call(trace, call))
    })
}

fn holds_if_any(condition: Option<&Expression>, subject: &Subject<'_>) -> bool {
    condition.is_none_or(|condition| holds(condition, subject))
}

fn is_meant(pattern: &NodePattern, service: &ServiceId) -> bool {
    pattern.matches(&service.name, service.kind.as_deref(), service.account_id.as_deref())
}

fn causes(trace: &Facts, kind: CauseKind) -> &[RootCause] {
    match kind {
        CauseKind::Fault => &trace.fault_causes,
        CauseKind::Error => &trace.error_causes,
        CauseKind::ResponseTime => &trace.response_time_causes,
    }
}

/// Whether a condition holds for one of the services, entities or exceptions of a root cause.
fn part_holds(cause: &RootCause, part: CausePart, condition: Option<&Expression>) -> bool {
    let any = |mut subjects: Vec<Subject<'_>>| {
        let last = subjects.len().saturating_sub(1);
        for (index, subject) in subjects.iter_mut().enumerate() {
            subject.set_place(Place { index, last: index == last });
        }
        subjects.iter().any(|subject| holds_if_any(condition, subject))
    };
    let somewhere = Place { index: 0, last: false };
    let entities =
        || cause.services.iter().flat_map(|service| service.path.iter().map(move |entity| (service, entity)));
    match part {
        CausePart::Service => {
            any(cause.services.iter().map(|service| Subject::CauseService(service, somewhere)).collect())
        }
        CausePart::Entity => any(entities()
            .map(|(service, entity)| Subject::CauseEntity(entity, service, somewhere))
            .collect()),
        CausePart::Exception => any(entities()
            .flat_map(|(_, entity)| &entity.exceptions)
            .map(|exception| Subject::CauseException(exception, somewhere))
            .collect()),
    }
}

impl Subject<'_> {
    fn set_place(&mut self, new: Place) {
        match self {
            Self::CauseService(_, place)
            | Self::CauseEntity(_, _, place)
            | Self::CauseException(_, place) => *place = new,
            Self::Trace(_) | Self::Segment(..) | Self::Call(..) => {}
        }
    }

    fn trace(&self) -> Option<&Facts> {
        match self {
            Self::Trace(trace) => Some(trace),
            _ => None,
        }
    }

    fn place(&self) -> Option<Place> {
        match self {
            Self::CauseService(_, place)
            | Self::CauseEntity(_, _, place)
            | Self::CauseException(_, place) => Some(*place),
            Self::Trace(_) | Self::Segment(..) | Self::Call(..) => None,
        }
    }

    fn outcome(&self) -> Outcome {
        match self {
            Self::Trace(trace) => trace.outcome(),
            Self::Segment(_, segment) => segment.outcome,
            Self::Call(_, call) => call.outcome,
            _ => Outcome::default(),
        }
    }

    fn flag(&self, flag: Flag) -> bool {
        match flag {
            Flag::Ok => self.outcome().ok,
            Flag::Error => self.outcome().error,
            Flag::Throttle => self.outcome().throttle,
            Flag::Fault => self.outcome().fault,
            Flag::Partial => self.outcome().partial,
            Flag::First => self.place().is_some_and(|place| place.index == 0),
            Flag::Last => self.place().is_some_and(|place| place.last),
            Flag::Remote => matches!(self, Self::CauseEntity(entity, ..) if entity.remote),
            Flag::Inferred => match self {
                Self::Trace(trace) => trace.segments.iter().any(|segment| segment.inferred),
                Self::Segment(_, segment) => segment.inferred,
                Self::Call(trace, call) => trace.segments[call.destination].inferred,
                Self::CauseService(service, _) | Self::CauseEntity(_, service, _) => service.inferred,
                Self::CauseException(..) => false,
            },
            Flag::Root => match self {
                Self::Trace(trace) => trace.entry.is_some(),
                Self::Segment(trace, segment) => {
                    trace.root().is_some_and(|root| std::ptr::eq(root, *segment))
                }
                _ => false,
            },
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "status codes and positions are small")]
    fn number(&self, number: Number) -> Option<f64> {
        match number {
            Number::ResponseTime => self.response_time(),
            Number::Duration => match self {
                Self::Trace(trace) => trace.duration,
                _ => self.response_time(),
            },
            Number::HttpStatus => Some(self.http()?.status? as f64),
            Number::Index => Some(self.place()?.index as f64),
            Number::Coverage => match self {
                Self::CauseEntity(entity, ..) => entity.coverage,
                _ => None,
            },
        }
    }

    fn response_time(&self) -> Option<f64> {
        match self {
            Self::Trace(trace) => trace.root()?.response_time,
            Self::Segment(_, segment) => segment.response_time,
            Self::Call(_, call) => call.response_time,
            _ => None,
        }
    }

    fn http(&self) -> Option<&HttpFacts> {
        match self {
            Self::Trace(trace) => Some(&trace.root()?.http),
            Self::Segment(_, segment) => Some(&segment.http),
            Self::Call(_, call) => Some(&call.http),
            _ => None,
        }
    }

    /// Returns the segments that a keyword is about which is not only about the entry point.
    fn segments(&self) -> &[SegmentFacts] {
        match self {
            Self::Trace(trace) => &trace.segments,
            Self::Segment(_, segment) => std::slice::from_ref(*segment),
            Self::Call(trace, call) => std::slice::from_ref(&trace.segments[call.source]),
            _ => &[],
        }
    }

    /// Whether one of the keyword's values satisfies `wanted`.
    fn text(&self, text: Text, wanted: &mut dyn FnMut(&str) -> bool) -> bool {
        let mut any = |value: Option<&Arc<str>>| value.is_some_and(|value| wanted(value));
        match text {
            Text::HttpUrl => any(self.http().and_then(|http| http.url.as_ref())),
            Text::HttpMethod => any(self.http().and_then(|http| http.method.as_ref())),
            Text::HttpUserAgent => any(self.http().and_then(|http| http.user_agent.as_ref())),
            Text::HttpClientIp => any(self.http().and_then(|http| http.client_ip.as_ref())),
            Text::User => self.segments().iter().any(|segment| any(segment.user.as_ref())),
            Text::AvailabilityZone => {
                self.segments().iter().any(|segment| any(segment.availability_zone.as_ref()))
            }
            Text::InstanceId => self.segments().iter().any(|segment| any(segment.instance_id.as_ref())),
            Text::ResourceArn => self.segments().iter().any(|segment| any(segment.resource_arn.as_ref())),
            Text::Type => any(self.service().and_then(|service| service.kind.as_ref())),
            Text::AccountId => any(self.service().and_then(|service| service.account_id.as_ref())),
            Text::Name => any(match self {
                Self::CauseEntity(entity, ..) => Some(&entity.name),
                Self::CauseException((name, _), _) => Some(name),
                _ => self.service().map(|service| &service.name),
            }),
            Text::Message => match self {
                Self::Trace(trace) => {
                    trace.root().is_some_and(|root| root.messages.iter().any(|message| wanted(message)))
                }
                Self::Segment(_, segment) => segment.messages.iter().any(|message| wanted(message)),
                Self::Call(_, call) => call.messages.iter().any(|message| wanted(message)),
                Self::CauseException((_, message), _) => wanted(message),
                Self::CauseService(..) | Self::CauseEntity(..) => false,
            },
        }
    }

    /// Returns the service that is filtered: of a trace its entry point, of a call the one called.
    fn service(&self) -> Option<&ServiceId> {
        match self {
            Self::Trace(trace) => Some(&trace.root()?.service),
            Self::Segment(_, segment) => Some(&segment.service),
            Self::Call(trace, call) => Some(&trace.segments[call.destination].service),
            Self::CauseService(service, _) => Some(&service.service),
            Self::CauseEntity(..) | Self::CauseException(..) => None,
        }
    }

    fn annotation(&self, end: End, key: &str, test: &AnnotationTest) -> bool {
        let any = |annotations: &[(Arc<str>, Annotated)]| {
            annotations.iter().any(|(found, value)| **found == *key && test.holds(value))
        };
        match (self, end) {
            (Self::Call(trace, call), End::Source) => any(&trace.segments[call.source].annotations),
            (Self::Call(trace, call), End::Destination) => any(&trace.segments[call.destination].annotations),
            (Self::Call(_, call), End::Here) => any(&call.annotations),
            _ => self.segments().iter().any(|segment| any(&segment.annotations)),
        }
    }
}

impl AnnotationTest {
    /// Whether a value satisfies it. A value of another type never does.
    fn holds(&self, value: &Annotated) -> bool {
        match (self, value) {
            (Self::IsSet, value) => *value != Annotated::Boolean(false),
            (Self::Boolean(equal, wanted), Annotated::Boolean(value)) => (value == wanted) == *equal,
            (Self::Number(comparison, wanted), Annotated::Number(value)) => comparison.holds(*value, *wanted),
            (Self::Text(comparison, wanted), Annotated::Text(value)) => comparison.holds(value, wanted),
            _ => false,
        }
    }
}
