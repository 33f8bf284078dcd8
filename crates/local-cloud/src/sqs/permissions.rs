//! `AddPermission` and `RemovePermission`, which edit the statements of a queue's policy. The local cloud shows the policy
//! but does not enforce it: it has no accounts but its own.

use serde_json::{Value, json};

use super::errors::{invalid_parameter, invalid_value, missing_parameter};
use crate::reply::AwsError;

const MAX_LABEL: usize = 80;
/// What a queue's policy can allow (SQS developer guide, "Amazon SQS API permissions"), without the prefix.
const ACTIONS: [&str; 21] = [
    "*",
    "AddPermission",
    "CancelMessageMoveTask",
    "ChangeMessageVisibility",
    "CreateQueue",
    "DeleteMessage",
    "DeleteQueue",
    "GetQueueAttributes",
    "GetQueueUrl",
    "ListDeadLetterSourceQueues",
    "ListMessageMoveTasks",
    "ListQueues",
    "ListQueueTags",
    "PurgeQueue",
    "ReceiveMessage",
    "RemovePermission",
    "SendMessage",
    "SetQueueAttributes",
    "StartMessageMoveTask",
    "TagQueue",
    "UntagQueue",
];

/// Returns the policy with a statement added.
pub(super) fn add(
    policy: Option<&str>,
    queue_arn: &str,
    label: &str,
    accounts: &[String],
    actions: &[String],
) -> Result<String, AwsError> {
    check_label(label)?;
    if accounts.is_empty() {
        return Err(missing_parameter("PrincipalId"));
    }
    if actions.is_empty() {
        return Err(missing_parameter("ActionName"));
    }
    if let Some(account) =
        accounts.iter().find(|id| id.len() != 12 || !id.bytes().all(|b| b.is_ascii_digit()))
    {
        return Err(invalid_value(account, "PrincipalId", "Unable to verify."));
    }
    if let Some(action) = actions.iter().find(|action| !ACTIONS.contains(&action.as_str())) {
        return Err(invalid_value(
            format!("SQS:{action}"),
            "ActionName",
            "Please refer to the appropriate WSDL for a list of valid actions. ",
        ));
    }
    let mut policy = read(policy, queue_arn);
    let statements = statements(&mut policy)?;
    if statements.iter().any(|statement| statement["Sid"] == label) {
        return Err(invalid_value(label, "Label", "Already exists."));
    }
    let principals = accounts.iter().map(|account| format!("arn:aws:iam::{account}:root")).collect();
    let actions = actions.iter().map(|action| format!("SQS:{action}")).collect();
    statements.push(json!({
        "Sid": label,
        "Effect": "Allow",
        "Principal": {"AWS": one_or_many(principals)},
        "Action": one_or_many(actions),
        "Resource": queue_arn,
    }));
    Ok(policy.to_string())
}

/// Returns the policy without a statement, or `None` if none is left.
pub(super) fn remove(policy: Option<&str>, queue_arn: &str, label: &str) -> Result<Option<String>, AwsError> {
    check_label(label)?;
    let mut policy = read(policy, queue_arn);
    let statements = statements(&mut policy)?;
    let before = statements.len();
    statements.retain(|statement| statement["Sid"] != label);
    if statements.len() == before {
        return Err(invalid_value(label, "Label", "can't find label."));
    }
    let left = !statements.is_empty();
    Ok(left.then(|| policy.to_string()))
}

fn check_label(label: &str) -> Result<(), AwsError> {
    if label.is_empty() {
        return Err(missing_parameter("Label"));
    }
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if label.len() > MAX_LABEL || !label.bytes().all(allowed) {
        return Err(invalid_value(
            label,
            "Label",
            "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length",
        ));
    }
    Ok(())
}

fn read(policy: Option<&str>, queue_arn: &str) -> Value {
    policy.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_else(
        || json!({"Version": "2008-10-17", "Id": format!("{queue_arn}/SQSDefaultPolicy"), "Statement": []}),
    )
}

/// Returns the statements of a policy, which may have been a single one.
fn statements(policy: &mut Value) -> Result<&mut Vec<Value>, AwsError> {
    if !policy["Statement"].is_array() {
        let single = policy["Statement"].take();
        policy["Statement"] = if single.is_null() { json!([]) } else { json!([single]) };
    }
    policy["Statement"]
        .as_array_mut()
        .ok_or_else(|| invalid_parameter("The queue's policy has no statements that can be changed."))
}

fn one_or_many(mut values: Vec<String>) -> Value {
    match values.as_mut_slice() {
        [one] => Value::String(std::mem::take(one)),
        _ => json!(values),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARN: &str = "arn:aws:sqs:eu-central-1:000000000000:q";

    fn text(values: &[&str]) -> Vec<String> {
        values.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn statements_come_and_go() {
        let accounts = text(&["111111111111", "222222222222"]);
        let policy = add(None, ARN, "a", &accounts, &text(&["ReceiveMessage"])).unwrap();
        assert_eq!(
            serde_json::from_str::<Value>(&policy).unwrap(),
            json!({"Version": "2008-10-17", "Id": format!("{ARN}/SQSDefaultPolicy"), "Statement": [{
                "Sid": "a", "Effect": "Allow",
                "Principal": {"AWS": ["arn:aws:iam::111111111111:root", "arn:aws:iam::222222222222:root"]},
                "Action": "SQS:ReceiveMessage", "Resource": ARN,
            }]})
        );
        let again = add(Some(&policy), ARN, "a", &accounts, &text(&["ReceiveMessage"])).unwrap_err();
        assert_eq!(again.message, "Value a for parameter Label is invalid. Reason: Already exists.");
        assert_eq!(remove(Some(&policy), ARN, "a").unwrap(), None);
        let missing = remove(None, ARN, "a").unwrap_err();
        assert_eq!(missing.message, "Value a for parameter Label is invalid. Reason: can't find label.");
    }

    #[test]
    fn unknown_actions_are_refused() {
        let error = add(None, ARN, "a", &text(&["111111111111"]), &text(&["Foo"])).unwrap_err();
        assert!(error.message.starts_with("Value SQS:Foo for parameter ActionName is invalid."));
    }
}
