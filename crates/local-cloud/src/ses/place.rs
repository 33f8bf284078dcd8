//! The account and region that SES's resources are in.

use crate::settings::Settings;

#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) region: String,
    pub(super) account_id: String,
}

impl Place {
    pub(super) fn new(settings: &Settings) -> Self {
        Self { region: settings.region.clone(), account_id: settings.account_id.clone() }
    }

    pub(super) fn arn(&self, kind: &str, name: &str) -> String {
        format!("arn:aws:ses:{}:{}:{kind}/{name}", self.region, self.account_id)
    }

    /// Returns the ARN of the account's default bus.
    pub(super) fn default_bus(&self) -> String {
        format!("arn:aws:events:{}:{}:event-bus/default", self.region, self.account_id)
    }
}
