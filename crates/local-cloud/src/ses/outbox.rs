//! Accepting mail: the checks that depend on the account, and the message id.

use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::account::{Account, Fate};
use super::address::bare_address;
use super::configuration_sets::{ConfigurationSet, ConfigurationSets};
use super::draft::Draft;
use super::event::{self, Kind};
use super::mail::{Mail, Sent};
use super::place::Place;
use super::refusal::Refusal;
use crate::events::{Buses, ServiceEvent};
use crate::settings::Settings;

/// An account, what it has sent, and where the events about its mails go.
pub(super) struct Outbox {
    pub(super) account: Account,
    pub(super) sets: ConfigurationSets,
    pub(super) sent: Sent,
    pub(super) place: Place,
    accepted: AtomicU64,
    buses: Buses,
    tasks: TaskTracker,
}

impl Outbox {
    pub(super) fn new(settings: &Settings, sent: Sent, buses: Buses, tasks: TaskTracker) -> Self {
        Self {
            account: Account::default(),
            sets: ConfigurationSets::default(),
            sent,
            place: Place::new(settings),
            accepted: AtomicU64::new(0),
            buses,
            tasks,
        }
    }

    /// Accepts a mail and returns its message id. AWS refuses unverified recipients besides while an account is in the
    /// sandbox; this account is not.
    pub(super) fn send(&self, draft: Draft) -> Result<String, Refusal> {
        if !self.account.may_send() {
            return Err(Refusal::Paused);
        }
        let mut mail = draft.into_mail()?;
        let set = self.set_of(&mail)?;
        let sender = bare_address(&mail.from);
        let Some(identity) = self.account.identity_of(sender) else {
            let (senders, region) = (vec![sender.to_owned()], self.place.region.clone());
            return Err(Refusal::NotVerified { senders, region });
        };
        let fates: Vec<_> = mail
            .recipients()
            .map(bare_address)
            .map(|address| (address.to_owned(), self.account.fate(address)))
            .collect();
        let (message_id, now) = (message_id(), Timestamp::now());
        mail.feedback =
            fates.iter().filter_map(|(address, fate)| Some((address.clone(), fate.feedback()?))).collect();
        mail.message_id.clone_from(&message_id);
        mail.timestamp = event::written(now);
        if let Some(set) = set {
            self.publish(&set, &mail, &identity, &fates, now);
        }
        self.keep(mail);
        Ok(message_id)
    }

    /// Returns the configuration set that a mail names, if it names one.
    fn set_of(&self, mail: &Mail) -> Result<Option<ConfigurationSet>, Refusal> {
        let Some(name) = &mail.configuration_set else { return Ok(None) };
        match self.sets.get(name) {
            None => Err(Refusal::NoConfigurationSet(name.clone())),
            Some(set) if !set.may_send => Err(Refusal::ConfigurationSetPaused(name.clone())),
            Some(set) => Ok(Some(set)),
        }
    }

    /// Publishes what becomes of a mail, to each enabled destination that wants it. As on AWS, the sender does not wait for
    /// that.
    fn publish(
        &self,
        set: &ConfigurationSet,
        mail: &Mail,
        identity: &str,
        fates: &[(String, Fate)],
        now: Timestamp,
    ) {
        let wanting = |kind: Kind| {
            let enabled = set.destinations.values().filter(|destination| destination.enabled);
            enabled.filter(move |it| it.event_types.iter().any(|name| name == kind.matching))
        };
        let name = mail.configuration_set.as_deref().unwrap_or_default();
        let mut published = Vec::new();
        let is_wanted = |kind| wanting(kind).next().is_some();
        for (kind, detail) in event::events(mail, identity, fates, &self.place, now, is_wanted) {
            for _ in wanting(kind) {
                published.push(ServiceEvent {
                    source: "aws.ses",
                    detail_type: kind.detail_type,
                    resources: vec![self.place.arn("configuration-set", name)],
                    detail: detail.clone(),
                });
            }
        }
        if published.is_empty() {
            return;
        }
        let buses = self.buses.clone();
        self.tasks.spawn(async move {
            for event in &published {
                buses.put_of_service(event).await;
            }
        });
    }

    fn keep(&self, mail: Mail) {
        self.accepted.fetch_add(1, Ordering::Relaxed);
        self.sent.keep(mail);
    }

    /// Returns how many mails were accepted since the start.
    #[expect(clippy::cast_precision_loss, reason = "SES's quotas are floating-point numbers")]
    pub(super) fn accepted(&self) -> f64 {
        self.accepted.load(Ordering::Relaxed) as f64
    }
}

/// Returns an id like SES's: `<16 hexadecimal digits>-<UUID>-000000`.
fn message_id() -> String {
    let id = Uuid::new_v4();
    let (first, _) = id.as_u64_pair();
    format!("{first:016x}-{}-000000", Uuid::new_v4())
}
