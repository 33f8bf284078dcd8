//! X-Ray's sampling rules, kept up to date by a task.

use tokio::runtime::Handle;
use tracing::Dispatch;
use tracing::instrument::WithSubscriber as _;
use xray_sampler::{HttpTransport, Poller, PollerHandle};

use crate::error::StartError;
use crate::sampler::ByRules;

/// A poller that does not run yet.
pub(crate) type RulesPoller = Poller<HttpTransport>;

/// Creates the poller of a sampler's rules.
pub(crate) fn poller(rules: &ByRules) -> Result<RulesPoller, StartError> {
    let transport = HttpTransport::new(&rules.setting.endpoint)?;
    Ok(Poller::new(&rules.sampler, transport).with_interval(rules.setting.interval))
}

/// A running poller, which ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Polling(PollerHandle);

impl Polling {
    /// Starts a poller as a task of the current runtime. Its log lines go to `dispatch`.
    pub(crate) fn start(poller: RulesPoller, dispatch: &Dispatch) -> Result<Self, StartError> {
        let runtime = Handle::try_current().map_err(|_| StartError::NoRuntime)?;
        let handle = poller.handle();
        runtime.spawn(poller.run().with_subscriber(dispatch.clone()));
        Ok(Self(handle))
    }
}

impl Drop for Polling {
    fn drop(&mut self) {
        self.0.stop();
    }
}
