//! What a month costs, line by line.

use super::batches::Batches;
use super::choice::{Capacity, Choice, Egress, HopLines};
use super::deployed::Deployed;
use super::fee::{Fee, fee};
use super::flow::Flow;
use super::prices::Prices;
use super::publishes::Publishes;
use super::tables::Units;
use super::tasks::Tasks;
use super::throughput::{HOURS, Throughput};
use super::traffic::{self, Shares};

/// Minutes of a month of 30 days.
const MINUTES: f64 = HOURS * 60.0;
/// Zones with a subnet for tasks.
const ZONES: f64 = 2.0;
/// Dashboards without charge. Every other free tier is left out.
const FREE_DASHBOARDS: u32 = 3;
/// How the gigabytes come about that leave the network.
const OUTGOING: &str = "events × KB of requests, log lines and traces (A18)";

// Assumptions of docs/capacity.md, by their numbers there.
/// A13: marker, announcement and claims of an event, in KB, and the days that they are kept.
const STORED_KB: f64 = 1.25;
const STORED_DAYS: f64 = 14.0;
/// A19: objects that a task writes in a minute if it has something to write all the time: one every two seconds.
const OBJECTS_A_MINUTE: f64 = 30.0;
/// A21: branch keys that a task of archive has KMS unwrap in an hour: those of a year, one for each month.
const BRANCH_KEYS: f64 = 12.0;
/// A20: an archived event, in KB: encrypted data does not compress.
const ARCHIVED_KB: f64 = 0.6;
/// A14: records of metrics that a task writes in a minute, in KB.
const METRIC_RECORDS_KB: f64 = 40.0;
/// A15: custom metrics of a service.
const METRICS_OF_A_SERVICE: u32 = 60;
/// A16: metrics of Container Insights, of the cluster and of a service with its task definition.
const INSIGHTS_OF_THE_CLUSTER: u32 = 8;
const INSIGHTS_OF_A_SERVICE: u32 = 17;
/// A16: records of Container Insights for a task and minute, in KB.
const INSIGHTS_RECORDS_KB: f64 = 4.0;
/// A17: a request and its response at the load balancer, in KB. A capacity unit is 1 GB an hour; connections are kept.
const REQUEST_KB: f64 = 2.0;

/// A month's bill.
#[derive(Debug)]
pub(super) struct Bill<'a> {
    pub(super) fees: Vec<Fee<'a>>,
    /// Mails, apart: they dwarf the rest.
    pub(super) mail: Fee<'a>,
    /// What the NAT gateway costs, or the endpoints in its place.
    pub(super) nat_usd: f64,
    pub(super) endpoints_usd: f64,
    /// What one publish an event to another topic costs.
    pub(super) topic_usd: f64,
    /// What requests to tables, or their units and alarms, cost in each mode.
    pub(super) on_demand_usd: f64,
    pub(super) provisioned_usd: f64,
    pub(super) reserved_usd: f64,
    /// What tables and indexes need if they are provisioned.
    pub(super) units: Units,
    /// Events a month in millions.
    millions: f64,
}

/// What runs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deployment {
    pub(super) tasks: Tasks,
    pub(super) batches: Batches,
    pub(super) publishes: Publishes,
    pub(super) deployed: Deployed,
}

impl<'a> Bill<'a> {
    /// Computes the bill of a month of 30 days at a constant rate.
    pub(super) fn of(prices: &'a Prices, flow: &Flow, deployment: Deployment, choice: &Choice) -> Self {
        let units = Units::of(flow, &choice.load, choice.target_utilization);
        let millions = choice.load.millions_a_month();
        let throughput = Throughput { prices, flow, units: &units, millions };
        let sum = Sum { prices, flow, deployment, choice, throughput, millions };
        let parts = [sum.events(), sum.tables(), sum.objects(), sum.running(), sum.network(), sum.watching()];
        let usd = |fees: [Fee<'_>; 2]| fees.iter().map(Fee::usd).sum();
        Self {
            fees: parts.into_iter().flatten().collect(),
            mail: fee("SES, mails", "mails", millions * f64::from(flow.mails) * 1_000.0, &prices.mail),
            nat_usd: usd(sum.nat()),
            endpoints_usd: usd(sum.endpoints()),
            topic_usd: prices.topic_publish.of(millions),
            on_demand_usd: sum.throughput.usd(Capacity::OnDemand),
            provisioned_usd: sum.throughput.usd(Capacity::Provisioned),
            reserved_usd: sum.throughput.usd(Capacity::Reserved),
            millions,
            units,
        }
    }

    /// Returns the sum of all lines but the mails.
    pub(super) fn usd(&self) -> f64 {
        self.fees.iter().map(Fee::usd).sum()
    }

    /// Returns the sum of all lines but the mails, for a million events.
    pub(super) fn usd_a_million(&self) -> f64 {
        self.usd() / self.millions
    }
}

struct Sum<'a, 'b> {
    prices: &'a Prices,
    flow: &'b Flow,
    deployment: Deployment,
    choice: &'b Choice,
    throughput: Throughput<'a, 'b>,
    /// Events a month in millions.
    millions: f64,
}

impl<'a> Sum<'a, '_> {
    fn events(&self) -> Vec<Fee<'a>> {
        let (n, flow, prices) = (self.millions, self.flow, self.prices);
        let Deployment { batches, publishes, .. } = self.deployment;
        let requests = f64::from(flow.messages) * batches.requests();
        vec![
            fee("EventBridge, events", "events × entries", n * f64::from(flow.events), &prices.bus_event),
            fee("EventBridge, Pipe", "events × records", n * f64::from(flow.piped), &prices.pipe_request),
            fee(
                "SQS, requests",
                "events × messages × (1 + 1 ÷ receive + 1 ÷ delete) (A3)",
                n * requests,
                &prices.queue_request,
            ),
            fee(
                "SNS, publishes",
                "events × calls of up to ten notifications (A22)",
                n * publishes.calls,
                &prices.topic_publish,
            ),
        ]
    }

    fn tables(&self) -> Vec<Fee<'a>> {
        let stored_gb = self.millions * STORED_DAYS / 30.0 * STORED_KB;
        let storage = fee(
            "DynamoDB, storage",
            "events of 14 days × 1.25 KB (A13)",
            stored_gb,
            &self.prices.table_storage,
        );
        self.throughput.fees(self.choice.capacity).into_iter().chain([storage]).collect()
    }

    fn objects(&self) -> Vec<Fee<'a>> {
        let (n, flow, prices) = (self.millions, self.flow, self.prices);
        let tasks = f64::from(self.deployment.tasks.each);
        let rewritten = n * f64::from(flow.objects);
        let entries = n * f64::from(flow.events);
        let batches = (tasks * MINUTES * OBJECTS_A_MINUTE / 1e6).min(entries);
        let archived = entries * f64::from(flow.batches);
        vec![
            fee(
                "S3, writes",
                "events × passes, + archive: tasks × minutes × 30 (A19)",
                rewritten + batches * f64::from(flow.batches),
                &prices.object_write,
            ),
            fee("S3, reads", "events × passes", rewritten, &prices.object_read),
            fee(
                "S3, storage",
                "events × entries × 0.6 KB (A20), of one month",
                archived * ARCHIVED_KB,
                &prices.object_storage,
            ),
            fee(
                "KMS, requests",
                "tasks of archive × hours × 12 (A21)",
                f64::from(flow.key_owners) * tasks * HOURS * BRANCH_KEYS / 1e6,
                &prices.key_request,
            ),
        ]
    }

    fn running(&self) -> Vec<Fee<'a>> {
        let tasks = self.deployment.tasks;
        let hours = f64::from(tasks.all) * HOURS;
        vec![
            fee("Fargate, vCPU", "tasks × vCPU × hours", hours * tasks.vcpu(), &self.prices.task_vcpu),
            fee("Fargate, memory", "tasks × GB × hours", hours * tasks.memory_gb(), &self.prices.task_memory),
        ]
    }

    fn network(&self) -> Vec<Fee<'a>> {
        let prices = self.prices;
        // A unit takes 1 GB an hour, so a month's gigabytes are its unit-hours.
        let units = self.millions * REQUEST_KB;
        let mut fees = vec![
            fee("Load balancer", "hours", HOURS, &prices.balancer),
            fee(
                "Load balancer, capacity",
                "events × 2 KB (A17), 1 GB an hour a unit",
                units,
                &prices.balancer_capacity,
            ),
        ];
        fees.extend(match self.choice.egress {
            Egress::Nat => self.nat(),
            Egress::Endpoints => self.endpoints(),
        });
        fees
    }

    fn nat(&self) -> [Fee<'a>; 2] {
        let (gb, prices) = (self.outgoing_gb(), self.prices);
        [
            fee("NAT gateway", "hours", HOURS, &prices.nat),
            fee("NAT gateway, data", OUTGOING, gb, &prices.nat_data),
        ]
    }

    fn endpoints(&self) -> [Fee<'a>; 2] {
        let (gb, prices) = (self.outgoing_gb(), self.prices);
        let endpoints = f64::from(self.deployment.deployed.endpoints);
        [
            fee("Endpoints", "endpoints × two zones × hours", endpoints * ZONES * HOURS, &prices.endpoint),
            fee("Endpoints, data", OUTGOING, gb, &prices.endpoint_data),
        ]
    }

    fn outgoing_gb(&self) -> f64 {
        let Deployment { batches, publishes, .. } = self.deployment;
        let traced = self.traced();
        let shares = Shares { traced, logged: self.choice.hop_lines.share(traced) };
        self.millions * traffic::kb_an_event(self.flow, batches, publishes, shares)
    }

    fn traced(&self) -> f64 {
        self.choice.load.traced(self.deployment.tasks.each)
    }

    /// Returns the lines that services write for each event.
    fn hop_lines(&self) -> Fee<'a> {
        let how = match self.choice.hop_lines {
            HopLines::All => "events × bytes",
            HopLines::Sampled => "sampled events × bytes",
        };
        let logged = self.millions * self.choice.hop_lines.share(self.traced());
        fee("Logs, services", how, logged * f64::from(self.flow.log_bytes) / 1e3, &self.prices.log)
    }

    fn watching(&self) -> Vec<Fee<'a>> {
        let (prices, services) = (self.prices, self.flow.services);
        let Deployment { tasks, deployed, .. } = self.deployment;
        let tasks = f64::from(tasks.all);
        let traces = self.millions * self.traced();
        let insights = INSIGHTS_OF_THE_CLUSTER + INSIGHTS_OF_A_SERVICE * services;
        let scaling = self.throughput.alarms(self.choice.capacity);
        let charged = deployed.dashboards.saturating_sub(FREE_DASHBOARDS);
        vec![
            fee("X-Ray, traces", "sampled events", traces, &prices.trace),
            fee("X-Ray, Insights", "sampled events", traces, &prices.trace_insight),
            self.hop_lines(),
            fee(
                "Logs, metrics (EMF)",
                "tasks × minutes × 40 KB (A14)",
                tasks * MINUTES * METRIC_RECORDS_KB / 1e6,
                &prices.log,
            ),
            fee("Metrics", "services × 60 (A15)", f64::from(services * METRICS_OF_A_SERVICE), &prices.metric),
            fee(
                "Container Insights, metrics",
                "8 + services × 17 (A16)",
                f64::from(insights),
                &prices.metric,
            ),
            fee(
                "Container Insights, logs",
                "tasks × minutes × 4 KB (A16)",
                tasks * MINUTES * INSIGHTS_RECORDS_KB / 1e6,
                &prices.log,
            ),
            fee(
                "Alarms",
                "metrics of all alarms",
                f64::from(deployed.alarm_metrics + scaling),
                &prices.alarm_metric,
            ),
            fee("Composite alarms", "alarms", f64::from(deployed.composite_alarms), &prices.composite_alarm),
            fee("Dashboards", "those beyond the third", f64::from(charged), &prices.dashboard),
            fee("Key", "keys", f64::from(deployed.keys), &prices.key),
            fee("Secret", "secrets", f64::from(deployed.secrets), &prices.secret),
        ]
    }
}
