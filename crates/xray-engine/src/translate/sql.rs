//! The `sql` block of calls to SQL databases.

use xray::Sql;

use super::{Attributes, deprecated};

const SQL_SYSTEMS: [&str; 11] = [
    "db2",
    "derby",
    "hive",
    "mariadb",
    "mssql",
    "mysql",
    "oracle",
    "postgresql",
    "sqlite",
    "teradata",
    "other_sql",
];

pub(super) fn take(attributes: &mut Attributes<'_>, span_name: &str) -> Option<Sql> {
    let system =
        attributes.filled(deprecated::DB_SYSTEM).filter(|system| SQL_SYSTEMS.contains(&system.as_str()))?;
    let database = attributes.filled(deprecated::DB_NAME).unwrap_or_default();
    let connection =
        attributes.filled(deprecated::DB_CONNECTION_STRING).unwrap_or_else(|| "localhost".to_owned());
    let sql = Sql {
        url: Some(span_name.to_owned()),
        connection_string: Some(format!("{connection}/{database}")),
        database_type: Some(system),
        user: attributes.filled(deprecated::DB_USER),
        sanitized_query: attributes.filled(deprecated::DB_STATEMENT),
        ..Sql::default()
    };
    for key in [
        deprecated::DB_CONNECTION_STRING,
        deprecated::DB_SYSTEM,
        deprecated::DB_NAME,
        deprecated::DB_STATEMENT,
        deprecated::DB_USER,
    ] {
        attributes.remove(key);
    }
    Some(sql)
}
