//! Tables in Markdown.

use std::fmt;

/// A table with a heading for each column.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    heads: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// Returns a table without rows.
    pub(crate) fn new(heads: impl Into<Vec<&'static str>>) -> Self {
        Self { heads: heads.into(), rows: Vec::new() }
    }

    /// Adds a row, with a value for each column.
    pub(crate) fn row(&mut self, row: impl Into<Vec<String>>) {
        self.rows.push(row.into());
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| {} |\n|{}", self.heads.join(" | "), "---|".repeat(self.heads.len()))?;
        for row in &self.rows {
            writeln!(f, "| {} |", row.join(" | "))?;
        }
        Ok(())
    }
}

/// Returns a time with a fitting unit.
pub(crate) fn time(seconds: f64) -> String {
    match seconds {
        ns if ns < 1e-6 => format!("{:.0} ns", ns * 1e9),
        us if us < 1e-3 => format!("{:.1} µs", us * 1e6),
        ms if ms < 1.0 => format!("{:.1} ms", ms * 1e3),
        s => format!("{s:.2} s"),
    }
}

/// Returns bytes as MiB.
#[expect(clippy::cast_precision_loss, reason = "bytes of memory and files")]
pub(crate) fn mebibytes(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / 1_048_576.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_markdown() {
        let mut table = Table::new(["what", "how long"]);
        table.row(["a".to_owned(), time(0.000_123_4)]);
        table.row(["b".to_owned(), time(0.012)]);
        assert_eq!(table.to_string(), "| what | how long |\n|---|---|\n| a | 123.4 µs |\n| b | 12.0 ms |\n");
        assert_eq!((time(2e-8), time(61.0)), ("20 ns".to_owned(), "61.00 s".to_owned()));
        assert_eq!(mebibytes(3 << 19), "1.5 MiB");
    }
}
