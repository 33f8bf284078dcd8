//! Queries X-Ray for the service map.

use std::time::SystemTime;

use anyhow::Context as _;
use aws_sdk_xray::primitives::DateTime;
use aws_sdk_xray::types::Service;

use super::{AHEAD, BATCH, RANGE, XRay};
use crate::service_map::ServiceMap;

impl XRay {
    /// Returns the map of the traces of a group, or of all traces, that started since `from`. Ranges longer than X-Ray
    /// answers at once are queried in parts.
    ///
    /// # Errors
    /// When X-Ray cannot be queried, or has no such group.
    pub(crate) async fn map(&self, group: Option<&str>, from: SystemTime) -> anyhow::Result<ServiceMap> {
        let mut map = ServiceMap::default();
        let mut end = SystemTime::now() + AHEAD;
        while end > from {
            let start = from.max(end - RANGE);
            let call = self.client.get_service_graph().set_group_name(group.map(str::to_owned));
            let call = call.start_time(DateTime::from(start)).end_time(DateTime::from(end));
            let mut pages = call.into_paginator().send();
            let mut services: Vec<Service> = Vec::new();
            while let Some(page) = pages.next().await {
                services.extend(page.map_err(|error| self.failure(&error))?.services.unwrap_or_default());
            }
            map.add(&services);
            end = start;
        }
        Ok(map)
    }

    /// Returns the map of these traces.
    ///
    /// # Errors
    /// When X-Ray cannot be queried.
    pub(crate) async fn map_of(&self, ids: &[String]) -> anyhow::Result<ServiceMap> {
        let mut map = ServiceMap::default();
        for batch in ids.chunks(BATCH) {
            let call = self.client.get_trace_graph().set_trace_ids(Some(batch.to_vec()));
            let mut pages = call.into_paginator().send();
            let mut services: Vec<Service> = Vec::new();
            while let Some(page) = pages.next().await {
                let page = page.map_err(|error| self.failure(&error));
                let page = page.context("the map of the traces cannot be read")?;
                services.extend(page.services.unwrap_or_default());
            }
            map.add(&services);
        }
        Ok(map)
    }
}
