//! SES v1, a query API: sending mail and identities.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::address;
use super::draft::{Content, Destination, Draft, Pair, Raw, Simple};
use super::outbox::Outbox;
use super::refusal::Refusal;
use crate::page::{page, position};
use crate::reply::AwsError;

/// AWS General Reference, "Amazon SES quotas".
const MAX_BYTES: usize = 10 * 1024 * 1024;
const PAGE: usize = 1000;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SendEmail {
    source: Option<String>,
    #[serde(default)]
    destination: Destination,
    message: Option<Simple>,
    #[serde(default)]
    reply_to_addresses: Vec<String>,
    #[serde(default)]
    tags: Vec<Pair>,
    configuration_set_name: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SendRawEmail {
    source: Option<String>,
    #[serde(default)]
    destinations: Vec<String>,
    raw_message: Option<Raw>,
    #[serde(default)]
    tags: Vec<Pair>,
    configuration_set_name: Option<String>,
}

pub(super) fn send(outbox: &Outbox, input: SendEmail) -> Result<Value, AwsError> {
    let message = input.message.ok_or_else(|| missing("Message"))?;
    accept(
        outbox,
        Draft {
            from: input.source,
            destination: input.destination,
            reply_to: input.reply_to_addresses,
            content: Content::Simple(message),
            tags: input.tags,
            configuration_set: input.configuration_set_name,
            max_bytes: MAX_BYTES,
        },
    )
}

pub(super) fn send_raw(outbox: &Outbox, input: SendRawEmail) -> Result<Value, AwsError> {
    let message = input.raw_message.ok_or_else(|| missing("RawMessage"))?;
    accept(
        outbox,
        Draft {
            from: input.source,
            destination: Destination { to: input.destinations, ..Destination::default() },
            reply_to: Vec::new(),
            content: Content::Raw(message),
            tags: input.tags,
            configuration_set: input.configuration_set_name,
            max_bytes: MAX_BYTES,
        },
    )
}

fn accept(outbox: &Outbox, draft: Draft) -> Result<Value, AwsError> {
    let message_id = outbox.send(draft).map_err(|refusal| refusal.v1())?;
    Ok(json!({"MessageId": message_id}))
}

fn missing(parameter: &str) -> AwsError {
    Refusal::Invalid(format!("The request must contain the parameter {parameter}.")).v1()
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct VerifyAddress {
    #[serde(default)]
    email_address: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct VerifyDomain {
    #[serde(default)]
    domain: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Identity {
    #[serde(default)]
    identity: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListIdentities {
    identity_type: Option<String>,
    next_token: Option<String>,
    max_items: Option<usize>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Identities {
    #[serde(default)]
    identities: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Sending {
    #[serde(default)]
    enabled: bool,
}

pub(super) fn verify_address(outbox: &Outbox, input: &VerifyAddress) -> Result<Value, AwsError> {
    address::check_bare(&input.email_address).map_err(|reason| Refusal::from(reason).v1())?;
    verify(outbox, &input.email_address)?;
    Ok(json!({}))
}

pub(super) fn verify_domain(outbox: &Outbox, input: &VerifyDomain) -> Result<Value, AwsError> {
    address::check_domain(&input.domain).map_err(|reason| Refusal::from(reason).v1())?;
    verify(outbox, &input.domain)?;
    Ok(json!({"VerificationToken": token(&input.domain)}))
}

fn verify(outbox: &Outbox, name: &str) -> Result<(), AwsError> {
    let known = outbox.account.identity(name).is_some();
    if known || outbox.account.add_identity(name, std::collections::BTreeMap::new()) {
        return Ok(());
    }
    Err(AwsError::bad_request("LimitExceeded", "Too many identities"))
}

/// Returns what a domain's owner would publish. It is never looked up.
fn token(domain: &str) -> String {
    format!("local-{domain}")
}

pub(super) fn delete_identity(outbox: &Outbox, input: &Identity) -> Value {
    outbox.account.remove_identity(&input.identity);
    json!({})
}

pub(super) fn list_identities(outbox: &Outbox, input: &ListIdentities) -> Result<Value, AwsError> {
    let after = position(input.next_token.as_deref())
        .map_err(|_| Refusal::Invalid("Invalid token.".to_owned()).v1())?;
    let mut names = outbox.account.identities(after.as_deref());
    names.retain(|name| match input.identity_type.as_deref() {
        Some("EmailAddress") => name.contains('@'),
        Some("Domain") => !name.contains('@'),
        _ => true,
    });
    let size = input.max_items.filter(|size| (1..=PAGE).contains(size)).unwrap_or(PAGE);
    Ok(page("Identities", size, names.into_iter().map(|name| (name.clone(), name.into()))))
}

pub(super) fn verification_attributes(outbox: &Outbox, input: &Identities) -> Value {
    let mut attributes = Map::new();
    for name in input.identities.iter().filter(|name| outbox.account.identity(name).is_some()) {
        let mut of_identity = json!({"VerificationStatus": "Success"});
        if !name.contains('@') {
            of_identity["VerificationToken"] = token(name).into();
        }
        attributes.insert(name.clone(), of_identity);
    }
    json!({"VerificationAttributes": attributes})
}

pub(super) fn quota(outbox: &Outbox) -> Value {
    json!({"Max24HourSend": 50_000.0, "MaxSendRate": 100.0, "SentLast24Hours": outbox.accepted()})
}

pub(super) fn may_send(outbox: &Outbox) -> Value {
    json!({"Enabled": outbox.account.may_send()})
}

pub(super) fn let_send(outbox: &Outbox, input: &Sending) -> Value {
    outbox.account.let_send(input.enabled);
    json!({})
}
