//! What failures of the guards mean for a message.

use idempotency::{ClaimError, CommitError, Fault, FaultKind};
use sqs_consumer::Failure;

const DYNAMODB: &str = "DynamoDB";

pub(crate) fn of_commit(error: CommitError) -> Failure {
    let error = match error {
        CommitError::Fault(fault) => return of_fault(fault),
        error => error,
    };
    let failure = if error.is_permanent() {
        Failure::permanent(error.reason())
    } else {
        Failure::transient(error.reason())
    };
    // Contention concerns one item; messages about others need not wait for it.
    let failure = if error.is_outage() { failure.on(DYNAMODB) } else { failure };
    failure.because(error)
}

pub(crate) fn of_claim(error: ClaimError) -> Failure {
    match error {
        ClaimError::Fault(fault) => of_fault(fault),
        error @ ClaimError::Unreadable { .. } => Failure::permanent("claim-unreadable").because(error),
        error @ ClaimError::Lost { .. } => Failure::transient("claimed-by-another").because(error),
    }
}

fn of_fault(fault: Fault) -> Failure {
    match fault.kind() {
        FaultKind::Throttled | FaultKind::Unavailable => Failure::transient(fault.reason()).on(DYNAMODB),
        FaultKind::Rejected => Failure::permanent(fault.reason()),
    }
    .because(fault)
}
