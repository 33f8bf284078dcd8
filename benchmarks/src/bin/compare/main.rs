//! Measures this project beside the bare SDK and beside its peers, all in one run on one machine.

mod consumer;
mod measured;
mod process;
mod queue;

use std::process::ExitCode;

use clap::Parser;
use local_cloud::Settings;

use crate::measured::Measured;

/// Measure this project beside the bare SDK and its peers
#[derive(Debug, Parser)]
#[command(args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// Messages for each consumer
    #[arg(long, default_value_t = 10_000)]
    messages: usize,
    /// Runs of each consumer, of which the median counts
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// Consumers whose name contains this
    #[arg(long)]
    only: Option<String>,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Run one of the programs that are measured
    #[command(subcommand, hide = true)]
    Measured(Measured),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Some(Command::Measured(program)) = arguments.command {
        return measured::run(program);
    }
    match compare(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            #[expect(clippy::print_stderr, reason = "the error of a command")]
            {
                eprintln!("error: {error:#}");
            }
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
#[expect(clippy::print_stdout, reason = "the table")]
async fn compare(arguments: &Arguments) -> anyhow::Result<()> {
    let anywhere = ([127, 0, 0, 1], 0).into();
    let settings = Settings { address: anywhere, otlp_address: anywhere, ..Settings::default() };
    let cloud = local_cloud::start(settings).await?;
    let directory = tempfile::tempdir()?;
    let endpoint = cloud.endpoint_url();
    let otlp = format!("http://{}", cloud.otlp_address());
    let around = consumer::Surroundings { endpoint: &endpoint, otlp: &otlp, logs: directory.path() };
    let warm_up = arguments.messages / 10;
    for candidate in consumer::own(&std::env::current_exe()?) {
        if arguments.only.as_ref().is_some_and(|only| !candidate.name.contains(only.as_str())) {
            continue;
        }
        for _ in 0..arguments.runs {
            let result = consumer::measure(&candidate, &around, (warm_up, arguments.messages)).await?;
            println!(
                "{:30} {:8.1} us {:10.0}/s {:6.1} MiB",
                result.name,
                result.cpu_us,
                result.per_second,
                result.peak_memory as f64 / 1_048_576.0
            );
        }
    }
    cloud.shutdown().await;
    Ok(())
}
