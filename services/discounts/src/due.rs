//! What falls due: discounts that expire, and erasures that remove discounts.

use contracts::CustomerNumber;
use handlers::Effect;
use jiff::{SignedDuration, Timestamp};
use sqs_consumer::Failure;
use sweeper::{DueItem, HandleDue};

use crate::domain::{APPLIED, Change};
use crate::handler::announce;
use crate::table::{Discounts, Erasure, Stored, erased_customer, erasure_due};

/// How many discounts an erasure changes at a time. Each takes up to two of the hundred items of a transaction.
const REMOVED_AT_ONCE: usize = 40;
/// Discounts in a page of the customer's index.
const PAGE: i32 = 100;
/// How long after its arrival an erasure looks once more: a discount written just before it may have been missing from the
/// index, which is behind the table by far less.
const LOOKS_AGAIN_AFTER: SignedDuration = SignedDuration::from_mins(15);

/// Handles what falls due.
#[derive(Clone, Debug)]
pub(crate) struct HandleDueDiscounts {
    discounts: Discounts,
}

impl HandleDueDiscounts {
    pub(crate) fn new(discounts: Discounts) -> Self {
        Self { discounts }
    }

    fn expire(due: &DueItem) -> Result<Effect, Failure> {
        let stored = Stored::read(&due.key, &due.item)?;
        let Change { discount, announcement, outcome } = stored.discount.clone().fallen_due(due.now);
        let again = discount.due_at().map(|at| due.again_at(at));
        let effect = stored.replace(Effect::new(outcome), &discount, again)?;
        Ok(announce(effect, announcement.as_ref()))
    }

    /// Removes some of what a customer had when they were erased.
    async fn remove(&self, due: &DueItem, customer_number: &CustomerNumber) -> Result<Effect, Failure> {
        let erasure = Erasure::read(&due.key, &due.item)?;
        let mut effect = Effect::new(APPLIED);
        let (mut removed, mut start) = (0, None);
        loop {
            let (keys, next) = self.discounts.of_customer(customer_number, start, PAGE).await?;
            for key in keys {
                let Some(stored) = self.discounts.stored(&key).await? else { continue };
                let change = stored.discount.clone().erased(erasure.erased_at, due.now);
                if change.discount == stored.discount {
                    continue;
                }
                let expires = change.discount.due_at().map(|at| due.again_at(at));
                effect = stored.replace(effect, &change.discount, expires)?;
                effect = announce(effect, change.announcement.as_ref());
                removed += 1;
                if removed == REMOVED_AT_ONCE {
                    return Ok(erasure_due(
                        effect,
                        &due.key,
                        erasure,
                        Some(&due.again_at(later(due, due.now))),
                    ));
                }
            }
            match next {
                Some(next) => start = Some(next),
                None => break,
            }
        }
        let last_look = erasure.arrived_at.saturating_add(LOOKS_AGAIN_AFTER).unwrap_or(Timestamp::MAX);
        let again = (due.due_at < last_look).then(|| due.again_at(later(due, last_look)));
        Ok(erasure_due(effect, &due.key, erasure, again.as_ref()))
    }
}

/// Returns `at`, or the instant after the item fell due if that is later: being due again is another time.
fn later(due: &DueItem, at: Timestamp) -> Timestamp {
    let next = due.due_at.saturating_add(SignedDuration::from_nanos(1)).unwrap_or(Timestamp::MAX);
    at.max(next)
}

impl HandleDue for HandleDueDiscounts {
    fn kind(&self, key: &str) -> &'static str {
        if erased_customer(key).is_some() { "ErasureDue" } else { "DiscountDue" }
    }

    async fn handle(&self, due: &DueItem) -> Result<Effect, Failure> {
        match erased_customer(&due.key) {
            Some(customer_number) => self.remove(due, &customer_number).await,
            None => Self::expire(due),
        }
    }
}
