//! What is measured in rounds, in each of which every candidate has its turn: what the machine does meanwhile then concerns all
//! of them.

use anyhow::Context as _;
use histogram_log::Interval;

use crate::outcome::{Log, Ratio};
use crate::statistics::{mean, median, percentile};
use crate::table::{Table, mebibytes, time};

/// What is measured of a program in a round.
#[derive(Clone, Debug)]
pub(crate) struct Measured {
    /// Processor time of an event, in microseconds.
    pub(crate) cpu_us: f64,
    /// Requests for an event, the warm-up's included: each of them is paid for.
    pub(crate) requests: f64,
    /// Events in a second of wall time.
    pub(crate) per_second: f64,
    /// The most memory that was resident, in bytes.
    pub(crate) peak_memory: u64,
    /// The latencies of single calls, if they are known.
    pub(crate) latencies: Option<Interval>,
}

/// The results of one candidate, one of each round.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) rounds: Vec<Measured>,
}

/// Measures every candidate, each of which has its turn in each of the `rounds`.
///
/// # Errors
/// When one cannot be measured; the error names it.
pub(crate) async fn measure<C>(
    rounds: u16,
    candidates: &[C],
    name: impl Fn(&C) -> &str,
    turn: impl AsyncFn(&C) -> anyhow::Result<Measured>,
) -> anyhow::Result<Vec<Row>> {
    let row = |candidate| Row { name: name(candidate).to_owned(), rounds: Vec::new() };
    let mut rows: Vec<Row> = candidates.iter().map(row).collect();
    for _ in 0..rounds {
        for (candidate, row) in candidates.iter().zip(&mut rows) {
            let measured = turn(candidate).await;
            row.rounds.push(measured.with_context(|| format!("measuring {}", row.name))?);
        }
    }
    Ok(rows)
}

/// Returns the ratio of each candidate's processor time in all rounds to that of `bare`, in their order. Empty if there is no such candidate.
pub(crate) fn ratios(rows: &[Row], bare: &str) -> Vec<Ratio> {
    let cpu_us = |row: &Row| mean(row.rounds.iter().map(|measured| measured.cpu_us));
    let Some(bare) = rows.iter().find(|row| row.name == bare).map(cpu_us) else { return Vec::new() };
    rows.iter().map(|row| Ratio { name: row.name.clone(), ratio: cpu_us(row) / bare }).collect()
}

/// Returns the table of candidates, each of whose `ratios` is to the first.
pub(crate) fn table(rows: &[Row], ratios: &[Ratio], heads: [&'static str; 6]) -> Table {
    let with_latencies = rows.iter().flat_map(|row| &row.rounds).any(|round| round.latencies.is_some());
    let mut all = heads.to_vec();
    if with_latencies {
        all.extend(["a call at p50", "p99", "at most"]);
    }
    let mut table = Table::new(all);
    for (Row { name, rounds }, Ratio { ratio, .. }) in rows.iter().zip(ratios) {
        let of = |value: fn(&Measured) -> f64| median(rounds.iter().map(value));
        let memory = rounds.iter().map(|round| round.peak_memory).max().unwrap_or_default();
        let mut row = vec![
            name.clone(),
            format!("{ratio:.2}"),
            time(mean(rounds.iter().map(|round| round.cpu_us)) / 1e6),
            format!("{:.2}", of(|round| round.requests)),
            format!("{:.0}", of(|round| round.per_second)),
            mebibytes(memory),
        ];
        if with_latencies {
            let latencies: Vec<_> = rounds.iter().filter_map(|round| round.latencies.as_ref()).collect();
            row.extend([0.5, 0.99, 1.0].map(|share| time(percentile(&latencies, share))));
        }
        table.row(row);
    }
    table
}

/// Returns the logs of those candidates whose latencies are known.
pub(crate) fn logs(rows: Vec<Row>, what: &'static str) -> Vec<Log> {
    let log = |Row { name, rounds }| Log {
        name,
        what,
        intervals: rounds.into_iter().filter_map(|round: Measured| round.latencies).collect(),
    };
    rows.into_iter().map(log).filter(|log| !log.intervals.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str, cpu_us: &[f64]) -> Row {
        let measured = |cpu_us: &f64| Measured {
            cpu_us: *cpu_us,
            requests: 0.2,
            per_second: 1.0,
            peak_memory: 1_048_576,
            latencies: None,
        };
        Row { name: name.to_owned(), rounds: cpu_us.iter().map(measured).collect() }
    }

    #[test]
    fn every_candidate_is_compared_with_the_bare_one() {
        let rows = [row("bare", &[10.0, 10.0, 10.0]), row("ours", &[11.0, 12.0, 13.0])];
        let ratios = ratios(&rows, "bare");
        assert_eq!(ratios[0].name, "bare");
        assert!((ratios[0].ratio - 1.0).abs() < 1e-9);
        assert!((ratios[1].ratio - 1.2).abs() < 1e-9, "{}", ratios[1].ratio);
        let table = table(&rows, &ratios, ["a", "b", "c", "d", "e", "f"]).to_string();
        assert!(table.contains("| ours | 1.20 | 12.0 µs | 0.20 | 1 | 1.0 MiB |"), "{table}");
    }

    #[test]
    fn nothing_is_compared_without_a_bare_one() {
        assert_eq!(ratios(&[row("ours", &[1.0])], "bare"), []);
    }
}
