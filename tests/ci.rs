//! The steps of `.ci/run`: every one runs in the workflow, and documents name only those that there are.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;

use crate::architecture::root;

fn steps() -> BTreeSet<String> {
    let output = Command::new(root().join(".ci/run")).arg("--list").output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let steps: BTreeSet<_> = String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect();
    assert!(steps.contains("tests"), "{steps:?}");
    steps
}

/// The words after each `.ci/run`, as far as they are names of steps.
fn named(text: &str) -> BTreeSet<String> {
    let is_name = |word: &&str| !word.is_empty() && word.chars().all(|letter| letter.is_ascii_lowercase());
    text.lines()
        .flat_map(|line| line.split(".ci/run ").skip(1))
        .flat_map(|rest| rest.split('`').next().unwrap_or_default().split(' ').take_while(is_name))
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_step_runs_in_the_workflow() {
    let text = std::fs::read_to_string(root().join(".github/workflows/ci.yml")).unwrap();
    let workflow: Value = serde_saphyr::from_str(&text).unwrap();
    let mut run = BTreeSet::new();
    for job in workflow["jobs"].as_object().unwrap().values() {
        for step in job["steps"].as_array().unwrap() {
            if let Some(action) = step["uses"].as_str() {
                let commit = action.split_once('@').unwrap().1;
                let pinned = commit.len() == 40 && commit.chars().all(|digit| digit.is_ascii_hexdigit());
                assert!(pinned, "{action} is not pinned by its commit");
            }
            run.extend(named(step["run"].as_str().unwrap_or_default()));
        }
    }
    assert_eq!(run, steps());
}

#[test]
fn an_unknown_step_is_refused_before_anything_runs() {
    let output = Command::new(root().join(".ci/run")).args(["format", "nonsense"]).output().unwrap();
    assert_eq!(output.status.code(), Some(64), "{output:?}");
    assert!(output.stdout.is_empty(), "{output:?}");
    assert!(String::from_utf8(output.stderr).unwrap().starts_with("no step nonsense; steps: format "));
}

#[test]
fn documents_name_steps_that_there_are() {
    let steps = steps();
    for file in ["CONTRIBUTING.md", "README.md", "justfile"] {
        let text = std::fs::read_to_string(root().join(file)).unwrap();
        for line in text.lines().filter(|line| line.contains(".ci/run ")) {
            let line = line.split("  #").next().unwrap();
            for name in named(line) {
                assert!(steps.contains(&name), "{file} names the step {name}: {line}");
            }
        }
    }
}
