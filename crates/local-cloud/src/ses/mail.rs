//! Sent mail, kept for people and tests to inspect: in memory and, with a data directory, in a file that the next start
//! reads.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use crate::journal::Journal;

/// What a mail takes in memory besides its texts: its fields, and the allocator's share of each.
const OVERHEAD_BYTES: usize = 1_000;

/// What became of a mail at a recipient that does not just read it.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Feedback {
    /// The recipient answered automatically.
    Reply,
    /// The recipient's server refused it.
    Bounce,
    /// The recipient called it spam.
    Complaint,
    /// The recipient is on the suppression list, so it was not sent.
    Suppressed,
}

/// A mail as `GET /_local/mail` lists it.
#[derive(Clone, Default, Deserialize, Serialize)]
pub(crate) struct Mail {
    pub(crate) message_id: String,
    /// When it was accepted, RFC 3339.
    pub(crate) timestamp: String,
    pub(crate) from: String,
    pub(crate) to: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) cc: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) bcc: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) reply_to: Vec<String>,
    pub(crate) subject: Option<String>,
    pub(crate) text: Option<String>,
    pub(crate) html: Option<String>,
    /// The whole message, if it was sent raw.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) raw: Option<String>,
    pub(crate) tags: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) configuration_set: Option<String>,
    pub(crate) headers: BTreeMap<String, String>,
    /// By recipient, for those who did not just receive it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) feedback: BTreeMap<String, Feedback>,
}

impl std::fmt::Debug for Mail {
    /// Leaves out everything but the id: the rest is names, addresses and texts.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mail").field("message_id", &self.message_id).finish_non_exhaustive()
    }
}

impl Mail {
    /// Returns all recipients.
    pub(super) fn recipients(&self) -> impl Iterator<Item = &str> {
        [&self.to, &self.cc, &self.bcc].into_iter().flatten().map(String::as_str)
    }

    /// Returns about how many bytes it takes in memory.
    fn bytes(&self) -> usize {
        let lists = [&self.to, &self.cc, &self.bcc, &self.reply_to].into_iter().flatten();
        let texts =
            [&self.subject, &self.text, &self.html, &self.raw, &self.configuration_set].into_iter().flatten();
        let pairs = self.tags.iter().chain(&self.headers).flat_map(|(name, value)| [name, value]);
        OVERHEAD_BYTES + lists.chain(texts).chain(pairs).map(String::len).sum::<usize>()
    }
}

/// The mails that were sent. Beyond its limit in bytes, the oldest are dropped.
pub(crate) struct Sent {
    max_bytes: usize,
    journal: Option<Journal>,
    kept: Mutex<Kept>,
}

/// Oldest first.
#[derive(Default)]
struct Kept {
    mails: VecDeque<Arc<Mail>>,
    bytes: usize,
}

impl Kept {
    fn push(&mut self, mail: Mail, max_bytes: usize) {
        self.bytes += mail.bytes();
        self.mails.push_back(Arc::new(mail));
        // The newest one always stays.
        while self.bytes > max_bytes && self.mails.len() > 1 {
            if let Some(oldest) = self.mails.pop_front() {
                self.bytes -= oldest.bytes();
            }
        }
    }
}

impl Sent {
    /// Returns the mails of earlier runs in the directory, if one is given; keeps about `max_bytes` in memory, and as
    /// much in the file.
    pub(crate) fn open(directory: Option<&Path>, max_bytes: usize) -> io::Result<Self> {
        let mut kept = Kept::default();
        let journal = match directory {
            Some(directory) => Some(Journal::open(directory, "mails", max_bytes, |line| {
                // A line of another version is skipped.
                if let Ok(mail) = serde_json::from_str(line) {
                    kept.push(mail, max_bytes);
                }
            })?),
            None => None,
        };
        Ok(Self { max_bytes, journal, kept: Mutex::new(kept) })
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn keep(&self, mail: Mail) {
        if let Some(journal) = &self.journal
            && let Ok(line) = serde_json::to_string(&mail)
        {
            journal.append(&line);
        }
        self.kept().push(mail, self.max_bytes);
    }

    pub(super) fn all(&self) -> Vec<Arc<Mail>> {
        self.kept().mails.iter().cloned().collect()
    }

    pub(super) fn forget(&self) {
        if let Some(journal) = &self.journal {
            journal.forget();
        }
        *self.kept() = Kept::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mail(number: usize) -> Mail {
        let json = serde_json::json!({
            "message_id": number.to_string(), "timestamp": "2026-11-23T02:34:05Z", "from": "a@b.example",
            "to": ["c@d.example"], "subject": "Welcome", "text": "x".repeat(1_000), "html": null,
            "tags": {}, "headers": {},
        });
        serde_json::from_value(json).unwrap()
    }

    fn ids(sent: &Sent) -> Vec<String> {
        sent.all().iter().map(|mail| mail.message_id.clone()).collect()
    }

    #[test]
    fn mails_outlive_the_process_until_they_are_forgotten() {
        let directory = tempfile::tempdir().unwrap();
        let open = || Sent::open(Some(directory.path()), 1_000_000).unwrap();
        let sent = open();
        sent.keep(mail(1));
        sent.keep(mail(2));
        drop(sent);
        let sent = open();
        assert_eq!(ids(&sent), ["1", "2"]);
        assert_eq!(sent.all()[0].text.as_deref(), Some("x".repeat(1_000).as_str()));
        sent.forget();
        assert!(ids(&sent).is_empty());
        assert!(ids(&open()).is_empty());
    }

    #[test]
    fn the_oldest_mails_are_dropped_beyond_the_limit() {
        let sent = Sent::open(None, 10_000).unwrap();
        for number in 0..100 {
            sent.keep(mail(number));
        }
        assert_eq!(ids(&sent), ["96", "97", "98", "99"]);
        assert!(sent.kept().bytes <= 10_000);
    }
}
