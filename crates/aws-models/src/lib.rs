//! AWS's public service models as compact tables: whether a request is one of its operation, and how the protocols write
//! it. For servers that answer in AWS's place, in development and tests.
//!
//! An input is one `serde_json::Value` in the shape of the model, whatever the protocol: members by the model's names,
//! blobs in base64, timestamps in seconds.
//!
//! ```
//! use aws_models::{Model, Service};
//! use serde_json::json;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let events = Model::of(Service::Events)?;
//! let refusal = events.check("PutTargets", &json!({"Rule": "all", "Targets": [{"Id": "1"}]})).unwrap_err();
//! assert_eq!(
//!     refusal.to_string(),
//!     "1 validation error detected: Value null at 'targets.1.member.arn' failed to satisfy constraint: Member must not be \
//!      null"
//! );
//!
//! let sns = Model::of(Service::Sns)?;
//! let form = [("Name".to_owned(), "news".to_owned())];
//! assert_eq!(sns.read_form("CreateTopic", form), json!({"Name": "news"}));
//! # Ok(())
//! # }
//! ```
//!
//! The tables are in `models/`, one for each service. `models/generate.py` renders them from the models that AWS publishes
//! with botocore, and `generate.py --check` fails if they differ. A table holds `operations` with the shapes of their
//! inputs (and outputs, where those are written as XML), those `shapes`, and the modelled `errors`. A shape has a `kind`
//! and its constraints; a member is the name of its shape, or an object that adds its name on the wire, its location in a
//! REST request, or that it is flattened. S3's operations have besides what tells them from each other, and where bodies go.

mod check;
mod model;
mod query;
mod rest;
mod rest_xml;
mod sample;
mod scalar;
mod xml;

pub use check::{Refusal, Violation, Violations};
pub use model::{Model, ModelledError, Operation, Service};
pub use rest_xml::{MalformedXml, Payload, RestParts};
pub use sample::Choices;
