//! One scenario: the burst with its faults, the wait for its end, and the account.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use nix::sys::signal::Signal;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tokio::time::Instant;

use super::account::{Account, Window};
use super::books;
use super::burst::{self, Progress};
use super::cloud::{Cloud, Dead, Injected};
use super::history::History;
use super::layer_process::Layer;
use super::outcome::Outcome;
use super::scenario::{Action, Scenario, Size};
use crate::ingest_client::{IngestClient, http_client};

/// The pause between two looks at the layer.
const PAUSE: Duration = Duration::from_millis(300);
/// How many looks in a row must find nothing left to do: a message may be on its way from the bus to a queue.
const LOOKS: usize = 2;

/// A running layer with everything that a scenario needs of it.
pub(super) struct Bench {
    layer: Layer,
    cloud: Cloud,
    ingest: IngestClient,
    /// The messages that no service can handle, of all scenarios so far.
    poison: BTreeSet<String>,
}

/// What is found once a scenario has settled, or could not.
struct Found {
    account: Account,
    /// The messages left on each queue.
    undone: BTreeMap<String, u64>,
    dead: Vec<Dead>,
}

impl Bench {
    /// Prepares a layer that has just been started.
    ///
    /// # Errors
    /// When a call to its cloud fails.
    pub(super) async fn new(layer: Layer) -> anyhow::Result<Self> {
        let cloud = Cloud::of(&layer).await?;
        let ingest = IngestClient::new(http_client()?, &layer.ingest, None);
        Ok(Self { layer, cloud, ingest, poison: BTreeSet::new() })
    }

    /// Stops the layer.
    pub(super) async fn stop(self) {
        self.layer.stop().await;
    }

    /// Runs a scenario, the `number`th of this run.
    ///
    /// # Errors
    /// When the layer cannot be examined. What goes wrong in the layer is part of the outcome.
    pub(super) async fn run(
        &mut self,
        scenario: &Scenario,
        seed: u64,
        number: u32,
        size: &Size,
    ) -> anyhow::Result<Outcome> {
        let began = Instant::now();
        let mut random = StdRng::seed_from_u64(seed_of(seed, &scenario.name));
        let history =
            History::new(scenario.history, size.events, PREFIX + number, &mut random, Timestamp::now());
        self.cloud.forget().await?;
        let poison = self.poison(number).await?;
        for fault in &scenario.faults {
            self.cloud.inject(fault).await?;
        }
        let progress = Progress::default();
        let (refused, windows) = tokio::join!(
            burst::send(&self.ingest, &history.sends, &progress),
            self.act(scenario, size, history.sends.len(), &mut random, &progress),
        );
        let windows = windows?;
        self.stay_under_faults(scenario, size, began).await?;
        let injected = self.cloud.clear_faults().await?;
        let found = self.settle(&history, &poison, size.patience).await?;
        self.poison.extend(poison.iter().cloned());
        Ok(self.outcome(scenario, &history, refused, &windows, &injected, &found, &poison, began))
    }

    /// Puts a message on each queue that no retry can make good; returns all of them.
    async fn poison(&self, number: u32) -> anyhow::Result<BTreeSet<String>> {
        let mut poison = BTreeSet::new();
        for (place, service) in self.cloud.consumers().enumerate() {
            let body = if place % 2 == 0 {
                format!("poison for {service} in scenario {number}")
            } else {
                format!(r#"{{"detail": {{"metadata": "poison for {service} in scenario {number}"}}}}"#)
            };
            self.cloud.send(service, &body).await?;
            poison.insert(body);
        }
        Ok(poison)
    }

    /// Does to processes what the scenario says, at random moments of the burst; returns when what could not be recorded.
    async fn act(
        &self,
        scenario: &Scenario,
        size: &Size,
        events: usize,
        random: &mut StdRng,
        progress: &Progress,
    ) -> anyhow::Result<Vec<Window>> {
        let mut windows = Vec::new();
        match &scenario.action {
            Action::Nothing => {}
            Action::End(signal, services) => {
                let mut moments: Vec<_> = services.iter().map(|_| random.random_range(1..=events)).collect();
                moments.sort_unstable();
                for (moment, service) in moments.into_iter().zip(services) {
                    progress.reached(moment).await;
                    let from = Timestamp::now();
                    self.layer.end(service, *signal).await?;
                    if *signal == Signal::SIGKILL {
                        windows.push(Window { service: (*service).to_owned(), from, to: Timestamp::now() });
                    }
                }
            }
            Action::Pause => {
                progress.reached(random.random_range(events / 4..=events / 2)).await;
                let from = Timestamp::now();
                let signal_all = |signal| {
                    self.cloud.consumers().try_for_each(|service| self.layer.signal(service, signal))
                };
                let stopped = signal_all(Signal::SIGSTOP);
                if stopped.is_ok() {
                    tokio::time::sleep(size.pause).await;
                }
                // Whatever was stopped must go on, or it could not even be drained.
                signal_all(Signal::SIGCONT).and(stopped)?;
                let to = Timestamp::now();
                windows.extend(self.cloud.consumers().map(|service| Window {
                    service: service.to_owned(),
                    from,
                    to,
                }));
            }
        }
        Ok(windows)
    }

    /// Waits until the faults of a scenario that `began` then have lasted for long enough.
    async fn stay_under_faults(
        &self,
        scenario: &Scenario,
        size: &Size,
        began: Instant,
    ) -> anyhow::Result<()> {
        if scenario.faults.is_empty() {
            return Ok(());
        }
        if scenario.lasts {
            tokio::time::sleep_until(began + size.outage).await;
            return Ok(());
        }
        let end = Instant::now() + size.under_faults;
        let mut looks = 0;
        while looks < LOOKS && Instant::now() < end {
            looks = if self.cloud.undone().await?.is_empty() { looks + 1 } else { 0 };
            tokio::time::sleep(PAUSE).await;
        }
        Ok(())
    }

    /// Waits until nothing is left to do and nothing is missing, or until the queues have not become emptier for `patience`:
    /// a slow machine is no fault.
    async fn settle(
        &self,
        history: &History,
        poison: &BTreeSet<String>,
        patience: Duration,
    ) -> anyhow::Result<Found> {
        let mut deadline = Instant::now() + patience;
        let mut least = u64::MAX;
        let customers = history.customers.keys().map(String::as_str).collect();
        let mut looks = 0;
        loop {
            let undone = self.cloud.undone().await?;
            let left = undone.values().sum();
            if left < least {
                least = left;
                deadline = Instant::now() + patience;
            }
            let late = Instant::now() >= deadline;
            if undone.is_empty() || late {
                let facts = self.cloud.facts(&customers).await?;
                let found = Found {
                    account: books::account(history, &facts),
                    undone,
                    dead: self.cloud.dead().await?,
                };
                let bodies: BTreeSet<_> = found.dead.iter().map(|dead| dead.body.as_str()).collect();
                let all_dead = poison.iter().all(|body| bodies.contains(body.as_str()));
                let settled = found.undone.is_empty() && found.account.is_settled() && all_dead;
                looks = if settled { looks + 1 } else { 0 };
                if late || looks == LOOKS {
                    return Ok(found);
                }
            } else {
                looks = 0;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    #[expect(clippy::too_many_arguments, reason = "everything that is known of a scenario at its end")]
    fn outcome(
        &self,
        scenario: &Scenario,
        history: &History,
        refused: usize,
        windows: &[Window],
        injected: &[Injected],
        found: &Found,
        poison: &BTreeSet<String>,
        began: Instant,
    ) -> Outcome {
        let of_mail = |fault: &&Injected| fault.drops_answers && fault.service == "ses";
        let lost_answers = injected.iter().filter(of_mail).map(|fault| fault.calls).sum();
        let unexplained = found.account.unexplained(windows, lost_answers);
        let mut wrong = found.account.wrong.clone();
        wrong.extend(unexplained.iter().map(|doubled| {
            format!(
                "{} at {} and {}, while no answer was lost",
                doubled.what, doubled.first.at, doubled.second.at
            )
        }));
        wrong.extend(found.undone.iter().map(|(queue, left)| format!("{left} messages left on {queue}")));
        if refused > 0 {
            wrong.push(format!("{refused} events were not accepted by ingest"));
        }
        let is_known = |body: &str| poison.contains(body) || self.poison.contains(body);
        let others = found.dead.iter().filter(|dead| !is_known(&dead.body));
        wrong.extend(others.map(|dead| format!("{} holds {}", dead.queue, kind(&dead.body))));
        let bodies: BTreeSet<_> = found.dead.iter().map(|dead| dead.body.as_str()).collect();
        let mut lost = found.account.lost.clone();
        lost.extend(poison.iter().filter(|body| !bodies.contains(body.as_str())).cloned());
        Outcome {
            scenario: scenario.name.clone(),
            about: scenario.about.clone(),
            events: history.sends.len(),
            customers: history.customers.len(),
            calls_affected: injected.iter().map(|fault| fault.calls).sum(),
            processes: match &scenario.action {
                Action::Nothing => 0,
                Action::End(_, services) => services.len(),
                Action::Pause => windows.len(),
            },
            doubled: found.account.doubled.len() - unexplained.len(),
            dead_lettered: poison.iter().filter(|body| bodies.contains(body.as_str())).count(),
            lost,
            wrong,
            took: began.elapsed(),
        }
    }
}

/// The first customer numbers are those of no other test.
const PREFIX: u32 = 700_000;

/// Returns the type of the event in a dead letter, never its contents.
fn kind(body: &str) -> String {
    match envelope::Envelope::read(body) {
        Ok(received) => {
            format!("{} {}", received.envelope.event_type, received.envelope.metadata.event_id)
        }
        Err(_) => "a message that is no event".to_owned(),
    }
}

/// Returns the seed of one scenario, which is the same whichever others are run.
fn seed_of(seed: u64, scenario: &str) -> u64 {
    // FNV-1a
    let hash = scenario.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    seed ^ hash
}
