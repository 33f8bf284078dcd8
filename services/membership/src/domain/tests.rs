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
fn announced(change: &Change) -> Option<(&'static str, Option<Contact>)> {
    let Change::Applied { announcement, .. } = change else { return None };
    Some(match &announcement.as_deref()?.event {
        Announcement::Enrolled(event) => ("enrolled", Some(event.contact.clone())),
        Announcement::Renamed(event) => ("renamed", Some(event.contact.clone())),
        Announcement::PreferencesChanged(event) => ("preferences", Some(event.contact.clone())),
        Announcement::Erased(event) => ("erased", event.contact.clone()),
    })
}

/// Returns whether the event was applied without changing the contact.
fn is_unchanged(change: &Change) -> bool {
    matches!(change, Change::Applied { announcement: Some(announced), .. } if announced.unchanged)
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
    assert_eq!(announced(&changes[0]), Some(("enrolled", Some(contact))));
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
    assert_eq!(announced(&changes[2]).unwrap().1, Some(contact));
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
fn a_stale_rename_is_not_announced() {
    let (member, changes) = history([
        (enrolled("Ada", "ada"), at(1)),
        (renamed("Ida"), at(3)),
        (renamed("Augusta"), at(2)),
        (renamed("Ida"), at(3)),
    ]);
    assert_eq!(names(&changes), [Some("enrolled"), Some("renamed"), None, None]);
    assert_eq!(changes[2..], [Change::Stale, Change::Stale]);
    assert_eq!(member.contact().unwrap().name, name("Ida"));
}

/// A CRM that sends everything again must not have everybody mailed; its versions count all the same.
#[test]
fn events_that_repeat_what_is_known_are_applied_and_nothing_new() {
    let same = [Channel::Email].into();
    let (member, changes) = history([
        (enrolled("Ada", "ada"), at(1)),
        (renamed("Ada"), at(9)),
        (prefers(Some("ada"), Some(same), Some("en")), at(4)),
        (enrolled("Ada", "ada"), at(5)),
        (renamed("Augusta"), at(8)),
        (renamed("Augusta"), at(10)),
    ]);
    let unchanged: Vec<_> = changes.iter().map(is_unchanged).collect();
    assert_eq!(unchanged, [false, true, true, true, false, false]);
    assert_eq!(changes[4], Change::Stale);
    assert_eq!(member.contact().unwrap().name, name("Augusta"));
}

#[test]
fn a_new_address_is_announced_with_the_previous_one() {
    let previous = |change: &Change| {
        let Change::Applied { announcement, .. } = change else { panic!("{change:?}") };
        match &announcement.as_ref().unwrap().event {
            Announcement::Enrolled(event) => event.previous_email.clone(),
            Announcement::PreferencesChanged(event) => event.previous_email.clone(),
            other => panic!("{other:?}"),
        }
    };
    let (_, changes) = history([
        (enrolled("Ada", "ada"), at(1)),
        (prefers(Some("augusta"), None, None), at(3)),
        (prefers(None, None, Some("de")), at(4)),
        (enrolled("Ada", "countess"), at(5)),
        (erased(), at(6)),
        (enrolled("Ada", "again"), at(7)),
    ]);
    let without_farewell: Vec<_> = changes.iter().take(4).chain(changes.last()).map(previous).collect();
    assert_eq!(without_farewell, [None, Some(email("ada")), None, Some(email("augusta")), None]);
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
fn an_erasure_wins_over_everything_as_old_and_keeps_nothing() {
    let (member, changes) = history([
        (enrolled("Ada", "ada"), at(1)),
        (erased(), at(3)),
        (renamed("Augusta"), at(2)),
        (enrolled("Ada", "ada"), Version { event_id: Uuid::from_u128(9), ..at(3) }),
        (erased(), at(4)),
        (enrolled("Ada", "ada"), at(4)),
    ]);
    assert_eq!(names(&changes), [Some("enrolled"), Some("erased"), None, None, Some("erased"), None]);
    assert_eq!(announced(&changes[1]).unwrap().1.unwrap().email, email("ada"));
    assert_eq!([&changes[2], &changes[3], &changes[5]], [&Change::Erased; 3]);
    assert!(member.is_erased());
    let kept = serde_json::to_string(&member).unwrap();
    assert!(!kept.contains("Ada") && !kept.contains("ada@"), "{kept}");
}

#[test]
fn an_enrolment_after_an_erasure_begins_a_new_membership() {
    let (member, changes) = history([
        (enrolled("Ada", "ada"), at(1)),
        (prefers(None, None, Some("de")), at(2)),
        (erased(), at(3)),
        (renamed("Augusta"), at(6)),
        (enrolled("Ada", "again"), at(5)),
    ]);
    assert_eq!(
        names(&changes),
        [Some("enrolled"), Some("preferences"), Some("erased"), None, Some("enrolled")]
    );
    let contact = member.contact().unwrap();
    assert_eq!((contact.name, contact.email), (name("Augusta"), email("again")));
    assert_eq!(contact.locale.as_str(), "en", "the language of the earlier membership is forgotten");
    let Change::Applied { announcement: Some(announced), .. } = &changes[4] else { panic!("{changes:?}") };
    let Announcement::Enrolled(event) = &announced.event else { panic!("{announced:?}") };
    assert_eq!(event.enrolled_at, Some(at(5).occurred_at));
}

#[test]
fn an_erasure_that_arrives_after_a_later_enrolment_ends_only_the_earlier_membership() {
    let (member, changes) =
        history([(enrolled("Ada", "ada"), at(1)), (enrolled("Ada", "again"), at(5)), (erased(), at(3))]);
    let Change::Applied { announcement: Some(announced), .. } = &changes[2] else { panic!("{changes:?}") };
    let Announcement::Erased(event) = &announced.event else { panic!("{announced:?}") };
    assert_eq!((&event.contact, event.enrolled_again_at), (&None, Some(at(5).occurred_at)));
    assert_eq!(member.contact().unwrap().email, email("again"));
}

/// Items of earlier releases.
#[test]
fn a_member_stored_before_there_were_new_memberships_is_read() {
    let version =
        r#"{"occurred_at": "1970-01-01T00:00:03Z", "event_id": "00000000-0000-0000-0000-000000000003"}"#;
    let stored = |state: &str| {
        let json = format!(r#"{{"customer_number": "123456789012", {state}}}"#);
        serde_json::from_str::<Member>(&json).unwrap()
    };
    assert!(stored(&format!(r#""erased": {version}"#)).is_erased());
    let known = stored(&format!(
        r#""known": {{"enrolled": {version}, "channels": {{"value": [], "version": {version}}},
            "name": {{"value": {{"given": "Ada", "family": "Lovelace"}}, "version": {version}}},
            "email": {{"value": "ada@example.com", "version": {version}}}}}"#
    ));
    assert_eq!(known.contact().unwrap().name, name("Ada"));
}

#[test]
fn the_erasure_of_someone_never_enrolled_is_announced_without_a_contact() {
    for before in [vec![], vec![(renamed("Ada"), at(1)), (prefers(Some("ada"), None, None), at(2))]] {
        let (member, changes) = history(before.into_iter().chain([(erased(), at(3))]));
        assert!(member.is_erased());
        let Some(Change::Applied { announcement: Some(announced), .. }) = changes.last() else {
            panic!("{changes:?}")
        };
        let Announcement::Erased(event) = &announced.event else { panic!("{announced:?}") };
        assert_eq!((&event.contact, event.enrolled_again_at), (&None, None));
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

        let is_erasure = |event: &Event| matches!(event, Event::Erased(_));
        let erased = events.iter().filter(|(event, _)| is_erasure(event)).map(|(_, v)| v.occurred_at).max();
        let survivors: History = events
            .into_iter()
            .filter(|(event, version)| !is_erasure(event) && Some(version.occurred_at) > erased)
            .collect();
        let enrolled = survivors.iter().any(|(event, _)| matches!(event, Event::Enrolled(_)));
        prop_assert_eq!(member.is_erased(), erased.is_some() && !enrolled);
        prop_assert_eq!(member.contact().is_some(), enrolled);
        if let Some(contact) = member.contact() {
            let name = last_word(&survivors, |event| match event {
                Event::Enrolled(event) => Some(event.name.clone()),
                Event::Renamed(event) => Some(event.name.clone()),
                _ => None,
            });
            let channels = last_word(&survivors, |event| match event {
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
            let unchanged = is_unchanged(&change);
            if let Change::Applied { member: after, .. } = change {
                member = after;
            }
            let same = before == member.contact() && !matches!(event, Event::Erased(_));
            prop_assert_eq!(unchanged, announcement.is_some() && same);
            match (&event, announcement) {
                // Every announcement holds the contact after the event…
                (Event::Enrolled(_), Some((name, contact))) => {
                    prop_assert_eq!((name, contact), ("enrolled", member.contact()));
                    told += 1;
                }
                (Event::Renamed(_), Some((name, contact))) => {
                    prop_assert!(before.is_some());
                    prop_assert_eq!((name, contact), ("renamed", member.contact()));
                }
                (Event::Preferences(_), Some((name, contact))) => {
                    prop_assert!(before.is_some());
                    prop_assert_eq!((name, contact), ("preferences", member.contact()));
                }
                // …except an erasure's, which holds the last one before it, unless the customer is a member again.
                (Event::Erased(_), Some((name, contact))) => {
                    let farewell = before.filter(|_| member.is_erased());
                    prop_assert_eq!((name, contact), ("erased", farewell));
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
