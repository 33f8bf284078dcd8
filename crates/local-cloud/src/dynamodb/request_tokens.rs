//! `ClientRequestToken`: a committed transaction is not committed again by a retry, such as after a lost response.
//!
//! The engine has such a store too, but goes through all of it at every transaction.

use std::collections::{HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::reply::AwsError;

/// How long a token is valid (API reference, `TransactWriteItems`, "Idempotency").
const REMEMBERED: Duration = Duration::from_mins(10);
/// How many tokens are remembered at most, some 300 bytes each: ten minutes of 80 transactions a second.
const MOST: usize = 50_000;

#[derive(Debug, Default)]
pub(super) struct RequestTokens {
    by_token: HashMap<Box<str>, (u64, Value)>,
    /// Oldest first, so that only expired ones are visited.
    ages: VecDeque<(Instant, Box<str>)>,
}

impl RequestTokens {
    /// Returns the output of the transaction that was committed with the token, if one was.
    pub(super) fn committed(&mut self, token: &str, fingerprint: u64) -> Result<Option<Value>, AwsError> {
        self.forget_old();
        match self.by_token.get(token) {
            None => Ok(None),
            Some((first, output)) if *first == fingerprint => Ok(Some(output.clone())),
            Some(_) => Err(AwsError::bad_request(
                "IdempotentParameterMismatchException",
                "An error occurred (IdempotentParameterMismatchException)",
            )),
        }
    }

    /// Remembers a committed transaction. A cancelled one may be retried, and is not remembered.
    pub(super) fn remember(&mut self, token: &str, fingerprint: u64, output: Value) {
        self.ages.push_back((Instant::now(), token.into()));
        self.by_token.insert(token.into(), (fingerprint, output));
    }

    fn forget_old(&mut self) {
        while let Some((since, token)) = self.ages.front()
            && (since.elapsed() >= REMEMBERED || self.ages.len() > MOST)
        {
            self.by_token.remove(token);
            self.ages.pop_front();
        }
    }
}

/// Hashes what two requests with one token must have in common. The order of a map's members is no difference.
pub(super) fn fingerprint(actions: &Value) -> u64 {
    let mut hasher = DefaultHasher::new();
    hash(actions, &mut hasher);
    hasher.finish()
}

fn hash(value: &Value, hasher: &mut DefaultHasher) {
    match value {
        Value::Object(members) => {
            0_u8.hash(hasher);
            let mut members: Vec<_> = members.iter().collect();
            members.sort_unstable_by_key(|(name, _)| *name);
            members.len().hash(hasher);
            for (name, value) in members {
                name.hash(hasher);
                hash(value, hasher);
            }
        }
        Value::Array(values) => {
            1_u8.hash(hasher);
            values.len().hash(hasher);
            for value in values {
                hash(value, hasher);
            }
        }
        other => other.hash(hasher),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn returns_the_output_of_the_same_input_and_refuses_another() {
        let mut tokens = RequestTokens::default();
        let first = fingerprint(&json!([{"Put": {"TableName": "t", "Item": {"pk": {"S": "a"}}}}]));
        let second = fingerprint(&json!([{"Put": {"TableName": "t", "Item": {"pk": {"S": "b"}}}}]));
        assert_eq!(tokens.committed("token", first).unwrap(), None);
        tokens.remember("token", first, json!({}));
        assert_eq!(tokens.committed("token", first).unwrap(), Some(json!({})));
        assert_eq!(
            tokens.committed("token", second).unwrap_err().code,
            "IdempotentParameterMismatchException"
        );
    }

    #[test]
    fn members_in_another_order_are_the_same_input() {
        let text = |text: &str| fingerprint(&serde_json::from_str(text).unwrap());
        assert_eq!(text(r#"{"a": 1, "b": [2]}"#), text(r#"{"b": [2], "a": 1}"#));
        assert_ne!(text(r#"{"a": 1, "b": [2]}"#), text(r#"{"a": [2], "b": 1}"#));
    }
}
