//! The capacity of tables and their indexes: paid for by the request, or provisioned and scaled by what is consumed.
//!
//! The stack of a service's data has both, and its parameter `Capacity` chooses. `CloudFormation` changes the table first and
//! registers the scalable targets then, which refer to it; on the way back it changes the table first and removes the targets
//! last. So each switch is an update in place, of which `DynamoDB` allows four to on-demand in 24 hours, and any to provisioned
//! (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-switching-capacity-modes.html>).

use serde_json::{Value, json};
use topology::{ServiceResources, TableResource};

use crate::context::Context;
use crate::template::{Template, logical_id, reference, sub};

/// The parameter, and the condition that it is provisioned.
const CAPACITY: &str = "Capacity";
const PROVISIONED: &str = "CapacityIsProvisioned";
/// The parameters about units of every table and index, for reads and for writes.
const MINIMUM: &str = "MinimumUnits";
const MAXIMUM: &str = "MaximumUnits";
/// The parameter with the percent of the provisioned units that should be consumed. The default is `DynamoDB`'s own
/// (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-switching-capacity-modes.html>), and so are the bounds
/// (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/AutoScaling.html>).
const TARGET: &str = "TargetUtilization";
const DEFAULT_TARGET_PERCENT: &str = "70";
const LOWEST_TARGET_PERCENT: u32 = 20;
const HIGHEST_TARGET_PERCENT: u32 = 90;
/// Seconds after a change before the next one in the same direction, as in AWS's example
/// (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/AutoScaling.CLI.html>). `DynamoDB` itself limits how often
/// capacity decreases: four times a day, and once in each hour without a decrease
/// (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html>).
const COOLDOWN_S: u32 = 60;

/// Adds the parameters of a service with tables.
pub(crate) fn add_parameters(template: &mut Template, context: &Context<'_>, service: &ServiceResources) {
    template.parameter(
        CAPACITY,
        json!({
            "Type": "String",
            "AllowedValues": ["on-demand", "provisioned"],
            "Default": "on-demand",
            "Description": "How tables are paid for: on-demand by the request, provisioned by the hour for units that follow the \
                            load, which is cheaper if the load is steady",
        }),
    );
    template.number(MINIMUM, "5", 1, "Least provisioned read or write units of a table or an index");
    template.number(
        MAXIMUM,
        "10000",
        1,
        "Most provisioned read or write units of a table or an index; beyond it, DynamoDB throttles and events wait",
    );
    template.parameter(
        TARGET,
        json!({
            "Type": "Number",
            "Default": DEFAULT_TARGET_PERCENT,
            "MinValue": LOWEST_TARGET_PERCENT,
            "MaxValue": HIGHEST_TARGET_PERCENT,
            "Description": "Percent of the provisioned units that should be consumed; the more, the cheaper, and the less is left \
                            for a rising load until auto scaling follows",
        }),
    );
    for table in context.tables(service) {
        let description = format!(
            "Units of {} when it becomes provisioned, until they follow the load; at least what it consumes then. A later change \
             sets the units anew",
            context.logical(&table.name)
        );
        template.number(&initial(context, table), "5", 1, &description);
    }
    template.condition(PROVISIONED, json!({"Fn::Equals": [reference(CAPACITY), "provisioned"]}));
}

/// Returns the parameter with the units of a table at first: `MembersInitialUnits`.
fn initial(context: &Context<'_>, table: &TableResource) -> String {
    context.id(&table.name, "InitialUnits")
}

/// Lets the parameters decide about the tables of a service, which were added before.
pub(crate) fn add(template: &mut Template, context: &Context<'_>, service: &ServiceResources) {
    for table in context.tables(service) {
        let id = context.id(&table.name, "Table");
        if let Some(properties) = template.properties_mut(&id) {
            set_throughput(properties, &initial(context, table));
        }
        add_scaling(template, context, table, &id);
    }
}

/// Sets the throughput of a table and its indexes, which a table that is paid for by the request must not have.
///
/// An index that cannot follow the writes of its table makes `DynamoDB` throttle them, so it has as many units for writes. It is
/// hardly read, and auto scaling may leave units alone of which none is consumed, so it has the least for reads.
fn set_throughput(properties: &mut Value, initial: &str) {
    let throughput = |read: &str| {
        let units = json!({"ReadCapacityUnits": reference(read), "WriteCapacityUnits": reference(initial)});
        if_provisioned(&units, &reference("AWS::NoValue"))
    };
    properties["BillingMode"] = if_provisioned(&json!("PROVISIONED"), &properties["BillingMode"]);
    properties["ProvisionedThroughput"] = throughput(initial);
    let indexes = properties.get_mut("GlobalSecondaryIndexes").and_then(Value::as_array_mut);
    for index in indexes.into_iter().flatten() {
        index["ProvisionedThroughput"] = throughput(MINIMUM);
    }
}

fn if_provisioned(then: &Value, otherwise: &Value) -> Value {
    json!({"Fn::If": [PROVISIONED, then, otherwise]})
}

fn add_scaling(template: &mut Template, context: &Context<'_>, table: &TableResource, id: &str) {
    let logical = context.logical(&table.name);
    // The reference lets the targets come after the table.
    let of_table = Scaled {
        id: id.to_owned(),
        name: logical.to_owned(),
        dimension: "table",
        resource_id: format!("table/${{{id}}}"),
    };
    let of_indexes = table.indexes.iter().map(|index| Scaled {
        id: format!("{id}{}Index", logical_id(&index.name)),
        name: format!("{logical}-{}", index.name),
        dimension: "index",
        resource_id: format!("table/${{{id}}}/index/{}", index.name),
    });
    for scaled in [of_table].into_iter().chain(of_indexes) {
        for direction in ["Read", "Write"] {
            scaled.add(template, context, direction);
        }
    }
}

/// A table or an index with its scaling.
struct Scaled {
    /// First part of the logical ids.
    id: String,
    /// First part of the policies' names.
    name: String,
    dimension: &'static str,
    /// What Application Auto Scaling calls it, as text for `Fn::Sub`.
    resource_id: String,
}

impl Scaled {
    /// Adds the target and the policy for reads or for writes. The role is the service-linked one, which Application Auto
    /// Scaling creates with the first target
    /// (<https://docs.aws.amazon.com/autoscaling/application/userguide/application-auto-scaling-service-linked-roles.html>).
    fn add(&self, template: &mut Template, context: &Context<'_>, direction: &str) {
        let target = format!("{}{direction}Target", self.id);
        template.resource(
            &target,
            "AWS::ApplicationAutoScaling::ScalableTarget",
            json!({
                "ServiceNamespace": "dynamodb",
                "ScalableDimension": format!("dynamodb:{}:{direction}CapacityUnits", self.dimension),
                "ResourceId": sub(self.resource_id.as_str()),
                "MinCapacity": reference(MINIMUM),
                "MaxCapacity": reference(MAXIMUM),
            }),
        );
        template.with("Condition", json!(PROVISIONED));
        template.resource(
            format!("{}{direction}Policy", self.id),
            "AWS::ApplicationAutoScaling::ScalingPolicy",
            json!({
                "PolicyName": context.name(&format!("{}-{}", self.name, direction.to_lowercase())),
                "PolicyType": "TargetTrackingScaling",
                "ScalingTargetId": reference(&target),
                "TargetTrackingScalingPolicyConfiguration": {
                    "PredefinedMetricSpecification": {
                        "PredefinedMetricType": format!("DynamoDB{direction}CapacityUtilization"),
                    },
                    "TargetValue": reference(TARGET),
                    "ScaleOutCooldown": COOLDOWN_S,
                    "ScaleInCooldown": COOLDOWN_S,
                },
            }),
        );
        template.with("Condition", json!(PROVISIONED));
    }
}
