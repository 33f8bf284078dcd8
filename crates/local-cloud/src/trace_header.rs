//! The X-Ray tracing header, as it is passed from one service to the next.

use http::HeaderMap;

/// Returns the header unchanged if it names one trace: AWS passes on fields it does not know, in their order. Anything else
/// is dropped without an error, as on AWS.
///
/// The format is the one AWS documents
/// (<https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader>), and is checked
/// here rather than by the parser of the services, so that each checks the other.
pub(crate) fn valid(header: &str) -> Option<String> {
    let mut roots = header.split(';').filter_map(|field| field.trim().strip_prefix("Root="));
    let root = roots.next()?;
    (is_trace_id(root) && roots.all(|other| other == root)).then(|| header.to_owned())
}

/// Whether a text is `1-{8 hexadecimal digits}-{24 hexadecimal digits}`, and not all zeros.
fn is_trace_id(text: &str) -> bool {
    let hexadecimal =
        |part: &str, digits| part.len() == digits && part.bytes().all(|byte| byte.is_ascii_hexdigit());
    match text.split('-').collect::<Vec<_>>()[..] {
        ["1", time, id] => {
            hexadecimal(time, 8)
                && hexadecimal(id, 24)
                && !(time.bytes().chain(id.bytes()).all(|byte| byte == b'0'))
        }
        _ => false,
    }
}

/// Returns the header of an HTTP request, which applies to messages without one.
pub(crate) fn of_http(headers: &HeaderMap) -> Option<String> {
    headers.get("x-amzn-trace-id")?.to_str().ok().and_then(valid)
}

/// Returns the message's own header if it is valid, otherwise the request's.
pub(crate) fn own_or(own: Option<&str>, of_request: Option<&String>) -> Option<String> {
    own.and_then(valid).or_else(|| of_request.cloned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";

    #[test]
    fn a_valid_header_is_unchanged() {
        let header = format!("Self=1-67891234-12456789abcdef012345678;{HEADER};Lineage=a:1");
        assert_eq!(valid(&header), Some(header));
    }

    #[test]
    fn malformed_headers_and_headers_without_a_trace_are_dropped() {
        assert_eq!(valid("malformed"), None);
        assert_eq!(valid("Root=1-2-3"), None);
        assert_eq!(valid("Sampled=1"), None);
        assert_eq!(valid(""), None);
    }

    #[test]
    fn the_messages_own_header_takes_precedence_and_an_invalid_one_counts_as_absent() {
        let request = Some(HEADER.to_owned());
        let own = HEADER.replace("5759e988", "5759e989");
        assert_eq!(own_or(Some(&own), request.as_ref()), Some(own));
        assert_eq!(own_or(Some("malformed"), request.as_ref()), request);
        assert_eq!(own_or(None, None), None);
    }
}
