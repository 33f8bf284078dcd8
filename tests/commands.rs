//! Commands in documents: those in code blocks are run unchanged, or listed with the reason why not; those in the text
//! must exist.

use std::collections::BTreeSet;
use std::os::unix::fs::symlink;
use std::path::Path;

use serde_json::Value;
use tokio::process::Command;

use crate::architecture::root;
use crate::world::{World, files_below, say, until};

const DOCUMENTS: [&str; 3] = ["README.md", "CONTRIBUTING.md", "docs/faults.md"];
/// The events that documents send.
const EXAMPLES: &str = "examples";

/// How each command begins that is not run here, and why not.
const NOT_RUN: [(&str, &str); 15] = [
    ("cargo run #", "every end-to-end test runs it, with ports assigned by the system"),
    ("cargo run -- new service", "writes to the workspace; tests/new_service.rs runs it in a copy"),
    ("cargo test", "runs this test"),
    (".ci/run", "runs this test; tests/ci.rs checks its steps"),
    ("just #", "prints the recipes; each is one command of cargo or .ci/run"),
    ("AWS_ACCESS_KEY_ID=local", "needs the AWS CLI; tests/foreign/trace.py makes the same call with boto3"),
    ("docker ", "needs Docker; tests/compose.rs checks the files it reads"),
    ("eval ", "needs an AWS account"),
    ("export ENVIRONMENT=dev", "needs an AWS account"),
    ("export SIGNATURE_SECRET=", "needs an AWS account"),
    ("export PASS_TYPE=", "needs an AWS account"),
    ("export PASS_WEB_SERVICE_URL=", "needs an AWS account"),
    ("export WEBHOOK_URL=", "needs an AWS account"),
    ("FOOSTORE_TEST_DIRECTORY=", "runs this suite"),
    ("ls target/", "lists what the command before it has left"),
];

/// The commands in the code blocks of a document, each in one piece and without its comment.
fn commands(document: &str) -> Vec<String> {
    let text = std::fs::read_to_string(root().join(document)).unwrap();
    let mut commands = Vec::new();
    let mut open = String::new();
    let mut inside = false;
    // In a list, a code block is indented.
    for line in text.lines().map(str::trim_start) {
        if line.starts_with("```") {
            inside = line == "```console";
            continue;
        }
        if !inside || (open.is_empty() && (line.is_empty() || line.starts_with('#'))) {
            continue;
        }
        open.push_str(line.split("  #").next().unwrap().trim_end());
        if open.ends_with('\\') {
            open.pop();
        } else if open.matches('\'').count() % 2 == 1 {
            open.push('\n');
        } else {
            commands.push(std::mem::take(&mut open));
        }
    }
    assert!(open.is_empty(), "{document}: a command has no end: {open}");
    assert!(!commands.is_empty(), "{document} has no commands");
    commands
}

/// Why a command is not run here.
fn reason(command: &str) -> Option<&'static str> {
    let whole = format!("{command} #");
    NOT_RUN.iter().find(|(beginning, _)| whole.starts_with(beginning)).map(|(_, why)| *why)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_in_a_code_block_does_what_it_says() {
    let world = World::start().await;
    let directory = tempfile::tempdir().unwrap();
    symlink(root().join(EXAMPLES), directory.path().join(EXAMPLES)).unwrap();
    std::fs::create_dir(directory.path().join(".foostore")).unwrap();
    let runs = Path::new(&world.log_dir).parent().unwrap();
    symlink(runs, directory.path().join(".foostore/logs")).unwrap();
    let has_curl = Command::new("curl").arg("--version").output().await.is_ok();

    for document in DOCUMENTS {
        // The newest event that a command has sent: the one that the commands after it ask about.
        let mut sent: Option<(String, String)> = None;
        for command in commands(document) {
            if let Some(why) = reason(&command) {
                say(&format!("{document}: not run: {command}: {why}"));
                continue;
            }
            if command.starts_with("curl ") && !has_curl {
                say(&format!("{document}: skipped, there is no curl: {command}"));
                continue;
            }
            let runs = command.starts_with("curl ") || command.starts_with("cargo run -- ");
            assert!(runs, "{document}: neither run nor listed in NOT_RUN: {command}");
            let output = run(&world, directory.path(), &command, sent.as_ref()).await;
            if let Some(ids) = ids(&output) {
                sent = Some(ids);
            }
        }
    }
    world.stop().await;
}

/// Runs a command as the document has it, at the running layer; asserts that it ends well and returns its output.
async fn run(world: &World, directory: &Path, command: &str, sent: Option<&(String, String)>) -> String {
    let mut here = command
        .replace("cargo run -- ", concat!(env!("CARGO_BIN_EXE_foostore"), " "))
        .replace("http://127.0.0.1:8080", &world.ingest)
        .replace("http://127.0.0.1:4566", &world.endpoint);
    if let Some((event_id, trace_id)) = sent {
        here = here.replace("<trace id or event id>", trace_id).replace("<event id or trace id>", event_id);
    }
    until(&format!("success of: {command}"), || async {
        // Until it succeeds: a trace and a mail take a moment after the event.
        let output = Command::new("sh")
            .args(["-c", &here])
            .current_dir(directory)
            .env("AWS_ENDPOINT_URL", &world.xray_endpoint)
            .env("FOOSTORE_URL", &world.ingest)
            .output()
            .await
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let refused = command.starts_with("curl -i ") && !text.starts_with("HTTP/1.1 2");
        assert!(!refused, "{command}: {text}");
        let silent = command.starts_with("cargo run ") && text.trim().is_empty();
        (output.status.success() && !silent).then_some(text)
    })
    .await
}

/// Event id and trace id in the answer of ingest, or in the output of `send`.
fn ids(output: &str) -> Option<(String, String)> {
    let last = output.lines().last()?;
    if let Ok(answer) = serde_json::from_str::<Value>(last) {
        return Some((answer["event_id"].as_str()?.to_owned(), answer["trace_id"].as_str()?.to_owned()));
    }
    let line = output.lines().find(|line| line.len() > 36 && line.contains(" 1-"))?;
    let (event_id, trace_id) = line.split_once(' ')?;
    (event_id.len() == 36).then(|| (event_id.to_owned(), trace_id.trim().to_owned()))
}

#[test]
fn no_reason_is_left_over() {
    let all: Vec<_> = DOCUMENTS.into_iter().flat_map(commands).collect();
    for (beginning, _) in NOT_RUN {
        assert!(
            all.iter().any(|command| format!("{command} #").starts_with(beginning)),
            "no document has a command that begins with {beginning:?}"
        );
    }
}

/// What stands between backticks in the text, `cargo run -- send` for example, is a command with these options.
#[test]
fn commands_in_the_text_exist() {
    let documents = files_below(&root().join("docs")).into_iter();
    for document in documents.chain(DOCUMENTS.map(|name| root().join(name))) {
        let text = std::fs::read_to_string(&document).unwrap();
        let prose = text.split("```").step_by(2).collect::<String>();
        for span in prose.split('`').skip(1).step_by(2) {
            let Some(line) = span.strip_prefix("cargo run -- ").or_else(|| span.strip_prefix("foostore "))
            else {
                continue;
            };
            let mut words = line.split_whitespace();
            let command = words.next().unwrap();
            let within = words.clone().next().filter(|_| ["new", "faults"].contains(&command));
            let path: Vec<_> =
                Some(command).filter(|word| !word.starts_with("--")).into_iter().chain(within).collect();
            let help = std::process::Command::new(env!("CARGO_BIN_EXE_foostore"))
                .args(path)
                .arg("--help")
                .output()
                .unwrap();
            assert!(help.status.success(), "{}: `{span}`: no such command", document.display());
            let help = String::from_utf8(help.stdout).unwrap();
            for option in words.filter(|word| word.starts_with("--")) {
                let option = option.split('=').next().unwrap();
                assert!(help.contains(option), "{}: `{span}`: no option {option}", document.display());
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ingest_takes_an_example_of_each_event() {
    let world = World::start().await;
    let url = format!("{}/openapi.json", world.ingest);
    let document: Value = world.http.get(url).send().await.unwrap().json().await.unwrap();
    let mut taken = BTreeSet::new();
    types(&document, &mut taken);

    let mut shown = BTreeSet::new();
    for file in files_below(&root().join(EXAMPLES)) {
        let text = std::fs::read_to_string(&file).unwrap();
        let event: Value = serde_json::from_str(&text).unwrap();
        let name = event["type"].as_str().unwrap().to_owned();
        assert_eq!(file.file_name().unwrap().to_str().unwrap(), format!("{name}.json"));
        world.send(&event, &[]).await;
        shown.insert(name);
    }
    assert_eq!(shown, taken, "the examples, and what ingest's OpenAPI document describes");
    world.stop().await;
}

/// The values of every field `type` in the schemas of events.
fn types(schema: &Value, found: &mut BTreeSet<String>) {
    match schema {
        Value::Object(fields) => {
            let of_type = &schema["properties"]["type"];
            let values = of_type["enum"].as_array().into_iter().flatten().chain([&of_type["const"]]);
            found.extend(values.filter_map(Value::as_str).map(str::to_owned));
            fields.values().for_each(|field| types(field, found));
        }
        Value::Array(items) => items.iter().for_each(|item| types(item, found)),
        _ => {}
    }
}

/// The invariants of ARCHITECTURE.md name the tests that hold them.
#[test]
fn every_invariant_names_a_test_that_exists() {
    let text = std::fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let (_, section) = text.split_once("\n## Invariants\n").unwrap();
    let section = section.split("\n## ").next().unwrap();
    let rows: Vec<_> = section.lines().filter(|line| line.starts_with("| ")).skip(1).collect();
    assert!(rows.len() > 5, "the table of invariants is gone");
    for row in rows {
        let mut cells = row.trim_matches('|').rsplit('|');
        let tests: Vec<_> = cells.next().unwrap().split('`').skip(1).step_by(2).collect();
        assert!(!tests.is_empty(), "no test is named: {row}");
        for test in tests {
            let (file, name) = test.split_once("::").unwrap_or_else(|| panic!("not FILE::TEST: {test}"));
            let code =
                std::fs::read_to_string(root().join(file)).unwrap_or_else(|_| panic!("no file {file}"));
            let declared =
                ["fn ", "async fn "].iter().any(|start| code.contains(&format!("\n{start}{name}(")))
                    || code.contains(&format!("\n    fn {name}("))
                    || code.contains(&format!("\n    async fn {name}("));
            assert!(declared, "{file} has no test {name}");
        }
    }
}
