//! `foostore logs`: shows the log lines of one event or trace over all services.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde_json::Value;
use service_runtime::Environment;

use crate::failure::Failure;
use crate::log_lines::{DEFAULT_DIRECTORY, EXTENSION, Line, Record, Renderer, select};
use crate::stdio::print;
use crate::style::Style;
use crate::wanted::Wanted;

/// Show the log lines of an event or a trace, over all services
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  foostore logs 0190b7c4-3c6e-4a50-8d2c-6a9f6a1b2c3d
  foostore logs 1-5759e988-bd862e3fe1be46a994272793
  foostore logs --json 1-5759e988-bd862e3fe1be46a994272793 | jq .message

Reads the log files of the newest run of `foostore up`.")]
pub(crate) struct LogsArgs {
    /// An event id or correlation id (UUID), or a trace id (1-… or 32 hexadecimal digits)
    id: Wanted,
    /// Directory of the log files
    #[arg(long, value_name = "DIR", default_value = DEFAULT_DIRECTORY)]
    log_dir: PathBuf,
    /// Print the lines as JSON, as the services wrote them
    #[arg(long)]
    json: bool,
}

/// Runs the command.
///
/// # Errors
/// When there are no log files, or no line belongs to the id.
pub(crate) fn run(args: &LogsArgs, environment: &Environment) -> anyhow::Result<()> {
    let records = select(read_directory(&args.log_dir)?, &args.id);
    if records.is_empty() {
        return Err(
            Failure::refused(format!("no line in {} belongs to this id", args.log_dir.display())).into()
        );
    }
    let style = Style::for_stream(&std::io::stdout(), environment);
    let names: Vec<String> = records.iter().map(|record| record.service.clone()).collect();
    let renderer = Renderer::new(style, names.iter().map(String::as_str));
    for record in records {
        let text = if args.json {
            Value::Object(record.fields).to_string()
        } else {
            renderer.line(&record.service, &Line::Record(record.fields))
        };
        print(&text)?;
    }
    Ok(())
}

fn read_directory(directory: &Path) -> anyhow::Result<Vec<Record>> {
    let none = || {
        Failure::unavailable(format!(
            "no log files in {}: start `foostore up`, or name another directory with --log-dir",
            directory.display()
        ))
    };
    let entries = std::fs::read_dir(directory).map_err(|_| none())?;
    let mut records = Vec::new();
    let mut files = 0_usize;
    for entry in entries {
        let path = entry.with_context(|| format!("{} cannot be read", directory.display()))?.path();
        if path.extension().is_none_or(|found| found != EXTENSION) {
            continue;
        }
        files += 1;
        let service = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        let bytes = std::fs::read(&path).with_context(|| format!("{} cannot be read", path.display()))?;
        for line in String::from_utf8_lossy(&bytes).lines() {
            if let Line::Record(fields) = Line::read(line) {
                records.push(Record { service: service.clone(), fields });
            }
        }
    }
    if files == 0 {
        return Err(none().into());
    }
    Ok(records)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_log_files_are_read_and_their_absence_is_reported() {
        let directory = tempfile::tempdir().unwrap();
        let error = read_directory(directory.path()).unwrap_err().to_string();
        assert!(error.contains("foostore up"), "{error}");
        std::fs::write(directory.path().join("notes.txt"), "{\"message\":\"no\"}").unwrap();
        std::fs::write(directory.path().join("email.jsonl"), "{\"message\":\"sent\"}\nhalf a li").unwrap();
        let records = read_directory(directory.path()).unwrap();
        assert_eq!(records.len(), 1);
        assert_eq!(records[0].service, "email");
    }
}
