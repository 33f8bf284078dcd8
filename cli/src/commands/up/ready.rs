//! Waiting until every service says that it is ready.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::future::try_join_all;
use tokio::time::Instant;

use super::supervise::{State, Supervised};
use crate::failure::{Failure, USAGE};

/// How often a service that is not ready is asked again.
const AGAIN: Duration = Duration::from_millis(50);
/// A health answer takes no longer.
const ANSWER: Duration = Duration::from_secs(2);

/// Waits until `/health/ready` of every service is 200.
///
/// # Errors
/// When a service is not ready within `limit`, with the reason it gives; at once when a service refuses its settings,
/// which a restart does not change.
pub(super) async fn wait(
    services: &[Supervised],
    http: &reqwest::Client,
    limit: Duration,
) -> Result<(), Failure> {
    let deadline = Instant::now() + limit;
    try_join_all(services.iter().map(|service| one(service, http, deadline, limit))).await?;
    Ok(())
}

async fn one(
    service: &Supervised,
    http: &reqwest::Client,
    deadline: Instant,
    limit: Duration,
) -> Result<(), Failure> {
    let mut reason = "it has not said where it answers health questions".to_owned();
    loop {
        let state = service.state.borrow().clone();
        if let Some(ended) = &state.ended {
            if ended.code == Some(i32::from(USAGE)) {
                return Err(Failure::usage(format!(
                    "service {} refuses to start: {}",
                    service.name,
                    ended.reason()
                )));
            }
            reason = format!("it ended with {}", ended.reason());
        }
        if let Some(health) = state.said.health {
            match ask(http, health).await {
                Ok(()) => return Ok(()),
                Err(why) => reason = why,
            }
        }
        if Instant::now() >= deadline {
            let mut message =
                format!("service {} is not ready after {} s: {reason}", service.name, limit.as_secs());
            if let Some(complaint) = &state.said.complaint {
                message = format!("{message}; it last complained: {complaint}");
            }
            return Err(Failure::unavailable(message));
        }
        tokio::time::sleep(AGAIN).await;
    }
}

/// The address at which `service` takes its own traffic, once it is known.
pub(super) fn listening(state: &State) -> Option<SocketAddr> {
    state.said.listening
}

async fn ask(http: &reqwest::Client, health: SocketAddr) -> Result<(), String> {
    let answer =
        http.get(format!("http://{health}/health/ready")).timeout(ANSWER).send().await.map_err(|error| {
            format!("its health address {health} does not answer: {}", error.without_url())
        })?;
    let status = answer.status();
    if status.is_success() {
        return Ok(());
    }
    let body = answer.text().await.unwrap_or_default();
    Err(format!("its readiness is {}: {}", status.as_u16(), crate::style::printable(body.trim())))
}
