//! `foostore synth`: renders the services' declarations to CloudFormation templates, ECS task definitions and docker
//! compose's services.

mod compose;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::failure::Failure;
use crate::layer;
use crate::stdio::remark;

/// The collector's configuration, which becomes a parameter that every task reads.
const COLLECTOR: &str = include_str!("../../../../otel-collector.yaml");

/// The folders in which every file is rendered; any other file there is left over.
const FOLDERS: [(&str, &str); 3] = [("data", "yaml"), ("services", "yaml"), ("task-definitions", "json")];

/// Render all declarations to CloudFormation templates, ECS task definitions and docker compose's services
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  foostore synth
  foostore synth --check
  foostore synth --application shop --out /tmp/deploy

The environment is a parameter of every template, so one rendering serves every environment. Nothing is deployed.")]
pub(crate) struct SynthArgs {
    /// Application; the first part of every resource's name
    #[arg(long, default_value = "foostore")]
    application: String,
    /// Directory of the templates
    #[arg(long, value_name = "DIR", default_value = "deploy")]
    out: PathBuf,
    /// Write nothing; exit with 1 if the files differ from what would be rendered
    #[arg(long)]
    check: bool,
}

/// Runs the command.
///
/// # Errors
/// When the declarations contradict each other or are incomplete, a file cannot be written, or `--check` finds a
/// difference.
pub(crate) fn run(args: &SynthArgs) -> anyhow::Result<()> {
    let files = files(&args.application)?;
    let differences = differences(&args.out, &files)?;
    if args.check {
        return if differences.is_empty() {
            Ok(())
        } else {
            let list: Vec<_> = differences.iter().map(|path| path.display().to_string()).collect();
            Err(Failure::refused(format!(
                "differs from what the services declare: {}; run `foostore synth --out {}`",
                list.join(", "),
                args.out.display()
            ))
            .into())
        };
    }
    for path in differences {
        let whole = args.out.join(&path);
        if let Some(text) = files.get(&path) {
            if let Some(folder) = whole.parent() {
                std::fs::create_dir_all(folder)
                    .with_context(|| format!("{} cannot be created", folder.display()))?;
            }
            std::fs::write(&whole, text).with_context(|| format!("{} cannot be written", whole.display()))?;
            remark(&format!("wrote {}", whole.display()));
        } else {
            std::fs::remove_file(&whole).with_context(|| format!("{} cannot be removed", whole.display()))?;
            remark(&format!("removed {}, which belongs to no service", whole.display()));
        }
    }
    Ok(())
}

/// Renders every file, by its path below the directory of the templates.
fn files(application: &str) -> anyhow::Result<BTreeMap<PathBuf, String>> {
    let resources = layer::resources(application, cloudformation::ENVIRONMENT)?;
    let files = cloudformation::render(&resources, COLLECTOR)?;
    let mut files: BTreeMap<_, _> =
        files.into_iter().map(|(path, text)| (PathBuf::from(path), text)).collect();
    files.extend(compose::files(application)?);
    Ok(files)
}

/// Lists files that are missing, differ, or are left over.
fn differences(directory: &Path, files: &BTreeMap<PathBuf, String>) -> anyhow::Result<Vec<PathBuf>> {
    let mut found: Vec<PathBuf> = files
        .iter()
        .filter(|(path, text)| std::fs::read_to_string(directory.join(path)).ok().as_ref() != Some(*text))
        .map(|(path, _)| path.clone())
        .collect();
    for (folder, extension) in FOLDERS {
        let Ok(entries) = std::fs::read_dir(directory.join(folder)) else { continue };
        for entry in entries {
            let path = Path::new(folder).join(entry?.file_name());
            if path.extension().is_some_and(|found| found == extension) && !files.contains_key(&path) {
                found.push(path);
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure;

    #[test]
    fn what_is_checked_in_is_what_the_services_declare() {
        let deploy = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("deploy");
        let differences = differences(&deploy, &files("foostore").unwrap()).unwrap();
        assert!(differences.is_empty(), "run `cargo run -- synth`: {differences:?}");
    }

    #[test]
    fn files_that_differ_are_written_and_left_over_ones_removed() {
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("deploy");
        let args = |check| SynthArgs { application: "foostore".to_owned(), out: out.clone(), check };
        let refused = run(&args(true)).unwrap_err();
        assert_eq!(failure::code_of(&refused), failure::REFUSED);

        run(&args(false)).unwrap();
        run(&args(true)).unwrap();
        std::fs::write(out.join("services/gone.yaml"), "").unwrap();
        std::fs::write(out.join("services/README.md"), "").unwrap();
        assert!(run(&args(true)).unwrap_err().to_string().contains("services/gone.yaml"));
        run(&args(false)).unwrap();
        assert!(!out.join("services/gone.yaml").exists());
        assert!(out.join("services/README.md").exists());
    }
}
