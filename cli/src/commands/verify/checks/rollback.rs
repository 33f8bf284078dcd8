//! Lets the creation of a service's data fail, and creates the same again under the same names.

use anyhow::anyhow;

use super::super::assumptions::ROLLBACK;
use super::super::bench::Bench;
use super::super::finding::Finding;
use super::super::full::Full;
use super::super::stack::{Settled, is_denied};

/// The status of a stack whose creation was undone.
const UNDONE: &str = "ROLLBACK_COMPLETE";

pub(super) async fn check(bench: &Bench) -> Vec<Finding> {
    match &bench.full {
        Some(full) => vec![Finding::from_result(ROLLBACK, undone(full).await)],
        None => Vec::new(),
    }
}

async fn undone(full: &Full) -> anyhow::Result<Finding> {
    full.failing.begin().await?;
    match full.failing.settled().await? {
        Settled::Created => {
            return Err(anyhow!("the stack was created, although one of its resources must fail"));
        }
        // If another resource fails first, not everything was there to be undone.
        Settled::NotCreated { reasons, .. } if !reasons.starts_with("Fails: ") => {
            return Err(anyhow!(reasons));
        }
        Settled::NotCreated { status, .. } if status != UNDONE => {
            return Ok(Finding::does_not_hold(ROLLBACK, format!("the stack ended as {status}")));
        }
        Settled::NotCreated { .. } => {}
    }
    let left = full.failing.left().await?;
    full.failing.remove().await?;
    if !left.is_empty() {
        let left: Vec<_> = left.iter().map(ToString::to_string).collect();
        return Ok(Finding::does_not_hold(ROLLBACK, format!("the rollback left {}", left.join(", "))));
    }
    full.again.begin().await?;
    let again = full.again.settled().await?;
    full.again.remove().await?;
    match again {
        Settled::NotCreated { reasons, .. } if is_denied(&reasons) => Err(anyhow!(reasons)),
        Settled::NotCreated { reasons, .. } => {
            Ok(Finding::does_not_hold(ROLLBACK, format!("the names cannot be used again: {reasons}")))
        }
        Settled::Created => Ok(Finding::holds(ROLLBACK, "everything was undone, and created again")),
    }
}
