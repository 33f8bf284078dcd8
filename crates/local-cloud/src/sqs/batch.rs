//! Batches: the checks that fail a whole request, and the result of each entry.

use std::collections::HashSet;

use serde_json::{Map, Value, json};

use super::errors;
use crate::reply::AwsError;

const MAX_ENTRIES: usize = 10;
const MAX_ID: usize = 80;

/// Checks the ids of a batch's entries. `operation` is the name of the operation.
pub(super) fn check_ids<'a>(
    operation: &str,
    ids: impl ExactSizeIterator<Item = &'a str>,
) -> Result<(), AwsError> {
    let count = ids.len();
    if count == 0 {
        return Err(errors::batch(
            "EmptyBatchRequest",
            format!("There should be at least one {operation}RequestEntry in the request."),
        ));
    }
    if count > MAX_ENTRIES {
        return Err(errors::batch(
            "TooManyEntriesInBatchRequest",
            format!("Maximum number of entries per request are {MAX_ENTRIES}. You have sent {count}."),
        ));
    }
    let mut seen = HashSet::with_capacity(count);
    for id in ids {
        if !is_id(id) {
            return Err(errors::batch(
                "InvalidBatchEntryId",
                "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most \
                 80 letters long.",
            ));
        }
        if !seen.insert(id) {
            return Err(errors::batch("BatchEntryIdsNotDistinct", format!("Id {id} repeated.")));
        }
    }
    Ok(())
}

fn is_id(id: &str) -> bool {
    (1..=MAX_ID).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

/// Checks that all messages of a batch together are not too large.
pub(super) fn check_size(bytes: usize, most: usize) -> Result<(), AwsError> {
    if bytes <= most {
        return Ok(());
    }
    Err(errors::batch(
        "BatchRequestTooLong",
        format!("Batch requests cannot be longer than {most} bytes. You have sent {bytes} bytes."),
    ))
}

/// The results of a batch's entries.
#[derive(Debug, Default)]
pub(super) struct Results {
    successful: Vec<Value>,
    failed: Vec<Value>,
}

impl Results {
    /// Adds the result of an entry. A success has members besides the id, or is null.
    pub(super) fn add(&mut self, id: String, result: Result<Value, AwsError>) {
        match result {
            Ok(Value::Object(mut members)) => {
                members.insert("Id".to_owned(), id.into());
                self.successful.push(Value::Object(members));
            }
            Ok(_) => self.successful.push(json!({"Id": id})),
            Err(error) => self.failed.push(json!({
                "Id": id,
                "SenderFault": !error.status.is_server_error(),
                "Code": error.shown_code(),
                "Message": error.message,
            })),
        }
    }

    /// Returns the answer, without the list that is empty.
    pub(super) fn into_json(self) -> Value {
        let mut answer = Map::new();
        for (name, entries) in [("Successful", self.successful), ("Failed", self.failed)] {
            if !entries.is_empty() {
                answer.insert(name.to_owned(), entries.into());
            }
        }
        Value::Object(answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(ids: &[&str]) -> String {
        check_ids("SendMessageBatch", ids.iter().copied()).unwrap_err().shown_code().to_owned()
    }

    #[test]
    fn ids_are_few_short_and_distinct() {
        assert_eq!(check_ids("SendMessageBatch", ["a", "B-1_2"].into_iter()), Ok(()));
        assert_eq!(refused(&[]), "AWS.SimpleQueueService.EmptyBatchRequest");
        assert_eq!(refused(&["a"; 11]), "AWS.SimpleQueueService.TooManyEntriesInBatchRequest");
        assert_eq!(refused(&["a", "a"]), "AWS.SimpleQueueService.BatchEntryIdsNotDistinct");
        for id in ["", "order.1", "a:b", "ä", &"x".repeat(81)] {
            assert_eq!(refused(&[id]), "AWS.SimpleQueueService.InvalidBatchEntryId", "{id}");
        }
    }
}
