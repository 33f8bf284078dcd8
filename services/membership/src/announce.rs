//! From what the domain announces to the event that travels.

use envelope::{EncodeError, Envelope, Event, Metadata};
use jiff::Timestamp;
use uuid::Uuid;

use crate::domain::Announcement;

/// The event that announces `announcement`, caused by the event with the metadata `cause`.
///
/// Its id is a function of the cause and the type, so however often the cause is handled, it announces the
/// same event. It occurred when its cause did. Its trace context is that of the span in which the cause is
/// being handled, because neither the stream nor the Pipe carries one.
pub(crate) fn envelope(
    announcement: &Announcement,
    cause: &Metadata,
    now: Timestamp,
) -> Result<Envelope, EncodeError> {
    match announcement {
        Announcement::Enrolled(event) => wrap(event, cause, now),
        Announcement::Renamed(event) => wrap(event, cause, now),
        Announcement::PreferencesChanged(event) => wrap(event, cause, now),
        Announcement::Erased(event) => wrap(event, cause, now),
    }
}

fn wrap<E: Event>(event: &E, cause: &Metadata, now: Timestamp) -> Result<Envelope, EncodeError> {
    let event_id = Uuid::new_v5(&cause.event_id, E::TYPE.as_bytes());
    let metadata = Metadata {
        trace: telemetry::context::current_header(),
        ..Metadata::caused_by(cause, event_id, cause.occurred_at, now)
    };
    Envelope::new(metadata, event)
}

#[cfg(test)]
mod tests {
    use contracts::{MemberErased, MemberRenamed};

    use super::*;

    fn cause() -> Metadata {
        let occurred_at = "2026-03-01T12:00:00Z".parse().unwrap();
        Metadata::first(Uuid::from_u128(7), occurred_at, occurred_at)
    }

    fn erased() -> Announcement {
        let customer_number = "123456789012".parse().unwrap();
        Announcement::Erased(MemberErased { customer_number, contact: None })
    }

    #[test]
    fn the_id_is_a_function_of_the_cause_and_the_type() {
        let earlier = envelope(&erased(), &cause(), Timestamp::UNIX_EPOCH).unwrap();
        let later = envelope(&erased(), &cause(), Timestamp::now()).unwrap();
        assert_eq!(earlier.metadata.event_id, later.metadata.event_id);
        // Written out: another value after an upgrade would announce anew what is being retried.
        assert_eq!(
            earlier.metadata.event_id,
            Uuid::new_v5(&cause().event_id, b"MemberErased"),
            "version 5, in the namespace of the causing event"
        );
        assert_ne!(
            earlier.metadata.event_id,
            Uuid::new_v5(&cause().event_id, MemberRenamed::TYPE.as_bytes())
        );
    }

    #[test]
    fn it_stays_in_the_chain_of_its_cause() {
        let now = "2026-03-01T12:00:05Z".parse().unwrap();
        let announced = envelope(&erased(), &cause(), now).unwrap();
        assert_eq!(announced.source, "foostore.loyalty");
        assert_eq!(announced.event_type, "MemberErased");
        assert_eq!(announced.metadata.correlation_id, cause().event_id);
        assert_eq!(announced.metadata.causation_id, Some(cause().event_id));
        assert_eq!(announced.metadata.occurred_at, cause().occurred_at);
        assert_eq!(announced.metadata.published_at, now);
    }
}
