//! The stack of one service: its tasks and what watches them. What it keeps is in the stack of its data.

use serde_json::{Value, json};
use topology::ServiceResources;

use crate::context::Context;
use crate::logical_ids::{SECURITY_GROUP, SERVICE};
use crate::template::{Template, reference};
use crate::{RenderError, alarms, dashboard, load_balancer, roles, scaling, task};

/// Renders the template of a service's stack.
pub(crate) fn template(context: &Context<'_>, service: &ServiceResources) -> Result<Template, RenderError> {
    let name = &service.service;
    let mut template = Template::new(format!(
        "{} {name}: the service, its roles and alarms. Needs the stacks foundation, {name}-data and observability",
        context.application()
    ));
    roles::add(&mut template, context, service)?;
    task::add(&mut template, context, service);
    add_security_group(&mut template, context, service);
    if service.listens {
        load_balancer::add(&mut template, context, service)?;
    }
    let rollback = alarms::add(&mut template, context, service);
    add_service(&mut template, context, service, &rollback);
    alarms::add_after_service(&mut template, context, service);
    scaling::add(&mut template, context, service);
    dashboard::add_service(&mut template, context, service);
    Ok(template)
}

fn add_security_group(template: &mut Template, context: &Context<'_>, service: &ServiceResources) {
    template.resource(
        SECURITY_GROUP,
        "AWS::EC2::SecurityGroup",
        json!({
            "GroupDescription": format!("Tasks of {}", service.service),
            "VpcId": context.left_by_other_stack("network/vpc-id"),
            "SecurityGroupEgress": [{
                "Description": "AWS APIs and image registries, all over TLS",
                "IpProtocol": "tcp",
                "FromPort": 443,
                "ToPort": 443,
                "CidrIp": "0.0.0.0/0",
            }],
        }),
    );
}

fn add_service(
    template: &mut Template,
    context: &Context<'_>,
    service: &ServiceResources,
    rollback: &[Value],
) {
    let mut properties = json!({
        "ServiceName": context.name(&service.service),
        "Cluster": context.left_by_other_stack("cluster"),
        "TaskDefinition": reference(task::TASK_DEFINITION),
        "PlatformVersion": "LATEST",
        "AvailabilityZoneRebalancing": "ENABLED",
        "EnableECSManagedTags": true,
        "PropagateTags": "SERVICE",
        // No DesiredCount: the service starts with one task, and a deployment keeps the number that scaling has set.
        "DeploymentConfiguration": {
            "MinimumHealthyPercent": 100,
            "MaximumPercent": 200,
            "DeploymentCircuitBreaker": {"Enable": true, "Rollback": true},
            "Alarms": {"AlarmNames": rollback, "Enable": true, "Rollback": true},
        },
        "NetworkConfiguration": {"AwsvpcConfiguration": {
            "AssignPublicIp": "DISABLED",
            "SecurityGroups": [reference(SECURITY_GROUP)],
            "Subnets": [
                context.left_by_other_stack("network/private-subnet-a"),
                context.left_by_other_stack("network/private-subnet-b"),
            ],
        }},
    });
    if service.queue.is_some() && !service.listens {
        properties["CapacityProviderStrategy"] = spot(template);
    } else {
        properties["LaunchType"] = json!("FARGATE");
    }
    if service.listens {
        properties["HealthCheckGracePeriodSeconds"] = json!(30);
        properties["LoadBalancers"] = json!([{
            "ContainerName": service.service,
            "ContainerPort": task::PORT,
            "TargetGroupArn": reference(load_balancer::TARGET_GROUP),
        }]);
    }
    template.resource(SERVICE, "AWS::ECS::Service", properties);
    if service.listens {
        template.with("DependsOn", json!([load_balancer::LISTENER]));
    }
}

/// Returns where the tasks of a consumer run: a base on demand, and of those beyond it a share on Spot. A task on Spot is
/// stopped with a warning of two minutes, which is longer than it drains, so that nothing is lost; a caller of ingest would
/// notice. A strategy excludes a launch type
/// (<https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_CreateService.html>).
fn spot(template: &mut Template) -> Value {
    template.number(
        "OnDemandTasks",
        "1",
        0,
        "Tasks that run on demand in any case; those beyond are shared with Spot",
    );
    template.parameter(
        "SpotWeight",
        json!({
            "Type": "Number",
            "Default": "0",
            "MinValue": 0,
            "MaxValue": 1000,
            "Description": "Tasks beyond OnDemandTasks that run on Fargate Spot for each one that runs on demand; 0 for none",
        }),
    );
    json!([
        {"CapacityProvider": "FARGATE", "Base": reference("OnDemandTasks"), "Weight": 1},
        {"CapacityProvider": "FARGATE_SPOT", "Weight": reference("SpotWeight")},
    ])
}
