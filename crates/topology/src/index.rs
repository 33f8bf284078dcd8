//! Secondary indexes of tables.

/// A global secondary index of a table: its items under another key, readable with Query.
///
/// Keys are strings. The index is sparse: it holds only the items that have all of its key attributes. DynamoDB updates it
/// after the table, so a Query may miss an item that was just written and return one that has just changed
/// ([global secondary indexes](https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/GSI.html)); read the item
/// itself before acting on it.
///
/// ```
/// use topology::{Index, Table, TableAccess};
///
/// let table = Table::new("discounts")
///     .index(Index::new("due").partition_key("due_bucket").sort_key("due_at"))
///     .access([TableAccess::QueryIndex]);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Index {
    pub(crate) name: &'static str,
    pub(crate) partition_key: &'static str,
    pub(crate) sort_key: Option<&'static str>,
    pub(crate) attributes: Vec<&'static str>,
}

impl Index {
    /// Creates an index that is named like its partition key attribute and holds nothing but keys: its own and the
    /// table's.
    #[must_use]
    pub fn new(name: &'static str) -> Self {
        Self { name, partition_key: name, sort_key: None, attributes: Vec::new() }
    }

    /// Sets the name of the partition key attribute, a string.
    #[must_use]
    pub fn partition_key(mut self, attribute: &'static str) -> Self {
        self.partition_key = attribute;
        self
    }

    /// Sets the name of the sort key attribute, a string.
    #[must_use]
    pub fn sort_key(mut self, attribute: &'static str) -> Self {
        self.sort_key = Some(attribute);
        self
    }

    /// Projects these attributes into the index, besides the keys. Every change of one costs a write to the index.
    #[must_use]
    pub fn projects(mut self, attributes: impl IntoIterator<Item = &'static str>) -> Self {
        self.attributes.extend(attributes);
        self
    }
}
