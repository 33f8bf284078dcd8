//! What a service consumes, owns and emits, declared once; everything else follows from it.
//!
//! A service declares itself in its own folder. A [`Topology`] of all services is checked as a whole and
//! becomes one [`Resources`] model: queues, rules, topics, tables, Pipes, buckets and keys with their names and
//! settings, and the environment variables by which each service finds its own. Provisioning creates
//! that model through AWS's APIs, and CloudFormation templates are rendered from the same model, so the two
//! cannot drift. The crate declares and computes; it makes no calls.
//!
//! ```
//! use serde::{Deserialize, Serialize};
//! use topology::{Service, Table, Topology, events};
//!
//! # #[derive(Serialize, Deserialize)] struct PointsEarned;
//! # impl envelope::Event for PointsEarned {
//! #     const TYPE: &'static str = "PointsEarned"; const SOURCE: &'static str = "foostore.crm";
//! #     fn customer_number(&self) -> &str { "" }
//! # }
//! let resources = Topology::new("foostore", "local")
//!     .service(Service::new("ingest").publishes_to_bus().emits::<(PointsEarned,)>())
//!     .service(
//!         Service::new("rewards")
//!             .consumes(events::<(PointsEarned,)>())
//!             .owns(Table::new("rewards").partition_key("pk").outbox()),
//!     )
//!     .resources()?;
//!
//! assert_eq!(resources.bus, "foostore-local");
//! assert_eq!(resources.rules[0].target_queue, "foostore-local-rewards");
//! assert_eq!(resources.pipes[0].name, "foostore-local-rewards-outbox");
//! # Ok::<(), topology::TopologyError>(())
//! ```

mod check;
mod compute;
mod declaration;
mod feedback;
mod index;
mod outbox;
mod parameter;
mod resources;
mod storage;

pub use check::{Problem, TopologyError};
pub use declaration::{
    Http, MailFeedback, Service, Subscription, Table, TableAccess, Topic, Topology, topic,
};
pub use envelope::{EventType, events};
pub use feedback::Transformer;
pub use index::Index;
pub use parameter::Parameter;
pub use resources::{
    ConfigurationSet, DeadLetter, IndexResource, Pipe, PipeTarget, Queue, Resources, Rule, RuleBus, Sender,
    ServiceResources, TableResource, TopicResource, TopicSubscription, Variable,
};
pub use storage::{
    Bucket, BucketAccess, BucketResource, Key, KeyResource, Lifecycle, StorageClass, bucket_name,
};
