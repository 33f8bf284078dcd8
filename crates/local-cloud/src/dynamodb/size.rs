//! Attribute values: their size, and sets, whose elements have no order.

use serde_json::{Map, Value};

/// Returns the size of an item in bytes (developer guide, "DynamoDB item sizes and formats"): each name and each value.
pub(super) fn of_item(item: &Value) -> usize {
    item.as_object().map_or(0, of_attributes)
}

/// Returns the size of attributes in bytes, names included.
pub(super) fn of_attributes(attributes: &Map<String, Value>) -> usize {
    attributes.iter().map(|(name, value)| name.len() + of_value(value)).sum()
}

fn of_value(value: &Value) -> usize {
    let Some((kind, content)) = value.as_object().and_then(|typed| typed.iter().next()) else { return 0 };
    let elements = || content.as_array().into_iter().flatten();
    match kind.as_str() {
        "S" => text(content).len(),
        "N" => of_number(text(content)),
        "B" => of_binary(text(content)),
        "SS" => elements().map(|element| text(element).len()).sum(),
        "NS" => elements().map(|element| of_number(text(element))).sum(),
        "BS" => elements().map(|element| of_binary(text(element))).sum(),
        "L" => 3 + elements().map(|element| 1 + of_value(element)).sum::<usize>(),
        "M" => 3 + content.as_object().map_or(0, Map::len) + of_item(content),
        _ => 1,
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Two digits take a byte, and there is one more, and one for a sign.
fn of_number(number: &str) -> usize {
    let digits: String = number.chars().filter(char::is_ascii_digit).collect();
    let significant = digits.trim_matches('0').len();
    significant.div_ceil(2) + 1 + usize::from(number.starts_with('-'))
}

fn of_binary(base64: &str) -> usize {
    base64.trim_end_matches('=').len() * 3 / 4
}

/// Sorts the elements of every set in an item.
pub(super) fn sort_sets(item: &mut Value) {
    for value in item.as_object_mut().into_iter().flat_map(Map::values_mut) {
        sort_within(value);
    }
}

fn sort_within(value: &mut Value) {
    let Some((kind, content)) = value.as_object_mut().and_then(|typed| typed.iter_mut().next()) else {
        return;
    };
    match (kind.as_str(), content) {
        ("SS" | "NS" | "BS", Value::Array(elements)) => {
            elements.sort_by(|a, b| text(a).cmp(text(b)));
        }
        ("L", Value::Array(elements)) => elements.iter_mut().for_each(sort_within),
        ("M", map) => sort_sets(map),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn sizes_are_those_of_the_developer_guide() {
        assert_eq!(of_item(&json!({"name": {"S": "été"}})), 4 + 5);
        assert_eq!(of_item(&json!({"n": {"N": "27"}})), 1 + 2);
        assert_eq!(of_item(&json!({"n": {"N": "-27"}})), 1 + 3);
        assert_eq!(of_item(&json!({"b": {"B": "kA=="}})), 1 + 1);
        assert_eq!(of_item(&json!({"f": {"BOOL": true}})), 1 + 1);
        assert_eq!(of_item(&json!({"l": {"L": [{"S": "a"}]}})), 1 + 3 + 2);
    }
}
