//! `ClientRequestToken`: a committed transaction is not committed again by a retry, such as after a lost response.

use std::collections::{HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustack_dynamodb_model::error::{DynamoDBError, DynamoDBErrorCode};
use rustack_dynamodb_model::input::TransactWriteItemsInput;
use rustack_dynamodb_model::output::TransactWriteItemsOutput;

/// How long a token is valid (`TransactWriteItems`, "Idempotency").
const REMEMBERED: Duration = Duration::from_mins(10);

#[derive(Debug, Default)]
pub(super) struct RequestTokens(Mutex<Committed>);

#[derive(Debug, Default)]
struct Committed {
    by_token: HashMap<String, (u64, TransactWriteItemsOutput)>,
    /// Oldest first, so that only expired ones are visited.
    ages: VecDeque<(Instant, String)>,
}

impl RequestTokens {
    /// Commits the transaction, or returns the output of the one that was committed with the same token. A cancelled
    /// transaction may be retried. Blocks while another one commits, as the engine would too.
    pub(super) fn once(
        &self,
        token: String,
        input: TransactWriteItemsInput,
        commit: impl FnOnce(TransactWriteItemsInput) -> Result<TransactWriteItemsOutput, DynamoDBError>,
    ) -> Result<TransactWriteItemsOutput, DynamoDBError> {
        let fingerprint = fingerprint(&input)?;
        let mut committed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        committed.forget_old();
        if let Some((of_first, output)) = committed.by_token.get(&token) {
            return if *of_first == fingerprint {
                Ok(output.clone())
            } else {
                Err(DynamoDBError::with_message(
                    DynamoDBErrorCode::IdempotentParameterMismatchException,
                    "The request uses the same client token as a previous, but non-identical request.",
                ))
            };
        }
        let output = commit(input)?;
        committed.ages.push_back((Instant::now(), token.clone()));
        committed.by_token.insert(token, (fingerprint, output.clone()));
        Ok(output)
    }
}

impl Committed {
    fn forget_old(&mut self) {
        while let Some((since, token)) = self.ages.front()
            && since.elapsed() >= REMEMBERED
        {
            self.by_token.remove(token);
            self.ages.pop_front();
        }
    }
}

/// Hashes the input as a `Value`, whose maps are sorted; those of the input have no order.
fn fingerprint(input: &TransactWriteItemsInput) -> Result<u64, DynamoDBError> {
    let value =
        serde_json::to_value(input).map_err(|error| DynamoDBError::internal_error(error.to_string()))?;
    let mut hasher = DefaultHasher::new();
    value.to_string().hash(&mut hasher);
    Ok(hasher.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input(item: &str) -> TransactWriteItemsInput {
        serde_json::from_str(&format!(
            r#"{{"TransactItems": [{{"Put": {{"TableName": "t", "Item": {{"pk": {{"S": "{item}"}}}}}}}}]}}"#
        ))
        .unwrap()
    }

    fn output() -> TransactWriteItemsOutput {
        TransactWriteItemsOutput { consumed_capacity: Vec::new(), item_collection_metrics: HashMap::new() }
    }

    #[test]
    fn commits_once_and_refuses_another_input() {
        let tokens = RequestTokens::default();
        let mut commits = 0;
        for _ in 0..2 {
            tokens
                .once("token".to_owned(), input("a"), |_| {
                    commits += 1;
                    Ok(output())
                })
                .unwrap();
        }
        assert_eq!(commits, 1);
        let refused = tokens.once("token".to_owned(), input("b"), |_| Ok(output())).unwrap_err();
        assert_eq!(refused.code, DynamoDBErrorCode::IdempotentParameterMismatchException);
    }

    #[test]
    fn a_cancelled_transaction_can_be_retried() {
        let tokens = RequestTokens::default();
        let cancelled = |_| Err(DynamoDBError::validation("cancelled"));
        tokens.once("token".to_owned(), input("a"), cancelled).unwrap_err();
        tokens.once("token".to_owned(), input("a"), |_| Ok(output())).unwrap();
    }
}
