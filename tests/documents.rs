//! Traces as the X-Ray API returns them: their documents, and the relations that must hold between them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::world::{World, until};

/// The way of a CRM event: each service that handles it, and the one that caused it to.
pub(crate) const WAY: [(&str, Option<&str>); 4] = [
    ("ingest", None),
    ("membership", Some("ingest")),
    ("notifier", Some("membership")),
    ("email", Some("notifier")),
];

/// What the buses deliver beside that way: each service that takes note of the event, and the one that caused it. It
/// does not of every event, and a mail rarely comes back to its sender.
const ASIDE: [(&str, &str); 10] = [
    ("email", "membership"),
    ("email", "email"),
    ("app", "membership"),
    ("app", "notifier"),
    ("rewards", "ingest"),
    ("rewards", "membership"),
    ("archive", "ingest"),
    ("archive", "membership"),
    ("archive", "email"),
    ("wallet", "membership"),
];

/// The services on the way that consume a queue.
pub(crate) fn consumers_on_the_way() -> impl Iterator<Item = &'static str> {
    WAY.into_iter().filter(|(_, cause)| cause.is_some()).map(|(service, _)| service)
}

/// Every segment and subsegment of one trace, flat.
#[derive(Debug)]
pub(crate) struct Documents {
    all: Vec<Value>,
    /// Ids of those that are segments.
    segments: BTreeSet<String>,
}

impl Documents {
    /// Returns the current trace, or `None` if X-Ray does not know it.
    pub(crate) async fn get(world: &World, trace_id: &str) -> Option<Self> {
        let output = world.xray().batch_get_traces().trace_ids(trace_id).send().await.unwrap();
        let traces = output.traces.unwrap_or_default();
        assert!(traces.len() <= 1, "one trace id, several traces");
        let mut documents = Self { all: Vec::new(), segments: BTreeSet::new() };
        for segment in traces.into_iter().next()?.segments.unwrap_or_default() {
            let document: Value = serde_json::from_str(&segment.document.unwrap()).unwrap();
            assert_eq!(document["trace_id"], trace_id);
            // It repeats the call that it is inferred from.
            if document["inferred"] == true {
                continue;
            }
            if document["type"] != "subsegment" {
                documents.segments.insert(text(&document, "id").to_owned());
            }
            documents.add(document, None);
        }
        Some(documents)
    }

    /// Waits until the trace is whole, with every service on the way down to SES, and returns it.
    pub(crate) async fn whole(world: &World, trace_id: &str, callers_parent: Option<&str>) -> Self {
        until(&format!("trace {trace_id} to be whole"), || async {
            let documents = Self::get(world, trace_id).await?;
            let whole =
                WAY.iter().all(|(service, cause)| documents.segments_below(service, *cause).count() > 0)
                    && documents.find("SES", "SendEmail").is_some()
                    && documents.orphans(callers_parent).is_empty();
            whole.then_some(documents)
        })
        .await
    }

    /// Waits for the whole trace and asserts everything that is promised of it.
    pub(crate) async fn connected(world: &World, trace_id: &str, callers_parent: Option<&str>) {
        Self::whole(world, trace_id, callers_parent).await.assert_connected(callers_parent);
    }

    fn add(&mut self, mut document: Value, parent: Option<&str>) {
        if let Some(parent) = parent {
            document["parent_id"] = parent.into();
        }
        let inner = document["subsegments"].take();
        let id = text(&document, "id").to_owned();
        self.all.push(document);
        for subsegment in inner.as_array().into_iter().flatten() {
            self.add(subsegment.clone(), Some(&id));
        }
    }

    /// Returns all documents, segments and subsegments.
    pub(crate) fn all(&self) -> &[Value] {
        &self.all
    }

    pub(crate) fn has_segment(&self, name: &str) -> bool {
        self.segments().any(|segment| segment["name"] == name)
    }

    pub(crate) fn segments(&self) -> impl Iterator<Item = &Value> {
        self.all.iter().filter(|document| self.segments.contains(text(document, "id")))
    }

    /// Returns the segments of `service` on the way.
    pub(crate) fn on_the_way<'a>(&'a self, service: &'a str) -> impl Iterator<Item = &'a Value> {
        let cause = WAY.into_iter().find(|(name, _)| *name == service).and_then(|(_, cause)| cause);
        self.segments_below(service, cause)
    }

    /// Returns the first subsegment in the namespace `aws` with this name and operation.
    pub(crate) fn find(&self, service: &str, operation: &str) -> Option<&Value> {
        self.all.iter().find(|document| {
            document["namespace"] == "aws"
                && document["name"] == service
                && document["aws"]["operation"] == operation
        })
    }

    /// Returns parent ids that no document has, except for the one that the caller sent.
    fn orphans(&self, callers_parent: Option<&str>) -> Vec<&str> {
        let ids: BTreeSet<_> = self.all.iter().map(|document| text(document, "id")).collect();
        self.all
            .iter()
            .filter_map(|document| document["parent_id"].as_str())
            .filter(|parent| !ids.contains(parent) && Some(*parent) != callers_parent)
            .collect()
    }

    /// Whether the documents are one tree so far.
    pub(crate) fn is_one_tree(&self, callers_parent: Option<&str>) -> bool {
        self.roots(callers_parent).len() == 1 && self.orphans(callers_parent).is_empty()
    }

    /// Describes which documents lack their parent, and which have none.
    pub(crate) fn missing(&self, callers_parent: Option<&str>) -> String {
        let orphans = self.orphans(callers_parent);
        let children = self.all.iter().filter(|document| {
            document["parent_id"].as_str().is_some_and(|parent| orphans.contains(&parent))
        });
        let children = children.map(|child| format!("{} lacks {}", child["name"], child["parent_id"]));
        let roots = self.roots(callers_parent).into_iter();
        let roots = roots.map(|root| format!("a root is {root}"));
        children.chain(roots).collect::<Vec<_>>().join(", ")
    }

    /// Returns the documents without a parent in this trace.
    fn roots(&self, callers_parent: Option<&str>) -> Vec<&Value> {
        self.all
            .iter()
            .filter(|document| match document["parent_id"].as_str() {
                None => true,
                parent => parent == callers_parent,
            })
            .collect()
    }

    /// Asserts that the documents are one tree that begins at ingest.
    pub(crate) fn assert_one_tree(&self, callers_parent: Option<&str>) {
        let mut ids = BTreeMap::<_, usize>::new();
        for document in &self.all {
            *ids.entry(text(document, "id")).or_default() += 1;
        }
        assert!(ids.values().all(|count| *count == 1), "an id twice: {ids:?}");

        let roots = self.roots(callers_parent);
        assert_eq!(roots.len(), 1, "not one root: {roots:#?}");
        assert_eq!(roots[0]["name"], WAY[0].0);
        assert_eq!(roots[0]["parent_id"].as_str(), callers_parent, "the entry segment's parent");
        assert_eq!(self.orphans(callers_parent), Vec::<&str>::new(), "parents that do not exist");
    }

    /// Asserts everything that is promised of the trace of one CRM event.
    pub(crate) fn assert_connected(&self, callers_parent: Option<&str>) {
        self.assert_one_tree(callers_parent);
        for (service, cause) in WAY {
            let count = self.segments_below(service, cause).count();
            assert_eq!(count, 1, "segments of {service} below {cause:?}");
        }
        for segment in self.segments() {
            let (name, above) = (text(segment, "name"), self.above(segment));
            let expected =
                WAY.contains(&(name, above)) || above.is_some_and(|above| ASIDE.contains(&(name, above)));
            assert!(expected, "a segment of {name} below {above:?}");
        }
        for (service, operation) in [
            ("EventBridge", "PutEvents"),
            ("DynamoDB", "TransactWriteItems"),
            ("SNS", "PublishBatch"),
            ("SES", "SendEmail"),
        ] {
            assert!(
                self.find(service, operation).is_some(),
                "no subsegment for {service} {operation}: {self:#?}"
            );
        }
    }

    /// Returns the segments of `service` whose nearest segment above is one of `cause`.
    fn segments_below<'a>(
        &'a self,
        service: &'a str,
        cause: Option<&'a str>,
    ) -> impl Iterator<Item = &'a Value> {
        self.segments().filter(move |segment| segment["name"] == service && self.above(segment) == cause)
    }

    /// Returns the name of the nearest segment above `segment`.
    fn above<'a>(&'a self, segment: &'a Value) -> Option<&'a str> {
        let mut at = segment;
        loop {
            let parent = at["parent_id"].as_str()?;
            at = self.all.iter().find(|document| document["id"] == parent)?;
            if self.segments.contains(parent) {
                return at["name"].as_str();
            }
        }
    }

    /// Returns the annotations of the segment of `service` on the way.
    pub(crate) fn annotations(&self, service: &str) -> &Value {
        let (service, cause) =
            WAY.into_iter().find(|(name, _)| *name == service).expect("a service on the way");
        &self.segments_below(service, cause).next().expect("the segment is there")["annotations"]
    }

    /// Returns everything as text, to search for what must not be there.
    pub(crate) fn as_text(&self) -> String {
        self.all.iter().map(ToString::to_string).collect()
    }
}

fn text<'a>(document: &'a Value, field: &str) -> &'a str {
    document[field].as_str().unwrap_or_else(|| panic!("{field} is missing in {document:#}"))
}
