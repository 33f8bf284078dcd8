//! Any order and repetition of a valid history leads to the same card.

use contracts::Percentage;
use jiff::SignedDuration;
use proptest::prelude::*;

use super::*;

fn customer() -> CustomerNumber {
    "123456789012".parse().unwrap()
}

fn at(second: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_secs(second)
}

fn place(second: i64, event: u128) -> Place {
    Place { event_id: Uuid::from_u128(event), occurred_at: at(second), published_at: at(second + 1) }
}

fn contact(given: &str, enrolled: i64) -> News {
    let name = Name { given: given.parse().unwrap(), family: "Lovelace".parse().unwrap() };
    News::Contact { name, enrolled_at: Some(at(enrolled)) }
}

fn points(balance: u64, revision: u64) -> News {
    News::Points { balance, tier: Tier::of(balance), revision }
}

fn discount(id: u8, offered: bool, revision: u64) -> News {
    let value = DiscountValue::Percentage(Percentage::try_from(15).unwrap());
    let offer = offered.then(|| Offer { value, valid_until: at(1_000) });
    News::Discount { discount_id: format!("GIFT-{id}").parse().unwrap(), offer, revision }
}

fn card(history: impl IntoIterator<Item = (News, Place)>) -> Card {
    let mut card = Card::new(customer());
    for (news, place) in history {
        card.apply(news, place);
    }
    card
}

/// What happens to a customer, second by second, in a world where every service counts its changes.
#[derive(Clone, Copy, Debug)]
enum Step {
    Rename(u8),
    Earn(u8),
    Gift(u8),
    Use(u8),
    EraseAndEnrol,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        2 => any::<u8>().prop_map(Step::Rename),
        3 => any::<u8>().prop_map(Step::Earn),
        2 => (0..3_u8).prop_map(Step::Gift),
        2 => (0..3_u8).prop_map(Step::Use),
        1 => Just(Step::EraseAndEnrol),
    ];
    proptest::collection::vec(step, 0..20)
}

/// Returns the events that the services announce of these steps.
fn history(steps: &[Step]) -> Vec<(News, Place)> {
    let (mut enrolled, mut balance, mut revision) = (0, 0, 0);
    let mut revisions: BTreeMap<u8, u64> = BTreeMap::new();
    let mut events = vec![(contact("First", 0), place(0, 0))];
    for (index, step) in steps.iter().enumerate() {
        let second = i64::try_from(index).unwrap() * 10 + 10;
        let event = u128::try_from(index).unwrap() * 10 + 10;
        let mut next = |id: u8| *revisions.entry(id).and_modify(|revision| *revision += 1).or_insert(1);
        match *step {
            Step::Rename(name) => {
                events.push((contact(&format!("Name{name}"), enrolled), place(second, event)));
            }
            Step::Earn(earned) => {
                (balance, revision) = (balance + u64::from(earned), revision + 1);
                events.push((points(balance, revision), place(second, event)));
            }
            Step::Gift(id) => events.push((discount(id, true, next(id)), place(second, event))),
            Step::Use(id) => events.push((discount(id, false, next(id)), place(second, event))),
            Step::EraseAndEnrol => {
                (balance, enrolled) = (0, second + 5);
                events.push((News::Erased, place(second, event)));
                events.push((contact("Again", enrolled), place(second + 5, event + 1)));
            }
        }
    }
    events
}

proptest! {
    #[test]
    fn any_order_and_repetition_of_a_history_leads_to_the_same_card(
        (steps, order) in steps().prop_flat_map(|steps| {
            let count = history(&steps).len();
            let places: Vec<usize> = (0..count).chain(0..count).collect();
            (Just(steps), Just(places).prop_shuffle())
        })
    ) {
        let events = history(&steps);
        let expected = card(events.clone());
        let shuffled = card(order.iter().map(|place| events[*place].clone()));
        prop_assert_eq!(&shuffled, &expected);
        prop_assert!(shuffled.is_valid());
        let mut again = shuffled.clone();
        for (news, place) in events {
            prop_assert!(!again.apply(news, place), "what is known changes nothing");
        }
    }
}

#[test]
fn an_erasure_leaves_only_its_time_whatever_arrives_later() {
    let events = [
        (contact("Ada", 0), place(0, 1)),
        (points(150, 3), place(1, 2)),
        (discount(1, true, 1), place(2, 3)),
        (News::Erased, place(5, 4)),
    ];
    let mut forward = card(events.clone());
    assert_eq!(forward, card(events.into_iter().rev()));
    assert!(!forward.is_valid());
    let kept = serde_json::to_value(&forward).unwrap();
    assert_eq!(
        kept,
        serde_json::json!({"customer_number": "123456789012", "erased_at": "1970-01-01T00:00:05Z"})
    );
    assert!(!forward.apply(contact("Ada", 0), place(4, 9)));
    assert!(forward.apply(contact("Ada", 6), place(6, 10)) && forward.is_valid());
}

#[test]
fn a_card_is_read_as_it_was_written() {
    let steps = [Step::Rename(1), Step::Earn(200), Step::Gift(1), Step::Use(2)];
    let card = card(history(&steps));
    let written = serde_json::to_string(&card).unwrap();
    assert_eq!(serde_json::from_str::<Card>(&written).unwrap(), card);
}

#[test]
fn debug_output_has_no_name() {
    let shown = format!("{:?}", card(history(&[Step::Rename(1)])));
    assert!(!shown.contains("Name1") && !shown.contains("Lovelace"), "{shown}");
}
