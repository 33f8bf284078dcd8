//! The programs that are measured, built as this one was and found beside it.

use std::ffi::OsStr;
use std::path::PathBuf;

use anyhow::Context as _;
use tokio::process::Command;

/// Builds the programs of this package. `cargo run` builds only the one that it runs, and leaves the others away or as they were.
///
/// # Errors
/// When they cannot be built.
pub(crate) async fn build_own() -> anyhow::Result<()> {
    build(&["--package", env!("CARGO_PKG_NAME"), "--bins"]).await
}

/// Returns the profile of this program.
pub(crate) fn profile() -> anyhow::Result<String> {
    let directory = directory()?;
    let name = directory.file_name().and_then(OsStr::to_str).context("no directory of a profile")?;
    Ok(if name == "debug" { "dev" } else { name }.to_owned())
}

/// Returns a program of this package.
pub(crate) fn own(name: &str) -> anyhow::Result<PathBuf> {
    Ok(directory()?.join(name))
}

/// Builds and returns the program `foostore`.
///
/// # Errors
/// When it cannot be built.
pub(crate) async fn foostore() -> anyhow::Result<PathBuf> {
    build(&["--package", "foostore", "--bin", "foostore"]).await?;
    own("foostore")
}

/// Builds what `selection` says, with the profile and in the target directory of this program.
async fn build(selection: &[&str]) -> anyhow::Result<()> {
    let directory = directory()?;
    let target = directory.parent().context("no target directory")?;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["build", "--quiet", "--locked", "--profile", &profile()?, "--target-dir"]).arg(target);
    command.args(selection).current_dir(env!("CARGO_MANIFEST_DIR"));
    anyhow::ensure!(command.status().await?.success(), "cargo build {} failed", selection.join(" "));
    Ok(())
}

/// Returns the directory of this program.
fn directory() -> anyhow::Result<PathBuf> {
    let here = std::env::current_exe()?;
    Ok(here.parent().context("a program without a directory")?.to_owned())
}
