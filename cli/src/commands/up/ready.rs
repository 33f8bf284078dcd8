//! Waits until every service is ready.

use std::time::Duration;

use futures_util::future::try_join_all;
use tokio::time::Instant;

use super::supervise::Supervised;
use crate::failure::{Failure, USAGE};
use crate::{layer, service_addresses};

/// The pause between two readiness checks of a service.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// Waits until `/health/ready` of every service returns 200.
///
/// # Errors
/// When a service is not ready within `limit`, with the reason it reports; at once if a service refuses its settings,
/// because a restart does not change them.
pub(super) async fn wait(
    services: &[Supervised],
    http: &reqwest::Client,
    limit: Duration,
) -> Result<(), Failure> {
    let deadline = Instant::now() + limit;
    try_join_all(services.iter().map(|service| one(service, http, deadline, limit))).await?;
    Ok(())
}

/// Whether a service answers HTTP requests.
fn listens(name: &str) -> bool {
    layer::find(name).is_some_and(|service| (service.topology)().http().is_some())
}

async fn one(
    service: &Supervised,
    http: &reqwest::Client,
    deadline: Instant,
    limit: Duration,
) -> Result<(), Failure> {
    let mut reason = "it has not reported its health address".to_owned();
    loop {
        let state = service.state.borrow().clone();
        if let Some(ended) = &state.ended {
            if ended.code == Some(i32::from(USAGE)) {
                return Err(Failure::usage(format!(
                    "service {} refused to start: {}",
                    service.name,
                    ended.reason()
                )));
            }
            reason = format!("it ended with {}", ended.reason());
        }
        if let Some(health) = state.report.addresses.health {
            match service_addresses::ready(http, health).await {
                // Its file of addresses may be read a moment after it answers.
                Ok(()) if listens(service.name) && state.report.addresses.listening.is_none() => {
                    "it has not reported its address".clone_into(&mut reason);
                }
                Ok(()) => return Ok(()),
                Err(why) => reason = why,
            }
        }
        if Instant::now() >= deadline {
            let mut message =
                format!("service {} is not ready after {} s: {reason}", service.name, limit.as_secs());
            if let Some(last_error) = &state.report.last_error {
                message = format!("{message}; its last error: {last_error}");
            }
            return Err(Failure::unavailable(message));
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}
