//! The `sql` block of calls to SQL databases.

use ::xray::Sql;

use super::{Attributes, older};

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

pub(super) fn take(attributes: &mut Attributes, span_name: &str) -> Option<Sql> {
    let system =
        attributes.filled(older::DB_SYSTEM).filter(|system| SQL_SYSTEMS.contains(&system.as_str()))?;
    let database = attributes.filled(older::DB_NAME).unwrap_or_default();
    let connection = attributes.filled(older::DB_CONNECTION_STRING).unwrap_or_else(|| "localhost".to_owned());
    let sql = Sql {
        url: Some(span_name.to_owned()),
        connection_string: Some(format!("{connection}/{database}")),
        database_type: Some(system),
        user: attributes.filled(older::DB_USER),
        sanitized_query: attributes.filled(older::DB_STATEMENT),
        ..Sql::default()
    };
    for key in
        [older::DB_CONNECTION_STRING, older::DB_SYSTEM, older::DB_NAME, older::DB_STATEMENT, older::DB_USER]
    {
        attributes.remove(key);
    }
    Some(sql)
}
