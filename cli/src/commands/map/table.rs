//! The map as a table of text: a line for each edge.

use crate::service_map::{EdgeKey, ServiceMap, Traffic, per_time};
use crate::span_of_time::short;
use crate::style::{Colour, Style, printable};

/// Longer names are cut.
const LONGEST: usize = 40;
/// The columns of numbers, each with the blanks before it.
const NUMBER: usize = 10;

/// Draws the edges; every line ends in a line break.
pub(super) fn draw(map: &ServiceMap, seconds: f64, style: Style) -> String {
    let mut edges: Vec<(&EdgeKey, &Traffic)> = map.edges.iter().collect();
    edges.sort_by_key(|(edge, _)| !edge.source.is_client());
    let rows: Vec<[String; 2]> =
        edges.iter().map(|(edge, _)| [name(&edge.source.title()), to(edge)]).collect();
    let widest = |column: usize, title: &str| {
        rows.iter().map(|row| row[column].chars().count()).chain([title.len()]).max().unwrap_or_default()
    };
    let (from, to) = (widest(0, "FROM"), widest(1, "TO"));
    let titles = ["RATE", "FAULT", "ERROR", "THROTTLE", "P50", "P99"];
    let titles: String = titles.map(|title| format!("{title:>NUMBER$}")).concat();
    let mut text = style.paint(Colour::Dim, &format!("{:from$}  {:to$}{titles}", "FROM", "TO"));
    text.push('\n');
    for ([source, destination], traffic) in rows.iter().zip(edges.iter().map(|(_, traffic)| *traffic)) {
        text.extend([
            format!("{source:from$}  {destination:to$}"),
            numbers(traffic, seconds, style),
            "\n".to_owned(),
        ]);
    }
    let messages = map.edges.keys().any(|edge| edge.link);
    if messages {
        text.push_str(&style.paint(Colour::Dim, "⇢ messages: P50 and P99 are their ages when received"));
        text.push('\n');
    }
    text
}

fn to(edge: &EdgeKey) -> String {
    format!("{} {}", if edge.link { "⇢" } else { "→" }, name(&edge.destination.title()))
}

fn name(name: &str) -> String {
    crate::svg::shortened(&printable(name), LONGEST)
}

fn numbers(traffic: &Traffic, seconds: f64, style: Style) -> String {
    let tally = &traffic.tally;
    let share = |count: u64, colour: Colour| {
        let text = format!("{:>NUMBER$}", percent(tally.share(count)));
        if count > 0 { style.paint(colour, &text) } else { style.paint(Colour::Dim, &text) }
    };
    let time = |share: f64| {
        let time = traffic.times.percentile(share).map_or_else(|| "-".to_owned(), short);
        format!("{time:>NUMBER$}")
    };
    [
        format!("{:>NUMBER$}", per_time(tally, seconds)),
        share(tally.faults, Colour::Red),
        share(tally.errors, Colour::Yellow),
        share(tally.throttles, Colour::Magenta),
        time(0.5),
        time(0.99),
    ]
    .concat()
}

/// Returns a share in percent, and a dash for none, so that what is not zero stands out.
fn percent(share: f64) -> String {
    match share * 100.0 {
        0.0 => "-".to_owned(),
        percent if percent < 0.1 => "<0.1 %".to_owned(),
        percent if percent < 9.95 => format!("{percent:.1} %"),
        percent => format!("{percent:.0} %"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service_map::Tally;
    use crate::service_map::tests::map_of;

    #[test]
    fn a_line_for_each_edge() {
        let mut map = map_of(&[
            ("ingest/client", "ingest", false),
            ("EventBridge", "email", true),
            ("ingest", "EventBridge", false),
        ]);
        for (edge, traffic) in &mut map.edges {
            if edge.link {
                traffic.tally = Tally { total: 2000, ok: 1797, errors: 200, throttles: 1, faults: 2 };
            }
        }
        let drawn = draw(&map, 60.0, Style::PLAIN);
        assert_eq!(
            drawn,
            "\
FROM         TO                 RATE     FAULT     ERROR  THROTTLE       P50       P99
client       → ingest        1.0/min         -         -         -     10 ms     10 ms
EventBridge  ⇢ email            33/s     0.1 %      10 %    <0.1 %     10 ms     10 ms
ingest       → EventBridge   1.0/min         -         -         -     10 ms     10 ms
⇢ messages: P50 and P99 are their ages when received
",
            "\n{drawn}"
        );
    }
}
