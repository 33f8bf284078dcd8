//! The services of the cloud, and how they are connected.

use std::net::SocketAddr;
use std::sync::Arc;

use metrics_engine::Metrics;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::apns::Apns;
use crate::audit::AuditLog;
use crate::dynamodb::DynamoDb;
use crate::events::Events;
use crate::faults::Faults;
use crate::kms::Kms;
use crate::models::Models;
use crate::pipes::Pipes;
use crate::s3::S3;
use crate::ses::{Sent, Ses};
use crate::settings::Settings;
use crate::sns::Sns;
use crate::sqs::Sqs;
use crate::webhook::Webhook;

#[derive(Debug)]
pub(crate) struct Cloud {
    pub(crate) account_id: String,
    pub(crate) models: Models,
    pub(crate) sqs: Sqs,
    pub(crate) sns: Sns,
    pub(crate) events: Events,
    pub(crate) dynamodb: DynamoDb,
    pub(crate) ses: Ses,
    pub(crate) pipes: Pipes,
    pub(crate) s3: S3,
    pub(crate) kms: Kms,
    pub(crate) faults: Arc<Faults>,
    pub(crate) audit: AuditLog,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) webhook: Webhook,
    pub(crate) apns: Apns,
    pub(crate) stop: CancellationToken,
}

impl Cloud {
    /// Creates all services. `address` is where clients reach them; queue URLs contain it. `mails` are
    /// those that were sent before.
    pub(crate) fn new(
        settings: &Settings,
        address: SocketAddr,
        mails: Sent,
        stop: CancellationToken,
        tasks: TaskTracker,
    ) -> Arc<Self> {
        let faults = Arc::new(Faults::default());
        let sqs = Sqs::new(settings, address, stop.clone(), tasks.clone());
        let sns = Sns::new(settings, address, sqs.queues(), tasks.clone());
        let events = Events::new(settings, sqs.queues(), sns.publisher(), stop.clone(), tasks.clone());
        let dynamodb = DynamoDb::new(settings, stop.clone(), &tasks);
        let pipes = Pipes::new(
            settings,
            dynamodb.streams(),
            events.buses(),
            sqs.queues(),
            Arc::clone(&faults),
            stop.clone(),
            tasks.clone(),
        );
        let ses = Ses::new(settings, mails, events.buses(), tasks);
        Arc::new(Self {
            account_id: settings.account_id.clone(),
            models: Models::default(),
            sqs,
            sns,
            events,
            dynamodb,
            ses,
            pipes,
            s3: S3::new(settings),
            kms: Kms::new(settings),
            faults,
            audit: AuditLog::new(settings),
            metrics: Arc::default(),
            webhook: Webhook::new(&settings.webhook_secrets),
            apns: Apns::default(),
            stop,
        })
    }

    pub(crate) fn is_ready(&self) -> bool {
        !self.stop.is_cancelled()
    }
}
