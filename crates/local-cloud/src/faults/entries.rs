//! Batches of which some entries fail while the call succeeds.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// The batches whose answer has a result for each entry.
pub(super) const OPERATIONS: [(&str, &str); 5] = [
    ("sqs", "SendMessageBatch"),
    ("sqs", "DeleteMessageBatch"),
    ("sqs", "ChangeMessageVisibilityBatch"),
    ("sns", "PublishBatch"),
    ("events", "PutEvents"),
];

/// How entries fail.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub(crate) struct Entries {
    pub(crate) code: String,
    #[serde(default)]
    pub(crate) message: String,
    /// Whether the sender is at fault, as SQS and SNS report it.
    #[serde(default)]
    pub(crate) sender_fault: bool,
    /// The positions in the batch that fail, from 0; all if missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) at: Option<Vec<usize>>,
}

/// The entries taken out of a batch because they fail, with their positions.
#[derive(Debug)]
pub(super) struct Failing {
    fault: Entries,
    entries: Vec<(usize, Value)>,
    by_position: bool,
    /// Whether no entry is left for the service.
    pub(super) all: bool,
}

/// Takes the entries that fail out of the input. Returns `None` if there are none at these positions, or the input is no
/// batch.
pub(super) fn split(input: &mut Value, fault: Entries) -> Option<Failing> {
    let member = if input.get("PublishBatchRequestEntries").is_some() {
        "PublishBatchRequestEntries"
    } else {
        "Entries"
    };
    let batch = input.get_mut(member)?.as_array_mut()?;
    let fails = |position: usize| fault.at.as_ref().is_none_or(|at| at.contains(&position));
    let mut entries = Vec::new();
    let mut rest = Vec::new();
    for (position, entry) in std::mem::take(batch).into_iter().enumerate() {
        if fails(position) { entries.push((position, entry)) } else { rest.push(entry) }
    }
    *batch = rest;
    let all = batch.is_empty();
    // The entries of PutEvents have no id: its answer has as many, in the same order.
    let by_position = entries.first()?.1.get("Id").is_none();
    Some(Failing { fault, entries, by_position, all })
}

impl Failing {
    /// Adds the failures to the answer for the other entries.
    pub(super) fn add_to(self, output: &mut Value) {
        if !output.is_object() {
            *output = json!({});
        }
        let Entries { code, message, sender_fault, .. } = &self.fault;
        if self.by_position {
            let failed = output["FailedEntryCount"].as_u64().unwrap_or_default();
            output["FailedEntryCount"] = (failed + self.entries.len() as u64).into();
            let mut results = taken(output, "Entries");
            for (position, _) in &self.entries {
                let place = (*position).min(results.len());
                results.insert(place, json!({"ErrorCode": code, "ErrorMessage": message}));
            }
            output["Entries"] = results.into();
        } else {
            output["Successful"] = taken(output, "Successful").into();
            let mut failed = taken(output, "Failed");
            failed.extend(self.entries.iter().map(|(_, entry)| {
                json!({"Id": entry["Id"], "SenderFault": sender_fault, "Code": code, "Message": message})
            }));
            output["Failed"] = failed.into();
        }
    }
}

/// Takes a list out of the answer; an empty one if it is missing.
fn taken(output: &mut Value, member: &str) -> Vec<Value> {
    match output.get_mut(member).map(Value::take) {
        Some(Value::Array(list)) => list,
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(at: Option<Vec<usize>>) -> Entries {
        Entries { code: "InternalFailure".to_owned(), message: "m".to_owned(), sender_fault: false, at }
    }

    #[test]
    fn entries_with_ids_fail_by_id() {
        let mut input = json!({"QueueUrl": "q", "Entries": [{"Id": "a"}, {"Id": "b"}, {"Id": "c"}]});
        let failing = split(&mut input, fault(Some(vec![0, 2, 9]))).unwrap();
        assert_eq!((input["Entries"].clone(), failing.all), (json!([{"Id": "b"}]), false));
        let mut output = json!({"Successful": [{"Id": "b"}]});
        failing.add_to(&mut output);
        let failed = |id| json!({"Id": id, "SenderFault": false, "Code": "InternalFailure", "Message": "m"});
        assert_eq!(output, json!({"Successful": [{"Id": "b"}], "Failed": [failed("a"), failed("c")]}));
    }

    #[test]
    fn events_fail_at_their_positions() {
        let mut input = json!({"Entries": [{"Source": "a"}, {"Source": "b"}, {"Source": "c"}]});
        let failing = split(&mut input, fault(Some(vec![1]))).unwrap();
        let mut output =
            json!({"FailedEntryCount": 1, "Entries": [{"EventId": "1"}, {"ErrorCode": "other"}]});
        failing.add_to(&mut output);
        let injected = json!({"ErrorCode": "InternalFailure", "ErrorMessage": "m"});
        assert_eq!(
            output,
            json!({"FailedEntryCount": 2, "Entries": [{"EventId": "1"}, injected, {"ErrorCode": "other"}]})
        );
    }

    #[test]
    fn all_entries_fail_and_none_outside_the_batch() {
        let mut input = json!({"PublishBatchRequestEntries": [{"Id": "a"}]});
        let failing = split(&mut input, fault(None)).unwrap();
        assert!(failing.all);
        let mut output = Value::Null;
        failing.add_to(&mut output);
        assert_eq!(
            (output["Failed"][0]["Id"].clone(), output["Successful"].clone()),
            (json!("a"), json!([]))
        );
        assert!(split(&mut json!({"Entries": [{"Id": "a"}]}), fault(Some(vec![1]))).is_none());
        assert!(split(&mut json!({"Entries": 1}), fault(None)).is_none());
    }
}
