//! The interpretation of the reasons for which a transaction was cancelled.
//!
//! The rules are those of
//! [`TransactWriteItems`](https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html):
//! one reason for each item, in the order of the request.

use aws_clients::{AwsError, ErrorClass, service};
use aws_sdk_dynamodb::types::CancellationReason;

use crate::ATTEMPT;
use crate::fingerprint::FINGERPRINT;

/// Why a transaction was cancelled: the first variant that applies, from the top.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Cancellation {
    /// The marker already existed, for the same event; the attempt that wrote it had this trace header.
    Duplicate { attempt: Option<String> },
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

/// Interprets `reasons`, the first of which is the marker's, for an event with `fingerprint`.
///
/// An existing marker decides the result whatever happened to the other items: the next attempt would not write them
/// either.
pub(crate) fn read(reasons: &[CancellationReason], fingerprint: &str) -> Cancellation {
    let Some((marker, _)) = reasons.split_first() else { return Cancellation::Contended };
    if marker.code() == Some("ConditionalCheckFailed") {
        let text = |name| marker.item()?.get(name)?.as_s().ok();
        return match text(FINGERPRINT) {
            Some(found) if found == fingerprint => {
                Cancellation::Duplicate { attempt: text(ATTEMPT).cloned() }
            }
            Some(_) => Cancellation::EventIdReused,
            None => Cancellation::MarkerUnreadable,
        };
    }
    let codes = || reasons.iter().filter_map(CancellationReason::code).filter(|code| *code != "None");
    if codes().any(|code| code == "ConditionalCheckFailed") {
        return Cancellation::Conflict;
    }
    // Throttling is temporary, so a code that lasts is more informative.
    let others = || codes().filter(|code| *code != "TransactionConflict");
    match others().find(|code| !is_throttle(code)).or_else(|| others().next()) {
        Some(code) => Cancellation::Failed(code.to_owned()),
        None => Cancellation::Contended,
    }
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
            let duplicate = Cancellation::Duplicate { attempt: None };
            assert_eq!(read(&with(marker_with("same")), "same"), duplicate);
            assert_eq!(read(&with(marker_with("other")), "same"), Cancellation::EventIdReused);
        }
        assert_eq!(read(&reasons(&["ConditionalCheckFailed"]), "same"), Cancellation::MarkerUnreadable);
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
            assert_eq!(read(&reasons(codes), "same"), expected, "{codes:?}");
        }
    }
}
