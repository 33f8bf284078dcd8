//! The fake's CloudFormation: it refuses what CloudFormation refuses, and fails where a test says so.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt::Write as _;

use super::template::Template;
use super::{ACCOUNT, Account, escaped};

/// How an operation fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fails {
    /// It is rolled back.
    RolledBack,
    /// It is rolled back, and a resource is kept.
    Kept,
    /// The rollback fails too.
    Stuck,
}

#[derive(Debug, Clone)]
pub(crate) struct FakeStack {
    pub(crate) id: String,
    pub(crate) status: String,
    /// The status that follows once somebody has seen the current one.
    next: Option<String>,
    pub(crate) parameters: BTreeMap<String, String>,
    template: Template,
    events: Vec<Event>,
    pub(crate) change_sets: BTreeMap<String, ChangeSet>,
}

#[derive(Debug, Clone)]
pub(crate) struct ChangeSet {
    template: Template,
    parameters: BTreeMap<String, String>,
    unchanged: bool,
    creates: bool,
}

#[derive(Debug, Clone)]
struct Event {
    logical: String,
    physical: String,
    kind: String,
    status: String,
    reason: String,
}

type Fields = BTreeMap<String, String>;

pub(super) fn answer(account: &mut Account, action: &str, fields: &Fields) -> Result<String, String> {
    match action {
        "GetCallerIdentity" => Ok(format!(
            "<Account>{ACCOUNT}</Account><Arn>arn:aws:iam::{ACCOUNT}:user/op</Arn><UserId>u</UserId>"
        )),
        "GetTemplateSummary" => {
            let template = match fields.get("TemplateBody") {
                Some(body) => account.template(body),
                None => account.stack(&fields["StackName"])?.template.clone(),
            };
            Ok(summary(&template))
        }
        "DescribeStacks" => Ok(described(account.stack(&fields["StackName"])?)),
        "DescribeStackEvents" => Ok(account.stack(&fields["StackName"])?.events()),
        "CreateChangeSet" => account.create_change_set(fields),
        "DescribeChangeSet" if account.holds_reviews => Ok("<Status>CREATE_IN_PROGRESS</Status>".to_owned()),
        "DescribeChangeSet" => {
            let change_set = account.stack(&fields["StackName"])?.change_set(&fields["ChangeSetName"])?;
            Ok(change_set.described())
        }
        "ListChangeSets" => {
            let sets =
                account.stack(&fields["StackName"])?.change_sets.keys().fold(String::new(), |sets, id| {
                    sets + "<member><ChangeSetId>" + id + "</ChangeSetId></member>"
                });
            Ok(format!("<Summaries>{sets}</Summaries>"))
        }
        "DeleteChangeSet" => {
            account.stack(&fields["StackName"])?.change_sets.remove(&fields["ChangeSetName"]);
            Ok(String::new())
        }
        "ExecuteChangeSet" => account.execute(fields),
        "DeleteStack" => {
            let name = account.stack(&fields["StackName"])?.name();
            account.stacks.remove(&name);
            Ok(String::new())
        }
        other => panic!("the fake has no {other}"),
    }
}

impl Account {
    /// Returns a stack by name or id.
    pub(crate) fn stack(&mut self, name: &str) -> Result<&mut FakeStack, String> {
        let found = self.stacks.iter_mut().find(|(key, stack)| *key == name || stack.id == name);
        found.map(|(_, stack)| stack).ok_or_else(|| format!("Stack with id {name} does not exist"))
    }

    /// Returns a template, which takes long to parse the first time.
    fn template(&mut self, text: &str) -> Template {
        let template = self.parsed.entry(text.to_owned()).or_insert_with(|| Template::new(text));
        template.clone()
    }

    fn create_change_set(&mut self, fields: &Fields) -> Result<String, String> {
        let name = &fields["StackName"];
        let template = self.template(&fields["TemplateBody"]);
        let creates = fields["ChangeSetType"] == "CREATE";
        let before = self.stacks.get(name).cloned();
        match (&before, creates) {
            (None, false) => return Err(format!("Stack [{name}] does not exist")),
            (Some(stack), true) if stack.status != "REVIEW_IN_PROGRESS" => {
                return Err(format!("Stack [{name}] already exists and cannot be created again"));
            }
            (Some(stack), false) if !stack.is_at_rest() => {
                let status = &stack.status;
                return Err(format!("Stack:{name} is in {status} state and can not be updated."));
            }
            _ => {}
        }
        let old = before.as_ref().filter(|_| !creates).map(|stack| stack.parameters.clone());
        let parameters = parameters(fields, &template, old.as_ref())?;
        let unchanged = before
            .as_ref()
            .filter(|_| !creates)
            .is_some_and(|stack| stack.template.text == template.text && stack.parameters == parameters);
        let id = format!("arn:aws:cloudformation:x:{ACCOUNT}:changeSet/{}/{name}", fields["ChangeSetName"]);
        if before.is_none() {
            self.created += 1;
            let stack = FakeStack::new(name, self.created, template.clone());
            self.stacks.insert(name.clone(), stack);
        }
        let stack = self.stack(name)?;
        stack.change_sets.insert(id.clone(), ChangeSet { template, parameters, unchanged, creates });
        Ok(format!("<Id>{id}</Id><StackId>{}</StackId>", stack.id))
    }

    fn execute(&mut self, fields: &Fields) -> Result<String, String> {
        let name = self.stack(&fields["StackName"])?.name();
        let change_set = self.stack(&name)?.change_set(&fields["ChangeSetName"])?.clone();
        assert!(!change_set.unchanged, "a change set without changes was executed");
        let fails = self.fails.remove(&name);
        let environment = change_set.parameters["Environment"].clone();
        let repositories = change_set.template.repositories(&environment);
        let tag = change_set.parameters.get("ImageTag").cloned();
        let without_image = tag.is_some_and(|tag| {
            let (_, service) = name.rsplit_once('-').unwrap();
            !self.images.contains(&format!("foostore-{environment}/{service}:{tag}"))
        });
        assert!(!without_image, "{name} was deployed without its image");
        if fails.is_none() {
            self.repositories.extend(repositories);
        }
        let stack = self.stack(&name)?;
        stack.change_sets.clear();
        stack.run(&change_set, fails);
        Ok(String::new())
    }
}

/// Reads the parameters of a request as CloudFormation does.
fn parameters(
    fields: &Fields,
    template: &Template,
    old: Option<&BTreeMap<String, String>>,
) -> Result<BTreeMap<String, String>, String> {
    let mut values = BTreeMap::new();
    for number in 1.. {
        let field = |what: &str| fields.get(&format!("Parameters.member.{number}.{what}"));
        let Some(name) = field("ParameterKey") else { break };
        let value = match (field("ParameterValue"), field("UsePreviousValue").map(String::as_str)) {
            (Some(value), None) => value.clone(),
            (None, Some("true")) => old.and_then(|old| old.get(name)).ok_or("no previous value")?.clone(),
            other => return Err(format!("parameter {name}: {other:?}")),
        };
        values.insert(name.clone(), value);
    }
    let declared = template.parameters();
    if let Some(unknown) = values.keys().find(|name| !declared.contains_key(*name)) {
        return Err(format!("Parameters: [{unknown}] do not exist in the template"));
    }
    for (name, default) in declared {
        if let Entry::Vacant(entry) = values.entry(name) {
            let value = default.ok_or_else(|| format!("Parameters: [{}] must have values", entry.key()))?;
            entry.insert(value);
        }
    }
    Ok(values)
}

impl FakeStack {
    /// A stack that exists, without a template.
    pub(crate) fn complete(name: &str) -> Self {
        let template = Template::new("{Parameters: {}, Resources: {}}");
        Self { status: "CREATE_COMPLETE".to_owned(), ..Self::new(name, 1, template) }
    }

    fn new(name: &str, number: u32, template: Template) -> Self {
        Self {
            id: format!("arn:aws:cloudformation:eu-central-1:{ACCOUNT}:stack/{name}/{number}"),
            status: "REVIEW_IN_PROGRESS".to_owned(),
            next: None,
            parameters: BTreeMap::new(),
            template,
            events: Vec::new(),
            change_sets: BTreeMap::new(),
        }
    }

    fn name(&self) -> String {
        self.id.split('/').nth(1).unwrap().to_owned()
    }

    fn is_at_rest(&self) -> bool {
        ["CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"].contains(&self.status.as_str())
    }

    fn change_set(&self, id: &str) -> Result<&ChangeSet, String> {
        self.change_sets.get(id).ok_or_else(|| format!("ChangeSet [{id}] does not exist"))
    }

    /// Starts an operation, whose end follows when somebody has looked.
    fn run(&mut self, change_set: &ChangeSet, fails: Option<Fails>) {
        let (verb, rollback) =
            if change_set.creates { ("CREATE", "ROLLBACK") } else { ("UPDATE", "UPDATE_ROLLBACK") };
        self.status = format!("{verb}_IN_PROGRESS");
        self.stack_event(&format!("{verb}_IN_PROGRESS"), "User Initiated");
        let resources = change_set.template.resources();
        let (first, others) = resources.split_first().unwrap();
        let last = others.last().unwrap_or(first);
        let Some(fails) = fails else {
            self.template = change_set.template.clone();
            self.parameters = change_set.parameters.clone();
            for resource in &resources {
                self.event(resource, &format!("{verb}_COMPLETE"), "");
            }
            self.stack_event(&format!("{verb}_COMPLETE"), "");
            self.next = Some(format!("{verb}_COMPLETE"));
            return;
        };
        if change_set.creates {
            self.parameters = change_set.parameters.clone();
        }
        self.event(first, &format!("{verb}_COMPLETE"), "");
        self.event(others.first().unwrap_or(first), &format!("{verb}_FAILED"), "Resource creation cancelled");
        self.event(last, &format!("{verb}_FAILED"), "it failed on purpose");
        self.stack_event(&format!("{rollback}_IN_PROGRESS"), "The following resource(s) failed");
        match fails {
            Fails::RolledBack => self.event(first, "DELETE_COMPLETE", ""),
            Fails::Kept => self.event(first, "DELETE_SKIPPED", ""),
            Fails::Stuck => self.event(first, "DELETE_FAILED", "it is protected"),
        }
        let end = if fails == Fails::Stuck { "FAILED" } else { "COMPLETE" };
        self.stack_event(&format!("{rollback}_{end}"), "");
        self.next = Some(format!("{rollback}_{end}"));
    }

    fn event(&mut self, (logical, kind): &(String, String), status: &str, reason: &str) {
        self.events.push(Event {
            logical: logical.clone(),
            physical: format!("physical-{logical}"),
            kind: kind.clone(),
            status: status.to_owned(),
            reason: reason.to_owned(),
        });
    }

    fn stack_event(&mut self, status: &str, reason: &str) {
        self.events.push(Event {
            logical: self.name(),
            physical: self.id.clone(),
            kind: "AWS::CloudFormation::Stack".to_owned(),
            status: status.to_owned(),
            reason: reason.to_owned(),
        });
    }

    /// Renders the events, the latest first.
    fn events(&self) -> String {
        let one = |(number, event): (usize, &Event)| {
            format!(
                "<member><EventId>{number}</EventId><StackId>{}</StackId><StackName>{}</StackName>\
                 <Timestamp>2026-03-01T12:00:00Z</Timestamp><LogicalResourceId>{}</LogicalResourceId>\
                 <PhysicalResourceId>{}</PhysicalResourceId><ResourceType>{}</ResourceType>\
                 <ResourceStatus>{}</ResourceStatus><ResourceStatusReason>{}</ResourceStatusReason></member>",
                self.id,
                self.name(),
                event.logical,
                event.physical,
                event.kind,
                event.status,
                event.reason
            )
        };
        let events: String = self.events.iter().enumerate().rev().map(one).collect();
        format!("<StackEvents>{events}</StackEvents>")
    }
}

fn described(stack: &mut FakeStack) -> String {
    let parameters = stack.parameters.iter().fold(String::new(), |mut text, (name, value)| {
        let value = escaped(value);
        let parameter =
            format!("<ParameterKey>{name}</ParameterKey><ParameterValue>{value}</ParameterValue>");
        write!(text, "<member>{parameter}</member>").unwrap();
        text
    });
    let text = format!(
        "<Stacks><member><StackId>{}</StackId><StackName>{}</StackName>\
         <CreationTime>2026-03-01T12:00:00Z</CreationTime><StackStatus>{}</StackStatus>\
         <Parameters>{parameters}</Parameters></member></Stacks>",
        stack.id,
        stack.name(),
        stack.status
    );
    if let Some(next) = stack.next.take() {
        stack.status = next;
    }
    text
}

fn summary(template: &Template) -> String {
    let one = |(name, default): (String, Option<String>)| {
        let default = default.map(|text| format!("<DefaultValue>{}</DefaultValue>", escaped(&text)));
        format!("<member><ParameterKey>{name}</ParameterKey>{}</member>", default.unwrap_or_default())
    };
    let parameters: String = template.parameters().into_iter().map(one).collect();
    format!("<Parameters>{parameters}</Parameters>")
}

impl ChangeSet {
    fn described(&self) -> String {
        if self.unchanged {
            let reason = "The submitted information didn't contain changes. Submit different information to create a change set.";
            return format!("<Status>FAILED</Status><StatusReason>{reason}</StatusReason>");
        }
        let action = if self.creates { "Add" } else { "Modify" };
        let one = |(logical, kind): &(String, String)| {
            format!(
                "<member><Type>Resource</Type><ResourceChange><Action>{action}</Action>\
                 <LogicalResourceId>{logical}</LogicalResourceId><ResourceType>{kind}</ResourceType>\
                 </ResourceChange></member>"
            )
        };
        let changes: String = self.template.resources().iter().map(one).collect();
        format!("<Status>CREATE_COMPLETE</Status><Changes>{changes}</Changes>")
    }
}
