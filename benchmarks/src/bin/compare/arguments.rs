//! The options.

use std::path::PathBuf;

use clap::Parser;

/// Measure this project beside the bare SDK and its peers
#[derive(Debug, Parser)]
#[command(after_help = "\
Examples:
  cargo run --release -p benchmarks
  cargo run --release -p benchmarks -- --section micro,start
  cargo run --release -p benchmarks -- --section consumers --peers none --against benchmarks/consumers.json

docs/performance.md says what each section measures.")]
pub(crate) struct Arguments {
    /// Sections to measure, separated by commas [default: all]
    #[arg(long, value_enum, value_delimiter = ',')]
    pub(crate) section: Vec<Section>,
    /// Messages for each consumer
    #[arg(long, default_value_t = 10_000)]
    pub(crate) messages: usize,
    /// The longest queue of the section `backlog`
    #[arg(long, default_value_t = 1_000_000)]
    pub(crate) backlog: usize,
    /// Events for each publisher
    #[arg(long, default_value_t = 20_000)]
    pub(crate) events: usize,
    /// Segments for the X-Ray engine
    #[arg(long, default_value_t = 200_000)]
    pub(crate) segments: u64,
    /// Rounds; each candidate has its turn in each
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) rounds: u16,
    /// Peers to compare consumers with
    #[arg(long, value_enum, default_value_t = Peers::All)]
    pub(crate) peers: Peers,
    /// Only the bare loops and candidates whose name contains this
    #[arg(long, value_name = "TEXT")]
    pub(crate) only: Option<String>,
    /// Fail if a ratio is more than 15 % worse than in this file, twice in a row
    #[arg(long, value_name = "FILE")]
    pub(crate) against: Option<PathBuf>,
    /// Write the ratios to this file, for --against
    #[arg(long, value_name = "FILE")]
    pub(crate) write: Option<PathBuf>,
    /// Where peers are built and kept, and the histograms of each run
    #[arg(long, value_name = "DIRECTORY", default_value = "target/benchmarks")]
    pub(crate) cache: PathBuf,
    /// Where the histograms of latencies are written [default: a directory with the time, in --cache]
    #[arg(long, value_name = "DIRECTORY")]
    pub(crate) histograms: Option<PathBuf>,
    /// The program `foostore` [default: built as this one was]
    #[arg(long, value_name = "FILE")]
    pub(crate) foostore: Option<PathBuf>,
}

impl Arguments {
    /// Returns the sections that were asked for, in the order of the list.
    pub(crate) fn sections(&self) -> impl Iterator<Item = Section> {
        Section::ALL.into_iter().filter(|section| self.section.is_empty() || self.section.contains(section))
    }

    /// Whether a candidate of this name is wanted.
    pub(crate) fn wants(&self, name: &str) -> bool {
        self.only.as_ref().is_none_or(|only| name.contains(only))
    }
}

/// What is measured. A new section has a name here and a module in `sections`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Section {
    /// Consumers beside a bare loop of the SDK, and peers in other languages
    Consumers,
    /// The consumer with queues of all lengths
    Backlog,
    /// The publisher beside a bare loop of the SDK
    Publisher,
    /// The chain from the post of an event to the mail, of four services and of all
    Chain,
    /// What an event passes through: envelope, header, span, log line, a call of DynamoDB
    Micro,
    /// The local X-Ray
    Xray,
    /// From the start until ready, memory, sizes
    Start,
}

impl Section {
    /// All, in the order in which they are measured.
    pub(crate) const ALL: [Self; 7] =
        [Self::Consumers, Self::Backlog, Self::Publisher, Self::Chain, Self::Micro, Self::Xray, Self::Start];
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Peers {
    /// Those whose toolchain is here
    All,
    /// None
    None,
}
