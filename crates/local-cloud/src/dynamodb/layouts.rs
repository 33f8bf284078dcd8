//! How the engine stores the items of a table, so that the most frequent requests need not go through it.

use std::collections::HashMap;

use dynoxide::Result;
use dynoxide::storage::{Storage, TableMetadata};
use dynoxide::storage_backend::sql_builders;
use dynoxide::types::AttributeValue;
use serde_json::{Map, Value};

/// The longest partition key and the longest sort key, in bytes (developer guide, "Quotas").
const MOST_BYTES: [usize; 2] = [2048, 1024];

/// Where the items of a table are, whose key consists of strings.
#[derive(Debug)]
pub(super) struct Layout {
    /// The attributes of the key, the partition key first.
    pub(super) key: Vec<String>,
    /// Selects an item by its stored key.
    pub(super) select: String,
    /// Writes an item: stored key, JSON, size in bytes, hash of the partition key.
    pub(super) insert: String,
    /// Whether an item is in one row, since no index has a copy of it.
    pub(super) is_alone: bool,
    /// Whether the table has a stream.
    pub(super) is_streamed: bool,
}

/// What is known of tables: nothing yet, or `None` if only the engine can read them.
#[derive(Debug, Default)]
pub(super) struct Layouts {
    by_table: HashMap<String, Option<Layout>>,
}

impl Layouts {
    /// Reads the layout of a table. [`Layouts::get`] returns it from then on.
    pub(super) fn load(&mut self, storage: &Storage, table: &str) -> Result<()> {
        if !self.by_table.contains_key(table)
            && let Some(metadata) = storage.get_table_metadata(table)?
        {
            self.by_table.insert(table.to_owned(), Layout::new(&metadata));
        }
        Ok(())
    }

    /// Returns a table's layout, or `None` if the engine has to read and write its items.
    pub(super) fn get(&self, table: &str) -> Option<&Layout> {
        self.by_table.get(table)?.as_ref()
    }

    /// Forgets all tables, one of which may have changed.
    pub(super) fn forget(&mut self) {
        self.by_table.clear();
    }
}

impl Layout {
    fn new(metadata: &TableMetadata) -> Option<Self> {
        let texts = |json: &str, name: &str, kind: &str| -> Vec<(String, String)> {
            let elements: Vec<Value> = serde_json::from_str(json).unwrap_or_default();
            let text = |element: &Value, member: &str| element[member].as_str().map(str::to_owned);
            elements.iter().filter_map(|element| text(element, name).zip(text(element, kind))).collect()
        };
        let mut key = texts(&metadata.key_schema, "AttributeName", "KeyType");
        let types = texts(&metadata.attribute_definitions, "AttributeName", "AttributeType");
        key.sort_by_key(|(_, kind)| kind == "RANGE");
        let of_strings = key.iter().all(|(name, _)| types.contains(&(name.clone(), "S".to_owned())));
        let known = matches!(key.len(), 1 | 2) && of_strings && metadata.vector_index_definitions.is_none();
        let table = &metadata.table_name;
        known.then(|| Self {
            key: key.into_iter().map(|(name, _)| name).collect(),
            select: sql_builders::get_item(table, "", "").0,
            insert: sql_builders::put_item_with_hash(table, "", "", "", 0, "").0,
            is_alone: is_none(metadata.gsi_definitions.as_deref())
                && is_none(metadata.lsi_definitions.as_deref()),
            is_streamed: metadata.stream_enabled,
        })
    }

    /// Returns partition and sort key as the engine stores them, if the members are exactly a key of this table.
    pub(super) fn stored_key(&self, given: &Map<String, Value>) -> Option<[String; 2]> {
        if given.len() == self.key.len() { self.stored_key_of_item(given) } else { None }
    }

    /// Returns partition and sort key of an item as the engine stores them, if they are valid.
    pub(super) fn stored_key_of_item(&self, item: &Map<String, Value>) -> Option<[String; 2]> {
        let mut stored = [String::new(), String::new()];
        for ((name, most), stored) in self.key.iter().zip(MOST_BYTES).zip(&mut stored) {
            let value = item.get(name)?.as_object().filter(|value| value.len() == 1)?;
            let text = value.get("S")?.as_str().filter(|text| !text.is_empty() && text.len() <= most)?;
            *stored = AttributeValue::S(text.to_owned()).to_key_string()?;
        }
        Some(stored)
    }
}

fn is_none(indexes: Option<&str>) -> bool {
    indexes.is_none_or(|json| matches!(json, "" | "[]" | "null"))
}
