//! How many tasks a service needs, and how large.

/// Assumption A11 of docs/capacity.md: 2 ms of CPU for a message with the collector, at 60 % utilisation. A vCPU then takes
/// 0.6 ÷ 2 ms = 300 messages a second.
const MESSAGES_A_MINUTE_AND_VCPU: u32 = 300 * 60;
/// Two tasks, so that a zone may fail.
const FEWEST: u32 = 2;
/// The templates' `MaximumTasks`, above which a larger task comes first.
const MOST_OF_A_SIZE: u32 = 10;
/// Sizes of a task in quarters of a vCPU, from the templates' default up. Each vCPU comes with 2 GB.
const QUARTERS: [u32; 4] = [1, 2, 4, 8];
/// The templates' `CONSUMER_CONCURRENCY`.
pub(super) const CONCURRENCY: u32 = 32;
/// Assumption A10: milliseconds that a message with a mail is handled for.
pub(super) const SLOWEST_HANDLING_MS: u32 = 120;

/// The tasks of every service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tasks {
    /// Tasks of one service.
    pub(super) each: u32,
    /// Tasks of all services.
    pub(super) all: u32,
    /// Size of a task in quarters of a vCPU.
    quarters: u32,
    /// Messages a second that one task takes.
    pub(super) a_second: u32,
    /// Messages in flight in a task that sends mails.
    pub(super) in_flight: u32,
}

impl Tasks {
    /// Chooses the smallest size of which ten tasks are enough, else the largest. Every service takes one message an event.
    pub(super) fn of(events_a_minute: u32, services: u32) -> Self {
        let needed = |quarters: u32| events_a_minute.div_ceil(MESSAGES_A_MINUTE_AND_VCPU / 4 * quarters);
        let quarters = QUARTERS.into_iter().find(|quarters| needed(*quarters) <= MOST_OF_A_SIZE).unwrap_or(8);
        let each = needed(quarters).max(FEWEST);
        let a_second = events_a_minute.div_ceil(each * 60);
        Self {
            each,
            all: each * services,
            quarters,
            a_second,
            in_flight: (a_second * SLOWEST_HANDLING_MS).div_ceil(1_000),
        }
    }

    /// Returns the vCPUs of one task.
    pub(super) fn vcpu(self) -> f64 {
        f64::from(self.quarters) / 4.0
    }

    /// Returns the memory of one task in GB.
    pub(super) fn memory_gb(self) -> f64 {
        f64::from(self.quarters) / 2.0
    }
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "quarters are exact")]
mod tests {
    use super::super::batches::{DELETE_LINGER, RECEIVE_PAUSE};
    use super::*;

    #[test]
    fn tasks_follow_the_rate() {
        let small = Tasks::of(1_000, 4);
        assert_eq!((small.each, small.all, small.a_second), (2, 8, 9));
        assert_eq!((small.vcpu(), small.memory_gb()), (0.25, 0.5));

        // 167 a second ÷ 75 = 2.2
        let middle = Tasks::of(10_000, 9);
        assert_eq!((middle.each, middle.all), (3, 27));
        assert_eq!((middle.vcpu(), middle.a_second), (0.25, 56));

        // 16,667 a second ÷ 600 = 27.8; 596 × 0.12 s in flight
        let large = Tasks::of(1_000_000, 30);
        assert_eq!((large.each, large.all, large.a_second, large.in_flight), (28, 840, 596, 72));
        assert_eq!((large.vcpu(), large.memory_gb()), (2.0, 4.0));
    }

    #[test]
    fn a_larger_task_comes_before_an_eleventh() {
        assert_eq!(Tasks::of(45_000, 1).vcpu(), 0.25);
        assert_eq!(Tasks::of(45_001, 1).vcpu(), 0.5);
        assert_eq!((Tasks::of(100_000, 1).vcpu(), Tasks::of(100_000, 1).each), (1.0, 6));
    }

    /// What the templates deploy by default is what the estimate calculates with.
    #[test]
    fn the_templates_have_the_same_defaults() {
        let resources = crate::layer::resources(contracts::APPLICATION, cloudformation::ENVIRONMENT).unwrap();
        let files = cloudformation::render(&resources, "receivers: {}\n").unwrap();
        let default = |service: &str, parameter: &str| -> f64 {
            let template: serde_json::Value =
                serde_saphyr::from_str(&files[&format!("services/{service}.yaml")]).unwrap();
            let default = &template["Parameters"][parameter]["Default"];
            let number = default.as_str().and_then(|text| text.parse().ok()).or(default.as_f64());
            number.unwrap_or_else(|| panic!("{service} has no default of {parameter}"))
        };
        let a_second = f64::from(MESSAGES_A_MINUTE_AND_VCPU) / 60.0 / 4.0;
        for service in ["ingest", "notifier"] {
            assert_eq!(default(service, "Cpu"), 256.0, "a quarter of a vCPU");
            assert_eq!(default(service, "MinimumTasks"), f64::from(FEWEST));
            assert_eq!(default(service, "MaximumTasks"), f64::from(MOST_OF_A_SIZE));
            assert_eq!(default(service, "CpuTargetPercent"), 60.0, "A11");
        }
        assert_eq!(default("notifier", "Concurrency"), f64::from(CONCURRENCY));
        assert_eq!(default("notifier", "DeleteLinger"), DELETE_LINGER.as_secs_f64() * 1_000.0);
        assert_eq!(default("notifier", "ReceivePause"), RECEIVE_PAUSE.as_secs_f64() * 1_000.0);
        assert_eq!(default("ingest", "RequestsPerTask"), a_second * 60.0);
        assert!((default("notifier", "ProcessingMilliseconds") - 1_000.0 / a_second).abs() < 0.1);
        assert_eq!(default("notifier", "SpotWeight"), 0.0, "the prices are those on demand");
    }
}
