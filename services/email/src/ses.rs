//! One call of SES: what is sent, and what its failures mean.

use std::time::Duration;

use aws_sdk_sesv2::Client;
use aws_sdk_sesv2::config::retry::RetryConfig;
use aws_sdk_sesv2::config::timeout::TimeoutConfig;
use aws_sdk_sesv2::error::{BuildError, ProvideErrorMetadata, SdkError};
use aws_sdk_sesv2::operation::RequestId;
use aws_sdk_sesv2::operation::send_email::SendEmailError;
use aws_sdk_sesv2::types::{Body, Content, Destination, EmailContent, Message, MessageTag};
use aws_types::SdkConfig;
use contracts::EmailAddress;
use thiserror::Error;

use crate::domain::Mail;

const UTF_8: &str = "UTF-8";

/// The tags a mail carries: SES repeats them in every event about it, and by them it is matched to what
/// it tells. Their values are of the characters that
/// [a tag may have](https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_MessageTag.html).
pub(crate) type Tags = [(&'static str, String); 4];

/// Sends mails through SES, each in exactly one call.
#[derive(Clone, Debug)]
pub(crate) struct Ses {
    client: Client,
    sender: String,
}

impl Ses {
    /// Sends from `sender`, an address or `Name <address>` that SES has verified.
    ///
    /// The client never repeats a call by itself, since a call without an answer may have sent the mail,
    /// and gives one up after `timeout`. Whether to try again is the caller's to decide.
    pub(crate) fn new(aws: &SdkConfig, sender: String, timeout: Duration) -> Self {
        let config = aws_sdk_sesv2::config::Builder::from(aws)
            .retry_config(RetryConfig::disabled())
            .timeout_config(TimeoutConfig::builder().operation_timeout(timeout).build())
            .interceptor(aws_clients::TracingInterceptor::new())
            .build();
        Self { client: Client::from_conf(config), sender }
    }

    /// Sends one mail, and gives SES's message id of it, where SES named one.
    pub(crate) async fn send(
        &self,
        recipient: &EmailAddress,
        mail: Mail,
        tags: Tags,
    ) -> Result<Option<String>, SendError> {
        let message = Message::builder()
            .subject(content(mail.subject)?)
            .body(Body::builder().text(content(mail.text)?).build())
            .build();
        let sent = self
            .client
            .send_email()
            .from_email_address(&self.sender)
            .destination(Destination::builder().to_addresses(recipient.as_str()).build())
            .content(EmailContent::builder().simple(message).build())
            .set_email_tags(Some(tags.into_iter().map(tag).collect::<Result<_, _>>()?))
            .send()
            .await?;
        Ok(sent.message_id)
    }
}

fn content(text: impl Into<String>) -> Result<Content, BuildError> {
    Content::builder().data(text).charset(UTF_8).build()
}

fn tag((name, value): (&'static str, String)) -> Result<MessageTag, BuildError> {
    MessageTag::builder().name(name).value(value).build()
}

/// A mail that SES did not accept, or is not known to have accepted.
///
/// It keeps an answer's code and request id, never its text: SES quotes addresses.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("SendEmail failed with {code}{}", request_id.as_ref().map(|id| format!(" (request {id})")).unwrap_or_default())]
pub(crate) struct SendError {
    /// What is known of the mail.
    pub(crate) kind: SendErrorKind,
    code: String,
    request_id: Option<String>,
}

/// What is known of a mail after an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SendErrorKind {
    /// Not sent, and SES would refuse it again: something is wrong with the mail.
    Rejected,
    /// Not sent: SES asks for fewer mails.
    Throttled,
    /// Not sent: the sender may not send at the moment, whatever the mail.
    Withheld,
    /// Sent or not: there is no answer, or none that says so.
    Unknown,
}

/// Codes by which SES asks for fewer mails:
/// [errors of SendEmail](https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html#API_SendEmail_Errors)
/// and [of every action](https://docs.aws.amazon.com/ses/latest/APIReference-V2/CommonErrors.html).
const THROTTLED: [&str; 4] =
    ["TooManyRequestsException", "LimitExceededException", "ThrottlingException", "Throttling"];

/// Codes that are about the account, its sending domain or its configuration.
const WITHHELD: [&str; 4] = [
    "AccountSuspendedException",
    "SendingPausedException",
    "MailFromDomainNotVerifiedException",
    "NotFoundException",
];

/// How SES begins to say, under the code of a mail that it refuses, that the sender's identity is not verified, or in the
/// sandbox the recipient's: [Amazon SES email sending errors](https://docs.aws.amazon.com/ses/latest/dg/troubleshoot-error-messages.html).
/// One verification that is lost would otherwise put every mail on the dead-letter queue.
const NOT_VERIFIED: &str = "Email address is not verified";

impl SendErrorKind {
    fn of(code: &str, status: u16, text: &str) -> Self {
        let withheld = WITHHELD.contains(&code) || text.starts_with(NOT_VERIFIED);
        if status == 429 || THROTTLED.contains(&code) {
            Self::Throttled
        } else if matches!(status, 401 | 403) || withheld {
            // 401 and 403: no credentials, expired ones, no permission. Nothing the mail could change.
            Self::Withheld
        } else if (400..500).contains(&status) {
            Self::Rejected
        } else {
            Self::Unknown
        }
    }
}

impl From<SdkError<SendEmailError>> for SendError {
    fn from(error: SdkError<SendEmailError>) -> Self {
        let unanswered =
            |code: &str| Self { kind: SendErrorKind::Unknown, code: code.to_owned(), request_id: None };
        match &error {
            SdkError::ServiceError(answer) => {
                let code = answer.err().code().unwrap_or("an unnamed error");
                Self {
                    kind: SendErrorKind::of(
                        code,
                        answer.raw().status().as_u16(),
                        answer.err().message().unwrap_or_default(),
                    ),
                    code: code.to_owned(),
                    request_id: answer.err().request_id().map(str::to_owned),
                }
            }
            SdkError::TimeoutError(_) => unanswered("a timeout"),
            SdkError::DispatchFailure(_) => unanswered("a dispatch failure"),
            SdkError::ConstructionFailure(_) => unanswered("a request that could not be built"),
            _ => unanswered("an unreadable answer"),
        }
    }
}

impl From<BuildError> for SendError {
    fn from(_: BuildError) -> Self {
        Self { kind: SendErrorKind::Rejected, code: "an incomplete message".to_owned(), request_id: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_statuses_say_what_is_known_of_the_mail() {
        for (code, status, kind) in [
            ("MessageRejected", 400, SendErrorKind::Rejected),
            ("BadRequestException", 400, SendErrorKind::Rejected),
            ("TooManyRequestsException", 429, SendErrorKind::Throttled),
            ("ThrottlingException", 400, SendErrorKind::Throttled),
            ("LimitExceededException", 400, SendErrorKind::Throttled),
            ("SendingPausedException", 400, SendErrorKind::Withheld),
            ("AccountSuspendedException", 400, SendErrorKind::Withheld),
            ("ExpiredTokenException", 403, SendErrorKind::Withheld),
            ("InternalFailure", 500, SendErrorKind::Unknown),
            ("ServiceUnavailable", 503, SendErrorKind::Unknown),
        ] {
            assert_eq!(SendErrorKind::of(code, status, "Some text"), kind, "{code}");
        }
        let text = "Email address is not verified. The following identities failed the check in region EU-CENTRAL-1: a@b.c";
        assert_eq!(SendErrorKind::of("MessageRejected", 400, text), SendErrorKind::Withheld);
    }

    #[test]
    fn an_error_tells_the_code_and_the_request() {
        let error = SendError {
            kind: SendErrorKind::Throttled,
            code: "TooManyRequestsException".into(),
            request_id: Some("R1".into()),
        };
        assert_eq!(error.to_string(), "SendEmail failed with TooManyRequestsException (request R1)");
        let timeout = SendError::from(SdkError::<SendEmailError>::timeout_error("slow"));
        assert_eq!(
            (timeout.kind, timeout.to_string().as_str()),
            (SendErrorKind::Unknown, "SendEmail failed with a timeout")
        );
    }
}
