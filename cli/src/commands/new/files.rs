//! The files of the new service.

use std::path::PathBuf;

use super::spec::Spec;
use super::workspace::Change;

/// Every file of the service's own, and of the events it announces.
pub(super) fn of(spec: &Spec) -> Vec<Change> {
    let service = PathBuf::from("services").join(&spec.name);
    let (library, handler, tests) = if spec.table {
        (
            include_str!("templates/lib-table.rs.txt"),
            include_str!("templates/handler-table.rs.txt"),
            include_str!("templates/tests-table.rs.txt"),
        )
    } else {
        (
            include_str!("templates/lib-plain.rs.txt"),
            include_str!("templates/handler-plain.rs.txt"),
            include_str!("templates/tests-plain.rs.txt"),
        )
    };
    let mut files = vec![
        (service.join("Cargo.toml"), include_str!("templates/Cargo.toml.txt")),
        (service.join("src/main.rs"), include_str!("templates/main.rs.txt")),
        (service.join("src/lib.rs"), library),
        (service.join("src/handler.rs"), handler),
        (service.join("src/tests.rs"), tests),
    ];
    if !spec.emits.is_empty() {
        let contracts = PathBuf::from("services/contracts/src").join(spec.module()).with_extension("rs");
        files.push((contracts, include_str!("templates/contracts.rs.txt")));
    }
    let mut changes: Vec<_> =
        files.into_iter().map(|(path, template)| Change::new(path, rendered(spec, template))).collect();
    changes.extend(spec.emits.iter().map(|event| {
        let path = format!("services/contracts/fixtures/{event}.json");
        Change::new(path, "{\n  \"customer_number\": \"123456789012\"\n}\n".to_owned())
    }));
    changes
}

fn rendered(spec: &Spec, template: &str) -> String {
    let emits = spec.emits.join(", ");
    let values = [
        ("{{service}}", spec.name.clone()),
        ("{{crate}}", spec.module()),
        ("{{variable}}", spec.variable()),
        ("{{handler}}", spec.handler()),
        ("{{dependencies}}", dependencies(spec)),
        ("{{consumed}}", in_words(&spec.consumes)),
        ("{{subscriptions}}", tuple(&spec.consumes)),
        ("{{event}}", spec.consumes[0].clone()),
        ("{{handlers}}", spec.consumes.iter().map(|event| handler(spec, event)).collect()),
        ("{{uses}}", if emits.is_empty() { String::new() } else { format!("use contracts::{{{emits}}};\n") }),
        ("{{outbox}}", if emits.is_empty() { "" } else { ".outbox()" }.to_owned()),
        (
            "{{emits}}",
            if emits.is_empty() {
                String::new()
            } else {
                format!("\n        .emits::<({})>()", tuple(&spec.emits))
            },
        ),
        ("{{announced}}", announced(spec)),
        ("{{events}}", if template.contains("schemars") { contracts(spec) } else { imports(spec) }),
    ];
    values.iter().fold(template.to_owned(), |text, (placeholder, value)| text.replace(placeholder, value))
}

fn dependencies(spec: &Spec) -> String {
    let mut names = vec!["contracts", "handlers", "service-runtime", "sqs-consumer", "topology"];
    if spec.table {
        names.extend(["aws-clients", "aws-sdk-dynamodb", "envelope"]);
    }
    names.sort_unstable();
    names.join(".workspace = true\n") + ".workspace = true\n"
}

/// `A,` or `A, B`: the inside of a tuple type.
fn tuple(events: &[String]) -> String {
    match events {
        [one] => format!("{one},"),
        events => events.join(", "),
    }
}

fn in_words(events: &[String]) -> String {
    let quoted: Vec<_> = events.iter().map(|event| format!("`{event}`")).collect();
    match quoted.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} and {last}", others.join(", ")),
        None => String::new(),
    }
}

/// What the handler's file takes from the contracts.
fn imports(spec: &Spec) -> String {
    let mut events: Vec<_> = spec.consumes.iter().chain(&spec.emits).cloned().collect();
    events.sort_unstable();
    events.join(", ")
}

fn handler(spec: &Spec, event: &str) -> String {
    let handler = spec.handler();
    if !spec.table {
        return format!(
            "
impl HandleAtLeastOnce<{event}> for {handler} {{
    async fn handle(&self, _event: {event}, _delivery: &Delivery) -> Result<Done, Failure> {{
        Ok(Done::IGNORED)
    }}
}}
"
        );
    }
    // Announced by the first event alone, so that no type is announced for two reasons before someone decides so.
    let announcements: String = if spec.consumes[0] == event {
        let announce = |event: &String| {
            format!(".announce(&{event} {{ customer_number: event.customer_number.clone() }})")
        };
        spec.emits.iter().map(announce).collect()
    } else {
        String::new()
    };
    format!(
        "
impl Handle<{event}> for {handler} {{
    async fn handle(&self, event: &{event}, _delivery: &Delivery) -> Result<Effect, Failure> {{
        Ok(Effect::applied().update(counted(event.customer_number())){announcements})
    }}
}}
"
    )
}

fn announced(spec: &Spec) -> String {
    if spec.emits.is_empty() {
        return String::new();
    }
    format!("    assert_eq!(cloud.announcements(crate::TABLE).await.len(), {});\n", spec.emits.len())
}

fn contracts(spec: &Spec) -> String {
    let service = &spec.name;
    let contract = |event: &String| {
        format!(
            "
/// `{event}`, announced by {service}.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct {event} {{
    /// The customer it concerns.
    pub customer_number: CustomerNumber,
}}
event!({event}, LOYALTY);
"
        )
    };
    spec.emits.iter().map(contract).collect()
}
