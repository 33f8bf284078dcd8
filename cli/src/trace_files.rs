//! Traces in a file: a zip archive with a file of OTLP JSON for each
//! (<https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding>), which other tools read as well.
//!
//! A span says less than the segment document it was: that is an attribute of the span, and what a later import puts.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read as _, Write as _};
use std::path::Path;

use anyhow::Context as _;
use serde::Deserialize;
use serde_json::{Value, json};
use xray::{AnnotationValue, Node, Segment, Trace, TraceId};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

/// The attribute with the document.
const DOCUMENT: &str = "aws.xray.segment_document";
/// The most bytes of one trace that are read. X-Ray's limit for the documents of a trace is lower
/// (<https://docs.aws.amazon.com/general/latest/gr/xray.html>).
const MAX_TRACE: u64 = 64 * 1024 * 1024;
/// The kinds of a span.
const INTERNAL: u8 = 1;
const SERVER: u8 = 2;
const CLIENT: u8 = 3;
const CONSUMER: u8 = 5;
const STATUS_ERROR: u8 = 2;

/// A file that traces are written to.
pub(crate) struct TraceWriter {
    zip: ZipWriter<BufWriter<File>>,
}

impl TraceWriter {
    /// Creates the file.
    ///
    /// # Errors
    /// When it exists, or cannot be created.
    pub(crate) fn create(path: &Path) -> anyhow::Result<Self> {
        let file = File::create_new(path).with_context(|| format!("{} cannot be created", path.display()))?;
        Ok(Self { zip: ZipWriter::new(BufWriter::new(file)) })
    }

    /// Adds a trace by its documents.
    ///
    /// # Errors
    /// When a document cannot be read, or the file not be written.
    pub(crate) fn add(&mut self, id: TraceId, documents: &[String]) -> anyhow::Result<()> {
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
        self.zip.start_file(format!("{id}.json"), options)?;
        self.zip.write_all(otlp(id, documents)?.to_string().as_bytes())?;
        Ok(())
    }

    /// Completes the file.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn finish(self) -> anyhow::Result<()> {
        self.zip.finish()?.flush()?;
        Ok(())
    }
}

/// Passes the documents of each trace in a file to `take`.
///
/// # Errors
/// When the file cannot be read, or has other contents.
pub(crate) fn read(path: &Path) -> anyhow::Result<impl Iterator<Item = anyhow::Result<Vec<String>>>> {
    let file = File::open(path).with_context(|| format!("{} cannot be opened", path.display()))?;
    let mut zip = ZipArchive::new(BufReader::new(file))
        .with_context(|| format!("{} is no zip archive", path.display()))?;
    Ok((0..zip.len()).map(move |index| {
        let file = zip.by_index(index)?;
        let name = file.name()?.into_owned();
        let mut text = String::new();
        file.take(MAX_TRACE).read_to_string(&mut text).with_context(|| format!("{name} cannot be read"))?;
        documents(&text).with_context(|| format!("{name} is no trace in OTLP JSON"))
    }))
}

/// Returns a trace as an OTLP request.
fn otlp(id: TraceId, documents: &[String]) -> anyhow::Result<Value> {
    let texts = documents.iter().map(String::as_str);
    let trace = Trace::read(id, texts).with_context(|| format!("trace {id} cannot be read"))?;
    let text_of = |segment: &Segment| {
        // An embedded subsegment is in the document of its segment.
        segment.trace_id?;
        documents.iter().find(|text| Segment::read(text).is_ok_and(|read| read.id == segment.id))
    };
    let resources: Vec<_> = trace
        .walk()
        .map(|(_, node)| {
            let service = &node.service().segment().name;
            json!({
                "resource": {"attributes": [text("service.name", service)]},
                "scopeSpans": [{"spans": [span(id, node, text_of(node.segment()))]}],
            })
        })
        .collect();
    Ok(json!({"resourceSpans": resources}))
}

fn span(id: TraceId, node: Node<'_>, document: Option<&String>) -> Value {
    let segment = node.segment();
    let annotations = segment.annotations.iter().map(|(key, value)| match value {
        AnnotationValue::Text(value) => text(key, value),
        AnnotationValue::Boolean(value) => json!({"key": key, "value": {"boolValue": value}}),
        AnnotationValue::Number(value) => json!({"key": key, "value": {"doubleValue": value}}),
    });
    let document = document.map(|document| text(DOCUMENT, document));
    let mut span = json!({
        "traceId": id.to_string().replace('-', "")[1..],
        "spanId": segment.id,
        "name": segment.name,
        "kind": kind(node),
        "startTimeUnixNano": nanoseconds(segment.start_time),
        "endTimeUnixNano": nanoseconds(segment.end_time.unwrap_or(segment.start_time)),
        "attributes": annotations.chain(document).collect::<Vec<_>>(),
    });
    if let Some(parent) = node.parent().map(|parent| parent.segment().id).or(segment.parent_id) {
        span["parentSpanId"] = json!(parent);
    }
    if segment.fault == Some(true) || segment.error == Some(true) {
        span["status"] = json!({"code": STATUS_ERROR});
    }
    span
}

fn kind(node: Node<'_>) -> u8 {
    match (node.is_subsegment(), node.segment()) {
        (true, segment) if segment.namespace.is_some() => CLIENT,
        (true, _) => INTERNAL,
        (false, segment) if segment.http.is_some() => SERVER,
        (false, _) => CONSUMER,
    }
}

fn text(key: &str, value: &str) -> Value {
    json!({"key": key, "value": {"stringValue": value}})
}

/// A number of 64 bits is a string in OTLP's JSON.
#[expect(clippy::cast_possible_truncation, reason = "a document holds microseconds")]
fn nanoseconds(seconds: f64) -> String {
    format!("{}000", (seconds * 1e6).round() as i64)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request {
    resource_spans: Vec<ResourceSpans>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ResourceSpans {
    scope_spans: Vec<ScopeSpans>,
}

#[derive(Deserialize)]
struct ScopeSpans {
    spans: Vec<Span>,
}

#[derive(Deserialize)]
struct Span {
    #[serde(default)]
    attributes: Vec<Attribute>,
}

#[derive(Deserialize)]
struct Attribute {
    key: String,
    value: Value,
}

fn documents(json: &str) -> anyhow::Result<Vec<String>> {
    let request: Request = serde_json::from_str(json)?;
    let scopes = request.resource_spans.into_iter().flat_map(|resource| resource.scope_spans);
    let attributes = scopes.flat_map(|scope| scope.spans).flat_map(|span| span.attributes);
    let documents: Vec<_> = attributes
        .filter(|attribute| attribute.key == DOCUMENT)
        .filter_map(|attribute| attribute.value["stringValue"].as_str().map(str::to_owned))
        .collect();
    anyhow::ensure!(!documents.is_empty(), "no span has the attribute {DOCUMENT}, which an export writes");
    Ok(documents)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "1-5759e988-bd862e3fe1be46a994272793";
    const INGEST: &str = r#"{"name":"ingest","id":"53995c3f42cd8ad8","trace_id":"1-5759e988-bd862e3fe1be46a994272793",
        "start_time":1465510280.0,"end_time":1465510281.25,"http":{"request":{"method":"POST"}},
        "annotations":{"event_id":"e","attempt":1,"first":true},
        "subsegments":[{"name":"check","id":"53995c3f42cd8ad1","start_time":1465510280.1,"end_time":1465510280.2}]}"#;
    const CALL: &str = r#"{"name":"SQS","id":"53995c3f42cd8ad9","parent_id":"53995c3f42cd8ad8","type":"subsegment",
        "namespace":"aws","trace_id":"1-5759e988-bd862e3fe1be46a994272793","start_time":1465510280.5,
        "end_time":1465510281.0,"fault":true}"#;
    const INFERRED: &str = r#"{"name":"SQS","id":"53995c3f42cd8ad7","parent_id":"53995c3f42cd8ad9","inferred":true,
        "trace_id":"1-5759e988-bd862e3fe1be46a994272793","start_time":1465510280.5,"end_time":1465510281.0}"#;

    #[test]
    fn what_is_exported_is_imported_as_it_was() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("traces.zip");
        let mut writer = TraceWriter::create(&path).unwrap();
        let documents = [INGEST, CALL, INFERRED].map(str::to_owned);
        writer.add(ID.parse().unwrap(), &documents).unwrap();
        writer.finish().unwrap();
        let read: Vec<_> = read(&path).unwrap().collect::<Result<_, _>>().unwrap();
        // Nobody sends inferred segments.
        assert_eq!(read, [[INGEST, CALL]]);
        assert!(TraceWriter::create(&path).is_err(), "no file is overwritten");
    }

    #[test]
    fn a_span_says_what_other_tools_show() {
        let request = otlp(ID.parse().unwrap(), &[INGEST, CALL].map(str::to_owned)).unwrap();
        let span = |place: usize| &request["resourceSpans"][place]["scopeSpans"][0]["spans"][0];
        assert_eq!(
            request["resourceSpans"][2]["resource"]["attributes"][0]["value"]["stringValue"],
            "ingest"
        );
        assert_eq!(span(0)["traceId"], "5759e988bd862e3fe1be46a994272793");
        let kinds: Vec<_> = (0..3).map(|place| span(place)["kind"].clone()).collect();
        assert_eq!(kinds, [SERVER, INTERNAL, CLIENT].map(Value::from));
        assert_eq!(span(0)["startTimeUnixNano"], "1465510280000000000");
        assert_eq!((&span(2)["parentSpanId"], &span(2)["status"]["code"]), (&span(0)["spanId"], &json!(2)));
    }

    #[test]
    fn other_files_are_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("traces.zip");
        std::fs::write(&path, "text").unwrap();
        assert!(read(&path).is_err());
        assert!(documents(r#"{"resourceSpans":[]}"#).is_err());
        assert!(documents("{}").is_err());
    }
}
