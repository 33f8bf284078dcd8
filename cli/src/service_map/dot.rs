//! The map for Graphviz (<https://graphviz.org/doc/info/lang.html>).

use std::collections::HashMap;
use std::fmt::Write as _;

use super::ServiceMap;

/// Returns the map as a directed graph. Messages are dashed.
pub(crate) fn dot(map: &ServiceMap) -> String {
    let mut text =
        String::from("digraph \"service map\" {\n  rankdir=LR;\n  node [shape=box, style=rounded];\n");
    let ids: HashMap<_, usize> = map.nodes.keys().zip(0..).collect();
    for (key, id) in map.nodes.keys().zip(0..) {
        let label = [key.title(), key.kind.clone()].map(|line| escaped(&line));
        writeln!(text, "  n{id} [label=\"{}\\n{}\"];", label[0], label[1]).unwrap_or_default();
    }
    for (key, traffic) in &map.edges {
        let (Some(from), Some(to)) = (ids.get(&key.source), ids.get(&key.destination)) else { continue };
        let bad = traffic.tally.faults + traffic.tally.errors + traffic.tally.throttles;
        let style = if key.link { ", style=dashed" } else { "" };
        let colour = if bad > 0 { ", color=red" } else { "" };
        writeln!(text, "  n{from} -> n{to} [label=\"{}\"{style}{colour}];", traffic.tally.total)
            .unwrap_or_default();
    }
    text.push_str("}\n");
    text
}

/// Escapes what ends a quoted string, or begins an escape sequence in it.
fn escaped(text: &str) -> String {
    crate::style::printable(text).replace('\\', "\\\\").replace('"', "\\\"")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service_map::tests::map_of;

    #[test]
    fn every_node_and_edge_is_there_and_messages_are_dashed() {
        let map = map_of(&[("in\"gest\\", "members/AWS::DynamoDB::Table", false), ("a", "in\"gest\\", true)]);
        assert_eq!(
            dot(&map),
            r#"digraph "service map" {
  rankdir=LR;
  node [shape=box, style=rounded];
  n0 [label="a\nAWS::ECS::Fargate"];
  n1 [label="in\"gest\\\nAWS::ECS::Fargate"];
  n2 [label="members\nAWS::DynamoDB::Table"];
  n0 -> n1 [label="1", style=dashed];
  n1 -> n2 [label="1"];
}
"#
        );
    }
}
