//! The network: an existing VPC, or a small new one.

use serde_json::{Value, json};

use crate::context::Context;
use crate::template::{Template, logical_id, reference, sub};

const ZONES: [&str; 2] = ["A", "B"];
/// US dollars per month for one interface endpoint in one zone, and for a NAT gateway (eu-central-1, 730 hours).
const ENDPOINT_PRICE: f64 = 0.012 * 730.0;
const NAT_PRICE: f64 = 0.052 * 730.0;

/// Adds the parameters, the network unless one exists, and its ids for the other stacks.
pub(crate) fn add(template: &mut Template, context: &Context<'_>) {
    let endpoints = endpoints(context);
    add_parameters(template, endpoints.len());
    add_vpc(template, context);
    add_subnets(template, context);
    add_nat(template, context);
    add_endpoints(template, &endpoints);

    let own = |own: &str, given: &str| json!({"Fn::If": ["OwnVpc", reference(own), reference(given)]});
    context.leave_for_other_stacks(template, "network/vpc-id", own("Vpc", "VpcId"));
    for side in ["Private", "Public"] {
        for zone in ZONES {
            let name = format!("network/{}-subnet-{}", side.to_lowercase(), zone.to_lowercase());
            let id = format!("{side}Subnet{zone}");
            context.leave_for_other_stacks(template, &name, own(&id, &format!("{id}Id")));
        }
    }
}

/// Returns the interface endpoints of what the services and ECS call over TLS.
fn endpoints(context: &Context<'_>) -> Vec<&'static str> {
    let services = &context.resources.services;
    let mut names = vec!["ecr.api", "ecr.dkr", "logs", "ssm", "xray"];
    names.extend(services.iter().any(|one| !one.secrets.is_empty()).then_some("secretsmanager"));
    names.extend(services.iter().any(|one| one.queue.is_some()).then_some("sqs"));
    names.extend(services.iter().any(|one| one.publishes_to_bus).then_some("events"));
    names.extend(services.iter().any(|one| !one.topics.is_empty()).then_some("sns"));
    names.extend(services.iter().any(|one| one.sends_email).then_some("email"));
    names.extend((!context.resources.keys.is_empty()).then_some("kms"));
    names.sort_unstable();
    names
}

#[expect(clippy::cast_precision_loss, reason = "a handful of endpoints")]
fn add_parameters(template: &mut Template, endpoints: usize) {
    let optional = |description: &str| json!({"Type": "String", "Default": "", "Description": description});
    template.parameter("VpcId", optional("An existing VPC; empty to create a small one"));
    for side in ["Private", "Public"] {
        for zone in ZONES {
            let text = format!("With VpcId: a {} subnet; A and B in two zones", side.to_lowercase());
            template.parameter(&format!("{side}Subnet{zone}Id"), optional(&text));
        }
    }
    template.parameter(
        "VpcCidr",
        json!({
            "Type": "String",
            "Default": "10.40.0.0/16",
            "AllowedPattern": "[0-9]{1,3}(\\.[0-9]{1,3}){3}/(1[6-9]|20)",
            "Description": "Addresses of the VPC to create",
        }),
    );
    for (index, zone) in ZONES.iter().enumerate() {
        template.parameter(
            &format!("Zone{zone}"),
            json!({
                "Type": "Number",
                "Default": index,
                "MinValue": 0,
                "MaxValue": 5,
                "Description": "Zone of the VPC to create, by its place in the region's list. Some have no Fargate, or lack an endpoint",
            }),
        );
    }
    let endpoint_price = ENDPOINT_PRICE * (endpoints * ZONES.len()) as f64;
    template.parameter(
        "Egress",
        json!({
            "Type": "String",
            "AllowedValues": ["nat", "endpoints"],
            "Default": "nat",
            "Description": format!(
                "How tasks in the created VPC reach AWS. nat: one NAT gateway in one zone, about {NAT_PRICE:.0} \
                 USD a month and 0.052 USD a GB. endpoints: {endpoints} interface endpoints in two zones, about \
                 {endpoint_price:.0} USD a month and 0.01 USD a GB, and no way to the internet: the collector's \
                 image must be copied (prices of eu-central-1)"
            ),
        }),
    );
    let given = |name: &str| {
        json!({
            "Assert": {"Fn::Not": [{"Fn::Equals": [reference(name), ""]}]},
            "AssertDescription": format!("{name} belongs to VpcId"),
        })
    };
    let subnets = ["PrivateSubnetAId", "PrivateSubnetBId", "PublicSubnetAId", "PublicSubnetBId"];
    template.rules.push((
        "SubnetsOfTheVpc".to_owned(),
        json!({
            "RuleCondition": {"Fn::Not": [{"Fn::Equals": [reference("VpcId"), ""]}]},
            "Assertions": subnets.map(given),
        }),
    ));
    let both = |egress: &str| json!({"Fn::And": [{"Condition": "OwnVpc"}, {"Fn::Equals": [reference("Egress"), egress]}]});
    template.condition("OwnVpc", json!({"Fn::Equals": [reference("VpcId"), ""]}));
    template.condition("OwnNat", both("nat"));
    template.condition("OwnEndpoints", both("endpoints"));
}

/// Adds a resource that exists only under a condition.
fn on(template: &mut Template, condition: &str, id: &str, kind: &str, properties: Value) {
    template.resource(id, kind, properties);
    template.with("Condition", json!(condition));
}

fn tags(context: &Context<'_>, name: &str) -> Value {
    json!([{"Key": "Name", "Value": context.name(name)}])
}

fn add_vpc(template: &mut Template, context: &Context<'_>) {
    on(
        template,
        "OwnVpc",
        "Vpc",
        "AWS::EC2::VPC",
        json!({
            "CidrBlock": reference("VpcCidr"),
            "EnableDnsHostnames": true,
            "EnableDnsSupport": true,
            "Tags": [{"Key": "Name", "Value": sub(context.prefix())}],
        }),
    );
    on(
        template,
        "OwnVpc",
        "InternetGateway",
        "AWS::EC2::InternetGateway",
        json!({"Tags": [{"Key": "Name", "Value": sub(context.prefix())}]}),
    );
    on(
        template,
        "OwnVpc",
        "InternetGatewayAttachment",
        "AWS::EC2::VPCGatewayAttachment",
        json!({"VpcId": reference("Vpc"), "InternetGatewayId": reference("InternetGateway")}),
    );
}

/// Adds a public and a private subnet in each zone; the private ones share a route table.
fn add_subnets(template: &mut Template, context: &Context<'_>) {
    for side in ["Public", "Private"] {
        let table = format!("{side}RouteTable");
        on(
            template,
            "OwnVpc",
            &table,
            "AWS::EC2::RouteTable",
            json!({"VpcId": reference("Vpc"), "Tags": tags(context, &side.to_lowercase())}),
        );
        for (index, zone) in ZONES.iter().enumerate() {
            let id = format!("{side}Subnet{zone}");
            let block = if side == "Public" { index } else { ZONES.len() + index };
            let name = format!("{}-{}", side.to_lowercase(), zone.to_lowercase());
            on(
                template,
                "OwnVpc",
                &id,
                "AWS::EC2::Subnet",
                json!({
                    "VpcId": reference("Vpc"),
                    "AvailabilityZone": {"Fn::Select": [reference(&format!("Zone{zone}")), {"Fn::GetAZs": ""}]},
                    // Blocks of 1,024 addresses; the smallest VPC allowed has four.
                    "CidrBlock": {"Fn::Select": [block, {"Fn::Cidr": [reference("VpcCidr"), 4, 10]}]},
                    "MapPublicIpOnLaunch": false,
                    "Tags": tags(context, &name),
                }),
            );
            on(
                template,
                "OwnVpc",
                &format!("{id}Routes"),
                "AWS::EC2::SubnetRouteTableAssociation",
                json!({"SubnetId": reference(&id), "RouteTableId": reference(&table)}),
            );
        }
    }
    on(
        template,
        "OwnVpc",
        "PublicRoute",
        "AWS::EC2::Route",
        json!({
            "RouteTableId": reference("PublicRouteTable"),
            "DestinationCidrBlock": "0.0.0.0/0",
            "GatewayId": reference("InternetGateway"),
        }),
    );
    template.with("DependsOn", json!(["InternetGatewayAttachment"]));
}

fn add_nat(template: &mut Template, context: &Context<'_>) {
    on(
        template,
        "OwnNat",
        "NatAddress",
        "AWS::EC2::EIP",
        json!({"Domain": "vpc", "Tags": tags(context, "nat")}),
    );
    template.with("DependsOn", json!(["InternetGatewayAttachment"]));
    on(
        template,
        "OwnNat",
        "NatGateway",
        "AWS::EC2::NatGateway",
        json!({
            "AllocationId": crate::template::attribute("NatAddress", "AllocationId"),
            "SubnetId": reference("PublicSubnetA"),
            "Tags": tags(context, "nat"),
        }),
    );
    on(
        template,
        "OwnNat",
        "PrivateRoute",
        "AWS::EC2::Route",
        json!({
            "RouteTableId": reference("PrivateRouteTable"),
            "DestinationCidrBlock": "0.0.0.0/0",
            "NatGatewayId": reference("NatGateway"),
        }),
    );
}

/// Adds the endpoints: gateway endpoints always, because they are free; interface endpoints if they are chosen.
fn add_endpoints(template: &mut Template, names: &[&str]) {
    let service = |name: &str| sub(format!("com.amazonaws.${{AWS::Region}}.{name}"));
    for name in ["dynamodb", "s3"] {
        on(
            template,
            "OwnVpc",
            &format!("{}Endpoint", logical_id(name)),
            "AWS::EC2::VPCEndpoint",
            json!({
                "VpcId": reference("Vpc"),
                "VpcEndpointType": "Gateway",
                "ServiceName": service(name),
                "RouteTableIds": [reference("PrivateRouteTable")],
            }),
        );
    }
    on(
        template,
        "OwnEndpoints",
        "EndpointSecurityGroup",
        "AWS::EC2::SecurityGroup",
        json!({
            "GroupDescription": "VPC endpoints",
            "VpcId": reference("Vpc"),
            "SecurityGroupIngress": [{
                "Description": "Calls from the VPC",
                "IpProtocol": "tcp",
                "FromPort": 443,
                "ToPort": 443,
                "CidrIp": reference("VpcCidr"),
            }],
        }),
    );
    for name in names {
        on(
            template,
            "OwnEndpoints",
            &format!("{}Endpoint", logical_id(name)),
            "AWS::EC2::VPCEndpoint",
            json!({
                "VpcId": reference("Vpc"),
                "VpcEndpointType": "Interface",
                "ServiceName": service(name),
                "PrivateDnsEnabled": true,
                "SubnetIds": [reference("PrivateSubnetA"), reference("PrivateSubnetB")],
                "SecurityGroupIds": [reference("EndpointSecurityGroup")],
            }),
        );
    }
}
