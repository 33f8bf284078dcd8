use serde_json::Value;

/// An attribute of an SNS message, as far as filter policies see it.
#[derive(Clone, Debug)]
pub struct Attribute(Kind);

#[derive(Clone, Debug)]
enum Kind {
    Text(String),
    Number(String),
    List(Vec<Value>),
    /// Filter policies do not see binary values.
    Hidden,
}

/// A value of an attribute.
pub(crate) enum AttributeValue<'a> {
    Text(&'a str),
    Number(&'a str),
    Json(&'a Value),
}

impl Attribute {
    /// Reads an attribute of the data types `String`, `String.Array`, `Number` or `Binary`, or of a custom type derived
    /// from one (`Number.int`). A `String.Array` that is not a list in JSON is a string.
    #[must_use]
    pub fn read(data_type: &str, value: &str) -> Self {
        let array = (data_type == "String.Array").then(|| serde_json::from_str(value));
        Self(match (array, data_type.split('.').next()) {
            (Some(Ok(Value::Array(values))), _) => Kind::List(values),
            (_, Some("String")) => Kind::Text(value.to_owned()),
            (_, Some("Number")) => Kind::Number(value.to_owned()),
            _ => Kind::Hidden,
        })
    }

    pub(crate) fn values(&self) -> Vec<AttributeValue<'_>> {
        match &self.0 {
            Kind::Text(text) => vec![AttributeValue::Text(text)],
            Kind::Number(text) => vec![AttributeValue::Number(text)],
            Kind::List(values) => values.iter().map(AttributeValue::Json).collect(),
            Kind::Hidden => Vec::new(),
        }
    }
}
