//! The data keys of customers: made and unwrapped by KMS, kept in a table.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use aws_clients::{AwsError, service};
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::DataKeySpec;
use jiff::Timestamp;
use tokio::sync::Semaphore;
use topology::Key;
use uuid::Uuid;

use crate::cache::Cache;
use crate::data_key::DataKey;
use crate::domain::{Line, NAME};
use crate::key_error::KeyError;
use crate::key_table::{KeyTable, WrappedKey};

/// The entry of KMS's encryption context that ties a wrapped key to its customer.
const CUSTOMER: &str = "customer";
/// Keys in memory, each of a few hundred bytes.
const CACHED: usize = 10_000;
/// Keys that are looked for at once. Hundreds of events may wait for their batch, and so many calls at a time would only make
/// each of them slow, beyond its timeout.
const AT_ONCE: usize = 16;
/// How often a key is looked for that another task makes or removes at the same time.
const ATTEMPTS: u32 = 4;

/// Where the keys are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySettings {
    /// `ARCHIVE_KEYS_TABLE_NAME`.
    pub table: String,
    /// `ARCHIVE_KEY_ID`: the key of KMS that wraps the data keys.
    pub key_id: String,
    /// `ARCHIVE_KEY_LIFE_S`, 300: how long an unwrapped data key stays in memory.
    pub life: Duration,
}

/// The data keys of customers.
///
/// The table is read consistently for each event, and only what KMS unwraps is kept in memory, under the key's id. So an erasure
/// counts for every task at once, and no event is encrypted with a key that had been removed before.
#[derive(Debug)]
pub struct Keys {
    table: KeyTable,
    kms: aws_sdk_kms::Client,
    key_id: String,
    cache: Cache,
    lookups: Semaphore,
}

impl Keys {
    /// Creates the keys of an archive.
    #[must_use]
    pub fn new(dynamodb: aws_sdk_dynamodb::Client, kms: aws_sdk_kms::Client, settings: KeySettings) -> Self {
        let KeySettings { table, key_id, life } = settings;
        Self {
            table: KeyTable::new(dynamodb, table),
            kms,
            key_id,
            cache: Cache::new(CACHED, life),
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
                return self.unwrap(customer_number, wrapped).await.map(Some);
            }
            let (wrapped, made) = self.generate(customer_number).await?;
            if self.table.add(customer_number, &wrapped, occurred_at).await? {
                let made = Arc::new(made);
                self.cache.put(&made);
                return Ok(Some(made));
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
        match stored.key.filter(|key| key.id == sealed.key_id) {
            Some(wrapped) => self.unwrap(customer_number, wrapped).await.map(Some),
            None => Ok(None),
        }
    }

    /// Removes the key of a customer who was erased at `erased_at`, for good.
    pub(crate) async fn erase(&self, customer_number: &str, erased_at: Timestamp) -> Result<(), KeyError> {
        if let Some(id) = self.table.erase(customer_number, erased_at).await? {
            self.cache.remove(id);
        }
        Ok(())
    }

    async fn unwrap(
        &self,
        customer_number: Option<&str>,
        wrapped: WrappedKey,
    ) -> Result<Arc<DataKey>, KeyError> {
        if let Some(key) = self.cache.get(wrapped.id) {
            return Ok(key);
        }
        let decrypt = self
            .kms
            .decrypt()
            .key_id(&self.key_id)
            .set_encryption_context(Some(context(customer_number)))
            .ciphertext_blob(Blob::new(wrapped.ciphertext));
        let answer = Box::pin(decrypt.send()).await;
        let answer = answer.map_err(|error| AwsError::of(service::KMS, "Decrypt", error))?;
        let key = Arc::new(DataKey::new(wrapped.id, plaintext(answer.plaintext.as_ref()))?);
        self.cache.put(&key);
        Ok(key)
    }

    async fn generate(&self, customer_number: Option<&str>) -> Result<(WrappedKey, DataKey), KeyError> {
        let generate = self
            .kms
            .generate_data_key()
            .key_id(&self.key_id)
            .key_spec(DataKeySpec::Aes256)
            .set_encryption_context(Some(context(customer_number)));
        let answer = Box::pin(generate.send()).await;
        let answer = answer.map_err(|error| AwsError::of(service::KMS, "GenerateDataKey", error))?;
        let id = Uuid::new_v4();
        let key = DataKey::new(id, plaintext(answer.plaintext.as_ref()))?;
        let ciphertext = answer.ciphertext_blob.map(Blob::into_inner).unwrap_or_default();
        Ok((WrappedKey { id, ciphertext }, key))
    }
}

fn plaintext(blob: Option<&Blob>) -> &[u8] {
    blob.map(AsRef::as_ref).unwrap_or_default()
}

fn context(customer_number: Option<&str>) -> HashMap<String, String> {
    HashMap::from([
        (Key::SERVICE.to_owned(), NAME.to_owned()),
        (CUSTOMER.to_owned(), customer_number.unwrap_or("nobody").to_owned()),
    ])
}
