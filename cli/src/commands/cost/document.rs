//! Renders the tables of docs/capacity.md.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use super::choice::{Capacity, Choice, Services};
use super::estimate::Estimate;
use super::load::Load;
use super::number::{grouped, mark, quantity};
use super::report::consumers;
use super::{ceilings, prices};

/// The region that the services are deployed to by default.
const REGION: &str = "eu-central-1";
/// Events a minute, and the share of them that is traced.
const RATES: [(u32, f64); 3] = [(1_000, 0.05), (10_000, 0.05), (1_000_000, 0.01)];
const SERVICES: [u32; 3] = [9, 12, 33];
/// Services that take an event from the CRM to a mail.
const SHORTEST: [&str; 4] = ["ingest", "membership", "notifier", "email"];
/// A pause between receives that lets them fill.
const PAUSE: Duration = Duration::from_millis(100);

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
    let provisioned = |rate| {
        let choice = Choice { capacity: Capacity::Provisioned, ..choice(rate) };
        Estimate::of(&region, choice).unwrap()
    };
    let declared: Vec<_> = RATES.into_iter().map(|rate| estimate(rate, SERVICES[0])).collect();
    match name {
        "ceilings" => ceilings_table(&declared[0]),
        "consumers" => consumers_table(&SERVICES.map(|services| estimate(RATES[1], services))),
        "tasks" => tasks_table(&declared),
        "prices" => prices_table(&declared[0], &provisioned(RATES[0])),
        "batches" => batches_table(&RATES.map(|rate| {
            let paused = Choice { receive_pause: PAUSE, ..choice(rate) };
            [choice(rate), paused].map(|choice| Estimate::of(&region, choice).unwrap())
        })),
        "capacity" => capacity_table(&RATES.map(|rate| (estimate(rate, SERVICES[0]), provisioned(rate)))),
        "million" => {
            let services = [Services::Declared, Services::Only(SHORTEST.map(str::to_owned).to_vec())];
            million_table(&services.map(|services| {
                [
                    (Capacity::OnDemand, Duration::ZERO),
                    (Capacity::Provisioned, Duration::ZERO),
                    (Capacity::Provisioned, PAUSE),
                ]
                .map(|(capacity, receive_pause)| {
                    let services = services.clone();
                    let choice = Choice { services, capacity, receive_pause, ..choice(RATES[1]) };
                    Estimate::of(&region, choice).unwrap()
                })
            }))
        }
        "fees" => fees_table(&declared),
        "services" => {
            let all = RATES.into_iter().flat_map(|rate| SERVICES.map(|services| estimate(rate, services)));
            services_table(&all.collect::<Vec<_>>())
        }
        other => panic!("no block is called {other}"),
    }
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

fn prices_table(on_demand: &Estimate<'_>, provisioned: &Estimate<'_>) -> String {
    let mut text = "| line | price | read |\n|---|---|---|\n".to_owned();
    let all = on_demand.bill.fees.iter().chain([&on_demand.bill.mail]).map(|fee| (fee, ""));
    let of_units = provisioned.bill.fees.iter().filter(|fee| fee.price.per.contains("unit and hour"));
    let of_tables = of_units.filter(|fee| fee.name.starts_with("DynamoDB")).map(|fee| (fee, ", provisioned"));
    for (fee, mode) in all.chain(of_tables) {
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

fn capacity_table(estimates: &[(Estimate<'_>, Estimate<'_>)]) -> String {
    let mut text =
        "| events a minute | write units | read units | alarms | provisioned, with alarms | on demand |\n\
                    |---|---|---|---|---|---|\n"
            .to_owned();
    for (on_demand, provisioned) in estimates {
        let units = &provisioned.bill.units;
        writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} |",
            grouped(f64::from(on_demand.load.events_a_minute)),
            grouped(units.write()),
            grouped(units.read()),
            units.alarms(),
            grouped(provisioned.bill.provisioned_usd),
            grouped(on_demand.bill.on_demand_usd),
        )
        .unwrap();
    }
    text
}

fn million_table(estimates: &[[Estimate<'_>; 3]]) -> String {
    let mut text = "| services | tables on demand | provisioned | and a pause of 100 ms between receives | and endpoints in \
                    place of the NAT gateway |\n|---|---|---|---|---|\n"
        .to_owned();
    for estimates in estimates {
        let which = match &estimates[0].choice.services {
            Services::Only(names) => names.join(", "),
            _ => format!("all {}", estimates[0].flow.services),
        };
        write!(text, "| {which} |").unwrap();
        for estimate in estimates {
            write!(text, " {:.1} |", estimate.bill.usd_a_million()).unwrap();
        }
        writeln!(text, " {:.1} |", estimates[2].bill.usd_a_million_with_endpoints()).unwrap();
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
