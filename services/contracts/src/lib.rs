//! Every event type of the loyalty domain: what the CRM sends and what the services announce.
//!
//! An event's shape is written once, as a struct. Its values check themselves when they are read, so that a value is
//! always valid; the struct's JSON Schema, derived from the same declarations, is what `ingest` validates requests
//! against and publishes in its API description. A new event type is a struct with `event!` and a fixture, and a line
//! in the tuple of the service that emits it.
//!
//! Reading tolerates unknown fields: a producer may add one before its consumers are updated. Names and addresses are
//! personal data; their `Debug` output is redacted.
//!
//! ```
//! use contracts::{CustomerRenamed, Name};
//! use envelope::Event;
//!
//! let event: CustomerRenamed = serde_json::from_str(
//!     r#"{"customer_number": "123456789012", "name": {"given": "Ada", "family": "Lovelace"}}"#,
//! )?;
//! assert_eq!(event.customer_number(), "123456789012");
//! assert!(!format!("{event:?}").contains("Lovelace"));
//! # Ok::<(), serde_json::Error>(())
//! ```

mod crm;
mod discounts;
mod loyalty;
mod notification;
mod points;
mod text;
mod values;

use envelope::Event;
use jiff::SignedDuration;
use schemars::JsonSchema;

pub use crm::{ContactPreferencesChanged, CustomerEnrolled, CustomerErased, CustomerRenamed};
pub use discounts::{
    Amount, CurrencyCode, DiscountActivated, DiscountExpired, DiscountGifted, DiscountId, DiscountRedeemed,
    DiscountUsed, DiscountValue, Percentage,
};
pub use loyalty::{
    AddressUndeliverable, Contact, MemberEnrolled, MemberErased, MemberPreferencesChanged, MemberRenamed,
    UndeliverableReason,
};
pub use notification::{NotificationRequested, Subject};
pub use points::{
    Points, PointsBalanceChanged, PointsEarned, PointsRedeemed, RedemptionRefused, Tier, TierAscended,
    TierDescended,
};
pub use text::InvalidValue;
pub use values::{Channel, Channels, CustomerNumber, EmailAddress, Locale, Name, NamePart};

/// The application's name, unless a deployment sets `APPLICATION`.
pub const APPLICATION: &str = "foostore";
/// The `source` of the events that the CRM sends.
pub const CRM: &str = "foostore.crm";
/// The `source` of the events that this layer's own services announce.
pub const LOYALTY: &str = "foostore.loyalty";

/// How far ahead of ours the clock of a producer may be: the most that `occurred_at` may lie in the future.
pub const CLOCK_TOLERANCE: SignedDuration = SignedDuration::from_mins(5);

/// An event type of the domain: its names, its schema and an example.
pub trait Contract: Event + JsonSchema {
    /// An event as JSON: the type's fixture.
    const EXAMPLE: &'static str;
}

/// Makes a struct an event type. Its fixture, `fixtures/<name>.json`, must exist.
macro_rules! event {
    ($name:ident, $source:expr) => {
        impl envelope::Event for $name {
            const TYPE: &'static str = stringify!($name);
            const SOURCE: &'static str = $source;

            fn customer_number(&self) -> &str {
                self.customer_number.as_str()
            }
        }

        impl crate::Contract for $name {
            const EXAMPLE: &'static str = include_str!(concat!("../fixtures/", stringify!($name), ".json"));
        }

        #[cfg(test)]
        #[test]
        #[expect(non_snake_case, reason = "named after the event type")]
        fn $name() {
            crate::tests::keeps_its_wire_format::<$name>();
        }
    };
}
use event;

#[cfg(test)]
mod tests;
