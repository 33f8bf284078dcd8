//! Tests each rule, then random histories that arrive late, twice and in any order, at an SES that throttles and loses
//! answers.

use proptest::prelude::*;

use super::*;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn channels(second: i64, by_email: bool) -> Channels {
    Channels {
        announced_at: at(second),
        event_id: Uuid::from_u128(u128::try_from(second).unwrap()),
        by_email,
    }
}

fn change(id: u128, enrolled: i64, announced: i64) -> Mailing {
    let occasion = Occasion::Membership { enrolled_at: at(enrolled), announced_at: at(announced) };
    Mailing { notification_id: Uuid::from_u128(id), occasion, address: address("ada@example.com") }
}

fn farewell(id: u128, erased: i64) -> Mailing {
    let occasion = Occasion::Farewell { erased_at: at(erased) };
    Mailing { notification_id: Uuid::from_u128(id), occasion, address: address("ada@example.com") }
}

fn address(address: &str) -> AddressDigest {
    AddressDigest::of(&"123456789012".parse().unwrap(), &address.parse().unwrap())
}

fn mark(enrolled: i64, mailed: i64) -> Mark {
    Mark { reason: UndeliverableReason::Bounce, mailed_at: at(mailed), enrolled_at: at(enrolled) }
}

const ERASED: Verdict = Verdict::Suppress(Suppression::Erased);
const OPTED_OUT: Verdict = Verdict::Suppress(Suppression::OptedOut);
const BOUNCED: Verdict = Verdict::Suppress(Suppression::Undeliverable(UndeliverableReason::Bounce));

/// Decides about a mail at second 100, with a lease of ten seconds.
fn admit(recipient: &mut Recipient, mailing: &Mailing) -> Verdict {
    recipient.admit(mailing, at(100), at(110))
}

#[test]
fn whoever_is_unknown_gets_mail() {
    assert_eq!(admit(&mut Recipient::default(), &change(1, 1, 2)), Verdict::Send);
    assert_eq!(admit(&mut Recipient::default(), &farewell(1, 3)), Verdict::Send);
}

#[test]
fn nothing_of_a_membership_follows_its_erasure_but_a_later_enrolment_does() {
    let mut by_event = Recipient::default();
    assert!(by_event.erased(at(5), true));
    assert!(!by_event.erased(at(5), true) && !by_event.erased(at(4), true));
    let mut by_farewell = Recipient::default();
    assert_eq!(admit(&mut by_farewell, &farewell(9, 5)), Verdict::Send);
    for mut recipient in [by_event, by_farewell] {
        // Whatever was announced when: the membership decides.
        for announced in [2, 8] {
            assert_eq!(admit(&mut recipient, &change(1, 1, announced)), ERASED);
        }
        assert_eq!(admit(&mut recipient, &change(1, 5, 8)), ERASED, "at the same instant");
        assert_eq!(admit(&mut recipient, &change(1, 6, 8)), Verdict::Send);
    }
}

#[test]
fn an_opt_out_stops_what_was_announced_before_it_and_an_opt_in_is_not_needed_first() {
    let mut recipient = Recipient::default();
    assert!(recipient.reached_by(channels(5, false)));
    assert!(!recipient.reached_by(channels(4, true)), "stale");
    assert_eq!(admit(&mut recipient, &change(1, 1, 4)), OPTED_OUT);
    assert_eq!(admit(&mut recipient, &change(2, 1, 6)), Verdict::Send, "an opt-in that has not arrived yet");
    assert_eq!(admit(&mut recipient, &farewell(3, 7)), Verdict::Wait { until: at(110) });
    assert!(recipient.reached_by(channels(8, true)));
    assert_eq!(admit(&mut recipient, &change(1, 8, 4)), Verdict::Send);
}

#[test]
fn a_farewell_waits_for_mails_in_flight_and_for_no_longer_than_their_lease() {
    let mut recipient = Recipient::default();
    assert_eq!(admit(&mut recipient, &change(1, 1, 2)), Verdict::Send);
    assert_eq!(admit(&mut recipient, &farewell(2, 5)), Verdict::Wait { until: at(110) });
    assert_eq!(admit(&mut recipient.clone(), &change(3, 1, 2)), ERASED, "the erasure is known");

    let mut answered = recipient.clone();
    answered.answered(Uuid::from_u128(1));
    assert_eq!(admit(&mut answered, &farewell(2, 5)), Verdict::Send);
    assert_eq!(recipient.admit(&farewell(2, 5), at(110), at(120)), Verdict::Send);
}

#[test]
fn a_farewell_and_a_mail_in_a_burst_ask_what_has_become_of_the_others() {
    let mut recipient = Recipient::default();
    for id in 1..=8 {
        assert!(recipient.in_question(&change(id, 1, 2), at(10)).is_empty(), "few are in flight");
        assert_eq!(admit(&mut recipient, &change(id, 1, 2)), Verdict::Send);
    }
    let all: Vec<_> = (1..=8).map(Uuid::from_u128).collect();
    assert_eq!(recipient.in_question(&change(9, 1, 2), at(10)), all);
    assert_eq!(recipient.in_question(&farewell(8, 5), at(10)), all[..7], "its own attempt is no other mail");
    assert!(recipient.in_question(&farewell(9, 5), at(110)).is_empty(), "their leases have ended");
    for id in &all[1..] {
        recipient.answered(*id);
    }
    assert_eq!(recipient.in_question(&farewell(9, 5), at(10)), all[..1]);
}

#[test]
fn of_two_farewells_the_earlier_does_not_follow_the_later() {
    let mut recipient = Recipient::default();
    assert_eq!(admit(&mut recipient, &farewell(1, 3)), Verdict::Send);
    assert_eq!(admit(&mut recipient, &farewell(2, 7)), Verdict::Wait { until: at(110) }, "it is in flight");
    recipient.answered(Uuid::from_u128(1));
    assert_eq!(admit(&mut recipient, &farewell(2, 7)), Verdict::Send);
    assert_eq!(admit(&mut recipient, &farewell(1, 3)), ERASED);
    assert_eq!(admit(&mut recipient, &farewell(2, 7)), Verdict::Send, "a repetition is the claim's concern");
}

#[test]
fn an_address_that_came_back_gets_no_further_mail_and_another_does() {
    let mut recipient = Recipient::default();
    assert!(recipient.returned(address("ada@example.com"), mark(1, 2)));
    assert!(!recipient.returned(address("ada@example.com"), mark(1, 3)), "no news");
    assert_eq!(admit(&mut recipient, &change(1, 1, 4)), BOUNCED);
    let elsewhere = Mailing { address: address("lovelace@example.com"), ..change(1, 1, 4) };
    assert_eq!(admit(&mut recipient, &elsewhere), Verdict::Send);
    recipient.answered(Uuid::from_u128(1));
    assert_eq!(admit(&mut recipient, &farewell(2, 5)), BOUNCED);
}

#[test]
fn marks_end_with_the_membership() {
    let marked = || {
        let mut recipient = Recipient::default();
        assert!(recipient.returned(address("ada@example.com"), mark(1, 2)));
        recipient
    };
    let mut without_farewell = marked();
    assert!(without_farewell.erased(at(5), false));
    let mut with_farewell = marked();
    assert!(with_farewell.erased(at(5), true));
    assert!(!with_farewell.undeliverable.is_empty(), "the farewell has yet to respect it");
    assert_eq!(admit(&mut with_farewell, &farewell(2, 5)), BOUNCED);
    let mut by_farewell = marked();
    assert_eq!(admit(&mut by_farewell, &farewell(2, 5)), BOUNCED);
    for mut recipient in [without_farewell, with_farewell, by_farewell] {
        assert!(recipient.undeliverable.is_empty(), "{recipient:?}");
        assert!(!recipient.returned(address("ada@example.com"), mark(5, 4)), "the membership is over");
        assert_eq!(admit(&mut recipient, &change(3, 6, 7)), Verdict::Send);
        assert!(recipient.returned(address("ada@example.com"), mark(6, 8)));
        // The event of the erasure may arrive after the farewell, and again.
        recipient.erased(at(5), false);
        assert_eq!(admit(&mut recipient, &change(4, 6, 9)), BOUNCED);
    }
}

#[test]
fn of_too_many_marks_those_mailed_last_are_kept() {
    let mut recipient = Recipient::default();
    for number in 0..=MOST_MARKS {
        let mailed = i64::try_from(number).unwrap();
        assert!(recipient.returned(address(&format!("a{number}@example.com")), mark(0, mailed)));
    }
    assert_eq!(recipient.undeliverable.len(), MOST_MARKS);
    assert!(!recipient.undeliverable.contains_key(&address("a0@example.com")));
    let written = serde_json::to_string(&recipient).unwrap();
    assert_eq!(serde_json::from_str::<Recipient>(&written).unwrap(), recipient);
}

/// One membership: whether e-mail is among the channels after the enrolment and after each change, and whether it ends.
#[derive(Clone, Debug)]
struct Membership {
    by_email: Vec<bool>,
    ends: bool,
}

/// A notification of the history.
#[derive(Clone, Debug)]
struct Notification {
    mailing: Mailing,
    membership: usize,
}

/// What the service consumes from the bus.
#[derive(Clone, Copy, Debug)]
enum Fact {
    Channels(Channels),
    Erased(Timestamp),
}

/// What may happen next.
#[derive(Clone, Copy, Debug)]
enum Step {
    Learn(Fact),
    Attempt(usize),
    Answer { notification: usize, deadline: i64 },
}

/// How a call to SES ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Accepted,
    Throttled,
    /// SES accepts the mail, and the response is lost.
    Lost,
}

/// Choices that the property test makes, and then the first of every list.
struct Choices(Vec<u8>);

impl Choices {
    fn among(&mut self, count: usize) -> usize {
        self.0.pop().map_or(0, usize::from) % count
    }
}

/// The notifications and facts that a history of memberships leads to, in the order of their announcement.
fn announced(memberships: &[Membership]) -> (Vec<Notification>, Vec<Fact>) {
    let (mut notifications, mut facts) = (Vec::new(), Vec::new());
    let mut second = 0;
    for (membership, history) in memberships.iter().enumerate() {
        let enrolled = second + 1;
        for by_email in &history.by_email {
            second += 1;
            facts.push(Fact::Channels(channels(second, *by_email)));
            if *by_email {
                let mailing = change(u128::try_from(second).unwrap(), enrolled, second);
                notifications.push(Notification { mailing, membership });
            }
        }
        if history.ends {
            second += 1;
            facts.push(Fact::Erased(at(second)));
            if history.by_email.last() == Some(&true) {
                let mailing = farewell(u128::try_from(second).unwrap(), second);
                notifications.push(Notification { mailing, membership });
            }
        }
    }
    (notifications, facts)
}

/// Lets everything happen in an order that `choices` decide, everything from the queue twice, and returns the
/// notifications that SES has accepted.
fn mailed(notifications: &[Notification], facts: &[Fact], choices: &mut Choices) -> Vec<usize> {
    const LEASE: i64 = 6;
    let attempts = (0..notifications.len()).map(Step::Attempt);
    let delivered: Vec<_> = facts.iter().copied().map(Step::Learn).chain(attempts).collect();
    let mut open = [delivered.clone(), delivered].concat();
    let (mut recipient, mut mails) = (Recipient::default(), Vec::new());
    // As the claims: in flight, or done.
    let mut claimed = std::collections::BTreeSet::new();
    let mut done = std::collections::BTreeSet::new();
    for now in 1_000.. {
        if open.is_empty() {
            break;
        }
        assert!(now < 100_000, "no end: {open:?}");
        let due = |step: &Step| matches!(step, Step::Answer { deadline, .. } if *deadline <= now + 1);
        let next = open.iter().position(due).unwrap_or_else(|| choices.among(open.len()));
        match open.swap_remove(next) {
            Step::Learn(Fact::Channels(channels)) => {
                recipient.reached_by(channels);
            }
            Step::Learn(Fact::Erased(erased_at)) => {
                recipient.erased(erased_at, true);
            }
            Step::Attempt(one) if done.contains(&one) => {}
            Step::Attempt(one) if claimed.contains(&one) => open.push(Step::Attempt(one)),
            Step::Attempt(one) => {
                let mailing = &notifications[one].mailing;
                for id in recipient.in_question(mailing, at(now)) {
                    let other = notifications.iter().position(|other| other.mailing.notification_id == id);
                    if other.is_some_and(|other| done.contains(&other)) {
                        recipient.answered(id);
                    }
                }
                match recipient.admit(mailing, at(now), at(now + LEASE)) {
                    Verdict::Send => {
                        claimed.insert(one);
                        open.push(Step::Answer { notification: one, deadline: now + LEASE });
                    }
                    Verdict::Suppress(_) => {
                        done.insert(one);
                    }
                    Verdict::Wait { until } => {
                        assert!(until > at(now));
                        open.push(Step::Attempt(one));
                    }
                }
            }
            Step::Answer { notification, .. } => {
                claimed.remove(&notification);
                let answer = [Answer::Accepted, Answer::Throttled, Answer::Lost][choices.among(3)];
                if answer != Answer::Throttled {
                    mails.push(notification);
                }
                if answer == Answer::Throttled {
                    recipient.answered(notifications[notification].mailing.notification_id);
                }
                if answer == Answer::Accepted {
                    done.insert(notification);
                } else {
                    open.push(Step::Attempt(notification));
                }
            }
        }
    }
    mails
}

fn any_history() -> impl Strategy<Value = Vec<Membership>> {
    let by_email = prop::collection::vec(prop::bool::weighted(0.8), 1..5);
    let past = by_email.clone().prop_map(|by_email| Membership { by_email, ends: true });
    let last = (by_email, any::<bool>()).prop_map(|(by_email, ends)| Membership { by_email, ends });
    (prop::collection::vec(past, 0..3), last).prop_map(|(mut memberships, last)| {
        memberships.push(last);
        memberships
    })
}

fn is_farewell(notification: &Notification) -> bool {
    matches!(notification.mailing.occasion, Occasion::Farewell { .. })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn nothing_follows_a_farewell_but_what_a_later_enrolment_causes(
        memberships in any_history(),
        choices in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let (notifications, facts) = announced(&memberships);
        let mails = mailed(&notifications, &facts, &mut Choices(choices));
        for (place, farewell) in mails.iter().enumerate().filter(|(_, one)| is_farewell(&notifications[**one])) {
            for later in &mails[place..] {
                let allowed = later == farewell
                    || notifications[*later].membership > notifications[*farewell].membership;
                prop_assert!(allowed, "{later} follows {farewell} in {mails:?} of {notifications:#?}");
            }
        }
        // Nobody who is to be mailed is forgotten: the last farewell, and the last state of a membership that goes on.
        if let (Some(last), Some(Fact::Channels(Channels { by_email: true, .. }) | Fact::Erased(_))) =
            (notifications.last(), facts.last())
            && last.membership == memberships.len() - 1
            && is_farewell(last) == memberships[last.membership].ends
        {
            prop_assert!(mails.contains(&(notifications.len() - 1)), "{mails:?} of {notifications:#?}");
        }
    }
}
