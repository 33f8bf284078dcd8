//! What IAM decides on.

use std::collections::BTreeMap;

use serde::Serialize;

/// The resource of a call that names none.
pub(super) const ANY: &str = "*";

/// One permission that a call needs. A batch needs one for each resource, a transaction one for each item.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub(super) struct Permission {
    /// The IAM action, such as `dynamodb:PutItem`.
    pub(super) action: String,
    /// The resource's ARN, or `*` if the request names none or no service is ever granted the operation.
    pub(super) resource: String,
    /// Values of the service's own condition keys, such as `ses:FromAddress`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) context: BTreeMap<&'static str, String>,
}
