//! What services have stored in S3: the archive, and wallet passes.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Cursor;

use anyhow::Context as _;
use aws_clients::{AwsError, service};
use aws_config::SdkConfig;
use serde_json::Value;
use tokio::sync::Mutex;
use topology::Resources;
use uuid::Uuid;
use wallet::domain::serial::Serial;
use zip::ZipArchive;

use crate::archive_objects::ArchiveObjects;
use crate::bucket_names::BucketNames;

/// The objects of the layer under test.
#[derive(Debug)]
pub(super) struct Objects {
    client: aws_sdk_s3::Client,
    passes: String,
    archive: ArchiveObjects,
    /// An object of the archive never changes, so each is read once.
    read: Mutex<Read>,
}

#[derive(Debug, Default)]
struct Read {
    keys: BTreeSet<String>,
    events: BTreeSet<Uuid>,
}

impl Objects {
    /// Finds the buckets.
    ///
    /// # Errors
    /// When STS does not answer.
    pub(super) async fn of(config: &SdkConfig, resources: &Resources) -> Result<Self, AwsError> {
        let passes = resources.physical_name(wallet::BUCKET);
        Ok(Self {
            client: aws_clients::untraced_s3(config),
            passes: BucketNames::of(config).await?.name(&passes),
            archive: ArchiveObjects::of(config, resources).await?,
            read: Mutex::default(),
        })
    }

    /// Returns the ids of all events in the archive.
    ///
    /// # Errors
    /// When S3 does not answer, or an object is not what the archive writes.
    pub(super) async fn archived(&self) -> anyhow::Result<BTreeSet<Uuid>> {
        let mut read = self.read.lock().await;
        for key in self.archive.keys("").await? {
            if !read.keys.contains(&key) {
                let lines = self.archive.lines(&key).await?;
                read.events.extend(lines.iter().map(|line| line.metadata.event_id));
                read.keys.insert(key);
            }
        }
        Ok(read.events.clone())
    }

    /// Returns the `pass.json` of those of the customers who have a pass.
    ///
    /// # Errors
    /// When S3 does not answer, or an object is no pass.
    pub(super) async fn passes(&self, customers: &BTreeSet<&str>) -> anyhow::Result<BTreeMap<String, Value>> {
        let mut passes = BTreeMap::new();
        for customer in customers {
            let key = Serial::of(&customer.parse()?).key();
            let got = match self.client.get_object().bucket(&self.passes).key(&key).send().await {
                Err(error) if error.as_service_error().is_some_and(|error| error.is_no_such_key()) => {
                    continue;
                }
                got => got.map_err(|error| AwsError::of(service::S3, "GetObject", error))?,
            };
            let package = got.body.collect().await.with_context(|| format!("pass {key} cannot be read"))?;
            let mut package = ZipArchive::new(Cursor::new(package.into_bytes()))?;
            let pass = package.by_name("pass.json").with_context(|| format!("{key} is no pass"))?;
            passes.insert((*customer).to_owned(), serde_json::from_reader(pass)?);
        }
        Ok(passes)
    }
}
