//! Decides about requests that are read as lines of JSON, with the rules of a running X-Ray:
//!
//! ```console
//! $ cargo run -p xray-engine --example serve 127.0.0.1:2000 &
//! $ echo '{"resource": {"service.name": "orders"}, "attributes": {"url.path": "/orders"}}' |
//!     cargo run -p xray-sampler --example decide
//! {"rule":null,"sampled":true}
//! ```
//!
//! An argument is the endpoint; the default is port 2000 of this host. `resource` describes the service, `attributes` the
//! root span when it starts, `trace_id` is chosen at random unless it is there. `rule` is the rule that sampled the trace;
//! until rules are fetched, there is none. The same can be asked of the sampler for JavaScript: `tests/peers`.

use std::collections::HashMap;
use std::error::Error;
use std::io::{BufRead as _, Write as _};

use opentelemetry::trace::SpanKind;
use opentelemetry::{KeyValue, TraceId, Value};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SamplingDecision, ShouldSample as _};
use serde::Deserialize;
use serde_json::{Map, json};
use xray_sampler::{HttpTransport, Poller, SAMPLING_RULE, XRaySampler};

#[derive(Debug, Deserialize)]
struct Request {
    #[serde(default)]
    resource: Map<String, serde_json::Value>,
    #[serde(default)]
    attributes: Map<String, serde_json::Value>,
    trace_id: Option<String>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let endpoint = std::env::args().nth(1);
    let transport = HttpTransport::new(endpoint.as_deref().unwrap_or("http://localhost:2000"))?;
    let runtime = tokio::runtime::Runtime::new()?;
    let mut samplers = HashMap::new();
    for line in std::io::stdin().lock().lines() {
        let request: Request = serde_json::from_str(&line?)?;
        let service = serde_json::to_string(&request.resource)?;
        let sampler = samplers.entry(service).or_insert_with(|| {
            let resource = Resource::builder().with_attributes(key_values(&request.resource)).build();
            let sampler = XRaySampler::new(&resource);
            runtime.spawn(Poller::new(&sampler, transport.clone()).run());
            sampler
        });
        writeln!(std::io::stdout(), "{}", decision(sampler, &request)?)?;
    }
    Ok(())
}

fn decision(sampler: &XRaySampler, request: &Request) -> Result<serde_json::Value, Box<dyn Error>> {
    let trace_id = match &request.trace_id {
        Some(hex) => TraceId::from_hex(hex)?,
        None => TraceId::from_bytes(rand::random()),
    };
    let attributes = key_values(&request.attributes);
    let result = sampler.should_sample(None, trace_id, "request", &SpanKind::Server, &attributes, &[]);
    let rule = result.attributes.iter().find(|attribute| attribute.key.as_str() == SAMPLING_RULE);
    Ok(json!({
        "sampled": result.decision == SamplingDecision::RecordAndSample,
        "rule": rule.map(|rule| rule.value.as_str().into_owned()),
    }))
}

fn key_values(object: &Map<String, serde_json::Value>) -> Vec<KeyValue> {
    object.iter().map(|(key, value)| KeyValue::new(key.clone(), attribute(value))).collect()
}

fn attribute(value: &serde_json::Value) -> Value {
    match value {
        serde_json::Value::Bool(value) => Value::Bool(*value),
        serde_json::Value::Number(number) => {
            number.as_i64().map_or_else(|| Value::F64(number.as_f64().unwrap_or_default()), Value::I64)
        }
        serde_json::Value::String(text) => text.clone().into(),
        other => other.to_string().into(),
    }
}
