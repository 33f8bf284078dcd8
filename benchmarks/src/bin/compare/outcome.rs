//! What a section results in.

use std::path::Path;

use histogram_log::Interval;

use crate::table::Table;

/// The result of a section.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) tables: Vec<Table>,
    /// What must be known to read the tables.
    pub(crate) remarks: Vec<String>,
    pub(crate) ratios: Vec<Ratio>,
    pub(crate) latencies: Vec<Log>,
}

/// How much something takes by the measure of its section, under a name that no other section uses.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Ratio {
    pub(crate) name: String,
    pub(crate) ratio: f64,
}

/// Latencies, with an interval for each round.
#[derive(Debug)]
pub(crate) struct Log {
    pub(crate) name: String,
    pub(crate) what: &'static str,
    pub(crate) intervals: Vec<Interval>,
}

impl Log {
    /// Writes the log to a file of its name in `directory`.
    pub(crate) fn write(&self, directory: &Path) -> std::io::Result<()> {
        histogram_log::write(&directory.join(file_name(&self.name)), self.what, &self.intervals)
    }
}

/// Returns the name of a file for something of this name.
pub(crate) fn file_name(name: &str) -> String {
    let words = name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("-").to_lowercase() + ".hlog"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_named_after_what_it_holds() {
        assert_eq!(file_name("publisher, 100 %"), "publisher-100.hlog");
    }
}
