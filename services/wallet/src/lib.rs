//! The customer's wallet pass: what it shows, whatever the order in which events arrive.
//!
//! So far this is the domain: [`domain::Card`] collects what members', rewards' and discounts' events say of a customer,
//! and [`domain::pass`] writes it as the files of a pass. Nothing runs yet.
//!
//! ```
//! use contracts::{PointsBalanceChanged, Tier};
//! use wallet::domain::{Card, Place};
//!
//! let event = PointsBalanceChanged {
//!     customer_number: "123456789012".parse()?, balance: 150, tier: Tier::Silver, tier_points: 1_250, revision: 7,
//! };
//! let place = Place {
//!     event_id: uuid::Uuid::nil(),
//!     occurred_at: "2026-03-01T12:00:00Z".parse()?,
//!     published_at: "2026-03-01T12:00:01Z".parse()?,
//! };
//! let mut card = Card::new(event.customer_number.clone());
//! assert!(card.apply(event.clone().into(), place));
//! assert!(!card.apply(event.into(), place), "the second time it changes nothing");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod domain;
