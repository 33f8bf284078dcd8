//! Reads the source, for tests that compare documents with it.

use std::collections::BTreeSet;

use crate::architecture::root;
use crate::world::files_below;

/// Returns the messages of all log lines that the services can write with the log filter `info`.
pub(crate) fn log_messages() -> BTreeSet<String> {
    let mut messages = BTreeSet::new();
    for folder in ["crates", "services"] {
        for file in files_below(&root().join(folder)) {
            let path = file.to_string_lossy();
            let tests = path.contains("/tests") || path.ends_with("tests.rs") || path.ends_with("testing.rs");
            if !path.ends_with(".rs")
                || tests
                || path.contains("crates/local-cloud/")
                || path.contains("crates/metrics-engine/")
                || path.contains("crates/xray-engine/")
            {
                continue;
            }
            let text = std::fs::read_to_string(&file).unwrap();
            let shipped = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
            let code: Vec<_> = shipped.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
            let code = code.join("\n");
            // The last is the one macro that writes its line at any level.
            for level in ["info", "warn", "error", "$level"] {
                for (start, opening) in code.match_indices(&format!("tracing::{level}!(")) {
                    messages.insert(last_text(&code[start + opening.len()..], &path));
                }
            }
        }
    }
    messages
}

/// Returns the last string literal before the bracket that closes the call.
fn last_text(arguments: &str, path: &str) -> String {
    let (mut depth, mut text, mut last) = (1_usize, None::<String>, None);
    let mut characters = arguments.chars();
    while let Some(character) = characters.next() {
        match (&mut text, character) {
            (Some(_), '"') => last = text.take(),
            (Some(text), '\\') => text.extend(characters.next()),
            (Some(text), other) => text.push(other),
            (None, '"') => text = Some(String::new()),
            (None, '(') => depth += 1,
            (None, ')') => {
                depth -= 1;
                if depth == 0 {
                    return last.unwrap_or_else(|| panic!("a log line without a message in {path}"));
                }
            }
            (None, _) => {}
        }
    }
    panic!("a log line that does not end in {path}")
}
