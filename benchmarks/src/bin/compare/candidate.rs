//! The consumers that are compared.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use tokio::process::Command;

/// The exit code of a peer's `build` if what it is built with is missing (`EX_UNAVAILABLE`).
const NO_TOOLCHAIN: i32 = 69;

/// The languages that peers are written in.
const LANGUAGES: [&str; 4] = ["go", "node", "python", "java"];

/// A consumer in one of its settings.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    pub(crate) name: String,
    program: PathBuf,
    arguments: Vec<OsString>,
    variables: Vec<(&'static str, &'static str)>,
    /// Of how many traces one is recorded; 0 for none.
    pub(crate) sampled: usize,
    /// How many times the usual warm-up it needs: code that is compiled while it runs needs a long one.
    pub(crate) warm_ups: usize,
}

/// The name of the candidate that all others are measured by.
pub(crate) const BARE: &str = "bare loop";

impl Candidate {
    /// Returns the command that starts it, without what it finds in its environment.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).envs(self.variables.iter().copied());
        command
    }
}

/// Returns the programs of this package, which are beside the one that runs.
pub(crate) fn own() -> anyhow::Result<Vec<Candidate>> {
    let here = std::env::current_exe()?;
    let beside = here.parent().context("a program without a directory")?;
    let own = |name: &str, program: &str, sampled, variables: &[(&'static str, &'static str)]| Candidate {
        name: name.to_owned(),
        program: beside.join(program),
        arguments: Vec::new(),
        variables: variables.to_vec(),
        sampled,
        warm_ups: 1,
    };
    Ok(vec![
        own(BARE, "bare", 0, &[]),
        own("ours, unsampled", "consumer", 0, &[]),
        own("ours, 5 %", "consumer", 20, &[]),
        own("ours, 100 %", "consumer", 1, &[]),
        own("ours, unsampled, no log", "consumer", 0, &[("RUST_LOG", "warn")]),
    ])
}

/// Builds the peers in the directory `sources`, each into a separate directory below `cache`. Returns them, and those that
/// could not be built with the reason.
pub(crate) async fn peers(
    sources: &Path,
    cache: &Path,
) -> anyhow::Result<(Vec<Candidate>, Vec<(&'static str, String)>)> {
    let (mut built, mut missing) = (Vec::new(), Vec::new());
    for language in LANGUAGES {
        let (source, target) = (sources.join(language), cache.join(language));
        std::fs::create_dir_all(&target)?;
        let output = Command::new(source.join("build")).arg(&target).output().await?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            let reason = said.trim().lines().last().unwrap_or("no reason given").to_owned();
            anyhow::ensure!(output.status.code() == Some(NO_TOOLCHAIN), "building {language}: {said}");
            missing.push((language, reason));
            continue;
        }
        let peer = |setting: &str, sampled, variables: &[(&'static str, &'static str)]| Candidate {
            name: format!("{language}, {setting}"),
            program: source.join("run"),
            arguments: vec![target.clone().into()],
            variables: variables.to_vec(),
            sampled,
            warm_ups: if language == "java" { 10 } else { 1 },
        };
        built.push(peer("unsampled", 0, &[]));
        built.push(peer("100 %", 1, &[]));
        built.push(peer("unsampled, no log", 0, &[("LOG", "off")]));
    }
    Ok((built, missing))
}
