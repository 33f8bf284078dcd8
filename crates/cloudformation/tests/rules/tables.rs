//! Rules for tables and their indexes.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::Rule;

/// The most indexes of a table, by default.
const MOST_INDEXES: usize = 20;

pub(crate) const RULES: [Rule; 2] = [
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
];

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
