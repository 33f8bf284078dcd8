//! The bucket: where objects are stored, once each, under a name of their own.

use std::io::Write as _;

use aws_clients::{AwsError, SharedCall, service};
use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest as _, Sha256};
use telemetry::context;
use tracing::Span;

/// The metadata of an object that says how many events are in it.
const EVENTS: &str = "events";

/// An object before it is stored.
#[derive(Debug)]
pub(crate) struct Object {
    pub(crate) key: String,
    pub(crate) body: Vec<u8>,
    /// The spans of the messages whose events are in it.
    pub(crate) spans: Vec<Span>,
}

/// Where objects are stored.
pub(crate) trait Store: Send + Sync + 'static {
    /// Stores an object.
    fn store(&self, object: Object) -> impl Future<Output = Result<(), AwsError>> + Send;
}

/// The bucket of the archive.
#[derive(Clone, Debug)]
pub(crate) struct EventArchive {
    client: Client,
    bucket: String,
}

impl EventArchive {
    /// `client` traces no calls itself.
    pub(crate) fn new(client: Client, bucket: String) -> Self {
        Self { client, bucket }
    }
}

impl Store for EventArchive {
    async fn store(&self, object: Object) -> Result<(), AwsError> {
        let Object { key, body, spans } = object;
        let put = self
            .client
            .put_object()
            .bucket(&self.bucket)
            .key(key)
            .content_type("application/gzip")
            // The first event's. The others are in the lines, each with its own.
            .set_metadata(spans.first().and_then(context::header_of).map(|trace| {
                let events = (EVENTS.to_owned(), spans.len().to_string());
                [(context::OBJECT_METADATA.to_owned(), trace), events].into()
            }))
            .body(ByteStream::from(body));
        let put = put.customize().interceptor(SharedCall::of(spans));
        match Box::pin(put.send()).await {
            Ok(_) => Ok(()),
            Err(error) => Err(AwsError::of(service::S3, "PutObject", error)),
        }
    }
}

/// Compresses lines, and returns the key and body of the object that they make below `prefix`.
///
/// The name is the hash of the body, so that a repeated request writes the same object, and no two tasks write one another's.
///
/// # Errors
/// Never, since memory takes all that is written.
pub(crate) fn pack<'a>(
    prefix: &str,
    lines: impl Iterator<Item = &'a str>,
) -> std::io::Result<(String, Vec<u8>)> {
    let mut body = GzEncoder::new(Vec::new(), Compression::default());
    for line in lines {
        body.write_all(line.as_bytes())?;
        body.write_all(b"\n")?;
    }
    let body = body.finish()?;
    let name = hex::encode(&Sha256::digest(&body)[..16]);
    Ok((format!("{prefix}{name}.ndjson.gz"), body))
}
