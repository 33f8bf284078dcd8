//! Time to live: which items have expired. The engine has a sweep too, but reads every item of the table for it.

use dynoxide::Result;
use dynoxide::storage::{Storage, TableMetadata};
use serde_json::{Map, Value};

/// Items that expired longer ago than this are kept: the time is taken for a mistake (developer guide, "Using time to
/// live (TTL) in DynamoDB").
const TOO_LONG_AGO_S: i64 = 5 * 365 * 24 * 60 * 60;

/// An item to delete: its table and key.
pub(super) struct Expired {
    pub(super) table: String,
    pub(super) key: Value,
}

/// Indexes a table by the attribute that holds an item's expiry, or drops the index.
pub(super) fn index(storage: &Storage, table: &str) -> Result<()> {
    let Some(metadata) = storage.get_table_metadata(table)? else { return Ok(()) };
    let name = quoted(&format!("{table}::ttl"));
    storage.conn().execute_batch(&format!("DROP INDEX IF EXISTS {name}"))?;
    if let Some(expires) = expiry(&metadata) {
        storage.conn().execute_batch(&format!("CREATE INDEX {name} ON {} ({expires})", quoted(table)))?;
    }
    Ok(())
}

/// Returns up to `most` items that have expired.
pub(super) fn expired(storage: &Storage, now_s: i64, most: usize) -> Result<Vec<Expired>> {
    let mut found = Vec::new();
    for metadata in storage.list_ttl_enabled_tables()? {
        let Some(expires) = expiry(&metadata) else { continue };
        let mut statement = storage.conn().prepare_cached(&format!(
            "SELECT item_json FROM {} WHERE {expires} > ?1 AND {expires} < ?2 LIMIT ?3",
            quoted(&metadata.table_name)
        ))?;
        let most = i64::try_from(most - found.len()).unwrap_or(i64::MAX);
        let items = statement
            .query_map((now_s - TOO_LONG_AGO_S, now_s, most), |row| row.get::<_, String>(0))?
            .collect::<std::result::Result<Vec<_>, _>>()?;
        for item in items {
            if let Some(key) = key_of(&item, &metadata.key_schema) {
                found.push(Expired { table: metadata.table_name.clone(), key });
            }
        }
    }
    Ok(found)
}

/// Returns the expression for when an item expires, in seconds since 1970; null for an item that does not. A name with
/// a quote or a backslash cannot be part of a JSON path: items with such an attribute stay.
fn expiry(metadata: &TableMetadata) -> Option<String> {
    let attribute = metadata.ttl_attribute.as_ref().filter(|_| metadata.ttl_enabled)?;
    if attribute.contains(['"', '\\']) {
        return None;
    }
    let attribute = attribute.replace('\'', "''");
    Some(format!("CAST(json_extract(item_json, '$.\"{attribute}\".N') AS INTEGER)"))
}

fn key_of(item: &str, key_schema: &str) -> Option<Value> {
    let item: Value = serde_json::from_str(item).ok()?;
    let schema: Value = serde_json::from_str(key_schema).ok()?;
    let mut key = Map::new();
    for element in schema.as_array()? {
        let name = element["AttributeName"].as_str()?;
        key.insert(name.to_owned(), item.get(name)?.clone());
    }
    Some(key.into())
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
