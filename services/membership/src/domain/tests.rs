//! Tests each rule, then random histories in random order.

use contracts::{Channel, ContactPreferencesChanged, CustomerEnrolled, CustomerErased, CustomerRenamed};
use proptest::prelude::*;

use super::*;

/// An event of any type.
#[derive(Clone, Debug)]
enum Event {
    Enrolled(CustomerEnrolled),
    Renamed(CustomerRenamed),
    Preferences(ContactPreferencesChanged),
    Erased(CustomerErased),
}

impl Event {
    fn apply(self, member: Member, version: Version) -> Change {
        match self {
            Self::Enrolled(event) => event.apply(member, version),
            Self::Renamed(event) => event.apply(member, version),
            Self::Preferences(event) => event.apply(member, version),
            Self::Erased(event) => event.apply(member, version),
        }
    }
}

fn customer_number() -> CustomerNumber {
    "123456789012".parse().unwrap()
}

fn name(given: &str) -> Name {
    Name { given: given.parse().unwrap(), family: "Lovelace".parse().unwrap() }
}

fn email(local: &str) -> EmailAddress {
    format!("{local}@example.com").parse().unwrap()
}

fn enrolled(given: &str, address: &str) -> Event {
    Event::Enrolled(CustomerEnrolled {
        customer_number: customer_number(),
        name: name(given),
        email: email(address),
        channels: Channels::from([Channel::Email]),
        locale: None,
    })
}

fn renamed(given: &str) -> Event {
    Event::Renamed(CustomerRenamed { customer_number: customer_number(), name: name(given) })
}

fn prefers(address: Option<&str>, channels: Option<Channels>, locale: Option<&str>) -> Event {
    Event::Preferences(ContactPreferencesChanged {
        customer_number: customer_number(),
        email: address.map(email),
        channels,
        locale: locale.map(|locale| locale.parse().unwrap()),
    })
}

fn erased() -> Event {
    Event::Erased(CustomerErased { customer_number: customer_number() })
}

fn at(second: i64) -> Version {
    Version {
        occurred_at: Timestamp::from_second(second).unwrap(),
        event_id: Uuid::from_u128(u128::try_from(second).unwrap()),
    }
}

/// Applies the events in turn and returns what each announced.
fn history(events: impl IntoIterator<Item = (Event, Version)>) -> (Member, Vec<Change>) {
    let mut member = Member::unknown(customer_number());
    let mut changes = Vec::new();
    for (event, version) in events {
        let change = event.apply(member.clone(), version);
        if let Change::Applied { member: after, .. } = &change {
            member = after.clone();
        }
        changes.push(change);
    }
    (member, changes)
}

/// Returns type and contact of an announcement.
fn announced(change: &Change) -> Option<(&'static str, Contact)> {
    let Change::Applied { announcement, .. } = change else { return None };
    Some(match announcement.as_deref()? {
        Announcement::Enrolled(event) => ("enrolled", event.contact.clone()),
        Announcement::Renamed(event) => ("renamed", event.contact.clone()),
        Announcement::PreferencesChanged(event) => ("preferences", event.contact.clone()),
        Announcement::Erased(event) => ("erased", event.contact.clone().unwrap()),
    })
}

fn names(changes: &[Change]) -> Vec<Option<&'static str>> {
    changes.iter().map(|change| announced(change).map(|(name, _)| name)).collect()
}

#[test]
fn an_enrolment_is_announced_with_the_default_locale() {
    let (member, changes) = history([(enrolled("Ada", "ada"), at(1))]);
    let contact = Contact {
        name: name("Ada"),
        email: email("ada"),
        channels: Channels::from([Channel::Email]),
        locale: "en".parse().unwrap(),
    };
    assert_eq!(member.contact(), Some(contact.clone()));
    assert_eq!(announced(&changes[0]), Some(("enrolled", contact)));
}

#[test]
fn what_comes_before_the_enrolment_is_announced_with_it() {
    let (member, changes) = history([
        (renamed("Augusta"), at(2)),
        (prefers(Some("augusta"), None, Some("de-AT")), at(3)),
        (enrolled("Ada", "ada"), at(1)),
    ]);
    assert_eq!(names(&changes), [None, None, Some("enrolled")]);
    let contact = member.contact().unwrap();
    assert_eq!(contact.name, name("Augusta"));
    assert_eq!(contact.email, email("augusta"));
    assert_eq!(contact.locale.as_str(), "de-AT");
    assert_eq!(announced(&changes[2]).unwrap().1, contact);
}

#[test]
fn an_enrolment_whose_every_field_is_outdated_is_announced_the_first_time() {
    let (_, changes) = history([
        (renamed("Augusta"), at(2)),
        (prefers(Some("augusta"), Some(Channels::new()), Some("de")), at(2)),
        (enrolled("Ada", "ada"), at(1)),
        (enrolled("Ada", "ada"), at(1)),
    ]);
    assert_eq!(names(&changes), [None, None, Some("enrolled"), None]);
    assert_eq!(changes[3], Change::Stale);
}

#[test]
fn a_rename_is_announced_even_to_the_same_name_but_not_a_stale_one() {
    let (member, changes) = history([
        (enrolled("Ada", "ada"), at(1)),
        (renamed("Ada"), at(3)),
        (renamed("Augusta"), at(2)),
        (renamed("Ada"), at(3)),
    ]);
    assert_eq!(names(&changes), [Some("enrolled"), Some("renamed"), None, None]);
    assert_eq!(changes[2..], [Change::Stale, Change::Stale]);
    assert_eq!(member.contact().unwrap().name, name("Ada"));
}

#[test]
fn each_preference_has_its_own_version() {
    let app = Channels::from([Channel::App]);
    let (member, changes) = history([
        (enrolled("Ada", "ada"), at(1)),
        (prefers(Some("late"), None, None), at(5)),
        (prefers(Some("early"), Some(app.clone()), None), at(3)),
        (prefers(Some("early"), None, None), at(2)),
        (prefers(None, None, None), at(9)),
    ]);
    assert_eq!(names(&changes), [Some("enrolled"), Some("preferences"), Some("preferences"), None, None]);
    let contact = member.contact().unwrap();
    assert_eq!((contact.email, contact.channels), (email("late"), app));
    assert_eq!(changes[3..], [Change::Stale, Change::Stale]);
}

#[test]
fn a_further_enrolment_is_announced_if_it_changes_anything() {
    let (member, changes) = history([
        (enrolled("Ada", "ada"), at(2)),
        (renamed("Augusta"), at(5)),
        (enrolled("Ada", "countess"), at(4)),
        (enrolled("Ada", "older"), at(1)),
    ]);
    assert_eq!(names(&changes), [Some("enrolled"), Some("renamed"), Some("enrolled"), None]);
    assert_eq!(changes[3], Change::Stale);
    let contact = member.contact().unwrap();
    assert_eq!((contact.name, contact.email), (name("Augusta"), email("countess")));
}

#[test]
fn at_one_instant_the_greater_event_id_wins() {
    let low = at(7);
    let high = Version { event_id: Uuid::from_u128(8), ..low };
    for order in [[("Low", low), ("High", high)], [("High", high), ("Low", low)]] {
        let renames = order.map(|(given, version)| (renamed(given), version));
        let (member, _) = history([(enrolled("Ada", "ada"), at(1))].into_iter().chain(renames));
        assert_eq!(member.contact().unwrap().name, name("High"));
    }
}

#[test]
fn an_erasure_wins_over_older_and_newer_events_and_keeps_nothing() {
    let (member, changes) = history([
        (enrolled("Ada", "ada"), at(1)),
        (erased(), at(3)),
        (renamed("Augusta"), at(2)),
        (enrolled("Ada", "ada"), at(9)),
        (erased(), at(4)),
    ]);
    assert_eq!(names(&changes), [Some("enrolled"), Some("erased"), None, None, None]);
    assert_eq!(announced(&changes[1]).unwrap().1.email, email("ada"));
    assert_eq!(changes[2..], [Change::Erased, Change::Erased, Change::Erased]);
    assert!(member.is_erased());
    let kept = serde_json::to_string(&member).unwrap();
    assert!(!kept.contains("Ada") && !kept.contains("ada@"), "{kept}");
}

#[test]
fn the_erasure_of_someone_never_enrolled_is_not_announced() {
    for before in [vec![], vec![(renamed("Ada"), at(1)), (prefers(Some("ada"), None, None), at(2))]] {
        let (member, changes) = history(before.into_iter().chain([(erased(), at(3))]));
        assert!(member.is_erased());
        assert!(matches!(changes.last(), Some(Change::Applied { announcement: None, .. })));
    }
}

#[test]
fn debug_output_holds_no_personal_data() {
    let (member, changes) = history([(enrolled("Ada", "ada"), at(1)), (erased(), at(2))]);
    let shown = format!("{member:?} {changes:?}");
    assert!(!shown.contains("Ada") && !shown.contains("ada@") && !shown.contains("Lovelace"), "{shown}");
}

type History = Vec<(Event, Version)>;

fn any_event() -> impl Strategy<Value = Event> {
    let word = prop::sample::select(vec!["ada", "bea", "cleo", "dora"]);
    let channels = || prop::sample::subsequence(Channel::ALL.to_vec(), 0..=3);
    prop_oneof![
        3 => (word.clone(), word.clone(), channels(), prop::option::of(Just("de-AT"))).prop_map(
            |(given, address, channels, locale)| Event::Enrolled(CustomerEnrolled {
                customer_number: customer_number(),
                name: name(given),
                email: email(address),
                channels: channels.into_iter().collect(),
                locale: locale.map(|locale| locale.parse().unwrap()),
            })
        ),
        4 => word.clone().prop_map(renamed),
        4 => (prop::option::of(word), prop::option::of(channels()), prop::option::of(Just("fr"))).prop_map(
            |(address, channels, locale)| {
                prefers(address, channels.map(|channels| channels.into_iter().collect()), locale)
            }
        ),
        1 => Just(erased()),
    ]
}

/// Generates events with distinct versions, many of them at the same instant.
fn any_history() -> impl Strategy<Value = History> {
    prop::collection::vec((any_event(), 0_i64..6), 0..14).prop_map(|events| {
        (1..)
            .zip(events)
            .map(|(id, (event, second))| (event, Version { event_id: Uuid::from_u128(id), ..at(second) }))
            .collect()
    })
}

/// Generates events in two orders, the second with some of them repeated.
fn two_orders() -> impl Strategy<Value = (History, History)> {
    any_history().prop_flat_map(|events| {
        let again = prop::sample::subsequence(events.clone(), 0..=events.len());
        (Just(events), again).prop_flat_map(|(events, again)| {
            let delivered = [events.clone(), again].concat();
            (Just(events), Just(delivered).prop_shuffle())
        })
    })
}

/// Returns the value by the latest event that sets a field.
fn last_word<T>(events: &[(Event, Version)], field: impl Fn(&Event) -> Option<T>) -> Option<T> {
    let set = events.iter().filter_map(|(event, version)| Some((version, field(event)?)));
    set.max_by_key(|(version, _)| **version).map(|(_, value)| value)
}

proptest! {
    #[test]
    fn any_order_of_a_history_ends_in_the_same_member((events, delivered) in two_orders()) {
        let (member, _) = history(delivered);
        prop_assert_eq!(&member, &history(events.clone()).0);

        let erased = events.iter().any(|(event, _)| matches!(event, Event::Erased(_)));
        let enrolled = events.iter().any(|(event, _)| matches!(event, Event::Enrolled(_)));
        prop_assert_eq!(member.is_erased(), erased);
        prop_assert_eq!(member.contact().is_some(), enrolled && !erased);
        if let Some(contact) = member.contact() {
            let name = last_word(&events, |event| match event {
                Event::Enrolled(event) => Some(event.name.clone()),
                Event::Renamed(event) => Some(event.name.clone()),
                _ => None,
            });
            let channels = last_word(&events, |event| match event {
                Event::Enrolled(event) => Some(event.channels.clone()),
                Event::Preferences(event) => event.channels.clone(),
                _ => None,
            });
            prop_assert_eq!(Some(contact.name), name);
            prop_assert_eq!(Some(contact.channels), channels);
        }
    }

    #[test]
    fn announcements_keep_the_rules((_, delivered) in two_orders()) {
        let mut member = Member::unknown(customer_number());
        let mut told = 0;
        for (event, version) in delivered {
            let before = member.contact();
            let change = event.clone().apply(member.clone(), version);
            let announcement = announced(&change);
            if let Change::Applied { member: after, .. } = change {
                member = after;
            }
            match (&event, announcement) {
                // Every announcement holds the contact after the event…
                (Event::Enrolled(_), Some((name, contact))) => {
                    prop_assert_eq!((name, Some(contact)), ("enrolled", member.contact()));
                    told += 1;
                }
                (Event::Renamed(_), Some((name, contact))) => {
                    prop_assert!(before.is_some());
                    prop_assert_eq!((name, Some(contact)), ("renamed", member.contact()));
                }
                (Event::Preferences(_), Some((name, contact))) => {
                    prop_assert!(before.is_some());
                    prop_assert_eq!((name, Some(contact)), ("preferences", member.contact()));
                }
                // …except an erasure's, which holds the last one before it.
                (Event::Erased(_), Some((name, contact))) => {
                    prop_assert_eq!((name, Some(contact)), ("erased", before));
                    prop_assert!(member.is_erased());
                }
                (_, None) => prop_assert!(before.is_some() || member.contact().is_none()),
            }
            // An event that was handled changes nothing more.
            let again = event.apply(member.clone(), version);
            prop_assert!(matches!(again, Change::Stale | Change::Erased));
        }
        prop_assert!(told > 0 || member.contact().is_none());
    }

    #[test]
    fn a_member_survives_being_written_and_read(events in any_history()) {
        let (member, _) = history(events);
        let written = serde_json::to_string(&member).unwrap();
        prop_assert_eq!(serde_json::from_str::<Member>(&written).unwrap(), member);
    }
}
