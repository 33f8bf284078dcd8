//! Pages of listings.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::{Value, json};

use super::errors::invalid;
use crate::reply::AwsError;

/// The largest page, and the size of pages if the request does not say (the model's `LimitMax100`).
const MAX_PAGE: usize = 100;

/// The members of a request that ask for a page.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Page {
    limit: Option<usize>,
    next_token: Option<String>,
}

impl Page {
    /// Returns the page of a listing, under the listing's name, with the token for the next one if there is more.
    /// `listing` yields the items in the order of their keys.
    pub(super) fn of<'a>(
        &self,
        name: &str,
        listing: impl Iterator<Item = (&'a str, Value)>,
    ) -> Result<Value, AwsError> {
        let after = match &self.next_token {
            None => None,
            Some(token) => Some(read_token(token)?),
        };
        let limit = self.limit.unwrap_or(MAX_PAGE).clamp(1, MAX_PAGE);
        let mut rest =
            listing.skip_while(|(key, _)| after.as_deref().is_some_and(|after| *key <= after)).peekable();
        let mut items = Vec::new();
        let mut last = None;
        while items.len() < limit
            && let Some((key, item)) = rest.next()
        {
            last = Some(key);
            items.push(item);
        }
        let mut page = json!({ name: items });
        if rest.peek().is_some()
            && let Some(last) = last
        {
            page["NextToken"] = URL_SAFE_NO_PAD.encode(last).into();
        }
        Ok(page)
    }
}

/// The filters of listings, of which a request may have one.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Filtered<State> {
    name_prefix: Option<String>,
    pub(super) event_source_arn: Option<String>,
    pub(super) state: Option<State>,
    #[serde(flatten)]
    pub(super) page: Page,
}

impl<State> Filtered<State> {
    pub(super) fn check(&self, operation: &str) -> Result<(), AwsError> {
        let given = [self.name_prefix.is_some(), self.event_source_arn.is_some(), self.state.is_some()];
        if given.into_iter().filter(|given| *given).count() > 1 {
            return Err(invalid(format!(
                "At most one filter is allowed for {operation}. Use either : State, EventSourceArn, or NamePrefix."
            )));
        }
        Ok(())
    }

    pub(super) fn accepts(&self, name: &str, source_arn: &str) -> bool {
        self.name_prefix.as_ref().is_none_or(|prefix| name.starts_with(prefix))
            && self.event_source_arn.as_ref().is_none_or(|arn| source_arn == arn)
    }
}

fn read_token(token: &str) -> Result<String, AwsError> {
    URL_SAFE_NO_PAD
        .decode(token)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .ok_or_else(|| invalid("Parameter NextToken is not valid."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_follow_each_other() {
        let keys = ["a", "b", "c", "d", "e"];
        let listing = || keys.iter().map(|key| (*key, json!(key)));
        let mut page = Page { limit: Some(2), next_token: None };
        let mut seen = Vec::new();
        loop {
            let answer = page.of("Keys", listing()).unwrap();
            seen.push(answer["Keys"].clone());
            match answer["NextToken"].as_str() {
                Some(token) => page.next_token = Some(token.to_owned()),
                None => break,
            }
        }
        assert_eq!(seen, [json!(["a", "b"]), json!(["c", "d"]), json!(["e"])]);
        page.next_token = Some("not a token".to_owned());
        assert!(page.of("Keys", listing()).is_err());
    }
}
