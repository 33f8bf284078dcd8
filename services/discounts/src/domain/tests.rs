//! Tests each rule, then random histories in random order.

use contracts::Percentage;
use jiff::SignedDuration;
use proptest::prelude::*;

use super::*;

fn now() -> Timestamp {
    "2026-06-01T00:00:00Z".parse().unwrap()
}

fn after(days: i64) -> Timestamp {
    now() + SignedDuration::from_hours(24 * days)
}

fn at(second: i64) -> Version {
    Version {
        occurred_at: Timestamp::from_second(second).unwrap(),
        event_id: Uuid::from_u128(u128::try_from(second).unwrap()),
    }
}

fn gift(percentage: u8, valid_until: Timestamp) -> DiscountGifted {
    DiscountGifted {
        customer_number: "123456789012".parse().unwrap(),
        discount_id: "SUMMER".parse().unwrap(),
        value: DiscountValue::Percentage(Percentage::try_from(percentage).unwrap()),
        valid_until,
    }
}

fn unknown() -> Discount {
    Discount::unknown("123456789012".parse().unwrap(), "SUMMER".parse().unwrap(), now())
}

fn given(percentage: u8, valid_until: Timestamp, version: Version) -> Discount {
    unknown().gifted(gift(percentage, valid_until), version, now()).discount
}

/// Returns what is announced, and the number of the change.
fn announced(change: &Change) -> (&'static str, u64) {
    let before = unknown().revision;
    match &change.announcement {
        None => ("nothing", 0),
        Some(Announcement::Activated(event)) => ("activated", event.revision - before),
        Some(Announcement::Expired(event)) => ("expired", event.revision - before),
        Some(Announcement::Used(event)) => ("used", event.revision - before),
    }
}

#[test]
fn a_gift_activates_and_a_change_activates_again() {
    let first = unknown().gifted(gift(10, after(1)), at(1), now());
    assert_eq!((announced(&first), first.outcome), (("activated", 1), APPLIED));
    assert_eq!(first.discount.due_at(), Some(after(1)));
    let changed = first.discount.clone().gifted(gift(20, after(2)), at(2), now());
    assert_eq!(announced(&changed), ("activated", 2));
    let confirmed = changed.discount.clone().gifted(gift(20, after(2)), at(3), now());
    assert_eq!((announced(&confirmed), confirmed.outcome), (("nothing", 0), UNCHANGED));
    for version in [at(1), at(3)] {
        let late = confirmed.discount.clone().gifted(gift(99, after(9)), version, now());
        assert_eq!((late.discount, late.outcome), (confirmed.discount.clone(), STALE));
    }
}

#[test]
fn a_gift_that_has_expired_when_it_arrives_is_recorded_and_not_activated() {
    let late = unknown().gifted(gift(10, after(-1)), at(1), now());
    assert_eq!((announced(&late), late.outcome), (("nothing", 0), EXPIRED_ALREADY));
    assert_eq!((late.discount.state, late.discount.due_at()), (State::Expired, None));
    let extended = late.discount.gifted(gift(10, after(1)), at(2), now());
    assert_eq!(announced(&extended), ("activated", 1));
}

#[test]
fn a_change_that_ends_an_active_discount_lets_its_expiry_be_announced() {
    let ended = given(10, after(5), at(1)).gifted(gift(10, after(-1)), at(2), now());
    assert_eq!((announced(&ended), ended.outcome), (("nothing", 0), EXPIRED_ALREADY));
    assert_eq!(ended.discount.due_at(), Some(after(-1)), "due at once");
    let expired = ended.discount.fallen_due(now());
    assert_eq!((announced(&expired), expired.outcome), (("expired", 2), EXPIRED));
}

#[test]
fn only_an_active_discount_whose_time_is_over_expires() {
    let active = given(10, after(1), at(1));
    assert_eq!(active.clone().fallen_due(after(1) - SignedDuration::from_nanos(1)).outcome, STALE);
    let expired = active.fallen_due(after(1));
    assert_eq!(announced(&expired), ("expired", 2));
    assert_eq!(expired.discount.clone().fallen_due(after(2)).outcome, STALE);
    let extended = expired.discount.gifted(gift(10, after(9)), at(2), after(2));
    assert_eq!(announced(&extended), ("activated", 3));
}

#[test]
fn a_redemption_is_announced_once_whatever_came_before() {
    for discount in
        [unknown(), given(10, after(1), at(1)), given(10, after(1), at(1)).fallen_due(after(2)).discount]
    {
        let used = discount.redeemed(at(2));
        assert_eq!(announced(&used).0, "used");
        assert_eq!(used.discount.due_at(), None);
        let again = used.discount.clone().redeemed(at(3));
        assert_eq!((announced(&again), again.outcome), (("nothing", 0), USED_ALREADY));
        let given = again.discount.gifted(gift(10, after(1)), at(4), now());
        assert_eq!((announced(&given), given.outcome), (("nothing", 0), USED_ALREADY));
        assert_eq!(given.discount.state, State::Used);
    }
}

#[test]
fn an_erasure_removes_what_occurred_no_later() {
    let used = given(10, after(1), at(1)).redeemed(at(2)).discount;
    let erased = |discount: &Discount, second| discount.clone().erased(at(second).occurred_at, now());
    let gone = erased(&used, 2);
    assert!(gone.discount.is_unknown());
    assert_eq!((gone.discount.state, announced(&gone)), (State::New, ("nothing", 0)));
    assert_eq!(erased(&used, 1).discount.state, State::Used, "redeemed after it");
    let later = used.gifted(gift(20, after(1)), at(5), now()).discount;
    assert_eq!(announced(&erased(&later, 3)).0, "activated", "given again to a new member");
    let untouched = given(10, after(1), at(4));
    assert_eq!(erased(&untouched, 3).discount, untouched);
}

/// What occurs to a discount.
#[derive(Clone, Debug)]
enum Event {
    Gifted(u8, i64),
    Redeemed,
    Erased,
    /// The sweeper comes by.
    Swept,
}

/// Applies a history as the service does: an erasure is a tombstone first, and removes later.
fn applied(history: &[(Event, Version)]) -> Discount {
    let (mut discount, mut erased_at) = (unknown(), None::<Timestamp>);
    let erase = |discount: Discount, erased_at: Option<Timestamp>| match erased_at {
        Some(erased_at) => discount.erased(erased_at, now()).discount,
        None => discount,
    };
    for (event, version) in history {
        let refused = erased_at.is_some_and(|erased_at| version.occurred_at <= erased_at);
        discount = match event {
            Event::Erased => {
                erased_at = erased_at.max(Some(version.occurred_at));
                discount
            }
            Event::Swept => erase(discount.fallen_due(now()).discount, erased_at),
            _ if refused => discount,
            Event::Gifted(percentage, days) => {
                erase(discount, erased_at).gifted(gift(*percentage, after(*days)), *version, now()).discount
            }
            Event::Redeemed => erase(discount, erased_at).redeemed(*version).discount,
        };
    }
    // In the end the sweeper has come by.
    let mut discount = erase(discount.fallen_due(now()).discount, erased_at).fallen_due(now()).discount;
    discount.revision = 0;
    discount
}

fn events() -> impl Strategy<Value = Vec<(Event, Version)>> {
    let event = prop_oneof![
        4 => (1..4_u8, -2..3_i64).prop_map(|(percentage, days)| Event::Gifted(percentage, days)),
        2 => Just(Event::Redeemed),
        1 => Just(Event::Erased),
        1 => Just(Event::Swept),
    ];
    // Several events may occur at the same second.
    prop::collection::vec((event, 1..8_i64), 0..10).prop_map(|events| {
        let numbered = events.into_iter().enumerate();
        numbered
            .map(|(number, (event, second))| {
                let event_id = Uuid::from_u128(u128::try_from(number).unwrap());
                (event, Version { event_id, ..at(second) })
            })
            .collect()
    })
}

proptest! {
    #[test]
    fn any_order_and_duplication_ends_in_the_same_state(
        (events, shuffled) in events().prop_flat_map(|events| {
            let twice = [events.clone(), events.clone()].concat();
            (Just(events), Just(twice).prop_shuffle())
        })
    ) {
        let mut in_order = events;
        in_order.sort_by_key(|(_, version)| *version);
        prop_assert_eq!(applied(&in_order), applied(&shuffled));
    }
}
