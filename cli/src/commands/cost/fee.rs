//! One line of the bill.

use super::prices::Price;

/// One line of the bill.
#[derive(Debug)]
pub(super) struct Fee<'a> {
    pub(super) name: &'static str,
    /// How the quantity comes about.
    pub(super) how: &'static str,
    /// In units of the price.
    pub(super) quantity: f64,
    pub(super) price: &'a Price,
}

impl Fee<'_> {
    /// Returns what it costs in a month.
    pub(super) fn usd(&self) -> f64 {
        self.price.of(self.quantity)
    }
}

pub(super) fn fee<'a>(name: &'static str, how: &'static str, quantity: f64, price: &'a Price) -> Fee<'a> {
    Fee { name, how, quantity, price }
}
