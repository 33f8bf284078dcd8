//! `PutItem`, `UpdateItem` and `TransactWriteItems` in their most frequent forms.
//!
//! The engine prepares each statement anew, reads the table's description, decodes the item several times and writes the
//! stream's record to a table. Here statements are prepared once, and an item is written as it was given. What the engine
//! might refuse, store in another form or copy to an index is left to it, and so is a condition that does not hold: nothing
//! has been written when that is known.

mod expressions;
mod values;

use std::collections::BTreeMap;

use dynoxide::Result;
use dynoxide::storage::Storage;
use md5::{Digest as _, Md5};
use serde_json::{Map, Value, json};

use self::expressions::{Scope, Update};
use super::layouts::{Layout, Layouts};
use super::point_reads::has_sets;
use super::size;
use super::streams::Change;

/// The largest item that is written here, in bytes of JSON; the limit is 400 KB.
const LARGEST: usize = 64 * 1024;
/// The most actions of a transaction that are done here; the limit is 100, and 4 MB.
const MOST_ACTIONS: usize = 25;

/// A request that was carried out.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) output: Value,
    /// What it changed in tables with a stream.
    pub(super) changes: Vec<Change>,
}

/// Carries out a request, or returns `None` if the engine has to.
pub(super) fn answer(
    layouts: &mut Layouts,
    storage: &Storage,
    operation: &str,
    input: &Value,
) -> Result<Option<Written>> {
    let Some(request) = input.as_object() else { return Ok(None) };
    match operation {
        "PutItem" | "UpdateItem" => {
            let Some(write) = plan(layouts, storage, operation, request)? else { return Ok(None) };
            let Some(output) = output(&write, request.get("ReturnValues")) else { return Ok(None) };
            write.store(storage)?;
            Ok(Some(Written { output, changes: write.into_change().into_iter().collect() }))
        }
        "TransactWriteItems" => transact(layouts, storage, request),
        _ => Ok(None),
    }
}

/// Returns the output of a single write, if it has one of the usual forms.
fn output(write: &Write<'_>, return_values: Option<&Value>) -> Option<Value> {
    match return_values.map(Value::as_str) {
        None | Some(Some("NONE")) => Some(json!({})),
        Some(Some("ALL_OLD")) => match &write.old {
            None if write.is_put => Some(json!({})),
            Some(old) if !has_sets(old) => {
                Some(json!({"Attributes": serde_json::from_str::<Value>(old).ok()?}))
            }
            _ => None,
        },
        _ => None,
    }
}

fn transact(
    layouts: &mut Layouts,
    storage: &Storage,
    request: &Map<String, Value>,
) -> Result<Option<Written>> {
    let Some(actions) = request.get("TransactItems").and_then(Value::as_array) else { return Ok(None) };
    if request.len() != 1 || actions.is_empty() || actions.len() > MOST_ACTIONS {
        return Ok(None);
    }
    let mut named = Vec::with_capacity(actions.len());
    for action in actions {
        let Some((operation, action)) = action_of(action) else { return Ok(None) };
        let Some(table) = action.get("TableName").and_then(Value::as_str) else { return Ok(None) };
        layouts.load(storage, table)?;
        named.push((operation, action));
    }
    let mut writes: Vec<Write<'_>> = Vec::with_capacity(actions.len());
    for (operation, action) in named {
        let Some(write) = plan_loaded(layouts, storage, operation, action)? else { return Ok(None) };
        if action.contains_key("ReturnValues") || writes.iter().any(|other| other.is_to_the_same(&write)) {
            return Ok(None);
        }
        writes.push(write);
    }
    storage.begin_transaction()?;
    let stored = writes.iter().try_for_each(|write| write.store(storage)).and_then(|()| storage.commit());
    if let Err(error) = stored {
        // Else the connection would refuse all further transactions. SQLite may have done it itself, and then refuses this.
        storage.rollback().ok();
        return Err(error);
    }
    let changes = writes.into_iter().filter_map(Write::into_change).collect();
    Ok(Some(Written { output: json!({}), changes }))
}

/// Returns the one action of an element of a transaction, as the operation that does the same alone.
fn action_of(action: &Value) -> Option<(&'static str, &Map<String, Value>)> {
    let members = action.as_object().filter(|members| members.len() == 1)?;
    let (kind, action) = members.iter().next()?;
    let operation = match kind.as_str() {
        "Put" => "PutItem",
        "Update" => "UpdateItem",
        _ => return None,
    };
    Some((operation, action.as_object()?))
}

/// A write whose condition holds.
#[derive(Debug)]
struct Write<'a> {
    layout: &'a Layout,
    table: &'a str,
    is_put: bool,
    /// Partition and sort key as they are stored.
    key: [String; 2],
    hash_prefix: String,
    old: Option<String>,
    new: String,
    bytes: usize,
    /// The key as JSON, if the table has a stream.
    key_of_change: Option<String>,
}

fn plan<'a>(
    layouts: &'a mut Layouts,
    storage: &Storage,
    operation: &str,
    action: &'a Map<String, Value>,
) -> Result<Option<Write<'a>>> {
    let Some(table) = action.get("TableName").and_then(Value::as_str) else { return Ok(None) };
    layouts.load(storage, table)?;
    plan_loaded(layouts, storage, operation, action)
}

/// Reads the item that an action is about and decides what to write.
fn plan_loaded<'a>(
    layouts: &'a Layouts,
    storage: &Storage,
    operation: &str,
    action: &'a Map<String, Value>,
) -> Result<Option<Write<'a>>> {
    let Some(target) = Target::of(layouts, operation, action) else { return Ok(None) };
    let old = read(storage, target.layout, &target.key)?;
    Ok(target.write(action, old))
}

fn read(storage: &Storage, layout: &Layout, key: &[String; 2]) -> Result<Option<String>> {
    let mut select = storage.conn().prepare_cached(&layout.select)?;
    let mut rows = select.query([&key[0], &key[1]])?;
    Ok(rows.next()?.map(|row| row.get(0)).transpose()?)
}

/// The item that an action is about.
struct Target<'a> {
    layout: &'a Layout,
    table: &'a str,
    is_put: bool,
    /// The item to put, or the key of the item to update.
    given: &'a Map<String, Value>,
    key: [String; 2],
}

impl<'a> Target<'a> {
    /// Returns `None` if the action has an unusual member.
    fn of(layouts: &'a Layouts, operation: &str, action: &'a Map<String, Value>) -> Option<Self> {
        let is_put = operation == "PutItem";
        let usual = action.iter().all(|(member, value)| match member.as_str() {
            "TableName" | "ConditionExpression" | "ReturnValues" => value.is_string(),
            "UpdateExpression" => !is_put && value.is_string(),
            "Item" => is_put,
            "Key" => !is_put,
            "ExpressionAttributeNames" | "ExpressionAttributeValues" => {
                value.as_object().is_some_and(|defined| !defined.is_empty())
            }
            "ReturnValuesOnConditionCheckFailure" => matches!(value.as_str(), Some("ALL_OLD" | "NONE")),
            _ => false,
        });
        let table = action.get("TableName")?.as_str()?;
        let layout = layouts.get(table).filter(|layout| usual && layout.is_alone)?;
        let given = action.get(if is_put { "Item" } else { "Key" })?.as_object()?;
        let key = if is_put { layout.stored_key_of_item(given) } else { layout.stored_key(given) }?;
        values::are_usual(given).then_some(Self { layout, table, is_put, given, key })
    }

    /// Returns what to write in place of an item, or `None` if the condition does not hold.
    fn write(self, action: &'a Map<String, Value>, old: Option<String>) -> Option<Write<'a>> {
        let text = |member: &str| action.get(member).and_then(Value::as_str);
        let (condition, update) = (text("ConditionExpression"), text("UpdateExpression"));
        let mut scope = Scope::of(action);
        let mut item = match &old {
            Some(old) if condition.is_some() || !self.is_put => serde_json::from_str(old).ok()?,
            _ => Map::new(),
        };
        if let Some(condition) = condition
            && !expressions::holds(condition, &item, &mut scope)?
        {
            return None;
        }
        if !self.is_put {
            let update = Update::read(update?, &mut scope)?;
            if update.attributes().any(|attribute| self.layout.key.iter().any(|key| key == attribute)) {
                return None;
            }
            if old.is_none() {
                item.clone_from(self.given);
            }
            for attribute in &update.removed {
                item.remove(*attribute);
            }
            item.extend(update.set.into_iter().map(|(name, value)| (name.to_owned(), value.clone())));
        }
        let item = if self.is_put { self.given } else { &item };
        let new = serde_json::to_string(item).ok().filter(|new| new.len() <= LARGEST)?;
        let partition = self.given.get(self.layout.key.first()?)?["S"].as_str()?;
        let key_of_change = if self.layout.is_streamed { Some(key_of(item, self.layout)?) } else { None };
        scope.is_used_up().then(|| Write {
            layout: self.layout,
            table: self.table,
            is_put: self.is_put,
            hash_prefix: hash_prefix(partition),
            key: self.key,
            old,
            new,
            bytes: size::of_attributes(item),
            key_of_change,
        })
    }
}

/// Returns the digits by which the engine orders partitions in a scan.
fn hash_prefix(partition: &str) -> String {
    let digest = Md5::new_with_prefix("Outliers").chain_update(partition).finalize();
    hex::encode(&digest[..3])
}

/// Returns the key of an item as JSON.
fn key_of(item: &Map<String, Value>, layout: &Layout) -> Option<String> {
    let key = layout.key.iter().filter_map(|name| Some((name, item.get(name)?)));
    serde_json::to_string(&key.collect::<BTreeMap<_, _>>()).ok()
}

impl Write<'_> {
    fn is_to_the_same(&self, other: &Self) -> bool {
        self.table == other.table && self.key == other.key
    }

    fn store(&self, storage: &Storage) -> Result<()> {
        let [partition, sort] = &self.key;
        let bytes = i64::try_from(self.bytes).unwrap_or(i64::MAX);
        let mut insert = storage.conn().prepare_cached(&self.layout.insert)?;
        insert.execute((partition, sort, &self.new, bytes, &self.hash_prefix))?;
        Ok(())
    }

    /// Returns the change for the table's stream, if it has one.
    fn into_change(self) -> Option<Change> {
        Some(Change {
            keys: self.key_of_change?,
            table: self.table.to_owned(),
            event_name: if self.old.is_some() { "MODIFY" } else { "INSERT" }.to_owned(),
            new_image: Some(self.new),
            old_image: self.old,
            by_time_to_live: false,
        })
    }
}

#[cfg(test)]
mod tests;
