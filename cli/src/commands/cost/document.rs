//! Renders the tables of docs/capacity.md.

use std::fmt::Write as _;
use std::path::Path;

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
    let estimate = |(events_a_minute, sampling_rate), services| {
        Estimate::of(&region, Load { events_a_minute, sampling_rate }, Some(services)).unwrap()
    };
    let declared: Vec<_> = RATES.into_iter().map(|rate| estimate(rate, SERVICES[0])).collect();
    match name {
        "ceilings" => ceilings_table(&declared[0]),
        "consumers" => consumers_table(&SERVICES.map(|services| estimate(RATES[1], services))),
        "tasks" => tasks_table(&declared),
        "prices" => prices_table(&declared[0]),
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

fn prices_table(estimate: &Estimate<'_>) -> String {
    let mut text = "| line | price | read |\n|---|---|---|\n".to_owned();
    for fee in estimate.bill.fees.iter().chain([&estimate.bill.mail]) {
        writeln!(
            text,
            "| {} | [{} per {}]({}) | {} |",
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
