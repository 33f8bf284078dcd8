//! The ARNs of what an account has in a Region.

/// An account and a Region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    region: String,
    account_id: String,
}

impl Place {
    pub(crate) fn new(region: impl Into<String>, account_id: impl Into<String>) -> Self {
        Self { region: region.into(), account_id: account_id.into() }
    }

    /// Returns the ARN of a group; `id` tells it from earlier ones of its name.
    pub(crate) fn group(&self, name: &str, id: &str) -> String {
        self.arn(&format!("group/{name}/{id}"))
    }

    /// Returns the ARN of the default group, which alone has no id.
    pub(crate) fn default_group(&self) -> String {
        self.arn("group/Default")
    }

    /// Returns the ARN of a sampling rule.
    pub(crate) fn sampling_rule(&self, name: &str) -> String {
        self.arn(&format!("sampling-rule/{name}"))
    }

    fn arn(&self, resource: &str) -> String {
        format!("arn:aws:xray:{}:{}:{resource}", self.region, self.account_id)
    }
}
