//! A schema, compiled: what a value is checked against.
//!
//! Only the keywords that `validation` enforces are known. A schema with any other does not compile, so the
//! API description never promises a rule that nothing checks.

use regex_lite::Regex;
use serde_json::{Map, Value};
use thiserror::Error;

/// The place of the schemas in the API description.
pub(crate) const COMPONENTS: &str = "#/components/schemas/";

/// How deep schemas may nest; a type that contains itself would nest without end.
const MAX_DEPTH: usize = 16;

/// Keywords that say nothing about which values are valid.
const ANNOTATIONS: [&str; 5] = ["description", "title", "examples", "default", "x-expected"];

/// A schema that cannot be enforced.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("schema at {place}: {problem}")]
pub(crate) struct UnsupportedSchema {
    place: String,
    problem: String,
}

/// What a value must be.
#[derive(Debug)]
pub(crate) enum Shape {
    Anything,
    Object(Object),
    List(List),
    Text(Text),
    /// One of these strings.
    Choice(Vec<String>),
    Integer {
        minimum: Option<i128>,
        maximum: Option<i128>,
    },
    Boolean,
}

/// An object with these fields and no others.
#[derive(Debug)]
pub(crate) struct Object {
    pub(crate) fields: Vec<Field>,
    /// How many of the fields must be there at least.
    pub(crate) at_least: usize,
    /// How many of the fields may be there at most.
    pub(crate) at_most: usize,
}

#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) required: bool,
    pub(crate) shape: Shape,
}

#[derive(Debug)]
pub(crate) struct List {
    pub(crate) items: Box<Shape>,
    pub(crate) min_items: usize,
    pub(crate) max_items: usize,
    /// Whether no item may occur twice.
    pub(crate) unique: bool,
    pub(crate) expected: Option<String>,
}

#[derive(Debug)]
pub(crate) struct Text {
    pub(crate) min_length: usize,
    pub(crate) max_length: usize,
    pub(crate) pattern: Option<Regex>,
    pub(crate) format: Option<Format>,
    /// A text that is refused although it is right otherwise.
    pub(crate) except: Option<String>,
    pub(crate) expected: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Uuid,
    DateTime,
    Email,
    Currency,
}

impl Shape {
    /// Compiles `schema`, whose references lead into `components`.
    pub(crate) fn compile(
        schema: &Value,
        components: &Map<String, Value>,
    ) -> Result<Self, UnsupportedSchema> {
        Compiler { components, depth: 0, place: String::new() }.shape(schema)
    }
}

struct Compiler<'a> {
    components: &'a Map<String, Value>,
    depth: usize,
    place: String,
}

impl Compiler<'_> {
    fn shape(&mut self, schema: &Value) -> Result<Shape, UnsupportedSchema> {
        let Value::Object(schema) = schema else { return Err(self.unsupported("is not an object")) };
        if self.depth == MAX_DEPTH {
            return Err(self.unsupported("nests too deeply"));
        }
        self.depth += 1;
        let shape = self.object_schema(schema);
        self.depth -= 1;
        shape
    }

    fn object_schema(&mut self, schema: &Map<String, Value>) -> Result<Shape, UnsupportedSchema> {
        if let Some(reference) = schema.get("$ref") {
            self.only(schema, &["$ref"])?;
            let name = reference.as_str().and_then(|reference| reference.strip_prefix(COMPONENTS));
            let target = name.and_then(|name| self.components.get(name));
            return match target {
                Some(target) => self.shape(target),
                None => Err(self.unsupported("has a $ref that leads nowhere")),
            };
        }
        if let Some(choices) = choices(schema) {
            self.only(schema, &["type", "const", "enum", "oneOf"])?;
            return Ok(Shape::Choice(choices));
        }
        match schema.get("type").and_then(Value::as_str) {
            None if schema.keys().all(|keyword| ANNOTATIONS.contains(&keyword.as_str())) => {
                Ok(Shape::Anything)
            }
            Some("object") => self.object(schema),
            Some("array") => self.list(schema),
            Some("string") => self.text(schema),
            Some("integer") => {
                self.only(schema, &["type", "minimum", "maximum"])?;
                let bound =
                    |keyword| schema.get(keyword).and_then(Value::as_number).and_then(|n| n.as_i128());
                Ok(Shape::Integer { minimum: bound("minimum"), maximum: bound("maximum") })
            }
            Some("boolean") => {
                self.only(schema, &["type"])?;
                Ok(Shape::Boolean)
            }
            _ => Err(self.unsupported("has a type that is not checked")),
        }
    }

    fn object(&mut self, schema: &Map<String, Value>) -> Result<Shape, UnsupportedSchema> {
        self.only(
            schema,
            &["type", "properties", "required", "additionalProperties", "minProperties", "maxProperties"],
        )?;
        if schema.get("additionalProperties") != Some(&Value::Bool(false)) {
            return Err(self.unsupported("takes additional properties"));
        }
        let required: Vec<_> = schema
            .get("required")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        let mut fields = Vec::new();
        for (name, property) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
            let length = self.place.len();
            self.place.push('/');
            self.place.push_str(name);
            let shape = self.shape(property)?;
            self.place.truncate(length);
            fields.push(Field { name: name.clone(), required: required.contains(&name.as_str()), shape });
        }
        // Required fields first, in the order of their declaration, which is how messages list them.
        fields
            .sort_by_key(|field| required.iter().position(|name| *name == field.name).unwrap_or(usize::MAX));
        Ok(Shape::Object(Object {
            fields,
            at_least: size(schema, "minProperties").unwrap_or(0),
            at_most: size(schema, "maxProperties").unwrap_or(usize::MAX),
        }))
    }

    fn list(&mut self, schema: &Map<String, Value>) -> Result<Shape, UnsupportedSchema> {
        self.only(schema, &["type", "items", "minItems", "maxItems", "uniqueItems"])?;
        let Some(items) = schema.get("items") else { return Err(self.unsupported("has no items")) };
        Ok(Shape::List(List {
            items: Box::new(self.shape(items)?),
            min_items: size(schema, "minItems").unwrap_or(0),
            max_items: size(schema, "maxItems").unwrap_or(usize::MAX),
            unique: schema.get("uniqueItems") == Some(&Value::Bool(true)),
            expected: expected(schema),
        }))
    }

    fn text(&self, schema: &Map<String, Value>) -> Result<Shape, UnsupportedSchema> {
        self.only(schema, &["type", "minLength", "maxLength", "pattern", "format", "not"])?;
        let pattern = match schema.get("pattern").and_then(Value::as_str) {
            Some(pattern) => Some(
                Regex::new(pattern).map_err(|_| self.unsupported("has a pattern that is not one in Rust"))?,
            ),
            None => None,
        };
        let format = match schema.get("format").and_then(Value::as_str) {
            Some("uuid") => Some(Format::Uuid),
            Some("date-time") => Some(Format::DateTime),
            Some("idn-email") => Some(Format::Email),
            Some("iso-4217") => Some(Format::Currency),
            Some(_) => return Err(self.unsupported("has a format that is not checked")),
            None => None,
        };
        let except = match schema.get("not") {
            Some(Value::Object(not)) if not.len() == 1 => not.get("const").and_then(Value::as_str),
            Some(_) => return Err(self.unsupported("has a \"not\" that is not checked")),
            None => None,
        };
        Ok(Shape::Text(Text {
            min_length: size(schema, "minLength").unwrap_or(0),
            max_length: size(schema, "maxLength").unwrap_or(usize::MAX),
            pattern,
            format,
            except: except.map(str::to_owned),
            expected: expected(schema),
        }))
    }

    /// Refuses a keyword that would not be enforced.
    fn only(&self, schema: &Map<String, Value>, known: &[&str]) -> Result<(), UnsupportedSchema> {
        let mut keywords = schema.keys().map(String::as_str);
        match keywords.find(|keyword| !known.contains(keyword) && !ANNOTATIONS.contains(keyword)) {
            Some(keyword) => {
                Err(self.unsupported(&format!("has the keyword {keyword}, which is not checked")))
            }
            None => Ok(()),
        }
    }

    fn unsupported(&self, problem: &str) -> UnsupportedSchema {
        UnsupportedSchema { place: self.place.clone(), problem: problem.to_owned() }
    }
}

/// The strings that a schema lists: `const`, `enum`, or a `oneOf` of such.
fn choices(schema: &Map<String, Value>) -> Option<Vec<String>> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    if let Some(only) = schema.get("const") {
        return Some(vec![text(only)?]);
    }
    if let Some(Value::Array(values)) = schema.get("enum") {
        return values.iter().map(text).collect();
    }
    let alternatives = schema.get("oneOf")?.as_array()?;
    let alternatives: Option<Vec<Vec<String>>> =
        alternatives.iter().map(|schema| choices(schema.as_object()?)).collect();
    alternatives.map(|alternatives| alternatives.concat())
}

fn size(schema: &Map<String, Value>, keyword: &str) -> Option<usize> {
    schema.get(keyword)?.as_u64()?.try_into().ok()
}

fn expected(schema: &Map<String, Value>) -> Option<String> {
    schema.get("x-expected")?.as_str().map(str::to_owned)
}
