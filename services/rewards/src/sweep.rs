//! What time does to an account: points cease to count for the tier, and the entries of an erased customer are erased.
//!
//! Only the account is due, never its entries: at the earliest time at which points of it cease to count, so a customer takes
//! one place in the index of what is due. What has ceased to count since the last time is read by the index of entries.

use contracts::CustomerNumber;
use handlers::Effect;
use jiff::{SignedDuration, Timestamp};
use sqs_consumer::Failure;
use sweeper::{Due, DueItem, HandleDue, Item};
use uuid::Uuid;

use crate::announce::announce;
use crate::domain::Mark;
use crate::ledger::LedgerError;
use crate::table::{self, Rewards, Stored};

/// Points ceased to count.
const EXPIRED: &str = "expired";
/// No points ceased to count, such as after an erasure, or because it was only to be looked at.
const UNCHANGED: &str = "unchanged";
/// Entries of an erased customer were erased.
const ERASED: &str = "erased";
/// The reason for an erasure that waits until the index shows every entry.
const INDEX_BEHIND: &str = "index-behind";

/// The most entries erased at once: DynamoDB accepts 100 items in a transaction, some of which are the marker, the account
/// and an announcement.
const ERASED_AT_ONCE: usize = 90;
/// Entries in a page of the index when points cease to count. Nothing is written to them, so pages are large.
const PAGE: i32 = 1_000;
/// The most entries whose points cease to count in one transaction.
const EXPIRED_AT_ONCE: usize = 20_000;

/// Handles accounts that fall due.
#[derive(Clone, Debug)]
pub(crate) struct SweepAccounts {
    rewards: Rewards,
    page: i32,
    expired_at_once: usize,
}

impl SweepAccounts {
    pub(crate) fn new(rewards: Rewards) -> Self {
        Self { rewards, page: PAGE, expired_at_once: EXPIRED_AT_ONCE }
    }

    /// Reads and takes away fewer entries at once.
    #[cfg(test)]
    pub(crate) fn with_pages(self, page: i32, expired_at_once: usize) -> Self {
        Self { page, expired_at_once, ..self }
    }

    /// Takes away the points that have ceased to count, and finds out when the next ones do.
    async fn expire(&self, due: &DueItem, stored: &Stored) -> Result<Effect, Failure> {
        let before = &stored.account;
        let customer = &before.customer_number;
        let mut through = Mark { at: due.now, event_id: Uuid::max() };
        let (mut leaving, mut start) = (Vec::new(), None);
        let next = loop {
            let page =
                self.rewards.leaving(customer, before.expired_through, through, self.page, start).await?;
            leaving.extend(page.movements);
            start = page.next;
            if start.is_none() {
                break self.next_after(customer, through).await?;
            }
            if let Some(last) = leaving.last().filter(|_| leaving.len() >= self.expired_at_once) {
                through = last.mark();
                break Some((again(due), None));
            }
        };
        let mut after = before.clone();
        after.expire(&leaving, through, next.as_ref().map(|(at, _)| *at), due.now);
        let write = stored.replace(&after, |at| match &next {
            Some((next, Some(origin))) if *next == at => {
                let mut attributes = Due::at(at).attributes(&due.key);
                attributes.extend(origin.clone());
                attributes
            }
            _ => due.again_at(at).attributes(&due.key),
        });
        let outcome = if after.tier_points == before.tier_points { UNCHANGED } else { EXPIRED };
        Ok(announce(Effect::new(outcome).put(write), before, &after))
    }

    /// Returns when the next points cease to count, and the event that earned them.
    async fn next_after(
        &self,
        customer_number: &CustomerNumber,
        mark: Mark,
    ) -> Result<Option<(Timestamp, Option<Item>)>, Failure> {
        let Some(next) = self.rewards.first_after(customer_number, mark).await? else { return Ok(None) };
        Ok(Some((next.counts_until, Some(self.rewards.origin(next.event_id).await?))))
    }

    /// Erases entries that fall under the tombstone, and ends the erasure if none is left.
    ///
    /// The index may still miss an entry or show one that is erased. So the erasure resumes where it stopped, and ends only
    /// when a look at all entries has found no more than those that occurred later, and as many as the account counts.
    async fn erase(&self, due: &DueItem, mut stored: Stored) -> Result<Effect, Failure> {
        let before = stored.account.clone();
        let mut after = before.clone();
        let mut effect = Effect::new(ERASED);
        let found = self.fallen(&stored).await?;
        if let Some(last) = found.fallen.last() {
            stored.erased_through = Some(crate::mark::place(last));
            after.forget(&found.fallen, again(due));
            for movement in &found.fallen {
                effect = effect.update(table::erase_entry(movement.event_id));
            }
            if after.entries == 0 {
                after.cleared(again(due));
            }
        } else if stored.erased_through.take().is_some() {
            // To the end. Once more from the beginning, for what the index missed.
            after.forget(&[], again(due));
        } else if found.others == before.entries {
            after.cleared(again(due));
        } else {
            return Err(Failure::transient(INDEX_BEHIND));
        }
        let write = stored.replace(&after, |at| due.again_at(at).attributes(&due.key));
        Ok(announce(effect.put(write), &before, &after))
    }

    /// Returns the next entries that fall under the tombstone; if there are none, the number of all others.
    async fn fallen(&self, stored: &Stored) -> Result<Found, LedgerError> {
        let account = &stored.account;
        let mut found = Found { fallen: Vec::new(), others: 0 };
        let mut start = None;
        loop {
            let after = stored.erased_through.as_deref();
            let page = self.rewards.entries_after(&account.customer_number, after, start).await?;
            for movement in page.movements {
                if !account.is_erased_at(movement.occurred_at) {
                    found.others += 1;
                } else if found.fallen.len() < ERASED_AT_ONCE {
                    found.fallen.push(movement);
                }
            }
            start = page.next;
            if start.is_none() || found.fallen.len() == ERASED_AT_ONCE {
                return Ok(found);
            }
        }
    }
}

struct Found {
    fallen: Vec<crate::domain::Movement>,
    others: u64,
}

impl HandleDue for SweepAccounts {
    fn kind(&self, _: &str) -> &'static str {
        "AccountDue"
    }

    async fn handle(&self, due: &DueItem) -> Result<Effect, Failure> {
        let customer_number = table::customer_of(&due.key);
        let stored = customer_number.and_then(|customer_number| table::read(&customer_number, &due.item));
        let stored = stored.ok_or(Failure::permanent(table::UNREADABLE))?;
        if stored.account.erasing {
            Box::pin(self.erase(due, stored)).await
        } else {
            Box::pin(self.expire(due, &stored)).await
        }
    }
}

/// Returns the next time at which the account is due because something is left to do now. Another one, because what follows
/// has ids that are a function of it.
fn again(due: &DueItem) -> Timestamp {
    due.due_at.saturating_add(SignedDuration::from_nanos(1)).unwrap_or(Timestamp::MAX)
}
