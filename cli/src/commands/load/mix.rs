//! Which share of the events is of which type.

use std::collections::BTreeMap;
use std::path::Path;

use contracts::{
    ContactPreferencesChanged, CustomerEnrolled, CustomerErased, CustomerRenamed, DiscountGifted,
    DiscountRedeemed, PointsEarned, PointsRedeemed,
};
use envelope::Event as _;
use rand::{Rng, RngExt as _};
use serde_json::Value;

use crate::failure::Failure;

/// What ingest takes, with the weight of each in a programme whose members buy more often than they move: as many join
/// as leave.
const USUAL: [(&str, f64); 8] = [
    (CustomerEnrolled::TYPE, 4.0),
    (CustomerRenamed::TYPE, 8.0),
    (ContactPreferencesChanged::TYPE, 8.0),
    (PointsEarned::TYPE, 45.0),
    (PointsRedeemed::TYPE, 12.0),
    (DiscountGifted::TYPE, 12.0),
    (DiscountRedeemed::TYPE, 7.0),
    (CustomerErased::TYPE, 4.0),
];

/// The weights of event types.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Mix {
    weights: Vec<(&'static str, f64)>,
    total: f64,
}

impl Default for Mix {
    fn default() -> Self {
        Self::of(USUAL.to_vec())
    }
}

impl Mix {
    fn of(weights: Vec<(&'static str, f64)>) -> Self {
        let total = weights.iter().map(|(_, weight)| weight).sum();
        Self { weights, total }
    }

    /// Reads a file with an object of event types and weights.
    ///
    /// # Errors
    /// A usage failure that names the file, what is wrong in it and what would be right.
    pub(super) fn read(path: &Path) -> Result<Self, Failure> {
        let wrong = |what: String| Failure::usage(format!("{}: {what}", path.display()));
        let text =
            std::fs::read_to_string(path).map_err(|error| wrong(format!("cannot be read: {error}")))?;
        Self::parse(&text).map_err(wrong)
    }

    fn parse(text: &str) -> Result<Self, String> {
        const FORM: &str = r#"write an object of event types and weights, such as {"PointsEarned": 3, "CustomerRenamed": 1}"#;
        let value: Value =
            serde_json::from_str(text).map_err(|error| format!("not valid JSON: {error}; {FORM}"))?;
        let fields = value.as_object().ok_or_else(|| format!("not an object; {FORM}"))?;
        let mut weights = Vec::new();
        for (name, weight) in fields {
            let known =
                USUAL.iter().map(|(known, _)| *known).find(|known| known == name).ok_or_else(|| {
                    let all = USUAL.map(|(known, _)| known).join(", ");
                    format!("field {name:?} is no event type that ingest takes; use one of {all}")
                })?;
            let weight = weight.as_f64().filter(|weight| (0.0..=1e9).contains(weight)).ok_or_else(|| {
                format!("field {name:?} is {weight}; write a number from 0 to 1000000000, its share of the sum of all")
            })?;
            weights.push((known, weight));
        }
        let mix = Self::of(weights);
        if mix.total > 0.0 { Ok(mix) } else { Err(format!("no event type has a weight above 0; {FORM}")) }
    }

    /// Returns the share of each type, from 0 to 1.
    pub(super) fn shares(&self) -> BTreeMap<String, f64> {
        self.weights.iter().map(|(name, weight)| ((*name).to_owned(), weight / self.total)).collect()
    }

    /// Chooses a type.
    pub(super) fn pick(&self, random: &mut impl Rng) -> &'static str {
        let mut place = random.random_range(0.0..self.total);
        for (name, weight) in &self.weights {
            if place < *weight {
                return name;
            }
            place -= weight;
        }
        // Rounding may leave a trace above the last weight.
        self.weights
            .iter()
            .rev()
            .find(|(_, weight)| *weight > 0.0)
            .map_or(PointsEarned::TYPE, |(name, _)| name)
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;
    use rand::rngs::StdRng;

    use super::*;

    #[test]
    fn types_come_as_often_as_they_weigh() {
        let mix = Mix::parse(r#"{"PointsEarned": 3, "CustomerRenamed": 1, "CustomerErased": 0}"#).unwrap();
        assert!((mix.shares()["PointsEarned"] - 0.75).abs() < 1e-9);
        let mut random = StdRng::seed_from_u64(1);
        let picked: Vec<_> = (0..4000).map(|_| mix.pick(&mut random)).collect();
        let renamed = picked.iter().filter(|name| **name == CustomerRenamed::TYPE).count();
        assert!((900..1100).contains(&renamed), "{renamed}");
        assert!(!picked.contains(&CustomerErased::TYPE));
    }

    #[test]
    fn the_usual_shares_are_percent() {
        assert!((Mix::default().total - 100.0).abs() < 1e-9);
    }

    #[test]
    fn an_error_names_the_field_and_what_to_write() {
        let error = |text: &str| Mix::parse(text).unwrap_err();
        let unknown = error(r#"{"PointsEarnt": 3}"#);
        assert!(unknown.contains("\"PointsEarnt\"") && unknown.contains("PointsEarned, "), "{unknown}");
        for text in [r#"{"PointsEarned": -1}"#, r#"{"PointsEarned": "3"}"#, r#"{"PointsEarned": 1e300}"#] {
            let weight = error(text);
            assert!(weight.contains("\"PointsEarned\"") && weight.contains("number from 0"), "{weight}");
        }
        assert!(error(r#"{"PointsEarned": 0}"#).contains("above 0"));
        assert!(error("[]").contains("object") && error("{").contains("not valid JSON"));
    }
}
