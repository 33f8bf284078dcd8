//! Fires rules that have a schedule.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::buses::Buses;
use super::entry::Event;
use super::input::Arrived;
use super::names::DEFAULT_BUS;
use super::state::{Rule, State};

/// The longest sleep, so that the clock notices when the system's time was changed.
const MAX_SLEEP: Duration = Duration::from_mins(1);

/// Runs until the cloud stops.
pub(super) async fn run(buses: Buses, stop: CancellationToken) {
    loop {
        let now = Timestamp::now();
        let due = due(&mut buses.state(), now);
        for rule in due {
            fire(&buses, rule, now).await;
        }
        let next = next_run(&buses.state());
        let wait = next.map_or(MAX_SLEEP, |next| {
            Duration::try_from(next.duration_since(Timestamp::now())).unwrap_or_default().min(MAX_SLEEP)
        });
        tokio::select! {
            () = stop.cancelled() => return,
            () = buses.change_of_schedules() => {}
            () = tokio::time::sleep(wait) => {}
        }
    }
}

fn next_run(state: &State) -> Option<Timestamp> {
    state.buses.get(DEFAULT_BUS)?.rules.values().filter_map(|rule| rule.next_run).min()
}

/// Returns the rules that are due, and plans their next runs.
fn due(state: &mut State, now: Timestamp) -> Vec<Arc<Rule>> {
    let Some(bus) = state.buses.get_mut(DEFAULT_BUS) else { return Vec::new() };
    let mut due = Vec::new();
    for rule in bus.rules.values_mut() {
        if let Some(planned) = rule.next_run.filter(|planned| *planned <= now) {
            due.push(Arc::clone(rule));
            let rule = Arc::make_mut(rule);
            rule.plan(planned);
            if rule.next_run.is_some_and(|next| next <= now) {
                // Runs that were missed, because the machine slept, are not made up for.
                rule.plan(now);
            }
        }
    }
    due
}

async fn fire(buses: &Buses, rule: Arc<Rule>, now: Timestamp) {
    let names = buses.names();
    let event = Event::scheduled(&names.account, &names.region, now, &rule.arn);
    if let Some(event) = Arrived::new(&event) {
        tracing::debug!(rule = rule.arn, "a scheduled rule fires");
        buses.deliver_to(&[rule], &event).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::names::Names;
    use crate::events::schedule::Schedule;
    use crate::events::state::{RuleState, Tags};
    use crate::settings::Settings;

    fn state(expression: &str, from: Timestamp) -> State {
        let mut state = State::new(&Names::new(&Settings::default()));
        let mut rule = Rule {
            name: "r".to_owned(),
            arn: "arn".to_owned(),
            pattern: None,
            schedule: Some((expression.to_owned(), Schedule::read(expression).unwrap())),
            next_run: None,
            state: RuleState::Enabled,
            description: None,
            role_arn: None,
            tags: Tags::default(),
            targets: std::collections::BTreeMap::new(),
            share: None,
        };
        rule.plan(from);
        state.bus_mut(DEFAULT_BUS).unwrap().rules.insert("r".to_owned(), Arc::new(rule));
        state
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_rule_fires_when_it_is_due_and_then_again() {
        let mut state = state("rate(5 minutes)", at("2026-01-01T00:00:00Z"));
        assert!(due(&mut state, at("2026-01-01T00:04:59Z")).is_empty());
        assert_eq!(due(&mut state, at("2026-01-01T00:05:01Z")).len(), 1);
        assert_eq!(next_run(&state), Some(at("2026-01-01T00:10:00Z")), "not later with every run");
        assert!(due(&mut state, at("2026-01-01T00:05:02Z")).is_empty());
    }

    #[test]
    fn missed_runs_are_one_run() {
        let mut state = state("cron(0 * * * ? *)", at("2026-01-01T00:00:00Z"));
        assert_eq!(due(&mut state, at("2026-01-01T05:30:00Z")).len(), 1);
        assert_eq!(next_run(&state), Some(at("2026-01-01T06:00:00Z")));
    }

    #[test]
    fn a_disabled_rule_has_no_next_run() {
        let mut state = state("rate(1 minute)", at("2026-01-01T00:00:00Z"));
        let rule = state.rule_mut(DEFAULT_BUS, "r").unwrap();
        rule.state = RuleState::Disabled;
        rule.plan(at("2026-01-01T00:00:00Z"));
        assert!(due(&mut state, at("2027-01-01T00:00:00Z")).is_empty());
    }
}
