//! The programs that are compared.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use tokio::process::Command;

use crate::programs;

/// The exit code of a peer's `build` if what it is built with is missing (`EX_UNAVAILABLE`).
const NO_TOOLCHAIN: i32 = 69;

/// The languages that peers are written in.
const LANGUAGES: [&str; 4] = ["go", "node", "python", "java"];

/// A program in one of its settings.
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

impl Candidate {
    /// Of how many traces one is recorded.
    pub(crate) fn sampling(self, one_of: usize) -> Self {
        Self { sampled: one_of, ..self }
    }

    /// Returns the command that starts it, without what it finds in its environment.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).envs(self.variables.iter().copied());
        command
    }
}

/// Returns a program of this package.
pub(crate) fn own(
    name: &str,
    program: &str,
    arguments: &[&str],
    variables: &[(&'static str, &'static str)],
) -> anyhow::Result<Candidate> {
    Ok(Candidate {
        name: name.to_owned(),
        program: programs::own(program)?,
        arguments: arguments.iter().map(Into::into).collect(),
        variables: variables.to_vec(),
        sampled: 0,
        warm_ups: 1,
    })
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
