//! The task definition: the service with the collector beside it.

use serde_json::{Map, Value, json};
use topology::{Parameter, ServiceResources, Variable};

use crate::context::Context;
use crate::roles;
use crate::template::{Template, arn, attribute, logical_id, reference, sub};

/// Logical id of the task definition.
pub(crate) const TASK_DEFINITION: &str = "TaskDefinition";
/// Whether the collector's image is another one.
/// The parameter that says where announcements are written.
const OUTBOX_ITEMS: &str = "OutboxItems";
const OWN_COLLECTOR: &str = "OwnCollector";
/// The conditions that a task has two vCPUs, or four.
const TWO_VCPUS: &str = "TwoVcpus";
const FOUR_VCPUS: &str = "FourVcpus";
/// The port of an HTTP service.
pub(crate) const PORT: u16 = 8080;
/// The AWS Distro for OpenTelemetry collector that `otel-collector.yaml` is written for.
pub(crate) const COLLECTOR_IMAGE: &str = "public.ecr.aws/aws-observability/aws-otel-collector:v0.49.0";
/// The limit for a shutdown of the service.
const SHUTDOWN_GRACE_S: u32 = 25;
/// How long ECS waits before it kills the task: longer than the grace period and the flush of telemetry together.
pub(crate) const STOP_TIMEOUT_S: u32 = 35;
/// The unprivileged user and group of distroless images.
const USER: &str = "65532:65532";
/// The collector refuses data before its container is killed for its memory.
const COLLECTOR_MEMORY_MIB: u32 = 256;
const COLLECTOR_LIMIT_MIB: u32 = 150;

/// Adds the task definition and its parameters.
pub(crate) fn add(template: &mut Template, context: &Context<'_>, service: &ServiceResources) {
    template.parameter(
        "ImageTag",
        json!({
            "Type": "String",
            "Description": "Tag of the image in the service's repository; one tag is one build",
            "AllowedPattern": "[A-Za-z0-9_][A-Za-z0-9._-]{0,127}",
        }),
    );
    template.parameter(
        "CpuArchitecture",
        json!({
            "Type": "String",
            "AllowedValues": ["ARM64", "X86_64"],
            "Default": "ARM64",
            "Description": "Architecture of the image; ARM64 costs a fifth less",
        }),
    );
    add_size_parameters(template);
    add_log_parameters(template);
    template.parameter(
        "CollectorImage",
        json!({
            "Type": "String",
            // Not the image that the template names: CloudFormation would keep that value when the template names another.
            "Default": "",
            "Description": "A copy of the collector's image, such as one in the repository of the foundation; empty for the \
                            public one",
        }),
    );
    template
        .condition(OWN_COLLECTOR, json!({"Fn::Not": [{"Fn::Equals": [reference("CollectorImage"), ""]}]}));
    add_tracing_parameters(template);
    if service.queue.is_some() {
        add_consumer_parameters(template, service);
    }
    if service.variables.contains_key(ServiceResources::OUTBOX_ITEMS) {
        template.parameter(
            OUTBOX_ITEMS,
            json!({
                "Type": "String",
                "AllowedValues": [ServiceResources::WITH_MARKER, ServiceResources::SEPARATE],
                "Default": ServiceResources::WITH_MARKER,
                "Description": "Where an event is announced: with the marker of the one that caused it, or in an item of its \
                                own, as tasks of an earlier version do that still run or shall run again",
            }),
        );
    }
    if service.sends_email {
        add_email_parameters(template);
    }
    for parameter in &service.parameters {
        template.parameter(&parameter_id(parameter), definition(parameter));
    }
    template.resource(
        TASK_DEFINITION,
        "AWS::ECS::TaskDefinition",
        json!({
            "Family": context.name(&service.service),
            "RequiresCompatibilities": ["FARGATE"],
            "NetworkMode": "awsvpc",
            "Cpu": reference("Cpu"),
            "Memory": reference("Memory"),
            "RuntimePlatform": {
                "CpuArchitecture": reference("CpuArchitecture"),
                "OperatingSystemFamily": "LINUX",
            },
            "TaskRoleArn": attribute(roles::TASK_ROLE, "Arn"),
            "ExecutionRoleArn": attribute(roles::EXECUTION_ROLE, "Arn"),
            "ContainerDefinitions": [container(context, service), collector(context, service)],
        }),
    );
}

fn add_tracing_parameters(template: &mut Template) {
    template.parameter(
        "TracesSampler",
        json!({
            "Type": "String",
            "AllowedValues": [
                "xray",
                "parentbased_always_on",
                "parentbased_always_off",
                "parentbased_traceidratio",
                "always_on",
                "always_off",
                "traceidratio",
            ],
            "Default": "xray",
            "Description": "Which traces are recorded that begin here (OTEL_TRACES_SAMPLER)",
        }),
    );
    template.parameter(
        "TracesSamplerArgument",
        json!({
            "Type": "String",
            "Default": "",
            "Description": "The share for a sampler by ratio, or polling_interval=60 for xray; otherwise empty",
        }),
    );
    template.parameter(
        "AdaptiveSampling",
        json!({
            "Type": "String",
            "Default": "",
            "Description": "For xray: which failures are recorded that no rule sampled (AWS_XRAY_ADAPTIVE_SAMPLING_CONFIG), \
                            such as {version: 1.0}; empty for none",
        }),
    );
}

/// Returns the name of a declared parameter in the template: `WebhookUrl` for `WEBHOOK_URL`.
fn parameter_id(parameter: &Parameter) -> String {
    logical_id(&parameter.variable.to_lowercase().replace('_', "-"))
}

fn definition(parameter: &Parameter) -> Value {
    let mut definition = json!({"Type": "String", "Description": parameter.description});
    if let Some((pattern, meaning)) = parameter.pattern {
        definition["AllowedPattern"] = json!(pattern);
        definition["ConstraintDescription"] = json!(meaning);
    }
    if !parameter.values.is_empty() {
        definition["AllowedValues"] = json!(parameter.values);
    }
    if let Some(default) = parameter.default {
        definition["Default"] = json!(default);
    }
    definition
}

/// Adds the sender. It has no default: mail is sent only from what somebody has verified in SES.
fn add_email_parameters(template: &mut Template) {
    template.parameter(
        "EmailSender",
        json!({
            "Type": "String",
            // An address alone, because `ses:FromAddress` in the role's condition is one, without the display name
            // (https://docs.aws.amazon.com/ses/latest/dg/control-user-access.html).
            "AllowedPattern": "[^\\s<>@,;\"]+@[^\\s<>@,;\"]+\\.[^\\s<>@,;\"]+",
            "ConstraintDescription": "an address such as loyalty@example.com, without a display name",
            "Description": "Sender address of mails",
        }),
    );
    template.parameter(
        "EmailSenderName",
        json!({"Type": "String", "Default": "", "Description": "Display name of the sender; may be empty"}),
    );
    template.parameter(
        "SandboxRecipient",
        json!({
            "Type": "String",
            "Default": "",
            "AllowedPattern": "|\\*|[^\\s<>,;\"]+\\.[^\\s<>,;\"]+",
            "ConstraintDescription": "a domain, an address, * or nothing",
            // Outside the sandbox, recipients have no identity.
            "Description": "While the account is in SES's sandbox: the verified identity of recipients, a domain or an address, or * for all; \
                            otherwise empty",
        }),
    );
    template.condition(
        roles::IN_SANDBOX,
        json!({"Fn::Not": [{"Fn::Equals": [reference("SandboxRecipient"), ""]}]}),
    );
    template.parameter(
        "EmailIdentity",
        json!({
            "Type": "String",
            "AllowedPattern": "[^\\s<>,;\"]+\\.[^\\s<>,;\"]+",
            "ConstraintDescription": "a domain or an address",
            "Description": "Identity verified in SES for that address: its domain, or the address itself",
        }),
    );
}

fn container(context: &Context<'_>, service: &ServiceResources) -> Value {
    let name = &service.service;
    let image = format!(
        "${{AWS::AccountId}}.dkr.ecr.${{AWS::Region}}.${{AWS::URLSuffix}}/{}:${{ImageTag}}",
        context.repository_name(name)
    );
    let mut container = json!({
        "Name": name,
        "Image": sub(image),
        "Essential": true,
        "User": USER,
        "ReadonlyRootFilesystem": true,
        "LinuxParameters": {"Capabilities": {"Drop": ["ALL"]}},
        "StopTimeout": STOP_TIMEOUT_S,
        // Checks whether the service has been ready once: a deployment that never becomes ready is rolled back, and a
        // dependency that is unavailable later does not cause tasks to be replaced.
        "HealthCheck": {
            "Command": ["CMD", "/service", "health", "started"],
            "Interval": 10,
            "Timeout": 5,
            "Retries": 3,
            "StartPeriod": 60,
        },
        // It also makes ECS stop the collector after the service, so that the last spans are received.
        "DependsOn": [{"ContainerName": "collector", "Condition": "START"}],
        "Environment": pairs(environment(context, service)),
        "LogConfiguration": logs(&context.log_group(&format!("services/{name}")), name),
    });
    if service.listens {
        container["PortMappings"] = json!([{"ContainerPort": PORT, "Protocol": "tcp"}]);
    }
    if !service.secrets.is_empty() {
        let secrets = service
            .secrets
            .iter()
            .map(|variable| json!({"Name": variable, "ValueFrom": context.left_by_other_stack(&Context::secret(name, variable))}));
        container["Secrets"] = secrets.collect();
    }
    container
}

/// Returns the collector's container. It is not essential: if it crashes, the service continues and ECS restarts it.
fn collector(context: &Context<'_>, service: &ServiceResources) -> Value {
    let mut environment = Map::new();
    environment.insert("AWS_REGION".into(), reference("AWS::Region"));
    // Nobody reads it: a new value makes a new revision, whose tasks read the new configuration.
    environment.insert("CONFIG_DIGEST".into(), json!(context.collector_digest));
    environment.insert("MEMORY_LIMIT_MIB".into(), json!(COLLECTOR_LIMIT_MIB.to_string()));
    environment.insert("METRICS_LOG_GROUP".into(), sub(context.log_group("metrics")));
    environment.insert("METRICS_NAMESPACE".into(), sub(context.metrics_namespace()));
    json!({
        "Name": "collector",
        "Image": {"Fn::If": [OWN_COLLECTOR, reference("CollectorImage"), COLLECTOR_IMAGE]},
        "Essential": false,
        "RestartPolicy": {"Enabled": true, "RestartAttemptPeriod": 60},
        "User": USER,
        "ReadonlyRootFilesystem": true,
        "LinuxParameters": {"Capabilities": {"Drop": ["ALL"]}},
        "Memory": COLLECTOR_MEMORY_MIB,
        "HealthCheck": {
            "Command": ["CMD", "/healthcheck"],
            "Interval": 10,
            "Timeout": 5,
            "Retries": 3,
            "StartPeriod": 10,
        },
        "Environment": pairs(environment),
        "Secrets": [{
            "Name": "AOT_CONFIG_CONTENT",
            "ValueFrom": arn("ssm", &format!("parameter{}", context.path("collector/config"))),
        }],
        "LogConfiguration": logs(&context.log_group("collector"), &service.service),
    })
}

/// Adds what may be set of a task's size.
fn add_size_parameters(template: &mut Template) {
    template.parameter(
        "Cpu",
        json!({
            "Type": "String",
            "AllowedValues": ["256", "512", "1024", "2048", "4096"],
            "Default": "256",
            "Description": "CPU of a task in units of 1/1,024",
        }),
    );
    template.condition(TWO_VCPUS, json!({"Fn::Equals": [reference("Cpu"), "2048"]}));
    template.condition(FOUR_VCPUS, json!({"Fn::Equals": [reference("Cpu"), "4096"]}));
    template.parameter(
        "Memory",
        json!({
            "Type": "String",
            "AllowedValues": ["512", "1024", "2048", "4096", "8192"],
            "Default": "512",
            "Description": "Memory of a task in MiB, including 256 for the collector; AWS allows certain pairs of CPU and memory",
        }),
    );
}

/// Adds what may be set of a service's log.
fn add_log_parameters(template: &mut Template) {
    template.parameter(
        "LogFilter",
        json!({"Type": "String", "Default": "info", "Description": "Filter of log lines (RUST_LOG)"}),
    );
    template.parameter(
        "HopLines",
        json!({
            "Type": "String",
            "AllowedValues": ["all", "sampled"],
            "Default": "all",
            "Description": "Whether every event has a log line, or only those whose trace is sampled; warnings and errors \
                            always do",
        }),
    );
}

/// Adds what may be set of a service's consumer.
fn add_consumer_parameters(template: &mut Template, service: &ServiceResources) {
    let messages = match service.variables.get(ServiceResources::CONCURRENCY) {
        Some(Variable::Text(messages)) => messages,
        _ => "32",
    };
    template.number("Concurrency", messages, 1, "Messages that a task handles at a time");
    template.number(
        "DeleteLinger",
        "200",
        0,
        "Milliseconds that a handled message waits to be deleted together with others, since SQS charges by request",
    );
    template.number(
        "ReceivePause",
        "0",
        0,
        "Milliseconds of pause after a receive that was not full: fewer requests to SQS, and a wait of half of it for \
         each message",
    );
}

fn environment(context: &Context<'_>, service: &ServiceResources) -> Map<String, Value> {
    let mut variables = Map::new();
    variables.insert("APPLICATION".into(), json!(context.application()));
    variables.insert("ENVIRONMENT".into(), reference("Environment"));
    variables.insert("AWS_REGION".into(), reference("AWS::Region"));
    variables.insert("OTEL_EXPORTER_OTLP_ENDPOINT".into(), json!("http://localhost:4318"));
    // CloudWatch has percentiles of exponential histograms only, and expects the change since the last export.
    variables.insert(
        "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION".into(),
        json!("base2_exponential_bucket_histogram"),
    );
    variables.insert("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE".into(), json!("lowmemory"));
    variables.insert("OTEL_TRACES_SAMPLER".into(), reference("TracesSampler"));
    variables.insert("OTEL_TRACES_SAMPLER_ARG".into(), reference("TracesSamplerArgument"));
    variables.insert("AWS_XRAY_ADAPTIVE_SAMPLING_CONFIG".into(), reference("AdaptiveSampling"));
    if service.queue.is_some() {
        variables.insert(ServiceResources::CONCURRENCY.into(), reference("Concurrency"));
        variables.insert(ServiceResources::DELETE_LINGER.into(), reference("DeleteLinger"));
        variables.insert(ServiceResources::RECEIVE_PAUSE.into(), reference("ReceivePause"));
    }
    variables.insert("RUST_LOG".into(), reference("LogFilter"));
    variables.insert("TOKIO_WORKER_THREADS".into(), worker_threads());
    variables.insert("HOP_LINES".into(), reference("HopLines"));
    variables.insert("SHUTDOWN_GRACE_S".into(), json!(SHUTDOWN_GRACE_S.to_string()));
    if service.listens {
        variables.insert("LISTEN_ADDRESS".into(), json!(format!("0.0.0.0:{PORT}")));
    }
    if service.sends_email {
        variables.insert("EMAIL_SENDER_NAME".into(), reference("EmailSenderName"));
    }
    for parameter in &service.parameters {
        variables.insert(parameter.variable.into(), reference(&parameter_id(parameter)));
    }
    for (name, value) in &service.variables {
        let value = match value {
            Variable::Text(_) if name == "EMAIL_SENDER" => reference("EmailSender"),
            Variable::Text(_) if name == ServiceResources::CONCURRENCY => reference("Concurrency"),
            Variable::Text(_) if name == ServiceResources::OUTBOX_ITEMS => reference(OUTBOX_ITEMS),
            Variable::Text(text) => sub(text.as_str()),
            Variable::QueueUrl(queue) => Context::queue_url(queue),
            Variable::TopicArn(topic) => Context::topic_arn(topic),
            Variable::BucketName(bucket) => Context::bucket_name(bucket),
            Variable::PipeName(pipe) => context.left_by_other_stack(&context.pipe_parameter(pipe)),
        };
        variables.insert(name.clone(), value);
    }
    variables
}

/// Returns the number of threads that run a service's tasks: as many as the task has whole vCPUs, at least one. More would
/// only hand work and wake-ups to each other.
fn worker_threads() -> Value {
    let with_two = json!({"Fn::If": [TWO_VCPUS, "2", "1"]});
    json!({"Fn::If": [FOUR_VCPUS, "4", with_two]})
}

/// Returns the variables, ordered by name.
fn pairs(variables: Map<String, Value>) -> Value {
    let mut variables: Vec<_> = variables.into_iter().collect();
    variables.sort_by(|one, other| one.0.cmp(&other.0));
    variables.into_iter().map(|(name, value)| json!({"Name": name, "Value": value})).collect()
}

/// Returns the log configuration. It does not block, so that a failing log delivery cannot stop the service.
fn logs(group: &str, prefix: &str) -> Value {
    json!({
        "LogDriver": "awslogs",
        "Options": {
            "awslogs-group": sub(group),
            "awslogs-region": reference("AWS::Region"),
            "awslogs-stream-prefix": prefix,
            "max-buffer-size": "25m",
            "mode": "non-blocking",
        },
    })
}
