//! Resource policies: who else may call X-Ray
//! (<https://docs.aws.amazon.com/xray/latest/api/API_PutResourcePolicy.html>).
//!
//! They are kept and returned, without effect: callers have no identity here. For the same reason a policy that would lock
//! out its author is accepted (`LockoutPreventionException`).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::error::ControlError;

/// "A maximum of 5 resource policies" (API reference).
const MAX_POLICIES: usize = 5;
/// "The maximum size of each resource policy is 5KB" (API reference), in bytes.
const MAX_BYTES: usize = 5 * 1024;
/// The revision that stands for a policy that does not exist.
const NO_REVISION: &str = "0";

/// A policy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Policy {
    pub(crate) document: String,
    /// Counts from one.
    pub(crate) revision: u64,
    /// Epoch seconds.
    pub(crate) updated_at: f64,
}

/// A policy to put.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PolicyChange<'a> {
    pub(crate) name: &'a str,
    pub(crate) document: &'a str,
    /// The revision that the caller knows, if it must be the current one.
    pub(crate) revision: Option<&'a str>,
}

/// The policies of an account, by name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Policies(BTreeMap<String, Policy>);

impl Policies {
    /// Creates a policy or replaces the one with its name.
    pub(crate) fn put(&mut self, change: PolicyChange<'_>, now: f64) -> Result<&Policy, ControlError> {
        let PolicyChange { name, document, revision } = change;
        if document.len() > MAX_BYTES {
            return Err(ControlError::PolicySizeLimitExceeded { size: document.len(), quota: MAX_BYTES });
        }
        check(document).map_err(|reason| ControlError::MalformedPolicyDocument(reason.to_owned()))?;
        self.check_revision(name, revision)?;
        if self.0.len() >= MAX_POLICIES && !self.0.contains_key(name) {
            return Err(ControlError::PolicyCountLimitExceeded { quota: MAX_POLICIES });
        }
        let policy = self.0.entry(name.to_owned()).or_insert(Policy {
            document: String::new(),
            revision: 0,
            updated_at: now,
        });
        *policy = Policy { document: document.to_owned(), revision: policy.revision + 1, updated_at: now };
        Ok(policy)
    }

    pub(crate) fn delete(&mut self, name: &str, revision: Option<&str>) -> Result<(), ControlError> {
        if !self.0.contains_key(name) {
            return Err(ControlError::invalid("PolicyName: no resource policy has this name"));
        }
        self.check_revision(name, revision)?;
        self.0.remove(name);
        Ok(())
    }

    /// Returns the policies in the order of their names.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Policy)> {
        self.0.iter().map(|(name, policy)| (name.as_str(), policy))
    }

    fn check_revision(&self, name: &str, wanted: Option<&str>) -> Result<(), ControlError> {
        let Some(wanted) = wanted else { return Ok(()) };
        let current = self.0.get(name).map(|policy| policy.revision.to_string());
        match current.as_deref() {
            None if wanted == NO_REVISION => Ok(()),
            None => Err(ControlError::InvalidPolicyRevisionId(
                "PolicyRevisionId: the policy does not exist; leave the id out or use 0 to create it"
                    .to_owned(),
            )),
            Some(_) if wanted == NO_REVISION => Err(ControlError::InvalidPolicyRevisionId(
                "PolicyRevisionId is 0, which only creates a policy, and one with this name exists"
                    .to_owned(),
            )),
            Some(current) if current == wanted => Ok(()),
            Some(current) => Err(ControlError::InvalidPolicyRevisionId(format!(
                "PolicyRevisionId is not that of the latest revision, {current}"
            ))),
        }
    }
}

/// Checks the outline of a policy, not what it means.
fn check(document: &str) -> Result<(), &'static str> {
    let policy: Value = serde_json::from_str(document).map_err(|_| "is not JSON")?;
    let statements = match policy.get("Statement") {
        Some(Value::Array(statements)) if !statements.is_empty() => statements.as_slice(),
        Some(statement @ Value::Object(_)) => std::slice::from_ref(statement),
        _ => return Err("has no Statement"),
    };
    let either = |statement: &Value, member: &str, negated: &str| {
        statement.get(member).or_else(|| statement.get(negated)).is_some()
    };
    for statement in statements {
        if !matches!(statement.get("Effect").and_then(Value::as_str), Some("Allow" | "Deny")) {
            return Err("has a statement whose Effect is neither Allow nor Deny");
        }
        if !either(statement, "Principal", "NotPrincipal") {
            return Err("has a statement without Principal");
        }
        if !either(statement, "Action", "NotAction") {
            return Err("has a statement without Action");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: &str = r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"}, "Action": "xray:PutTraceSegments", "Resource": "*"}]}"#;

    fn change<'a>(name: &'a str, revision: Option<&'a str>) -> PolicyChange<'a> {
        PolicyChange { name, document: DOCUMENT, revision }
    }

    #[test]
    fn each_put_is_a_revision() {
        let mut policies = Policies::default();
        assert_eq!(policies.put(change("a", None), 1.0).unwrap().revision, 1);
        let second = policies.put(change("a", Some("1")), 2.0).unwrap();
        assert_eq!((second.revision, second.updated_at, second.document.as_str()), (2, 2.0, DOCUMENT));
        for revision in ["0", "1", "3", "x"] {
            let error = policies.put(change("a", Some(revision)), 3.0).unwrap_err();
            assert!(matches!(error, ControlError::InvalidPolicyRevisionId(_)), "{error}");
            let error = policies.delete("a", Some(revision)).unwrap_err();
            assert!(matches!(error, ControlError::InvalidPolicyRevisionId(_)), "{error}");
        }
        policies.delete("a", Some("2")).unwrap();
        assert!(matches!(policies.delete("a", None), Err(ControlError::InvalidRequest(_))));
        assert!(policies.put(change("a", Some("2")), 4.0).is_err());
        assert_eq!(policies.put(change("a", Some("0")), 4.0).unwrap().revision, 1);
    }

    #[test]
    fn there_are_at_most_five_policies() {
        let mut policies = Policies::default();
        for name in ["a", "b", "c", "d", "e"] {
            policies.put(change(name, None), 1.0).unwrap();
        }
        let error = policies.put(change("f", None), 1.0).unwrap_err();
        assert_eq!(error, ControlError::PolicyCountLimitExceeded { quota: 5 });
        policies.put(change("e", None), 1.0).unwrap();
    }

    #[test]
    fn a_document_has_the_outline_of_a_policy() {
        let mut policies = Policies::default();
        let statement = |rest: &str| format!(r#"{{"Statement": {{"Effect": "Allow"{rest}}}}}"#);
        let refused = [
            "[".to_owned(),
            "{}".to_owned(),
            r#"{"Statement": []}"#.to_owned(),
            r#"{"Statement": {"Effect": "Maybe"}}"#.to_owned(),
            statement(""),
            statement(r#", "Principal": "*""#),
        ];
        for document in &refused {
            let change = PolicyChange { document, ..change("a", None) };
            let error = policies.put(change, 1.0).unwrap_err();
            assert!(matches!(error, ControlError::MalformedPolicyDocument(_)), "{document}: {error}");
        }
        let large = DOCUMENT.replace('*', &"x".repeat(MAX_BYTES));
        let error = policies.put(PolicyChange { document: &large, ..change("a", None) }, 1.0).unwrap_err();
        assert!(matches!(error, ControlError::PolicySizeLimitExceeded { quota: 5_120, .. }), "{error}");
        let one = statement(r#", "NotPrincipal": "*", "NotAction": "*""#);
        policies.put(PolicyChange { document: &one, ..change("a", None) }, 1.0).unwrap();
    }
}
