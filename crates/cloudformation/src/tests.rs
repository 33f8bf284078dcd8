//! Tests what the templates contain for each declaration of a small layer.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use envelope::Event;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use topology::{
    Http, Index, MailFeedback, Parameter, Pipe, Resources, Service, Table, TableAccess, Topic, Topology,
    events, topic,
};

use crate::context::Context;
use crate::template::Template;
use crate::{ENVIRONMENT, RenderError, foundation, observability, render, service, state};

const COLLECTOR: &str = "# a comment\nreceivers:\n  # another\n  otlp: ${env:X}\n";

macro_rules! event {
    ($name:ident) => {
        #[derive(Serialize, Deserialize)]
        struct $name;
        impl Event for $name {
            const TYPE: &'static str = stringify!($name);
            const SOURCE: &'static str = "shop";
            fn customer_number(&self) -> &str {
                ""
            }
        }
    };
}
event!(Ordered);
event!(Shipped);

fn intake() -> Service {
    Service::new("intake").listens(Http::new()).secret("SIGNING_KEY").publishes_to_bus().emits::<(Ordered,)>()
}

fn shipping() -> Service {
    Service::new("shipping")
        .consumes(events::<(Ordered,)>())
        .owns(
            Table::new("parcels")
                .expires_at("expires_at")
                .outbox()
                .index(Index::new("due").partition_key("due_bucket").sort_key("due_at"))
                .index(Index::new("recipient").projects(["weight"]))
                .access([TableAccess::Get, TableAccess::QueryIndex]),
        )
        .emits::<(Shipped,)>()
        .publishes(Topic::new("notices").attribute("channel"))
}

fn sms() -> Service {
    Service::new("sms")
        .receives(topic("notices").with("channel", "sms"))
        .sends_email_as("shop")
        .consumes_mail_feedback(MailFeedback::of::<Shipped>().tag("parcel"))
        .parameter(Parameter::new("GATEWAY_URL", "The gateway").matches("https://.+", "an https URL"))
        .parameter(Parameter::new("GATEWAY_MODE", "What it does").one_of(&["test", "live"]).or("test"))
}

fn resources() -> Resources {
    let topology = Topology::new("shop", ENVIRONMENT).service(intake()).service(shipping()).service(sms());
    topology.resources().unwrap()
}

/// Returns every template by its file name.
fn templates(resources: &Resources) -> BTreeMap<String, Template> {
    let context = Context::new(resources, "a digest");
    let mut templates = BTreeMap::from([
        ("foundation".to_owned(), foundation::template(&context, COLLECTOR)),
        ("observability".to_owned(), observability::template(&context).unwrap()),
    ]);
    for one in &resources.services {
        templates.insert(format!("{}-data", one.service), state::template(&context, one).unwrap());
        templates.insert(one.service.clone(), service::template(&context, one).unwrap());
    }
    templates
}

impl Template {
    fn properties(&self, id: &str) -> &Value {
        let found = self.resources.iter().find(|(name, _)| name == id);
        &found.unwrap_or_else(|| panic!("no resource {id}")).1["Properties"]
    }

    fn of_type<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a (String, Value)> {
        self.resources.iter().filter(move |(_, resource)| resource["Type"] == kind)
    }
}

/// Returns every statement of every role: (template, role, statement).
fn statements(templates: &BTreeMap<String, Template>) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    for (name, template) in templates {
        for (id, role) in template.of_type("AWS::IAM::Role") {
            for policy in role["Properties"]["Policies"].as_array().unwrap() {
                for statement in policy["PolicyDocument"]["Statement"].as_array().unwrap() {
                    found.push((format!("{name}/{id}"), statement.clone()));
                }
            }
        }
    }
    found
}

fn actions(statement: &Value) -> Vec<&str> {
    statement["Action"].as_array().unwrap().iter().map(|action| action.as_str().unwrap()).collect()
}

#[test]
fn every_file_is_there() {
    let files = render(&resources(), COLLECTOR).unwrap();
    let names: Vec<_> = files.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "data/intake.yaml",
            "data/shipping.yaml",
            "data/sms.yaml",
            "foundation.yaml",
            "observability.yaml",
            "services/intake.yaml",
            "services/shipping.yaml",
            "services/sms.yaml",
            "task-definitions/intake.json",
            "task-definitions/shipping.json",
            "task-definitions/sms.json",
        ]
    );
    assert!(
        files.iter().all(|(name, text)| !name.ends_with("yaml") || text.starts_with("# Rendered by `foo"))
    );
}

#[test]
fn queues_are_as_declared() {
    let resources = resources();
    let templates = templates(&resources);
    let mut rendered: BTreeMap<String, Value> = BTreeMap::new();
    for template in templates.values() {
        for (_, queue) in template.of_type("AWS::SQS::Queue") {
            let properties = &queue["Properties"];
            rendered
                .insert(properties["QueueName"]["Fn::Sub"].as_str().unwrap().to_owned(), properties.clone());
        }
    }
    assert_eq!(rendered.len(), resources.queues.len());
    for queue in &resources.queues {
        let properties = &rendered[&queue.name];
        assert_eq!(properties["VisibilityTimeout"], queue.visibility_timeout_s);
        assert_eq!(properties["MessageRetentionPeriod"], queue.retention_s);
        match &queue.dead_letter {
            Some(dead) => assert_eq!(properties["RedrivePolicy"]["maxReceiveCount"], dead.max_receive_count),
            None => assert!(properties.get("RedrivePolicy").is_none()),
        }
    }
    let policies = &templates["sms-data"].properties("SmsQueuePolicy")["PolicyDocument"]["Statement"];
    let of_topic = |policy: &&Value| policy["Principal"] == json!({"Service": "sns.amazonaws.com"});
    let policy = policies.as_array().unwrap().iter().find(of_topic).unwrap();
    let source = policy["Condition"]["ArnEquals"]["aws:SourceArn"]["Fn::Sub"].as_str().unwrap();
    assert!(source.ends_with(":shop-${Environment}-notices"), "{source}");
}

#[test]
fn what_ses_reports_comes_by_the_default_bus_of_the_account() {
    let resources = resources();
    let templates = templates(&resources);
    let sms = &templates["sms-data"];
    let set = json!({"Fn::Sub": "shop-${Environment}-sms"});
    assert_eq!(sms.properties("SmsConfigurationSet")["Name"], set);
    let destination = &sms.properties("SmsConfigurationSetEventDestination")["EventDestination"];
    assert_eq!(destination["MatchingEventTypes"], json!(["bounce", "complaint"]));
    let bus = destination["EventBridgeDestination"]["EventBusArn"]["Fn::Sub"].as_str().unwrap();
    assert!(bus.ends_with(":event-bus/default"), "{bus}");

    let rule = sms.properties("SmsBouncesRule");
    assert_eq!(rule["EventBusName"], "default");
    // Other environments of the same account publish on the same bus.
    assert_eq!(rule["Name"], json!({"Fn::Sub": "shop-${Environment}-sms-bounces"}));
    assert_eq!(rule["EventPattern"]["detail"]["mail"]["tags"]["ses:configuration-set"], json!([set]));
    assert_eq!(
        rule["Targets"][0]["InputTransformer"]["InputPathsMap"]["parcel"],
        "$.detail.mail.tags.parcel[0]"
    );

    // Nothing is published before the rules exist, and nothing mailed before this stack does.
    let depends =
        |id: &str| sms.resources.iter().find(|(name, _)| name == id).unwrap().1["DependsOn"].clone();
    assert_eq!(
        depends("SmsConfigurationSetEventDestination"),
        json!(["SmsBouncesRule", "SmsComplaintsRule"])
    );

    let statements = &sms.properties("SmsQueuePolicy")["PolicyDocument"]["Statement"];
    let source = &statements[0]["Condition"]["ArnEquals"]["aws:SourceArn"]["Fn::Sub"];
    assert!(source.as_str().unwrap().ends_with(":rule/shop-${Environment}-sms-bounces"), "{source}");
    let key = templates["foundation"].properties(foundation::KEY);
    let may_encrypt = key["KeyPolicy"]["Statement"].to_string();
    assert!(may_encrypt.contains(":rule/shop-${Environment}-*"), "{may_encrypt}");
    let variables =
        templates["sms"].properties("TaskDefinition")["ContainerDefinitions"][0]["Environment"].clone();
    assert!(
        variables.as_array().unwrap().contains(&json!({"Name": "EMAIL_CONFIGURATION_SET", "Value": set}))
    );
}

#[test]
fn rule_subscription_table_and_pipe_are_as_declared() {
    let resources = resources();
    let templates = templates(&resources);
    let shipping = &templates["shipping-data"];

    let (rule, declared) = (shipping.properties("ShippingRule"), &resources.rules[0]);
    assert_eq!(rule["EventPattern"], declared.pattern);
    assert_eq!(rule["Targets"][0]["RetryPolicy"]["MaximumEventAgeInSeconds"], declared.maximum_event_age_s);
    assert_eq!(rule["Targets"][0]["DeadLetterConfig"]["Arn"]["Fn::GetAtt"][0], "ShippingUndeliveredQueue");

    let table = shipping.properties("ParcelsTable");
    assert_eq!(table["TimeToLiveSpecification"]["AttributeName"], "expires_at");
    assert_eq!(table["StreamSpecification"]["StreamViewType"], "NEW_IMAGE");
    assert_eq!(table["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"], true);
    let (due, recipient) = (&table["GlobalSecondaryIndexes"][0], &table["GlobalSecondaryIndexes"][1]);
    assert_eq!(due["KeySchema"][1], json!({"AttributeName": "due_at", "KeyType": "RANGE"}));
    assert_eq!(due["Projection"], json!({"ProjectionType": "KEYS_ONLY"}));
    assert_eq!(recipient["KeySchema"], json!([{"AttributeName": "recipient", "KeyType": "HASH"}]));
    assert_eq!(recipient["Projection"], json!({"ProjectionType": "INCLUDE", "NonKeyAttributes": ["weight"]}));
    let types = table["AttributeDefinitions"].as_array().unwrap();
    let names: Vec<_> = types.iter().map(|one| one["AttributeName"].as_str().unwrap()).collect();
    assert_eq!(names, ["due_at", "due_bucket", "pk", "recipient"]);

    let (pipe, declared) = (shipping.properties("ParcelsOutboxPipe"), &resources.pipes[0]);
    let source = &pipe["SourceParameters"];
    assert_eq!(source["DynamoDBStreamParameters"]["StartingPosition"], Pipe::STARTING_POSITION);
    assert_eq!(source["DynamoDBStreamParameters"]["MaximumRetryAttempts"], declared.maximum_retry_attempts);
    assert_eq!(source["DynamoDBStreamParameters"]["ParallelizationFactor"], declared.parallelization_factor);
    let pattern = source["FilterCriteria"]["Filters"][0]["Pattern"].as_str().unwrap();
    assert_eq!(serde_json::from_str::<Value>(pattern).unwrap(), declared.filter_pattern);
    assert_eq!(pipe["TargetParameters"]["InputTemplate"], declared.target.input_template.as_str());

    let subscription = templates["sms-data"].properties("SmsSubscription");
    assert_eq!(subscription["FilterPolicy"], json!({"channel": ["sms"]}));
    assert_eq!(subscription["RedrivePolicy"]["deadLetterTargetArn"]["Fn::GetAtt"][0], "SmsUndeliveredQueue");
}

#[test]
fn a_role_grants_what_is_declared_and_nothing_else() {
    let templates = templates(&resources());
    let granted = |role: &str| -> BTreeSet<String> {
        let all = statements(&templates).into_iter().filter(|(name, _)| name == role);
        // Leave out the collector's statements in the same role.
        let own = all.filter(|(_, one)| !["Traces", "Metrics"].contains(&one["Sid"].as_str().unwrap()));
        own.flat_map(|(_, one)| actions(&one).into_iter().map(str::to_owned).collect::<Vec<_>>()).collect()
    };
    let set = |actions: &[&str]| actions.iter().map(|&action| action.to_owned()).collect::<BTreeSet<_>>();
    let receiving =
        ["sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:ReceiveMessage", "sqs:SendMessage"];
    let key = ["kms:Decrypt", "kms:GenerateDataKey"];
    assert_eq!(granted("intake/TaskRole"), set(&["events:PutEvents"]));
    assert_eq!(
        granted("shipping/TaskRole"),
        set(&[
            &receiving[..],
            &key,
            &["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query", "sns:Publish"]
        ]
        .concat())
    );
    let queries: Vec<_> = statements(&templates)
        .into_iter()
        .filter(|(_, statement)| actions(statement).contains(&"dynamodb:Query"))
        .flat_map(|(_, statement)| statement["Resource"].as_array().unwrap().clone())
        .map(|arn| arn["Fn::Sub"].as_str().unwrap().rsplit_once(':').unwrap().1.to_owned())
        .collect();
    assert_eq!(
        queries,
        ["due", "recipient"].map(|index| format!("table/shop-${{Environment}}-parcels/index/{index}"))
    );
    assert_eq!(granted("sms/TaskRole"), set(&[&receiving[..], &key, &["ses:SendEmail"]].concat()));
}

#[test]
fn long_handlers_are_protected_from_scale_in() {
    let reports = |limit| {
        let service = Service::new("reports").consumes(events::<(Ordered,)>()).handles_within(limit);
        let resources = Topology::new("shop", ENVIRONMENT).service(intake()).service(service).resources();
        let templates = templates(&resources.unwrap());
        let container = &templates["reports"].properties("TaskDefinition")["ContainerDefinitions"][0];
        let mut variables = container["Environment"].as_array().unwrap().iter();
        let limit = variables.find(|one| one["Name"] == "CONSUMER_MAX_PROCESSING_S").unwrap();
        let granted = statements(&templates).iter().any(|(_, one)| one["Sid"] == "ProtectFromScaleIn");
        (limit["Value"].clone(), granted)
    };
    assert_eq!(reports(Duration::from_mins(2)), (json!("120"), false));
    assert_eq!(reports(Duration::from_mins(10)), (json!("600"), true));
}

#[test]
fn a_pipe_that_stands_still_is_noticed() {
    let templates = templates(&resources());
    let alarm = templates["shipping"].properties("ParcelsOutboxStandstillAlarm");
    let metrics = alarm["Metrics"].as_array().unwrap();
    let dimension = |id: &str| {
        let metric = metrics.iter().find(|metric| metric["Id"] == id).unwrap();
        metric["MetricStat"]["Metric"]["Dimensions"][0]["Value"]["Fn::Sub"].clone()
    };
    assert_eq!(dimension("written"), "shop-${Environment}-parcels");
    assert_eq!(dimension("started"), "shop-${Environment}-parcels-outbox");
    assert_eq!(dimension("failed"), dimension("started"));
    assert_eq!(alarm["EvaluationPeriods"], 12);
    assert_eq!(alarm["DatapointsToAlarm"], json!({"Ref": "StandstillPeriods"}));
}

#[test]
fn wildcards_are_only_where_aws_has_nothing_else_and_say_why() {
    let templates = templates(&resources());
    for (role, statement) in statements(&templates) {
        assert!(actions(&statement).iter().all(|action| !action.contains('*')), "{role}: {statement}");
        if statement["Resource"] == "*" {
            let (template, id) = role.split_once('/').unwrap();
            let found = templates[template].resources.iter().find(|(name, _)| name == id).unwrap();
            let reason = &found.1["Metadata"]["Wildcards"][statement["Sid"].as_str().unwrap()];
            assert!(reason.is_string(), "{role}: {statement}");
        }
    }
}

#[test]
fn the_service_finds_its_resources_and_its_secrets() {
    let templates = templates(&resources());
    let container =
        |service: &str| templates[service].properties("TaskDefinition")["ContainerDefinitions"][0].clone();
    let variables = |service: &str| -> BTreeMap<String, Value> {
        let list = container(service)["Environment"].as_array().unwrap().clone();
        list.into_iter().map(|one| (one["Name"].as_str().unwrap().to_owned(), one["Value"].clone())).collect()
    };
    let shipping = variables("shipping");
    for (variable, queue) in [("QUEUE_URL", "shipping"), ("DEAD_LETTER_QUEUE_URL", "shipping-dead-letter")] {
        let url = format!(
            "https://sqs.${{AWS::Region}}.${{AWS::URLSuffix}}/${{AWS::AccountId}}/shop-${{Environment}}-{queue}"
        );
        assert_eq!(shipping[variable], json!({"Fn::Sub": url}));
    }
    assert_eq!(shipping["PARCELS_TABLE_NAME"], json!({"Fn::Sub": "shop-${Environment}-parcels"}));
    assert_eq!(variables("sms")["EMAIL_SENDER"], json!({"Ref": "EmailSender"}));
    assert_eq!(variables("sms")["EMAIL_SENDER_NAME"], json!({"Ref": "EmailSenderName"}));
    for required in ["EmailSender", "EmailIdentity"] {
        let (_, parameter) = templates["sms"].parameters.iter().find(|(name, _)| name == required).unwrap();
        assert!(parameter["Default"].is_null(), "{required} has a default that nobody has verified in SES");
    }
    assert_eq!(variables("sms")["GATEWAY_URL"], json!({"Ref": "GatewayUrl"}));
    let parameter = |id: &str| {
        let mut parameters = templates["sms"].parameters.iter();
        parameters.find(|(name, _)| name == id).map(|(_, parameter)| parameter.clone()).unwrap()
    };
    assert_eq!(
        parameter("GatewayUrl"),
        json!({
            "Type": "String",
            "Description": "The gateway",
            "AllowedPattern": "https://.+",
            "ConstraintDescription": "an https URL",
        })
    );
    assert_eq!(parameter("GatewayMode")["AllowedValues"], json!(["test", "live"]));
    assert_eq!(parameter("GatewayMode")["Default"], "test");
    assert_eq!(variables("intake")["LISTEN_ADDRESS"], "0.0.0.0:8080");
    let secrets = &container("intake")["Secrets"];
    let left = "{{resolve:ssm:/shop/${Environment}/intake/SIGNING_KEY}}";
    assert_eq!(secrets, &json!([{"Name": "SIGNING_KEY", "ValueFrom": {"Fn::Sub": left}}]));
    let secret = templates["intake-data"].properties("SigningKey");
    assert_eq!(secret["Name"], json!({"Fn::Sub": "shop/${Environment}/intake/SIGNING_KEY"}));
    assert!(!variables("intake").contains_key("SIGNING_KEY"));
}

#[test]
fn a_container_stops_gracefully_and_the_collector_may_fail() {
    let templates = templates(&resources());
    let containers = &templates["intake"].properties("TaskDefinition")["ContainerDefinitions"];
    let number = |value: &Value| value.as_str().unwrap().parse::<u64>().unwrap();
    let environment = containers[0]["Environment"].as_array().unwrap();
    let grace = environment.iter().find(|one| one["Name"] == "SHUTDOWN_GRACE_S").unwrap();
    let stop = containers[0]["StopTimeout"].as_u64().unwrap();
    assert!(number(&grace["Value"]) < stop && stop <= 120);
    let attributes = templates["intake"].properties("TargetGroup")["TargetGroupAttributes"].clone();
    let delays = attributes.as_array().unwrap().iter();
    let delay = delays.clone().find(|one| one["Key"] == "deregistration_delay.timeout_seconds").unwrap();
    assert!(number(&delay["Value"]) < stop);

    assert_eq!(containers[0]["DependsOn"], json!([{"ContainerName": "collector", "Condition": "START"}]));
    assert_eq!(containers[0]["HealthCheck"]["Command"], json!(["CMD", "/service", "health", "started"]));
    assert_eq!(containers[1]["Essential"], false);
    assert_eq!(containers[1]["RestartPolicy"]["Enabled"], true);
    assert_eq!(containers[1]["HealthCheck"]["Command"], json!(["CMD", "/healthcheck"]));
    for container in containers.as_array().unwrap() {
        assert_eq!(container["ReadonlyRootFilesystem"], true);
        assert!(!container["User"].as_str().unwrap().starts_with('0'));
    }
}

#[test]
fn every_name_has_the_environment_and_every_threshold_is_a_parameter() {
    let templates = templates(&resources());
    let names = [
        "AlarmName",
        "AliasName",
        "BucketName",
        "ClusterName",
        "DashboardName",
        "Family",
        "GroupName",
        "LogGroupName",
        "Name",
        "PolicyName",
        "QueueName",
        "RepositoryName",
        "RoleName",
        "ServiceName",
        "TableName",
        "TopicName",
    ];
    for (stack, template) in &templates {
        for (id, resource) in &template.resources {
            if resource["Type"] == "AWS::EC2::VPCEndpoint" {
                continue; // Its service name is AWS's.
            }
            let properties = resource["Properties"].as_object().unwrap();
            for (name, value) in properties.iter().filter(|(name, _)| names.contains(&name.as_str())) {
                let text = value.to_string();
                assert!(text.contains("${Environment}"), "{stack}/{id}: {name} is {text}");
            }
        }
        for (id, alarm) in template.of_type("AWS::CloudWatch::Alarm") {
            // For an alarm on a yes-or-no condition, the parameter is the number of periods.
            let properties = &alarm["Properties"];
            let threshold = properties["Threshold"]["Ref"].as_str();
            let parameter = threshold.or(properties["DatapointsToAlarm"]["Ref"].as_str()).unwrap();
            assert!(template.parameters.iter().any(|(name, _)| name == parameter), "{stack}/{id}");
        }
    }
}

#[test]
fn what_holds_state_stays() {
    let state = [
        "AWS::DynamoDB::Table",
        "AWS::ECR::Repository",
        "AWS::KMS::Key",
        "AWS::Logs::LogGroup",
        "AWS::S3::Bucket",
        "AWS::SQS::Queue",
        "AWS::SecretsManager::Secret",
    ];
    for template in templates(&resources()).values() {
        for (id, resource) in &template.resources {
            let keeps = state.contains(&resource["Type"].as_str().unwrap());
            assert_eq!(resource["DeletionPolicy"] == "RetainExceptOnCreate", keeps, "{id}");
            assert_eq!(resource["UpdateReplacePolicy"] == "Retain", keeps, "{id}");
        }
    }
}

#[test]
fn what_one_stack_reads_another_leaves() {
    let templates = templates(&resources());
    let mut left = BTreeSet::new();
    let mut read = BTreeSet::new();
    for template in templates.values() {
        for (_, parameter) in template.of_type("AWS::SSM::Parameter") {
            left.insert(parameter["Properties"]["Name"]["Fn::Sub"].as_str().unwrap().to_owned());
        }
        let text = serde_json::to_string(&template.resources).unwrap();
        for part in text.split("{{resolve:ssm:").skip(1) {
            read.insert(part.split_once("}}").unwrap().0.to_owned());
        }
    }
    assert!(read.is_subset(&left), "{:?}", read.difference(&left));
    assert!(read.len() > 5);
}

#[test]
fn a_task_definition_by_itself_leaves_open_what_a_deployment_decides() {
    let files = render(&resources(), COLLECTOR).unwrap();
    for service in ["intake", "shipping", "sms"] {
        let text = &files[&format!("task-definitions/{service}.json")];
        let definition: Value = serde_json::from_str(text).unwrap();
        assert_eq!(definition["family"], format!("shop-${{ENVIRONMENT}}-{service}"));
        assert_eq!(definition["containerDefinitions"][1]["name"], "collector");
        let open: BTreeSet<_> =
            text.split("${").skip(1).map(|rest| rest.split_once('}').unwrap().0).collect();
        let mut expected = BTreeSet::from(["AWS_ACCOUNT_ID", "AWS_REGION", "ENVIRONMENT", "IMAGE_TAG"]);
        if service == "sms" {
            expected.extend(["EMAIL_SENDER", "GATEWAY_URL"]);
        }
        assert_eq!(open, expected);
        assert!(!text.contains("Fn::") && !text.contains("resolve:"), "{text}");
    }
    assert!(files["task-definitions/intake.json"].contains(
        "arn:aws:secretsmanager:${AWS_REGION}:${AWS_ACCOUNT_ID}:secret:shop/${ENVIRONMENT}/intake/SIGNING_KEY"
    ));
    assert!(files["task-definitions/shipping.json"].contains(
        "https://sqs.${AWS_REGION}.amazonaws.com/${AWS_ACCOUNT_ID}/shop-${ENVIRONMENT}-shipping-dead-letter"
    ));
}

#[test]
fn the_collector_is_configured_without_the_comments() {
    let templates = templates(&resources());
    let value = &templates["foundation"].properties("CollectorConfigParameter")["Value"];
    assert_eq!(value, "receivers:\n  otlp: ${env:X}\n");
}

#[test]
fn what_is_left_open_is_refused() {
    let prod = Topology::new("shop", "prod").service(intake()).resources().unwrap();
    assert!(matches!(render(&prod, COLLECTOR), Err(RenderError::Environment(name)) if name == "prod"));

    let secretive = Service::new("secretive").owns(Table::new("secrets"));
    let open = Topology::new("shop", ENVIRONMENT).service(secretive).resources().unwrap();
    let error = render(&open, COLLECTOR).unwrap_err();
    assert!(matches!(error, RenderError::NoAccess { .. }));
    assert_eq!(
        error.to_string(),
        "secretive owns shop-${Environment}-secrets but declares no access to it: add .access([…])"
    );

    let long = Service::new("a-way-in-with-a-long-name").listens(Http::new());
    let long = Topology::new("shop", ENVIRONMENT).service(long).resources().unwrap();
    assert!(matches!(render(&long, COLLECTOR), Err(RenderError::NameTooLong { limit: 32, .. })));
}

#[test]
fn mail_may_be_sent_to_the_recipients_of_a_sandbox_if_they_are_named() {
    let templates = templates(&resources());
    let (_, send) =
        statements(&templates).into_iter().find(|(_, statement)| statement["Sid"] == "SendEmail").unwrap();
    let recipient = send["Resource"].as_array().unwrap().last().unwrap();
    assert_eq!(recipient["Fn::If"][0], "InSandbox");
    let arn = recipient["Fn::If"][1]["Fn::Sub"].as_str().unwrap();
    assert!(arn.ends_with(":identity/${SandboxRecipient}"), "{arn}");
    assert_eq!(recipient["Fn::If"][2], json!({"Ref": "AWS::NoValue"}));
    let (_, parameter) =
        templates["sms"].parameters.iter().find(|(name, _)| name == "SandboxRecipient").unwrap();
    assert_eq!(parameter["Default"], "");
}

#[test]
fn alarms_on_silence_are_for_those_who_want_them() {
    let templates = templates(&resources());
    let (_, quiet) = templates["intake"].resources.iter().find(|(id, _)| id == "IntakeQuietAlarm").unwrap();
    assert_eq!(quiet["Condition"], "NoticeSilence");
    assert_eq!(quiet["Properties"]["EvaluationPeriods"], json!({"Ref": "QuietMinutes"}));
    assert_eq!(quiet["Properties"]["TreatMissingData"], "breaching");
    let (_, parameter) =
        templates["intake"].parameters.iter().find(|(name, _)| name == "QuietMinutes").unwrap();
    assert_eq!(parameter["Default"], "0");
}
