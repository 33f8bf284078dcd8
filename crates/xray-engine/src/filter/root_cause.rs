//! Patterns of root causes: `rootcause.json = #[{"Services": [{"Name": "ingest"}]}]`.

use serde_json::Value;

/// Root causes, as `GetTraceSummaries` writes them, of which what is left out may be anything
/// (<https://docs.aws.amazon.com/xray/latest/devguide/xray-api-gettingdata.html>).
#[derive(Clone, Debug, PartialEq)]
pub struct CausePattern(Vec<Value>);

impl CausePattern {
    /// Reads a JSON array of root causes.
    pub(super) fn read(json: &str) -> Result<Self, String> {
        let causes: Vec<Value> = serde_json::from_str(json).map_err(|error| error.to_string())?;
        if causes.is_empty() {
            return Err("it names no root cause".to_owned());
        }
        match causes.iter().find(|cause| !cause.get("Services").is_some_and(Value::is_array)) {
            Some(_) => Err("each root cause is an object with the list \"Services\"".to_owned()),
            None => Ok(Self(causes)),
        }
    }

    /// Whether each of the pattern's root causes is among those of a trace.
    #[must_use]
    pub fn matches(&self, causes: &[Value]) -> bool {
        self.0.iter().all(|pattern| causes.iter().any(|cause| matches(pattern, cause)))
    }

    /// Returns the pattern as JSON.
    pub(super) fn to_json(&self) -> String {
        Value::Array(self.0.clone()).to_string()
    }
}

/// Whether every field of the pattern is there with its value. Lists have the same length.
fn matches(pattern: &Value, found: &Value) -> bool {
    match (pattern, found) {
        (Value::Object(pattern), Value::Object(found)) => pattern
            .iter()
            .all(|(field, pattern)| found.get(field).is_some_and(|found| matches(pattern, found))),
        (Value::Array(pattern), Value::Array(found)) => {
            pattern.len() == found.len()
                && pattern.iter().zip(found).all(|(pattern, found)| matches(pattern, found))
        }
        (Value::Number(pattern), Value::Number(found)) => pattern.as_f64() == found.as_f64(),
        _ => pattern == found,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_pattern_leaves_out_may_be_anything() {
        let causes = [json!({"Services": [
            {"Name": "ingest", "Type": "AWS::ECS::Fargate", "EntityPath": [{"Name": "ingest", "Remote": false}]},
            {"Name": "DynamoDB", "Inferred": true, "EntityPath": [{"Name": "DynamoDB", "Coverage": 1.0}]}
        ]})];
        let matches = |pattern: Value| CausePattern::read(&pattern.to_string()).unwrap().matches(&causes);
        assert!(matches(json!([{"Services": [{"Name": "ingest"}, {}]}])));
        assert!(matches(json!([{"Services": [{}, {"EntityPath": [{"Coverage": 1}]}]}])));
        assert!(!matches(json!([{"Services": [{"Name": "ingest"}]}])), "another number of services");
        assert!(!matches(json!([{"Services": [{"Name": "Ingest"}, {}]}])), "in another case");
        assert!(!matches(json!([{"Services": [{}, {"AccountId": "1"}]}])), "a field that is missing");
    }

    #[test]
    fn what_is_no_root_cause_is_refused() {
        for wrong in ["", "[", "[]", "{}", "[1]", "[{}]", r#"[{"Services": 1}]"#] {
            assert!(CausePattern::read(wrong).is_err(), "{wrong}");
        }
    }
}
