//! What a summary says of requests and users.

use aws_sdk_xray::types::TraceSummary;
use xray_engine::Text;

/// Iterates over the values of `http.…` and `user`, each with its keyword.
pub(crate) fn of_request(trace: &TraceSummary) -> impl Iterator<Item = (Text, &str)> {
    let http = trace.http();
    let request = [
        (Text::HttpMethod, http.and_then(|http| http.http_method())),
        (Text::HttpUrl, http.and_then(|http| http.http_url())),
        (Text::HttpUserAgent, http.and_then(|http| http.user_agent())),
        (Text::HttpClientIp, http.and_then(|http| http.client_ip())),
    ];
    let users = trace.users().iter().map(|user| (Text::User, user.user_name()));
    request.into_iter().chain(users).filter_map(|(text, value)| Some((text, value?)))
}
