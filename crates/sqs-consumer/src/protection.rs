//! Keeps ECS from stopping a task that has long work in flight.
//!
//! ECS allows a task on Fargate at most two minutes to stop, and a handler may need longer. Such a task requests
//! protection from the ECS agent while it has messages in flight, and ends the protection when it has none
//! ([task scale-in protection](https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-scale-in-protection-endpoint.html)).
//! A message received just before the protection takes effect may be released by the drain and handled elsewhere: that
//! costs time, but loses nothing.

use std::time::Duration;

use serde_json::json;
use service_runtime::Runtime;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use outcome::describe;

/// The longest `stopTimeout` on Fargate.
const LONGEST_STOP: Duration = Duration::from_mins(2);
/// How long the agent may take to respond.
const CALL_LIMIT: Duration = Duration::from_secs(5);
/// How long the protection outlasts the last message, so that a gap between two messages causes no calls.
const LINGER: Duration = Duration::from_secs(30);
/// The pause after a failed call.
const PAUSE: Duration = Duration::from_secs(10);
/// The longest protection ECS grants, in minutes.
const LONGEST_MINUTES: u64 = 2_880;

/// The task's protection, requested for as long as messages are in flight.
pub(crate) struct ScaleInProtection {
    at_work: watch::Sender<bool>,
    following: JoinHandle<()>,
}

impl ScaleInProtection {
    /// Starts the protection. Returns `None` outside ECS, and for a service whose messages take no longer than ECS
    /// allows a task to stop.
    pub(crate) fn of(runtime: &Runtime, max_processing: Duration) -> Option<Self> {
        let agent = runtime.environment.get("ECS_AGENT_URI").filter(|_| max_processing > LONGEST_STOP)?;
        Some(Self::start(agent, max_processing))
    }

    fn start(agent: &str, max_processing: Duration) -> Self {
        let (at_work, work) = watch::channel(false);
        let minutes = (max_processing.as_secs().div_ceil(60) + 1).min(LONGEST_MINUTES);
        let agent = Agent {
            http: reqwest::Client::new(),
            url: format!("{}/task-protection/v1/state", agent.trim_end_matches('/')),
        };
        Self { at_work, following: tokio::spawn(follow(agent, minutes, work)) }
    }

    /// Returns the function to which the consumer reports whether messages are in flight.
    pub(crate) fn reporter(&self) -> impl Fn(bool) + Send + Sync + use<> {
        let at_work = self.at_work.clone();
        move |now| {
            at_work.send_replace(now);
        }
    }

    /// Ends the protection.
    pub(crate) async fn end(self) {
        let Self { at_work, following } = self;
        drop(at_work);
        // Each call to the agent is bounded; if this times out, the task has nothing left to protect anyway.
        drop(timeout(CALL_LIMIT * 2, following).await);
    }
}

/// The granter of protection; a trait so that tests can record the calls.
trait Protect: Send + 'static {
    /// Protects the task for this many minutes, or ends its protection if `None`.
    fn protect(&self, minutes: Option<u64>) -> impl Future<Output = Result<(), reqwest::Error>> + Send;
}

/// The ECS agent of the task.
struct Agent {
    http: reqwest::Client,
    url: String,
}

impl Protect for Agent {
    async fn protect(&self, minutes: Option<u64>) -> Result<(), reqwest::Error> {
        let body = match minutes {
            Some(minutes) => json!({"ProtectionEnabled": true, "ExpiresInMinutes": minutes}),
            None => json!({"ProtectionEnabled": false}),
        };
        let answer = self.http.put(&self.url).json(&body).timeout(CALL_LIMIT).send().await?;
        answer.error_for_status().map(drop)
    }
}

/// The result of waiting for work to end.
enum Work {
    Continues,
    Ended,
    ConsumerGone,
}

/// Protects the task for as long as it has work, until the consumer is gone.
async fn follow(agent: impl Protect, minutes: u64, mut work: watch::Receiver<bool>) {
    let mut protected = false;
    let mut logged = false;
    while work.wait_for(|at_work| *at_work).await.is_ok() {
        let result = agent.protect(Some(minutes)).await;
        let pause = if result.is_ok() {
            protected = true;
            // Renews at half the time, so that the protection never lapses while work goes on.
            Duration::from_secs(minutes * 30)
        } else {
            PAUSE
        };
        log_once(&result, &mut logged);
        match end_of_work(Instant::now() + pause, &mut work).await {
            // If the protection cannot be ended, it expires by itself.
            Work::Ended if protected => {
                log_once(&agent.protect(None).await, &mut logged);
                protected = false;
            }
            Work::Continues | Work::Ended => {}
            Work::ConsumerGone => break,
        }
    }
    if protected {
        log_once(&agent.protect(None).await, &mut logged);
    }
}

/// Waits until work has ended and no more has arrived for [`LINGER`], but no longer than `limit`.
async fn end_of_work(limit: Instant, work: &mut watch::Receiver<bool>) -> Work {
    loop {
        tokio::select! {
            () = sleep_until(limit) => return Work::Continues,
            ended = work.wait_for(|at_work| !*at_work) => if ended.is_err() { return Work::ConsumerGone },
        }
        tokio::select! {
            () = sleep(LINGER) => return Work::Ended,
            begun = work.wait_for(|at_work| *at_work) => if begun.is_err() { return Work::ConsumerGone },
        }
    }
}

/// Logs a failure once for as long as it lasts.
fn log_once(result: &Result<(), reqwest::Error>, logged: &mut bool) {
    match result {
        Ok(()) => *logged = false,
        Err(_) if *logged => {}
        Err(error) => {
            *logged = true;
            tracing::warn!(
                error = describe(error),
                "scale-in protection not set: a task with long-running messages in flight may be stopped"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    /// The second of a request, and the minutes of protection it requested.
    type Request = (u64, Option<u64>);

    #[derive(Clone, Default)]
    struct Requests(Arc<Mutex<Vec<Request>>>);

    struct Recording {
        requests: Requests,
        begun: Instant,
    }

    impl Protect for Recording {
        async fn protect(&self, minutes: Option<u64>) -> Result<(), reqwest::Error> {
            self.requests.0.lock().unwrap().push((self.begun.elapsed().as_secs(), minutes));
            Ok(())
        }
    }

    fn followed() -> (Requests, watch::Sender<bool>, JoinHandle<()>) {
        let requests = Requests::default();
        let (at_work, work) = watch::channel(false);
        let agent = Recording { requests: requests.clone(), begun: Instant::now() };
        (requests, at_work, tokio::spawn(follow(agent, 11, work)))
    }

    #[tokio::test(start_paused = true)]
    async fn the_task_is_protected_while_at_work_and_a_little_longer() {
        let (requests, at_work, following) = followed();
        sleep(Duration::from_secs(5)).await;
        at_work.send_replace(true);
        sleep(Duration::from_secs(400)).await;
        at_work.send_replace(false);
        // A gap between two messages does not end the protection.
        sleep(Duration::from_secs(20)).await;
        at_work.send_replace(true);
        sleep(Duration::from_secs(1)).await;
        at_work.send_replace(false);
        sleep(Duration::from_mins(10)).await;
        drop(at_work);
        following.await.unwrap();
        let requests = requests.0.lock().unwrap();
        assert_eq!(*requests, [(5, Some(11)), (335, Some(11)), (456, None)]);
    }

    #[tokio::test(start_paused = true)]
    async fn the_protection_ends_with_the_consumer() {
        let (requests, at_work, following) = followed();
        at_work.send_replace(true);
        sleep(Duration::from_secs(3)).await;
        drop(at_work);
        following.await.unwrap();
        assert_eq!(*requests.0.lock().unwrap(), [(0, Some(11)), (3, None)]);
    }

    #[tokio::test]
    async fn the_agent_is_called_as_ecs_documents() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let agent = format!("http://{}/api/token", listener.local_addr().unwrap());
        let protection = ScaleInProtection::start(&agent, Duration::from_secs(601));
        protection.reporter()(true);
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = Vec::new();
        while !request.ends_with(b"}") {
            assert_ne!(stream.read_buf(&mut request).await.unwrap(), 0);
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").await.unwrap();
        let request = String::from_utf8(request).unwrap();
        assert!(request.starts_with("PUT /api/token/task-protection/v1/state HTTP/1.1\r\n"), "{request}");
        assert!(
            request.ends_with("\r\n\r\n{\"ExpiresInMinutes\":12,\"ProtectionEnabled\":true}"),
            "{request}"
        );
    }
}
