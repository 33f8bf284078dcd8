//! The entry for HTTP: a load balancer that terminates TLS and checks readiness.

use serde_json::json;
use topology::ServiceResources;

use crate::RenderError;
use crate::context::Context;
use crate::logical_ids::SECURITY_GROUP;
use crate::task::{PORT, STOP_TIMEOUT_S};
use crate::template::{Template, reference};

/// Logical id of the load balancer.
pub(crate) const LOAD_BALANCER: &str = "LoadBalancer";
/// Logical id of the target group.
pub(crate) const TARGET_GROUP: &str = "TargetGroup";
/// Logical id of the HTTPS listener.
pub(crate) const LISTENER: &str = "Listener";
const LOAD_BALANCER_GROUP: &str = "LoadBalancerSecurityGroup";

/// How long a deregistering target may finish its requests. Below the stop timeout, or ECS would kill the task while
/// the load balancer still waits for its responses.
const DEREGISTRATION_DELAY_S: u32 = 20;
const _: () = assert!(DEREGISTRATION_DELAY_S < STOP_TIMEOUT_S);
/// Below the service's `HEADER_READ_TIMEOUT_MS`, so that the load balancer closes idle connections first and never sends
/// a request on a connection that the service is just closing.
const IDLE_TIMEOUT_S: u32 = 60;

/// Adds the load balancer with its listener, target group and security groups.
pub(crate) fn add(
    template: &mut Template,
    context: &Context<'_>,
    service: &ServiceResources,
) -> Result<(), RenderError> {
    add_parameters(template);
    add_security_groups(template, context, service);
    let name = context.short_name(&service.service)?;
    let subnets = ["a", "b"].map(|zone| {
        json!({"Fn::If": [
            "Public",
            context.left_by_other_stack(&format!("network/public-subnet-{zone}")),
            context.left_by_other_stack(&format!("network/private-subnet-{zone}")),
        ]})
    });
    template.resource(
        LOAD_BALANCER,
        "AWS::ElasticLoadBalancingV2::LoadBalancer",
        json!({
            "Name": name,
            "Type": "application",
            "Scheme": reference("Scheme"),
            "SecurityGroups": [reference(LOAD_BALANCER_GROUP)],
            "Subnets": subnets,
            "LoadBalancerAttributes": [
                {"Key": "idle_timeout.timeout_seconds", "Value": IDLE_TIMEOUT_S.to_string()},
                {"Key": "routing.http.desync_mitigation_mode", "Value": "strictest"},
                {"Key": "routing.http.drop_invalid_header_fields.enabled", "Value": "true"},
            ],
        }),
    );
    template.exempt(&[
        (
            "CKV_AWS_91",
            "the service writes a log line for each event with its trace id; an access log would repeat it",
        ),
        ("CKV_AWS_150", "it keeps nothing, and protection would block the rollback of its own creation"),
    ]);
    // TLS ends at the load balancer; only its security group reaches the tasks.
    template.resource(
        TARGET_GROUP,
        "AWS::ElasticLoadBalancingV2::TargetGroup",
        json!({
            "VpcId": context.left_by_other_stack("network/vpc-id"),
            "TargetType": "ip",
            "Protocol": "HTTP",
            "Port": PORT,
            "HealthCheckPath": "/health/ready",
            "HealthCheckIntervalSeconds": 10,
            "HealthCheckTimeoutSeconds": 5,
            "HealthyThresholdCount": 2,
            "UnhealthyThresholdCount": 3,
            "Matcher": {"HttpCode": "200"},
            "TargetGroupAttributes": [
                {"Key": "deregistration_delay.timeout_seconds", "Value": DEREGISTRATION_DELAY_S.to_string()},
                {"Key": "load_balancing.algorithm.type", "Value": "least_outstanding_requests"},
            ],
        }),
    );
    template.resource(
        LISTENER,
        "AWS::ElasticLoadBalancingV2::Listener",
        json!({
            "LoadBalancerArn": reference(LOAD_BALANCER),
            "Port": 443,
            "Protocol": "HTTPS",
            "SslPolicy": "ELBSecurityPolicy-TLS13-1-2-2021-06",
            "Certificates": [{"CertificateArn": reference("CertificateArn")}],
            "DefaultActions": [{"Type": "forward", "TargetGroupArn": reference(TARGET_GROUP)}],
        }),
    );
    Ok(())
}

fn add_parameters(template: &mut Template) {
    template.parameter(
        "CertificateArn",
        json!({
            "Type": "String",
            "Description": "Certificate of the listener, in Certificate Manager of this region",
            "AllowedPattern": "arn:[a-z-]+:acm:[a-z0-9-]+:[0-9]{12}:certificate/.+",
        }),
    );
    template.parameter(
        "Scheme",
        json!({
            "Type": "String",
            "AllowedValues": ["internet-facing", "internal"],
            "Default": "internet-facing",
            "Description": "Whether callers come from the internet or from the VPC and what is connected to it",
        }),
    );
    template.parameter(
        "AllowedCidr",
        json!({
            "Type": "String",
            "Description": "Addresses of callers, such as the CRM's; 0.0.0.0/0 for all, since requests are authenticated",
            "AllowedPattern": "[0-9]{1,3}(\\.[0-9]{1,3}){3}/[0-9]{1,2}",
        }),
    );
    template.condition("Public", json!({"Fn::Equals": [reference("Scheme"), "internet-facing"]}));
}

fn add_security_groups(template: &mut Template, context: &Context<'_>, service: &ServiceResources) {
    let name = &service.service;
    template.resource(
        LOAD_BALANCER_GROUP,
        "AWS::EC2::SecurityGroup",
        json!({
            "GroupDescription": format!("Load balancer of {name}"),
            "VpcId": context.left_by_other_stack("network/vpc-id"),
            "SecurityGroupIngress": [{
                "Description": "HTTPS from permitted callers",
                "IpProtocol": "tcp",
                "FromPort": 443,
                "ToPort": 443,
                "CidrIp": reference("AllowedCidr"),
            }],
        }),
    );
    // Separate rules, because the two groups refer to each other.
    for (id, kind, owner, other, side, text) in [
        (
            "RequestsOut",
            "AWS::EC2::SecurityGroupEgress",
            LOAD_BALANCER_GROUP,
            SECURITY_GROUP,
            "DestinationSecurityGroupId",
            "Requests to the tasks",
        ),
        (
            "RequestsIn",
            "AWS::EC2::SecurityGroupIngress",
            SECURITY_GROUP,
            LOAD_BALANCER_GROUP,
            "SourceSecurityGroupId",
            "Requests from the load balancer",
        ),
    ] {
        let mut rule = json!({
            "Description": text,
            "GroupId": reference(owner),
            "IpProtocol": "tcp",
            "FromPort": PORT,
            "ToPort": PORT,
        });
        rule[side] = reference(other);
        template.resource(id, kind, rule);
    }
}
