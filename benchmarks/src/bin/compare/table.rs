//! The results as a table, ratios first.

use serde::Serialize;

use crate::candidate::BARE;
use crate::measure::Measured;

/// The results of one candidate, one of each round.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) rounds: Vec<Measured>,
}

/// A row, summed up.
#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct Summary {
    pub(crate) name: String,
    /// Processor time of a message by that of the bare loop in the same round: the median of the rounds.
    pub(crate) ratio: f64,
    pub(crate) cpu_us: f64,
    pub(crate) requests: f64,
    pub(crate) per_second: f64,
    pub(crate) peak_mib: f64,
}

/// Sums up all rows, in their order. Empty if there is no bare loop among them.
pub(crate) fn summaries(rows: &[Row]) -> Vec<Summary> {
    let Some(bare) = rows.iter().find(|row| row.name == BARE) else { return Vec::new() };
    rows.iter()
        .map(|row| {
            let of = |value: fn(&Measured) -> f64| median(row.rounds.iter().map(value));
            let ratios = row.rounds.iter().zip(&bare.rounds).map(|(own, bare)| own.cpu_us / bare.cpu_us);
            Summary {
                name: row.name.clone(),
                ratio: median(ratios),
                cpu_us: of(|measured| measured.cpu_us),
                requests: of(|measured| measured.requests),
                per_second: of(|measured| measured.per_second),
                #[expect(clippy::cast_precision_loss, reason = "bytes of memory")]
                peak_mib: of(|measured| measured.peak_memory as f64 / 1_048_576.0),
            }
        })
        .collect()
}

/// Renders the table, in Markdown.
pub(crate) fn table(summaries: &[Summary]) -> String {
    let heads = "| consumer | CPU by that of the bare loop | CPU of a message | requests for a message \
         | messages a second | memory at most |\n|---|---|---|---|---|---|\n";
    let rows = summaries.iter().map(|Summary { name, ratio, cpu_us, requests, per_second, peak_mib }| {
        format!(
            "| {name} | {ratio:.2} | {cpu_us:.1} µs | {requests:.2} | {per_second:.0} | {peak_mib:.0} MiB |\n"
        )
    });
    std::iter::once(heads.to_owned()).chain(rows).collect()
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => f64::NAN,
        odd if odd % 2 == 1 => values[middle],
        _ => f64::midpoint(values[middle - 1], values[middle]),
    }
}

/// Returns what is worse than in `before` by more than `share`: the candidates with the ratios before and now.
pub(crate) fn worse<'a>(before: &[(String, f64)], now: &'a [Summary], share: f64) -> Vec<(&'a Summary, f64)> {
    let known = |name: &str| before.iter().find(|(known, _)| known == name).map(|(_, ratio)| *ratio);
    let with_before = now.iter().filter_map(|summary| Some((summary, known(&summary.name)?)));
    with_before.filter(|(summary, before)| summary.ratio > before * (1.0 + share)).collect()
}

/// Says what is worse.
pub(crate) fn complaint(worse: &[(&Summary, f64)]) -> String {
    let lines = worse.iter().map(|(Summary { name, ratio, .. }, before)| {
        format!("{name}: {ratio:.2} times the bare loop, {before:.2} before\n")
    });
    lines.collect()
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
        };
        Row { name: name.to_owned(), rounds: cpu_us.iter().map(measured).collect() }
    }

    #[test]
    fn a_ratio_compares_within_a_round_and_the_median_counts() {
        let rows = [row(BARE, &[10.0, 20.0, 40.0]), row("ours", &[11.0, 24.0, 60.0])];
        let summaries = summaries(&rows);
        assert!((summaries[0].ratio - 1.0).abs() < 1e-9);
        assert!((summaries[1].ratio - 1.2).abs() < 1e-9, "{}", summaries[1].ratio);
        assert!(table(&summaries).contains("| ours | 1.20 | 24.0 µs | 0.20 | 1 | 1 MiB |"));
    }

    #[test]
    fn what_got_worse_by_more_than_the_share_is_named() {
        let summaries =
            summaries(&[row(BARE, &[10.0]), row("a", &[12.0]), row("b", &[12.0]), row("new", &[99.0])]);
        let before = [("a".to_owned(), 1.1), ("b".to_owned(), 1.0)];
        let worse = worse(&before, &summaries, 0.15);
        assert_eq!(complaint(&worse), "b: 1.20 times the bare loop, 1.00 before\n");
    }
}
