//! Renders the tables of docs/capacity.md.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use super::choice::{Capacity, Choice, Egress, Services};
use super::estimate::Estimate;
use super::load::Load;
use super::number::{grouped, mark, quantity};
use super::report::consumers;
use super::savings::SAVINGS;
use super::{ceilings, prices};

/// The region that the services are deployed to by default.
const REGION: &str = "eu-central-1";
/// Events a minute, and the share of them that is traced.
const RATES: [(u32, f64); 3] = [(1_000, 0.05), (10_000, 0.05), (1_000_000, 0.01)];
const SERVICES: [u32; 3] = [9, 12, 33];
/// Services that take an event from the CRM to a mail.
const SHORTEST: [&str; 4] = ["ingest", "membership", "notifier", "email"];
/// A pause between receives that lets them fill, and a wait of notifications for others.
const PAUSE: Duration = Duration::from_millis(100);
/// The most that auto scaling lets tables consume of their units, in percent.
const BUSIEST: u32 = 90;

/// The page consists of text and of blocks between these two lines.
const BEGIN: &str = "<!-- rendered: ";
const END: &str = "<!-- end of rendered -->\n";

#[test]
fn the_page_shows_what_the_command_computes() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/capacity.md");
    let found = std::fs::read_to_string(&file).unwrap();
    let page = rendered(&found);
    if found != page {
        let wanted = std::env::temp_dir().join("capacity.md");
        std::fs::write(&wanted, page).unwrap();
        panic!("the document has changed; to accept it: cp {} {}", wanted.display(), file.display());
    }
}

fn rendered(page: &str) -> String {
    let mut parts = page.split(BEGIN);
    let mut text = parts.next().unwrap().to_owned();
    for part in parts {
        let (name, rest) = part.split_once(" -->\n").expect("a name before -->");
        let (_, rest) = rest.split_once(END).unwrap_or_else(|| panic!("no end of {name}"));
        write!(text, "{BEGIN}{name} -->\n\n{}\n{END}{rest}", block(name)).unwrap();
    }
    text
}

fn block(name: &str) -> String {
    let region = prices::find(REGION).unwrap().unwrap();
    let choice = |(events_a_minute, sampling_rate)| Choice::of(Load { events_a_minute, sampling_rate });
    let estimate = |rate, services| {
        let services = Services::Count(services);
        Estimate::of(&region, Choice { services, ..choice(rate) }).unwrap()
    };
    let chosen = |choice| Estimate::of(&region, choice).unwrap();
    let declared: Vec<_> = RATES.into_iter().map(|rate| estimate(rate, SERVICES[0])).collect();
    match name {
        "ceilings" => ceilings_table(&declared[0]),
        "consumers" => consumers_table(&SERVICES.map(|services| estimate(RATES[1], services))),
        "tasks" => tasks_table(&declared),
        "prices" => {
            let (capacity, egress) = (Capacity::Reserved, Egress::Endpoints);
            prices_table(&declared[0], &chosen(Choice { capacity, egress, ..choice(RATES[0]) }))
        }
        "batches" => batches_table(
            &RATES.map(|rate| [choice(rate), Choice { receive_pause: PAUSE, ..choice(rate) }].map(chosen)),
        ),
        "publishes" => publishes_table(&RATES.map(|rate| {
            [Services::Declared, shortest()].map(|services| {
                let default = Choice { services, ..choice(rate) };
                let lingering = Choice { publish_linger: PAUSE, ..default.clone() };
                let pausing = Choice { receive_pause: PAUSE, ..lingering.clone() };
                [default, lingering, pausing].map(chosen)
            })
        })),
        "capacity" => {
            capacity_table(&RATES.map(|rate| {
                [choice(rate), Choice { target_utilization: BUSIEST, ..choice(rate) }].map(chosen)
            }))
        }
        "million" => {
            let services = [Services::Declared, shortest()];
            million_table(&services.map(|services| Choice { services, ..choice(RATES[1]) }), chosen)
        }
        "fees" => fees_table(&declared),
        "services" => {
            let all = RATES.into_iter().flat_map(|rate| SERVICES.map(|services| estimate(rate, services)));
            services_table(&all.collect::<Vec<_>>())
        }
        other => panic!("no block is called {other}"),
    }
}

fn shortest() -> Services {
    Services::Only(SHORTEST.map(str::to_owned).to_vec())
}

fn ceilings_table(estimate: &Estimate<'_>) -> String {
    let mut text = "| hop | quota | takes an event | events a minute |\n|---|---|---|---|\n".to_owned();
    for hop in &estimate.hops {
        let value = hop.quota.value.map_or_else(|| "unknown".to_owned(), |value| grouped(f64::from(value)));
        let ceiling = hop.ceiling.map_or_else(|| "unknown".to_owned(), grouped);
        let remark = if hop.remark.is_empty() { String::new() } else { format!("; {}", hop.remark) };
        writeln!(
            text,
            "| {} | [{value}{} {}]({}) | {} | {ceiling}{remark} |",
            hop.name,
            mark(hop.quota.read.as_deref()),
            hop.quota.unit,
            hop.quota.page,
            hop.an_event,
        )
        .unwrap();
    }
    text
}

fn consumers_table(estimates: &[Estimate<'_>]) -> String {
    let mut text = "| services | deliveries of an event | ceiling | with one consumer more | by a topic | its fee at 10,000 \
                    a minute |\n|---|---|---|---|---|---|\n"
        .to_owned();
    for estimate in estimates {
        let consumers = estimate.consumers.unwrap();
        writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} |",
            estimate.flow.services,
            estimate.flow.invocations,
            grouped(consumers.ceiling),
            grouped(consumers.with_one_more),
            grouped(consumers.by_topic),
            grouped(estimate.bill.topic_usd),
        )
        .unwrap();
    }
    let last = estimates.last().unwrap();
    writeln!(
        text,
        "\nWith {} services at 10,000 events a minute the command says:\n\n```text\n{}```",
        last.flow.services,
        consumers(last)
    )
    .unwrap();
    text
}

fn tasks_table(estimates: &[Estimate<'_>]) -> String {
    let mut text =
        "| events a minute | a second | size of a task | tasks of a service | tasks | vCPU |\n|---|---|---|---|---|---|\n"
            .to_owned();
    for estimate in estimates {
        let tasks = estimate.tasks;
        writeln!(
            text,
            "| {} | {} | {} vCPU, {} GB | {} | {} | {} |",
            grouped(f64::from(estimate.load.events_a_minute)),
            grouped(estimate.load.a_second()),
            tasks.vcpu(),
            tasks.memory_gb(),
            tasks.each,
            tasks.all,
            f64::from(tasks.all) * tasks.vcpu(),
        )
        .unwrap();
    }
    text
}

/// Renders the prices of one bill, and those that only the other one has.
fn prices_table(default: &Estimate<'_>, other: &Estimate<'_>) -> String {
    let mut text = "| line | price | read |\n|---|---|---|\n".to_owned();
    let all = || default.bill.fees.iter().chain([&default.bill.mail]);
    let others = other.bill.fees.iter().filter(|fee| all().all(|known| known.price != fee.price));
    // On demand, the lines about tables have the same names.
    let others =
        others.map(|fee| (fee, if all().any(|known| known.name == fee.name) { ", provisioned" } else { "" }));
    for (fee, mode) in all().map(|fee| (fee, "")).chain(others) {
        writeln!(
            text,
            "| {}{mode} | [{} per {}]({}) | {} |",
            fee.name,
            fee.price.amounts(),
            fee.price.per,
            fee.price.page,
            fee.price.read.as_deref().unwrap_or("unverified"),
        )
        .unwrap();
    }
    text
}

fn batches_table(estimates: &[[Estimate<'_>; 2]]) -> String {
    let mut text = "| events a minute | a second and task | messages of a receive | after a pause of 100 ms | messages of a \
                    delete | requests a message | with the pause |\n|---|---|---|---|---|---|---|\n"
        .to_owned();
    for [without, with] in estimates {
        writeln!(
            text,
            "| {} | {} | {:.1} | {:.1} | {:.1} | {:.2} | {:.2} |",
            grouped(f64::from(without.load.events_a_minute)),
            grouped(without.load.a_second() / f64::from(without.tasks.each)),
            without.batches.receive,
            with.batches.receive,
            without.batches.delete,
            without.batches.requests(),
            with.batches.requests(),
        )
        .unwrap();
    }
    text
}

/// Renders the calls for an event, with all services and with the fewest.
fn publishes_table(estimates: &[[[Estimate<'_>; 3]; 2]]) -> String {
    let mut text = "| events a minute | notifications of an event | calls, by default | with a linger of 100 ms | and a pause of \
                    100 ms between receives |\n|---|---|---|---|---|\n"
        .to_owned();
    for estimates in estimates.iter().flatten() {
        write!(
            text,
            "| {} | {} |",
            grouped(f64::from(estimates[0].load.events_a_minute)),
            estimates[0].flow.notifications,
        )
        .unwrap();
        for estimate in estimates {
            write!(text, " {:.2} |", estimate.publishes.calls).unwrap();
        }
        text.push('\n');
    }
    text
}

/// Renders what tables cost if 70 % and if 90 % of their units are consumed.
fn capacity_table(estimates: &[[Estimate<'_>; 2]]) -> String {
    let mut text = "| events a minute | on demand | consumed | write units | read units | alarms | provisioned | reserved |\n\
                    |---|---|---|---|---|---|---|---|\n"
        .to_owned();
    for estimate in estimates.iter().flatten() {
        let (bill, units) = (&estimate.bill, &estimate.bill.units);
        writeln!(
            text,
            "| {} | {} | {} % | {} | {} | {} | {} | {} |",
            grouped(f64::from(estimate.load.events_a_minute)),
            grouped(bill.on_demand_usd),
            estimate.choice.target_utilization,
            grouped(units.write()),
            grouped(units.read()),
            units.alarms(),
            grouped(bill.provisioned_usd),
            grouped(bill.reserved_usd),
        )
        .unwrap();
    }
    text
}

/// Renders the savings, each on top of those before it.
fn million_table<'a>(choices: &[Choice; 2], estimate: impl Fn(Choice) -> Estimate<'a>) -> String {
    let mut choices = choices.clone();
    let names = choices.each_ref().map(|choice| match &choice.services {
        Services::Only(names) => names.join(", "),
        _ => "all services".to_owned(),
    });
    let mut text = format!("| | {} |\n|---|---|---|\n", names.join(" | "));
    for saving in &SAVINGS {
        write!(text, "| {} |", saving.name).unwrap();
        for choice in &mut choices {
            (saving.choose)(choice);
            write!(text, " {:.1} |", estimate(choice.clone()).bill.usd_a_million()).unwrap();
        }
        text.push('\n');
    }
    text
}

fn fees_table(estimates: &[Estimate<'_>]) -> String {
    let mut text = "| line | sum | quantity at 1,000 a minute |".to_owned();
    for (events, _) in RATES {
        write!(text, " {} |", grouped(f64::from(events))).unwrap();
    }
    text.push_str("\n|---|---|---|---|---|---|\n");
    for (index, fee) in estimates[0].bill.fees.iter().enumerate() {
        write!(text, "| {} | {} | {} |", fee.name, fee.how, quantity(fee.quantity)).unwrap();
        row(&mut text, estimates.iter().map(|estimate| estimate.bill.fees[index].usd()));
    }
    text.push_str("| **together** | | |");
    row(&mut text, estimates.iter().map(|estimate| estimate.bill.usd()));
    let mail = &estimates[0].bill.mail;
    write!(
        text,
        "| {}, apart, since it dwarfs the rest | {} | {} |",
        mail.name,
        mail.how,
        quantity(mail.quantity)
    )
    .unwrap();
    row(&mut text, estimates.iter().map(|estimate| estimate.bill.mail.usd()));
    text.push_str("| endpoints instead of the NAT gateway | | |");
    row(&mut text, estimates.iter().map(|estimate| estimate.bill.endpoints_usd));
    text
}

fn row(text: &mut String, amounts: impl Iterator<Item = f64>) {
    for amount in amounts {
        write!(text, " {} |", grouped(amount)).unwrap();
    }
    text.push('\n');
}

fn services_table(estimates: &[Estimate<'_>]) -> String {
    let mut text =
        "| events a minute | services | first ceiling | tasks | fees | mails |\n|---|---|---|---|---|---|\n"
            .to_owned();
    for estimate in estimates {
        let first = ceilings::first(&estimate.hops).unwrap();
        writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} |",
            grouped(f64::from(estimate.load.events_a_minute)),
            estimate.flow.services,
            grouped(first.ceiling.unwrap()),
            estimate.tasks.all,
            grouped(estimate.bill.usd()),
            grouped(estimate.bill.mail.usd()),
        )
        .unwrap();
    }
    text
}

#[test]
fn only_the_blocks_of_a_page_change() {
    let page = format!("before\n{BEGIN}tasks -->\nold\n{END}after\n");
    let once = rendered(&page);
    assert!(once.starts_with("before\n") && once.ends_with("after\n"), "{once}");
    assert!(once.contains("| 1,000 | 17 | 0.25 vCPU, 0.5 GB | 2 | 18 | 4.5 |\n"), "{once}");
    assert!(!once.contains("old"), "{once}");
    assert_eq!(rendered(&once), once);
}
