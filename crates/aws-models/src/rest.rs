//! The REST protocol's requests: members in the path, in the query string and in the body.

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

use crate::model::{Kind, Model};
use crate::scalar;

impl Model {
    /// Returns the operation that a method and a path mean, with the members in the path, decoded.
    #[must_use]
    pub fn route(&self, method: &str, path: &str) -> Option<(&str, Vec<(String, String)>)> {
        self.operations.iter().find_map(|(name, operation)| {
            let present = operation.method.as_deref().zip(operation.path.as_deref());
            let former = operation.former.as_ref().map(|route| (route.method.as_str(), route.path.as_str()));
            let mut routes = [present, former].into_iter().flatten().filter(|(of, _)| *of == method);
            Some((name.as_str(), routes.find_map(|(_, template)| labels(template, path))?))
        })
    }

    /// Returns the method and the template of the path, such as `/v1/pipes/{Name}`, of an operation.
    #[must_use]
    pub fn route_of(&self, operation: &str) -> Option<(&str, &str)> {
        let operation = self.operations.get(operation)?;
        operation.method.as_deref().zip(operation.path.as_deref())
    }

    /// Adds what stands in the path and in the query string to the members of the body.
    #[must_use]
    pub fn bind(
        &self,
        operation: &str,
        mut body: Map<String, Value>,
        labels: &[(String, String)],
        query: &[(String, String)],
    ) -> Value {
        let Some(shape) = self.input(operation) else { return Value::Object(body) };
        for (name, member) in &shape.members.0 {
            let Some(of_member) = self.shape(member) else { continue };
            let wire = member.wire(name);
            let source = match member.location.as_deref() {
                Some("uri") => labels,
                Some("querystring") => query,
                // Older clients send in the query string what the model has in the body.
                None if !body.contains_key(name) => query,
                _ => continue,
            };
            let mut texts = source.iter().filter(|(of, _)| of == wire).map(|(_, text)| text.clone());
            let value = match (&of_member.kind, of_member.item.as_ref().and_then(|item| self.shape(item))) {
                (Kind::List, Some(of_item)) => {
                    let items: Vec<_> = texts.map(|text| scalar::read(&of_item.kind, text)).collect();
                    if items.is_empty() { None } else { Some(Value::Array(items)) }
                }
                (kind, _) => texts.next().map(|text| scalar::read(kind, text)),
            };
            match value {
                Some(value) => body.insert(name.clone(), value),
                None => body.remove(name),
            };
        }
        Value::Object(body)
    }
}

/// Returns the labels of a template such as `/v1/pipes/{Name}`, if the path fits it.
fn labels(template: &str, path: &str) -> Option<Vec<(String, String)>> {
    let mut labels = Vec::new();
    let mut parts = path.split('/');
    for expected in template.split('/') {
        let part = parts.next()?;
        match expected.strip_prefix('{').and_then(|label| label.strip_suffix('}')) {
            Some(_) if part.is_empty() => return None,
            Some(label) => {
                labels.push((label.to_owned(), percent_decode_str(part).decode_utf8_lossy().into_owned()));
            }
            None if expected == part => {}
            None => return None,
        }
    }
    parts.next().is_none().then_some(labels)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::Service;

    #[test]
    fn paths_lead_to_operations() {
        let model = Model::of(Service::SesV2).unwrap();
        let route = |method, path| model.route(method, path).map(|(operation, _)| operation.to_owned());
        assert_eq!(route("POST", "/v2/email/outbound-emails").as_deref(), Some("SendEmail"));
        assert_eq!(route("GET", "/v2/email/identities").as_deref(), Some("ListEmailIdentities"));
        assert_eq!(route("GET", "/v2/email/identities/"), None);
        assert_eq!(route("PATCH", "/v2/email/identities"), None);
        let (operation, labels) = model.route("GET", "/v2/email/identities/a%40b.example").unwrap();
        assert_eq!(operation, "GetEmailIdentity");
        assert_eq!(labels, [("EmailIdentity".to_owned(), "a@b.example".to_owned())]);
    }

    #[test]
    fn members_come_from_path_query_and_body() {
        let model = Model::of(Service::Pipes).unwrap();
        let (operation, labels) = model.route("GET", "/v1/pipes").unwrap();
        let query = vec![("Limit".to_owned(), "5".to_owned()), ("NamePrefix".to_owned(), "a".to_owned())];
        assert_eq!(operation, "ListPipes");
        assert_eq!(
            model.bind(operation, Map::new(), &labels, &query),
            json!({"Limit": 5, "NamePrefix": "a"})
        );
        let (operation, labels) = model.route("DELETE", "/tags/arn%3Aaws%2Fp").unwrap();
        let query = vec![("tagKeys".to_owned(), "a".to_owned()), ("tagKeys".to_owned(), "b".to_owned())];
        assert_eq!(
            model.bind(operation, Map::new(), &labels, &query),
            json!({"resourceArn": "arn:aws/p", "tagKeys": ["a", "b"]})
        );
    }
}
