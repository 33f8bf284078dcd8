//! The data keys of customers, kept in a table: wrapped by a branch key, or, older ones, by KMS itself.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Semaphore;
use uuid::Uuid;

use crate::branch_key::branch_of;
use crate::branches::Branches;
use crate::cache::Cache;
use crate::data_key::DataKey;
use crate::domain::Line;
use crate::key_error::KeyError;
use crate::key_table::{KeyTable, WrappedKey};
use crate::kms::Kms;

/// Whom the key of events about no customer belongs to.
const NOBODY: &str = "nobody";
/// Keys in memory, each of a few hundred bytes.
const CACHED: usize = 10_000;
/// Keys that are looked for at once. Hundreds of events may wait for their batch, and so many calls at a time would only make
/// each of them slow, beyond its timeout.
const AT_ONCE: usize = 16;
/// How often a key is looked for that another task makes or removes at the same time.
const ATTEMPTS: u32 = 4;

/// Where the keys are, and how they are wrapped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySettings {
    /// `ARCHIVE_KEYS_TABLE_NAME`.
    pub table: String,
    /// `ARCHIVE_KEY_ID`: the key of KMS.
    pub key_id: String,
    /// `ARCHIVE_KEY_LIFE_S`, 300: how long an unwrapped data key stays in memory.
    pub life: Duration,
    /// `ARCHIVE_BRANCH_KEYS`: whether branch keys wrap data keys. Those that are wrapped either way are read in any case.
    pub branch_keys: bool,
    /// `ARCHIVE_BRANCH_KEY_LIFE_S`, 3,600: how long an unwrapped branch key stays in memory.
    pub branch_life: Duration,
}

/// The data keys of customers.
///
/// The table is read consistently for each event, and only what was unwrapped is kept in memory, under the key's id. So an
/// erasure counts for every task at once, and no event is encrypted with a key that had been removed before.
#[derive(Debug)]
pub struct Keys {
    table: KeyTable,
    kms: Kms,
    branches: Branches,
    wraps_with_branches: bool,
    cache: Cache,
    lookups: Semaphore,
}

impl Keys {
    /// Creates the keys of an archive.
    #[must_use]
    pub fn new(dynamodb: aws_clients::DynamoDb, kms: aws_sdk_kms::Client, settings: KeySettings) -> Self {
        Self {
            table: KeyTable::new(dynamodb, settings.table),
            kms: Kms::new(kms, settings.key_id),
            branches: Branches::new(settings.branch_life),
            wraps_with_branches: settings.branch_keys,
            cache: Cache::new(CACHED, settings.life),
            lookups: Semaphore::new(AT_ONCE),
        }
    }

    /// Returns the key for an event about a customer that occurred at `occurred_at`, and makes one if there is none. `None` if
    /// the customer has been erased since the event.
    pub(crate) async fn of_event(
        &self,
        customer_number: Option<&str>,
        occurred_at: Timestamp,
    ) -> Result<Option<Arc<DataKey>>, KeyError> {
        // Never closed.
        let _permit = self.lookups.acquire().await.ok();
        for _ in 0..ATTEMPTS {
            let stored = self.table.get(customer_number).await?;
            if stored.covers(occurred_at) {
                return Ok(None);
            }
            if let Some(wrapped) = stored.key {
                if let Some(key) = self.cache.get(wrapped.id) {
                    return Ok(Some(key));
                }
                let material = self.unwrap(customer_number, &wrapped).await?;
                self.rewrap(customer_number, &wrapped, &material).await?;
                return self.keep(wrapped.id, &material).map(Some);
            }
            let (wrapped, material) = self.generate(customer_number).await?;
            if self.table.add(customer_number, &wrapped, occurred_at).await? {
                return self.keep(wrapped.id, &material).map(Some);
            }
        }
        Err(KeyError::Contended)
    }

    /// Returns the key with which the data of a line can be decrypted. `None` if the line has no data, or the customer was
    /// erased, and the key with it.
    ///
    /// # Errors
    /// [`KeyError`].
    pub async fn of_line(&self, line: &Line) -> Result<Option<Arc<DataKey>>, KeyError> {
        let Some(sealed) = &line.data else { return Ok(None) };
        let customer_number = line.customer_number.as_deref();
        let stored = self.table.get(customer_number).await?;
        let Some(wrapped) = stored.key.filter(|key| key.id == sealed.key_id) else { return Ok(None) };
        if let Some(key) = self.cache.get(wrapped.id) {
            return Ok(Some(key));
        }
        let material = self.unwrap(customer_number, &wrapped).await?;
        self.keep(wrapped.id, &material).map(Some)
    }

    /// Removes the key of a customer who was erased at `erased_at`, for good.
    pub(crate) async fn erase(&self, customer_number: &str, erased_at: Timestamp) -> Result<(), KeyError> {
        if let Some(id) = self.table.erase(customer_number, erased_at).await? {
            self.cache.remove(id);
        }
        Ok(())
    }

    fn keep(&self, id: Uuid, material: &[u8]) -> Result<Arc<DataKey>, KeyError> {
        let key = Arc::new(DataKey::new(id, material)?);
        self.cache.put(&key);
        Ok(key)
    }

    async fn unwrap(&self, customer_number: Option<&str>, wrapped: &WrappedKey) -> Result<Vec<u8>, KeyError> {
        let customer = customer_number.unwrap_or(NOBODY);
        match branch_of(&wrapped.ciphertext) {
            Some(name) => {
                let branch = self.branches.named(&self.table, &self.kms, name).await?;
                Ok(branch.unwrap(customer, &wrapped.ciphertext)?)
            }
            None => self.kms.unwrap_data_key(customer, wrapped.ciphertext.clone()).await,
        }
    }

    /// Has a branch key wrap what KMS wrapped itself, so that KMS need not be asked for it again. If the customer's key has
    /// changed meanwhile, nothing is written.
    async fn rewrap(
        &self,
        customer_number: Option<&str>,
        wrapped: &WrappedKey,
        material: &[u8],
    ) -> Result<(), KeyError> {
        if !self.wraps_with_branches || branch_of(&wrapped.ciphertext).is_some() {
            return Ok(());
        }
        let branch = self.branches.current(&self.table, &self.kms, Timestamp::now()).await?;
        let rewrapped = branch.wrap(customer_number.unwrap_or(NOBODY), material)?;
        self.table.replace(customer_number, wrapped, rewrapped).await
    }

    async fn generate(&self, customer_number: Option<&str>) -> Result<(WrappedKey, Vec<u8>), KeyError> {
        let (id, customer) = (Uuid::new_v4(), customer_number.unwrap_or(NOBODY));
        if self.wraps_with_branches {
            let branch = self.branches.current(&self.table, &self.kms, Timestamp::now()).await?;
            let material = branch.generate()?;
            let ciphertext = branch.wrap(customer, &material)?;
            return Ok((WrappedKey { id, ciphertext }, material.to_vec()));
        }
        let made = self.kms.generate_data_key(customer).await?;
        Ok((WrappedKey { id, ciphertext: made.wrapped }, made.plaintext))
    }
}
