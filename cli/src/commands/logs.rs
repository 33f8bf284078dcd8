//! `foostore logs`: shows the log lines of one event, trace or customer over all services.

use std::io::BufRead;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde_json::Value;
use service_runtime::Environment;

use crate::failure::Failure;
use crate::log_lines::{EXTENSION, Line, Record, Renderer, prefixed, select};
use crate::runs;
use crate::stdio::print;
use crate::style::Style;
use crate::wanted::Wanted;

/// Show the log lines of an event, a trace or a customer, over all services
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  foostore logs 0190b7c4-3c6e-4a50-8d2c-6a9f6a1b2c3d
  foostore logs 1-5759e988-bd862e3fe1be46a994272793
  foostore logs --json 1-5759e988-bd862e3fe1be46a994272793 | jq .message
  docker compose logs | docker compose exec -T cloud /foostore logs 0190b7c4-3c6e-4a50-8d2c-6a9f6a1b2c3d -

Reads the log files of the newest run of `foostore up`, or with - the lines on standard input: those of services, also as
`docker compose logs` prints them.")]
pub(crate) struct LogsArgs {
    /// An id of an event, message or trace, a customer number, or a pasted X-Amzn-Trace-Id or traceparent
    id: Wanted,
    /// A file of log lines to read instead of those in --log-dir; - is standard input
    #[arg(value_name = "FILE", conflicts_with = "log_dir")]
    file: Option<PathBuf>,
    /// Directory of log files, or of runs, of which the newest is read
    #[arg(long, value_name = "DIR", default_value = runs::DIRECTORY)]
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
    let (read, from) = match &args.file {
        None => {
            let directory =
                runs::newest(&args.log_dir).ok().flatten().unwrap_or_else(|| args.log_dir.clone());
            (read_directory(&directory)?, directory.display().to_string())
        }
        Some(file) if file.as_os_str() == "-" => {
            let lines = read_lines(std::io::stdin().lock()).context("standard input cannot be read")?;
            (lines, "standard input".to_owned())
        }
        Some(file) => {
            let unreadable = || Failure::unavailable(format!("{} cannot be read", file.display()));
            let open = std::fs::File::open(file).with_context(unreadable)?;
            let lines = read_lines(std::io::BufReader::new(open)).with_context(unreadable)?;
            (lines, file.display().to_string())
        }
    };
    let records = select(read, &args.id);
    if records.is_empty() {
        return Err(Failure::refused(format!("no line in {from} belongs to this id")).into());
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

/// Reads the records among lines of any origin.
fn read_lines(mut lines: impl BufRead) -> std::io::Result<Vec<Record>> {
    let mut records = Vec::new();
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line)? > 0 {
        records.extend(prefixed(&String::from_utf8_lossy(&line)));
        line.clear();
    }
    Ok(records)
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
        let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        // A long run has a second file, NAME.older.
        let service = stem.split('.').next().unwrap_or_default().to_owned();
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
