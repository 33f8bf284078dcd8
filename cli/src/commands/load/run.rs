//! Runs a load: enrols customers, then posts in one step or several.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use jiff::Timestamp;
use tokio::sync::mpsc::unbounded_channel;
use uuid::Uuid;
use webhook_signature::Secrets;

use super::chains::Chains;
use super::customers::{BLOCKS, Customers};
use super::document::Document;
use super::expected::Expected;
use super::histograms::Histograms;
use super::mix::Mix;
use super::observe::{Log, Observation};
use super::post::{Clock, Poster};
use super::processes::{self, Processes};
use super::report;
use super::schedule::Schedule;
use super::steps::{self, Next};
use super::summary::{self, Circumstances};
use super::times::Times;
use crate::endpoint::{ingest_url, run_at};
use crate::failure::Failure;
use crate::ingest_client::{IngestClient, http_client};
use crate::process_usage::Usage;
use crate::runs::{self, Running};
use crate::stdio::remark;
use crate::style::Style;

/// How long nothing may arrive before a drain that nobody limited ends.
const DRAIN: Duration = Duration::from_secs(30);
/// Enrolments in flight before the load.
const ENROLMENTS: usize = 8;

/// Where the load goes.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) url: String,
    /// The run whose log can be followed.
    pub(super) run: Option<Running>,
}

impl Target {
    /// Returns the ingest that was given, with its run if it is one below `directory`; else that of the only run there.
    ///
    /// # Errors
    /// When several runs could be meant.
    pub(super) fn of(url: Option<&str>, directory: &Path) -> Result<Self, Failure> {
        let mut runs = runs::running(directory);
        let Some(url) = url else {
            if runs.is_empty() {
                return Ok(Self { url: ingest_url(None)?, run: None });
            }
            let run = run_at(directory, None)?;
            return Ok(Self { url: run.ingest.clone(), run: Some(run) });
        };
        let base = url.trim_end_matches('/').trim_end_matches("/v1/events");
        runs.retain(|run| run.ingest == base);
        Ok(Self { url: url.to_owned(), run: runs.pop() })
    }
}

/// A load to run.
#[derive(Debug)]
pub(super) struct Load {
    pub(super) schedule: Schedule,
    pub(super) mix: Mix,
    pub(super) steps: bool,
    pub(super) drain: Option<Duration>,
    pub(super) seed: u64,
    pub(super) customers: u64,
    pub(super) connections: usize,
    pub(super) target: Target,
    pub(super) secrets: Option<Secrets>,
    pub(super) histograms: Option<Histograms>,
}

impl Load {
    /// Runs it, and shows its results as they come.
    ///
    /// # Errors
    /// When the layer cannot be reached or takes no enrolments, the log of its run cannot be read, or a histogram cannot be
    /// written.
    pub(super) async fn run(
        mut self,
        show: impl Fn(&str) -> io::Result<()>,
        style: Style,
    ) -> anyhow::Result<Document> {
        let began = Timestamp::now();
        let mut histograms = self.histograms.take();
        let mut bench = Bench::new(&self)?;
        let block = Uuid::new_v4().as_u64_pair().0 % BLOCKS;
        let mut customers = Customers::new(self.seed, self.mix.clone(), block, began);
        remark(&format!("enrolling {} customers", self.customers));
        customers = bench.enrol(self.customers, customers).await?;
        let mut document = self.document(began);
        show(&report::heading(&document, style))?;

        let mut before = Duration::ZERO;
        let mut schedule = self.schedule;
        loop {
            remark(&format!(
                "{} events at {} in {} s",
                schedule.events(),
                schedule.rate,
                schedule.length.as_secs()
            ));
            let (returned, result) = bench.step(schedule, before, customers).await?;
            customers = returned;
            before += schedule.length;
            if let Some(histograms) = &mut histograms {
                histograms.add(result.began.into(), schedule.length, result.recorded.clone())?;
            }
            show(&if self.steps {
                report::summary(&result.step, style)
            } else {
                report::step(&result, style)
            })?;
            document.steps.push(result.step);
            if !self.steps {
                return Ok(document);
            }
            match steps::next(&document.steps) {
                Next::Try(rate) => schedule.rate = rate,
                Next::End(ended) => {
                    let found = steps::saturation(&document.steps, ended);
                    show(&report::saturation(&found, style))?;
                    document.saturation = Some(found);
                    return Ok(document);
                }
            }
        }
    }

    fn document(&self, began: Timestamp) -> Document {
        let run = self.target.run.as_ref();
        Document {
            began,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            url: self.target.url.clone(),
            run: run.map(|run| run.directory.display().to_string()),
            seed: self.seed,
            mix: self.mix.shares(),
            customers: self.customers,
            connections: self.connections,
            tracing: run.and_then(|run| processes::tracing(&run.directory)),
            steps: Vec::new(),
            saturation: None,
        }
    }
}

/// What all steps share.
struct Bench<'a> {
    load: &'a Load,
    ingest: IngestClient,
    expected: Arc<Expected>,
    no_times: Times,
    log: Option<Log>,
}

impl<'a> Bench<'a> {
    fn new(load: &'a Load) -> anyhow::Result<Self> {
        let run = load.target.run.as_ref();
        let runs = |name: &str| run.is_none_or(|run| run.services.iter().any(|one| one == name));
        let expected = Arc::new(Expected::of(runs)?);
        let log = run.map(|run| Log::follow(&run.directory, Arc::clone(&expected))).transpose()?;
        Ok(Self {
            load,
            ingest: IngestClient::new(http_client()?, &load.target.url, load.secrets.clone()),
            expected,
            no_times: Times::none(),
            log,
        })
    }

    fn observation(&self, clock: &Clock, processes: Option<Processes>) -> Observation {
        let chains = Chains::new(Arc::clone(&self.expected), clock.wall, self.no_times.clone());
        Observation::new(chains, self.no_times.clone(), processes)
    }

    /// Enrols customers and waits until that has had its effects, so that the load finds them, and warm caches.
    async fn enrol(&mut self, number: u64, mut customers: Customers) -> anyhow::Result<Customers> {
        let clock = Clock::start();
        let mut observed = self.observation(&clock, None);
        let (reports, received) = unbounded_channel();
        let poster = Poster { ingest: self.ingest.clone(), connections: ENROLMENTS, clock, reports };
        let enrolling = tokio::spawn(async move {
            poster.enrol(number, &mut customers).await;
            customers
        });
        observed.of_posts(received, self.log.as_mut()).await?;
        let customers = enrolling.await.context("enrolling customers failed")?;
        if let Some(problem) = observed.failed.keys().next() {
            return Err(Failure::unavailable(problem.clone()).into());
        }
        if let Some((problem, count)) = observed.rejected.iter().next() {
            return Err(Failure::refused(format!("ingest refused {count} enrolments: {problem}")).into());
        }
        if let Some(log) = &mut self.log {
            observed.drain(log, self.load.drain.unwrap_or(DRAIN)).await?;
            let unfinished = observed.chains.unfinished();
            if unfinished > 0 {
                let message = if observed.chains.hops().next().is_none() {
                    "the services write no line for an event: start `foostore up` without RUST_LOG and HOP_LINES".to_owned()
                } else {
                    format!(
                        "{unfinished} of {number} enrolments have not had their effects; `foostore ps` and `foostore logs` may say why, \
                         unless `foostore up` was started with HOP_LINES=sampled, which hides them"
                    )
                };
                return Err(Failure::unavailable(message).into());
            }
        }
        Ok(customers)
    }

    /// Posts by a schedule, and waits for the effects if that is wanted.
    async fn step(
        &mut self,
        schedule: Schedule,
        before: Duration,
        mut customers: Customers,
    ) -> anyhow::Result<(Customers, summary::Result)> {
        let processes =
            self.load.target.run.as_ref().map(|run| Processes::watch(&run.directory, &run.services));
        let own = || Usage::of(std::process::id()).cpu_s;
        let own_before = own();
        let clock = Clock::start();
        let mut observed = self.observation(&clock, processes);
        let (reports, received) = unbounded_channel();
        let connections = self.load.connections;
        let poster = Poster { ingest: self.ingest.clone(), connections, clock, reports };
        let no_times = self.no_times.clone();
        let posting = tokio::spawn(async move {
            let lateness = poster.open_loop(schedule, &mut customers, before, no_times).await;
            (customers, lateness)
        });
        observed.of_posts(received, self.log.as_mut()).await?;
        let (customers, lateness) = posting.await.context("posting failed")?;
        let generator_cpu_s = own().zip(own_before).map(|(after, before)| after - before);
        let limit = self.load.drain.or(self.load.steps.then_some(DRAIN));
        if let Some(log) = &mut self.log {
            match limit {
                Some(limit) => observed.drain(log, limit).await?,
                None => observed.catch_up(log).await?,
            }
        }
        let circumstances = Circumstances {
            schedule,
            lateness: &lateness,
            generator_cpu_s,
            drained: limit.is_some(),
            began: clock.wall,
            no_times: &self.no_times,
            expected: &self.expected,
        };
        let result = summary::result(&observed, &circumstances);
        Ok((customers, result))
    }
}
