//! The tags of a mail by which an event about it continues the chain and the trace of the event that caused the mail.
//!
//! A mail provider repeats a mail's tags in its events, and nothing else of ours: no envelope and no trace header. A tag's
//! value has letters, digits, hyphens and underscores
//! ([`MessageTag`](https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_MessageTag.html)), so a tracing header takes
//! three.
//!
//! ```
//! let at = "2026-03-01T12:00:00Z".parse()?;
//! let cause = envelope::Metadata::first(uuid::Uuid::new_v4(), at, at);
//! let tags = envelope::mail::tags(
//!     &cause,
//!     Some("Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"),
//! );
//! assert_eq!(tags[2], ("trace_id", "1-5759e988-bd862e3fe1be46a994272793".to_owned()));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use crate::Metadata;

/// The id of the event that started the chain.
pub const CORRELATION_ID: &str = "correlation_id";
/// The id of the event that the mail is about, which becomes the `causation_id` of an event about the mail.
pub const EVENT_ID: &str = "event_id";
/// `Root` of the tracing header.
pub const TRACE_ID: &str = "trace_id";
/// `Parent` of the tracing header.
pub const PARENT_ID: &str = "parent_id";
/// `Sampled` of the tracing header.
pub const SAMPLED: &str = "sampled";
/// All of them.
pub const TAGS: [&str; 5] = [CORRELATION_ID, EVENT_ID, TRACE_ID, PARENT_ID, SAMPLED];

/// The value of a tag without a trace: an event about the mail then starts one.
const NONE: &str = "none";

/// Returns the tags of a mail that `metadata`'s event leads to; `header` is the tracing header of the span that sends it.
#[must_use]
pub fn tags(metadata: &Metadata, header: Option<&str>) -> [(&'static str, String); 5] {
    let field = |name: &str| {
        let mut fields = header.into_iter().flat_map(|header| header.split(';'));
        let value = fields.find_map(|field| field.trim().strip_prefix(name)?.strip_prefix('='));
        value.unwrap_or(NONE).to_owned()
    };
    [
        (CORRELATION_ID, metadata.correlation_id.to_string()),
        (EVENT_ID, metadata.causation_id.unwrap_or(metadata.event_id).to_string()),
        (TRACE_ID, field("Root")),
        (PARENT_ID, field("Parent")),
        (SAMPLED, field("Sampled")),
    ]
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn values(header: Option<&str>) -> Vec<String> {
        let at = "2026-03-01T12:00:00Z".parse().unwrap();
        let first = Metadata::first(Uuid::from_u128(1), at, at);
        let request = Metadata::caused_by(&first, Uuid::from_u128(2), at, at);
        tags(&request, header).into_iter().map(|(_, value)| value).collect()
    }

    #[test]
    fn a_header_becomes_three_tags() {
        let header = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=0;Lineage=a:1";
        let id = Uuid::from_u128(1).to_string();
        assert_eq!(
            values(Some(header)),
            [&id, &id, "1-5759e988-bd862e3fe1be46a994272793", "53995c3f42cd8ad8", "0"]
        );
    }

    #[test]
    fn every_tag_has_a_value_without_a_trace() {
        assert_eq!(values(None)[2..], ["none", "none", "none"]);
    }
}
