//! The objects that the service archive stores.

use std::io::{BufRead as _, BufReader};

use anyhow::Context as _;
use archive::domain::Line;
use aws_clients::{AwsError, service};
use aws_config::SdkConfig;
use aws_sdk_s3::Client;
use flate2::read::MultiGzDecoder;
use topology::Resources;

use crate::bucket_names::BucketNames;

/// The objects of an environment's archive.
#[derive(Debug)]
pub(crate) struct ArchiveObjects {
    client: Client,
    bucket: String,
}

impl ArchiveObjects {
    /// Finds the bucket, whose name has account and region in it.
    ///
    /// # Errors
    /// When STS cannot be reached, or refuses the call.
    pub(crate) async fn of(config: &SdkConfig, resources: &Resources) -> Result<Self, AwsError> {
        let bucket = BucketNames::of(config).await?.name(&resources.physical_name(archive::BUCKET));
        Ok(Self { client: aws_clients::untraced_s3(config), bucket })
    }

    /// Returns the keys that begin with `prefix`, such as that of an hour.
    ///
    /// # Errors
    /// When S3 cannot be reached or refuses the call.
    pub(crate) async fn keys(&self, prefix: &str) -> Result<Vec<String>, AwsError> {
        let list = self.client.list_objects_v2().bucket(&self.bucket).prefix(prefix);
        let mut pages = list.into_paginator().send();
        let mut keys = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| AwsError::of(service::S3, "ListObjectsV2", error))?;
            keys.extend(page.contents.unwrap_or_default().into_iter().filter_map(|object| object.key));
        }
        Ok(keys)
    }

    /// Returns the lines of an object.
    ///
    /// # Errors
    /// When S3 cannot be reached or refuses the call, or it is not what the archive writes.
    pub(crate) async fn lines(&self, key: &str) -> anyhow::Result<Vec<Line>> {
        let got = self.client.get_object().bucket(&self.bucket).key(key).send().await;
        let got = got.map_err(|error| AwsError::of(service::S3, "GetObject", error))?;
        let body = got.body.collect().await.with_context(|| format!("object {key} cannot be read"))?;
        let body = body.into_bytes();
        let lines = BufReader::new(MultiGzDecoder::new(body.as_ref())).lines();
        lines
            .map(|line| {
                let line = line.with_context(|| format!("object {key} cannot be decompressed"))?;
                serde_json::from_str(&line)
                    .with_context(|| format!("object {key} has a line that is no event"))
            })
            .collect()
    }
}
