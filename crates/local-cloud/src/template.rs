//! Input templates of EventBridge's input transformers and of Pipes: text with `<…>` placeholders.
//!
//! Outside quotes a placeholder becomes a JSON value, and a string keeps its quotes. Inside quotes it becomes part of the
//! string, escaped; the services differ in what becomes of objects there. A value that is not found is an empty string in
//! both places.

use serde_json::Value;

/// How the JSON text of objects and lists is written inside quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Objects {
    /// As a string would be.
    Escaped,
    /// Without its quotes.
    WithoutQuotes,
    /// Unchanged, which leaves the template malformed if the text has quotes.
    AsTheyAre,
}

/// Replaces every placeholder of a template by the value that `resolve` returns for it.
pub(crate) fn render(template: &str, objects: Objects, resolve: impl Fn(&str) -> Option<Value>) -> String {
    let mut out = String::with_capacity(template.len() * 2);
    let mut rest = template;
    let mut quoted = false;
    while let Some(at) = rest.find(['"', '\\', '<']) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        if let Some(after) = rest.strip_prefix('"') {
            quoted = !quoted;
            out.push('"');
            rest = after;
        } else if rest.starts_with('\\') {
            // Whatever character is escaped, it does not end the string.
            let end = rest.char_indices().nth(2).map_or(rest.len(), |(end, _)| end);
            out.push_str(&rest[..end]);
            rest = &rest[end..];
        } else if let Some((placeholder, after)) = placeholder(rest) {
            insert(&mut out, resolve(placeholder), quoted.then_some(objects));
            rest = after;
        } else {
            out.push('<');
            rest = &rest[1..];
        }
    }
    out.push_str(rest);
    out
}

/// Returns the names of a template's placeholders.
pub(crate) fn placeholders(template: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = template;
    while let Some(at) = rest.find('<') {
        rest = &rest[at..];
        if let Some((name, after)) = placeholder(rest) {
            found.push(name);
            rest = after;
        } else {
            rest = &rest[1..];
        }
    }
    found
}

/// Reads `<name>` at the start of the text. Names have no spaces or quotes, so other uses of `<` stay as they are.
fn placeholder(text: &str) -> Option<(&str, &str)> {
    let (name, after) = text.strip_prefix('<')?.split_once('>')?;
    let plausible = !name.is_empty() && name.chars().all(|c| c.is_ascii_graphic() && c != '<' && c != '"');
    plausible.then_some((name, after))
}

/// `quoted` is given inside quotes.
fn insert(out: &mut String, value: Option<Value>, quoted: Option<Objects>) {
    let value = value.unwrap_or_else(|| Value::String(String::new()));
    let Some(objects) = quoted else {
        out.push_str(&value.to_string());
        return;
    };
    let is_container = value.is_object() || value.is_array();
    let text = match value {
        Value::String(text) => text,
        other => other.to_string(),
    };
    match objects {
        Objects::WithoutQuotes if is_container => out.push_str(&text.replace('"', "")),
        Objects::AsTheyAre if is_container => out.push_str(&text),
        _ => {
            let escaped = Value::String(text).to_string();
            out.push_str(&escaped[1..escaped.len() - 1]);
        }
    }
}

/// Returns the value at a JSON path in one of the forms that AWS accepts here: `$`, `$.a.b`, `$.a[0]`, `$['a']`.
pub(crate) fn at_path<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    let mut rest = path.strip_prefix('$')?;
    let mut value = value;
    while !rest.is_empty() {
        let (step, after) = if let Some(name) = rest.strip_prefix('.') {
            let end = name.find(['.', '[']).unwrap_or(name.len());
            (&name[..end], &name[end..])
        } else {
            rest.strip_prefix('[')?.split_once(']')?
        };
        value = match step.parse::<usize>() {
            Ok(index) if value.is_array() => value.get(index)?,
            _ => value.get(step.trim_matches(['\'', '"']))?,
        };
        rest = after;
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rendered(template: &str, event: &Value) -> String {
        render(template, Objects::Escaped, |path| at_path(event, path).cloned())
    }

    #[test]
    fn outside_quotes_a_value_is_json() {
        let event = json!({"s": "a \"b\"", "n": 1, "o": {"k": [true]}});
        assert_eq!(
            rendered(r#"{"s": <$.s>, "n": <$.n>, "o": <$.o>, "gone": <$.x>}"#, &event),
            r#"{"s": "a \"b\"", "n": 1, "o": {"k":[true]}, "gone": ""}"#
        );
    }

    #[test]
    fn inside_quotes_a_value_is_part_of_the_string() {
        let event = json!({"s": "a \"b\"\n", "n": 1, "o": {"k": 1}});
        let text = rendered(r#"{"t": "s=<$.s> n=<$.n> o=<$.o> x=<$.x>|"}"#, &event);
        let parsed: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(parsed["t"], "s=a \"b\"\n n=1 o={\"k\":1} x=|");
    }

    #[test]
    fn a_string_holding_json_stays_a_string() {
        let event = json!({"data": r#"{"a":1}"#});
        let parsed: Value = serde_json::from_str(&rendered(r#"{"data":<$.data>}"#, &event)).unwrap();
        assert_eq!(parsed["data"], r#"{"a":1}"#);
    }

    #[test]
    fn escaped_quotes_and_other_brackets_are_left_alone() {
        assert_eq!(rendered(r#""\"<$.s>" < 1 <a b>"#, &json!({"s": "x"})), r#""\"x" < 1 <a b>"#);
        assert_eq!(rendered("<", &json!({})), "<");
        assert_eq!(rendered("\\", &json!({})), "\\");
    }

    #[test]
    fn paths_reach_into_objects_and_lists() {
        let event = json!({"a": {"b-c": [10, {"d": 20}]}, "0": 5});
        assert_eq!(at_path(&event, "$.a.b-c[1].d"), Some(&json!(20)));
        assert_eq!(at_path(&event, "$['a']['b-c'][0]"), Some(&json!(10)));
        assert_eq!(at_path(&event, "$.0"), Some(&json!(5)));
        assert_eq!(at_path(&event, "$"), Some(&event));
        assert_eq!(at_path(&event, "$.a.x"), None);
        assert_eq!(at_path(&event, "a"), None);
    }
}
