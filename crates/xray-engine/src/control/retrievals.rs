//! Retrievals of traces (<https://docs.aws.amazon.com/xray/latest/api/API_StartTraceRetrieval.html>).
//!
//! AWS searches a log group for the traces, which takes time. Here they are in the engine's store, so a retrieval is
//! complete as soon as it has started. It holds ids only, at most 100 by the model, and the traces are read when they are
//! listed.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};
use xray::TraceId;

use super::error::ControlError;

/// Retrievals kept; beyond it the oldest is forgotten. AWS documents no limit.
const MAX_RETRIEVALS: usize = 1_000;
/// How long a retrieval is kept, in seconds: "retrievals will time out after 60 minutes" (API reference).
const EXPIRY_S: f64 = 60.0 * 60.0;

/// `RetrievalStatus`. Those that a retrieval never has here are left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum RetrievalStatus {
    Complete,
    Cancelled,
}

/// A retrieval. Times are in epoch seconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Retrieval {
    token: String,
    pub(crate) status: RetrievalStatus,
    pub(crate) trace_ids: Vec<TraceId>,
    /// Traces that started at this time or later,
    pub(crate) from: f64,
    /// and no later than at this one.
    pub(crate) to: f64,
    started_at: f64,
}

/// The latest retrievals, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Retrievals(VecDeque<Retrieval>);

impl Retrievals {
    /// Starts a retrieval that is found by `token`.
    pub(crate) fn start(&mut self, token: &str, trace_ids: Vec<TraceId>, from: f64, to: f64, now: f64) {
        self.forget_expired(now);
        if self.0.len() >= MAX_RETRIEVALS {
            self.0.pop_front();
        }
        self.0.push_back(Retrieval {
            token: token.to_owned(),
            status: RetrievalStatus::Complete,
            trace_ids,
            from,
            to,
            started_at: now,
        });
    }

    /// Returns a retrieval that has not expired.
    pub(crate) fn find(&mut self, token: &str, now: f64) -> Result<&mut Retrieval, ControlError> {
        self.forget_expired(now);
        let found = self.0.iter_mut().find(|retrieval| retrieval.token == token);
        found.ok_or_else(|| ControlError::ResourceNotFound {
            message: "RetrievalToken is unknown or expired: start another retrieval, which lasts an hour"
                .to_owned(),
            resource: token.to_owned(),
        })
    }

    /// Cancels a retrieval. Nothing is found by it afterwards.
    pub(crate) fn cancel(&mut self, token: &str, now: f64) -> Result<(), ControlError> {
        let retrieval = self.find(token, now)?;
        retrieval.status = RetrievalStatus::Cancelled;
        retrieval.trace_ids = Vec::new();
        Ok(())
    }

    fn forget_expired(&mut self, now: f64) {
        while self.0.front().is_some_and(|oldest| now - oldest.started_at >= EXPIRY_S) {
            self.0.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn started(retrievals: &mut Retrievals, token: &str, now: f64) {
        retrievals.start(token, vec![TraceId::from_bytes([1; 16])], 0.0, 1.0, now);
    }

    #[test]
    fn a_retrieval_lasts_an_hour() {
        let mut retrievals = Retrievals::default();
        started(&mut retrievals, "a", 100.0);
        assert_eq!(retrievals.find("a", 3_699.9).unwrap().status, RetrievalStatus::Complete);
        let error = retrievals.find("a", 3_700.0).unwrap_err();
        assert!(matches!(error, ControlError::ResourceNotFound { resource, .. } if resource == "a"));
        assert!(retrievals.0.is_empty());
    }

    #[test]
    fn a_cancelled_retrieval_has_no_traces() {
        let mut retrievals = Retrievals::default();
        started(&mut retrievals, "a", 100.0);
        retrievals.cancel("a", 101.0).unwrap();
        let retrieval = retrievals.find("a", 102.0).unwrap();
        assert_eq!((retrieval.status, retrieval.trace_ids.len()), (RetrievalStatus::Cancelled, 0));
        retrievals.cancel("a", 103.0).unwrap();
        assert!(retrievals.cancel("b", 103.0).is_err());
    }

    #[test]
    fn the_oldest_of_too_many_is_forgotten() {
        let mut retrievals = Retrievals::default();
        for number in 0..=MAX_RETRIEVALS {
            started(&mut retrievals, &number.to_string(), 100.0);
        }
        assert!(retrievals.find("0", 100.0).is_err());
        assert!(retrievals.find("1", 100.0).is_ok());
        assert_eq!(retrievals.0.len(), MAX_RETRIEVALS);
    }
}
