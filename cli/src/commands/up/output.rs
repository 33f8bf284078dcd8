//! Routes each line of output: unchanged to the file of its service, and rendered to the screen.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;

use crate::log_lines::{Line, LogFile, Renderer};
use crate::screen::Screen;

/// The format of log lines on the screen. The files always hold JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum LogFormat {
    // A readable line: time, level, service, message, fields, trace id. (Not a doc comment, which would turn the help
    // of every option into a paragraph.)
    Text,
    // The JSON as the service wrote it.
    Json,
}

/// The log files of one run and the screen that shows them.
#[derive(Debug, Clone)]
pub(super) struct Output {
    directory: PathBuf,
    screen: Screen,
    renderer: Renderer,
    format: LogFormat,
}

impl Output {
    /// Creates the output of services whose log files are in `directory`.
    pub(super) fn new(directory: PathBuf, screen: Screen, renderer: Renderer, format: LogFormat) -> Self {
        Self { directory, screen, renderer, format }
    }

    /// Returns the directory of log files.
    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Creates the output of one service and its file.
    ///
    /// # Errors
    /// When the file cannot be created.
    pub(super) fn of(&self, service: &'static str) -> io::Result<ServiceOutput> {
        Ok(ServiceOutput {
            service,
            file: LogFile::create(&self.directory, service)?,
            output: self.clone(),
            file_failed: Arc::new(AtomicBool::new(false)),
        })
    }
}

/// The output of one service.
#[derive(Debug, Clone)]
pub(super) struct ServiceOutput {
    service: &'static str,
    file: LogFile,
    output: Output,
    /// Whether a write error, such as a full disk, has been reported; once is enough.
    file_failed: Arc<AtomicBool>,
}

impl ServiceOutput {
    /// Handles the lines that the process wrote to `stream` at once, and returns them parsed.
    pub(super) fn take(&self, texts: Vec<String>, stream: &'static str) -> Vec<Line> {
        let lines: Vec<_> = texts.iter().map(|text| Line::read(text)).collect();
        let shown =
            lines.iter().zip(&texts).map(|(line, text)| self.shown(self.service, line, text)).collect();
        let records = lines.iter().zip(texts).map(|(line, text)| match line {
            Line::Record(_) => text,
            Line::Text(_) => {
                let record = line.clone().into_record(self.service, stream, jiff::Timestamp::now());
                Value::Object(record).to_string()
            }
        });
        self.keep(&records.collect::<Vec<_>>());
        self.output.screen.log(shown);
        lines
    }

    /// Handles a record of this process, shown under the name `shown`.
    pub(super) fn record(&self, shown: &'static str, line: &Line) {
        if let Line::Record(record) = line {
            let text = Value::Object(record.clone()).to_string();
            let shown = self.shown(shown, line, &text);
            self.keep(&[text]);
            self.output.screen.log(vec![shown]);
        }
    }

    fn keep(&self, records: &[String]) {
        if let Err(error) = self.file.append(records)
            && !self.file_failed.swap(true, Ordering::Relaxed)
        {
            let remark = format!("the log file of {} cannot be written: {error}", self.service);
            self.output.screen.log(vec![remark]);
        }
    }

    fn shown(&self, service: &str, line: &Line, raw: &str) -> String {
        match self.output.format {
            LogFormat::Text => self.output.renderer.line(service, line),
            LogFormat::Json => raw.to_owned(),
        }
    }
}
