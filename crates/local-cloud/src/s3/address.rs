//! Where a request names its bucket: in the path, or in front of the host name.

use std::borrow::Cow;

use http::header::HOST;
use http::request::Parts;

/// The domain that every system resolves to itself, with all names below it (RFC 6761).
const OWN_DOMAIN: &str = ".localhost";

/// Returns the path with the bucket in it, whichever way the request names it.
pub(crate) fn path(parts: &Parts) -> Cow<'_, str> {
    let path = parts.uri.path();
    let host = parts.headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    match name.strip_suffix(OWN_DOMAIN).filter(|bucket| !bucket.is_empty() && *bucket != "s3") {
        Some(bucket) => Cow::Owned(format!("/{}{path}", bucket.strip_suffix(".s3").unwrap_or(bucket))),
        None => Cow::Borrowed(path),
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    #[test]
    fn the_bucket_is_in_the_path_or_in_the_host_name() {
        for (host, expected) in [
            ("127.0.0.1:4566", "/a/b"),
            ("localhost:4566", "/a/b"),
            ("s3.localhost:4566", "/a/b"),
            ("my.bucket.localhost:4566", "/my.bucket/a/b"),
            ("bucket.s3.localhost", "/bucket/a/b"),
        ] {
            let (parts, ()) =
                Request::builder().uri("/a/b").header(HOST, host).body(()).unwrap().into_parts();
            assert_eq!(path(&parts), expected, "{host}");
        }
    }
}
