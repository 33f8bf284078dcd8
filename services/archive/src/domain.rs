//! What the archive consists of: lines, and the objects that they are in.

use envelope::{Envelope, Metadata};
use jiff::Timestamp;
use serde::{Deserialize, Serialize, Serializer};
use uuid::Uuid;

/// The service's name.
pub const NAME: &str = "archive";

/// One event in the archive. Every line has every field, so that a reader finds the same columns everywhere.
///
/// `Debug` shows no data: it is encrypted.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Line {
    /// EventBridge's `source`.
    pub source: String,
    /// EventBridge's `detail-type`.
    pub detail_type: String,
    /// The customer whose data key the data is encrypted with. Without one, it is a key that belongs to nobody.
    pub customer_number: Option<String>,
    /// The event's metadata. `event_id` is the same in every line of an event that was delivered more than once.
    #[serde(serialize_with = "with_every_field")]
    pub metadata: Metadata,
    /// The event's data, encrypted. Absent if the customer had been erased when the event arrived.
    pub data: Option<Sealed>,
    /// Whether the data is absent because the customer had been erased.
    pub erased: bool,
}

/// Data encrypted by AES-256-GCM. The [additional data](Line::additional_data) is that of its line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealed {
    /// The data key. If the customer's key is another one by now, or none, nobody can decrypt this.
    pub key_id: Uuid,
    /// The nonce, in Base64.
    pub nonce: String,
    /// The ciphertext with the tag of 16 bytes at its end, in Base64.
    pub ciphertext: String,
}

impl Line {
    /// Creates the line of an event.
    #[must_use]
    pub fn new(envelope: &Envelope, data: Option<Sealed>) -> Self {
        Self {
            source: envelope.source.clone(),
            detail_type: envelope.event_type.clone(),
            customer_number: envelope.customer_number.clone(),
            metadata: envelope.metadata.clone(),
            erased: data.is_none(),
            data,
        }
    }

    /// Returns what is authenticated beside the ciphertext: no line's data is taken for that of another event or customer.
    #[must_use]
    pub fn additional_data(&self) -> Vec<u8> {
        additional_data(self.customer_number.as_deref(), self.metadata.event_id)
    }
}

/// Returns the customer number, if there is one, a slash, and the event's id.
#[must_use]
pub fn additional_data(customer_number: Option<&str>, event_id: Uuid) -> Vec<u8> {
    format!("{}/{event_id}", customer_number.unwrap_or_default()).into_bytes()
}

/// Returns what the keys of the objects begin with that hold events published in the hour of `published_at`, in UTC.
#[must_use]
pub fn prefix(published_at: Timestamp) -> String {
    published_at.strftime("year=%Y/month=%m/day=%d/hour=%H/").to_string()
}

fn with_every_field<S: Serializer>(metadata: &Metadata, serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Fields<'a> {
        event_id: Uuid,
        occurred_at: Timestamp,
        published_at: Timestamp,
        schema_version: u32,
        correlation_id: Uuid,
        causation_id: Option<Uuid>,
        trace: Option<&'a str>,
        silent: bool,
    }
    let fields = Fields {
        event_id: metadata.event_id,
        occurred_at: metadata.occurred_at,
        published_at: metadata.published_at,
        schema_version: metadata.schema_version,
        correlation_id: metadata.correlation_id,
        causation_id: metadata.causation_id,
        trace: metadata.trace.as_deref(),
        silent: metadata.silent,
    };
    fields.serialize(serializer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_has_every_field_and_is_read_back() {
        let at = "2026-03-01T12:00:00Z".parse().unwrap();
        let metadata = Metadata::first(Uuid::from_u128(7), at, at);
        let sealed =
            Sealed { key_id: Uuid::from_u128(8), nonce: "bm9uY2U=".into(), ciphertext: "Y2lw".into() };
        for (customer_number, data) in [(Some("123456789012".to_owned()), Some(sealed)), (None, None)] {
            let line = Line {
                source: "foostore.crm".into(),
                detail_type: "CustomerErased".into(),
                customer_number,
                metadata: metadata.clone(),
                erased: data.is_none(),
                data,
            };
            let json = serde_json::to_value(&line).unwrap();
            assert_eq!(json.as_object().unwrap().len(), 6, "{json}");
            assert_eq!(json["metadata"].as_object().unwrap().len(), 8, "{json}");
            let read: Line = serde_json::from_value(json).unwrap();
            assert_eq!((&read.metadata, &read.data), (&line.metadata, &line.data));
        }
    }

    #[test]
    fn an_hour_of_utc_has_one_prefix() {
        for (at, expected) in [
            ("2026-03-01T00:00:00Z", "year=2026/month=03/day=01/hour=00/"),
            ("2026-03-01T00:59:59.999Z", "year=2026/month=03/day=01/hour=00/"),
            ("2026-12-31T23:30:00-02:00", "year=2027/month=01/day=01/hour=01/"),
        ] {
            assert_eq!(prefix(at.parse().unwrap()), expected);
        }
    }
}
