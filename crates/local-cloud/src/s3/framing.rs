//! Bodies in chunks with trailers, as SDKs send those whose checksum they compute on the way
//! (<https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html>).

use bytes::{Bytes, BytesMut};
use http::header::CONTENT_ENCODING;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::error::AwsError;

const ENCODING: &str = "aws-chunked";

/// Takes the chunks of a body apart, if it has any. The trailers become headers, and the encoding on the way is removed
/// from `Content-Encoding`.
///
/// # Errors
/// If the chunks are malformed, or not as long as the request says.
pub(super) fn unframe(headers: &mut HeaderMap, body: Bytes) -> Result<Bytes, AwsError> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let encoding = text("content-encoding");
    let streams = text("x-amz-content-sha256").is_some_and(|hash| hash.starts_with("STREAMING-"));
    let kept: Vec<_> = encoding
        .iter()
        .flat_map(|encoding| encoding.split(','))
        .map(str::trim)
        .filter(|name| !name.eq_ignore_ascii_case(ENCODING) && !name.is_empty())
        .collect();
    let kept = kept.join(",");
    let is_chunked = encoding.as_ref().is_some_and(|encoding| encoding.contains(ENCODING));
    if !is_chunked && !streams {
        return Ok(body);
    }
    let announced = text("x-amz-decoded-content-length").and_then(|length| length.parse::<usize>().ok());
    let Some(announced) = announced else {
        return Err(AwsError::new(
            http::StatusCode::LENGTH_REQUIRED,
            "MissingContentLength",
            "You must provide the Content-Length HTTP header.",
        ));
    };
    match HeaderValue::from_str(&kept) {
        Ok(value) if !kept.is_empty() => headers.insert(CONTENT_ENCODING, value),
        _ => headers.remove(CONTENT_ENCODING),
    };
    let (content, trailers) = chunks(&body).ok_or_else(incomplete)?;
    if content.len() != announced {
        return Err(incomplete());
    }
    let expected = text_of(headers, "x-amz-trailer");
    for (name, value) in trailers {
        if expected.split(',').any(|expected| expected.trim().eq_ignore_ascii_case(name.as_str())) {
            headers.insert(name, value);
        }
    }
    let missing =
        expected.split(',').map(str::trim).find(|name| !name.is_empty() && !headers.contains_key(*name));
    match missing {
        None => Ok(content),
        Some(_) => Err(AwsError::bad_request(
            "MalformedTrailerError",
            "The request contained trailing data that was not well-formed or did not conform to our published schema.",
        )),
    }
}

fn text_of(headers: &HeaderMap, name: &str) -> String {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
}

fn incomplete() -> AwsError {
    let message = "You did not provide the number of bytes specified by the Content-Length HTTP header";
    AwsError::bad_request("IncompleteBody", message)
}

/// Returns the content and the trailers of `<hex length>[;chunk-signature=…]\r\n<bytes>\r\n…0\r\n<trailers>\r\n`.
fn chunks(body: &Bytes) -> Option<(Bytes, Vec<(HeaderName, HeaderValue)>)> {
    let mut content = BytesMut::new();
    let mut rest = body.clone();
    loop {
        let head = line(&mut rest)?;
        let head = std::str::from_utf8(&head).ok()?.to_owned();
        let length = head.split(';').next().unwrap_or_default().trim();
        let length = usize::from_str_radix(length, 16).ok()?;
        if length == 0 {
            return Some((content.freeze(), trailers(rest)));
        }
        if rest.len() < length {
            return None;
        }
        content.extend_from_slice(&rest.split_to(length));
        if !line(&mut rest)?.is_empty() {
            return None;
        }
    }
}

fn trailers(mut rest: Bytes) -> Vec<(HeaderName, HeaderValue)> {
    let mut trailers = Vec::new();
    while let Some(line) = line(&mut rest).filter(|line| !line.is_empty()) {
        let colon = line.iter().position(|byte| *byte == b':');
        let pair = colon.map(|colon| (&line[..colon], line[colon + 1..].trim_ascii()));
        if let Some((name, value)) = pair
            && let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value))
        {
            trailers.push((name, value));
        }
    }
    trailers
}

/// Takes a line with its line break away.
fn line(rest: &mut Bytes) -> Option<Bytes> {
    let end = rest.windows(2).position(|two| two == b"\r\n")?;
    let line = rest.split_to(end);
    drop(rest.split_to(2));
    Some(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framed(encoding: &'static str, length: &'static str) -> HeaderMap {
        HeaderMap::from_iter([
            (CONTENT_ENCODING, HeaderValue::from_static(encoding)),
            (HeaderName::from_static("x-amz-decoded-content-length"), HeaderValue::from_static(length)),
            (HeaderName::from_static("x-amz-trailer"), HeaderValue::from_static("x-amz-checksum-crc32")),
        ])
    }

    #[test]
    fn chunks_are_joined_and_trailers_become_headers() {
        let body = "3\r\nabc\r\n4;chunk-signature=0\r\nd\r\ne\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n";
        let mut headers = framed("gzip,aws-chunked", "7");
        assert_eq!(unframe(&mut headers, Bytes::from_static(body.as_bytes())).unwrap(), "abcd\r\ne");
        assert_eq!(headers[CONTENT_ENCODING], "gzip");
        assert_eq!(headers["x-amz-checksum-crc32"], "AAAAAA==");
    }

    #[test]
    fn malformed_chunks_are_refused() {
        for (body, code) in [
            ("3\r\nabc\r\n0\r\n\r\n", "IncompleteBody"),
            ("zz\r\nabc\r\n", "IncompleteBody"),
            ("ffffffff\r\nabc\r\n", "IncompleteBody"),
            ("", "IncompleteBody"),
            ("7\r\nabcdefg\r\n0\r\n\r\n", "MalformedTrailerError"),
            ("7\r\nabcdefg\r\n0\r\nother: x\r\n\r\n", "MalformedTrailerError"),
        ] {
            let refused = unframe(&mut framed("aws-chunked", "7"), Bytes::from(body)).unwrap_err();
            assert_eq!(refused.code, code, "{body:?}");
        }
    }
}
