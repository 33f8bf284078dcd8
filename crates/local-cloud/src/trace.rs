//! The X-Ray tracing header as it is carried from one service to the next.

use http::HeaderMap;

/// The header as `Some` if it is one, in the words it came in: AWS passes unknown fields and their order on. Anything
/// else is dropped without an error, as AWS does.
pub(crate) fn valid(header: &str) -> Option<String> {
    let parsed: xray::TraceHeader = header.parse().ok()?;
    parsed.root.is_some().then(|| header.to_owned())
}

/// The header of an HTTP request, which serves messages that have none of their own.
pub(crate) fn of_http(headers: &HeaderMap) -> Option<String> {
    headers.get("x-amzn-trace-id")?.to_str().ok().and_then(valid)
}

/// A message's own header if it is valid, else the request's.
pub(crate) fn own_or(own: Option<&str>, of_request: Option<&String>) -> Option<String> {
    own.and_then(valid).or_else(|| of_request.cloned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";

    #[test]
    fn keeps_the_words_of_a_valid_header() {
        let header = format!("Self=1-67891234-12456789abcdef012345678;{HEADER};Lineage=a:1");
        assert_eq!(valid(&header), Some(header));
    }

    #[test]
    fn drops_rubbish_and_headers_without_a_trace() {
        assert_eq!(valid("rubbish"), None);
        assert_eq!(valid("Root=1-2-3"), None);
        assert_eq!(valid("Sampled=1"), None);
        assert_eq!(valid(""), None);
    }

    #[test]
    fn own_header_wins_and_an_invalid_one_counts_as_none() {
        let request = Some(HEADER.to_owned());
        let own = HEADER.replace("5759e988", "5759e989");
        assert_eq!(own_or(Some(&own), request.as_ref()), Some(own));
        assert_eq!(own_or(Some("rubbish"), request.as_ref()), request);
        assert_eq!(own_or(None, None), None);
    }
}
