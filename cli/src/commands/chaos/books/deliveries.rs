//! email and app: one mail and one push for each notification that a customer is to get.
//!
//! What was announced on the bus tells what is to be delivered. Of customers who change channels or leave, some depends on
//! whether the notification or the change arrives first: that may be delivered once or not at all. A farewell must be
//! delivered, and nothing may follow it by mail.

use std::collections::{BTreeMap, BTreeSet};

use contracts::{
    DiscountActivated, DiscountExpired, MemberEnrolled, MemberErased, MemberPreferencesChanged,
    MemberRenamed, TierAscended, TierDescended,
};
use envelope::Event as _;
use uuid::Uuid;

use super::super::account::{Account, Doubled};
use super::super::customer::{Customer, Habit};
use super::super::facts::{Accepted, Facts};
use super::super::history::History;
use super::super::record::Recorded;

const OF_MEMBERS: [&str; 4] =
    [MemberEnrolled::TYPE, MemberRenamed::TYPE, MemberPreferencesChanged::TYPE, MemberErased::TYPE];
const OTHERS: [&str; 4] =
    [TierAscended::TYPE, TierDescended::TYPE, DiscountActivated::TYPE, DiscountExpired::TYPE];

/// A notification: the event, and the address if there can be several of the same event.
type Notification = (Uuid, Option<String>);

/// The notifications that may be delivered, and whether they must.
type Expected = BTreeMap<Notification, bool>;

pub(super) fn check_mails(history: &History, facts: &Facts, account: &mut Account) {
    let expected = expected(history, facts, "email", true);
    check(email::NAME, &expected, facts, &facts.mails, account);
    farewells_come_last(history, facts, account);
}

pub(super) fn check_pushes(history: &History, facts: &Facts, account: &mut Account) {
    let expected = expected(history, facts, "app", false);
    check(app::NAME, &expected, facts, &facts.pushes, account);
}

fn expected(history: &History, facts: &Facts, channel: &str, by_address: bool) -> Expected {
    let mut expected = Expected::new();
    for event in facts.bus.values() {
        let Some(customer) = history.customers.get(&event.customer) else { continue };
        if OF_MEMBERS.contains(&event.kind.as_str()) {
            of_member(event, customer, channel, by_address, &mut expected);
        } else if OTHERS.contains(&event.kind.as_str()) {
            let must = customer.habit.keeps_channels();
            if !must || customer.contact.channels.contains(channel) {
                expected.insert((event.id, None), must);
            }
        }
    }
    expected
}

/// Adds the notifications of an event that carries the contact.
fn of_member(
    event: &Recorded,
    customer: &Customer,
    channel: &str,
    by_address: bool,
    expected: &mut Expected,
) {
    let contact = &event.data["contact"];
    let mut channels = contact["channels"].as_array().into_iter().flatten();
    if !channels.any(|one| one == channel) {
        return;
    }
    let is_farewell = customer.habit == Habit::Leaves && event.kind == MemberErased::TYPE;
    let must = customer.habit.keeps_channels() || is_farewell;
    if !by_address {
        expected.insert((event.id, None), must);
        return;
    }
    for address in [&contact["email"], &event.data["previous_email"]] {
        if let Some(address) = address.as_str() {
            expected.insert((event.id, Some(address.to_owned())), must);
        }
    }
}

fn check(
    service: &'static str,
    expected: &Expected,
    facts: &Facts,
    accepted: &[Accepted],
    account: &mut Account,
) {
    let mut delivered = BTreeMap::<Notification, Vec<&Accepted>>::new();
    for one in accepted {
        let event_id = one.event_id.unwrap_or_default();
        let by_address = (event_id, Some(one.to.clone()));
        let notification = if expected.contains_key(&by_address) { by_address } else { (event_id, None) };
        delivered.entry(notification).or_default().push(one);
    }
    for (notification, must) in expected {
        let name = || name(service, notification.0, facts);
        account.expect(!must || delivered.contains_key(notification), name);
    }
    for (notification, accepted) in delivered {
        let name = || name(service, notification.0, facts);
        account.check(expected.contains_key(&notification), || format!("{} was not to be sent", name()));
        for pair in accepted.windows(2) {
            if let [first, second] = pair {
                let (first, second) = ((*first).clone(), (*second).clone());
                account.doubled.push(Doubled { service, what: name(), first, second });
            }
        }
    }
}

fn name(service: &str, event_id: Uuid, facts: &Facts) -> String {
    let kind = facts.bus.get(&event_id).map_or("an unknown event", |event| event.kind.as_str());
    format!("delivery by {service} of {kind} {event_id}")
}

/// Checks that no mail follows the one that confirms an erasure.
fn farewells_come_last(history: &History, facts: &Facts, account: &mut Account) {
    let kind = |mail: &Accepted| mail.event_id.and_then(|id| facts.bus.get(&id)).map(|event| &event.kind);
    let mut gone = BTreeSet::new();
    for mail in &facts.mails {
        let leaves = history.customers.get(&mail.customer).is_some_and(|customer| customer.erased);
        if leaves && kind(mail).is_some_and(|kind| kind == MemberErased::TYPE) {
            gone.insert(&mail.customer);
        } else {
            account.check(!gone.contains(&mail.customer), || {
                format!("a mail to {} follows the farewell", mail.customer)
            });
        }
    }
}
