//! Where and with what is measured.

use std::ffi::OsStr;
use std::path::Path;

use tokio::process::Command;

use crate::programs;
use crate::table::Table;

/// Returns the machine, this project's commit, and the toolchains. `cache` is where peers are built.
pub(crate) async fn describe(cache: &Path) -> Table {
    let mut table = Table::new(["machine and versions", ""]);
    let mut row = |name: &str, value: Option<String>| {
        table.row([name.to_owned(), value.unwrap_or_else(|| "not known".to_owned())]);
    };
    let cores = std::thread::available_parallelism().map(|cores| cores.to_string());
    row("processor", after(Path::new("/proc/cpuinfo"), "model name"));
    row("cores", cores.ok());
    row("memory", after(Path::new("/proc/meminfo"), "MemTotal"));
    row("system", after(Path::new("/etc/os-release"), "PRETTY_NAME"));
    row("kernel", first_line(Path::new("/proc/sys/kernel/osrelease")));
    row("load before", load());
    row("commit", commit().await);
    row("profile", programs::profile().ok());
    let node = cache.join("node/node_modules/.bin/node");
    // The peer's own, which it prefers to the one that is installed.
    let node = if node.exists() { node } else { "node".into() };
    row("rustc", said("rustc", &["--version"]).await);
    row("Go", said("go", &["version"]).await);
    row("Node.js", said(node, &["--version"]).await);
    row("Python", said("python3", &["--version"]).await);
    row("Java", said("java", &["-version"]).await);
    table
}

/// Returns how many threads of all processes ran or waited to run, on average of the last minute: what else the machine did.
pub(crate) fn load() -> Option<String> {
    let line = first_line(Path::new("/proc/loadavg"))?;
    Some(line.split(' ').next()?.to_owned())
}

/// Returns the commit of these sources, and whether they are changed.
async fn commit() -> Option<String> {
    let sources = env!("CARGO_MANIFEST_DIR");
    let commit = said("git", &["-C", sources, "rev-parse", "--short=12", "HEAD"]).await?;
    let changes = said("git", &["-C", sources, "status", "--porcelain", "--untracked-files=no"]).await;
    Some(if changes.is_some() { format!("{commit}, with changes") } else { commit })
}

/// Returns the first line that a program says; `None` if it says nothing.
async fn said(program: impl AsRef<OsStr>, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().await.ok()?;
    let all = [output.stdout, output.stderr].concat();
    let line = String::from_utf8_lossy(&all).lines().next()?.trim().to_owned();
    (output.status.success() && !line.is_empty()).then_some(line)
}

/// Returns what follows a name and its separator, without quotation marks.
fn after(file: &Path, name: &str) -> Option<String> {
    let text = std::fs::read_to_string(file).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    Some(line.trim_matches([' ', '\t', ':', '=', '"']).to_owned())
}

fn first_line(file: &Path) -> Option<String> {
    Some(std::fs::read_to_string(file).ok()?.lines().next()?.to_owned())
}
