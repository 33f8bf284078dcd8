//! The command line of FooStore: `foostore up` runs the loyalty layer on this machine; the other commands work with
//! that run or with a deployment.

#[cfg(feature = "local")]
mod archive_objects;
#[cfg(feature = "local")]
mod aws_failure;
#[cfg(feature = "local")]
mod bucket_names;
mod commands;
#[cfg(feature = "local")]
mod consent;
mod endpoint;
mod failure;
#[cfg(test)]
#[cfg(feature = "local")]
mod fake_aws;
mod ingest_client;
mod layer;
mod log_lines;
mod outbox;
#[cfg(feature = "local")]
mod patience;
#[cfg(feature = "local")]
mod place;
#[cfg(feature = "local")]
mod ports;
#[cfg(feature = "local")]
mod process_usage;
mod queue_messages;
mod runs;
#[cfg(feature = "local")]
mod screen;
#[cfg(feature = "local")]
mod service_addresses;
#[cfg(feature = "local")]
mod service_environment;
#[cfg(feature = "local")]
mod service_map;
#[cfg(feature = "local")]
mod service_state;
#[cfg(feature = "local")]
mod signals;
mod signed_call;
mod span_of_time;
mod stdio;
mod style;
mod svg;
#[cfg(feature = "local")]
mod trace_files;
mod trace_view;
mod wanted;
mod xray_client;

use std::io;
use std::num::NonZero;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use service_runtime::Environment;
use tokio::runtime::Runtime;

/// The local cloud allocates on all threads at once, which costs it a quarter of its time with glibc's allocator.
#[cfg(feature = "local")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// FooStore's loyalty layer: every event leaves one connected X-Ray trace. Without a command: `foostore up`
#[cfg(feature = "local")]
#[derive(Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = true, after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    up: commands::up::UpArgs,
}

/// FooStore's loyalty layer: every event leaves one connected X-Ray trace
#[cfg(not(feature = "local"))]
#[derive(Debug, Parser)]
#[command(version, after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  foostore up                                     everything on this machine, with an example
  foostore send examples/CustomerEnrolled.json --wait
                                                  post an event and print its trace
  foostore trace 1-5759e988-bd862e3fe1be46a994272793
  foostore logs 0190b7c4-3c6e-4a50-8d2c-6a9f6a1b2c3d

Exit codes: 0 success, 1 refused or not found, 64 invalid usage or setting, 69 a dependency is unavailable, 70 failure.";

#[derive(Debug, Subcommand)]
enum Command {
    #[cfg(feature = "local")]
    Up(Box<commands::up::UpArgs>),
    #[cfg(feature = "local")]
    Cloud(commands::cloud::CloudArgs),
    #[cfg(feature = "local")]
    Provision(commands::provision::ProvisionArgs),
    #[cfg(feature = "local")]
    Ps(commands::ps::PsArgs),
    #[cfg(feature = "local")]
    Restart(commands::restart::RestartArgs),
    Service(commands::service::ServiceArgs),
    Send(commands::send::SendArgs),
    Trace(commands::trace::TraceArgs),
    #[cfg(feature = "local")]
    Traces(commands::traces::TracesArgs),
    #[cfg(feature = "local")]
    Map(commands::map::MapArgs),
    #[cfg(feature = "local")]
    Latency(commands::latency::LatencyArgs),
    #[cfg(feature = "local")]
    Load(Box<commands::load::LoadArgs>),
    #[cfg(feature = "local")]
    Sampling(commands::sampling::SamplingArgs),
    #[cfg(feature = "local")]
    Filter(commands::filter::FilterArgs),
    Logs(commands::logs::LogsArgs),
    DeadLetters(commands::dead_letters::DeadLettersArgs),
    #[cfg(feature = "local")]
    Erased(commands::erased::ErasedArgs),
    #[cfg(feature = "local")]
    Outbox(commands::outbox::OutboxArgs),
    #[cfg(feature = "local")]
    Replay(commands::replay::ReplayArgs),
    #[cfg(feature = "local")]
    Pass(commands::pass::PassArgs),
    #[cfg(feature = "local")]
    Faults(commands::faults::FaultsArgs),
    #[cfg(feature = "local")]
    Mail(commands::mail::MailArgs),
    #[cfg(feature = "local")]
    Pushes(commands::pushes::PushesArgs),
    #[cfg(feature = "local")]
    Metrics(commands::metrics::MetricsArgs),
    #[cfg(feature = "local")]
    New(commands::new::NewArgs),
    #[cfg(feature = "local")]
    Cost(commands::cost::CostArgs),
    #[cfg(feature = "local")]
    Deploy(commands::deploy::DeployArgs),
    #[cfg(feature = "local")]
    Doctor(commands::doctor::DoctorArgs),
    #[cfg(feature = "local")]
    Synth(commands::synth::SynthArgs),
    #[cfg(feature = "local")]
    Traffic(commands::traffic::TrafficArgs),
    #[cfg(feature = "local")]
    Verify(commands::verify::VerifyArgs),
    #[cfg(feature = "local")]
    Chaos(commands::chaos::ChaosArgs),
}

impl Cli {
    #[cfg(feature = "local")]
    fn into_command(self) -> Command {
        self.command.unwrap_or_else(|| Command::Up(Box::new(self.up)))
    }

    #[cfg(not(feature = "local"))]
    fn into_command(self) -> Command {
        self.command
    }
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version go to standard output and are not failures. If the output is closed, nobody reads a report.
            drop(error.print());
            return if error.use_stderr() { ExitCode::from(failure::USAGE) } else { ExitCode::SUCCESS };
        }
    };
    run(cli.into_command()).unwrap_or_else(|error| {
        stdio::remark(&format!("error: {error:#}"));
        ExitCode::from(failure::code_of(&error))
    })
}

fn run(command: Command) -> anyhow::Result<ExitCode> {
    // A service builds its runtime itself, as it does in production.
    if let Command::Service(args) = &command {
        return commands::service::run(args);
    }
    let environment = Environment::from_process();
    let runtime = runtime(&environment).context("the async runtime cannot be started")?;
    let outcome = runtime.block_on(dispatch(command, &environment));
    // The work is done. Do not wait for calls that still block, such as a read from the terminal or a DNS lookup.
    runtime.shutdown_background();
    outcome.map(|()| ExitCode::SUCCESS)
}

/// Creates a runtime with as many threads as half of the machine's processors, unless Tokio's own variable says otherwise: the services beside the
/// local cloud need the others, and with more threads it takes a sixth more for a request, to wake one for the other.
fn runtime(environment: &Environment) -> io::Result<Runtime> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    if environment.get("TOKIO_WORKER_THREADS").is_none() {
        let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
        builder.worker_threads(processors.div_ceil(2));
    }
    builder.enable_all().build()
}

async fn dispatch(command: Command, environment: &Environment) -> anyhow::Result<()> {
    match command {
        #[cfg(feature = "local")]
        Command::Up(args) => Box::pin(commands::up::run(*args, environment)).await,
        #[cfg(feature = "local")]
        Command::Cloud(args) => commands::cloud::run(args, environment).await,
        #[cfg(feature = "local")]
        Command::Provision(args) => Box::pin(commands::provision::run(args, environment)).await,
        #[cfg(feature = "local")]
        Command::Cost(args) => commands::cost::run(&args, environment),
        #[cfg(feature = "local")]
        Command::Faults(args) => commands::faults::run(args, environment).await,
        #[cfg(feature = "local")]
        Command::Mail(args) => commands::mail::run(args, environment).await,
        #[cfg(feature = "local")]
        Command::Pushes(args) => commands::pushes::run(args, environment).await,
        #[cfg(feature = "local")]
        Command::Metrics(args) => commands::metrics::run(args, environment).await,
        #[cfg(feature = "local")]
        Command::New(args) => commands::new::run(args),
        #[cfg(feature = "local")]
        Command::Ps(args) => commands::ps::run(args, environment).await,
        #[cfg(feature = "local")]
        Command::Restart(args) => commands::restart::run(args).await,
        #[cfg(feature = "local")]
        Command::Deploy(args) => Box::pin(commands::deploy::run(args, environment)).await,
        #[cfg(feature = "local")]
        Command::Doctor(args) => Box::pin(commands::doctor::run(args, environment)).await,
        #[cfg(feature = "local")]
        Command::Synth(args) => commands::synth::run(&args),
        #[cfg(feature = "local")]
        Command::Traffic(args) => commands::traffic::run(args, environment).await,
        #[cfg(feature = "local")]
        Command::Verify(args) => Box::pin(commands::verify::run(args, environment)).await,
        #[cfg(feature = "local")]
        Command::Chaos(args) => Box::pin(commands::chaos::run(args, environment)).await,
        Command::Service(args) => commands::service::run(&args).map(drop),
        Command::Send(args) => Box::pin(commands::send::run(args, environment)).await,
        Command::Trace(args) => Box::pin(commands::trace::run(args, environment)).await,
        #[cfg(feature = "local")]
        Command::Traces(args) => Box::pin(commands::traces::run(args, environment)).await,
        #[cfg(feature = "local")]
        Command::Map(args) => Box::pin(commands::map::run(args, environment)).await,
        #[cfg(feature = "local")]
        Command::Latency(args) => Box::pin(commands::latency::run(args, environment)).await,
        #[cfg(feature = "local")]
        Command::Load(args) => Box::pin(commands::load::run(*args, environment)).await,
        #[cfg(feature = "local")]
        Command::Sampling(args) => Box::pin(commands::sampling::run(args, environment)).await,
        #[cfg(feature = "local")]
        Command::Filter(args) => Box::pin(commands::filter::run(args, environment)).await,
        Command::Logs(args) => Box::pin(commands::logs::run(args, environment)).await,
        Command::DeadLetters(args) => Box::pin(commands::dead_letters::run(args, environment)).await,
        #[cfg(feature = "local")]
        Command::Erased(args) => Box::pin(commands::erased::run(args, environment)).await,
        #[cfg(feature = "local")]
        Command::Pass(args) => Box::pin(commands::pass::run(args, environment)).await,
        #[cfg(feature = "local")]
        Command::Outbox(args) => Box::pin(commands::outbox::run(args, environment)).await,
        #[cfg(feature = "local")]
        Command::Replay(args) => Box::pin(commands::replay::run(args, environment)).await,
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_tree_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_explains_itself_with_an_example() {
        let mut cli = Cli::command();
        let mut helps = vec![("foostore".to_owned(), cli.render_help().to_string())];
        helps.extend(
            cli.get_subcommands_mut()
                .filter(|sub| sub.get_name() != "help")
                .map(|sub| (sub.get_name().to_owned(), sub.render_help().to_string())),
        );
        for (name, help) in helps {
            assert!(help.contains("Examples:\n  "), "{name}: {help}");
        }
    }

    #[cfg(feature = "local")]
    #[test]
    fn no_command_is_up_with_its_options() {
        let command = |line: &str| Cli::try_parse_from(line.split(' ')).map(Cli::into_command);
        assert!(matches!(command("foostore"), Ok(Command::Up(_))));
        assert!(matches!(command("foostore --no-traffic"), Ok(Command::Up(_))));
        assert!(matches!(command("foostore up --no-traffic"), Ok(Command::Up(_))));
        assert!(matches!(
            command("foostore trace 1-5759e988-bd862e3fe1be46a994272793"),
            Ok(Command::Trace(_))
        ));
        assert!(command("foostore service nobody").is_err());
        assert!(command("foostore up --traffic-per-second 0").is_err());
    }
}
