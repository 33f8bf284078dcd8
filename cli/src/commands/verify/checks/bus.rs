//! Puts entries with a trace header on the bus, and looks at the messages that arrive.

use anyhow::anyhow;
use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::error::SdkError;
use aws_sdk_eventbridge::operation::put_events::PutEventsError;
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use envelope::Event as _;
use serde_json::json;

use super::super::assumptions::{BUS_INVALID_HEADER, BUS_ROOT};
use super::super::bench::{Bench, mark};
use super::super::finding::{Finding, Verdict};
use super::super::inbox;
use super::super::scratch::{BUS, OverBus};
use super::header;
use crate::aws_failure::failed;

/// Not of the form `name=value`, so no lenient parser accepts it.
const INVALID: &str = "not a trace header";

pub(super) async fn check(bench: &Bench) -> Vec<Finding> {
    vec![
        Finding::from_result(BUS_ROOT, root(bench).await),
        Finding::from_result(BUS_INVALID_HEADER, invalid(bench).await),
    ]
}

async fn root(bench: &Bench) -> anyhow::Result<Finding> {
    let (mark, sent) = (mark(), header::any());
    put(bench, OverBus::TYPE, &mark, &sent.to_string())
        .await
        .map_err(|error| failed("PutEvents", error))?
        .map_err(|refused| anyhow!(refused))?;
    let mut taken = bench.inbox(BUS).await?.take(&[&mark], bench.wait).await?;
    let Some(message) = taken.remove(mark.as_str()) else {
        return Err(anyhow!(bench.too_late("the event did not arrive on the queue")));
    };
    let carried = header::carried(&sent, inbox::header(&message));
    Ok(Finding::new(BUS_ROOT, Verdict::of(carried.same_root), carried.seen))
}

async fn invalid(bench: &Bench) -> anyhow::Result<Finding> {
    let mark = mark();
    let refused = match put(bench, OverBus::TYPE, &mark, INVALID).await {
        Ok(Ok(())) => None,
        Ok(Err(refused)) => Some(refused),
        Err(error @ SdkError::ServiceError(_)) if !is_passing(&error) => {
            Some(failed("PutEvents", error).to_string())
        }
        Err(error) => return Err(failed("PutEvents", error)),
    };
    if let Some(refused) = refused {
        return Ok(Finding::does_not_hold(BUS_INVALID_HEADER, refused));
    }
    let mut taken = bench.inbox(BUS).await?.take(&[&mark], bench.wait).await?;
    let Some(message) = taken.remove(mark.as_str()) else {
        return Ok(Finding::does_not_hold(
            BUS_INVALID_HEADER,
            format!("PutEvents accepted it, but {}", bench.too_late("the event did not arrive on the queue")),
        ));
    };
    Ok(dropped(inbox::header(&message)))
}

fn dropped(arrived: Option<&str>) -> Finding {
    match arrived {
        None => Finding::holds(BUS_INVALID_HEADER, "the event arrived without AWSTraceHeader"),
        Some(INVALID) => Finding::does_not_hold(BUS_INVALID_HEADER, "the header was passed on unchanged"),
        Some(_) => Finding::holds(BUS_INVALID_HEADER, "the event arrived with another AWSTraceHeader"),
    }
}

/// Puts one event; the inner error is the reason why the entry was refused.
pub(super) async fn put(
    bench: &Bench,
    event_type: &str,
    mark: &str,
    trace_header: &str,
) -> Result<Result<(), String>, SdkError<PutEventsError>> {
    let entry = PutEventsRequestEntry::builder()
        .event_bus_name(&bench.name)
        .source(OverBus::SOURCE)
        .detail_type(event_type)
        .detail(json!({ "mark": mark }).to_string())
        .trace_header(trace_header)
        .build();
    let answer = Client::new(&bench.place.config).put_events().entries(entry).send().await?;
    let entry = answer.entries().first();
    Ok(match entry.and_then(|entry| entry.error_code()) {
        None => Ok(()),
        Some(code) => {
            let message = entry.and_then(|entry| entry.error_message()).unwrap_or("no reason given");
            Err(format!("PutEvents refused the entry: {code}: {message}"))
        }
    })
}

/// Whether the error is transient and says nothing about the entry.
fn is_passing(error: &SdkError<PutEventsError>) -> bool {
    error.raw_response().is_none_or(|response| response.status().is_server_error())
        || error.as_service_error().is_some_and(PutEventsError::is_internal_exception)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_that_arrived_was_not_dropped() {
        assert_eq!(dropped(None).verdict, Verdict::Holds);
        assert_eq!(dropped(Some(&header::any().to_string())).verdict, Verdict::Holds);
        assert_eq!(dropped(Some(INVALID)).verdict, Verdict::DoesNotHold);
    }
}
