//! `foostore new service`: writes a service's crate and enters it in the workspace, so that it builds, is provisioned and
//! started at once, with a stand-in for what it is really about.

mod files;
mod spec;
mod workspace;

use std::path::PathBuf;

use crate::stdio::{print, remark};

use self::spec::Spec;
use self::workspace::Workspace;

/// Start something new in this workspace
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  foostore new service vouchers --consumes MemberEnrolled --table --emits VoucherIssued")]
pub(crate) struct NewArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    Service(ServiceArgs),
}

/// Write a service: its crate, its test, and its place in the workspace
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  foostore new service audit --consumes CustomerErased
  foostore new service vouchers --consumes MemberEnrolled,MemberErased --table
  foostore new service vouchers --consumes MemberEnrolled --table --emits VoucherIssued

The service builds and runs as it is written. What is left to write is listed at the end.")]
struct ServiceArgs {
    /// Its name: lower-case letters, digits and hyphens
    name: String,
    /// Events it consumes, which others emit
    #[arg(long, value_name = "EVENT", value_delimiter = ',', required = true)]
    consumes: Vec<String>,
    /// Gives it a DynamoDB table, and handlers whose effects happen once
    #[arg(long)]
    table: bool,
    /// Events it announces, which are new; through the outbox of its table
    #[arg(long, value_name = "EVENT", value_delimiter = ',', requires = "table")]
    emits: Vec<String>,
    /// Directory of the workspace
    #[arg(long, value_name = "DIR", default_value = ".")]
    workspace: PathBuf,
}

/// Runs the command.
///
/// # Errors
/// When the name or an event cannot be used, the directory is not this workspace, or a file cannot be written. Nothing
/// is written in the first two cases.
pub(crate) fn run(args: NewArgs) -> anyhow::Result<()> {
    let What::Service(ServiceArgs { name, consumes, table, emits, workspace }) = args.what;
    let workspace = Workspace::open(workspace)?;
    let spec = Spec::new(name, consumes, table, emits)?;
    let mut changes = files::of(&spec);
    changes.extend(workspace.entries(&spec)?);
    workspace.write(&changes)?;
    for change in &changes {
        remark(&format!("wrote {}", change.path.display()));
    }
    workspace.format();
    Ok(print(&left_to_write(&spec))?)
}

fn left_to_write(spec: &Spec) -> String {
    let mut steps = vec![if spec.table {
        format!("services/{}/src/handler.rs: what each event leads to, in place of the counter", spec.name)
    } else {
        format!("services/{}/src/handler.rs: what each event leads to", spec.name)
    }];
    if !spec.emits.is_empty() {
        steps.push(format!(
            "services/contracts/src/{}.rs and its fixtures: the fields of {}",
            spec.module(),
            spec.emits.join(", ")
        ));
    }
    if spec.table {
        steps.push(format!(
            "services/{}/src/lib.rs: what the service does with its table (`access`); if it holds names or addresses, \
             `.personal_data()`, and consume MemberErased",
            spec.name
        ));
    }
    steps.push("`cargo run -- synth`: its templates and its place in docker compose".to_owned());
    steps.push(
        "docs/telemetry.md: its segment, and its name in the rows of the log lines it writes; a test lists them"
            .to_owned(),
    );
    steps
        .push("`cargo test --workspace`, then `cargo run`: it is provisioned, started and traced".to_owned());
    let numbered: Vec<_> = (1..).zip(steps).map(|(number, step)| format!("  {number}. {step}")).collect();
    format!("\nLeft to do:\n{}", numbered.join("\n"))
}
