//! The service's part: what happens when an item falls due.

use std::future::Future;

use handlers::Effect;
use sqs_consumer::Failure;

use crate::DueItem;

/// Handles items that have fallen due.
pub trait HandleDue: Send + Sync + 'static {
    /// Names what falls due with the item of this key, in the form of an event type, such as `DiscountDue`: the `event_type`
    /// of log lines, spans and metrics.
    fn kind(&self, key: &str) -> &'static str;

    /// Decides what follows from `due`. It reads what it needs and writes nothing: the returned [`Effect`] is committed once,
    /// with its announcements, whose ids are a function of [`DueItem::id`].
    ///
    /// The effect changes the item: it removes the attributes of [`ATTRIBUTES`](crate::ATTRIBUTES), or sets those of a later
    /// [`Due`](crate::Due), under a condition on what was read, such as a revision. If the condition does not hold, the item
    /// is read again, and the handler is called again if it is still due. An item that is due after its effect as it was
    /// before is parked, with the reason `still-due`.
    ///
    /// # Errors
    /// A transient [`Failure`] leaves the item due, to be tried again; a permanent one parks it.
    fn handle(&self, due: &DueItem) -> impl Future<Output = Result<Effect, Failure>> + Send;
}
