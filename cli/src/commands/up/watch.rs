//! `foostore up --watch`: builds again when a source file changes, and restarts the services when their program does.
//!
//! Files are compared by their time and size twice a second, because that needs nothing of the operating system and a look
//! at all of this workspace takes a few milliseconds. The local cloud runs in `up` itself and keeps the code it was started
//! with.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use service_runtime::Environment;
use tokio::process::Command;
use tokio::time::Instant;

use crate::failure::Failure;
use crate::screen::Screen;
use crate::service_state::request_restart;

/// The pause between two looks at the files.
const INTERVAL: Duration = Duration::from_millis(500);
/// Where a service's code is, below the workspace.
const SOURCES: [&str; 5] = ["Cargo.lock", "Cargo.toml", "cli", "crates", "services"];
/// The most of a failed build's output that is shown, in bytes.
const SHOWN: usize = 16 * 1024;

/// What tells a file from what it was: inode, time in nanoseconds and size.
type Fingerprint = (u64, i64, i64, u64);

type Sources = BTreeMap<PathBuf, Fingerprint>;

/// What is watched, and how it is built.
#[derive(Debug)]
pub(super) struct Watch {
    workspace: PathBuf,
    program: PathBuf,
    cargo: String,
    profile: String,
    /// The sources and the program when `up` began: what changes while it starts counts too.
    sources: Sources,
    running: Option<Fingerprint>,
}

impl Watch {
    /// Finds the workspace around the working directory, and this program in its target directory.
    ///
    /// # Errors
    /// When there is no workspace.
    pub(super) fn open(environment: &Environment) -> anyhow::Result<Self> {
        let directory = std::env::current_dir()?;
        let is_workspace = |directory: &&Path| directory.join("cli/src/layer.rs").is_file();
        let workspace = directory.ancestors().find(is_workspace).ok_or_else(|| {
            Failure::usage(format!(
                "--watch builds this workspace, and {} is not in it: start it there, as `cargo run -- up --watch`",
                directory.display()
            ))
        })?;
        let program = std::env::current_exe()?;
        let profile = match program.parent().and_then(Path::file_name).map(|name| name.to_string_lossy()) {
            None => "dev".to_owned(),
            Some(name) if name == "debug" => "dev".to_owned(),
            Some(name) => name.into_owned(),
        };
        // Set by `cargo run`.
        let cargo = environment.get("CARGO").unwrap_or("cargo").to_owned();
        let running = fingerprint(&program);
        let sources = sources(workspace);
        Ok(Self { workspace: workspace.to_owned(), program, cargo, profile, sources, running })
    }

    /// Builds and asks for restarts of the services until it is dropped.
    pub(super) async fn run(self, run: PathBuf, services: Vec<&'static str>, screen: Screen) {
        let mut built = self.sources.clone();
        let mut seen = built.clone();
        let mut program = self.running;
        screen.text(format!("watching {} for changes\n", self.workspace.display())).await;
        loop {
            tokio::time::sleep(INTERVAL).await;
            let workspace = self.workspace.clone();
            let Ok(now) = tokio::task::spawn_blocking(move || sources(&workspace)).await else { continue };
            // Several files are saved one after the other, and each in several steps.
            if now == seen && now != built {
                built.clone_from(&now);
                self.build(&screen).await;
            }
            seen = now;
            // A file that is being replaced does not exist for a moment.
            let now = fingerprint(&self.program);
            if now.is_some() && now != program {
                program = now;
                screen.text("the program has changed; restarting the services\n".to_owned()).await;
                for name in &services {
                    if let Err(error) = request_restart(&run, name) {
                        tracing::error!(service = name, %error, "the restart of a service cannot be requested");
                    }
                }
            }
        }
    }

    async fn build(&self, screen: &Screen) {
        screen.text("a source file has changed; building\n".to_owned()).await;
        let began = Instant::now();
        let built = Command::new(&self.cargo)
            .args(["build", "--quiet", "--package", "foostore", "--bin", "foostore"])
            .args(["--profile", &self.profile])
            .current_dir(&self.workspace)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await;
        let text = match built {
            Ok(output) if output.status.success() => {
                format!("built in {:.1} s\n", began.elapsed().as_secs_f64())
            }
            Ok(output) => {
                let first = &output.stderr[..output.stderr.len().min(SHOWN)];
                let errors = String::from_utf8_lossy(first);
                format!("{errors}\nthe build failed; the services keep the code they have\n")
            }
            Err(error) => format!("{} cannot be run: {error}\n", self.cargo),
        };
        screen.text(text).await;
    }
}

fn sources(workspace: &Path) -> Sources {
    let mut files = BTreeMap::new();
    for name in SOURCES {
        // A file that is deleted meanwhile is simply absent.
        drop(collect(&workspace.join(name), &mut files));
    }
    files
}

/// Collects the files at `path`, except hidden ones and what a build writes.
fn collect(path: &Path, files: &mut Sources) -> io::Result<()> {
    if !path.is_dir() {
        if let Some(print) = fingerprint(path) {
            files.insert(path.to_owned(), print);
        }
        return Ok(());
    }
    for entry in std::fs::read_dir(path)? {
        let entry = entry?;
        let name = entry.file_name();
        if name != "target" && !name.to_string_lossy().starts_with('.') {
            drop(collect(&entry.path(), files));
        }
    }
    Ok(())
}

fn fingerprint(file: &Path) -> Option<Fingerprint> {
    let metadata = std::fs::metadata(file).ok()?;
    Some((metadata.ino(), metadata.mtime(), metadata.mtime_nsec(), metadata.size()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_told_from_what_they_were() {
        let directory = tempfile::tempdir().unwrap();
        let files = || {
            let mut files = BTreeMap::new();
            collect(directory.path(), &mut files).unwrap();
            files
        };
        std::fs::create_dir_all(directory.path().join("email/src")).unwrap();
        std::fs::create_dir_all(directory.path().join("email/target")).unwrap();
        let source = directory.path().join("email/src/lib.rs");
        std::fs::write(&source, "one").unwrap();
        let before = files();
        assert_eq!(before.len(), 1);
        std::fs::write(directory.path().join("email/target/output"), "").unwrap();
        std::fs::write(directory.path().join("email/.lib.rs.swp"), "").unwrap();
        assert_eq!(files(), before);
        std::fs::write(&source, "other").unwrap();
        assert_ne!(files(), before);
    }
}
