//! archive: every event that was on the bus.

use super::super::account::Account;
use super::super::facts::Facts;
use super::super::history::History;

pub(super) fn check(_: &History, facts: &Facts, account: &mut Account) {
    for event in facts.bus.values() {
        let archived = facts.archived.contains(&event.id);
        account.expect(archived, || format!("{} {} in the archive", event.kind, event.id));
    }
}
