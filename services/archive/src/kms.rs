//! What the archive asks of KMS: keys, wrapped with the archive's key and tied to their purpose by the encryption context.

use std::collections::HashMap;
use std::time::Duration;

use aws_clients::{AwsError, service};
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::DataKeySpec;
use topology::Key;

use crate::branch_key::BranchKey;
use crate::domain::NAME;
use crate::key_error::KeyError;

/// How long a call to KMS or S3 may take with all its attempts. An object may have a few megabytes.
pub(crate) const CALL_TIMEOUT: Duration = Duration::from_secs(12);

/// The entry of the encryption context that ties a data key to its customer.
const CUSTOMER: &str = "customer";
/// The entry that ties a branch key to its name.
const BRANCH: &str = "branch";

/// KMS, with the archive's key.
#[derive(Clone, Debug)]
pub(crate) struct Kms {
    client: aws_sdk_kms::Client,
    key_id: String,
}

/// A key that KMS made: wrapped, and as it is. It has no `Debug`.
pub(crate) struct Made {
    pub(crate) wrapped: Vec<u8>,
    pub(crate) plaintext: Vec<u8>,
}

impl Kms {
    pub(crate) fn new(client: aws_sdk_kms::Client, key_id: String) -> Self {
        Self { client, key_id }
    }

    /// Makes a customer's data key.
    pub(crate) async fn generate_data_key(&self, customer: &str) -> Result<Made, KeyError> {
        self.generate(CUSTOMER, customer).await
    }

    /// Unwraps a customer's data key.
    pub(crate) async fn unwrap_data_key(
        &self,
        customer: &str,
        wrapped: Vec<u8>,
    ) -> Result<Vec<u8>, KeyError> {
        self.decrypt(CUSTOMER, customer, wrapped).await
    }

    /// Makes a branch key. Returns it wrapped, and as it is.
    pub(crate) async fn generate_branch(&self, name: &str) -> Result<(Vec<u8>, BranchKey), KeyError> {
        let made = self.generate(BRANCH, name).await?;
        Ok((made.wrapped, BranchKey::new(name, &made.plaintext)?))
    }

    /// Unwraps a branch key.
    pub(crate) async fn unwrap_branch(&self, name: &str, wrapped: Vec<u8>) -> Result<BranchKey, KeyError> {
        Ok(BranchKey::new(name, &self.decrypt(BRANCH, name, wrapped).await?)?)
    }

    async fn generate(&self, purpose: &str, of: &str) -> Result<Made, KeyError> {
        let generate = self
            .client
            .generate_data_key()
            .key_id(&self.key_id)
            .key_spec(DataKeySpec::Aes256)
            .set_encryption_context(Some(context(purpose, of)));
        let answer = Box::pin(generate.send()).await;
        let answer = answer.map_err(|error| AwsError::of(service::KMS, "GenerateDataKey", error))?;
        let bytes = |blob: Option<Blob>| blob.map(Blob::into_inner).unwrap_or_default();
        Ok(Made { wrapped: bytes(answer.ciphertext_blob), plaintext: bytes(answer.plaintext) })
    }

    async fn decrypt(&self, purpose: &str, of: &str, wrapped: Vec<u8>) -> Result<Vec<u8>, KeyError> {
        let decrypt = self
            .client
            .decrypt()
            .key_id(&self.key_id)
            .set_encryption_context(Some(context(purpose, of)))
            .ciphertext_blob(Blob::new(wrapped));
        let answer = Box::pin(decrypt.send()).await;
        let answer = answer.map_err(|error| AwsError::of(service::KMS, "Decrypt", error))?;
        Ok(answer.plaintext.map(Blob::into_inner).unwrap_or_default())
    }
}

fn context(purpose: &str, of: &str) -> HashMap<String, String> {
    HashMap::from([(Key::SERVICE.to_owned(), NAME.to_owned()), (purpose.to_owned(), of.to_owned())])
}
