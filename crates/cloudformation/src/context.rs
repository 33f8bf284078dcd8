//! Answers a single service's questions about the resources of all services.

use serde_json::{Value, json};
use topology::{
    BucketResource, ConfigurationSet, KeyResource, Pipe, Queue, Resources, Rule, ServiceResources,
    TableResource, TopicSubscription,
};

use crate::RenderError;
use crate::template::{LONGEST_ENVIRONMENT, Template, arn, arn_text, logical_id, sub};

/// What the names of the parameters end in that hold the name of a Pipe.
pub(crate) const PIPE_OF_MARKERS: &str = "/pipe-of-markers";

/// The longest name of a load balancer, a target group or a sampling rule.
const LONGEST_NAME: usize = 32;

pub(crate) struct Context<'a> {
    pub(crate) resources: &'a Resources,
    /// A digest of the collector's configuration.
    pub(crate) collector_digest: String,
}

impl<'a> Context<'a> {
    pub(crate) fn new(resources: &'a Resources, collector_digest: &str) -> Self {
        Self { resources, collector_digest: collector_digest.to_owned() }
    }

    pub(crate) fn application(&self) -> &str {
        &self.resources.application
    }

    /// `foostore-${Environment}`, which is also the name of the bus and of the cluster.
    pub(crate) fn prefix(&self) -> &str {
        &self.resources.bus
    }

    /// Returns the physical name for a logical name, as a value in a template.
    pub(crate) fn name(&self, logical: &str) -> Value {
        sub(self.name_text(logical))
    }

    pub(crate) fn name_text(&self, logical: &str) -> String {
        self.resources.physical_name(logical)
    }

    /// Returns a name that fits into 32 characters in every environment.
    pub(crate) fn short_name(&self, logical: &str) -> Result<Value, RenderError> {
        let name = self.name_text(logical);
        if name.len() - crate::ENVIRONMENT.len() + LONGEST_ENVIRONMENT > LONGEST_NAME {
            return Err(RenderError::NameTooLong { name, limit: LONGEST_NAME });
        }
        Ok(sub(name))
    }

    /// Returns the logical name for a physical name.
    pub(crate) fn logical<'b>(&self, physical: &'b str) -> &'b str {
        physical.strip_prefix(self.prefix()).unwrap_or(physical).trim_start_matches('-')
    }

    /// Returns the logical id of the resource with this physical name.
    pub(crate) fn id(&self, physical: &str, kind: &str) -> String {
        format!("{}{kind}", logical_id(self.logical(physical)))
    }

    /// Returns the path of a Systems Manager parameter, as text for `Fn::Sub`.
    pub(crate) fn path(&self, name: &str) -> String {
        format!("/{}/{}/{name}", self.application(), crate::ENVIRONMENT)
    }

    /// Returns the value that another stack has left in this parameter, read when the stack is created or updated.
    pub(crate) fn left_by_other_stack(&self, name: &str) -> Value {
        sub(format!("{{{{resolve:ssm:{}}}}}", self.path(name)))
    }

    /// Adds a parameter that leaves `value` for other stacks, which read it by [`Self::left_by_other_stack`].
    pub(crate) fn leave_for_other_stacks(&self, template: &mut Template, name: &str, value: Value) {
        template.resource(
            format!("{}Parameter", logical_id(name)),
            "AWS::SSM::Parameter",
            json!({"Name": sub(self.path(name)), "Type": "String", "Value": value}),
        );
    }

    pub(crate) fn log_group(&self, name: &str) -> String {
        self.path(name)
    }

    /// Returns the name of a log group to which an AWS service delivers.
    pub(crate) fn delivered_log_group(&self, name: &str) -> String {
        format!("/aws/vendedlogs{}", self.path(name))
    }

    /// Returns the ARN of a queue, which another stack may contain.
    pub(crate) fn queue_arn(queue: &str) -> Value {
        arn("sqs", queue)
    }

    /// Returns the URL of a queue, which another stack may contain.
    pub(crate) fn queue_url(queue: &str) -> Value {
        sub(format!("https://sqs.${{AWS::Region}}.${{AWS::URLSuffix}}/${{AWS::AccountId}}/{queue}"))
    }

    /// Returns the ARN of a table, which another stack may contain.
    pub(crate) fn table_arn(table: &str) -> Value {
        arn("dynamodb", &format!("table/{table}"))
    }

    /// Returns the ARN of a table's index.
    pub(crate) fn index_arn(table: &str, index: &str) -> Value {
        arn("dynamodb", &format!("table/{table}/index/{index}"))
    }

    /// Returns the name of a bucket, in which account and region are.
    pub(crate) fn bucket_name(bucket: &str) -> Value {
        sub(topology::bucket_name(bucket, "${AWS::AccountId}", "${AWS::Region}"))
    }

    /// Returns the ARN of a bucket, which another stack may contain.
    pub(crate) fn bucket_arn(bucket: &BucketResource) -> String {
        format!("arn:${{AWS::Partition}}:s3:::{}", bucket.name_in("${AWS::AccountId}", "${AWS::Region}"))
    }

    /// Returns where the stack of a service's data leaves the id of a key.
    pub(crate) fn key_parameter(key: &str) -> String {
        format!("{key}/key-id")
    }

    /// Returns where the stack of a service's data leaves the name of a Pipe that takes announcements with their markers. A
    /// service that writes such cannot be deployed before that stack is, as a Pipe of an earlier version passes them over.
    pub(crate) fn pipe_parameter(&self, pipe: &str) -> String {
        format!("{}{PIPE_OF_MARKERS}", self.logical(pipe))
    }

    /// Returns where the stack with a service's secret leaves its ARN. It is the secret's name too, after the slash.
    pub(crate) fn secret(service: &str, variable: &str) -> String {
        format!("{service}/{variable}")
    }

    pub(crate) fn bus_arn(&self) -> Value {
        arn("events", &format!("event-bus/{}", self.prefix()))
    }

    pub(crate) fn topic_arn(topic: &str) -> Value {
        arn("sns", topic)
    }

    pub(crate) fn rule_arn(&self, rule: &str) -> Value {
        arn("events", &format!("rule/{}/{rule}", self.prefix()))
    }

    /// Returns the ARN of a rule of the account's default bus, which does not name the bus
    /// (<https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoneventbridge.html>).
    pub(crate) fn default_bus_rule_arn(rule: &str) -> Value {
        arn("events", &format!("rule/{rule}"))
    }

    /// Returns the repository of a service's image, or of a copy of the collector's image.
    pub(crate) fn repository_name(&self, service: &str) -> String {
        format!("{}/{service}", self.prefix())
    }

    pub(crate) fn repository_arn(&self, service: &str) -> Value {
        sub(arn_text("ecr", &format!("repository/{}", self.repository_name(service))))
    }

    /// Returns the CloudWatch namespace of the services' own metrics.
    pub(crate) fn metrics_namespace(&self) -> String {
        format!("{}/{}", self.application(), crate::ENVIRONMENT)
    }

    /// Returns all queues of a service: its own, its dead-letter queue, and those of its rule and its Pipes.
    pub(crate) fn queues(&self, service: &ServiceResources) -> Vec<&'a Queue> {
        let mut names: Vec<&str> = Vec::new();
        if let Some(name) = &service.queue {
            names.push(name);
        }
        names.extend(self.rules(service).map(|rule| rule.dead_letter_queue.as_str()));
        names.extend(self.subscriptions(service).map(|subscription| subscription.dead_letter_queue.as_str()));
        names.extend(self.pipes(service).map(|pipe| pipe.dead_letter_queue.as_str()));
        let own = service.queue.as_deref().and_then(|name| self.queue(name).ok());
        names.extend(own.and_then(|queue| queue.dead_letter.as_ref()).map(|dead| dead.queue.as_str()));
        self.resources.queues.iter().filter(|queue| names.contains(&queue.name.as_str())).collect()
    }

    /// Returns the queues of a service that should be empty.
    pub(crate) fn dead_letter_queues(&self, service: &ServiceResources) -> Vec<&'a Queue> {
        self.queues(service).into_iter().filter(|queue| queue.dead_letter.is_none()).collect()
    }

    pub(crate) fn queue(&self, name: &str) -> Result<&'a Queue, RenderError> {
        let mut queues = self.resources.queues.iter();
        queues.find(|queue| queue.name == name).ok_or_else(|| RenderError::Undeclared(name.to_owned()))
    }

    pub(crate) fn rules(&self, service: &ServiceResources) -> impl Iterator<Item = &'a Rule> {
        let queue = service.queue.clone();
        self.resources.rules.iter().filter(move |rule| Some(&rule.target_queue) == queue.as_ref())
    }

    pub(crate) fn configuration_sets(
        &self,
        service: &ServiceResources,
    ) -> impl Iterator<Item = &'a ConfigurationSet> {
        let name = service.configuration_set.clone();
        self.resources.configuration_sets.iter().filter(move |set| Some(&set.name) == name.as_ref())
    }

    pub(crate) fn subscriptions(
        &self,
        service: &ServiceResources,
    ) -> impl Iterator<Item = &'a TopicSubscription> {
        let queue = service.queue.clone();
        self.resources.subscriptions.iter().filter(move |one| Some(&one.queue) == queue.as_ref())
    }

    pub(crate) fn tables(&self, service: &ServiceResources) -> impl Iterator<Item = &'a TableResource> {
        let tables = service.tables.clone();
        self.resources.tables.iter().filter(move |table| tables.contains(&table.name))
    }

    pub(crate) fn buckets(&self, service: &ServiceResources) -> impl Iterator<Item = &'a BucketResource> {
        let buckets = service.buckets.clone();
        self.resources.buckets.iter().filter(move |bucket| buckets.contains(&bucket.name))
    }

    pub(crate) fn keys(&self, service: &ServiceResources) -> impl Iterator<Item = &'a KeyResource> {
        let keys = service.keys.clone();
        self.resources.keys.iter().filter(move |key| keys.contains(&key.name))
    }

    pub(crate) fn pipes(&self, service: &ServiceResources) -> impl Iterator<Item = &'a Pipe> {
        let tables = service.tables.clone();
        self.resources.pipes.iter().filter(move |pipe| tables.contains(&pipe.table))
    }
}
