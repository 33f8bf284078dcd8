//! Trace headers to send, and their comparison with what arrives.

use std::fmt::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use ::xray::{SamplingDecision, SegmentId, TraceHeader, TraceId};
use aws_sdk_sqs::config::http::HttpRequest;
use telemetry::context::XRAY_HEADER;

/// Returns a header with a new trace.
pub(super) fn any() -> TraceHeader {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let mut trace: [u8; 16] = rand::random();
    // X-Ray ids begin with the time, 32 bits of it.
    trace[..4].copy_from_slice(&u32::try_from(seconds).unwrap_or_default().to_be_bytes());
    let mut segment: [u8; 8] = rand::random();
    // An id of all zeros is invalid.
    segment[0] |= 1;
    TraceHeader {
        root: Some(TraceId::from_bytes(trace)),
        parent: Some(SegmentId::from_bytes(segment)),
        sampled: Some(SamplingDecision::Sampled),
        extra: Vec::new(),
    }
}

/// Puts the header on a request, before it is signed.
pub(super) fn put_on(request: &mut HttpRequest, header: &TraceHeader) {
    request.headers_mut().insert(XRAY_HEADER, header.to_string());
}

/// How a header arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Carried {
    /// It arrived with the same Root.
    pub(super) same_root: bool,
    /// It arrived unchanged.
    pub(super) unchanged: bool,
    /// A description of what arrived.
    pub(super) seen: String,
}

/// Compares the header that was sent with what arrived.
pub(super) fn carried(sent: &TraceHeader, arrived: Option<&str>) -> Carried {
    let lost = |seen: String| Carried { same_root: false, unchanged: false, seen };
    let Some(text) = arrived else { return lost("no AWSTraceHeader arrived".to_owned()) };
    let header: TraceHeader = match text.parse() {
        Ok(header) => header,
        Err(error) => return lost(format!("a malformed AWSTraceHeader arrived: {error}")),
    };
    if header.root != sent.root {
        return lost(format!("AWSTraceHeader of another trace: {text}"));
    }
    let mut seen = "same Root".to_owned();
    // Writing to a String cannot fail.
    _ = match (header.parent == sent.parent, header.parent, sent.parent) {
        (true, ..) => write!(seen, ", same Parent"),
        (false, Some(now), Some(before)) => write!(seen, ", Parent rewritten from {before} to {now}"),
        (false, None, _) => write!(seen, ", Parent left out"),
        (false, Some(now), None) => write!(seen, ", Parent {now} added"),
    };
    if header.sampled != sent.sampled {
        let now = header.sampled.map_or_else(|| "left out".to_owned(), |sampled| format!("now {sampled}"));
        _ = write!(seen, ", Sampled {now}");
    }
    for (name, _) in &header.extra {
        _ = write!(seen, ", {name} added");
    }
    Carried { same_root: true, unchanged: header == *sent, seen }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SENT: &str = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";

    fn seen(arrived: Option<&str>) -> (bool, bool, String) {
        let Carried { same_root, unchanged, seen } = carried(&SENT.parse().unwrap(), arrived);
        (same_root, unchanged, seen)
    }

    #[test]
    fn differences_are_described() {
        assert_eq!(seen(Some(SENT)), (true, true, "same Root, same Parent".into()));
        assert_eq!(seen(None), (false, false, "no AWSTraceHeader arrived".into()));
        let rewritten =
            "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=63995c3f42cd8ad8;Sampled=0;Lineage=1:a:0";
        let expected = "same Root, Parent rewritten from 53995c3f42cd8ad8 to 63995c3f42cd8ad8, Sampled now 0, \
                        Lineage added";
        assert_eq!(seen(Some(rewritten)), (true, false, expected.into()));
        let root_only = "Root=1-5759e988-bd862e3fe1be46a994272793";
        assert_eq!(
            seen(Some(root_only)),
            (true, false, "same Root, Parent left out, Sampled left out".into())
        );
        let (same_root, _, text) = seen(Some("Root=1-6759e988-bd862e3fe1be46a994272793;Sampled=1"));
        assert!(!same_root && text.starts_with("AWSTraceHeader of another trace: Root=1-67"), "{text}");
        assert!(!seen(Some("rubbish")).0);
    }

    #[test]
    fn each_header_is_valid_and_new() {
        let header = any();
        assert_ne!(header, any());
        assert_eq!(header.to_string().parse(), Ok(header));
    }
}
