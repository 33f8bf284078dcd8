//! The collector's configuration, as tasks get it.

use sha2::{Digest as _, Sha256};

/// Returns the configuration without its comments, because Systems Manager limits the size of a parameter.
pub(crate) fn text(configuration: &str) -> String {
    let lines = configuration.lines().filter(|line| {
        let line = line.trim_start();
        !line.is_empty() && !line.starts_with('#')
    });
    lines.flat_map(|line| [line, "\n"]).collect()
}

/// Returns a digest of that text. It is in every task definition: a changed parameter behind an unchanged name is no change
/// to ECS, and tasks would keep running with what they have read
/// (<https://docs.aws.amazon.com/AmazonECS/latest/developerguide/secrets-envvar-ssm-paramstore.html>).
pub(crate) fn digest(configuration: &str) -> String {
    let digest = Sha256::digest(text(configuration));
    format!("{:016x}", u64::from_be_bytes(digest.first_chunk().copied().unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_of_what_tasks_get() {
        let before = digest("receivers:\n  otlp: 1\n");
        assert_eq!(before.len(), 16);
        assert_eq!(digest("# why\nreceivers:\n\n  # how\n  otlp: 1\n"), before, "comments change nothing");
        assert_ne!(digest("receivers:\n  otlp: 2\n"), before);
    }
}
