//! The passes in the bucket: one object for each customer.

use std::sync::Arc;
use std::time::Duration;

use aws_clients::{AwsError, service};
use aws_sdk_s3::Client;
use aws_sdk_s3::error::{ProvideErrorMetadata as _, SdkError};
use aws_sdk_s3::operation::RequestId as _;
use bytes::Bytes;
use contracts::CustomerNumber;
use jiff::Timestamp;
use pkpass::{PassError, Signer};
use sqs_consumer::Failure;
use telemetry::context;
use thiserror::Error;

use crate::domain::pass::{Issuer, Written};
use crate::domain::serial::Serial;
use crate::domain::{Card, News, Place};
use crate::tokens::Tokens;

/// The media type of a pass.
pub(crate) const MEDIA_TYPE: &str = "application/vnd.apple.pkpass";
/// The largest pass that is read, many times what one needs.
const MAX_BYTES: i64 = 1024 * 1024;
/// How often a pass is read and written before its message is postponed because others write it too.
const ROUNDS: u32 = 8;
/// The longest pause before the second round; it grows with each.
const PAUSE: Duration = Duration::from_millis(20);

/// The bucket of passes.
#[derive(Clone, Debug)]
pub(crate) struct Passes {
    client: Client,
    bucket: String,
    issuer: Issuer,
    signer: Arc<Signer>,
    tokens: Tokens,
    now: fn() -> Timestamp,
}

/// A pass, as the bucket has it now.
#[derive(Debug)]
pub(crate) struct Kept {
    /// Names this version of the pass.
    pub(crate) etag: String,
    /// Whether this event made it.
    pub(crate) changed: bool,
    /// Whether it is a member's.
    pub(crate) valid: bool,
}

/// A pass for a phone.
#[derive(Debug)]
pub(crate) struct Package {
    pub(crate) bytes: Bytes,
    pub(crate) etag: String,
    pub(crate) modified: Timestamp,
}

/// Why a pass could not be read or written.
#[derive(Debug, Error)]
pub(crate) enum PassesError {
    /// S3 did not carry out the request.
    #[error(transparent)]
    Aws(#[from] AwsError),
    /// The object is none of this service's passes.
    #[error("pass {serial} cannot be read")]
    Unreadable { serial: Serial },
    /// The pass cannot be signed.
    #[error("pass cannot be signed")]
    Unsignable(#[from] PassError),
    /// Others wrote the pass in every round.
    #[error("others wrote the pass {ROUNDS} times")]
    Contended,
}

impl From<PassesError> for Failure {
    fn from(error: PassesError) -> Self {
        match error {
            PassesError::Aws(error) => error.into(),
            PassesError::Unreadable { .. } => Self::permanent("pass-unreadable").because(error),
            PassesError::Unsignable(_) => Self::permanent("pass-unsignable").because(error),
            PassesError::Contended => Self::transient("contended").because(error),
        }
    }
}

/// What reading an object found.
enum Found<T> {
    Object(T),
    /// There is none. Without the permission to list the bucket, S3 answers "access denied" in that case, as it does when the
    /// role is wrong: a write, which creates the object or is refused, tells the two apart.
    Nothing(AwsError),
}

/// An object and what it says.
struct Stored {
    written: Written,
    etag: String,
}

impl Passes {
    pub(crate) fn new(
        client: Client,
        bucket: impl Into<String>,
        issuer: Issuer,
        signer: Signer,
        tokens: Tokens,
        now: fn() -> Timestamp,
    ) -> Self {
        Self { client, bucket: bucket.into(), issuer, signer: Arc::new(signer), tokens, now }
    }

    /// Returns the type of the passes.
    pub(crate) fn pass_type(&self) -> &str {
        &self.issuer.pass_type
    }

    /// Merges what an event says with a customer's pass, and writes the pass if that changes it. The write has the condition
    /// that the pass is still the one that was read, so of two writers one reads again. `first` is for an event that usually
    /// begins a pass: reading is left out until the write says that there is one.
    pub(crate) async fn keep(
        &self,
        customer_number: &CustomerNumber,
        news: &News,
        place: Place,
        first: bool,
    ) -> Result<Kept, PassesError> {
        let serial = Serial::of(customer_number);
        let mut missing = None;
        let mut stored = None;
        for round in 0..ROUNDS {
            if round > 0 || !first {
                match self.read(serial).await? {
                    Found::Object(object) => stored = Some(object),
                    Found::Nothing(error) => missing = Some(error),
                }
            }
            let known = stored.take();
            let mut card = known
                .as_ref()
                .map_or_else(|| Card::new(customer_number.clone()), |it| it.written.card.clone());
            let changed = card.apply(news.clone(), place);
            let valid = card.is_valid();
            if let (false, Some(Stored { etag, .. })) = (changed, &known) {
                return Ok(Kept { etag: etag.clone(), changed, valid });
            }
            if let Some(etag) = self.write(serial, &card, known.as_ref()).await? {
                return Ok(Kept { etag, changed, valid });
            }
            if let (None, Some(error)) = (&known, missing.take())
                && is_denied(&error)
            {
                // There is a pass, so what may not be read is not what is missing.
                return Err(error.into());
            }
            let pause = rand::random_range(Duration::ZERO..=PAUSE * (round + 1));
            tokio::time::sleep(pause).await;
        }
        Err(PassesError::Contended)
    }

    /// Returns a pass, if there is one.
    pub(crate) async fn fetch(&self, serial: Serial) -> Result<Option<Package>, PassesError> {
        match self.get(serial).await? {
            Found::Object(package) => Ok(Some(package)),
            Found::Nothing(error) if is_denied(&error) => Err(error.into()),
            Found::Nothing(_) => Ok(None),
        }
    }

    /// Returns what names the current version of a pass, if there is one.
    pub(crate) async fn version(&self, serial: Serial) -> Result<Option<String>, PassesError> {
        let request = self.client.head_object().bucket(&self.bucket).key(serial.key());
        match Box::pin(request.send()).await {
            Ok(answer) => Ok(answer.e_tag),
            Err(error) if status(&error) == Some(404) => Ok(None),
            Err(error) => Err(AwsError::of(service::S3, "HeadObject", error).into()),
        }
    }

    async fn read(&self, serial: Serial) -> Result<Found<Stored>, PassesError> {
        let package = match self.get(serial).await? {
            Found::Object(package) => package,
            Found::Nothing(error) => return Ok(Found::Nothing(error)),
        };
        let pass = pkpass::pass_in(&package.bytes).map_err(|_| PassesError::Unreadable { serial })?;
        let written = Written::read(&pass).ok_or(PassesError::Unreadable { serial })?;
        Ok(Found::Object(Stored { written, etag: package.etag }))
    }

    async fn get(&self, serial: Serial) -> Result<Found<Package>, PassesError> {
        const OPERATION: &str = "GetObject";
        let request = self.client.get_object().bucket(&self.bucket).key(serial.key());
        let answer = match Box::pin(request.send()).await {
            Ok(answer) => answer,
            Err(error) => {
                let missing = matches!(status(&error), Some(403 | 404));
                let error = AwsError::of(service::S3, OPERATION, error);
                return if missing { Ok(Found::Nothing(error)) } else { Err(error.into()) };
            }
        };
        if answer.content_length.is_none_or(|length| length > MAX_BYTES) {
            return Err(PassesError::Unreadable { serial });
        }
        let request_id = answer.request_id().map(str::to_owned);
        let unreadable = || AwsError::unreadable(service::S3, OPERATION).with_request_id(request_id);
        let (etag, modified) = (answer.e_tag.clone(), answer.last_modified);
        let (Some(etag), Some(modified)) = (etag, modified) else { return Err(unreadable().into()) };
        let modified = Timestamp::from_second(modified.secs()).unwrap_or_default();
        let body = answer.body.collect().await.map_err(|_| unreadable())?;
        Ok(Found::Object(Package { bytes: body.into_bytes(), etag, modified }))
    }

    /// Writes a pass in place of `known`, or as a new one. Returns its tag, or `None` if another one is there.
    async fn write(
        &self,
        serial: Serial,
        card: &Card,
        known: Option<&Stored>,
    ) -> Result<Option<String>, PassesError> {
        const OPERATION: &str = "PutObject";
        // Wallet keeps the first token of a pass.
        let token = known.map_or_else(|| self.tokens.issue(serial), |it| it.written.token.clone());
        let zip = card.package(&self.issuer, &token)?.sign(&self.signer, (self.now)())?;
        let mut request = self
            .client
            .put_object()
            .bucket(&self.bucket)
            .key(serial.key())
            .content_type(MEDIA_TYPE)
            .set_metadata(
                context::current_header()
                    .map(|header| [(context::OBJECT_METADATA.to_owned(), header)].into()),
            )
            .body(zip.into());
        request = match known {
            Some(known) => request.if_match(&known.etag),
            None => request.if_none_match("*"),
        };
        match Box::pin(request.send()).await {
            Ok(answer) => match answer.e_tag {
                Some(etag) => Ok(Some(etag)),
                None => Err(AwsError::unreadable(service::S3, OPERATION).into()),
            },
            // Another version is there, is being written at this moment, or the known one was deleted.
            Err(error) if matches!(status(&error), Some(409 | 412)) => Ok(None),
            Err(error) if known.is_some() && error.code() == Some("NoSuchKey") => Ok(None),
            Err(error) => Err(AwsError::of(service::S3, OPERATION, error).into()),
        }
    }
}

fn status<E>(error: &SdkError<E>) -> Option<u16> {
    error.raw_response().map(|response| response.status().as_u16())
}

fn is_denied(error: &AwsError) -> bool {
    error.status() == Some(403)
}
