//! The errors of an operation, as listed in the SDK's source.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use serde_json::Value;

use crate::users::Operation;

/// Returns the codes that the SDK recognizes as errors of the operation. Only its source lists them: the error types
/// are `non_exhaustive`, and their codes are matched where a response is parsed.
pub(crate) fn codes(operation: &Operation) -> Vec<String> {
    let file = folder(operation.sdk).join(format!("src/protocol_serde/shape_{}.rs", operation.module));
    let source = std::fs::read_to_string(&file).expect("the SDK's source");
    let errors = format!("crate::operation::{}::", operation.module);
    let mut codes = Vec::new();
    // Matches `"Code" => crate::operation::…`, or the same with a block around the right-hand side.
    for (left, right) in
        source.match_indices("\" => ").map(|(at, arrow)| (&source[..at], &source[at + arrow.len()..]))
    {
        if right.trim_start_matches('{').trim_start().starts_with(&errors)
            && let Some((_, code)) = left.rsplit_once('"')
        {
            codes.push(code.to_owned());
        }
    }
    codes
}

/// Returns the folder in which Cargo keeps the source of a package from this workspace's lock file.
fn folder(package: &str) -> PathBuf {
    static METADATA: OnceLock<Value> = OnceLock::new();
    let metadata = METADATA.get_or_init(|| {
        let cargo = Command::new(env!("CARGO"))
            .args(["metadata", "--format-version", "1", "--offline", "--locked"])
            // Exclude packages for other platforms, which may not have been downloaded.
            .args(["--filter-platform", &host()])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .unwrap();
        assert!(cargo.status.success(), "{}", String::from_utf8_lossy(&cargo.stderr));
        serde_json::from_slice(&cargo.stdout).unwrap()
    });
    let packages = metadata["packages"].as_array().unwrap();
    let found = packages.iter().find(|found| found["name"] == package).expect("the SDK's package");
    PathBuf::from(found["manifest_path"].as_str().unwrap()).parent().unwrap().to_owned()
}

fn host() -> String {
    let rustc = Command::new("rustc").arg("-vV").output().unwrap();
    let text = String::from_utf8(rustc.stdout).unwrap();
    text.lines().find_map(|line| line.strip_prefix("host: ")).unwrap().to_owned()
}
