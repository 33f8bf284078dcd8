//! The parts of a request as texts: its query string and its headers.

use form_urlencoded::parse;
use http::{HeaderMap, HeaderValue, Uri};

/// Returns the pairs of a query string.
pub(crate) fn query(uri: &Uri) -> Vec<(String, String)> {
    parse(uri.query().unwrap_or_default().as_bytes()).into_owned().collect()
}

/// Returns the headers that are texts.
pub(crate) fn texts(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |value: &HeaderValue| std::str::from_utf8(value.as_bytes()).ok().map(str::to_owned);
    headers.iter().filter_map(|(name, value)| Some((name.as_str().to_owned(), text(value)?))).collect()
}
