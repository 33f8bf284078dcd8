//! Rules for tables and their indexes.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::{Deployment, Rule};

/// The most indexes of a table, by default.
const MOST_INDEXES: usize = 20;

pub(crate) const RULES: [Rule; 3] = [
    Rule {
        name: "a table declares the types of exactly the attributes that are keys of it or of its indexes",
        source: "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_CreateTable.html",
        broken: |deployment| {
            let wrong = deployment.of_type("AWS::DynamoDB::Table").filter(|(_, _, table)| {
                names(&table["AttributeDefinitions"]).collect::<BTreeSet<_>>() != keys(table)
            });
            wrong.map(|(file, id, _)| format!("{file} {id}")).collect()
        },
        example: || {
            "Resources: {T: {Type: AWS::DynamoDB::Table, Properties: {KeySchema: [{AttributeName: pk, KeyType: HASH}], \
             AttributeDefinitions: [{AttributeName: pk, AttributeType: S}, {AttributeName: due, AttributeType: S}]}}}"
                .to_owned()
        },
    },
    Rule {
        name: "a table has no more indexes than the quota allows",
        source: "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html",
        broken: |deployment| {
            let many = deployment
                .of_type("AWS::DynamoDB::Table")
                .filter(|(_, _, table)| list(&table["GlobalSecondaryIndexes"]).count() > MOST_INDEXES);
            many.map(|(file, id, _)| format!("{file} {id}")).collect()
        },
        example: || {
            let index = "{IndexName: i, KeySchema: [{AttributeName: pk, KeyType: HASH}]}";
            let indexes = vec![index; MOST_INDEXES + 1].join(", ");
            format!(
                "Resources: {{T: {{Type: AWS::DynamoDB::Table, Properties: {{KeySchema: [{{AttributeName: pk, KeyType: \
                 HASH}}], AttributeDefinitions: [{{AttributeName: pk}}], GlobalSecondaryIndexes: [{indexes}]}}}}}}"
            )
        },
    },
    Rule {
        name: "a table and each of its indexes may be provisioned, with units from the first moment on, and then follow what is \
               consumed, up and down; on demand they have neither units nor targets",
        source: "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/AutoScaling.html",
        broken: |deployment| {
            let tables = deployment.of_type("AWS::DynamoDB::Table");
            tables.filter_map(|(file, id, table)| not_switchable(deployment, file, id, table)).collect()
        },
        example: || {
            "Resources: {T: {Type: AWS::DynamoDB::Table, Properties: {BillingMode: PAY_PER_REQUEST}}}"
                .to_owned()
        },
    },
];

/// Returns the table if it or an index lacks the throughput, a target or a policy.
fn not_switchable(deployment: &Deployment, file: &str, id: &str, table: &Value) -> Option<String> {
    let condition = table["BillingMode"]["Fn::If"][0].as_str();
    let modes = condition.map(|condition| json!({"Fn::If": [condition, "PROVISIONED", "PAY_PER_REQUEST"]}));
    let has_units = |resource: &Value| {
        let choice = &resource["ProvisionedThroughput"]["Fn::If"];
        choice[0].as_str() == condition
            && choice[1]["ReadCapacityUnits"].is_object()
            && choice[1]["WriteCapacityUnits"].is_object()
            && choice[2] == json!({"Ref": "AWS::NoValue"})
    };
    let of_table = [("table", format!("table/${{{id}}}"))];
    let of_indexes = list(&table["GlobalSecondaryIndexes"]).map(|index| {
        ("index", format!("table/${{{id}}}/index/{}", index["IndexName"].as_str().unwrap_or_default()))
    });
    let followed = |(dimension, resource): (&str, String)| {
        ["Read", "Write"].iter().all(|direction| {
            follows(
                deployment,
                file,
                condition,
                &resource,
                &format!("dynamodb:{dimension}:{direction}CapacityUnits"),
            )
        })
    };
    let switchable = modes.is_some_and(|modes| table["BillingMode"] == modes)
        && has_units(table)
        && list(&table["GlobalSecondaryIndexes"]).all(has_units)
        && of_table.into_iter().chain(of_indexes).all(followed);
    (!switchable).then(|| format!("{file} {id}"))
}

/// Whether one target and one policy of the file, under the condition, scale the dimension of a table or an index.
fn follows(
    deployment: &Deployment,
    file: &str,
    condition: Option<&str>,
    resource: &str,
    dimension: &str,
) -> bool {
    let conditional = || {
        deployment
            .resources()
            .filter(|(other, _, one)| *other == file && one["Condition"].as_str() == condition)
            .map(|(_, id, one)| (id, &one["Properties"]))
    };
    let mut targets = conditional()
        .filter(|(_, one)| one["ScalableDimension"] == dimension && one["ResourceId"]["Fn::Sub"] == resource);
    let (Some((target, _)), None) = (targets.next(), targets.next()) else { return false };
    let metric = dimension.rsplit(':').next().unwrap_or_default().replace("Units", "Utilization");
    let policies = conditional().filter(|(_, one)| {
        let tracking = &one["TargetTrackingScalingPolicyConfiguration"];
        one["ScalingTargetId"]["Ref"] == target
            && tracking["PredefinedMetricSpecification"]["PredefinedMetricType"]
                == format!("DynamoDB{metric}")
    });
    policies.count() == 1
}

fn keys(table: &Value) -> BTreeSet<&str> {
    let of_indexes = list(&table["GlobalSecondaryIndexes"]).flat_map(|index| names(&index["KeySchema"]));
    names(&table["KeySchema"]).chain(of_indexes).collect()
}

fn names(attributes: &Value) -> impl Iterator<Item = &str> {
    list(attributes).filter_map(|attribute| attribute["AttributeName"].as_str())
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}
