//! What `ListPipes` can ask for.

use serde::Deserialize;
use serde_json::Value;

use super::definition::invalid;
use crate::page::{page, position};
use crate::reply::AwsError;

const MAX_PAGE: usize = 100;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Listing {
    name_prefix: Option<String>,
    desired_state: Option<String>,
    current_state: Option<String>,
    source_prefix: Option<String>,
    target_prefix: Option<String>,
    next_token: Option<String>,
    limit: Option<usize>,
}

impl Listing {
    /// Returns a page of the requested pipes, in the order of their names.
    pub(super) fn of(&self, pipes: impl Iterator<Item = (String, Value)>) -> Result<Value, AwsError> {
        let after = position(self.next_token.as_deref()).map_err(|_| invalid("Invalid NextToken"))?;
        let size = self.limit.filter(|limit| (1..=MAX_PAGE).contains(limit)).unwrap_or(MAX_PAGE);
        let behind = |name: &str| after.as_deref().is_none_or(|after| name > after);
        let asked_for = pipes.filter(|(name, pipe)| behind(name) && self.has(pipe));
        Ok(page("Pipes", size, asked_for))
    }

    fn has(&self, pipe: &Value) -> bool {
        let text = |field: &str| pipe[field].as_str().unwrap_or_default();
        let begins = |field, prefix: &Option<String>| {
            prefix.as_deref().is_none_or(|prefix| text(field).starts_with(prefix))
        };
        let is = |field, value: &Option<String>| value.as_deref().is_none_or(|value| text(field) == value);
        begins("Name", &self.name_prefix)
            && begins("Source", &self.source_prefix)
            && begins("Target", &self.target_prefix)
            && is("DesiredState", &self.desired_state)
            && is("CurrentState", &self.current_state)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Returns the names of the pipes that a request lists, and the token of the next page.
    fn listed(request: Value) -> (Vec<String>, Option<String>) {
        let listing: Listing = serde_json::from_value(request).unwrap();
        let pipes = ["a-1", "a-2", "b"].map(|name| {
            let state = if name == "a-1" { "STOPPED" } else { "RUNNING" };
            let pipe = json!({"Name": name, "Source": "s", "Target": "t", "CurrentState": state, "DesiredState": state});
            (name.to_owned(), pipe)
        });
        let page = listing.of(pipes.into_iter()).unwrap();
        let names = page["Pipes"].as_array().unwrap().iter();
        let names = names.map(|pipe| pipe["Name"].as_str().unwrap().to_owned()).collect();
        (names, page["NextToken"].as_str().map(str::to_owned))
    }

    #[test]
    fn pipes_are_chosen_by_prefixes_and_states() {
        for (request, names) in [
            (json!({}), &["a-1", "a-2", "b"][..]),
            (json!({"NamePrefix": "a-"}), &["a-1", "a-2"]),
            (json!({"NamePrefix": "a-", "CurrentState": "RUNNING"}), &["a-2"]),
            (json!({"DesiredState": "STOPPED", "SourcePrefix": "s", "TargetPrefix": "t"}), &["a-1"]),
            (json!({"SourcePrefix": "x"}), &[]),
        ] {
            assert_eq!(
                listed(request.clone()),
                (names.iter().map(|it| (*it).into()).collect(), None),
                "{request}"
            );
        }
    }

    #[test]
    fn a_token_continues_the_list() {
        let (first, token) = listed(json!({"Limit": 2}));
        let (rest, end) = listed(json!({"Limit": 2, "NextToken": token}));
        assert_eq!((first.len(), rest, end), (2, vec!["b".to_owned()], None));
    }
}
