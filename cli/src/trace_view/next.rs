//! What happens next to a message that was not handled.

use std::time::Duration;

use telemetry::attributes;
use xray::{Node, Segment, Trace};

use super::deliveries::{attribute, is_followed};

/// Returns when the message of a segment is tried again, or which dead-letter queue it is on. `now` is in seconds since
/// the epoch.
pub(super) fn next(trace: &Trace, node: Node<'_>, now: f64) -> Option<String> {
    let segment = node.segment();
    match segment.annotations.get(attributes::OUTCOME)?.to_string().as_str() {
        "retry" if !is_followed(trace, segment) => due(segment, now),
        "dead-letter" => node.children().find_map(queue).map(|queue| format!("on {queue}")),
        _ => None,
    }
}

fn due(segment: &Segment, now: f64) -> Option<String> {
    let delay_ms = attribute(segment, attributes::RETRY_DELAY_MS)?.as_u64()?;
    let due = segment.end_time? + Duration::from_millis(delay_ms).as_secs_f64();
    let seconds = due - now;
    Some(if seconds > 0.0 {
        format!("due in {:.0} s", seconds.ceil())
    } else {
        format!("due since {:.0} s", -seconds)
    })
}

/// Returns the queue to which a call sent a message.
fn queue(call: Node<'_>) -> Option<&str> {
    let aws = call.segment().aws.as_ref()?;
    aws.operation.as_deref().filter(|operation| *operation == "SendMessage")?;
    aws.queue_url.as_deref()?.rsplit('/').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "1-5759e988-bd862e3fe1be46a994272793";

    /// A segment of a service that handled the message `m-1`.
    fn segment(id: u8, start: u32, annotations: &str, metadata: &str) -> String {
        format!(
            r#"{{"name":"email","id":"00000000000000b{id}","trace_id":"{TRACE}","start_time":{start}.0,
                "end_time":{start}.5,"annotations":{{{annotations}}},
                "metadata":{{"default":{{"messaging.message.id":"m-1"{metadata}}}}}}}"#
        )
    }

    fn what_is_next(documents: &[&str], now: f64) -> Vec<Option<String>> {
        let trace = Trace::read(TRACE.parse().unwrap(), documents.iter().copied()).unwrap();
        trace.walk().map(|(_, node)| next(&trace, node, now)).collect()
    }

    #[test]
    fn a_retry_is_due_until_there_is_one() {
        let first = segment(1, 1000, r#""outcome":"retry""#, r#","retry.delay_ms":40000"#);
        assert_eq!(what_is_next(&[&first], 1000.5), [Some("due in 40 s".to_owned())]);
        assert_eq!(what_is_next(&[&first], 1050.5), [Some("due since 10 s".to_owned())]);
        let second = segment(2, 1041, r#""outcome":"sent","attempt":2"#, "");
        assert_eq!(what_is_next(&[&first, &second], 1050.5), [None, None]);
    }

    #[test]
    fn a_dead_letter_is_on_its_queue() {
        let process = segment(1, 1000, r#""outcome":"dead-letter""#, "");
        let send = format!(
            r#"{{"name":"SQS","id":"00000000000000c1","parent_id":"00000000000000b1","type":"subsegment",
                "trace_id":"{TRACE}","start_time":1000.1,"end_time":1000.2,"namespace":"aws",
                "aws":{{"operation":"SendMessage",
                        "queue_url":"http://127.0.0.1:4566/000000000000/foostore-local-email-dead-letter"}}}}"#
        );
        let queue = Some("on foostore-local-email-dead-letter".to_owned());
        assert_eq!(what_is_next(&[&process, &send], 1001.0), [queue, None]);
    }
}
