//! The map as a picture: nodes with a ring by how their requests ended, as in X-Ray's console.

use std::collections::HashMap;
use std::f64::consts::TAU;
use std::fmt::Write as _;

use super::layout::{WIDTH, layout};
use super::point::Point;
use super::{EdgeKey, ServiceKey, ServiceMap, Tally, Traffic};
use crate::span_of_time::short;
use crate::svg::{Escaped, document, shortened};

/// The radius of a node's ring.
const RADIUS: f64 = 27.0;
/// The longest name below a node, in characters.
const LONGEST: usize = 27;
/// How wide a character of a small text is, and how high a line, to keep labels apart.
const CHARACTER: f64 = 4.8;
const LINE: f64 = 12.0;
/// Where a label may be on the first part of its edge, in order of preference.
const PLACES: [f64; 7] = [0.5, 0.35, 0.65, 0.2, 0.8, 0.42, 0.58];

/// Draws the map of requests made within `seconds`.
pub(crate) fn svg(map: &ServiceMap, seconds: f64) -> String {
    // Clients first, so that they are on the left.
    let mut keys: Vec<&ServiceKey> = map.nodes.keys().collect();
    keys.sort_by_key(|key| !key.is_client());
    let ids: HashMap<&ServiceKey, usize> = keys.iter().copied().zip(0..).collect();
    let id = |key: &ServiceKey| ids.get(key).copied();
    let edges: Vec<(&EdgeKey, &Traffic, (usize, usize))> = map
        .edges
        .iter()
        .filter_map(|(key, traffic)| Some((key, traffic, (id(&key.source)?, id(&key.destination)?))))
        .collect();
    let ends: Vec<(usize, usize)> = edges.iter().map(|(.., ends)| *ends).collect();
    let layout = layout(keys.len(), &ends);
    let mut labels = Labels::default();
    let mut body = String::from(
        "<defs><marker id=\"tip\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"7\" markerHeight=\"7\" \
         orient=\"auto\"><path class=\"tip\" d=\"M0 0.5 8 4 0 7.5z\"/></marker></defs>\n",
    );
    let mut texts = String::new();
    for ((key, traffic, (source, _)), route) in edges.iter().zip(&layout.edges) {
        let way = if route.is_empty() {
            around(layout.nodes[*source])
        } else {
            path(route, &layout.nodes, ids[&key.source], ids[&key.destination])
        };
        let class = if key.link { "line dashed" } else { "line" };
        let title = edge_title(key, traffic, seconds);
        writeln!(
            body,
            "<path class=\"{class}\" d=\"{way}\" marker-end=\"url(#tip)\"><title>{}</title></path>",
            Escaped(&title)
        )
        .unwrap_or_default();
        let label = edge_label(traffic, seconds);
        let at = match route.as_slice() {
            [first, second, ..] => labels.place(&label, *first, *second),
            _ => Point { y: layout.nodes[*source].y - RADIUS - 12.0, ..layout.nodes[*source] },
        };
        writeln!(
            texts,
            "<text class=\"small dim halo\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
            at.x,
            at.y,
            Escaped(&label)
        )
        .unwrap_or_default();
    }
    body.push_str(&texts);
    for (key, at) in keys.iter().zip(&layout.nodes) {
        body.push_str(&node(key, &map.nodes[*key], *at, seconds));
    }
    document(layout.width, layout.height, "service map", &body)
}

/// Returns the way of an edge: straight over what is in a column, curved between columns, so that it crosses no text.
fn path(route: &[Point], nodes: &[Point], source: usize, destination: usize) -> String {
    let towards = route[1].x - route[0].x;
    let sign = towards.signum();
    let half = sign * WIDTH / 2.0;
    let last = route.len() - 1;
    let start = route[0].x + sign * chord(route[0].y - nodes[source].y);
    let mut way = format!("M{start:.1} {:.1}H{:.1}", route[0].y, route[0].x + half);
    for (number, pair) in route.windows(2).enumerate() {
        let (from, to) = (pair[0].x + half, pair[1].x - half);
        let middle = f64::midpoint(from, to);
        write!(way, "C{middle:.1} {:.1} {middle:.1} {:.1} {to:.1} {:.1}", pair[0].y, pair[1].y, pair[1].y)
            .unwrap_or_default();
        let end = if number + 1 == last {
            pair[1].x - sign * (chord(pair[1].y - nodes[destination].y) + 2.0)
        } else {
            pair[1].x + half
        };
        write!(way, "H{end:.1}").unwrap_or_default();
    }
    way
}

/// Returns how far from its centre a node's ring is at a height.
fn chord(height: f64) -> f64 {
    (RADIUS * RADIUS - height * height).max(0.0).sqrt()
}

/// Returns the way from a node to itself, above it.
fn around(node: Point) -> String {
    let (left, right, top) = (node.x - 14.0, node.x + 14.0, node.y - chord(14.0));
    format!(
        "M{right:.1} {top:.1}C{:.1} {:.1} {:.1} {:.1} {left:.1} {:.1}",
        right + 8.0,
        top - 20.0,
        left - 8.0,
        top - 20.0,
        top - 1.0
    )
}

fn node(key: &ServiceKey, traffic: &Traffic, at: Point, seconds: f64) -> String {
    let Point { x, y } = at;
    let name = key.title();
    let mut text = format!("<g><title>{}</title>\n", Escaped(&node_title(key, traffic, seconds)));
    text.push_str(&ring(&traffic.tally, at));
    let mut line = |class: &str, dy: f64, content: &str| {
        let content = Escaped(content);
        writeln!(
            text,
            "<text class=\"{class}\" x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{content}</text>",
            y + dy
        )
        .unwrap_or_default();
    };
    if traffic.tally.total > 0 {
        line("small", -2.0, &traffic.times.percentile(0.5).map(short).unwrap_or_default());
        line("small dim", 10.0, &per_time(&traffic.tally, seconds));
    }
    line("strong", RADIUS + 16.0, &shortened(&name, LONGEST));
    if !key.is_client() {
        line("small dim", RADIUS + 29.0, &shortened(&key.kind, LONGEST + 5));
    }
    text.push_str("</g>\n");
    text
}

/// Returns the ring: an arc for each way to end, as long as its share.
fn ring(tally: &Tally, at: Point) -> String {
    let circle = |class: &str, dashes: &str| {
        format!(
            "<circle class=\"ground {class}\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"{RADIUS}\" stroke-width=\"4\"{dashes}/>\n",
            at.x, at.y
        )
    };
    let mut text = circle("none", "");
    let around = TAU * RADIUS;
    let mut begun = 0.0;
    for (class, count) in
        [("fault", tally.faults), ("error", tally.errors), ("throttle", tally.throttles), ("ok", tally.ok)]
    {
        let length = tally.share(count) * around;
        if length > 0.0 {
            // From the top, clockwise.
            let dashes = format!(
                " fill=\"none\" stroke-dasharray=\"{length:.2} {:.2}\" stroke-dashoffset=\"{:.2}\" \
                 transform=\"rotate(-90 {:.1} {:.1})\"",
                around - length,
                -begun,
                at.x,
                at.y
            );
            text.push_str(&circle(class, &dashes).replace("ground ", ""));
        }
        begun += length;
    }
    text
}

fn node_title(key: &ServiceKey, traffic: &Traffic, seconds: f64) -> String {
    if key.is_client() {
        return format!("clients of {}", key.name);
    }
    format!("{} ({}): {}", key.name, key.kind, outcome(traffic, seconds))
}

fn edge_title(key: &EdgeKey, traffic: &Traffic, seconds: f64) -> String {
    let times = if key.link { ", ages of messages" } else { "" };
    format!("{} → {}: {}{times}", key.source.title(), key.destination.title(), outcome(traffic, seconds))
}

fn outcome(traffic: &Traffic, seconds: f64) -> String {
    let tally = &traffic.tally;
    let time = |share| traffic.times.percentile(share).map_or_else(|| "-".to_owned(), short);
    format!(
        "{} in all, {}; faults {}, errors {}, throttles {}; p50 {}, p99 {}",
        tally.total,
        per_time(tally, seconds),
        tally.faults,
        tally.errors,
        tally.throttles,
        time(0.5),
        time(0.99)
    )
}

fn edge_label(traffic: &Traffic, seconds: f64) -> String {
    let time = traffic.times.percentile(0.5).map(|time| format!(" · {}", short(time))).unwrap_or_default();
    format!("{}{time}", per_time(&traffic.tally, seconds))
}

/// Returns the rate, per second if there is at least one, else per minute.
pub(crate) fn per_time(tally: &Tally, seconds: f64) -> String {
    let rate = tally.rate(seconds);
    match rate {
        rate if rate >= 9.95 => format!("{rate:.0}/s"),
        rate if rate >= 1.0 => format!("{rate:.1}/s"),
        rate if rate * 60.0 >= 9.95 => format!("{:.0}/min", rate * 60.0),
        rate => format!("{:.1}/min", rate * 60.0),
    }
}

/// Labels placed so far.
#[derive(Default)]
struct Labels(Vec<(Point, f64)>);

impl Labels {
    /// Returns a place on the curve between two points where the label covers no other one, if there is such a place.
    fn place(&mut self, label: &str, from: Point, to: Point) -> Point {
        let characters = u32::try_from(label.chars().count()).unwrap_or(u32::MAX);
        let width = f64::from(characters) * CHARACTER;
        let sign = (to.x - from.x).signum();
        let (left, right) = (from.x + sign * WIDTH / 2.0, to.x - sign * WIDTH / 2.0);
        let at = |t: f64| {
            // The curve's control points are in the middle, so both coordinates are cubic in t.
            let u = 1.0 - t;
            let middle = f64::midpoint(left, right);
            let bend = 3.0 * u * t * (u + t);
            let straight = |a: f64, b: f64| u * u * u * a + t * t * t * b;
            Point {
                x: straight(left, right) + bend * middle,
                y: straight(from.y, to.y) + 3.0 * u * u * t * from.y + 3.0 * u * t * t * to.y - 3.0,
            }
        };
        let free = |point: &Point| {
            self.0.iter().all(|(other, other_width)| {
                (point.y - other.y).abs() >= LINE
                    || (point.x - other.x).abs() >= f64::midpoint(width, *other_width)
            })
        };
        let place = PLACES.into_iter().map(at).find(free).unwrap_or_else(|| at(PLACES[0]));
        self.0.push((place, width));
        place
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service_map::tests::map_of;
    use crate::svg::assert_well_formed;

    fn drawn() -> String {
        let mut map = map_of(&[
            ("ingest/client", "ingest", false),
            ("ingest", "EventBridge/AWS::EventBridge", false),
            ("EventBridge/AWS::EventBridge", "membership", true),
            ("membership", "members <&\"'>/AWS::DynamoDB::Table", false),
            ("membership", "membership", true),
        ]);
        for (key, node) in &mut map.nodes {
            if key.name == "membership" {
                node.tally = Tally { total: 10, ok: 4, errors: 3, throttles: 2, faults: 1 };
            }
        }
        svg(&map, 60.0)
    }

    #[test]
    fn every_edge_and_node_is_drawn_once() {
        let svg = drawn();
        assert_well_formed(&svg);
        assert_eq!(svg.matches("marker-end=").count(), 5);
        assert_eq!(svg.matches("class=\"line dashed\"").count(), 2, "messages are dashed");
        assert_eq!(svg.matches("<circle class=\"ground none\"").count(), 5);
        assert_eq!(svg, drawn(), "the same map is drawn the same");
        assert!(!svg.contains("NaN"), "{svg}");
    }

    #[test]
    fn a_ring_has_an_arc_for_each_way_to_end() {
        let svg = drawn();
        for class in ["fault", "error", "throttle"] {
            assert_eq!(svg.matches(&format!("<circle class=\"{class}\"")).count(), 1, "{class}");
        }
        assert!(
            svg.contains("10 in all, 10/min; faults 1, errors 3, throttles 2; p50 10 ms, p99 10 ms"),
            "{svg}"
        );
    }

    #[test]
    fn labels_avoid_each_other() {
        let mut labels = Labels::default();
        let (from, to) = (Point { x: 0.0, y: 0.0 }, Point { x: 290.0, y: 100.0 });
        let places: Vec<Point> = (0..3).map(|_| labels.place("30/min · 4 ms", from, to)).collect();
        for (number, a) in places.iter().enumerate() {
            assert!(
                places[..number].iter().all(|b| (a.y - b.y).abs() >= LINE || (a.x - b.x).abs() >= 60.0),
                "{places:?}"
            );
        }
    }

    #[test]
    fn a_rate_has_the_unit_that_fits() {
        let rate = |total, seconds| per_time(&Tally { total, ..Tally::default() }, seconds);
        assert_eq!([rate(30, 900.0), rate(900, 900.0), rate(90_000, 900.0)], ["2.0/min", "1.0/s", "100/s"]);
    }
}
