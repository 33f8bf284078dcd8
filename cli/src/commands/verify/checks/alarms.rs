//! Creates every alarm of the layer, without its actions.

use anyhow::anyhow;

use super::super::assumptions::ALARMS;
use super::super::bench::Bench;
use super::super::finding::Finding;
use super::super::full::Full;
use super::super::stack::{Settled, is_denied};

pub(super) async fn check(bench: &Bench) -> Vec<Finding> {
    match &bench.full {
        Some(full) => vec![Finding::from_result(ALARMS, accepted(full).await)],
        None => Vec::new(),
    }
}

async fn accepted(full: &Full) -> anyhow::Result<Finding> {
    for stack in &full.alarms {
        stack.begin().await?;
    }
    for stack in &full.alarms {
        if let Settled::NotCreated { reasons, .. } = stack.settled().await? {
            if is_denied(&reasons) {
                return Err(anyhow!(reasons));
            }
            return Ok(Finding::does_not_hold(ALARMS, reasons));
        }
    }
    let stacks = full.alarms.len();
    Ok(Finding::holds(
        ALARMS,
        format!("all were created, in {stacks} {}", if stacks == 1 { "stack" } else { "stacks" }),
    ))
}
