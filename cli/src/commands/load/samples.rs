//! Results for tests.

use super::document::{Effects, Generator, Hop, Input, Process, Step};
use super::times::Percentiles;

pub(super) fn percentiles(p50: f64) -> Percentiles {
    Percentiles { p50, p90: p50 * 2.0, p99: p50 * 4.0, max: p50 * 8.0 }
}

/// A step of ten seconds in which nothing went wrong.
pub(super) fn step(rate_per_s: f64, kept_up: bool) -> Step {
    let hop = |service: &str, input| Hop {
        service: service.to_owned(),
        input,
        count: 1000,
        retries: 0,
        waiting_s: Some(percentiles(0.001)),
        processing_s: Some(percentiles(0.002)),
        since_intended_s: Some(percentiles(0.02)),
    };
    let process = |name: &str, cpu_s| Process {
        name: name.to_owned(),
        cpu_s: Some(cpu_s),
        memory_bytes_max: Some(24 * 1024 * 1024),
        restarts: 0,
    };
    Step {
        rate_per_s,
        for_s: 10.0,
        sent: 1000,
        types: [("PointsEarned".to_owned(), 1000)].into(),
        accepted: 1000,
        rejected: Vec::new(),
        failed: Vec::new(),
        accept_s: Some(percentiles(0.004)),
        accept_buckets: Vec::new(),
        generator: Generator {
            lag_s: Some(percentiles(0.001)),
            waited_for_connection: 0,
            most_in_flight: 3,
            cpu_s: Some(0.5),
        },
        kept_up,
        reason: (!kept_up).then(|| "the backlog grew".to_owned()),
        effects: Some(Effects {
            drained: true,
            finished: 1000,
            lost: Some(0),
            unfinished: 0,
            dead_lettered: 0,
            unfinished_events: Vec::new(),
            last_effect_s: Some(percentiles(0.03)),
            last_effect_buckets: Vec::new(),
            accept_to_mail_s: Some(percentiles(0.025)),
            hops: vec![hop("membership", Input::Event), hop("email", Input::Notification)],
            slowest: Vec::new(),
            finished_per_s: rate_per_s,
            backlog_growth: 0,
            backlog: 3,
            processes: vec![process("foostore", 8.0), process("membership", 1.5), process("email", 0.5)],
            services_cpu_s: Some(2.0),
            events_per_cpu_s: Some(500.0),
        }),
    }
}
