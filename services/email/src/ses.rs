//! The call to SES, and what is peculiar to its errors.

use std::time::Duration;

use aws_clients::{AwsError, DirectClient, ErrorClass, service};
use aws_sdk_sesv2::Client;
use aws_sdk_sesv2::config::retry::RetryConfig;
use aws_sdk_sesv2::config::timeout::TimeoutConfig;
use aws_sdk_sesv2::error::{BuildError, ProvideErrorMetadata, SdkError};
use aws_sdk_sesv2::operation::send_email::SendEmailError;
use aws_sdk_sesv2::types::{Body, Content, Destination, EmailContent, Message, MessageTag};
use aws_types::SdkConfig;
use contracts::EmailAddress;

use crate::domain::Mail;

const UTF_8: &str = "UTF-8";
const SEND_EMAIL: &str = "SendEmail";

/// The tags of a mail. SES repeats them in every event it sends about the mail, which makes the two match. Their
/// values consist of the characters that
/// [a tag may have](https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_MessageTag.html).
pub(crate) type Tags = Vec<(&'static str, String)>;

/// Sends mails through SES, each in exactly one call.
#[derive(Clone, Debug)]
pub(crate) struct Ses {
    client: DirectClient<Client>,
    sender: String,
    configuration_set: String,
}

impl Ses {
    /// Sends from `sender`, the value of a header `From` whose address SES has verified. SES publishes what becomes of the
    /// mails if they name the configuration set.
    ///
    /// The client abandons a call after `timeout` and never repeats one, since a call without an answer may have
    /// sent the mail: retrying is up to the caller.
    pub(crate) fn new(aws: &SdkConfig, sender: String, configuration_set: String, timeout: Duration) -> Self {
        let config = aws_sdk_sesv2::config::Builder::from(aws)
            .retry_config(RetryConfig::disabled())
            .timeout_config(TimeoutConfig::builder().operation_timeout(timeout).build());
        Self { client: DirectClient::traced(config), sender, configuration_set }
    }

    /// Sends one mail and returns SES's message id, if SES named one.
    pub(crate) async fn send(
        &self,
        recipient: &EmailAddress,
        mail: Mail,
        tags: Tags,
    ) -> Result<Option<String>, AwsError> {
        let body = Body::builder()
            .text(content(mail.text).map_err(unbuildable)?)
            .html(content(mail.html).map_err(unbuildable)?)
            .build();
        let message =
            Message::builder().subject(content(mail.subject).map_err(unbuildable)?).body(body).build();
        let send = self
            .client
            .send_email()
            .from_email_address(&self.sender)
            .configuration_set_name(&self.configuration_set)
            .destination(Destination::builder().to_addresses(recipient.as_str()).build())
            .content(EmailContent::builder().simple(message).build())
            .set_email_tags(Some(tags.into_iter().map(tag).collect::<Result<_, _>>().map_err(unbuildable)?));
        Ok(self.client.call(send).await.map_err(unsent)?.message_id)
    }
}

fn content(text: impl Into<String>) -> Result<Content, BuildError> {
    Content::builder().data(text).charset(UTF_8).build()
}

fn tag((name, value): (&'static str, String)) -> Result<MessageTag, BuildError> {
    MessageTag::builder().name(name).value(value).build()
}

/// Part of SES's text when the sender's identity is not verified or, in the sandbox, the recipient's. It comes
/// under the code of a rejected mail ([Amazon SES email sending errors](https://docs.aws.amazon.com/ses/latest/dg/troubleshoot-error-messages.html)),
/// so that one lost verification would otherwise dead-letter every mail.
const NOT_VERIFIED: &str = "not verified";

/// SES's text for an address without a domain. It can only be the sender's: recipients are validated addresses.
const NO_DOMAIN: &str = "Missing final '@domain'";

/// Parts of texts about the account or its configuration set, which come under codes for a single mail.
const ABOUT_THE_ACCOUNT: [&str; 6] =
    ["suspended", "paused", "disabled", "onfiguration set", "not authorized", "sandbox"];

/// Reads a failed call. SES reports problems of the account under the codes of a rejected mail, so for those codes the
/// text decides. The text itself is not kept, since it quotes addresses.
fn unsent(error: SdkError<SendEmailError>) -> AwsError {
    let text = error.as_service_error().and_then(ProvideErrorMetadata::message).unwrap_or_default();
    let misconfigured = text.contains(NOT_VERIFIED)
        || text.contains(NO_DOMAIN)
        || ABOUT_THE_ACCOUNT.iter().any(|part| text.contains(part));
    let error = AwsError::of(service::SES, SEND_EMAIL, error);
    if misconfigured && error.class() == ErrorClass::Rejected {
        return error.with_class(ErrorClass::Misconfigured);
    }
    error
}

fn unbuildable(error: BuildError) -> AwsError {
    AwsError::unbuildable(service::SES, SEND_EMAIL, error)
}

#[cfg(test)]
mod tests {
    use aws_sdk_sesv2::config::http::HttpResponse;
    use aws_sdk_sesv2::error::ErrorMetadata;

    use super::*;

    fn class(code: &str, status: u16, text: &str) -> ErrorClass {
        let metadata = ErrorMetadata::builder().code(code).message(text).build();
        let response = HttpResponse::new(status.try_into().unwrap(), "".into());
        unsent(SdkError::service_error(SendEmailError::generic(metadata), response)).class()
    }

    #[test]
    fn codes_and_statuses_say_whose_fault_it_is() {
        for (code, status, expected) in [
            ("MessageRejected", 400, ErrorClass::Rejected),
            ("BadRequestException", 400, ErrorClass::Rejected),
            ("TooManyRequestsException", 429, ErrorClass::Throttled),
            ("ThrottlingException", 400, ErrorClass::Throttled),
            ("LimitExceededException", 400, ErrorClass::Throttled),
            ("SendingPausedException", 400, ErrorClass::Misconfigured),
            ("AccountSuspendedException", 400, ErrorClass::Misconfigured),
            ("MailFromDomainNotVerifiedException", 400, ErrorClass::Misconfigured),
            ("NotFoundException", 404, ErrorClass::Misconfigured),
            ("ExpiredTokenException", 403, ErrorClass::Misconfigured),
            ("RequestExpired", 400, ErrorClass::Misconfigured),
            ("InternalFailure", 500, ErrorClass::Unavailable),
            ("ServiceUnavailable", 503, ErrorClass::Unavailable),
        ] {
            assert_eq!(class(code, status, "Some text"), expected, "{code}");
        }
    }

    #[test]
    fn the_text_decides_where_the_code_says_that_a_mail_was_refused() {
        for (code, text) in [
            (
                "MessageRejected",
                "Email address is not verified. The following identities failed the check in region EU-CENTRAL-1: a@b.c",
            ),
            ("MessageRejected", "Sending suspended for this account. For more information, …"),
            (
                "MessageRejected",
                "Domain is not verified. The following identities failed the check in …: b.c",
            ),
            ("MessageRejected", "Email sending is disabled for this account."),
            ("BadRequestException", "Account is in the sandbox."),
            ("BadRequestException", "Missing final '@domain'"),
            ("BadRequestException", "Configuration set <main> does not exist."),
        ] {
            assert_eq!(class(code, 400, text), ErrorClass::Misconfigured, "{text}");
        }
        assert_eq!(class("MessageRejected", 400, "Address blacklisted."), ErrorClass::Rejected);
    }
}
