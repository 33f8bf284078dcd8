//! The branch keys: made and unwrapped by KMS, kept in the table, and in memory for a bounded time.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use crate::branch_key::BranchKey;
use crate::key_error::KeyError;
use crate::key_table::KeyTable;
use crate::kms::{CALL_TIMEOUT, Kms};

/// Branch keys in memory: those of more than twenty years.
const CACHED: usize = 256;

/// The branch keys of an archive, one for each month.
#[derive(Debug)]
pub(crate) struct Branches {
    life: Duration,
    /// Locked while a key is looked for, so that many events that need it make one call.
    cached: Mutex<Cached>,
}

type Cached = HashMap<String, (Instant, Arc<BranchKey>)>;

impl Branches {
    /// Creates an empty cache of keys that live for `life`.
    pub(crate) fn new(life: Duration) -> Self {
        Self { life, cached: Mutex::default() }
    }

    /// Returns the key that wraps data keys at `now`, and makes it if it is the first of its month.
    pub(crate) async fn current(
        &self,
        table: &KeyTable,
        kms: &Kms,
        now: Timestamp,
    ) -> Result<Arc<BranchKey>, KeyError> {
        let name = now.strftime("%Y-%m").to_string();
        self.find(&name, async {
            if let Some(wrapped) = table.branch(&name).await? {
                return kms.unwrap_branch(&name, wrapped).await;
            }
            let (wrapped, made) = kms.generate_branch(&name).await?;
            if table.add_branch(&name, wrapped).await? {
                return Ok(made);
            }
            // Another task made it at the same time.
            let wrapped = table.branch(&name).await?.ok_or(KeyError::Contended)?;
            kms.unwrap_branch(&name, wrapped).await
        })
        .await
    }

    /// Returns the key with this name.
    pub(crate) async fn named(
        &self,
        table: &KeyTable,
        kms: &Kms,
        name: &str,
    ) -> Result<Arc<BranchKey>, KeyError> {
        self.find(name, async {
            let wrapped = table.branch(name).await?.ok_or(KeyError::Unreadable)?;
            kms.unwrap_branch(name, wrapped).await
        })
        .await
    }

    /// Returns the key from memory, or what `looked_for` finds, within the time of one call.
    async fn find(
        &self,
        name: &str,
        looked_for: impl Future<Output = Result<BranchKey, KeyError>> + Send,
    ) -> Result<Arc<BranchKey>, KeyError> {
        let found = async {
            let mut cached = self.cached.lock().await;
            cached.retain(|_, (since, _)| since.elapsed() < self.life);
            if let Some((_, key)) = cached.get(name) {
                return Ok(Arc::clone(key));
            }
            let key = Arc::new(looked_for.await?);
            if cached.len() >= CACHED {
                cached.clear();
            }
            cached.insert(name.to_owned(), (Instant::now(), Arc::clone(&key)));
            Ok(key)
        };
        timeout(CALL_TIMEOUT, found).await.map_err(|_| KeyError::TooLate)?
    }
}
