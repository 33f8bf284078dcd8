//! Reads the facts from the documents of a trace.

use std::collections::HashMap;
use std::sync::Arc;

use xray::{Annotations, Cause, HttpRequest, Node, Segment, SegmentId, Trace};

use super::causes;
use super::measure::{outcome, response_time, rounded};
use super::service::{ServiceId, is_call, is_inferred, is_message};
use super::{Annotated, CallFacts, Facts, HttpFacts, SegmentFacts};

impl Facts {
    /// Reads the facts of a trace.
    #[must_use]
    pub fn of(trace: &Trace) -> Self {
        let mut facts = Self { start: trace.start_time(), duration: trace.duration(), ..Self::default() };
        // The place among the segments of what each document stands for.
        let mut places = HashMap::new();
        for (_, node) in trace.walk() {
            if stands_alone(node) {
                places.insert(node.segment().id, facts.segments.len());
                facts.segments.push(segment(node));
            }
        }
        // A subsegment says something about the segment it is part of.
        for node in trace.nodes().filter(|node| node.is_subsegment()) {
            if let Some(&place) = places.get(&node.service().segment().id) {
                facts.segments[place].add_part(node.segment());
            }
        }
        for (_, node) in trace.walk() {
            facts.calls.extend(call(node, &places));
        }
        facts.drop_unindexed(trace);
        facts.throttle = trace.nodes().any(|node| node.segment().throttle == Some(true));
        facts.partial = trace.nodes().any(|node| node.segment().is_in_progress());
        facts.entry = trace.entry().and_then(|entry| places.get(&entry.segment().id).copied());
        facts.fault_causes = causes::of_failure(trace, |segment| segment.fault == Some(true));
        facts.error_causes = causes::of_failure(trace, |segment| segment.error == Some(true));
        facts.response_time_causes = causes::of_response_time(trace).into_iter().collect();
        facts
    }

    /// Drops the annotations that X-Ray does not index.
    fn drop_unindexed(&mut self, trace: &Trace) {
        let mut indexed = Annotations::default();
        let left_out = trace.nodes().filter(|node| indexed.add(node.segment()).is_some()).count();
        if left_out == 0 {
            return;
        }
        let of_segments = self.segments.iter_mut().map(|segment| &mut segment.annotations);
        for annotations in of_segments.chain(self.calls.iter_mut().map(|call| &mut call.annotations)) {
            annotations.retain(|(key, _)| !indexed.values(key).is_empty());
        }
    }
}

/// Whether a document is a segment, the whole of a broken trace, or a call to a service that sent no segment.
fn stands_alone(node: Node<'_>) -> bool {
    !node.is_subsegment() || node.parent().is_none() || (is_call(node) && is_inferred(node))
}

fn segment(node: Node<'_>) -> SegmentFacts {
    let segment = node.segment();
    let inferred = node.is_subsegment();
    let service = if is_call(node) { ServiceId::of_call(segment) } else { ServiceId::of_segment(segment) };
    let aws = segment.aws.as_ref();
    let ec2 = aws.and_then(|aws| aws.ec2.as_ref());
    let ecs = aws.and_then(|aws| aws.ecs.as_ref());
    let zone = ecs.and_then(|ecs| ecs.availability_zone.as_ref());
    let mut facts = SegmentFacts {
        service,
        inferred,
        start: segment.start_time,
        end: segment.end_time,
        outcome: outcome(segment),
        response_time: response_time(segment),
        http: http(segment),
        user: shared(segment.user.as_ref()),
        availability_zone: shared(zone.or_else(|| ec2?.availability_zone.as_ref())),
        instance_id: shared(ec2.and_then(|ec2| ec2.instance_id.as_ref())),
        resource_arn: shared(segment.resource_arn.as_ref()),
        ..SegmentFacts::default()
    };
    facts.add_part(segment);
    facts
}

impl SegmentFacts {
    fn add_part(&mut self, part: &Segment) {
        self.annotations.extend(annotations(part));
        self.messages.extend(messages(part));
    }
}

/// Returns the call by which a service reached another one.
fn call(node: Node<'_>, places: &HashMap<SegmentId, usize>) -> Option<CallFacts> {
    let segment = node.segment();
    let destination = *places.get(&segment.id)?;
    let parent = node.parent()?;
    let message = is_call(parent) && is_message(parent.segment());
    let caller = if message { parent } else { parent.service() };
    let source = *places.get(&caller.segment().id)?;
    // The edge always shows what the caller saw: its subsegment, if it made one.
    let seen = if is_call(parent) && !message { parent.segment() } else { segment };
    // A sender does not wait for the receiver, even if the message arrives before the sending call returns.
    let link = !node.is_subsegment() && (message || !is_within(segment, parent.segment()));
    let response_time = if link {
        parent.segment().end_time.map(|sent| rounded((segment.start_time - sent).max(0.0)))
    } else {
        response_time(seen)
    };
    Some(CallFacts {
        source,
        destination,
        link,
        start: seen.start_time,
        end: seen.end_time,
        outcome: outcome(seen),
        response_time,
        http: http(seen),
        annotations: annotations(seen).collect(),
        messages: messages(seen).collect(),
    })
}

/// Whether the caller waited: what it called had begun before the call ended.
fn is_within(part: &Segment, whole: &Segment) -> bool {
    whole.end_time.is_none_or(|end| part.start_time < end)
}

fn http(segment: &Segment) -> HttpFacts {
    let Some(http) = &segment.http else { return HttpFacts::default() };
    let text = |text: fn(&HttpRequest) -> Option<&String>| shared(http.request.as_ref().and_then(text));
    HttpFacts {
        url: text(|request| request.url.as_ref()),
        method: text(|request| request.method.as_ref()),
        user_agent: text(|request| request.user_agent.as_ref()),
        client_ip: text(|request| request.client_ip.as_ref()),
        status: http.response.as_ref().and_then(|response| response.status),
    }
}

fn annotations(segment: &Segment) -> impl Iterator<Item = (Arc<str>, Annotated)> {
    segment.annotations.iter().map(|(key, value)| (key.as_str().into(), value.into()))
}

fn shared(text: Option<&String>) -> Option<Arc<str>> {
    text.map(|text| text.as_str().into())
}

fn messages(segment: &Segment) -> impl Iterator<Item = Arc<str>> {
    let detail = match &segment.cause {
        Some(Cause::Detail(detail)) => Some(detail),
        Some(Cause::Exception(_)) | None => None,
    };
    detail
        .into_iter()
        .flat_map(|detail| &detail.exceptions)
        .filter_map(|exception| shared(exception.message.as_ref()))
}
