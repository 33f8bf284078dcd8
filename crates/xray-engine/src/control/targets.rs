//! How a rule's reservoir is divided among the clients that report on it
//! (<https://docs.aws.amazon.com/xray/latest/devguide/xray-api-sampling.html>).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// How often clients report, in seconds.
pub(crate) const INTERVAL_S: u32 = 10;
/// How long a quota is valid, in seconds: "the quota is good for five minutes" (developer guide).
pub(crate) const QUOTA_S: f64 = 300.0;
/// A client that has missed three reports has no share, in seconds.
const RECENT_S: f64 = 30.0;
/// Clients remembered for a rule.
const MAX_CLIENTS: usize = 1_000;

/// Who has reported on which rule, and when.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Targets(BTreeMap<String, Clients>);

/// When each client was last seen, epoch seconds.
type Clients = BTreeMap<String, f64>;

impl Targets {
    /// Remembers that a client has reported requests that a rule took, and returns its share of the reservoir, in requests
    /// per second.
    ///
    /// The clients with requests lately have equal shares. "X-Ray calculates a new reservoir for each service based on the
    /// recent sampling results"
    /// (<https://docs.aws.amazon.com/xray/latest/api/API_SamplingTargetDocument.html>): many samplers report on all rules,
    /// also on those that none of their requests matches, and take nothing from the others. Their answer is the share that
    /// they would have. What remains of the division is given, one each, to as many clients, and in every interval to the
    /// next ones, so that over time all have the same even if the reservoir is smaller than the number of clients. Within
    /// an interval the shares add up to the reservoir. After a client has joined, the others keep their larger shares
    /// until they report.
    pub(crate) fn quota(&mut self, rule: &str, reservoir: i32, client: &str, requests: u64, now: f64) -> i32 {
        let clients = self.0.entry(rule.to_owned()).or_default();
        clients.retain(|_, seen| now - *seen <= RECENT_S);
        let mut sharing = clients.len();
        if !clients.contains_key(client) {
            sharing = (sharing + 1).min(MAX_CLIENTS);
        }
        if requests > 0 {
            if clients.len() >= MAX_CLIENTS && !clients.contains_key(client) {
                forget_one(clients);
            }
            clients.insert(client.to_owned(), now);
        }
        let place = clients.keys().take_while(|known| known.as_str() < client).count();
        share(reservoir, sharing, place, interval(now))
    }

    /// Forgets the clients of a rule.
    pub(crate) fn forget(&mut self, rule: &str) {
        self.0.remove(rule);
    }
}

fn forget_one(clients: &mut Clients) {
    let oldest = clients.iter().min_by(|(_, a), (_, b)| a.total_cmp(b)).map(|(client, _)| client.clone());
    if let Some(oldest) = oldest {
        clients.remove(&oldest);
    }
}

/// Returns the number of the interval that a time falls into.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a negative time counts as zero")]
fn interval(now: f64) -> usize {
    (now / f64::from(INTERVAL_S)) as usize
}

/// Returns the share of the client at `place` among `clients`.
fn share(reservoir: i32, clients: usize, place: usize, interval: usize) -> i32 {
    let reservoir = usize::try_from(reservoir).unwrap_or_default();
    let remainder = reservoir % clients;
    let turn = (place + clients - interval % clients) % clients;
    let share = reservoir / clients + usize::from(turn < remainder);
    i32::try_from(share).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_single_client_has_the_whole_reservoir() {
        let mut targets = Targets::default();
        assert_eq!(targets.quota("rule", 5, "a", 1, 100.0), 5);
        assert_eq!(targets.quota("other", 0, "a", 1, 100.0), 0);
    }

    #[test]
    fn clients_that_stay_away_lose_their_share() {
        let mut targets = Targets::default();
        targets.quota("rule", 10, "a", 1, 100.0);
        assert_eq!(targets.quota("rule", 10, "b", 1, 100.0), 5);
        assert_eq!(targets.quota("rule", 10, "b", 1, 130.0), 5);
        assert_eq!(targets.quota("rule", 10, "b", 1, 130.1), 10);
        targets.forget("rule");
        assert_eq!(targets, Targets::default());
    }

    #[test]
    fn clients_without_requests_take_nothing_from_the_others() {
        let mut targets = Targets::default();
        assert_eq!(targets.quota("rule", 10, "idle", 0, 100.0), 10, "as if it had some");
        assert_eq!(targets.quota("rule", 10, "busy", 7, 100.0), 10);
        assert_eq!(targets.quota("rule", 10, "idle", 0, 100.0), 5);
        assert_eq!(targets.quota("rule", 10, "busy", 7, 110.0), 10);
        // Who had requests before is one of them for a while.
        assert_eq!(targets.quota("rule", 10, "idle", 1, 110.0), 5);
        assert_eq!(targets.quota("rule", 10, "idle", 0, 140.0), 5);
        assert_eq!(targets.quota("rule", 10, "busy", 7, 140.0), 5);
        assert_eq!(targets.quota("rule", 10, "idle", 0, 140.1), 5);
        assert_eq!(targets.quota("rule", 10, "busy", 7, 140.1), 10);
    }

    #[test]
    fn the_client_longest_unseen_makes_room() {
        let mut targets = Targets::default();
        for number in 0..MAX_CLIENTS {
            targets.quota("rule", 1, &format!("{number:04}"), 1, if number == 7 { 99.0 } else { 100.0 });
        }
        targets.quota("rule", 1, "new", 1, 100.0);
        let clients = &targets.0["rule"];
        assert_eq!((clients.len(), clients.contains_key("0007")), (MAX_CLIENTS, false));
    }

    proptest! {
        #[test]
        fn shares_add_up_to_the_reservoir(reservoir in 0..500_i32, clients in 1..50_usize, interval in 0..10_000_usize) {
            let shares: Vec<_> = (0..clients).map(|place| share(reservoir, clients, place, interval)).collect();
            prop_assert_eq!(shares.iter().sum::<i32>(), reservoir);
            prop_assert!(shares.iter().max().unwrap() - shares.iter().min().unwrap() <= 1);
        }

        #[test]
        fn over_as_many_intervals_as_clients_all_have_the_same(
            reservoir in 0..500_i32, clients in 1..50_usize, first in 0..10_000_usize,
        ) {
            for place in 0..clients {
                let total: i32 =
                    (first..first + clients).map(|interval| share(reservoir, clients, place, interval)).sum();
                prop_assert_eq!(total, reservoir);
            }
        }
    }
}
