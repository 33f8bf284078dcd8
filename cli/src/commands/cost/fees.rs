//! What a month costs, line by line.

use super::batches::Batches;
use super::choice::Capacity;
use super::deployed::Deployed;
use super::flow::Flow;
use super::load::Load;
use super::prices::{Price, Prices};
use super::tables::Units;
use super::tasks::Tasks;
use super::traffic;

/// Hours of a month of 30 days.
const HOURS: f64 = 720.0;
/// Minutes of a month of 30 days.
const MINUTES: f64 = HOURS * 60.0;
/// Zones with a subnet for tasks.
const ZONES: f64 = 2.0;
/// Dashboards without charge. Every other free tier is left out.
const FREE_DASHBOARDS: u32 = 3;

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

/// One line of the bill.
#[derive(Debug)]
pub(super) struct Fee<'a> {
    pub(super) name: &'static str,
    /// How the quantity comes about.
    pub(super) how: &'static str,
    /// In units of the price.
    pub(super) quantity: f64,
    pub(super) price: &'a Price,
}

impl Fee<'_> {
    /// Returns what it costs in a month.
    pub(super) fn usd(&self) -> f64 {
        self.price.of(self.quantity)
    }
}

/// A month's bill.
#[derive(Debug)]
pub(super) struct Bill<'a> {
    pub(super) fees: Vec<Fee<'a>>,
    /// Mails, apart: they dwarf the rest.
    pub(super) mail: Fee<'a>,
    /// What the NAT gateway's two lines cost if endpoints replace it.
    pub(super) endpoints_usd: f64,
    /// What one publish an event to another topic costs.
    pub(super) topic_usd: f64,
    /// What requests to tables, or their units and alarms, cost in either mode.
    pub(super) on_demand_usd: f64,
    pub(super) provisioned_usd: f64,
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
    pub(super) deployed: Deployed,
}

impl<'a> Bill<'a> {
    /// Computes the bill of a month of 30 days at a constant rate.
    pub(super) fn of(
        prices: &'a Prices,
        flow: &Flow,
        load: &Load,
        deployment: Deployment,
        capacity: Capacity,
    ) -> Self {
        let Deployment { tasks, batches, deployed } = deployment;
        let units = Units::of(flow, load);
        let millions = load.millions_a_month();
        let sum = Sum { prices, flow, load, tasks, batches, deployed, capacity, units, millions };
        let parts = [sum.events(), sum.tables(), sum.objects(), sum.running(), sum.network(), sum.watching()];
        let fees = parts.into_iter().flatten().collect();
        let (on_demand_usd, provisioned_usd) = (
            sum.requests().iter().map(Fee::usd).sum(),
            sum.units().iter().map(Fee::usd).sum::<f64>()
                + prices.alarm_metric.of(f64::from(sum.units.alarms())),
        );
        Self {
            fees,
            mail: fee("SES, mails", "mails", sum.millions * f64::from(flow.mails) * 1_000.0, &prices.mail),
            endpoints_usd: prices.endpoint.of(f64::from(deployed.endpoints) * ZONES * HOURS)
                + prices.endpoint_data.of(sum.outgoing_gb()),
            topic_usd: prices.topic_publish.of(sum.millions),
            on_demand_usd,
            provisioned_usd,
            units: sum.units,
            millions,
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

    /// Returns the same with endpoints in place of the NAT gateway.
    #[cfg(test)]
    pub(super) fn usd_a_million_with_endpoints(&self) -> f64 {
        (self.usd() - self.nat_usd() + self.endpoints_usd) / self.millions
    }

    /// Returns what the NAT gateway costs.
    pub(super) fn nat_usd(&self) -> f64 {
        self.fees.iter().filter(|fee| fee.name.starts_with("NAT")).map(Fee::usd).sum()
    }
}

struct Sum<'a, 'b> {
    prices: &'a Prices,
    flow: &'b Flow,
    load: &'b Load,
    tasks: Tasks,
    batches: Batches,
    deployed: Deployed,
    capacity: Capacity,
    units: Units,
    /// Events a month in millions.
    millions: f64,
}

impl<'a> Sum<'a, '_> {
    fn events(&self) -> Vec<Fee<'a>> {
        let (n, flow, prices) = (self.millions, self.flow, self.prices);
        let published = if flow.notifications > 0 { n } else { 0.0 };
        let requests = f64::from(flow.messages) * self.batches.requests();
        vec![
            fee("EventBridge, events", "events × entries", n * f64::from(flow.events), &prices.bus_event),
            fee("EventBridge, Pipe", "events × records", n * f64::from(flow.piped), &prices.pipe_request),
            fee(
                "SQS, requests",
                "events × messages × (1 + 1 ÷ receive + 1 ÷ delete) (A3)",
                n * requests,
                &prices.queue_request,
            ),
            fee("SNS, publishes", "events × one batch of all channels", published, &prices.topic_publish),
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
        let throughput = match self.capacity {
            Capacity::OnDemand => self.requests(),
            Capacity::Provisioned => self.units(),
        };
        throughput.into_iter().chain([storage]).collect()
    }

    /// Returns what the requests to tables cost on demand.
    fn requests(&self) -> [Fee<'a>; 2] {
        let (n, flow, prices) = (self.millions, self.flow, self.prices);
        let (writes, reads) = (n * f64::from(flow.write_units()), n * f64::from(flow.read_units()));
        [
            fee("DynamoDB, writes", "events × write units", writes, &prices.table_write),
            fee("DynamoDB, reads", "events × read units", reads, &prices.table_read),
        ]
    }

    /// Returns what the units of tables cost that are provisioned.
    fn units(&self) -> [Fee<'a>; 2] {
        let (units, prices) = (&self.units, self.prices);
        let how = "tables and indexes × hours × units a second ÷ 70 %, at least 5";
        [
            fee("DynamoDB, writes", how, units.write() * HOURS, &prices.table_write_unit),
            fee("DynamoDB, reads", how, units.read() * HOURS, &prices.table_read_unit),
        ]
    }

    fn objects(&self) -> Vec<Fee<'a>> {
        let (n, flow, prices) = (self.millions, self.flow, self.prices);
        let rewritten = n * f64::from(flow.objects);
        let entries = n * f64::from(flow.events);
        let batches = (f64::from(self.tasks.each) * MINUTES * OBJECTS_A_MINUTE / 1e6).min(entries);
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
                f64::from(flow.key_owners) * f64::from(self.tasks.each) * HOURS * BRANCH_KEYS / 1e6,
                &prices.key_request,
            ),
        ]
    }

    fn running(&self) -> Vec<Fee<'a>> {
        let hours = f64::from(self.tasks.all) * HOURS;
        vec![
            fee("Fargate, vCPU", "tasks × vCPU × hours", hours * self.tasks.vcpu(), &self.prices.task_vcpu),
            fee(
                "Fargate, memory",
                "tasks × GB × hours",
                hours * self.tasks.memory_gb(),
                &self.prices.task_memory,
            ),
        ]
    }

    fn network(&self) -> Vec<Fee<'a>> {
        let prices = self.prices;
        // A unit takes 1 GB an hour, so a month's gigabytes are its unit-hours.
        let units = self.millions * REQUEST_KB;
        vec![
            fee("Load balancer", "hours", HOURS, &prices.balancer),
            fee(
                "Load balancer, capacity",
                "events × 2 KB (A17), 1 GB an hour a unit",
                units,
                &prices.balancer_capacity,
            ),
            fee("NAT gateway", "hours", HOURS, &prices.nat),
            fee(
                "NAT gateway, data",
                "events × KB of requests, log lines and traces (A18)",
                self.outgoing_gb(),
                &prices.nat_data,
            ),
        ]
    }

    fn outgoing_gb(&self) -> f64 {
        let traced = self.load.traces_a_second(self.tasks.each) / self.load.a_second();
        self.millions * traffic::kb_an_event(self.flow, self.batches, traced)
    }

    fn watching(&self) -> Vec<Fee<'a>> {
        let (prices, services, tasks) = (self.prices, self.flow.services, f64::from(self.tasks.all));
        let traces = self.load.traces_a_second(self.tasks.each) * HOURS * 3_600.0 / 1e6;
        let insights = INSIGHTS_OF_THE_CLUSTER + INSIGHTS_OF_A_SERVICE * services;
        let scaling = if self.capacity == Capacity::Provisioned { self.units.alarms() } else { 0 };
        let charged = self.deployed.dashboards.saturating_sub(FREE_DASHBOARDS);
        vec![
            fee("X-Ray, traces", "sampled events", traces, &prices.trace),
            fee("X-Ray, Insights", "sampled events", traces, &prices.trace_insight),
            fee(
                "Logs, services",
                "events × bytes",
                self.millions * f64::from(self.flow.log_bytes) / 1e3,
                &prices.log,
            ),
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
                f64::from(self.deployed.alarm_metrics + scaling),
                &prices.alarm_metric,
            ),
            fee(
                "Composite alarms",
                "alarms",
                f64::from(self.deployed.composite_alarms),
                &prices.composite_alarm,
            ),
            fee("Dashboards", "those beyond the third", f64::from(charged), &prices.dashboard),
            fee("Key", "keys", f64::from(self.deployed.keys), &prices.key),
            fee("Secret", "secrets", f64::from(self.deployed.secrets), &prices.secret),
        ]
    }
}

fn fee<'a>(name: &'static str, how: &'static str, quantity: f64, price: &'a Price) -> Fee<'a> {
    Fee { name, how, quantity, price }
}
