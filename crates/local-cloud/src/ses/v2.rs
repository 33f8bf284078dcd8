//! SES v2, a REST API: sending mail, identities, the account.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use rustack_ses_model::error::{SesError, SesErrorCode};
use rustack_ses_model::input::{
    DeleteIdentityInput, ListIdentitiesInput, SendEmailInput, SendRawEmailInput, VerifyDomainIdentityInput,
    VerifyEmailIdentityInput,
};
use rustack_ses_model::types::{Destination, Message, MessageTag, RawMessage};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Mail, Ses};
use crate::call::Call;
use crate::reply::AwsError;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SendEmail {
    from_email_address: Option<String>,
    #[serde(default)]
    destination: Destination,
    #[serde(default)]
    reply_to_addresses: Vec<String>,
    content: Content,
    #[serde(default)]
    email_tags: Vec<MessageTag>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Content {
    simple: Option<Simple>,
    raw: Option<Raw>,
    template: Option<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Simple {
    #[serde(flatten)]
    message: Message,
    #[serde(default)]
    headers: Vec<MessageTag>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Raw {
    data: String,
}

impl Ses {
    pub(crate) async fn answer_v2(&self, call: &Call) -> Result<Value, AwsError> {
        match call.operation.as_str() {
            "SendEmail" => self.send(call).await,
            "CreateEmailIdentity" => self.create_identity(call),
            "GetEmailIdentity" => self.get_identity(call),
            "ListEmailIdentities" => self.list_identities(),
            "DeleteEmailIdentity" => self.delete_identity(call),
            "GetAccount" => Ok(account()),
            _ => Err(call.not_supported()),
        }
    }

    async fn send(&self, call: &Call) -> Result<Value, AwsError> {
        let input: SendEmail = call.read()?;
        let source = input.from_email_address.as_deref().map(bare_address).unwrap_or_default().to_owned();
        let recipients = &input.destination;
        let no_recipient = recipients.to_addresses.is_empty()
            && recipients.cc_addresses.is_empty()
            && recipients.bcc_addresses.is_empty();

        let _turn = self.turn.lock().await;
        let (message_id, headers) = match input.content {
            Content { simple: Some(simple), .. } => {
                if source.is_empty() || no_recipient {
                    return Err(bad_request("FromEmailAddress and a destination are required"));
                }
                let sent = self.engine.send_email(SendEmailInput {
                    destination: input.destination,
                    message: simple.message,
                    source,
                    tags: input.email_tags,
                    ..SendEmailInput::default()
                });
                (sent.map_err(of_engine)?.message_id, simple.headers)
            }
            Content { raw: Some(raw), .. } => {
                let data =
                    STANDARD.decode(raw.data).map_err(|_| bad_request("Content.Raw.Data is not Base64"))?;
                let sent = self.engine.send_raw_email(SendRawEmailInput {
                    destinations: input.destination.to_addresses,
                    raw_message: RawMessage { data },
                    source: Some(source).filter(|source| !source.is_empty()),
                    tags: input.email_tags,
                    ..SendRawEmailInput::default()
                });
                (sent.map_err(of_engine)?.message_id, Vec::new())
            }
            Content { template: Some(_), .. } => {
                return Err(bad_request("the local cloud does not support templates in SES v2"));
            }
            _ => return Err(bad_request("Content must be Simple, Raw or Template")),
        };
        let headers: BTreeMap<_, _> = headers.into_iter().map(|header| (header.name, header.value)).collect();
        self.collect(|mail: &mut Mail| {
            // As the client sent it, with the display name.
            if let Some(from) = &input.from_email_address {
                mail.from.clone_from(from);
            }
            mail.headers.clone_from(&headers);
            mail.reply_to.clone_from(&input.reply_to_addresses);
        });
        Ok(json!({"MessageId": message_id}))
    }

    /// Creates an identity, which is verified at once: there is no mailbox to send a confirmation to.
    fn create_identity(&self, call: &Call) -> Result<Value, AwsError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Input {
            email_identity: String,
        }
        let Input { email_identity } = call.read()?;
        if self.exists(&email_identity) {
            return Err(AwsError::bad_request("AlreadyExistsException", "The identity already exists"));
        }
        if email_identity.contains('@') {
            self.engine
                .verify_email_identity(VerifyEmailIdentityInput { email_address: email_identity.clone() })
                .map_err(of_engine)?;
        } else {
            self.engine
                .verify_domain_identity(VerifyDomainIdentityInput { domain: email_identity.clone() })
                .map_err(of_engine)?;
        }
        Ok(identity(&email_identity))
    }

    fn get_identity(&self, call: &Call) -> Result<Value, AwsError> {
        let name = self.named(call)?;
        let mut output = identity(&name);
        output["FeedbackForwardingStatus"] = true.into();
        output["VerificationStatus"] = "SUCCESS".into();
        Ok(output)
    }

    fn list_identities(&self) -> Result<Value, AwsError> {
        let mut names =
            self.engine.list_identities(ListIdentitiesInput::default()).map_err(of_engine)?.identities;
        names.sort();
        let identities: Vec<_> = names
            .iter()
            .map(|name| {
                json!({
                    "IdentityName": name,
                    "IdentityType": identity_type(name),
                    "SendingEnabled": true,
                    "VerificationStatus": "SUCCESS",
                })
            })
            .collect();
        Ok(json!({"EmailIdentities": identities}))
    }

    fn delete_identity(&self, call: &Call) -> Result<Value, AwsError> {
        let identity = self.named(call)?;
        self.engine.delete_identity(DeleteIdentityInput { identity }).map_err(of_engine)?;
        Ok(json!({}))
    }

    /// Returns the identity in a path, if it exists.
    fn named(&self, call: &Call) -> Result<String, AwsError> {
        let name = call.input["EmailIdentity"].as_str().unwrap_or_default().to_owned();
        if self.exists(&name) {
            Ok(name)
        } else {
            Err(AwsError::new(StatusCode::NOT_FOUND, "NotFoundException", "The identity does not exist"))
        }
    }

    fn exists(&self, name: &str) -> bool {
        let listed = self.engine.list_identities(ListIdentitiesInput::default());
        listed.is_ok_and(|output| output.identities.iter().any(|identity| identity == name))
    }
}

fn bad_request(message: &str) -> AwsError {
    AwsError::bad_request("BadRequestException", message)
}

fn of_engine(error: SesError) -> AwsError {
    match error.code {
        SesErrorCode::MessageRejected => AwsError::bad_request("MessageRejected", error.message),
        SesErrorCode::InternalError => {
            AwsError::new(StatusCode::INTERNAL_SERVER_ERROR, "InternalServiceErrorException", error.message)
        }
        _ => AwsError::bad_request("BadRequestException", error.message),
    }
}

fn identity_type(name: &str) -> &'static str {
    if name.contains('@') { "EMAIL_ADDRESS" } else { "DOMAIN" }
}

fn identity(name: &str) -> Value {
    json!({
        "IdentityType": identity_type(name),
        "VerifiedForSendingStatus": true,
        "DkimAttributes": {"SigningEnabled": false, "Status": "NOT_STARTED"},
    })
}

fn account() -> Value {
    json!({
        "SendingEnabled": true,
        "ProductionAccessEnabled": true,
        "EnforcementStatus": "HEALTHY",
        "SendQuota": {"Max24HourSend": 50_000.0, "MaxSendRate": 100.0, "SentLast24Hours": 0.0},
    })
}

/// Returns `a@b` for `Name <a@b>`: identities are addresses without a name.
pub(crate) fn bare_address(address: &str) -> &str {
    match address.rsplit_once('<') {
        Some((_, rest)) => rest.trim_end().trim_end_matches('>'),
        None => address.trim(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn address_is_found_behind_the_name() {
        assert_eq!(bare_address("Shop <a@b.example>"), "a@b.example");
        assert_eq!(bare_address(" a@b.example"), "a@b.example");
    }
}
