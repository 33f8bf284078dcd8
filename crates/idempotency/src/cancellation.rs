//! The interpretation of the reasons for which a transaction was cancelled.
//!
//! The rules are those of
//! [`TransactWriteItems`](https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html):
//! one reason for each item, in the order of the request.

use aws_clients::{AwsError, ErrorClass, service};
use aws_sdk_dynamodb::types::CancellationReason;

use crate::fingerprint::FINGERPRINT;
use crate::{ATTEMPT, REFUSAL};

/// Why a transaction was cancelled: the first variant that applies, from the top.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Cancellation {
    /// The marker already existed, for the same event, or the event's record did.
    Duplicate {
        /// The trace header of the attempt that wrote the marker.
        attempt: Option<String>,
        /// Why the event was refused, if it was.
        refusal: Option<String>,
    },
    /// The marker already existed, for another event with the same id.
    EventIdReused,
    /// The marker already existed, but does not identify its event.
    MarkerUnreadable,
    /// A condition of another item failed.
    Conflict,
    /// An item failed with this code, which is classified like any other.
    Failed(String),
    /// Another transaction was using one of the items.
    Contended,
}

/// Interprets `reasons` for an event with `fingerprint`. The first is the marker's; if the event is `recorded`, the second
/// is its record's.
///
/// An existing marker or record decides the result whatever happened to the other items: the next attempt would not write
/// them either.
pub(crate) fn read(reasons: &[CancellationReason], fingerprint: &str, recorded: bool) -> Cancellation {
    let Some((marker, others)) = reasons.split_first() else { return Cancellation::Contended };
    if is_condition(marker) {
        return match text(marker, FINGERPRINT) {
            Some(found) if found == fingerprint => {
                Cancellation::Duplicate { attempt: text(marker, ATTEMPT), refusal: text(marker, REFUSAL) }
            }
            Some(_) => Cancellation::EventIdReused,
            None => Cancellation::MarkerUnreadable,
        };
    }
    if let Some(record) = others.first().filter(|record| recorded && is_condition(record)) {
        return Cancellation::Duplicate { attempt: None, refusal: text(record, REFUSAL) };
    }
    let codes = || reasons.iter().filter_map(CancellationReason::code).filter(|code| *code != "None");
    if reasons.iter().any(is_condition) {
        return Cancellation::Conflict;
    }
    // Throttling is temporary, so a code that lasts is more informative.
    let others = || codes().filter(|code| *code != "TransactionConflict");
    match others().find(|code| !is_throttle(code)).or_else(|| others().next()) {
        Some(code) => Cancellation::Failed(code.to_owned()),
        None => Cancellation::Contended,
    }
}

fn is_condition(reason: &CancellationReason) -> bool {
    reason.code() == Some("ConditionalCheckFailed")
}

/// Returns a string of the item whose condition failed.
fn text(reason: &CancellationReason, name: &str) -> Option<String> {
    reason.item()?.get(name)?.as_s().ok().cloned()
}

fn is_throttle(code: &str) -> bool {
    AwsError::of_entry(service::DYNAMODB, "TransactWriteItems", code, None).class() == ErrorClass::Throttled
}

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::types::AttributeValue;

    use super::*;

    fn reasons(codes: &[&str]) -> Vec<CancellationReason> {
        codes.iter().map(|code| CancellationReason::builder().code(*code).build()).collect()
    }

    fn marker_with(fingerprint: &str) -> CancellationReason {
        CancellationReason::builder()
            .code("ConditionalCheckFailed")
            .item(FINGERPRINT, AttributeValue::S(fingerprint.into()))
            .build()
    }

    #[test]
    fn an_existing_marker_outweighs_every_other_reason() {
        for others in
            [&["None"][..], &["ConditionalCheckFailed"], &["TransactionConflict", "ThrottlingError"]]
        {
            let with = |marker| [vec![marker], reasons(others)].concat();
            let duplicate = Cancellation::Duplicate { attempt: None, refusal: None };
            for recorded in [false, true] {
                assert_eq!(read(&with(marker_with("same")), "same", recorded), duplicate);
                assert_eq!(read(&with(marker_with("other")), "same", recorded), Cancellation::EventIdReused);
            }
        }
        assert_eq!(
            read(&reasons(&["ConditionalCheckFailed"]), "same", false),
            Cancellation::MarkerUnreadable
        );
    }

    #[test]
    fn an_existing_record_makes_a_duplicate_of_an_event_without_a_marker() {
        let refused = CancellationReason::builder()
            .code("ConditionalCheckFailed")
            .item(REFUSAL, AttributeValue::S("balance-insufficient".into()))
            .build();
        let all = [reasons(&["None"]), vec![refused], reasons(&["ConditionalCheckFailed"])].concat();
        let refusal = Some("balance-insufficient".to_owned());
        assert_eq!(read(&all, "same", true), Cancellation::Duplicate { attempt: None, refusal });
        // Without a record, the second item is like any other.
        assert_eq!(read(&all, "same", false), Cancellation::Conflict);
    }

    #[test]
    fn other_reasons_rank_by_weight() {
        let cases: [(&[&str], Cancellation); 7] = [
            (&["None", "ConditionalCheckFailed", "TransactionConflict"], Cancellation::Conflict),
            (&["None", "ValidationError", "ThrottlingError"], Cancellation::Failed("ValidationError".into())),
            (
                &["None", "ItemCollectionSizeLimitExceeded"],
                Cancellation::Failed("ItemCollectionSizeLimitExceeded".into()),
            ),
            (&["TransactionConflict", "ThrottlingError"], Cancellation::Failed("ThrottlingError".into())),
            (
                &["None", "ProvisionedThroughputExceeded"],
                Cancellation::Failed("ProvisionedThroughputExceeded".into()),
            ),
            (&["TransactionConflict", "None"], Cancellation::Contended),
            (&[], Cancellation::Contended),
        ];
        for (codes, expected) in cases {
            for recorded in [false, true] {
                // A condition of the record makes a duplicate; these cases are about other items.
                if !(recorded && codes.get(1) == Some(&"ConditionalCheckFailed")) {
                    assert_eq!(read(&reasons(codes), "same", recorded), expected, "{codes:?}");
                }
            }
        }
    }
}
