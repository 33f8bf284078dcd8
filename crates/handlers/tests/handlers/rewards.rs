//! The example service from README.md.

#![expect(unreachable_pub, reason = "README.md shows the root of a crate")]

use aws_sdk_dynamodb::types::{AttributeValue, Update};
use envelope::Event;
use handlers::{Effect, EffectivelyOnce, Handle, Subscriber, subscriptions};
use serde::{Deserialize, Serialize};
use service_runtime::{BoxError, Runtime};
use sqs_consumer::{Delivery, Failure, QueueSettings};
use topology::{Service, Table, TableAccess};

#[derive(Serialize, Deserialize)]
pub(crate) struct PointsEarned {
    pub(crate) customer_number: String,
    pub(crate) points: u32,
}

impl Event for PointsEarned {
    const TYPE: &'static str = "PointsEarned";
    const SOURCE: &'static str = "foostore.crm";

    fn customer_number(&self) -> &str {
        &self.customer_number
    }
}

// README.md repeats what follows.
pub const NAME: &str = "rewards";

struct Rewards;

impl Subscriber for Rewards {
    type Events = (PointsEarned,);
}

pub fn topology() -> Service {
    Service::new(NAME)
        .consumes(subscriptions::<Rewards>())
        .owns(Table::new("rewards").markers().access([TableAccess::Update]))
}

impl Handle<PointsEarned> for Rewards {
    async fn handle(&self, event: &PointsEarned, _: &Delivery) -> Result<Effect, Failure> {
        Ok(Effect::applied().update(
            Update::builder()
                .key("pk", AttributeValue::S(format!("BALANCE#{}", event.customer_number)))
                .update_expression("ADD points :points")
                .expression_attribute_values(":points", AttributeValue::N(event.points.to_string())),
        ))
    }
}

pub async fn run(runtime: Runtime) -> Result<(), BoxError> {
    let mut settings = runtime.environment.settings();
    let queue = QueueSettings::read(NAME, runtime.grace, &mut settings);
    let table = settings.required("REWARDS_TABLE_NAME");
    settings.finish()?;
    let rewards = EffectivelyOnce::new(aws_clients::dynamodb(&runtime.aws), table, NAME, Rewards);
    Ok(sqs_consumer::serve(&runtime, queue, rewards).await?)
}
