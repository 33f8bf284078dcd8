//! The description of the interface.

use http::header::CONTENT_TYPE;

/// The `OpenAPI` 3.1 document. Written by hand; a test holds it against what the service does.
pub(crate) const DOCUMENT: &str = include_str!("openapi.json");

/// `GET /openapi.json`.
pub(crate) async fn get() -> ([(http::HeaderName, &'static str); 1], &'static str) {
    ([(CONTENT_TYPE, "application/json")], DOCUMENT)
}
