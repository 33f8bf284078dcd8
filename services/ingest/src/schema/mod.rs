//! The schemas of the events that the service accepts, derived from their types.
//!
//! An event as it is posted differs from the event on the bus: its type and customer number stand beside its data, and
//! unknown fields are refused. Requests are validated against these schemas and the API description publishes them, so
//! the two cannot disagree.

mod envelope_fields;
mod normalize;
mod shape;

use contracts::{Contract, CustomerNumber};
use envelope::{Envelope, Metadata};
use schemars::generate::SchemaSettings;
use schemars::{Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

pub(crate) use self::envelope_fields::{EventId, OccurredAt, parse_event_id, parse_occurred_at};
pub(crate) use self::shape::{COMPONENTS, Format, Object, Shape, Text, UnsupportedSchema};

/// The field of an event's data that is posted beside the data.
pub(crate) const CUSTOMER_NUMBER: &str = "customer_number";

/// An event type that the service accepts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AcceptedType {
    pub(crate) name: &'static str,
    /// The event's data as JSON.
    pub(crate) example: &'static str,
    schema_name: fn() -> std::borrow::Cow<'static, str>,
    subschema: fn(&mut SchemaGenerator) -> Schema,
    /// Makes an envelope of data that matches the schema; `None` if the type refuses it all the same.
    pub(crate) envelope: fn(Metadata, Map<String, Value>) -> Option<Envelope>,
}

impl AcceptedType {
    fn of<E: Contract>() -> Self {
        Self {
            name: E::TYPE,
            example: E::EXAMPLE,
            schema_name: E::schema_name,
            subschema: |generator| generator.subschema_for::<E>(),
            envelope: |metadata, data| {
                let event: E = serde_json::from_value(Value::Object(data)).ok()?;
                Envelope::new(metadata, &event).ok()
            },
        }
    }
}

/// A tuple of event types that the service accepts.
pub(crate) trait Accepts {
    /// The types, in the order written.
    fn types() -> Vec<AcceptedType>;
}

macro_rules! accepts {
    ($($name:ident)+) => {
        impl<$($name: Contract),+> Accepts for ($($name,)+) {
            fn types() -> Vec<AcceptedType> {
                vec![$(AcceptedType::of::<$name>()),+]
            }
        }
    };
}
accepts!(A);
accepts!(A B);
accepts!(A B C);
accepts!(A B C D);
accepts!(A B C D E);
accepts!(A B C D E F);
accepts!(A B C D E F G);
accepts!(A B C D E F G H);
accepts!(A B C D E F G H I);
accepts!(A B C D E F G H I J);
accepts!(A B C D E F G H I J K);
accepts!(A B C D E F G H I J K L);

/// The event types that the service accepts, with the schemas of posted events.
#[derive(Debug, Clone)]
pub(crate) struct Schemas {
    pub(crate) types: Vec<AcceptedType>,
    /// `components.schemas` of the API description: each event type under its name, `Event` for any of them, and
    /// everything they refer to.
    pub(crate) components: Map<String, Value>,
}

impl Schemas {
    /// Derives the schemas of the tuple's event types.
    pub(crate) fn of<T: Accepts>() -> Self {
        let types = T::types();
        let settings = SchemaSettings::draft2020_12().with(|settings| {
            settings.definitions_path = "/components/schemas".into();
            settings.meta_schema = None;
        });
        let mut generator = settings.into_generator();
        for event_type in &types {
            (event_type.subschema)(&mut generator);
        }
        generator.subschema_for::<CustomerNumber>();
        generator.subschema_for::<EventId>();
        generator.subschema_for::<OccurredAt>();
        let mut components = generator.take_definitions(true);
        for event_type in &types {
            let event = components.remove((event_type.schema_name)().as_ref()).unwrap_or_default();
            components.insert(event_type.name.to_owned(), posted(event_type.name, event));
        }
        components.values_mut().for_each(normalize::normalize);
        components.insert("Event".to_owned(), any_of(&types));
        Self { types, components }
    }

    /// Returns the shape of a posted event of this type.
    pub(crate) fn shape(&self, event_type: &str) -> Result<Shape, UnsupportedSchema> {
        Shape::compile(&json!({"$ref": format!("{COMPONENTS}{event_type}")}), &self.components)
    }

    /// Returns the shape of a posted event whose type is not known: its data can be anything.
    pub(crate) fn untyped_shape(&self) -> Result<Shape, UnsupportedSchema> {
        let mut properties = envelope_properties();
        properties.insert("type".to_owned(), json!({}));
        properties.insert("data".to_owned(), json!({}));
        let schema = json!({
            "type": "object", "additionalProperties": false, "required": [CUSTOMER_NUMBER], "properties": properties,
        });
        Shape::compile(&schema, &self.components)
    }
}

/// The schema of a posted event, from that of the event on the bus.
fn posted(name: &str, event: Value) -> Value {
    let Value::Object(mut data) = event else { return event };
    let description = data.remove("description");
    if let Some(Value::Object(properties)) = data.get_mut("properties") {
        properties.remove(CUSTOMER_NUMBER);
    }
    if let Some(Value::Array(required)) = data.get_mut("required") {
        required.retain(|field| field != CUSTOMER_NUMBER);
    }
    if let Some(least) = data.get("minProperties").and_then(Value::as_u64) {
        data.insert("minProperties".to_owned(), least.saturating_sub(1).into());
    }
    // Data may be left out where an empty object would do.
    let takes_empty = data.get("required").is_none_or(|required| required == &json!([]))
        && data.get("minProperties").is_none_or(|least| least == &json!(0));
    let mut required = vec!["type", CUSTOMER_NUMBER];
    if !takes_empty {
        required.push("data");
    }
    let mut properties = envelope_properties();
    properties.insert("type".to_owned(), json!({"const": name}));
    properties.insert("data".to_owned(), Value::Object(data));
    json!({"description": description, "type": "object", "required": required, "properties": properties})
}

/// The fields that stand beside the data of every event.
fn envelope_properties() -> Map<String, Value> {
    [(CUSTOMER_NUMBER, "CustomerNumber"), ("event_id", "EventId"), ("occurred_at", "OccurredAt")]
        .map(|(field, schema)| (field.to_owned(), json!({"$ref": format!("{COMPONENTS}{schema}")})))
        .into_iter()
        .collect()
}

fn any_of(types: &[AcceptedType]) -> Value {
    let reference = |event_type: &AcceptedType| format!("{COMPONENTS}{}", event_type.name);
    let references: Vec<_> = types.iter().map(|event_type| json!({"$ref": reference(event_type)})).collect();
    let mapping: Map<_, _> =
        types.iter().map(|event_type| (event_type.name.to_owned(), reference(event_type).into())).collect();
    json!({"oneOf": references, "discriminator": {"propertyName": "type", "mapping": mapping}})
}

#[cfg(test)]
mod tests;
