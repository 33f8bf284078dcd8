//! The workspace that the service goes into.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;

use crate::failure::Failure;

use super::spec::Spec;

/// A file to write, below the workspace's directory.
#[derive(Debug)]
pub(super) struct Change {
    pub(super) path: PathBuf,
    text: String,
    /// Whether the file was there before.
    replaces: bool,
}

impl Change {
    pub(super) fn new(path: impl Into<PathBuf>, text: String) -> Self {
        Self { path: path.into(), text, replaces: false }
    }
}

/// The workspace's directory.
#[derive(Debug)]
pub(super) struct Workspace(PathBuf);

impl Workspace {
    pub(super) fn open(directory: PathBuf) -> Result<Self, Failure> {
        if directory.join("cli/src/layer.rs").is_file() && directory.join("services").is_dir() {
            Ok(Self(directory))
        } else {
            Err(Failure::usage(format!(
                "{} is not this workspace: run the command where its Cargo.toml is, or use --workspace",
                directory.display()
            )))
        }
    }

    /// The files in which the service is entered, with the entry.
    pub(super) fn entries(&self, spec: &Spec) -> anyhow::Result<Vec<Change>> {
        let (name, module) = (&spec.name, spec.module());
        let mut changes = vec![
            self.edit("Cargo.toml", |text| {
                into_block(text, "# This workspace\n", &format!("{name} = {{ path = \"services/{name}\" }}"))
            })?,
            self.edit("cli/Cargo.toml", |text| {
                into_block(text, "[dependencies]\n", &format!("{name}.workspace = true"))
            })?,
            self.edit("cli/src/layer.rs", |text| {
                let (start, rest) = text.split_once("pub(crate) const ALL: &[Service] =")?;
                let (list, end) = rest.split_once("];")?;
                let list = list.trim_end().trim_end_matches(',');
                Some(format!("{start}pub(crate) const ALL: &[Service] ={list}, service!({module})];{end}"))
            })?,
        ];
        if !spec.emits.is_empty() {
            changes.push(self.edit("services/contracts/src/lib.rs", |text| {
                let with_module = into_block(text, "\nmod crm;\n", &format!("mod {module};"))?;
                let at = with_module.find("\npub use crm::")? + 1;
                let (start, end) = with_module.split_at(at);
                Some(format!("{start}pub use {module}::{{{}}};\n{end}", spec.emits.join(", ")))
            })?);
        }
        Ok(changes)
    }

    fn edit(&self, path: &str, edit: impl Fn(&str) -> Option<String>) -> anyhow::Result<Change> {
        let text =
            std::fs::read_to_string(self.0.join(path)).with_context(|| format!("{path} cannot be read"))?;
        let text =
            edit(&text).with_context(|| format!("{path} has no place for a service that can be found"))?;
        Ok(Change { path: path.into(), text, replaces: true })
    }

    /// Writes all of `changes`, or nothing if one of the new files is there already.
    pub(super) fn write(&self, changes: &[Change]) -> anyhow::Result<()> {
        let there = changes.iter().find(|change| !change.replaces && self.0.join(&change.path).exists());
        if let Some(change) = there {
            return Err(Failure::refused(format!("{} is there already", change.path.display())).into());
        }
        for change in changes {
            let path = self.0.join(&change.path);
            if let Some(folder) = path.parent() {
                std::fs::create_dir_all(folder)
                    .with_context(|| format!("{} cannot be created", folder.display()))?;
            }
            std::fs::write(&path, &change.text)
                .with_context(|| format!("{} cannot be written", change.path.display()))?;
        }
        Ok(())
    }

    /// Formats the workspace. Where that fails, `cargo fmt --check` says so later.
    pub(super) fn format(&self) {
        format(&self.0);
    }
}

fn format(directory: &Path) {
    drop(Command::new("cargo").args(["fmt", "--all"]).current_dir(directory).status());
}

/// Adds a line, in its alphabetical place, to the lines that follow `heading` up to the next blank one. A heading that is
/// itself such a line counts as one of them.
fn into_block(text: &str, heading: &str, line: &str) -> Option<String> {
    let at = text.find(heading)?;
    let start = if heading.starts_with('\n') { at + 1 } else { at + heading.len() };
    let length = text[start..].find("\n\n")?;
    let mut lines: Vec<_> = text[start..start + length].lines().collect();
    lines.push(line);
    lines.sort_unstable();
    Some(format!("{}{}{}", &text[..start], lines.join("\n"), &text[start + length..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_goes_to_its_place_in_the_block() {
        let text = "[dependencies]\nb = 1\nd = 1\n\na = 1\n";
        let expected = "[dependencies]\nb = 1\nc = 1\nd = 1\n\na = 1\n";
        assert_eq!(into_block(text, "[dependencies]\n", "c = 1").as_deref(), Some(expected));
        assert_eq!(
            into_block("x\nmod crm;\nmod text;\n\n", "\nmod crm;\n", "mod r;").as_deref(),
            Some("x\nmod crm;\nmod r;\nmod text;\n\n")
        );
        assert_eq!(into_block(text, "[features]\n", "c = 1"), None);
    }
}
