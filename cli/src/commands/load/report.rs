//! Draws the result of a load for people.

use super::document::{Document, Effects, Hop, Problem, Process, Saturation, Step};
use super::schedule::Rate;
use super::summary::Result as StepResult;
use super::times::Percentiles;
use crate::commands::latency::draw as chart;
use crate::span_of_time::short;
use crate::style::{Colour, Style, printable};

/// The width of the names of rows.
const NAME: usize = 24;

/// Draws what was measured against; every line ends in a line break.
pub(super) fn heading(document: &Document, style: Style) -> String {
    let tracing = document.tracing.as_ref().map(|tracing| {
        format!("sampler {} {}", tracing.sampler, tracing.argument.as_deref().unwrap_or_default())
            .trim_end()
            .to_owned()
    });
    let parts = [
        style.paint(Colour::Bold, &document.url),
        format!("seed {}", document.seed),
        format!("{} customers", document.customers),
    ];
    let mut text = style.flow(parts.into_iter().chain(tracing).chain(document.run.clone()), "  ", "  ");
    text.push('\n');
    if document.run.is_none() {
        text.push_str("no log of this layer is here: times and losses end at ingest's answer\n");
    }
    text
}

/// Draws all of a step; every line ends in a line break.
pub(super) fn step(result: &StepResult, style: Style) -> String {
    let StepResult { step, times, .. } = result;
    let mut text = summary(step, style);
    for (what, problems) in [("rejected", &step.rejected), ("failed", &step.failed)] {
        text.extend(problems.iter().map(|problem| problem_line(what, problem, style)));
    }
    text.extend(step.generator_remark().map(|remark| style.paint(Colour::Yellow, &remark) + "\n"));
    let drawn = if step.effects.is_some() {
        "from the intended time to the last effect"
    } else {
        "from the intended time to ingest's answer"
    };
    text.extend(["\n", drawn, "\n", &chart(times, "event", style)]);
    text.push_str(&latencies(step, style));
    if let Some(effects) = &step.effects {
        text.push_str(&processes(effects, style));
        text.push_str(&trails(effects, style));
    }
    text
}

/// Draws a step in one line, which ends in a line break.
pub(super) fn summary(step: &Step, style: Style) -> String {
    let rate = Rate::per_second(step.rate_per_s).map(|rate| rate.to_string()).unwrap_or_default();
    let refused = |problems: &[Problem]| problems.iter().map(|problem| problem.count).sum::<u64>();
    let p99 = |times: Option<Percentiles>| times.map_or_else(|| "-".to_owned(), |times| short(times.p99));
    let mut parts = vec![
        style.paint(Colour::Bold, &format!("{rate} for {}", short(step.for_s))),
        format!("{} sent", step.sent),
        format!("{} accepted", step.accepted),
        format!("{} rejected", refused(&step.rejected)),
        format!("{} failed", refused(&step.failed)),
    ];
    if let Some(effects) = &step.effects {
        let (count, word) = effects.lost.map_or((effects.unfinished, "unfinished"), |lost| (lost, "lost"));
        let colour = if count > 0 { Colour::Red } else { Colour::Green };
        parts.push(style.paint(colour, &format!("{count} {word}")));
        parts.push(format!("p99 to last effect {}", p99(effects.last_effect_s)));
    } else {
        parts.push(format!("p99 to accept {}", p99(step.accept_s)));
    }
    let verdict = step.reason.as_ref().map_or_else(
        || style.paint(Colour::Green, "kept up"),
        |reason| style.paint(Colour::Red, &format!("did not keep up: {reason}")),
    );
    parts.push(verdict);
    style.flow(parts, "  ", "  ") + "\n"
}

/// Draws what the steps have shown; the line ends in a line break.
pub(super) fn saturation(found: &Saturation, style: Style) -> String {
    let rate = |rate: f64| format!("{rate:.1}/s");
    let kept_up = found.kept_up_per_s.map_or_else(
        || "no rate kept up with".to_owned(),
        |kept_up| format!("kept up with {}", rate(kept_up)),
    );
    let failed = found.failed_per_s.map(|failed| {
        let finished = found.finished_per_s.map(|finished| format!(", where it finished {}", rate(finished)));
        format!("not with {}{}", rate(failed), finished.unwrap_or_default())
    });
    let parts = [style.paint(Colour::Bold, &kept_up)].into_iter().chain(failed).chain([found.ended.clone()]);
    style.flow(parts, "; ", "  ") + "\n"
}

fn problem_line(what: &str, problem: &Problem, style: Style) -> String {
    style.paint(Colour::Red, &format!("  {} {what}: {}", problem.count, printable(&problem.problem))) + "\n"
}

impl Step {
    /// Returns what to know about the generator to believe the times.
    fn generator_remark(&self) -> Option<String> {
        let lag = self.generator.lag_s?;
        if super::steps::generator_was_late(self) {
            return Some(format!(
                "the generator was late itself, p99 {}: the times are its own in part",
                short(lag.p99)
            ));
        }
        let waited = self.generator.waited_for_connection;
        (waited > 0)
            .then(|| format!("{waited} events waited for a connection, since all were waiting for the layer"))
    }
}

fn latencies(step: &Step, style: Style) -> String {
    let mut text = row_of_titles("TIMES", &["COUNT", "P50", "P90", "P99", "MAX"], style);
    let effects = step.effects.as_ref();
    let mut row = |name: &str, count: Option<u64>, times: Option<Percentiles>| {
        let Some(times) = times else { return };
        let count = count.map_or_else(|| "-".to_owned(), |count| count.to_string());
        let line = format!("{name:NAME$} {count:>9}{}\n", columns(times));
        text.push_str(&line);
    };
    row("generator's own lag", Some(step.sent), step.generator.lag_s);
    row("accept", Some(step.accepted), step.accept_s);
    row(
        "last effect",
        effects.map(|effects| effects.finished),
        effects.and_then(|effects| effects.last_effect_s),
    );
    row("from accept to mail", None, effects.and_then(|effects| effects.accept_to_mail_s));
    let Some(effects) = effects else { return text };
    text.push_str(&row_of_titles(
        "HOPS, SINCE INTENDED",
        &["COUNT", "P50", "P90", "P99", "MAX", "WAITING", "PROCESS.", "RETRIES"],
        style,
    ));
    text.extend(effects.hops.iter().map(hop));
    text
}

fn hop(hop: &Hop) -> String {
    let median = |times: Option<Percentiles>| times.map_or_else(|| "-".to_owned(), |times| short(times.p50));
    let name = format!("{} {}", hop.service, hop.input.name());
    let times = hop.since_intended_s.map(columns).unwrap_or_default();
    let (waiting, processing) = (median(hop.waiting_s), median(hop.processing_s));
    format!("{name:NAME$} {:>9}{times} {waiting:>9} {processing:>9} {:>9}\n", hop.count, hop.retries)
}

fn columns(times: Percentiles) -> String {
    [times.p50, times.p90, times.p99, times.max].map(|time| format!(" {:>9}", short(time))).concat()
}

fn row_of_titles(name: &str, titles: &[&str], style: Style) -> String {
    let titles = titles.iter().map(|title| format!(" {title:>9}")).collect::<Vec<_>>().concat();
    format!("\n{}\n", style.paint(Colour::Dim, &format!("{name:NAME$}{titles}")))
}

fn processes(effects: &Effects, style: Style) -> String {
    let mut text = row_of_titles("PROCESSES", &["CPU", "MEMORY", "RESTARTS"], style);
    text.extend(effects.processes.iter().map(process));
    if let (Some(cpu_s), Some(events)) = (effects.services_cpu_s, effects.events_per_cpu_s) {
        let line = format!("{events:.0} events per CPU-second of the services, which used {}", short(cpu_s));
        text.extend([&style.paint(Colour::Bold, &line), "\n"]);
    }
    text
}

fn process(process: &Process) -> String {
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let name = if process.name == crate::service_state::UP { "up with local cloud" } else { &process.name };
    let cpu = or_dash(process.cpu_s.map(|seconds| format!("{seconds:.2} s")));
    let memory = or_dash(process.memory_bytes_max.map(|bytes| format!("{} MiB", bytes / (1024 * 1024))));
    format!("{name:NAME$} {cpu:>9} {memory:>9} {:>9}\n", process.restarts)
}

fn trails(effects: &Effects, style: Style) -> String {
    let mut text = String::new();
    for (title, trails) in [("UNFINISHED", &effects.unfinished_events), ("SLOWEST", &effects.slowest)] {
        if trails.is_empty() {
            continue;
        }
        text.push_str(&row_of_titles(title, &["TO EFFECT"], style));
        for trail in trails {
            let time = trail.last_effect_s.map_or_else(|| "none".to_owned(), short);
            let trace = trail.trace_id.as_deref().unwrap_or("-");
            let line = format!("{:NAME$} {time:>9}  {} {trace}\n", trail.event_type, trail.event_id);
            text.push_str(&line);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;
    use crate::service_map::Histogram;

    fn result(step: Step, times: Histogram) -> StepResult {
        StepResult { step, times, began: jiff::Timestamp::UNIX_EPOCH, recorded: Vec::new() }
    }

    #[test]
    fn a_step_is_drawn_with_its_hops_and_processes() {
        let times = Histogram::of(&[(0.03, 1000)]);
        let drawn = step(&result(samples::step(100.0, true), times), Style::PLAIN);
        for expected in [
            "100/s for 10 s  1000 sent  1000 accepted  0 rejected  0 failed  0 lost  p99 to last effect 120 ms  kept up\n",
            "≤   50 ms      1000   100 %",
            "email notification            1000     20 ms     40 ms     80 ms    160 ms    1.0 ms    2.0 ms         0\n",
            "up with local cloud         8.00 s    24 MiB         0\n",
            "500 events per CPU-second of the services, which used 2.0 s\n",
        ] {
            assert!(drawn.contains(expected), "{expected}\n{drawn}");
        }
    }

    #[test]
    fn what_went_wrong_is_drawn() {
        let mut bad = samples::step(100.0, false);
        bad.rejected.push(Problem { problem: "overloaded".to_owned(), count: 3 });
        bad.generator.waited_for_connection = 7;
        bad.effects.as_mut().unwrap().lost = Some(2);
        let drawn = step(&result(bad, Histogram::default()), Style::PLAIN);
        for expected in
            ["2 lost", "3 rejected: overloaded", "7 events waited", "did not keep up: the backlog grew"]
        {
            assert!(drawn.contains(expected), "{expected}\n{drawn}");
        }
    }
}
