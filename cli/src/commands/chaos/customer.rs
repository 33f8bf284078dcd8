//! A customer with a random valid history, and what must be true of them once all of it has been handled.
//!
//! The end is computed from the history alone, event by event in the order of occurrence. It knows nothing of how the
//! services store or merge what they receive.

use std::collections::{BTreeMap, BTreeSet};

use contracts::{
    ContactPreferencesChanged, CustomerEnrolled, CustomerErased, CustomerRenamed, DiscountGifted,
    DiscountRedeemed, PointsEarned, PointsRedeemed,
};
use envelope::Event as _;
use jiff::{SignedDuration, Timestamp};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, RngExt as _};
use serde_json::{Value, json};
use uuid::Uuid;

const GIVEN: [&str; 8] = ["Alex", "Charlie", "Jo", "Kim", "Nika", "Robin", "Toni", "Uli"];
const FAMILY: [&str; 8] = ["Beispiel", "Doe", "Esempio", "Ejemplo", "Exemple", "Muster", "Roe", "Voorbeeld"];
const LOCALES: [&str; 3] = ["en", "de", "de-AT"];
const CHANNELS: [&[&str]; 6] =
    [&["email"], &["email"], &["app"], &["app", "email"], &["email", "wallet"], &["app", "email", "wallet"]];
/// How long a discount is valid that is to outlive the run.
const LONG: SignedDuration = SignedDuration::from_hours(24);
/// How long one is valid that is to expire, at most.
const SHORT_MS: i64 = 6_000;

/// An event as it is sent to ingest.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub(super) id: Uuid,
    pub(super) kind: &'static str,
    pub(super) customer: String,
    pub(super) json: Value,
}

/// What is true of a discount in the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// It can be used.
    Active,
    /// It expires while the scenario runs, whether or not it was activated in time.
    Expired,
    /// It was used by this event.
    Used(Uuid),
}

/// A discount of a customer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Discount {
    /// The event that gave it.
    pub(super) gift: Uuid,
    pub(super) end: End,
}

/// How the customer is reached in the end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Contact {
    pub(super) given: String,
    pub(super) family: String,
    pub(super) email: String,
    pub(super) locale: String,
    pub(super) channels: BTreeSet<String>,
}

/// What a customer does during a history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Habit {
    /// Stays, and is reached over the same channels all the time.
    Steady,
    /// Changes channels, so whether a notification precedes an opt-out depends on the order of arrival.
    Fickle,
    /// Is erased in the end.
    Leaves,
    /// Earns and redeems points, and nothing else.
    Collects,
}

impl Habit {
    /// Whether every notification of the customer can be foretold.
    pub(super) fn keeps_channels(self) -> bool {
        matches!(self, Self::Steady | Self::Collects)
    }
}

/// A customer.
#[derive(Debug)]
pub(super) struct Customer {
    pub(super) number: String,
    pub(super) habit: Habit,
    pub(super) contact: Contact,
    pub(super) enrolled: bool,
    pub(super) erased: bool,
    pub(super) balance: u64,
    /// Points of the last twelve months: nothing here occurred earlier.
    pub(super) tier_points: u64,
    pub(super) discounts: BTreeMap<String, Discount>,
    addresses: usize,
}

impl Customer {
    pub(super) fn new(number: String, habit: Habit) -> Self {
        Self {
            number,
            habit,
            contact: Contact::default(),
            enrolled: false,
            erased: false,
            balance: 0,
            tier_points: 0,
            discounts: BTreeMap::new(),
            addresses: 0,
        }
    }

    /// Returns the next event, which occurs at `occurred_at`. `now` is about when it is sent.
    pub(super) fn next(&mut self, random: &mut StdRng, occurred_at: Timestamp, now: Timestamp) -> Sent {
        let id = uuid(random);
        let (kind, data) = if self.enrolled { self.act(random, id, now) } else { self.enrol(random) };
        self.sent(id, kind, &data, occurred_at)
    }

    /// Returns the erasure, after which nothing is left.
    pub(super) fn erase(&mut self, random: &mut StdRng, occurred_at: Timestamp) -> Sent {
        self.erased = true;
        self.contact = Contact::default();
        (self.balance, self.tier_points) = (0, 0);
        let id = uuid(random);
        self.sent(id, CustomerErased::TYPE, &json!({}), occurred_at)
    }

    fn sent(&self, id: Uuid, kind: &'static str, data: &Value, occurred_at: Timestamp) -> Sent {
        let json = json!({
            "type": kind, "event_id": id, "occurred_at": occurred_at, "customer_number": self.number, "data": data,
        });
        Sent { id, kind, customer: self.number.clone(), json }
    }

    fn enrol(&mut self, random: &mut StdRng) -> (&'static str, Value) {
        self.enrolled = true;
        self.contact = Contact {
            given: pick(&GIVEN, random),
            family: pick(&FAMILY, random),
            email: self.next_address(),
            locale: pick(&LOCALES, random),
            channels: channels(random),
        };
        let Contact { given, family, email, locale, channels } = &self.contact;
        let name = json!({"given": given, "family": family});
        (
            CustomerEnrolled::TYPE,
            json!({"name": name, "email": email, "locale": locale, "channels": channels}),
        )
    }

    fn act(&mut self, random: &mut StdRng, id: Uuid, now: Timestamp) -> (&'static str, Value) {
        let most = if self.habit == Habit::Collects { 60 } else { 100 };
        match random.random_range(0..most) {
            40..60 if self.balance > 0 => self.redeem(random),
            0..60 => self.earn(random),
            60..72 => self.gift(random, id, now),
            72..78 => self.use_discount(id).unwrap_or_else(|| self.earn(random)),
            78..90 => self.rename(random),
            _ => self.prefer(random),
        }
    }

    fn earn(&mut self, random: &mut StdRng) -> (&'static str, Value) {
        let points = random.random_range(10..=900_u64);
        self.balance += points;
        self.tier_points += points;
        (PointsEarned::TYPE, json!({"points": points}))
    }

    fn redeem(&mut self, random: &mut StdRng) -> (&'static str, Value) {
        let points = random.random_range(1..=self.balance);
        self.balance -= points;
        (PointsRedeemed::TYPE, json!({"points": points}))
    }

    fn gift(&mut self, random: &mut StdRng, id: Uuid, now: Timestamp) -> (&'static str, Value) {
        let discount_id = format!("GIFT-{}", self.discounts.len() + 1);
        // Of customers who leave, time could end a discount before the erasure arrives. notifier would then wait for the
        // enrolment of somebody who is gone, for a quarter of an hour.
        let short = random.random_bool(0.3) && self.habit != Habit::Leaves;
        let life =
            if short { SignedDuration::from_millis(random.random_range(1_000..=SHORT_MS)) } else { LONG };
        let end = if short { End::Expired } else { End::Active };
        self.discounts.insert(discount_id.clone(), Discount { gift: id, end });
        let value = if random.random_bool(0.5) {
            json!({"percentage": random.random_range(1..=30)})
        } else {
            json!({"amount": {"minor_units": random.random_range(1..=20) * 100, "currency": "EUR"}})
        };
        let valid_until = now.saturating_add(life).unwrap_or(Timestamp::MAX);
        let data = json!({"discount_id": discount_id, "value": value, "valid_until": valid_until});
        (DiscountGifted::TYPE, data)
    }

    fn use_discount(&mut self, id: Uuid) -> Option<(&'static str, Value)> {
        let (discount_id, discount) =
            self.discounts.iter_mut().find(|(_, discount)| discount.end == End::Active)?;
        discount.end = End::Used(id);
        Some((DiscountRedeemed::TYPE, json!({"discount_id": discount_id})))
    }

    fn rename(&mut self, random: &mut StdRng) -> (&'static str, Value) {
        self.contact.given = pick(&GIVEN, random);
        self.contact.family = pick(&FAMILY, random);
        let name = json!({"given": self.contact.given, "family": self.contact.family});
        (CustomerRenamed::TYPE, json!({"name": name}))
    }

    fn prefer(&mut self, random: &mut StdRng) -> (&'static str, Value) {
        let data = match random.random_range(0..3) {
            0 if self.habit != Habit::Steady => {
                self.contact.channels = channels(random);
                json!({"channels": self.contact.channels})
            }
            1 => {
                self.contact.email = self.next_address();
                json!({"email": self.contact.email})
            }
            _ => {
                self.contact.locale = pick(&LOCALES, random);
                json!({"locale": self.contact.locale})
            }
        };
        (ContactPreferencesChanged::TYPE, data)
    }

    fn next_address(&mut self) -> String {
        self.addresses += 1;
        format!("customer-{}-{}@example.com", self.number, self.addresses)
    }
}

/// Returns an id that the same seed gives again.
pub(super) fn uuid(random: &mut StdRng) -> Uuid {
    let mut bytes = [0; 16];
    random.fill_bytes(&mut bytes);
    uuid::Builder::from_random_bytes(bytes).into_uuid()
}

fn channels(random: &mut StdRng) -> BTreeSet<String> {
    let chosen = CHANNELS.choose(random).copied().unwrap_or_default();
    chosen.iter().map(|&channel| channel.to_owned()).collect()
}

fn pick(from: &[&str], random: &mut StdRng) -> String {
    from.choose(random).copied().unwrap_or_default().to_owned()
}
