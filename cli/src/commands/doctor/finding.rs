//! What was read about an environment.

/// One subject, and what is wrong with it.
#[derive(Debug)]
pub(super) struct Reading {
    subject: &'static str,
    found: Result<Vec<String>, String>,
}

impl Reading {
    pub(super) fn of(subject: &'static str, found: anyhow::Result<Vec<String>>) -> Self {
        Self { subject, found: found.map_err(|error| format!("{error:#}")) }
    }

    /// Returns how many things are wrong.
    pub(super) fn findings(&self) -> usize {
        self.found.as_ref().map_or(0, Vec::len)
    }

    /// Whether the subject could not be read.
    pub(super) fn is_unread(&self) -> bool {
        self.found.is_err()
    }
}

/// Renders the readings.
pub(super) fn report(readings: &[Reading]) -> String {
    let mut lines = Vec::new();
    for Reading { subject, found } in readings {
        match found {
            Ok(found) if found.is_empty() => lines.push(format!("{subject}: nothing is wrong")),
            Ok(found) => {
                lines.push(format!("{subject}:"));
                lines.extend(found.iter().map(|one| format!("  {}", one.replace('\n', "\n  "))));
            }
            Err(why) => lines.push(format!("{subject}: could not be read: {why}")),
        }
    }
    lines.join("\n")
}
