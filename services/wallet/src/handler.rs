//! Handles events: the pass they change, and the phones that are told.

use contracts::{
    CustomerNumber, DiscountActivated, DiscountExpired, DiscountUsed, MemberEnrolled, MemberErased,
    MemberRenamed, PointsBalanceChanged,
};
use futures_util::future::join_all;
use handlers::{HandleAtLeastOnce, Subscriber};
use jiff::Timestamp;
use sqs_consumer::{Delivery, Done, Failure};

use crate::apns::{Apns, PushError};
use crate::device::{DeviceId, PushToken};
use crate::domain::serial::Serial;
use crate::domain::{News, Place};
use crate::passes::{Kept, Passes};
use crate::registrations::{OUTLIVES, Registrations};

/// The pass showed it already, or something later.
const UNCHANGED: Done = Done::without_effect("unchanged");

/// Keeps passes, and tells phones of changes.
///
/// It needs no guard against redelivery: merging an event that is known changes nothing. A pass is written before its phones
/// are told, and what they were told of is recorded afterwards, so a process that dies in between leaves a pass that the
/// redelivery tells of.
#[derive(Debug)]
pub(crate) struct KeepPasses {
    pub(crate) passes: Passes,
    pub(crate) registrations: Registrations,
    pub(crate) apns: Apns,
}

impl KeepPasses {
    async fn keep(
        &self,
        customer_number: &CustomerNumber,
        news: News,
        delivery: &Delivery,
        first: bool,
    ) -> Result<Done, Failure> {
        let metadata = &delivery.envelope.metadata;
        let place = Place {
            event_id: metadata.event_id,
            occurred_at: metadata.occurred_at,
            published_at: metadata.published_at,
        };
        let kept = self.passes.keep(customer_number, &news, place, first).await?;
        // A push makes the phone fetch the pass and show what has changed, so a silent change waits for the next one. That
        // a pass is void does not wait.
        if !metadata.silent || !kept.valid {
            self.tell(Serial::of(customer_number), &kept).await?;
        }
        Ok(if kept.changed { Done::APPLIED } else { UNCHANGED })
    }

    /// Tells the phones of a pass of its version, unless they know.
    async fn tell(&self, serial: Serial, kept: &Kept) -> Result<(), Failure> {
        let registered = self.registrations.of_pass(serial).await?;
        let told = registered.pushed.as_deref() == Some(&*kept.etag) && registered.expires != kept.valid;
        if registered.devices.is_empty() || told {
            return Ok(());
        }
        let pushes = registered.devices.iter().map(|(device, token)| self.push(serial, device, token));
        // Every phone is told before one that was not fails the message.
        join_all(pushes).await.into_iter().collect::<Result<(), Failure>>()?;
        let forgotten_at = (!kept.valid).then(|| Timestamp::now() + OUTLIVES);
        self.registrations.told(serial, &registered, &kept.etag, forgotten_at).await?;
        Ok(())
    }

    async fn push(&self, serial: Serial, device: &DeviceId, token: &PushToken) -> Result<(), Failure> {
        match self.apns.push(token).await {
            Err(PushError::Gone) => Ok(self.registrations.unregister(device, serial, Some(token)).await?),
            pushed => Ok(pushed?),
        }
    }
}

impl Subscriber for KeepPasses {
    /// A balance carries the tier, so `TierAscended` and `TierDescended` would tell nothing new. Nor would the notifications of
    /// the channel `wallet`: a phone shows by itself what has changed on a pass.
    type Events = (
        MemberEnrolled,
        MemberRenamed,
        MemberErased,
        PointsBalanceChanged,
        DiscountActivated,
        DiscountExpired,
        DiscountUsed,
    );
}

/// Implements the handler of an event; `true` for the one that usually begins a pass.
macro_rules! keeps {
    ($($event:ident: $first:literal,)*) => {$(
        impl HandleAtLeastOnce<$event> for KeepPasses {
            async fn handle(&self, event: $event, delivery: &Delivery) -> Result<Done, Failure> {
                let customer_number = event.customer_number.clone();
                self.keep(&customer_number, event.into(), delivery, $first).await
            }
        }
    )*};
}

keeps! {
    MemberEnrolled: true,
    MemberRenamed: false,
    MemberErased: false,
    PointsBalanceChanged: false,
    DiscountActivated: false,
    DiscountExpired: false,
    DiscountUsed: false,
}
