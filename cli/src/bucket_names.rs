//! The names of an environment's buckets, which have the account and the region in them.

use aws_clients::{AwsError, service};
use aws_config::SdkConfig;

/// What the names of buckets end with.
#[derive(Debug)]
pub(crate) struct BucketNames {
    account_id: String,
    region: String,
}

impl BucketNames {
    /// Asks STS for the account.
    ///
    /// # Errors
    /// When STS cannot be reached, or refuses the call.
    pub(crate) async fn of(config: &SdkConfig) -> Result<Self, AwsError> {
        let identity = aws_sdk_sts::Client::new(config).get_caller_identity().send().await;
        let identity = identity.map_err(|error| AwsError::of(service::STS, "GetCallerIdentity", error))?;
        Ok(Self {
            account_id: identity.account.unwrap_or_default(),
            region: config.region().map(ToString::to_string).unwrap_or_default(),
        })
    }

    /// Returns the name of the bucket with this physical name.
    pub(crate) fn name(&self, physical: &str) -> String {
        topology::bucket_name(physical, &self.account_id, &self.region)
    }
}
