//! Bucket policies: which documents AWS accepts. Nobody is refused because of one here.

use serde_json::Value;

use crate::error::AwsError;

const MAX_BYTES: usize = 20 * 1024;

/// Checks a policy for a bucket.
pub(super) fn check(policy: &str, bucket: &str) -> Result<(), AwsError> {
    if policy.len() > MAX_BYTES {
        return Err(malformed("Normalized policy document exceeds the maximum allowed size of 20480 bytes."));
    }
    let document: Option<Value> =
        Some(policy).filter(|it| it.starts_with('{')).and_then(|it| serde_json::from_str(it).ok());
    let Some(document) = document else {
        return Err(malformed("Policies must be valid JSON and the first byte must be '{'"));
    };
    let statements = match &document["Statement"] {
        Value::Array(statements) if !statements.is_empty() => statements.as_slice(),
        statement @ Value::Object(_) => std::slice::from_ref(statement),
        _ => return Err(malformed("Missing required field Statement")),
    };
    let arn = format!("arn:aws:s3:::{bucket}");
    for statement in statements {
        for fields in [["Effect", "Effect"], ["Principal", "NotPrincipal"], ["Action", "NotAction"]] {
            if fields.iter().all(|field| statement.get(field).is_none()) {
                return Err(malformed(format!("Missing required field {}", fields[0])));
            }
        }
        let resources = texts(statement.get("Resource").or(statement.get("NotResource")));
        if resources.is_empty() {
            return Err(malformed("Missing required field Resource"));
        }
        let is_of_bucket = |resource: &&str| {
            resource.strip_prefix(arn.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        if !resources.iter().all(is_of_bucket) {
            return Err(malformed("Policy has invalid resource"));
        }
        if !texts(statement.get("Action")).iter().all(|action| action.starts_with("s3:") || *action == "*") {
            return Err(malformed("Policy has invalid action"));
        }
    }
    Ok(())
}

fn malformed(message: impl Into<String>) -> AwsError {
    AwsError::bad_request("MalformedPolicy", message)
}

fn texts(value: Option<&Value>) -> Vec<&str> {
    match value {
        Some(Value::String(text)) => vec![text],
        Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_policy_is_about_its_bucket() {
        let of = |resource: &str| {
            json!({"Version": "2012-10-17", "Statement": [{
                "Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": ["arn:aws:s3:::mine", resource],
            }]})
            .to_string()
        };
        assert_eq!(check(&of("arn:aws:s3:::mine/*"), "mine"), Ok(()));
        for other in ["arn:aws:s3:::mine-too/*", "*"] {
            assert_eq!(check(&of(other), "mine").unwrap_err().message, "Policy has invalid resource");
        }
        for policy in ["", "[]", "{}", "{\"Statement\": []}", "{\"Statement\": {\"Effect\": \"Deny\"}}"] {
            assert_eq!(check(policy, "mine").unwrap_err().code, "MalformedPolicy", "{policy}");
        }
    }
}
