//! The outcomes of the scenarios, for people and for programs.

use std::time::Duration;

use serde_json::{Value, json};

use crate::style::{Colour, Style, printable};

/// The most findings of a scenario that are shown; programs get all of them.
const SHOWN: usize = 20;

/// The outcome of a scenario.
#[derive(Clone, Debug, Default)]
pub(super) struct Outcome {
    pub(super) scenario: String,
    pub(super) about: String,
    /// Events sent, repetitions included.
    pub(super) events: usize,
    pub(super) customers: usize,
    /// Calls that a fault affected.
    pub(super) calls_affected: u64,
    /// Processes that were killed, terminated or stopped.
    pub(super) processes: usize,
    /// Mails and pushes that were accepted twice because the first answer was lost.
    pub(super) doubled: usize,
    /// Messages on dead-letter queues that belong there.
    pub(super) dead_lettered: usize,
    /// What must have happened and has not.
    pub(super) lost: Vec<String>,
    /// What is not as it must be: doubled for no reason, left on a queue, dead-lettered, or a wrong end.
    pub(super) wrong: Vec<String>,
    pub(super) took: Duration,
}

impl Outcome {
    pub(super) fn passed(&self) -> bool {
        self.lost.is_empty() && self.wrong.is_empty()
    }

    fn json(&self) -> Value {
        json!({
            "scenario": self.scenario,
            "about": self.about,
            "passed": self.passed(),
            "events": self.events,
            "customers": self.customers,
            "calls_affected": self.calls_affected,
            "processes": self.processes,
            "lost": self.lost,
            "wrong": self.wrong,
            "doubled": self.doubled,
            "dead_lettered": self.dead_lettered,
            "seconds": self.took.as_secs_f64(),
        })
    }
}

/// Returns the outcomes of the run with this seed for programs.
pub(super) fn document(seed: u64, outcomes: &[Outcome]) -> Value {
    json!({
        "seed": seed,
        "passed": outcomes.iter().all(Outcome::passed),
        "scenarios": outcomes.iter().map(Outcome::json).collect::<Vec<_>>(),
    })
}

const HEADER: [&str; 9] = [
    "scenario",
    "events",
    "calls affected",
    "processes",
    "lost",
    "wrong",
    "doubled",
    "dead-lettered",
    "time",
];

/// Returns the outcomes as a table, each with what it found below.
pub(super) fn table(outcomes: &[Outcome], style: Style) -> String {
    let rows: Vec<_> = outcomes.iter().map(row).collect();
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].len());
        cells.chain([HEADER[column].len()]).max().unwrap_or_default()
    };
    let widths: [usize; HEADER.len()] = std::array::from_fn(width);
    let line = |cells: &[String]| {
        let aligned = cells.iter().zip(widths).enumerate().map(|(column, (cell, width))| {
            if column == 0 { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
        });
        aligned.collect::<Vec<_>>().join("  ")
    };
    let mut text = style.paint(Colour::Bold, &line(&HEADER.map(str::to_owned)));
    for (outcome, row) in outcomes.iter().zip(&rows) {
        let colour = if outcome.passed() { Colour::Green } else { Colour::Red };
        text.push('\n');
        text.push_str(&style.paint(colour, &line(row)));
        let found = outcome.lost.iter().map(|what| ("lost", what));
        let found: Vec<_> = found.chain(outcome.wrong.iter().map(|what| ("wrong", what))).collect();
        for (kind, what) in found.iter().take(SHOWN) {
            text.extend(["\n    ", kind, ": ", &printable(what)]);
        }
        if found.len() > SHOWN {
            text.extend(["\n    and ", &(found.len() - SHOWN).to_string(), " more"]);
        }
    }
    text
}

fn row(outcome: &Outcome) -> [String; HEADER.len()] {
    [
        outcome.scenario.clone(),
        outcome.events.to_string(),
        outcome.calls_affected.to_string(),
        outcome.processes.to_string(),
        outcome.lost.len().to_string(),
        outcome.wrong.len().to_string(),
        outcome.doubled.to_string(),
        outcome.dead_lettered.to_string(),
        format!("{:.0} s", outcome.took.as_secs_f64()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(scenario: &str, lost: &[&str]) -> Outcome {
        Outcome {
            scenario: scenario.to_owned(),
            events: 120,
            doubled: 2,
            lost: lost.iter().map(|&what| what.to_owned()).collect(),
            took: Duration::from_millis(12_300),
            ..Outcome::default()
        }
    }

    #[test]
    fn a_row_a_scenario_with_what_it_found_below() {
        let table = table(&[outcome("calm", &[]), outcome("kill", &["member 1"])], Style::PLAIN);
        let lines: Vec<_> = table.lines().collect();
        assert_eq!(
            lines,
            [
                "scenario  events  calls affected  processes  lost  wrong  doubled  dead-lettered  time",
                "calm         120               0          0     0      0        2              0  12 s",
                "kill         120               0          0     1      0        2              0  12 s",
                "    lost: member 1",
            ]
        );
    }

    #[test]
    fn programs_get_the_verdict_and_every_finding() {
        let document = document(7, &[outcome("calm", &[]), outcome("kill", &["member 1"])]);
        assert_eq!((&document["seed"], &document["passed"]), (&json!(7), &json!(false)));
        assert_eq!(document["scenarios"][1]["lost"], json!(["member 1"]));
    }
}
