//! SES v2, a REST API: sending mail, identities, the suppression list, the account.

use std::collections::BTreeMap;

use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::account::Suppressed;
use super::address;
use super::draft::{Content, Destination, Draft, Pair, Raw, Simple};
use super::outbox::Outbox;
use super::refusal::Refusal;
use crate::page::{page, position};
use crate::reply::AwsError;

/// AWS General Reference, "Amazon SES quotas".
const MAX_BYTES: usize = 40 * 1024 * 1024;
const PAGE: usize = 1000;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SendEmail {
    from_email_address: Option<String>,
    #[serde(default)]
    destination: Destination,
    #[serde(default)]
    reply_to_addresses: Vec<String>,
    content: Option<EmailContent>,
    #[serde(default)]
    email_tags: Vec<Pair>,
    configuration_set_name: Option<String>,
    #[serde(flatten)]
    others: BTreeMap<String, Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct EmailContent {
    simple: Option<Simple>,
    raw: Option<Raw>,
    template: Option<Value>,
}

pub(super) fn send(outbox: &Outbox, input: SendEmail) -> Result<Value, AwsError> {
    let invalid = |reason: &str| Refusal::Invalid(reason.to_owned()).v2();
    refuse_unsupported(&input.others)?;
    let content = match input.content {
        Some(EmailContent { simple: Some(simple), raw: None, template: None }) => Content::Simple(simple),
        Some(EmailContent { simple: None, raw: Some(raw), template: None }) => Content::Raw(raw),
        Some(EmailContent { simple: None, raw: None, template: Some(_) }) => {
            return Err(Refusal::Unsupported("templates").v2());
        }
        _ => return Err(invalid("Content must be one of Simple, Raw and Template")),
    };
    let draft = Draft {
        from: input.from_email_address,
        destination: input.destination,
        reply_to: input.reply_to_addresses,
        content,
        tags: input.email_tags,
        configuration_set: input.configuration_set_name,
        max_bytes: MAX_BYTES,
    };
    let message_id = outbox.send(draft).map_err(|refusal| refusal.v2())?;
    Ok(json!({"MessageId": message_id}))
}

/// The parameters that AWS knows and that would have no effect here.
const UNSUPPORTED: [&str; 16] = [
    "ArchivingOptions",
    "ConfigurationOverrides",
    "DeliveryOptions",
    "DkimSigningAttributes",
    "EndpointId",
    "FeedbackForwardingEmailAddress",
    "FeedbackForwardingEmailAddressIdentityArn",
    "Filter",
    "FromEmailAddressIdentityArn",
    "ListManagementOptions",
    "MessageSecurityOptions",
    "ReputationOptions",
    "SuppressionOptions",
    "TenantName",
    "TrackingOptions",
    "VdmOptions",
];

/// Refuses parameters that would have no effect. What AWS does not know either is ignored, as on AWS.
pub(super) fn refuse_unsupported(others: &BTreeMap<String, Value>) -> Result<(), AwsError> {
    let Some(name) = others.keys().find(|name| UNSUPPORTED.contains(&name.as_str())) else { return Ok(()) };
    let message = format!("the local cloud does not support the parameter {name}");
    Err(AwsError::bad_request("BadRequestException", message))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateIdentity {
    #[serde(default)]
    email_identity: String,
    #[serde(default)]
    tags: Vec<Tag>,
    configuration_set_name: Option<String>,
    #[serde(flatten)]
    others: BTreeMap<String, Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Tag {
    pub(super) key: String,
    pub(super) value: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Identity {
    #[serde(default)]
    email_identity: String,
}

pub(super) fn create_identity(outbox: &Outbox, input: CreateIdentity) -> Result<Value, AwsError> {
    refuse_unsupported(&input.others)?;
    if let Some(name) = input.configuration_set_name {
        let refusal = match outbox.sets.get(&name) {
            Some(_) => Refusal::Unsupported("default configuration sets of identities"),
            None => Refusal::NoConfigurationSet(name),
        };
        return Err(refusal.v2());
    }
    let name = input.email_identity;
    let checked = if name.contains('@') { address::check_bare(&name) } else { address::check_domain(&name) };
    checked.map_err(|reason| Refusal::from(reason).v2())?;
    if outbox.account.identity(&name).is_some() {
        let message = format!("Email identity {name} already exist.");
        return Err(AwsError::bad_request("AlreadyExistsException", message));
    }
    let tags = input.tags.into_iter().map(|tag| (tag.key, tag.value)).collect();
    if !outbox.account.add_identity(&name, tags) {
        return Err(AwsError::bad_request("LimitExceededException", "Too many email identities"));
    }
    Ok(summary(&name))
}

pub(super) fn identity(outbox: &Outbox, input: &Identity) -> Result<Value, AwsError> {
    let name = &input.email_identity;
    let tags = outbox.account.identity(name).ok_or_else(|| no_identity(name))?;
    let tags: Vec<_> = tags.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect();
    let mut output = summary(name);
    output["FeedbackForwardingStatus"] = true.into();
    output["VerificationStatus"] = "SUCCESS".into();
    output["Policies"] = json!({});
    output["Tags"] = tags.into();
    Ok(output)
}

pub(super) fn delete_identity(outbox: &Outbox, input: &Identity) -> Result<Value, AwsError> {
    let name = &input.email_identity;
    if outbox.account.remove_identity(name) { Ok(json!({})) } else { Err(no_identity(name)) }
}

fn no_identity(name: &str) -> AwsError {
    let message = format!("Email identity {name} does not exist.");
    AwsError::new(StatusCode::NOT_FOUND, "NotFoundException", message)
}

fn summary(name: &str) -> Value {
    json!({
        "IdentityType": identity_type(name),
        "VerifiedForSendingStatus": true,
        "DkimAttributes": {"SigningEnabled": false, "Status": "NOT_STARTED"},
    })
}

fn identity_type(name: &str) -> &'static str {
    if name.contains('@') { "EMAIL_ADDRESS" } else { "DOMAIN" }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Listing {
    next_token: Option<String>,
    page_size: Option<usize>,
    #[serde(default)]
    reasons: Vec<String>,
    start_date: Option<f64>,
    end_date: Option<f64>,
    #[serde(flatten)]
    others: BTreeMap<String, Value>,
}

impl Listing {
    /// Returns the position behind which the page starts.
    pub(super) fn after(&self) -> Result<Option<String>, AwsError> {
        refuse_unsupported(&self.others)?;
        position(self.next_token.as_deref()).map_err(|_| {
            AwsError::bad_request("InvalidNextTokenException", "The specified request token is invalid.")
        })
    }

    pub(super) fn of(&self, name: &str, items: impl Iterator<Item = (String, Value)>) -> Value {
        let size = self.page_size.filter(|size| (1..=PAGE).contains(size)).unwrap_or(PAGE);
        page(name, size, items)
    }

    fn has(&self, suppressed: &Suppressed) -> bool {
        let since = seconds(suppressed);
        (self.reasons.is_empty() || self.reasons.contains(&suppressed.reason))
            && self.start_date.is_none_or(|start| since >= start)
            && self.end_date.is_none_or(|end| since <= end)
    }
}

pub(super) fn list_identities(outbox: &Outbox, input: &Listing) -> Result<Value, AwsError> {
    let after = input.after()?;
    let identities = outbox.account.identities(after.as_deref()).into_iter().map(|name| {
        let identity = json!({
            "IdentityName": name,
            "IdentityType": identity_type(&name),
            "SendingEnabled": true,
            "VerificationStatus": "SUCCESS",
        });
        (name, identity)
    });
    Ok(input.of("EmailIdentities", identities))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Suppress {
    #[serde(default)]
    email_address: String,
    #[serde(default)]
    reason: String,
    #[serde(flatten)]
    others: BTreeMap<String, Value>,
}

pub(super) fn suppress(outbox: &Outbox, input: Suppress) -> Result<Value, AwsError> {
    refuse_unsupported(&input.others)?;
    address::check_bare(&input.email_address).map_err(|reason| Refusal::from(reason).v2())?;
    if !matches!(&*input.reason, "BOUNCE" | "COMPLAINT") {
        return Err(Refusal::Invalid("Reason must be BOUNCE or COMPLAINT".to_owned()).v2());
    }
    if !outbox.account.suppress(&input.email_address, input.reason) {
        return Err(AwsError::bad_request("BadRequestException", "The suppression list is full"));
    }
    Ok(json!({}))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Address {
    #[serde(default)]
    email_address: String,
}

pub(super) fn suppressed(outbox: &Outbox, input: &Address) -> Result<Value, AwsError> {
    let address = &input.email_address;
    let found = outbox.account.suppressed(address).ok_or_else(|| not_suppressed(address))?;
    let mut entry = suppressed_summary(&address.to_ascii_lowercase(), &found);
    entry["Attributes"] = json!({});
    Ok(json!({"SuppressedDestination": entry}))
}

pub(super) fn release(outbox: &Outbox, input: &Address) -> Result<Value, AwsError> {
    let address = &input.email_address;
    if outbox.account.release(address) { Ok(json!({})) } else { Err(not_suppressed(address)) }
}

pub(super) fn list_suppressed(outbox: &Outbox, input: &Listing) -> Result<Value, AwsError> {
    let after = input.after()?;
    let all = outbox.account.all_suppressed(after.as_deref()).into_iter();
    let chosen = all.filter(|(_, suppressed)| input.has(suppressed)).map(|(address, suppressed)| {
        let summary = suppressed_summary(&address, &suppressed);
        (address, summary)
    });
    Ok(input.of("SuppressedDestinationSummaries", chosen))
}

fn suppressed_summary(address: &str, suppressed: &Suppressed) -> Value {
    json!({"EmailAddress": address, "Reason": suppressed.reason, "LastUpdateTime": seconds(suppressed)})
}

#[expect(clippy::cast_precision_loss, reason = "timestamps in JSON are floating-point seconds")]
fn seconds(suppressed: &Suppressed) -> f64 {
    suppressed.since.as_millisecond() as f64 / 1000.0
}

fn not_suppressed(address: &str) -> AwsError {
    let message = format!("Email address {address} does not exist on your suppression list.");
    AwsError::new(StatusCode::NOT_FOUND, "NotFoundException", message)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Sending {
    #[serde(default)]
    sending_enabled: bool,
}

pub(super) fn let_send(outbox: &Outbox, input: &Sending) -> Value {
    outbox.account.let_send(input.sending_enabled);
    json!({})
}

pub(super) fn account(outbox: &Outbox) -> Value {
    json!({
        "DedicatedIpAutoWarmupEnabled": false,
        "SendingEnabled": outbox.account.may_send(),
        "ProductionAccessEnabled": true,
        "EnforcementStatus": "HEALTHY",
        "SendQuota": {"Max24HourSend": 50_000.0, "MaxSendRate": 100.0, "SentLast24Hours": outbox.accepted()},
        "SuppressionAttributes": {"SuppressedReasons": ["BOUNCE", "COMPLAINT"]},
    })
}
