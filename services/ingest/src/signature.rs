//! What follows from the signature of a request for its events.
//!
//! Anyone who intercepts a signed request can repeat it within the tolerance. That changes nothing: what an event does
//! not say itself is derived from what was signed, so the repetition is a duplicate.

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;
use webhook_signature::Signed;

/// The namespace of the ids that are derived from a request's id: `uuid5(NAMESPACE_URL, "urn:foostore:webhook-id")`.
const NAMESPACE: Uuid = Uuid::from_u128(0xf8e0_7aa3_3781_5dc7_ae67_5e2d_7524_c890);

/// Derives the id of an event without one: always the same for a request's id and, in a list, a place.
pub(crate) fn event_id(signed: &Signed, index: Option<usize>) -> Uuid {
    let name = match index {
        // A request's id contains no blank.
        Some(index) => format!("{} {index}", signed.id()),
        None => signed.id().to_owned(),
    };
    Uuid::new_v5(&NAMESPACE, name.as_bytes())
}

/// Derives the time of an event without one: within the second of signing, and there as close to the arrival as
/// possible, so that two changes signed in the same second keep their order.
pub(crate) fn occurred_at(signed: &Signed, arrival: Timestamp) -> Timestamp {
    let start = signed.at();
    let end = start.saturating_add(SignedDuration::from_nanos(999_999_999)).unwrap_or(start);
    arrival.clamp(start, end)
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use webhook_signature::{ID_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER};

    use super::*;

    const NOW: i64 = 1_614_265_330;

    fn signed(id: &str, timestamp: i64) -> Signed {
        let mut headers = HeaderMap::new();
        headers.insert(ID_HEADER, id.parse().unwrap());
        headers.insert(TIMESTAMP_HEADER, timestamp.into());
        let signature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        headers.insert(SIGNATURE_HEADER, signature.parse().unwrap());
        Signed::read(&headers, Timestamp::from_second(NOW).unwrap()).unwrap()
    }

    #[test]
    fn the_same_request_always_has_the_same_ids() {
        let first = signed("msg_p5jXN8AQM9LWM0D4loKWxJek", NOW);
        let later = signed("msg_p5jXN8AQM9LWM0D4loKWxJek", NOW + 60);
        assert_eq!(event_id(&first, None).to_string(), "30d0c22a-4f60-59f2-889d-2ec8960105ca");
        assert_eq!(event_id(&first, Some(1)).to_string(), "c8b99d97-0053-5c0f-adb0-fc226b49139c");
        assert_eq!(event_id(&first, Some(1)), event_id(&later, Some(1)));
        assert_ne!(event_id(&first, Some(0)), event_id(&first, None));
        assert_ne!(event_id(&first, None), event_id(&signed("msg_other", NOW), None));
    }

    #[test]
    fn an_event_occurred_in_the_second_of_its_signing() {
        let signed = signed("msg_1", NOW);
        let arrival = |text: &str| occurred_at(&signed, text.parse().unwrap()).to_string();
        assert_eq!(arrival("2021-02-25T15:02:10.25Z"), "2021-02-25T15:02:10.25Z");
        assert_eq!(arrival("2021-02-25T15:01:00Z"), "2021-02-25T15:02:10Z");
        assert_eq!(arrival("2021-02-25T15:06:00Z"), "2021-02-25T15:02:10.999999999Z");
    }
}
