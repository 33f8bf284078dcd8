//! Sent mail, kept in memory for people and tests to inspect.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

/// Most mails kept; beyond that the oldest are dropped.
const KEPT: usize = 100_000;

/// A mail as `GET /_local/mail` lists it.
#[derive(Clone, Serialize)]
pub(crate) struct Mail {
    pub(crate) message_id: String,
    /// When it was accepted, RFC 3339.
    pub(crate) timestamp: String,
    pub(crate) from: String,
    pub(crate) to: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) cc: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) bcc: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) reply_to: Vec<String>,
    pub(crate) subject: Option<String>,
    pub(crate) text: Option<String>,
    pub(crate) html: Option<String>,
    /// The whole message, if it was sent raw.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) raw: Option<String>,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) headers: BTreeMap<String, String>,
}

/// Oldest first.
#[derive(Default)]
pub(super) struct Sent(Mutex<VecDeque<Mail>>);

impl Sent {
    pub(super) fn keep(&self, mail: Mail) {
        let mut mails = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if mails.len() == KEPT {
            mails.pop_front();
        }
        mails.push_back(mail);
    }

    pub(super) fn all(&self) -> Vec<Mail> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    pub(super) fn forget(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}
