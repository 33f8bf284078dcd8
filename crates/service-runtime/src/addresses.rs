//! Tells the process that started this one where it is reached, if the system assigned the ports.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use crate::environment::Environment;

/// The addresses of a service, written to the file that `ADDRESSES_FILE` names: a line `name address` for each. Log lines
/// have them too, but not at every level.
#[derive(Clone, Debug, Default)]
pub struct Addresses {
    file: Option<Arc<Path>>,
}

impl Addresses {
    pub(crate) fn of(environment: &Environment) -> Self {
        let file = environment.get("ADDRESSES_FILE").filter(|file| !file.is_empty());
        Self { file: file.map(|file| Arc::from(Path::new(file))) }
    }

    /// Adds a line. Does nothing without a file.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn tell(&self, name: &str, address: SocketAddr) -> io::Result<()> {
        let Some(file) = &self.file else { return Ok(()) };
        // In one write, so that a reader sees whole lines.
        let line = format!("{name} {address}\n");
        OpenOptions::new().create(true).append(true).open(file)?.write_all(line.as_bytes())
    }
}
