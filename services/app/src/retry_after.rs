//! The header `Retry-After`.

use std::time::Duration;

use http::HeaderMap;
use http::header::RETRY_AFTER;
use jiff::Timestamp;
use jiff::fmt::rfc2822;

/// The longest time that is honoured: an endpoint that asks for more is tried again earlier, and may repeat its answer.
const LONGEST: Duration = Duration::from_hours(10);

/// Returns how long to wait before the request is repeated: seconds, or until a date
/// ([RFC 9110, 10.2.3](https://www.rfc-editor.org/rfc/rfc9110#name-retry-after)). Anything else counts as absent.
pub(crate) fn read(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        Duration::from_secs(text.parse().unwrap_or(u64::MAX))
    } else {
        let date = rfc2822::parse(text).ok()?.timestamp();
        date.duration_since(now).try_into().unwrap_or(Duration::ZERO)
    };
    Some(wait.min(LONGEST))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(text: &str) -> Option<u64> {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, text.parse().unwrap());
        read(&headers, "2026-11-06T08:49:37Z".parse().unwrap()).map(|wait| wait.as_secs())
    }

    #[test]
    fn it_is_seconds_or_a_date_and_bounded() {
        for (text, expected) in [
            ("120", Some(120)),
            (" 0 ", Some(0)),
            ("Fri, 06 Nov 2026 08:51:37 GMT", Some(120)),
            ("Fri, 06 Nov 2026 08:00:00 GMT", Some(0)),
            ("Sun, 06 Nov 2033 08:49:37 GMT", Some(36_000)),
            ("99999999999999999999999", Some(36_000)),
            ("86400", Some(36_000)),
            ("", None),
            ("soon", None),
            ("-5", None),
            ("1.5", None),
        ] {
            assert_eq!(seconds(text), expected, "{text:?}");
        }
        assert_eq!(read(&HeaderMap::new(), Timestamp::UNIX_EPOCH), None);
    }
}
