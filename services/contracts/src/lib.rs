//! Every event type of the loyalty domain: what the CRM sends and what the services announce.
//!
//! The types check themselves when they are read, so that a value of one is always valid. Reading is
//! tolerant of fields it does not know: a producer may add one before its consumers learn of it.
//! Names and addresses are personal data; their `Debug` output is redacted.
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
mod loyalty;
mod values;

pub use crm::{ContactPreferencesChanged, CustomerEnrolled, CustomerErased, CustomerRenamed};
pub use loyalty::{
    Contact, MemberEnrolled, MemberErased, MemberPreferencesChanged, MemberRenamed, NotificationRequested,
    Template,
};
pub use values::{Channel, Channels, CustomerNumber, EmailAddress, InvalidValue, Locale, Name, NamePart};

/// The `source` of the events that the CRM sends.
pub const CRM: &str = "foostore.crm";
/// The `source` of the events that this layer's own services announce.
pub const LOYALTY: &str = "foostore.loyalty";

macro_rules! event {
    ($name:ident, $source:expr) => {
        impl envelope::Event for $name {
            const TYPE: &'static str = stringify!($name);
            const SOURCE: &'static str = $source;

            fn customer_number(&self) -> &str {
                self.customer_number.as_str()
            }
        }

        // A type without a fixture does not compile.
        const _: &str = include_str!(concat!("../fixtures/", stringify!($name), ".json"));
    };
}
use event;
