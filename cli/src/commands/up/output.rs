//! Where a line of output goes: to its service's file as it is, and to the screen for people.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;

use crate::log_lines::{Line, LogFile, Renderer};
use crate::screen::Screen;

/// How log lines look on the screen. They are always kept as JSON in the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum LogFormat {
    // One readable line each: time, level, service, message, fields, trace id. (Plain comments: as documentation they
    // would make every option's help a paragraph.)
    Text,
    // The JSON as the service wrote it.
    Json,
}

/// The log files of one run and the screen they are shown on.
#[derive(Debug, Clone)]
pub(super) struct Output {
    directory: PathBuf,
    screen: Screen,
    renderer: Renderer,
    format: LogFormat,
}

impl Output {
    /// Makes the directory.
    ///
    /// # Errors
    /// When the directory cannot be made.
    pub(super) fn new(
        directory: &Path,
        screen: Screen,
        renderer: Renderer,
        format: LogFormat,
    ) -> io::Result<Self> {
        std::fs::create_dir_all(directory)?;
        Ok(Self { directory: directory.canonicalize()?, screen, renderer, format })
    }

    /// The directory of the log files, absolute.
    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// The output of one service, its file emptied.
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
    /// Whether a full disk (or the like) has been reported: once is enough.
    file_failed: Arc<AtomicBool>,
}

impl ServiceOutput {
    /// Takes one line of text as the process wrote it to `stream`, and gives it back read.
    pub(super) fn take(&self, text: &str, stream: &'static str) -> Line {
        let line = Line::read(text);
        match &line {
            Line::Record(_) => self.keep(text),
            Line::Text(_) => {
                let record = line.clone().into_record(self.service, stream, jiff::Timestamp::now());
                self.keep(&Value::Object(record).to_string());
            }
        }
        self.show(self.service, &line, text);
        line
    }

    /// Takes a record made in this process; `shown` is the service name it is shown under.
    pub(super) fn record(&self, shown: &'static str, line: &Line) {
        if let Line::Record(record) = line {
            let text = Value::Object(record.clone()).to_string();
            self.keep(&text);
            self.show(shown, line, &text);
        }
    }

    fn keep(&self, text: &str) {
        if let Err(error) = self.file.append(text)
            && !self.file_failed.swap(true, Ordering::Relaxed)
        {
            self.output.screen.log(format!("the log file of {} cannot be written: {error}", self.service));
        }
    }

    fn show(&self, shown: &str, line: &Line, raw: &str) {
        self.output.screen.log(match self.output.format {
            LogFormat::Text => self.output.renderer.line(shown, line),
            LogFormat::Json => raw.to_owned(),
        });
    }
}
