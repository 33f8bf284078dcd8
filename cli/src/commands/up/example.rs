//! The example in `up`: a customer enrols, and the event's whole way is drawn.

use std::time::Duration;

use anyhow::Context as _;
use contracts::{CustomerEnrolled, CustomerRenamed};
use envelope::Event as _;
use serde_json::json;
use xray::Trace;

use crate::ingest_client::{Answer, IngestClient};
use crate::screen::Screen;
use crate::style::Style;
use crate::trace_view;
use crate::xray_client::XRay;

/// The customer of the example and of the commands to copy.
pub(super) const CUSTOMER: &str = "100000000001";
/// Time limit for the mail to be sent and the trace to reach X-Ray.
const TIME_LIMIT: Duration = Duration::from_secs(20);

/// Enrols the example customer, draws the trace, and renames the customer.
///
/// # Errors
/// When an event is refused, or X-Ray cannot be queried.
pub(super) async fn run(
    ingest: &IngestClient,
    xray: &XRay,
    screen: &Screen,
    style: Style,
    trace_command: &str,
) -> anyhow::Result<()> {
    let enrolled = json!({
        "type": CustomerEnrolled::TYPE,
        "customer_number": CUSTOMER,
        "data": {
            "name": {"given": "Sam", "family": "Example"},
            "email": "sam@example.com",
            "channels": ["email"],
            "locale": "en",
        },
    });
    screen.text(format!("example: customer {CUSTOMER} enrols\n")).await;
    let (event_id, trace_id) = accepted(ingest.post(&enrolled).await?)?;
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
    screen.text(text).await;

    let renamed = json!({
        "type": CustomerRenamed::TYPE,
        "customer_number": CUSTOMER,
        "data": {"name": {"given": "Sam", "family": "Sample"}},
    });
    let (_, trace_id) = accepted(ingest.post(&renamed).await?)?;
    screen
        .text(format!("example: customer {CUSTOMER} is renamed; draw it with: {trace_command} {trace_id}\n"))
        .await;
    Ok(())
}

fn accepted(answer: Answer) -> anyhow::Result<(String, String)> {
    match answer {
        Answer::Accepted { event_id, trace_id } => Ok((event_id, trace_id)),
        Answer::Refused(problem) => anyhow::bail!("ingest refused the event: {problem}"),
    }
}

/// Whether the mail was sent and everything on the way there has arrived.
///
/// The services are not counted: one that has no part in an enrolment never appears in this trace.
fn is_complete(trace: &Trace) -> bool {
    trace_view::is_closed(trace) && trace.nodes().any(|node| node.segment().name == "SES")
}
