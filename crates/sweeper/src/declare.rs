//! What a swept table needs, for the service's topology.

use topology::{Index, Table, TableAccess};

use crate::due::{DUE_AT, DUE_BUCKET};

/// The name of the index of what falls due.
pub const INDEX: &str = "due";

/// Adds to a table what the sweeper needs: the index, the right to read and change items, and alarms.
///
/// ```
/// use topology::{Service, Table};
///
/// let service = Service::new("discounts").owns(sweeper::swept(Table::new("discounts").markers().outbox()));
/// ```
#[must_use]
pub fn swept(table: Table) -> Table {
    table.swept().index(Index::new(INDEX).partition_key(DUE_BUCKET).sort_key(DUE_AT)).access([
        TableAccess::Get,
        TableAccess::Update,
        TableAccess::QueryIndex,
    ])
}
