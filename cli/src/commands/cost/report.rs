//! The estimate as text for people and as JSON for programs.

use std::time::Duration;

use serde_json::{Value, json};

use super::ceilings::{self, Hop};
use super::choice::{Services, name};
use super::estimate::Estimate;
use super::fee::Fee;
use super::number::{grouped, mark, quantity};
use super::tables::{MOST, Need, Units};
use super::tasks::CONCURRENCY;
use crate::style::{Colour, Style};

/// What the estimate leaves out.
const LEFT_OUT: &str = "Not in it: free tiers but that of dashboards, traffic between zones and to the internet, KMS requests, \
backups, polls of idle queues, stored logs and images, tax.";

/// Renders the estimate as text.
pub(super) fn text(estimate: &Estimate<'_>, style: Style) -> String {
    let heading = |text: &str| format!("\n{}\n", style.paint(Colour::Bold, text));
    let mut text = summary(estimate);
    text.push_str(&heading("Quotas, without an increase"));
    text.push_str(&columns(&hop_rows(&estimate.hops), &[1, 3]));
    text.push_str(&heading("Consumers of an event"));
    text.push_str(&consumers(estimate));
    text.push_str(&heading("Tasks"));
    text.push_str(&tasks(estimate));
    text.push_str(&heading(&format!(
        "Units of tables, if they are provisioned and {} % consumed",
        estimate.choice.target_utilization
    )));
    text.push_str(&columns(&unit_rows(&estimate.bill.units), &[1, 2]));
    text.push_str(&heading(&format!("Fees in {} for 30 days", estimate.region.currency)));
    text.push_str(&columns(&fee_rows(estimate), &[1, 3]));
    text.push_str(&heading("Notes"));
    text.push_str(&notes(estimate));
    text
}

fn summary(estimate: &Estimate<'_>) -> String {
    let flow = &estimate.flow;
    let which = match (&estimate.choice.services, flow.added) {
        (Services::Only(names), _) => names.join(", "),
        (_, 0) => "all declared".to_owned(),
        (_, added) => format!("{added} beyond the declared ones"),
    };
    let first = ceilings::first(&estimate.hops).map_or_else(String::new, |hop| {
        format!(
            "first ceiling    {} events a minute, {}{}\n",
            grouped(hop.ceiling.unwrap_or_default()),
            hop.name,
            mark(hop.quota.read.as_deref()),
        )
    });
    format!(
        "rate             {} events a minute in {}\nservices         {} ({which})\ntables           {}\n{first}\
         fees a month     {} {}, and {} for mails\na million events {:.2} {}\n",
        grouped(f64::from(estimate.load.events_a_minute)),
        estimate.region.name,
        flow.services,
        name(&estimate.choice.capacity),
        grouped(estimate.bill.usd()),
        estimate.region.currency,
        grouped(estimate.bill.mail.usd()),
        estimate.bill.usd_a_million(),
        estimate.region.currency,
    )
}

fn hop_rows(hops: &[Hop<'_>]) -> Vec<Vec<String>> {
    let heads = ["hop", "quota", "unit", "events a minute", "remark"].map(str::to_owned).to_vec();
    let rows = hops.iter().map(|hop| {
        let quota = hop.quota.value.map_or_else(|| "unknown".to_owned(), |value| grouped(f64::from(value)));
        vec![
            hop.name.clone(),
            quota + mark(hop.quota.read.as_deref()),
            hop.quota.unit.clone(),
            hop.ceiling.map_or_else(|| "unknown".to_owned(), grouped),
            hop.remark.clone(),
        ]
    });
    [heads].into_iter().chain(rows).collect()
}

/// Renders what the number of consumers does to the ceiling, and when a topic pays.
pub(super) fn consumers(estimate: &Estimate<'_>) -> String {
    let Some(consumers) = estimate.consumers else {
        return "The quota of invocations is unknown for this region.\n".to_owned();
    };
    let rate = f64::from(estimate.load.events_a_minute);
    let mut text = format!(
        "An event is delivered {} times by the bus, the CRM's and the announcement together: {} events a minute.\nOne more \
         consumer: {}.\n",
        estimate.flow.invocations,
        grouped(consumers.ceiling),
        grouped(consumers.with_one_more),
    );
    let advice = if consumers.topic_pays(&estimate.load) {
        format!(
            "Fan-out by a topic pays: the bus delivers to the topic once, which allows {} events a minute for {} {} a \
             month; deliveries to queues are free.\n",
            grouped(consumers.by_topic),
            grouped(estimate.bill.topic_usd),
            estimate.region.currency,
        )
    } else if consumers.ceiling < rate {
        format!(
            "A higher quota is needed: {} invocations a second, or {} with fan-out by a topic.\n",
            grouped((rate * f64::from(estimate.flow.invocations) / 60.0).ceil()),
            grouped((rate * f64::from(estimate.flow.events) / 60.0).ceil()),
        )
    } else {
        format!(
            "At this rate the quota allows {} deliveries of an event. Beyond that, fan-out by a topic pays: {} {} a month.\n",
            grouped(consumers.most_invocations),
            grouped(estimate.bill.topic_usd),
            estimate.region.currency,
        )
    };
    text.push_str(&advice);
    text
}

fn tasks(estimate: &Estimate<'_>) -> String {
    let tasks = estimate.tasks;
    let in_flight = |which: &str, messages: f64| {
        if messages > f64::from(CONCURRENCY) {
            format!(
                "A task that {which} has {messages:.0} messages in flight: raise CONSUMER_CONCURRENCY above {CONCURRENCY}\n"
            )
        } else {
            String::new()
        }
    };
    let mails = in_flight("sends mails", f64::from(tasks.in_flight));
    let publishes = in_flight("publishes notifications", estimate.publishes.in_flight);
    format!(
        "{} of {} vCPU and {} GB for each service, {} together, {} vCPU\n{mails}{publishes}",
        tasks.each,
        tasks.vcpu(),
        tasks.memory_gb(),
        tasks.all,
        f64::from(tasks.all) * tasks.vcpu(),
    )
}

fn unit_rows(units: &Units) -> Vec<Vec<String>> {
    let heads = ["table or index", "write units", "read units"].map(str::to_owned).to_vec();
    let row = |name: &str, write, read| vec![name.to_owned(), grouped(write), grouped(read)];
    let busy = units.busy().map(|need| row(&need.table, need.write, need.read));
    let all = row("all, the idle ones included", units.write(), units.read());
    [heads].into_iter().chain(busy).chain([all]).collect()
}

fn fee_rows(estimate: &Estimate<'_>) -> Vec<Vec<String>> {
    let row = |fee: &Fee<'_>| {
        vec![
            fee.name.to_owned(),
            quantity(fee.quantity),
            format!("× {}{} per {}", fee.price.amounts(), mark(fee.price.read.as_deref()), fee.price.per),
            grouped(fee.usd()),
        ]
    };
    let sum = |name: &str, usd: f64| vec![name.to_owned(), String::new(), String::new(), grouped(usd)];
    let bill = &estimate.bill;
    bill.fees
        .iter()
        .map(row)
        .chain([
            sum("together", bill.usd()),
            row(&bill.mail),
            sum("with mails", bill.usd() + bill.mail.usd()),
        ])
        .collect()
}

fn notes(estimate: &Estimate<'_>) -> String {
    let bill = &estimate.bill;
    let maximum = if bill.units.largest() > MOST {
        format!(
            "A table needs {} units if it is provisioned: raise MaximumUnits above {}, and the quotas.\n",
            grouped(bill.units.largest()),
            grouped(MOST),
        )
    } else {
        String::new()
    };
    let flow = &estimate.flow;
    let publish = if flow.notifications > 0 {
        format!(", a publish {:.1} notifications (A22)", estimate.publishes.notifications(flow.notifications))
    } else {
        String::new()
    };
    format!(
        "Tables on demand: {} {}; provisioned and scaled (Capacity=provisioned): {}; the same, with whole hundreds of units \
         reserved for a year: {}; both with their alarms. Above what is provisioned, events wait.\n{maximum}A receive takes {:.1} \
         messages of ten, a delete {:.1} (A3){publish}.\nEndpoints instead of the NAT gateway (Egress=endpoints): {} instead of {} \
         {}.\nSES limits mails by account, first to one a second: ask for {} a second.\n? was found on none of AWS's pages: check it \
         on the page that --json names.\n{LEFT_OUT}\n",
        grouped(bill.on_demand_usd),
        estimate.region.currency,
        grouped(bill.provisioned_usd),
        grouped(bill.reserved_usd),
        estimate.batches.receive,
        estimate.batches.delete,
        grouped(bill.endpoints_usd),
        grouped(bill.nat_usd),
        estimate.region.currency,
        grouped((estimate.load.a_second() * f64::from(flow.mails)).ceil()),
    )
}

/// Renders the same as one JSON object.
pub(super) fn document(estimate: &Estimate<'_>) -> Value {
    let (choice, flow, tasks, bill) = (&estimate.choice, &estimate.flow, estimate.tasks, &estimate.bill);
    let first =
        ceilings::first(&estimate.hops).map(|hop| json!({"hop": hop.name, "events_per_minute": hop.ceiling}));
    let consumers = estimate.consumers.map(|consumers| {
        json!({
            "invocations_per_event": flow.invocations,
            "ceiling": consumers.ceiling,
            "ceiling_with_one_more": consumers.with_one_more,
            "most_invocations_at_this_rate": consumers.most_invocations,
            "ceiling_by_topic": consumers.by_topic,
            "topic_pays": consumers.topic_pays(&estimate.load),
            "topic_usd_a_month": cents(bill.topic_usd),
        })
    });
    json!({
        "region": estimate.region.code,
        "currency": estimate.region.currency,
        "events_per_minute": estimate.load.events_a_minute,
        "sampling_rate": estimate.load.sampling_rate,
        "services": flow.services,
        "added_services": flow.added,
        "capacity": name(&choice.capacity),
        "target_utilization_percent": choice.target_utilization,
        "receive_pause_ms": milliseconds(choice.receive_pause),
        "publish_linger_ms": milliseconds(choice.publish_linger),
        "hop_lines": name(&choice.hop_lines),
        "egress": name(&choice.egress),
        "first_ceiling": first,
        "hops": estimate.hops.iter().map(hop_document).collect::<Vec<_>>(),
        "consumers": consumers,
        "tasks": {
            "each_service": tasks.each,
            "all": tasks.all,
            "vcpu": tasks.vcpu(),
            "memory_gb": tasks.memory_gb(),
        },
        "fees": bill.fees.iter().chain([&bill.mail]).map(fee_document).collect::<Vec<_>>(),
        "messages_per_request": {"receive": estimate.batches.receive, "delete": estimate.batches.delete},
        "notifications_per_publish": estimate.publishes.notifications(flow.notifications),
        "usd_a_month": cents(bill.usd()),
        "usd_per_million_events": cents(bill.usd_a_million()),
        "tables": {
            "on_demand_usd_a_month": cents(bill.on_demand_usd),
            "provisioned_usd_a_month": cents(bill.provisioned_usd),
            "reserved_usd_a_month": cents(bill.reserved_usd),
            "units": bill.units.0.iter().map(unit_document).collect::<Vec<_>>(),
        },
        "mail_usd_a_month": cents(bill.mail.usd()),
        "endpoints_instead_of_nat_usd_a_month": cents(bill.endpoints_usd),
    })
}

fn hop_document(hop: &Hop<'_>) -> Value {
    json!({
        "hop": hop.name,
        "quota": hop.quota.value,
        "unit": hop.quota.unit,
        "page": hop.quota.page,
        "read": hop.quota.read,
        "per_event": hop.an_event,
        "events_per_minute": hop.ceiling,
        "bounds_events": hop.bounds_events,
        "remark": hop.remark,
    })
}

fn unit_document(need: &Need) -> Value {
    json!({"table": need.table, "write": need.write, "read": need.read})
}

fn fee_document(fee: &Fee<'_>) -> Value {
    json!({
        "fee": fee.name,
        "sum": fee.how,
        "quantity": fee.quantity,
        "per": fee.price.per,
        "price": fee.price.usd,
        "tiers": fee.price.above.iter().map(|tier| json!({"from": tier.from, "price": tier.usd})).collect::<Vec<_>>(),
        "page": fee.price.page,
        "read": fee.price.read,
        "usd_a_month": cents(fee.usd()),
    })
}

/// Returns a time in milliseconds, rounded to microseconds.
fn milliseconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}

/// Rounds to cents.
fn cents(usd: f64) -> f64 {
    (usd * 100.0).round() / 100.0
}

/// Aligns rows; the columns in `right` to the right.
fn columns(rows: &[Vec<String>], right: &[usize]) -> String {
    let count = rows.iter().map(Vec::len).max().unwrap_or_default();
    let width = |column: usize| {
        rows.iter()
            .filter_map(|row| row.get(column))
            .map(|cell| cell.chars().count())
            .max()
            .unwrap_or_default()
    };
    let widths: Vec<_> = (0..count).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let cells: Vec<_> =
            row.iter()
                .zip(&widths)
                .enumerate()
                .map(|(column, (cell, width))| {
                    if right.contains(&column) {
                        format!("{cell:>width$}")
                    } else {
                        format!("{cell:<width$}")
                    }
                })
                .collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_align() {
        let rows = [vec!["a".to_owned(), "1".to_owned()], vec!["bc".to_owned(), "23".to_owned()]];
        assert_eq!(columns(&rows, &[1]), "a    1\nbc  23\n");
    }
}
