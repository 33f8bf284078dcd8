use contracts::{Contract, CustomerNumber};
use envelope::Event;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::*;
use crate::validation::{Defaults, Validator};

/// A customer earned points: an event type with everything the domain's own ones do not have yet.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct PointsEarned {
    customer_number: CustomerNumber,
    /// How many.
    points: u16,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<Reason>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    bonus: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    order: Option<uuid::Uuid>,
}

/// Why points are earned.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Reason {
    /// Something was bought.
    Purchase,
    /// Something was reviewed.
    ProductReview,
}

impl Event for PointsEarned {
    const TYPE: &'static str = "PointsEarned";
    const SOURCE: &'static str = contracts::CRM;

    fn customer_number(&self) -> &str {
        self.customer_number.as_str()
    }
}

impl Contract for PointsEarned {
    const EXAMPLE: &'static str = r#"{"customer_number": "123456789012", "points": 5}"#;
}

fn errors(data: &Value) -> Vec<String> {
    let validator = Validator::new(&Schemas::of::<(PointsEarned,)>()).unwrap();
    let event = json!({"type": "PointsEarned", "customer_number": "123456789012", "data": data});
    let defaults = Defaults { event_id: uuid::Uuid::nil(), occurred_at: jiff::Timestamp::UNIX_EPOCH };
    match validator.read(&event.into(), jiff::Timestamp::UNIX_EPOCH, defaults) {
        Ok(_) => Vec::new(),
        Err(rejected) => {
            let errors = rejected.problem.errors().iter();
            errors.map(|error| format!("{} {}", error.pointer, error.detail)).collect()
        }
    }
}

#[test]
fn a_new_event_type_is_a_struct() {
    assert_eq!(errors(&json!({"points": 5})), [""; 0]);
    let full = json!({
        "points": 65_535, "reason": "product-review", "bonus": true, "order": "0b5e4e0c-3f0d-4e0e-9a53-5f6f0d1c2b3a",
    });
    assert_eq!(errors(&full), [""; 0]);
    assert_eq!(
        errors(&json!({"points": 65_536, "reason": "gift", "bonus": "yes", "order": "1"})),
        [
            "/data/points must be a whole number from 0 to 65535",
            "/data/bonus must be true or false, not a string",
            "/data/order must be a UUID with hyphens",
            "/data/reason must be \"purchase\" or \"product-review\"",
        ]
    );
    assert_eq!(
        errors(&json!({"reason": null})),
        [
            "/data/points is required and must be a whole number from 0 to 65535",
            "/data/reason must be \"purchase\" or \"product-review\", in a string, not null (leave an optional field out)",
        ]
    );
    let schemas = Schemas::of::<(PointsEarned,)>();
    let schema = &schemas.components["PointsEarned"];
    let points = json!({"type": "integer", "minimum": 0, "maximum": 65_535, "description": "How many."});
    assert_eq!(schema["properties"]["data"]["properties"]["points"], points);
    assert_eq!(schema["required"], json!(["type", "customer_number", "data"]));
}

#[test]
fn a_rule_that_nothing_enforces_does_not_compile() {
    let refused = |schema: Value| Shape::compile(&schema, &Map::new()).unwrap_err().to_string();
    for (schema, expected) in [
        (json!({"type": "string", "contentEncoding": "base64"}), "keyword contentEncoding"),
        (json!({"type": "string", "format": "hostname"}), "format"),
        (json!({"type": "array", "items": {"type": "string"}, "contains": {}}), "keyword contains"),
        (json!({"type": "integer", "multipleOf": 5}), "keyword multipleOf"),
        (json!({"type": "number"}), "type"),
        (json!({"type": "object", "properties": {}}), "additional properties"),
        (json!({"$ref": "#/components/schemas/Nothing"}), "leads nowhere"),
        (json!({"type": "string", "pattern": "(?=a)"}), "pattern"),
    ] {
        let message = refused(schema);
        assert!(message.contains(expected), "{message}");
    }
}
