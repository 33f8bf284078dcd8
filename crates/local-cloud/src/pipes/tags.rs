//! The tags of a pipe, which are a part of the request that created it.

use serde_json::{Map, Value, json};

use super::definition::invalid;
use crate::reply::AwsError;

const TAGS: &str = "Tags";
const MAX_TAGS: usize = 50;

pub(super) fn add(pipe: &mut Value, input: &Value) -> Result<Value, AwsError> {
    let mut tags = all(pipe);
    tags.extend(input["tags"].as_object().cloned().unwrap_or_default());
    if tags.len() > MAX_TAGS {
        return Err(invalid(format!("a pipe has up to {MAX_TAGS} tags")));
    }
    pipe[TAGS] = tags.into();
    Ok(json!({}))
}

pub(super) fn remove(pipe: &mut Value, input: &Value) -> Value {
    let mut tags = all(pipe);
    for key in input["tagKeys"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        tags.remove(key);
    }
    pipe[TAGS] = tags.into();
    json!({})
}

pub(super) fn list(pipe: &Value) -> Value {
    json!({"tags": all(pipe)})
}

fn all(pipe: &Value) -> Map<String, Value> {
    pipe.get(TAGS).and_then(Value::as_object).cloned().unwrap_or_default()
}
