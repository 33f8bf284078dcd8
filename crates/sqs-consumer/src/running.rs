//! The running consumer: decides when to receive, starts a task for the messages of each receive, and drains on shutdown.

use std::sync::Arc;
use std::time::Duration;

use rand::rngs::StdRng;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use crate::circuit::{Admission, Change, Circuit, Trouble};
use crate::handler::AtLeastOnceHandler;
use crate::held::Held;
use crate::in_hand::InHand;
use crate::intake::{Permits, Polled, poll};
use crate::pollers::Pollers;
use crate::queue::{MAX_BATCH, Message, Queue, QueueError, Receive};
use crate::readiness::{OnHealth, OnWork, Readiness};
use crate::received::{Finished, Purpose, handle_all};
use crate::shared::Shared;
use outcome::describe;

/// The running consumer. One task owns all the state that decisions depend on; receives and their messages are separate tasks
/// that report back to it, so no decision needs a lock.
pub(crate) struct Running<Q: Queue, H> {
    shared: Arc<Shared<Q, H>>,
    permits: Arc<Permits>,
    in_hand: Arc<InHand>,
    polls: JoinSet<(Polled, Purpose)>,
    received: JoinSet<()>,
    ends: UnboundedReceiver<Vec<Finished>>,
    /// What the tasks of messages report their ends to.
    ends_to: UnboundedSender<Vec<Finished>>,
    pollers: Pollers,
    circuit: Circuit,
    /// Whether a probe is in flight, from its receive to the end of its message.
    probing: bool,
    receiving: Receiving,
    /// When the pause ends after a receive that was not full.
    next_receive: Option<Instant>,
    /// Ends the polls that wait for permits; replaced at the start of each pause.
    stop_waiting: CancellationToken,
    rng: StdRng,
    on_health: OnHealth,
    reported: Option<Readiness>,
    on_work: OnWork,
    at_work: bool,
}

/// The error of a shutdown that ran out of time with messages neither finished nor released.
pub(crate) struct DrainOverran {
    pub(crate) unsettled: usize,
}

/// Whether the last receive worked.
enum Receiving {
    Unknown,
    Works,
    Fails { failures: u32, since: Instant, until: Instant, code: String },
}

impl<Q: Queue, H: AtLeastOnceHandler> Running<Q, H> {
    pub(crate) fn new(shared: Arc<Shared<Q, H>>, on_health: OnHealth, on_work: OnWork) -> Self {
        let settings = &shared.settings;
        // No more than the messages in flight.
        let (ends_to, ends) = mpsc::unbounded_channel();
        Self {
            permits: Arc::new(Permits::new(settings.concurrency)),
            in_hand: Arc::clone(&shared.in_hand),
            polls: JoinSet::new(),
            received: JoinSet::new(),
            ends,
            ends_to,
            pollers: Pollers::new(settings.max_pollers),
            circuit: Circuit::new(settings.circuit, settings.brake),
            probing: false,
            receiving: Receiving::Unknown,
            next_receive: None,
            stop_waiting: CancellationToken::new(),
            rng: rand::make_rng(),
            on_health,
            reported: None,
            on_work,
            at_work: false,
            shared,
        }
    }

    pub(crate) async fn run(mut self, shutdown: CancellationToken) -> Result<(), DrainOverran> {
        loop {
            let paused_until = self.start_polls();
            let resume = async {
                match paused_until {
                    Some(until) => sleep_until(until).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                // In this order, so that a shutdown starts nothing more, and ends of messages reach the circuit before
                // more messages do.
                biased;
                () = shutdown.cancelled() => break,
                Some(finished) = self.ends.recv() => finished.into_iter().for_each(|one| self.finished(one)),
                Some(ended) = self.received.join_next() => self.ended(ended),
                Some(polled) = self.polls.join_next() => self.polled(polled),
                () = self.in_hand.eased() => {}
                () = resume => {}
            }
            self.report_work();
        }
        self.drain().await
    }

    /// Reports whether messages are in flight, if that has changed.
    fn report_work(&mut self) {
        let at_work = self.in_hand.messages() > 0;
        if at_work != self.at_work {
            self.at_work = at_work;
            (self.on_work)(at_work);
        }
    }

    /// Starts receives up to the wanted number. Returns the end of the pause if receiving pauses.
    fn start_polls(&mut self) -> Option<Instant> {
        let now = Instant::now();
        if let Receiving::Fails { until, .. } = self.receiving
            && now < until
        {
            return Some(until);
        }
        if !self.in_hand.has_room() {
            // The end of a message is what this waits for.
            return None;
        }
        match self.circuit.admits(now) {
            Admission::NothingUntil(until) => return Some(until),
            Admission::OneProbe if self.probing => {}
            Admission::OneProbe => {
                self.probing = true;
                self.start_poll(1, Purpose::Probe);
            }
            Admission::All => {
                if let Some(until) = self.next_receive.filter(|until| now < *until) {
                    return Some(until);
                }
                let most = MAX_BATCH.min(self.shared.settings.concurrency);
                while self.polls.len() < self.pollers.wanted() {
                    self.start_poll(most, Purpose::Work);
                }
            }
        }
        None
    }

    fn start_poll(&mut self, max: usize, purpose: Purpose) {
        let settings = &self.shared.settings;
        // Don't long-poll until the first receive has succeeded.
        let wait = if matches!(self.receiving, Receiving::Works) { settings.wait } else { Duration::ZERO };
        let request = Receive { max, wait, visibility: settings.visibility };
        let poll = poll(
            Arc::clone(&self.shared.queue),
            Arc::clone(&self.permits),
            request,
            self.stop_waiting.clone(),
        );
        self.polls.spawn(async move { (poll.await, purpose) });
    }

    /// Prepares a pause of receiving: stops the polls that have not requested messages yet, and resets the pollers, so
    /// that receiving resumes with one.
    fn pause(&mut self) {
        self.stop_waiting.cancel();
        self.stop_waiting = CancellationToken::new();
        self.pollers.reset();
        self.shared.metrics.pollers(self.pollers.wanted());
    }

    fn polled(&mut self, polled: Result<(Polled, Purpose), JoinError>) {
        let (polled, purpose) = match polled {
            Ok(polled) => polled,
            // A panic in the queue's implementation: neither fatal nor ignorable. Which poll it was is unknown, so a
            // probe counts as ended.
            Err(error) => {
                self.probing = false;
                return self.receive_failed(&QueueError::new("ReceiveMessage", "panic").because(error));
            }
        };
        match polled {
            Polled::Stopped => self.probing &= purpose != Purpose::Probe,
            Polled::Failed { error, took } => {
                self.probing &= purpose != Purpose::Probe;
                self.shared.metrics.call("receive", took, Some(&error.code));
                self.receive_failed(&error);
            }
            Polled::Received { requested, mut permits, messages, took } => {
                self.shared.metrics.received(requested, messages.len(), took);
                self.receive_worked();
                let admission = self.circuit.admits(Instant::now());
                if purpose == Purpose::Work && admission != Admission::All {
                    // Requested before the pause began, so these messages are returned until it ends. The delay is
                    // rounded up, since SQS takes whole seconds.
                    let delay = match admission {
                        Admission::NothingUntil(until) => until.duration_since(Instant::now()),
                        Admission::All | Admission::OneProbe => Duration::ZERO,
                    };
                    return self.release(messages, &mut permits, Duration::from_secs(delay.as_secs() + 1));
                }
                if purpose == Purpose::Probe && messages.is_empty() {
                    self.probing = false;
                    let change = self.circuit.found_none(Instant::now() - took);
                    self.apply(change);
                }
                if purpose == Purpose::Work {
                    self.pollers.observe(requested, messages.len());
                    // An empty receive has waited for longer than this pause.
                    let sparse = !messages.is_empty() && messages.len() < requested;
                    let pause = self.shared.settings.pause_between;
                    self.next_receive = (sparse && !pause.is_zero()).then(|| Instant::now() + pause);
                    self.shared.metrics.pollers(self.pollers.wanted());
                }
                self.start(messages, &mut permits, purpose);
            }
        }
    }

    /// Starts handling the messages of a receive.
    fn start(&mut self, messages: Vec<Message>, permits: &mut OwnedSemaphorePermit, purpose: Purpose) {
        if messages.is_empty() {
            return;
        }
        let received_at = self.shared.clock.now();
        let now = Instant::now();
        let mut held = Vec::with_capacity(messages.len());
        let mut surplus = Vec::new();
        for message in messages {
            let Some(permit) = permits.split(1) else {
                // The contract rules out more messages than requested, but losing one would be worse.
                surplus.push(message);
                continue;
            };
            let in_flight = Some(self.shared.in_flight.add(message.receipt.clone(), now));
            let weight = self.in_hand.add(message.body.len());
            held.push((message, Held::new(in_flight, weight, Some(permit))));
        }
        self.release(surplus, permits, Duration::ZERO);
        let ends = self.ends_to.clone();
        self.received.spawn(handle_all(Arc::clone(&self.shared), held, received_at, purpose, ends));
    }

    fn receive_failed(&mut self, error: &QueueError) {
        self.pause();
        let now = Instant::now();
        let (failures, since) = match self.receiving {
            Receiving::Fails { failures, since, .. } => (failures.saturating_add(1), since),
            Receiving::Works | Receiving::Unknown => (1, now),
        };
        let pause = self.shared.settings.receive_pause.pause(failures, &mut self.rng);
        if failures == 1 {
            // Logged once for as long as it lasts; metrics and the health check show the rest.
            tracing::error!(
                queue = self.shared.queue.name(),
                error = describe(error),
                "receiving failed: no messages are received until it works again"
            );
        }
        let code = error.code.clone();
        self.receiving = Receiving::Fails { failures, since, until: now + pause, code };
        self.report();
    }

    fn receive_worked(&mut self) {
        let before = std::mem::replace(&mut self.receiving, Receiving::Works);
        if let Receiving::Fails { failures, since, .. } = before {
            tracing::info!(
                queue = self.shared.queue.name(),
                failures,
                outage_s = since.elapsed().as_secs(),
                "receiving works again"
            );
        }
        self.report();
    }

    /// Notes the end of the task of one receive.
    fn ended(&mut self, ended: Result<(), JoinError>) {
        if let Err(error) = ended {
            // A bug in the consumer itself: a handler's panic is caught before it gets here.
            self.probing = false;
            tracing::error!(
                error = describe(&error),
                "the task of received messages failed: they become visible when their visibility timeout ends"
            );
        }
    }

    fn finished(&mut self, finished: Finished) {
        let Finished { message, signal, visible, purpose } = finished;
        self.probing &= purpose != Purpose::Probe;
        if let Some(visible) = visible {
            self.circuit.returned(visible);
        }
        let probe = purpose == Purpose::Probe;
        let change = self.circuit.record(&message, signal, probe, Instant::now(), &mut self.rng);
        self.apply(change);
    }

    /// Reports a change of the circuit, and does what follows from it.
    fn apply(&mut self, change: Option<Change>) {
        let Some(change) = change else { return };
        self.report_change(&change);
        match change {
            Change::Opened { .. } => {
                self.shared.rejections.paused(true);
                self.pause();
            }
            Change::StillOpen { .. } => {}
            Change::Closed { .. } | Change::Expired { .. } => self.shared.rejections.paused(false),
        }
        self.report();
    }

    fn report_change(&self, change: &Change) {
        let queue = self.shared.queue.name();
        match change {
            Change::Opened { trouble, pause } => {
                let Trouble { dependency, code, .. } = trouble;
                let pause_ms = millis(*pause);
                if trouble.is_brake() {
                    tracing::error!(queue, dependency, code, pause_ms, "brake engaged: receiving pauses");
                } else {
                    tracing::error!(queue, dependency, code, pause_ms, "circuit opened: receiving pauses");
                }
            }
            Change::StillOpen { trouble, pause } => {
                let Trouble { dependency, code, .. } = trouble;
                tracing::debug!(queue, dependency, code, pause_ms = millis(*pause), "probe failed");
            }
            Change::Closed { trouble } => {
                let Trouble { dependency, code, .. } = trouble;
                if trouble.is_brake() {
                    tracing::info!(queue, dependency, code, "brake released: receiving resumes");
                } else {
                    tracing::info!(queue, dependency, code, "circuit closed: receiving resumes");
                }
            }
            Change::Expired { trouble } => {
                let Trouble { dependency, code, .. } = trouble;
                tracing::info!(
                    queue,
                    dependency,
                    code,
                    "no message left to probe with: receiving resumes, and the next message decides"
                );
            }
        }
        let trouble = self.circuit.trouble();
        self.shared.metrics.circuit_open(trouble.is_some_and(|trouble| !trouble.is_brake()));
        self.shared.metrics.brake_engaged(trouble.is_some_and(Trouble::is_brake));
    }

    /// Reports readiness, if it has changed.
    fn report(&mut self) {
        let readiness = match (&self.receiving, self.circuit.trouble()) {
            (Receiving::Unknown, _) => return,
            (Receiving::Fails { code, .. }, _) => {
                Readiness::Down { reason: format!("receiving fails: {code}") }
            }
            (Receiving::Works, Some(trouble)) => Readiness::Down { reason: trouble.to_string() },
            (Receiving::Works, None) => Readiness::Up,
        };
        if self.reported.as_ref() != Some(&readiness) {
            (self.on_health)(readiness.clone());
            self.reported = Some(readiness);
        }
    }

    /// Returns unhandled messages to the queue, visible again after `delay`.
    fn release(&mut self, messages: Vec<Message>, permits: &mut OwnedSemaphorePermit, delay: Duration) {
        if messages.is_empty() {
            return;
        }
        self.shared.metrics.released(messages.len());
        self.circuit.returned(Instant::now() + delay);
        for message in messages {
            let weight = self.in_hand.add(message.body.len());
            let held = Held::new(None, weight, permits.split(1));
            self.shared.return_to_queue(message.receipt, delay, held);
        }
    }

    /// Waits for messages in flight to finish, and releases those that don't finish in time.
    async fn drain(mut self) -> Result<(), DrainOverran> {
        let started = Instant::now();
        let (drain, last) = (self.shared.settings.drain, self.shared.settings.settle_timeout);
        let in_flight = self.in_hand.messages();
        tracing::info!(queue = self.shared.queue.name(), in_flight, "draining");
        // Only polls without a receive in flight end here. A receive in flight is waited for: SQS has already hidden
        // the messages it returns, and only their receipts can make them visible again.
        self.stop_waiting.cancel();
        let in_hand = Arc::clone(&self.in_hand);
        while !self.polls.is_empty() || in_hand.messages() > 0 {
            tokio::select! {
                biased;
                Some(polled) = self.polls.join_next() => {
                    if let Ok((Polled::Received { messages, mut permits, .. }, _)) = polled {
                        self.release(messages, &mut permits, Duration::ZERO);
                    }
                }
                () = in_hand.eased() => {}
                () = sleep_until(started + drain) => break,
            }
        }
        if !self.polls.is_empty() {
            tracing::warn!(
                receives = self.polls.len(),
                "a receive was cut off: messages in transit become visible when their visibility timeout ends"
            );
            self.polls.shutdown().await;
        }
        // Handlers still running are dropped, and their messages are released at once.
        self.shared.grace_over.cancel();
        let settled = timeout(last, in_hand.until_empty()).await;
        let unsettled = in_hand.messages();
        self.received.shutdown().await;
        if settled.is_err() && unsettled > 0 {
            return Err(DrainOverran { unsettled });
        }
        self.report_work();
        tracing::info!(queue = self.shared.queue.name(), drain_ms = millis(started.elapsed()), "drained");
        Ok(())
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
