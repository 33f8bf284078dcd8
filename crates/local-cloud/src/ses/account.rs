//! What an account has in SES: its identities, its suppression list, and whether it may send.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{PoisonError, RwLock};

use jiff::Timestamp;

use super::address;
use super::mail::Feedback;
use crate::budget::{Budget, Share};

/// AWS General Reference, "Amazon SES quotas": identities in a region.
const MAX_IDENTITIES: usize = 10_000;
/// For identities and the suppression list, of which AWS has no quota.
const MAX_BYTES: usize = 16 * 1024 * 1024;
/// What an entry of a map takes besides its texts, about.
const OVERHEAD: usize = 128;
const SIMULATOR: &str = "simulator.amazonses.com";

/// What becomes of a mail at one recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Delivered,
    /// Delivered and answered automatically, as by somebody who is out of the office.
    Replied,
    /// Refused by the recipient's server.
    Bounced,
    /// Delivered and called spam.
    Complained,
    /// Not sent: on the list of addresses that bounced for any customer of SES.
    OnGlobalList,
    /// Not sent: on the account's own suppression list, because of a bounce.
    OnListAfterBounce,
    /// Not sent: on the account's own suppression list, because of a complaint.
    OnListAfterComplaint,
}

impl Fate {
    /// Returns what `GET /_local/mail` shows of it; nothing if the recipient just reads the mail.
    pub(super) fn feedback(self) -> Option<Feedback> {
        match self {
            Self::Delivered => None,
            Self::Replied => Some(Feedback::Reply),
            Self::Bounced => Some(Feedback::Bounce),
            Self::Complained => Some(Feedback::Complaint),
            Self::OnGlobalList | Self::OnListAfterBounce | Self::OnListAfterComplaint => {
                Some(Feedback::Suppressed)
            }
        }
    }
}

/// A suppressed address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Suppressed {
    /// `BOUNCE` or `COMPLAINT`.
    pub(super) reason: String,
    pub(super) since: Timestamp,
}

/// The tags of each identity, and the memory it takes, by address or domain.
type Identities = BTreeMap<String, (BTreeMap<String, String>, Share)>;

#[derive(Debug)]
pub(super) struct Account {
    identities: RwLock<Identities>,
    suppressed: RwLock<BTreeMap<String, (Suppressed, Share)>>,
    budget: Budget,
    sending: AtomicBool,
}

impl Default for Account {
    fn default() -> Self {
        Self {
            identities: RwLock::default(),
            suppressed: RwLock::default(),
            budget: Budget::new(MAX_BYTES),
            sending: AtomicBool::new(true),
        }
    }
}

impl Account {
    pub(super) fn may_send(&self) -> bool {
        self.sending.load(Ordering::Relaxed)
    }

    pub(super) fn let_send(&self, may_send: bool) {
        self.sending.store(may_send, Ordering::Relaxed);
    }

    /// Adds an identity, which is verified at once: there is no mailbox to send a confirmation to. Returns whether there
    /// was room.
    pub(super) fn add_identity(&self, name: &str, tags: BTreeMap<String, String>) -> bool {
        let mut identities = self.identities.write().unwrap_or_else(PoisonError::into_inner);
        if identities.len() >= MAX_IDENTITIES && !identities.contains_key(name) {
            return false;
        }
        let bytes = OVERHEAD * (1 + tags.len()) + name.len() + length(&tags);
        let Some(share) = self.budget.take(bytes) else { return false };
        identities.insert(name.to_owned(), (tags, share));
        true
    }

    pub(super) fn remove_identity(&self, name: &str) -> bool {
        self.identities.write().unwrap_or_else(PoisonError::into_inner).remove(name).is_some()
    }

    /// Returns the tags of an identity, if it exists.
    pub(super) fn identity(&self, name: &str) -> Option<BTreeMap<String, String>> {
        self.identities.read().unwrap_or_else(PoisonError::into_inner).get(name).map(|(tags, _)| tags.clone())
    }

    /// Returns the names of all identities behind a position, in their order.
    pub(super) fn identities(&self, after: Option<&str>) -> Vec<String> {
        let identities = self.identities.read().unwrap_or_else(PoisonError::into_inner);
        let behind = |name: &&String| after.is_none_or(|after| name.as_str() > after);
        identities.keys().filter(behind).cloned().collect()
    }

    /// Returns the identity by which mail may be sent from an address: the address itself, its domain or one above (SES
    /// developer guide, "Verified identities").
    pub(super) fn identity_of(&self, sender: &str) -> Option<String> {
        let identities = self.identities.read().unwrap_or_else(PoisonError::into_inner);
        let domain = address::domain(sender).unwrap_or_default().to_ascii_lowercase();
        let domains = std::iter::successors(Some(domain.as_str()), |domain| {
            domain.split_once('.').map(|(_, parent)| parent)
        });
        std::iter::once(sender).chain(domains).find(|name| identities.contains_key(*name)).map(str::to_owned)
    }

    /// Adds to the suppression list and returns whether there was room.
    pub(super) fn suppress(&self, address: &str, reason: String) -> bool {
        let mut suppressed = self.suppressed.write().unwrap_or_else(PoisonError::into_inner);
        let address = address.to_ascii_lowercase();
        let Some(share) = self.budget.take(OVERHEAD + address.len()) else { return false };
        suppressed.insert(address, (Suppressed { reason, since: Timestamp::now() }, share));
        true
    }

    pub(super) fn suppressed(&self, address: &str) -> Option<Suppressed> {
        let suppressed = self.suppressed.read().unwrap_or_else(PoisonError::into_inner);
        suppressed.get(&address.to_ascii_lowercase()).map(|(suppressed, _)| suppressed.clone())
    }

    pub(super) fn release(&self, address: &str) -> bool {
        let mut suppressed = self.suppressed.write().unwrap_or_else(PoisonError::into_inner);
        suppressed.remove(&address.to_ascii_lowercase()).is_some()
    }

    /// Returns the suppressed addresses behind a position, in their order.
    pub(super) fn all_suppressed(&self, after: Option<&str>) -> Vec<(String, Suppressed)> {
        let suppressed = self.suppressed.read().unwrap_or_else(PoisonError::into_inner);
        let behind =
            |(address, _): &(&String, &(Suppressed, Share))| after.is_none_or(|it| address.as_str() > it);
        suppressed
            .iter()
            .filter(behind)
            .map(|(address, (suppressed, _))| (address.clone(), suppressed.clone()))
            .collect()
    }

    /// Returns what becomes of a mail at an address.
    pub(super) fn fate(&self, address: &str) -> Fate {
        match self.suppressed(address) {
            Some(suppressed) if suppressed.reason == "COMPLAINT" => Fate::OnListAfterComplaint,
            Some(_) => Fate::OnListAfterBounce,
            None => simulated(address).unwrap_or(Fate::Delivered),
        }
    }
}

fn length(tags: &BTreeMap<String, String>) -> usize {
    tags.iter().map(|(key, value)| key.len() + value.len()).sum()
}

/// Returns what an address of the mailbox simulator does
/// (<https://docs.aws.amazon.com/ses/latest/dg/send-an-email-from-console.html#send-email-simulator-how-to-use>). A label
/// behind a plus sign does not matter.
fn simulated(address: &str) -> Option<Fate> {
    let (local, domain) = address.rsplit_once('@')?;
    let mailbox = local.split('+').next()?;
    if !domain.eq_ignore_ascii_case(SIMULATOR) {
        return None;
    }
    match mailbox.to_ascii_lowercase().as_str() {
        "success" => Some(Fate::Delivered),
        "ooto" => Some(Fate::Replied),
        "bounce" => Some(Fate::Bounced),
        "complaint" => Some(Fate::Complained),
        "suppressionlist" => Some(Fate::OnGlobalList),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_verifies_its_addresses_and_subdomains() {
        let account = Account::default();
        account.add_identity("b.example", BTreeMap::new());
        account.add_identity("a@c.example", BTreeMap::new());
        for (sender, identity) in [
            ("x@b.example", Some("b.example")),
            ("x@B.example", Some("b.example")),
            ("x@sub.b.example", Some("b.example")),
            ("x@bb.example", None),
            ("a@c.example", Some("a@c.example")),
            ("x@c.example", None),
        ] {
            assert_eq!(account.identity_of(sender).as_deref(), identity, "{sender}");
        }
        assert!(account.remove_identity("b.example") && account.identity_of("x@b.example").is_none());
    }

    #[test]
    fn recipients_may_be_suppressed_or_simulated() {
        let account = Account::default();
        assert!(account.suppress("Zoe@d.example", "BOUNCE".to_owned()));
        assert!(account.suppress("yann@d.example", "COMPLAINT".to_owned()));
        for (address, fate) in [
            ("zoe@d.example", Fate::OnListAfterBounce),
            ("yann@d.example", Fate::OnListAfterComplaint),
            ("bounce+1@simulator.amazonses.com", Fate::Bounced),
            ("complaint@simulator.amazonses.com", Fate::Complained),
            ("OOTO+a@simulator.amazonses.com", Fate::Replied),
            ("suppressionlist@simulator.amazonses.com", Fate::OnGlobalList),
            ("success@simulator.amazonses.com", Fate::Delivered),
            ("bounce@d.example", Fate::Delivered),
        ] {
            assert_eq!(account.fate(address), fate, "{address}");
        }
        assert!(account.release("zoe@D.example") && account.suppressed("zoe@d.example").is_none());
    }
}
