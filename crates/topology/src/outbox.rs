//! The settings of a Pipe that turns outbox items in a table's stream into events on the bus.

use std::fmt::Write;

use envelope::outbox;
use serde_json::{Value, json};

/// Matches inserted outbox items, and inserted markers that carry an announcement, and nothing else in the stream.
pub(crate) fn filter_pattern() -> Value {
    let keys = [outbox::KEY_PREFIX, outbox::MARKER_PREFIX].map(|prefix| json!({"prefix": prefix}));
    json!({
        "eventName": ["INSERT"],
        "dynamodb": {
            "Keys": {outbox::PARTITION_KEY: {"S": keys}},
            "NewImage": {outbox::DATA: {"S": [{"exists": true}]}},
        }
    })
}

/// The JSON path of a string attribute of the inserted item.
pub(crate) fn string_path(attribute: &str) -> String {
    format!("$.dynamodb.NewImage.{attribute}.S")
}

/// The event's `detail`. A placeholder without quotes renders a string as a JSON string
/// ([input transformation](https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-pipes-input-transformation.html)),
/// so `data` and `schema_version` arrive as strings. `silent` is within quotes, so that an item without it, which a service of
/// an earlier version wrote, leaves the template well formed.
pub(crate) fn input_template() -> String {
    let mut template = String::from(r#"{"metadata":{"#);
    for attribute in outbox::METADATA_STRINGS {
        let path = string_path(attribute);
        // Writing to a String cannot fail.
        _ = write!(template, r#""{attribute}":<{path}>,"#);
    }
    let (silent, silent_path) = (outbox::SILENT, string_path(outbox::SILENT));
    let (version, data) = (outbox::SCHEMA_VERSION, string_path(outbox::DATA));
    _ = write!(
        template,
        r#""{silent}":"<{silent_path}>","{version}":<$.dynamodb.NewImage.{version}.N>}},"data":<{data}>}}"#
    );
    template
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The pattern is applied by `local-cloud`, with the fixture `pipe.json`, and by AWS.
    #[test]
    fn the_filter_takes_what_announces_under_either_key() {
        let filter = filter_pattern();
        assert_eq!(filter["eventName"], json!(["INSERT"]));
        let keys = &filter["dynamodb"]["Keys"]["pk"]["S"];
        assert_eq!(*keys, json!([{"prefix": "OUTBOX#"}, {"prefix": "EVENT#"}]));
        assert_eq!(filter["dynamodb"]["NewImage"]["data"]["S"], json!([{"exists": true}]));
    }

    #[test]
    fn the_template_is_json_once_its_placeholders_are_filled() {
        let mut filled = input_template();
        while let Some(start) = filled.find('<') {
            let end = filled[start..].find('>').unwrap() + start;
            let quoted = filled[..start].ends_with('"');
            filled.replace_range(start..=end, if quoted { "x" } else { "\"x\"" });
        }
        let detail: Value = serde_json::from_str(&filled).unwrap();
        assert_eq!(detail["data"], "x");
        assert_eq!(detail["metadata"].as_object().unwrap().len(), outbox::METADATA_STRINGS.len() + 2);
    }
}
