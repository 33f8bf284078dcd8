//! A whole life inside this process: signals reach all of it, so it has a test binary to itself.

use std::process::ExitCode;
use std::sync::{Arc, Mutex};

use nix::sys::signal::{Signal, raise};
use service_runtime::{Environment, Runtime};

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_asks_the_service_to_end_and_a_second_life_in_the_process_is_refused() {
    let environment = Environment::from_pairs([
        ("HEALTH_ADDRESS", "127.0.0.1:0"),
        ("AWS_REGION", "eu-central-1"),
        ("AWS_ACCESS_KEY_ID", "local"),
        ("AWS_SECRET_ACCESS_KEY", "local"),
        ("OTEL_SDK_DISABLED", "true"),
        ("SHUTDOWN_GRACE_S", "60"),
    ]);
    let drained = Arc::new(Mutex::new(false));
    let done = drained.clone();
    let code =
        service_runtime::run("shop", "test", "0.0.0", environment.clone(), async move |runtime: Runtime| {
            runtime.health.ready();
            assert!(runtime.health.is_ready());
            raise(Signal::SIGTERM)?;
            runtime.shutdown.cancelled().await;
            assert!(!runtime.health.is_ready());
            *done.lock().unwrap() = true;
            Ok(())
        })
        .await;
    assert_eq!(format!("{code:?}"), format!("{:?}", ExitCode::SUCCESS));
    assert!(*drained.lock().unwrap());

    let again = service_runtime::run("shop", "test", "0.0.0", environment, async |_| Ok(())).await;
    assert_eq!(format!("{again:?}"), format!("{:?}", ExitCode::from(70)));

    let wrong = Environment::from_pairs([("HEALTH_ADDRESS", "nowhere")]);
    let refused = service_runtime::run("shop", "test", "0.0.0", wrong, async |_| Ok(())).await;
    assert_eq!(format!("{refused:?}"), format!("{:?}", ExitCode::from(64)));
}
