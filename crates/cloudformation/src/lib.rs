//! Renders a topology as CloudFormation templates and ECS task definitions.
//!
//! For production, the same [`Resources`] that provisioning creates on a laptop become these files:
//!
//! | file | what it is |
//! |---|---|
//! | `foundation.yaml` | network, cluster, event bus, topics, key, what belongs to the collector |
//! | `data/NAME.yaml` | what one service receives and keeps: queues, tables, Pipes, secrets, log group, image repository |
//! | `observability.yaml` | X-Ray group, sampling rule, dashboard over all services, the topic of all alarms |
//! | `services/NAME.yaml` | one service: task, roles, scaling, alarms, dashboard |
//! | `task-definitions/NAME.json` | its task definition alone, to register revisions without CloudFormation |
//!
//! Rendering is pure: text in, text out. Names contain the stack parameter `Environment`, so compute the resources for
//! the environment [`ENVIRONMENT`].
//!
//! ```
//! use topology::{Service, Table, TableAccess, Topology, events};
//! # use envelope::Event;
//! # #[derive(serde::Serialize, serde::Deserialize)] struct PointsEarned;
//! # impl Event for PointsEarned {
//! #     const TYPE: &'static str = "PointsEarned"; const SOURCE: &'static str = "foostore.crm";
//! #     fn customer_number(&self) -> &str { "" }
//! # }
//! let resources = Topology::new("foostore", cloudformation::ENVIRONMENT)
//!     .service(Service::new("crm").publishes_to_bus().emits::<(PointsEarned,)>())
//!     .service(
//!         Service::new("rewards")
//!             .consumes(events::<(PointsEarned,)>())
//!             .owns(Table::new("rewards").outbox().access([TableAccess::Get])),
//!     )
//!     .resources()?;
//!
//! let files = cloudformation::render(&resources, "receivers: {}\n")?;
//! assert!(files["data/rewards.yaml"].contains("Type: AWS::SQS::Queue"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![expect(clippy::needless_pass_by_value, reason = "`json!` borrows the values it is given")]

mod alarm;
mod alarms;
mod capacity;
mod collector;
mod context;
mod dashboard;
mod data;
mod error;
mod foundation;
mod images;
mod load_balancer;
mod logical_ids;
mod logs;
mod messaging;
mod metrics;
mod network;
mod observability;
mod roles;
mod scaling;
mod scratch;
mod service;
mod state;
mod storage;
mod task;
mod task_file;
mod template;
#[cfg(test)]
mod tests;
mod yaml;

use std::collections::BTreeMap;

use topology::Resources;

pub use error::RenderError;
pub use scratch::{Scratch, alarm_metrics, scratch, scratch_alarms, scratch_data};
pub use template::ENVIRONMENT;

use crate::context::Context;

/// Renders every file, by its path below the directory it belongs in (`deploy/`).
///
/// `collector` is the configuration of the OpenTelemetry collector that runs beside each service. Its comments are
/// removed, because it becomes a parameter of Systems Manager, which limits the size.
///
/// # Errors
/// [`RenderError`] when the declarations are incomplete.
pub fn render(resources: &Resources, collector: &str) -> Result<BTreeMap<String, String>, RenderError> {
    if resources.environment != ENVIRONMENT {
        return Err(RenderError::Environment(resources.environment.clone()));
    }
    let context = Context::new(resources, &collector::digest(collector));
    let mut files = BTreeMap::from([
        ("foundation.yaml".to_owned(), yaml::write(&foundation::template(&context, collector))?),
        ("observability.yaml".to_owned(), yaml::write(&observability::template(&context)?)?),
    ]);
    for service in &resources.services {
        let name = &service.service;
        files.insert(format!("data/{name}.yaml"), yaml::write(&state::template(&context, service)?)?);
        let template = service::template(&context, service)?;
        files.insert(format!("services/{name}.yaml"), yaml::write(&template)?);
        files.insert(format!("task-definitions/{name}.json"), task_file::render(&template)?);
    }
    Ok(files)
}
