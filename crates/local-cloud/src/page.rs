//! Lists in pages, with tokens that name the last item of the page before.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// A token of a next page is not one that [`page`] returned.
#[derive(Debug)]
pub(crate) struct InvalidToken;

/// Returns the position behind which a list continues; none without a token.
pub(crate) fn position(token: Option<&str>) -> Result<Option<String>, InvalidToken> {
    let Some(token) = token else { return Ok(None) };
    let position = STANDARD.decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    position.map(Some).ok_or(InvalidToken)
}

/// Returns up to `size` items, each with its position, under `name`, and `NextToken` if there are more.
pub(crate) fn page(name: &str, size: usize, items: impl Iterator<Item = (String, Value)>) -> Value {
    let mut items: Vec<_> = items.take(size.saturating_add(1)).collect();
    let more = items.len() > size;
    items.truncate(size);
    let last = items.last().filter(|_| more).map(|(position, _)| STANDARD.encode(position));
    let mut output = json!({name: items.into_iter().map(|(_, item)| item).collect::<Vec<_>>()});
    if let Some(token) = last {
        output["NextToken"] = token.into();
    }
    output
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(range: std::ops::Range<usize>) -> impl Iterator<Item = (String, Value)> {
        range.map(|i| (format!("{i:03}"), json!(i)))
    }

    fn length(page: &Value) -> Option<usize> {
        page["Items"].as_array().map(Vec::len)
    }

    #[test]
    fn the_token_names_the_last_item_of_a_full_page() {
        let first = page("Items", 100, items(0..120));
        assert_eq!(length(&first), Some(100));
        assert_eq!(position(first["NextToken"].as_str()).unwrap().as_deref(), Some("099"));
        let last = page("Items", 100, items(100..120));
        assert_eq!((length(&last), last.get("NextToken")), (Some(20), None));
        assert!(page("Items", 100, items(0..100)).get("NextToken").is_none());
    }

    #[test]
    fn a_token_that_is_none_is_refused() {
        assert!(position(Some("?")).is_err());
        assert_eq!(position(None).unwrap(), None);
    }
}
