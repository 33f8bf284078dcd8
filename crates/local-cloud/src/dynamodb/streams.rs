//! The streams of tables: rustack's store, with a signal that saves readers from polling.

use std::sync::Arc;

use rustack_dynamodb_core::stream::{ChangeEvent, StreamEmitter, StreamLifecycle};
use rustack_dynamodbstreams_core::config::DynamoDBStreamsConfig;
use rustack_dynamodbstreams_core::emitter::{DynamoDBStreamEmitter, DynamoDBStreamLifecycleManager};
use rustack_dynamodbstreams_core::provider::RustackDynamoDBStreams;
use rustack_dynamodbstreams_core::storage::{StreamChangeRecord, StreamStore};
use tokio::sync::watch;

use crate::settings::Settings;

/// All streams; cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Streams {
    store: Arc<StreamStore>,
    written: watch::Sender<()>,
    region: String,
    account_id: String,
}

/// Consecutive records of a stream.
#[derive(Debug)]
pub(crate) struct Records {
    pub(crate) shard_id: String,
    pub(crate) records: Vec<StreamChangeRecord>,
}

impl Streams {
    pub(super) fn new(settings: &Settings) -> Self {
        Self {
            store: Arc::new(StreamStore::new()),
            written: watch::Sender::new(()),
            region: settings.region.clone(),
            account_id: settings.account_id.clone(),
        }
    }

    pub(super) fn emitter(&self) -> Arc<dyn StreamEmitter> {
        Arc::new(Signalling {
            inner: DynamoDBStreamEmitter::new(Arc::clone(&self.store), self.region.clone()),
            written: self.written.clone(),
        })
    }

    pub(super) fn lifecycle(&self) -> Arc<dyn StreamLifecycle> {
        Arc::new(DynamoDBStreamLifecycleManager::new(
            Arc::clone(&self.store),
            self.region.clone(),
            self.account_id.clone(),
        ))
    }

    pub(super) fn provider(&self) -> Arc<RustackDynamoDBStreams> {
        Arc::new(RustackDynamoDBStreams::new(
            Arc::clone(&self.store),
            DynamoDBStreamsConfig {
                default_region: self.region.clone(),
                default_account_id: self.account_id.clone(),
                ..DynamoDBStreamsConfig::default()
            },
        ))
    }

    /// Returns a receiver that is notified of every write to any stream. Subscribe before reading, and no write is missed.
    pub(crate) fn written(&self) -> watch::Receiver<()> {
        self.written.subscribe()
    }

    /// Returns how many records a stream has so far, or `None` if there is no such stream.
    pub(crate) fn end(&self, arn: &str) -> Option<usize> {
        let stream = self.store.get_stream_by_arn(arn)?;
        let end = stream.shard.read().records.len();
        Some(end)
    }

    /// Returns up to `most` records, starting at the `from`th, or `None` if there is no such stream.
    pub(crate) fn read(&self, arn: &str, from: usize, most: usize) -> Option<Records> {
        let stream = self.store.get_stream_by_arn(arn)?;
        let shard = stream.shard.read();
        let end = shard.records.len();
        let from = from.min(end);
        let records = shard.records.range(from..end.min(from + most)).cloned().collect();
        Some(Records { shard_id: shard.shard_id.clone(), records })
    }
}

struct Signalling {
    inner: DynamoDBStreamEmitter,
    written: watch::Sender<()>,
}

impl StreamEmitter for Signalling {
    fn emit(&self, event: ChangeEvent) {
        self.inner.emit(event);
        self.written.send_replace(());
    }
}
