//! Serves an X-Ray until it is interrupted, and prints where:
//!
//! ```console
//! $ cargo run -p xray-engine --example serve
//! AWS_ENDPOINT_URL_XRAY=http://127.0.0.1:41007
//! OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:41008
//! ```
//!
//! An argument is the address of the first; without one, the system chooses a port. So
//! `aws --endpoint-url http://127.0.0.1:2000 xray get-groups` works after `serve 127.0.0.1:2000`, where samplers look for
//! the rules.

use std::error::Error;
use std::io::Write as _;
use std::net::SocketAddr;

use tokio::net::TcpListener;
use xray_engine::{Engine, Settings};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let any: SocketAddr = ([127, 0, 0, 1], 0).into();
    let address = std::env::args().nth(1).map_or(Ok(any), |address| address.parse())?;
    let engine = Engine::new(Settings::default())?;
    let api = TcpListener::bind(address).await?;
    let otlp = TcpListener::bind(any).await?;
    let mut out = std::io::stdout();
    writeln!(out, "AWS_ENDPOINT_URL_XRAY=http://{}", api.local_addr()?)?;
    writeln!(out, "OTEL_EXPORTER_OTLP_ENDPOINT=http://{}", otlp.local_addr()?)?;
    out.flush()?;
    tokio::select! {
        served = axum::serve(api, engine.api_endpoint()) => served?,
        served = axum::serve(otlp, engine.otlp_router()) => served?,
        interrupted = tokio::signal::ctrl_c() => interrupted?,
    }
    Ok(())
}
