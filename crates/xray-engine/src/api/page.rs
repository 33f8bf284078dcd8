//! Lists in pages.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::{Value, json};

use super::error::ApiError;

/// A request for a page of a list, by an operation that takes nothing else.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PageInput {
    pub(super) next_token: Option<String>,
}

/// Returns the output of an operation that lists: `entries` under `member`, from the one after `token` on, at most `size`
/// of them, and where the next page begins.
///
/// Entries come in the order of their keys, and a token holds the last key of its page, so nothing is left out or repeated
/// if entries come and go between two pages. An empty token is none, as some clients send it.
pub(super) fn page<T: Into<Value>>(
    member: &str,
    entries: impl Iterator<Item = (String, T)>,
    token: Option<&str>,
    size: usize,
) -> Result<Value, ApiError> {
    let after = token.filter(|token| !token.is_empty()).map(key).transpose()?;
    let mut rest = entries.filter(|(key, _)| after.as_ref().is_none_or(|after| key > after)).peekable();
    let (mut page, mut last) = (Vec::new(), None);
    while page.len() < size.max(1)
        && let Some((key, entry)) = rest.next()
    {
        page.push(entry.into());
        last = Some(key);
    }
    let mut output = json!({member: page});
    if let Some(last) = last
        && rest.peek().is_some()
    {
        output["NextToken"] = BASE64_URL_SAFE_NO_PAD.encode(last).into();
    }
    Ok(output)
}

fn key(token: &str) -> Result<String, ApiError> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(token).ok();
    bytes
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .ok_or_else(|| ApiError::invalid("NextToken is not one that this API returned"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(keys: &str) -> impl Iterator<Item = (String, String)> {
        keys.chars().map(|key| (key.to_string(), key.to_string())).collect::<Vec<_>>().into_iter()
    }

    #[test]
    fn pages_follow_each_other_while_entries_come_and_go() {
        let first = page("L", entries("abcd"), Some(""), 2).unwrap();
        assert_eq!(first["L"], json!(["a", "b"]));
        let token = first["NextToken"].as_str();
        // `b`, where the page ended, is gone, and `aa` has come too late for it.
        let second = page("L", entries("acde"), token, 2).unwrap();
        assert_eq!(second["L"], json!(["c", "d"]));
        let last = page("L", entries("abcde"), second["NextToken"].as_str(), 2).unwrap();
        assert_eq!(last, json!({"L": ["e"]}));
        assert_eq!(page("L", entries("ab"), None, 2).unwrap(), json!({"L": ["a", "b"]}));
        assert!(page("L", entries("ab"), Some("?"), 2).is_err());
        assert_eq!(page("L", entries("ab"), None, 0).unwrap()["L"], json!(["a"]));
    }
}
