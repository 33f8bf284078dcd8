//! Events with their type, and the envelope that carries one with its type erased.

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::{DecodeError, EncodeError, Metadata, data};

/// An event's data with the names it travels under.
pub trait Event: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The event's name; EventBridge's `detail-type`.
    const TYPE: &'static str;
    /// The producer's name; EventBridge's `source`.
    const SOURCE: &'static str;
    /// Version of the shape of the data. It rises when a consumer of the old shape would misread the new one.
    const SCHEMA_VERSION: u32 = 1;

    /// Returns the number of the customer it concerns, the one personal identifier that telemetry may carry.
    fn customer_number(&self) -> &str;
}

/// The names of one event type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventType {
    /// EventBridge's `source`.
    pub source: &'static str,
    /// EventBridge's `detail-type`.
    pub name: &'static str,
}

/// A tuple of event types, as declared in a service's topology.
pub trait EventSet {
    /// Returns the names of every type in the tuple, in the order written.
    fn types() -> Vec<EventType>;
}

/// Returns the names of the event types in the tuple `S`.
///
/// ```
/// # use serde::{Deserialize, Serialize};
/// # #[derive(Serialize, Deserialize)] struct Enrolled;
/// # impl envelope::Event for Enrolled {
/// #     const TYPE: &'static str = "Enrolled"; const SOURCE: &'static str = "crm";
/// #     fn customer_number(&self) -> &str { "" }
/// # }
/// let types = envelope::events::<(Enrolled,)>();
/// assert_eq!((types[0].source, types[0].name), ("crm", "Enrolled"));
/// ```
#[must_use]
pub fn events<S: EventSet>() -> Vec<EventType> {
    S::types()
}

macro_rules! event_set {
    ($($name:ident)+) => {
        impl<$($name: Event),+> EventSet for ($($name,)+) {
            fn types() -> Vec<EventType> {
                vec![$(EventType { source: $name::SOURCE, name: $name::TYPE }),+]
            }
        }
    };
}
event_set!(A);
event_set!(A B);
event_set!(A B C);
event_set!(A B C D);
event_set!(A B C D E);
event_set!(A B C D E F);
event_set!(A B C D E F G);
event_set!(A B C D E F G H);
event_set!(A B C D E F G H I);
event_set!(A B C D E F G H I J);
event_set!(A B C D E F G H I J K);
event_set!(A B C D E F G H I J K L);

/// An event as it travels: its type erased, its data raw JSON text.
///
/// `Debug` omits the data, which is where personal data is.
#[derive(Clone)]
pub struct Envelope {
    /// EventBridge's `source`.
    pub source: String,
    /// EventBridge's `detail-type`.
    pub event_type: String,
    /// The customer the event concerns: `data.customer_number`, if it is an identifier of at most 64 ASCII letters,
    /// digits, hyphens and underscores, with at least one digit.
    pub customer_number: Option<String>,
    /// What is known about the event besides its data.
    pub metadata: Metadata,
    /// The data, a JSON object.
    pub data: Box<RawValue>,
}

impl Envelope {
    /// Wraps `event`. `metadata.schema_version` is set to the event type's own.
    ///
    /// # Errors
    /// [`EncodeError`] if the event cannot be written as JSON.
    pub fn new<E: Event>(metadata: Metadata, event: &E) -> Result<Self, EncodeError> {
        Ok(Self {
            source: E::SOURCE.to_owned(),
            event_type: E::TYPE.to_owned(),
            customer_number: Some(event.customer_number().to_owned()),
            metadata: Metadata { schema_version: E::SCHEMA_VERSION, ..metadata },
            data: data::encode(E::TYPE, event)?,
        })
    }

    /// Decodes the data as an event of type `E`.
    ///
    /// # Errors
    /// [`DecodeError`] if the envelope holds another type, a newer schema version, or data of another
    /// shape. It names the place, never a value.
    pub fn decode<E: Event>(&self) -> Result<E, DecodeError> {
        if self.event_type != E::TYPE {
            return Err(DecodeError::OtherType { expected: E::TYPE, found: self.event_type.clone() });
        }
        if self.metadata.schema_version > E::SCHEMA_VERSION {
            return Err(DecodeError::NewerSchema {
                event_type: E::TYPE,
                known: E::SCHEMA_VERSION,
                found: self.metadata.schema_version,
            });
        }
        data::decode(E::TYPE, self.data.get())
    }

    /// Returns the EventBridge `detail`: `{"metadata": …, "data": …}`.
    #[must_use]
    pub fn detail(&self) -> String {
        data::write(&Detail { metadata: &self.metadata, data: &self.data })
    }

    /// Returns the body for SNS: `{"source": …, "detail-type": …, "detail": {…}}`.
    #[must_use]
    pub fn message(&self) -> String {
        data::write(&Message {
            source: &self.source,
            detail_type: &self.event_type,
            detail: Detail { metadata: &self.metadata, data: &self.data },
        })
    }
}

impl fmt::Debug for Envelope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Envelope")
            .field("source", &self.source)
            .field("event_type", &self.event_type)
            .field("customer_number", &self.customer_number)
            .field("metadata", &self.metadata)
            .finish_non_exhaustive()
    }
}

#[derive(Serialize)]
struct Detail<'a> {
    metadata: &'a Metadata,
    data: &'a RawValue,
}

#[derive(Serialize)]
struct Message<'a> {
    source: &'a str,
    #[serde(rename = "detail-type")]
    detail_type: &'a str,
    detail: Detail<'a>,
}
