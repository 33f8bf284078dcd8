//! A claim with a lease, for effects outside DynamoDB.

use std::collections::HashMap;
use std::time::Duration;

use aws_clients::{AwsError, DynamoDb, service};
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::delete_item::DeleteItemError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure};
use jiff::{SignedDuration, Timestamp};
use outcome::Failure;
use thiserror::Error;
use uuid::Uuid;

use crate::ATTEMPT;

const PARTITION_KEY: &str = "pk";
const STATE: &str = "state";
const OWNER: &str = "owner";
const LEASE_UNTIL: &str = "lease_until";
const EXPIRES_AT: &str = "expires_at";
const CLAIMED: &str = "claimed";
const DONE: &str = "done";

/// How long a claim is kept after the last write to it.
const RETENTION: SignedDuration = SignedDuration::from_hours(14 * 24);

/// Claims in one table, whose partition key is the string `pk` and whose TTL attribute is `expires_at`.
///
/// An effect is claimed, carried out and completed. No other worker gets the claim while the lease lasts; after that
/// the next one does, because the owner is presumed dead. The effect is therefore carried out at least once, and twice
/// only if an owner dies, or outlives its lease, between the effect and [`Claims::complete`].
///
/// The claimant's own clock determines whether a lease has ended, so a lease should be long compared with the
/// difference between the clocks of two hosts. A lease that ends later than one begun now would, because another host's
/// clock is ahead or its lease is longer, counts as ending then: it delays an effect by one own lease at most.
///
/// ```no_run
/// # use std::time::Duration;
/// # async fn send(client: aws_clients::DynamoDb) -> Result<(), idempotency::ClaimError> {
/// use idempotency::{Claim, Claims};
///
/// let claims = Claims::new("email-deliveries");
/// let now = jiff::Timestamp::now();
/// match claims.claim(&client, "CLAIM#7", Duration::from_secs(30), now, None).await? {
///     Claim::Claimed(token) => {
///         // … carry out the effect, then:
///         claims.complete(&client, &token, jiff::Timestamp::now()).await?;
///     }
///     Claim::InProgress { until } => println!("retry at {until}"),
///     Claim::Done { .. } => println!("nothing left to do"),
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Claims {
    table: String,
}

/// The result of [`Claims::claim`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// The caller owns the claim until its lease ends.
    Claimed(Token),
    /// Another worker owns it.
    InProgress {
        /// The end of that owner's lease.
        until: Timestamp,
    },
    /// It has been completed.
    Done {
        /// The trace header that the attempt which completed it kept with the claim.
        attempt: Option<String>,
    },
}

/// Proof that a claim is owned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    id: String,
    owner: Uuid,
    replaced: Option<String>,
}

impl Token {
    /// Returns the id that was claimed.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Returns the trace header that the previous owner kept with the claim, if its lease ended before its effect was
    /// recorded.
    #[must_use]
    pub fn replaced(&self) -> Option<&str> {
        self.replaced.as_deref()
    }
}

/// A claim that could not be made, completed or released.
#[derive(Debug, Error)]
pub enum ClaimError {
    /// The lease ended, and another worker has since claimed, or even completed, it.
    #[error("claim {id} is now owned by another worker")]
    Lost {
        /// The id that was claimed.
        id: String,
    },
    /// The item under the claim's key is not a claim.
    #[error("item {id} is not a claim")]
    Unreadable {
        /// The id that was to be claimed.
        id: String,
    },
    /// DynamoDB did not carry out the request.
    #[error(transparent)]
    Aws(#[from] AwsError),
}

impl From<ClaimError> for Failure {
    fn from(error: ClaimError) -> Self {
        match error {
            ClaimError::Aws(error) => error.into(),
            ClaimError::Lost { .. } => Self::transient("claimed-by-another").because(error),
            ClaimError::Unreadable { .. } => Self::permanent("claim-unreadable").because(error),
        }
    }
}

impl Claims {
    /// Creates a handle to the claims in `table`.
    #[must_use]
    pub fn new(table: impl Into<String>) -> Self {
        Self { table: table.into() }
    }

    /// Tries to claim `id`, which is the item's whole partition key, until `now` plus `lease`.
    ///
    /// `attempt` is the trace header of the span in which the effect is being attempted. It is kept with the claim: if
    /// this process is killed before the span leaves it, the next owner learns from it what the span's id was.
    ///
    /// If a response is lost and the SDK retries the call, the retry finds the caller's own claim and succeeds.
    ///
    /// # Errors
    /// [`ClaimError::Aws`] if DynamoDB fails, [`ClaimError::Unreadable`] if the key holds something else.
    pub async fn claim(
        &self,
        client: &DynamoDb,
        id: &str,
        lease: Duration,
        now: Timestamp,
        attempt: Option<String>,
    ) -> Result<Claim, ClaimError> {
        let owner = Uuid::new_v4();
        let until = end_of(lease, now);
        let put = client
            .put_item()
            .table_name(&self.table)
            .item(PARTITION_KEY, text(id))
            .item(STATE, text(CLAIMED))
            .item(OWNER, text(&owner))
            .item(LEASE_UNTIL, number(until))
            .item(EXPIRES_AT, number(expiry(now)));
        let put = match &attempt {
            Some(header) => put.item(ATTEMPT, text(header)),
            None => put,
        };
        let put = put
            .return_values(ReturnValue::AllOld)
            .condition_expression(
                "attribute_not_exists(#pk) OR (#state = :claimed AND (#until <= :now OR #owner = :owner))",
            )
            .expression_attribute_names("#pk", PARTITION_KEY)
            .expression_attribute_names("#state", STATE)
            .expression_attribute_names("#until", LEASE_UNTIL)
            .expression_attribute_names("#owner", OWNER)
            .expression_attribute_values(":claimed", text(CLAIMED))
            .expression_attribute_values(":now", number(now.as_millisecond()))
            .expression_attribute_values(":owner", text(&owner))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        match client.call(put).await {
            Ok(answer) => {
                let replaced = answer.attributes().and_then(attempt_in);
                // A repetition of this call replaces what it wrote itself.
                let replaced = replaced.filter(|header| Some(header) != attempt.as_ref());
                Ok(Claim::Claimed(Token { id: id.to_owned(), owner, replaced }))
            }
            Err(SdkError::ServiceError(answer)) if answer.err().is_conditional_check_failed_exception() => {
                let item = match answer.into_err() {
                    PutItemError::ConditionalCheckFailedException(found) => found.item,
                    _ => None,
                };
                let found = item.and_then(|item| read(&item));
                match found.ok_or_else(|| ClaimError::Unreadable { id: id.to_owned() })? {
                    Found::Done { attempt } => Ok(Claim::Done { attempt }),
                    Found::Claimed(other) => {
                        if other.until() > until {
                            self.shorten(client, id, &other, until).await?;
                        }
                        Ok(Claim::InProgress { until: instant(other.until().min(until)) })
                    }
                }
            }
            Err(error) => Err(AwsError::of(service::DYNAMODB, "PutItem", error).into()),
        }
    }

    /// Ends another worker's lease at `until`, unless it has changed since it was read: then the next attempt to claim
    /// finds what it is now.
    async fn shorten(
        &self,
        client: &DynamoDb,
        id: &str,
        other: &Other,
        until: i64,
    ) -> Result<(), ClaimError> {
        let update = client
            .update_item()
            .table_name(&self.table)
            .key(PARTITION_KEY, text(id))
            .update_expression("SET #until = :until")
            .condition_expression("#state = :claimed AND #owner = :owner AND #until = :found")
            .expression_attribute_names("#state", STATE)
            .expression_attribute_names("#until", LEASE_UNTIL)
            .expression_attribute_names("#owner", OWNER)
            .expression_attribute_values(":claimed", text(CLAIMED))
            .expression_attribute_values(":owner", other.owner.clone())
            .expression_attribute_values(":found", AttributeValue::N(other.lease_until.clone()))
            .expression_attribute_values(":until", number(until));
        // If not, the other worker has renewed or ended its claim meanwhile.
        update_if(client, update).await?;
        Ok(())
    }

    /// Records that the effect was carried out; the claim is never handed out again.
    ///
    /// # Errors
    /// [`ClaimError::Lost`] if the lease ended and another worker claimed it, [`ClaimError::Aws`] if DynamoDB fails.
    pub async fn complete(&self, client: &DynamoDb, token: &Token, now: Timestamp) -> Result<(), ClaimError> {
        let update = client
            .update_item()
            .table_name(&self.table)
            .key(PARTITION_KEY, text(&token.id))
            .update_expression("SET #state = :done, #expires = :expires REMOVE #until")
            .condition_expression("#owner = :owner")
            .expression_attribute_names("#state", STATE)
            .expression_attribute_names("#expires", EXPIRES_AT)
            .expression_attribute_names("#until", LEASE_UNTIL)
            .expression_attribute_names("#owner", OWNER)
            .expression_attribute_values(":done", text(DONE))
            .expression_attribute_values(":expires", number(expiry(now)))
            .expression_attribute_values(":owner", text(&token.owner));
        if update_if(client, update).await? { Ok(()) } else { Err(ClaimError::Lost { id: token.id.clone() }) }
    }

    /// Returns whether the effect of `id` is recorded as carried out. What was recorded before the call counts.
    ///
    /// # Errors
    /// [`ClaimError::Aws`] if DynamoDB fails, [`ClaimError::Unreadable`] if the key holds something else.
    pub async fn is_done(&self, client: &DynamoDb, id: &str) -> Result<bool, ClaimError> {
        let get =
            client.get_item().table_name(&self.table).key(PARTITION_KEY, text(id)).consistent_read(true);
        let answer =
            client.call(get).await.map_err(|error| AwsError::of(service::DYNAMODB, "GetItem", error))?;
        let Some(item) = answer.item else { return Ok(false) };
        match read(&item) {
            Some(found) => Ok(matches!(found, Found::Done { .. })),
            None => Err(ClaimError::Unreadable { id: id.to_owned() }),
        }
    }

    /// Releases the claim before its lease ends, because the effect was not carried out.
    ///
    /// # Errors
    /// [`ClaimError::Lost`] if another worker claimed it or it was completed, [`ClaimError::Aws`] if DynamoDB fails.
    pub async fn release(&self, client: &DynamoDb, token: &Token) -> Result<(), ClaimError> {
        let delete = client
            .delete_item()
            .table_name(&self.table)
            .key(PARTITION_KEY, text(&token.id))
            .condition_expression("attribute_not_exists(#pk) OR (#owner = :owner AND #state = :claimed)")
            .expression_attribute_names("#pk", PARTITION_KEY)
            .expression_attribute_names("#owner", OWNER)
            .expression_attribute_names("#state", STATE)
            .expression_attribute_values(":owner", text(&token.owner))
            .expression_attribute_values(":claimed", text(CLAIMED));
        match client.call(delete).await {
            Ok(_) => Ok(()),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(DeleteItemError::is_conditional_check_failed_exception) =>
            {
                Err(ClaimError::Lost { id: token.id.clone() })
            }
            Err(error) => Err(AwsError::of(service::DYNAMODB, "DeleteItem", error).into()),
        }
    }
}

/// An existing claim.
enum Found {
    Done { attempt: Option<String> },
    Claimed(Other),
}

/// Another worker's claim.
struct Other {
    owner: AttributeValue,
    /// The end of its lease as it stands in the table.
    lease_until: String,
}

impl Other {
    /// Returns the end of the lease in milliseconds since 1970. A number that is none of milliseconds, which no worker
    /// of this kind writes, is later than any.
    fn until(&self) -> i64 {
        self.lease_until.parse().unwrap_or(i64::MAX)
    }
}

/// Reads the state of an existing claim; `None` if the item is not a claim.
fn read(item: &HashMap<String, AttributeValue>) -> Option<Found> {
    match item.get(STATE)?.as_s().ok()?.as_str() {
        DONE => Some(Found::Done { attempt: attempt_in(item) }),
        CLAIMED => {
            let lease_until = item.get(LEASE_UNTIL)?.as_n().ok()?.clone();
            Some(Found::Claimed(Other { owner: item.get(OWNER)?.clone(), lease_until }))
        }
        _ => None,
    }
}

/// Returns the trace header that is kept with a claim.
fn attempt_in(item: &HashMap<String, AttributeValue>) -> Option<String> {
    item.get(ATTEMPT)?.as_s().ok().cloned()
}

/// Returns the end of a lease that begins `now`, in milliseconds since 1970.
fn end_of(lease: Duration, now: Timestamp) -> i64 {
    now.as_millisecond().saturating_add(i64::try_from(lease.as_millis()).unwrap_or(i64::MAX))
}

fn instant(milliseconds: i64) -> Timestamp {
    Timestamp::from_millisecond(milliseconds).unwrap_or(Timestamp::MAX)
}

fn expiry(now: Timestamp) -> i64 {
    now.as_second().saturating_add(RETENTION.as_secs())
}

fn text(value: &(impl ToString + ?Sized)) -> AttributeValue {
    AttributeValue::S(value.to_string())
}

fn number(value: i64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

/// Sends a conditional update. Returns whether its condition held.
async fn update_if(client: &DynamoDb, update: UpdateItemFluentBuilder) -> Result<bool, AwsError> {
    match client.call(update).await {
        Ok(_) => Ok(true),
        Err(error)
            if error
                .as_service_error()
                .is_some_and(UpdateItemError::is_conditional_check_failed_exception) =>
        {
            Ok(false)
        }
        Err(error) => Err(AwsError::of(service::DYNAMODB, "UpdateItem", error)),
    }
}
