//! The books: for each service, what must be found of its work. A service that joins the layer gets one more line here.

mod archive;
mod bus;
mod deliveries;
mod discounts;
mod membership;
mod notifier;
mod rewards;
mod wallet;

use super::account::Account;
use super::facts::Facts;
use super::history::History;

/// Compares what must be true after a history with what is found, for one service.
type Check = fn(&History, &Facts, &mut Account);

/// The books by the services whose work they check.
const BOOKS: [(&str, Check); 9] = [
    (ingest::NAME, bus::check),
    (::membership::NAME, membership::check),
    (::rewards::NAME, rewards::check),
    (::discounts::NAME, discounts::check),
    (::notifier::NAME, notifier::check),
    (email::NAME, deliveries::check_mails),
    (app::NAME, deliveries::check_pushes),
    (::wallet::NAME, wallet::check),
    (::archive::NAME, archive::check),
];

/// Makes the account of what a history has led to.
pub(super) fn account(history: &History, facts: &Facts) -> Account {
    let mut account = Account::default();
    for (_, check) in BOOKS {
        check(history, facts, &mut account);
    }
    account
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_service_of_the_layer_has_a_book() {
        let books: BTreeSet<_> = BOOKS.iter().map(|(service, _)| *service).collect();
        assert_eq!(books, crate::layer::names().collect());
    }
}
