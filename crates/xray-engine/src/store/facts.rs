//! The facts of a trace as bytes.

use std::sync::Arc;

use super::codec::{Sink, Source};
use crate::facts::{
    Annotated, CallFacts, CauseEntity, CauseService, Facts, HttpFacts, Outcome, RootCause, SegmentFacts,
    ServiceId,
};

/// Writes facts.
pub(super) fn write(sink: &mut Sink, facts: &Facts) {
    optional(sink, facts.start.as_ref(), |sink, start| sink.float(*start));
    optional(sink, facts.duration.as_ref(), |sink, duration| sink.float(*duration));
    optional(sink, facts.entry.as_ref(), |sink, entry| sink.length(*entry));
    sink.byte(u8::from(facts.throttle) | u8::from(facts.partial) << 1);
    sink.list(&facts.segments, segment);
    sink.list(&facts.calls, call);
    for causes in [&facts.fault_causes, &facts.error_causes, &facts.response_time_causes] {
        sink.list(causes, root_cause);
    }
}

/// Reads facts; `None` if these are none.
pub(super) fn read_whole(source: &mut Source<'_>) -> Option<Facts> {
    let mut facts = read(source)?;
    read_causes(source, &mut facts)?;
    Some(facts)
}

/// Reads facts without the root causes, which come after them.
pub(super) fn read(source: &mut Source<'_>) -> Option<Facts> {
    let start = read_optional(source, Source::float)?;
    let duration = read_optional(source, Source::float)?;
    let entry = read_optional(source, Source::length)?;
    let flags = source.byte()?;
    let segments = source.list(read_segment)?;
    let calls = source.list(read_call)?;
    let known = |place: usize| place < segments.len();
    if !entry.is_none_or(known) || !calls.iter().all(|call| known(call.source) && known(call.destination)) {
        return None;
    }
    let (throttle, partial) = (flags & 1 != 0, flags & 2 != 0);
    Some(Facts { start, duration, entry, throttle, partial, segments, calls, ..Facts::default() })
}

/// Reads the root causes.
pub(super) fn read_causes(source: &mut Source<'_>, facts: &mut Facts) -> Option<()> {
    facts.fault_causes = source.list(read_root_cause)?;
    facts.error_causes = source.list(read_root_cause)?;
    facts.response_time_causes = source.list(read_root_cause)?;
    Some(())
}

fn segment(sink: &mut Sink, segment: &SegmentFacts) {
    service(sink, &segment.service);
    sink.byte(u8::from(segment.inferred));
    request(sink, segment.start, segment.end, segment.outcome, segment.response_time, &segment.http);
    for text in [&segment.user, &segment.availability_zone, &segment.instance_id, &segment.resource_arn] {
        optional(sink, text.as_ref(), Sink::string);
    }
    sink.list(&segment.annotations, annotation);
    sink.list(&segment.messages, Sink::string);
}

fn read_segment(source: &mut Source<'_>) -> Option<SegmentFacts> {
    let service = read_service(source)?;
    let inferred = source.byte()? != 0;
    let (start, end, outcome, response_time, http) = read_request(source)?;
    Some(SegmentFacts {
        service,
        inferred,
        start,
        end,
        outcome,
        response_time,
        http,
        user: read_optional(source, Source::string)?,
        availability_zone: read_optional(source, Source::string)?,
        instance_id: read_optional(source, Source::string)?,
        resource_arn: read_optional(source, Source::string)?,
        annotations: source.list(read_annotation)?,
        messages: source.list(Source::string)?,
    })
}

fn call(sink: &mut Sink, call: &CallFacts) {
    sink.length(call.source);
    sink.length(call.destination);
    sink.byte(u8::from(call.link));
    request(sink, call.start, call.end, call.outcome, call.response_time, &call.http);
    sink.list(&call.annotations, annotation);
    sink.list(&call.messages, Sink::string);
}

fn read_call(source: &mut Source<'_>) -> Option<CallFacts> {
    let (from, to) = (source.length()?, source.length()?);
    let link = source.byte()? != 0;
    let (start, end, outcome, response_time, http) = read_request(source)?;
    Some(CallFacts {
        source: from,
        destination: to,
        link,
        start,
        end,
        outcome,
        response_time,
        http,
        annotations: source.list(read_annotation)?,
        messages: source.list(Source::string)?,
    })
}

/// Writes what segments and calls have in common.
fn request(
    sink: &mut Sink,
    start: f64,
    end: Option<f64>,
    outcome: Outcome,
    response_time: Option<f64>,
    http: &HttpFacts,
) {
    sink.float(start);
    optional(sink, end.as_ref(), |sink, end| sink.float(*end));
    let Outcome { ok, error, throttle, fault, partial } = outcome;
    let flags = [ok, error, throttle, fault, partial];
    sink.byte(flags.iter().rev().fold(0, |byte, flag| byte << 1 | u8::from(*flag)));
    optional(sink, response_time.as_ref(), |sink, time| sink.float(*time));
    // Most have none of it.
    sink.byte(u8::from(*http != HttpFacts::default()));
    if *http != HttpFacts::default() {
        for text in [&http.url, &http.method, &http.user_agent, &http.client_ip] {
            optional(sink, text.as_ref(), Sink::string);
        }
        optional(sink, http.status.as_ref(), |sink, status| sink.number(status.cast_unsigned()));
    }
}

type Request = (f64, Option<f64>, Outcome, Option<f64>, HttpFacts);

fn read_request(source: &mut Source<'_>) -> Option<Request> {
    let start = source.float()?;
    let end = read_optional(source, Source::float)?;
    let flags = source.byte()?;
    let is = |place: u8| flags >> place & 1 != 0;
    let outcome = Outcome { ok: is(0), error: is(1), throttle: is(2), fault: is(3), partial: is(4) };
    let response_time = read_optional(source, Source::float)?;
    let http = if source.byte()? == 0 {
        HttpFacts::default()
    } else {
        HttpFacts {
            url: read_optional(source, Source::string)?,
            method: read_optional(source, Source::string)?,
            user_agent: read_optional(source, Source::string)?,
            client_ip: read_optional(source, Source::string)?,
            status: read_optional(source, Source::number)?.map(u64::cast_signed),
        }
    };
    Some((start, end, outcome, response_time, http))
}

fn service(sink: &mut Sink, service: &ServiceId) {
    sink.string(&service.name);
    optional(sink, service.kind.as_ref(), Sink::string);
    optional(sink, service.account_id.as_ref(), Sink::string);
}

fn read_service(source: &mut Source<'_>) -> Option<ServiceId> {
    Some(ServiceId {
        name: source.string()?,
        kind: read_optional(source, Source::string)?,
        account_id: read_optional(source, Source::string)?,
    })
}

fn annotation(sink: &mut Sink, (key, value): &(Arc<str>, Annotated)) {
    sink.string(key);
    match value {
        Annotated::Boolean(value) => sink.byte(u8::from(*value)),
        Annotated::Number(value) => {
            sink.byte(2);
            sink.float(*value);
        }
        Annotated::Text(value) => {
            sink.byte(3);
            sink.string(value);
        }
    }
}

fn read_annotation(source: &mut Source<'_>) -> Option<(Arc<str>, Annotated)> {
    let key = source.string()?;
    let value = match source.byte()? {
        flag @ 0..=1 => Annotated::Boolean(flag == 1),
        2 => Annotated::Number(source.float()?),
        3 => Annotated::Text(source.string()?),
        _ => return None,
    };
    Some((key, value))
}

fn root_cause(sink: &mut Sink, cause: &RootCause) {
    sink.byte(u8::from(cause.client_impacting));
    sink.list(&cause.services, |sink, cause| {
        service(sink, &cause.service);
        sink.byte(u8::from(cause.inferred));
        sink.list(&cause.path, entity);
    });
}

fn read_root_cause(source: &mut Source<'_>) -> Option<RootCause> {
    let client_impacting = source.byte()? != 0;
    let services = source.list(|source| {
        Some(CauseService {
            service: read_service(source)?,
            inferred: source.byte()? != 0,
            path: source.list(read_entity)?,
        })
    })?;
    Some(RootCause { services, client_impacting })
}

fn entity(sink: &mut Sink, entity: &CauseEntity) {
    sink.string(&entity.name);
    sink.byte(u8::from(entity.remote));
    optional(sink, entity.coverage.as_ref(), |sink, coverage| sink.float(*coverage));
    sink.list(&entity.exceptions, |sink, (name, message)| {
        sink.string(name);
        sink.string(message);
    });
}

fn read_entity(source: &mut Source<'_>) -> Option<CauseEntity> {
    Some(CauseEntity {
        name: source.string()?,
        remote: source.byte()? != 0,
        coverage: read_optional(source, Source::float)?,
        exceptions: source.list(|source| Some((source.string()?, source.string()?)))?,
    })
}

fn optional<T>(sink: &mut Sink, value: Option<&T>, write: impl FnOnce(&mut Sink, &T)) {
    sink.byte(u8::from(value.is_some()));
    if let Some(value) = value {
        write(sink, value);
    }
}

/// Reads a value that may be absent; the outer `None` says that the bytes are wrong.
#[expect(clippy::option_option, reason = "absent is not unreadable")]
fn read_optional<'a, T>(
    source: &mut Source<'a>,
    read: impl FnOnce(&mut Source<'a>) -> Option<T>,
) -> Option<Option<T>> {
    match source.byte()? {
        0 => Some(None),
        _ => read(source).map(Some),
    }
}
