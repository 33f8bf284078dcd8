//! Selects the messages for a command.

use super::letter::Letter;

/// Which messages
#[derive(Debug, clap::Args)]
pub(super) struct Selection {
    /// Ids of messages or events; all if missing
    #[arg(value_name = "ID")]
    ids: Vec<String>,
    /// Only messages of this service
    #[arg(long, value_name = "NAME")]
    service: Vec<String>,
    /// Only messages that failed for this reason
    #[arg(long, value_name = "REASON")]
    reason: Vec<String>,
    /// The most messages, oldest first
    #[arg(long, value_name = "MESSAGES")]
    limit: Option<usize>,
}

impl Selection {
    /// Whether it selects every message.
    pub(super) fn is_everything(&self) -> bool {
        self.ids.is_empty() && self.service.is_empty() && self.reason.is_empty() && self.limit.is_none()
    }

    /// Returns the selected ones of some messages, oldest first.
    pub(super) fn of(&self, mut letters: Vec<Letter>) -> Vec<Letter> {
        letters.retain(|letter| self.has(letter));
        letters.sort_by_key(|letter| letter.failed_at);
        letters.truncate(self.limit.unwrap_or(usize::MAX));
        letters
    }

    fn has(&self, letter: &Letter) -> bool {
        let one_of =
            |wanted: &[String], actual: &str| wanted.is_empty() || wanted.iter().any(|name| name == actual);
        one_of(&self.service, letter.service())
            && one_of(&self.reason, &letter.reason)
            && (self.ids.is_empty() || self.ids.iter().any(|id| letter.has_id(id)))
    }
}
