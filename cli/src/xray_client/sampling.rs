//! Reads and changes X-Ray's sampling rules.

use aws_sdk_xray::types::{SamplingRule, SamplingRuleUpdate, SamplingStatisticSummary};

use super::XRay;

impl XRay {
    /// Returns all sampling rules, in the order of evaluation: by priority, then by name.
    ///
    /// # Errors
    /// When X-Ray cannot be queried.
    pub(crate) async fn sampling_rules(&self) -> anyhow::Result<Vec<SamplingRule>> {
        let mut pages = self.client.get_sampling_rules().into_paginator().send();
        let mut rules = Vec::new();
        while let Some(page) = pages.next().await {
            let records = page.map_err(|error| self.failure(&error))?.sampling_rule_records;
            rules.extend(records.unwrap_or_default().into_iter().filter_map(|record| record.sampling_rule));
        }
        rules.sort_by(|a, b| a.priority.cmp(&b.priority).then_with(|| a.rule_name.cmp(&b.rule_name)));
        Ok(rules)
    }

    /// Returns what samplers have recently reported, for each rule and window of ten seconds.
    ///
    /// # Errors
    /// When X-Ray cannot be queried.
    pub(crate) async fn sampling_statistics(&self) -> anyhow::Result<Vec<SamplingStatisticSummary>> {
        let mut pages = self.client.get_sampling_statistic_summaries().into_paginator().send();
        let mut summaries = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| self.failure(&error))?;
            summaries.extend(page.sampling_statistic_summaries.unwrap_or_default());
        }
        Ok(summaries)
    }

    /// Creates a sampling rule.
    ///
    /// # Errors
    /// When X-Ray cannot be reached, or refuses it.
    pub(crate) async fn create_sampling_rule(&self, rule: SamplingRule) -> anyhow::Result<()> {
        let call = self.client.create_sampling_rule().sampling_rule(rule);
        call.send().await.map_err(|error| self.failure(&error))?;
        Ok(())
    }

    /// Updates a sampling rule. What is absent stays as it is.
    ///
    /// # Errors
    /// When X-Ray cannot be reached, or refuses the update.
    pub(crate) async fn update_sampling_rule(&self, update: SamplingRuleUpdate) -> anyhow::Result<()> {
        let call = self.client.update_sampling_rule().sampling_rule_update(update);
        call.send().await.map_err(|error| self.failure(&error))?;
        Ok(())
    }

    /// Deletes a sampling rule.
    ///
    /// # Errors
    /// When X-Ray cannot be reached, or has no such rule.
    pub(crate) async fn delete_sampling_rule(&self, name: &str) -> anyhow::Result<()> {
        let call = self.client.delete_sampling_rule().rule_name(name);
        call.send().await.map_err(|error| self.failure(&error))?;
        Ok(())
    }
}
