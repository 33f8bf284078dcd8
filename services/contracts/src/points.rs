//! Points: what the CRM says of purchases and redemptions, and what that makes of a customer's balance and tier.
//!
//! `revision` grows with each change of one customer's points, so a consumer that keeps the event with the highest one has
//! the latest state, in whatever order events arrive. It does not start again after an erasure.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{CRM, CustomerNumber, InvalidValue, LOYALTY, event};

/// A number of points that changes hands at once: 1 to 10,000,000.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct Points(u32);

impl Points {
    /// The most points that one event can earn or redeem.
    pub const MAX: u32 = 10_000_000;

    /// Returns the number.
    #[must_use]
    pub fn get(self) -> u32 {
        self.0
    }
}

impl TryFrom<u32> for Points {
    type Error = InvalidValue;

    fn try_from(points: u32) -> Result<Self, InvalidValue> {
        match points {
            1..=Self::MAX => Ok(Self(points)),
            _ => Err(InvalidValue { expected: "must be a whole number from 1 to 10000000" }),
        }
    }
}

impl From<Points> for u32 {
    fn from(points: Points) -> Self {
        points.0
    }
}

impl JsonSchema for Points {
    fn schema_name() -> Cow<'static, str> {
        "Points".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A number of points.", "type": "integer", "minimum": 1, "maximum": Self::MAX,
        })
    }
}

/// A tier of the loyalty programme. A later one is better.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Tier {
    /// Where everybody begins.
    #[default]
    Bronze,
    /// From 1,000 points in twelve months.
    Silver,
    /// From 5,000 points in twelve months.
    Gold,
    /// From 20,000 points in twelve months.
    Platinum,
}

impl Tier {
    /// Every tier, the lowest first.
    pub const ALL: [Self; 4] = [Self::Bronze, Self::Silver, Self::Gold, Self::Platinum];

    /// Returns the points that a customer must have earned in the last twelve months.
    #[must_use]
    pub const fn threshold(self) -> u64 {
        match self {
            Self::Bronze => 0,
            Self::Silver => 1_000,
            Self::Gold => 5_000,
            Self::Platinum => 20_000,
        }
    }

    /// Returns the tier of a customer who has earned `points` in the last twelve months.
    ///
    /// ```
    /// use contracts::Tier;
    ///
    /// assert_eq!((Tier::of(999), Tier::of(1_000)), (Tier::Bronze, Tier::Silver));
    /// ```
    #[must_use]
    pub fn of(points: u64) -> Self {
        Self::ALL.into_iter().rfind(|tier| tier.threshold() <= points).unwrap_or_default()
    }

    /// Returns the tier's name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bronze => "bronze",
            Self::Silver => "silver",
            Self::Gold => "gold",
            Self::Platinum => "platinum",
        }
    }
}

/// A customer earned points. They count for the tier for twelve months from the time the event occurred.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PointsEarned {
    /// The customer it concerns.
    pub customer_number: CustomerNumber,
    /// How many.
    pub points: Points,
}
event!(PointsEarned, CRM);

/// A customer paid with points.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PointsRedeemed {
    /// The customer it concerns.
    pub customer_number: CustomerNumber,
    /// How many.
    pub points: Points,
}
event!(PointsRedeemed, CRM);

/// A customer's balance changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PointsBalanceChanged {
    /// The customer it concerns.
    pub customer_number: CustomerNumber,
    /// The points that the customer can redeem.
    pub balance: u64,
    /// The tier after the change.
    pub tier: Tier,
    /// The points earned in the last twelve months, which decide on the tier.
    pub tier_points: u64,
    /// Grows with each change of this customer's points, also beyond an erasure.
    pub revision: u64,
}
event!(PointsBalanceChanged, LOYALTY);

/// A customer reached a higher tier.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TierAscended {
    /// The customer it concerns.
    pub customer_number: CustomerNumber,
    /// The tier from now on.
    pub tier: Tier,
    /// The tier before.
    pub previous_tier: Tier,
    /// The points earned in the last twelve months.
    pub tier_points: u64,
    /// Grows with each change of this customer's points, also beyond an erasure.
    pub revision: u64,
}
event!(TierAscended, LOYALTY);

/// A customer fell to a lower tier, because points left the last twelve months.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TierDescended {
    /// The customer it concerns.
    pub customer_number: CustomerNumber,
    /// The tier from now on.
    pub tier: Tier,
    /// The tier before.
    pub previous_tier: Tier,
    /// The points earned in the last twelve months.
    pub tier_points: u64,
    /// Grows with each change of this customer's points, also beyond an erasure.
    pub revision: u64,
}
event!(TierDescended, LOYALTY);

/// A redemption was refused for good: the customer did not have the points, and none arrived in time. Announced for the
/// CRM, once for each redemption.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RedemptionRefused {
    /// The customer it concerns.
    pub customer_number: CustomerNumber,
    /// The id of the event `PointsRedeemed`.
    pub redemption_id: Uuid,
    /// How many points were to be redeemed.
    pub points: Points,
    /// How many the customer had.
    pub balance: u64,
}
event!(RedemptionRefused, LOYALTY);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_positive_and_limited() {
        for (json, right) in
            [("1", true), ("10000000", true), ("0", false), ("10000001", false), ("-1", false)]
        {
            assert_eq!(serde_json::from_str::<Points>(json).is_ok(), right, "{json}");
        }
    }

    #[test]
    fn a_tier_begins_at_its_threshold() {
        for tier in Tier::ALL {
            assert_eq!(Tier::of(tier.threshold()), tier);
            assert_eq!(serde_json::to_value(tier).unwrap(), tier.as_str());
            if tier.threshold() > 0 {
                assert!(Tier::of(tier.threshold() - 1) < tier);
            }
        }
        assert_eq!(Tier::of(u64::MAX), Tier::Platinum);
    }
}
