//! The example in `up`: what happens to one customer, and the whole way of each event.

use std::time::Duration;

use anyhow::Context as _;
use contracts::{CustomerEnrolled, CustomerRenamed, DiscountGifted, PointsEarned};
use envelope::Event as _;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use xray::Trace;

use super::local_run::Addresses;
use crate::ingest_client::{Answer, IngestClient};
use crate::screen::Screen;
use crate::style::Style;
use crate::trace_view;
use crate::xray_client::XRay;

/// The customer of the example and of the commands to copy.
pub(super) const CUSTOMER: &str = "100000000001";
/// Time limit for the mail to be sent, the pass to be written and the trace to reach X-Ray.
const TIME_LIMIT: Duration = Duration::from_secs(20);
/// How long the discount is valid.
const VALID: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Sends one event after the other and draws the trace of each; draws none of the last.
///
/// # Errors
/// When an event is refused, or X-Ray cannot be queried.
pub(super) async fn run(
    ingest: &IngestClient,
    xray: &XRay,
    screen: &Screen,
    style: Style,
    addresses: &Addresses,
) -> anyhow::Result<()> {
    for (what, event) in story() {
        screen.text(format!("example: customer {CUSTOMER} {what}\n")).await;
        let (event_id, trace_id) = accepted(ingest.post(&event).await?)?;
        let text = drawn(xray, &event_id, &trace_id, style).await?;
        screen.text(text).await;
    }
    let renamed = event(CustomerRenamed::TYPE, &json!({"name": {"given": "Sam", "family": "Sample"}}));
    let (_, trace_id) = accepted(ingest.post(&renamed).await?)?;
    screen
        .text(format!(
            "example: customer {CUSTOMER} is renamed; draw it with: {} {trace_id}\n\
             example: all of it is on the customer's wallet pass; write it into a file with: {} {CUSTOMER}\n",
            addresses.command("trace"),
            addresses.command("pass"),
        ))
        .await;
    Ok(())
}

/// What happens to the customer, in words and as events. Each leads to a mail.
fn story() -> [(&'static str, Value); 3] {
    let enrolled = json!({
        "name": {"given": "Sam", "family": "Example"},
        "email": "sam@example.com",
        "channels": ["email", "app"],
        "locale": "en",
    });
    let gift = json!({
        "discount_id": "WELCOME-15",
        "value": {"percentage": 15},
        "valid_until": Timestamp::now().saturating_add(VALID).unwrap_or(Timestamp::MAX),
    });
    [
        ("enrols", event(CustomerEnrolled::TYPE, &enrolled)),
        ("earns 1,250 points and reaches Silver", event(PointsEarned::TYPE, &json!({"points": 1_250}))),
        ("is given a discount of 15%", event(DiscountGifted::TYPE, &gift)),
    ]
}

fn event(kind: &str, data: &Value) -> Value {
    json!({"type": kind, "customer_number": CUSTOMER, "data": data})
}

/// Waits for a trace and draws it.
async fn drawn(xray: &XRay, event_id: &str, trace_id: &str, style: Style) -> anyhow::Result<String> {
    let id = trace_id.parse().with_context(|| format!("ingest returned the trace id {trace_id}"))?;
    let trace = xray.wait_for(id, TIME_LIMIT, is_complete).await?;
    let trace =
        trace.with_context(|| format!("trace {trace_id} did not arrive in {} s", TIME_LIMIT.as_secs()))?;
    let mut text = format!("\nthe way of event {event_id}\n\n{}\n", trace_view::draw(&trace, style));
    if !is_complete(&trace) {
        let remark =
            format!("the trace is incomplete after {} s; see the log lines above\n\n", TIME_LIMIT.as_secs());
        text.push_str(&remark);
    }
    Ok(text)
}

fn accepted(answer: Answer) -> anyhow::Result<(String, String)> {
    match answer {
        Answer::Accepted { event_id, trace_id } => Ok((event_id, trace_id)),
        Answer::Refused(problem) => anyhow::bail!("ingest refused the event: {problem}"),
    }
}

/// Whether the mail was sent, the pass written, and everything on the way there has arrived.
///
/// The services are not counted: one that has no part in an enrolment never appears in this trace.
fn is_complete(trace: &Trace) -> bool {
    let has = |name| trace.nodes().any(|node| node.segment().name == name);
    trace_view::is_closed(trace) && has("SES") && has("S3")
}
