//! Has a Pipe announce again what it could not put on the bus.
//!
//! A Pipe's dead letter names records of a stream, which keeps them for a day, while the table keeps the outbox items for
//! two weeks. So it is the items that are read, by the time at which the records arrived; a surplus event is a
//! duplicate to its consumers.

use std::collections::BTreeMap;

use aws_clients::AwsError;
use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tokio::time::Interval;

use super::letter::Letter;
use crate::outbox::{Announcement, Outbox};

/// How long before its record arrived an event may have been published: a handler retries for no longer.
const BEFORE: SignedDuration = SignedDuration::from_mins(2);
/// How long after: clocks differ, and a record's time has whole seconds.
const AFTER: SignedDuration = SignedDuration::from_secs(5);

/// A period of time, both ends included.
type Period = (Timestamp, Timestamp);

/// Announces each event again that may belong to one of the letters. Returns how many there were, by table.
///
/// # Errors
/// When DynamoDB cannot be reached or refuses a call.
pub(super) async fn announce_again(
    config: &SdkConfig,
    prefix: &str,
    letters: &[Letter],
    turns: &mut Interval,
) -> Result<BTreeMap<String, usize>, AwsError> {
    let client = Client::new(config);
    let mut periods: BTreeMap<String, Vec<Period>> = BTreeMap::new();
    for letter in letters {
        periods.entry(format!("{prefix}-{}", letter.service())).or_default().extend(period(letter));
    }
    let mut announced = BTreeMap::new();
    for (table, periods) in periods {
        let outbox = Outbox::new(client.clone(), table);
        let mut number = 0;
        outbox
            .for_each(async |announcement: Announcement| -> Result<(), AwsError> {
                let at = announcement.published_at;
                if periods.iter().any(|(from, to)| (*from..=*to).contains(&at)) {
                    turns.tick().await;
                    outbox.announce(&announcement).await?;
                    number += 1;
                }
                Ok(())
            })
            .await?;
        announced.insert(outbox.table().to_owned(), number);
    }
    Ok(announced)
}

/// Returns the time in which what a letter names was published.
fn period(letter: &Letter) -> Option<Period> {
    let records = letter.explanation.get("records")?;
    let time = |name| records.get(name).and_then(Value::as_str)?.parse::<Timestamp>().ok();
    let first = time("approximateArrivalOfFirstRecord")?;
    let last = time("approximateArrivalOfLastRecord").unwrap_or(first);
    Some((first.saturating_sub(BEFORE).ok()?, last.saturating_add(AFTER).ok()?))
}
