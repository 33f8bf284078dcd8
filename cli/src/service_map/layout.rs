//! Places a graph in columns, callers left of what they call.
//!
//! The usual steps of layered drawing, in their simplest form: turn around edges that close a circle; put each node one
//! column right of the last of its callers; let an edge over several columns take a place in each of them, so that it
//! passes between nodes rather than under them; sort each column by where its neighbours are; move nodes towards their
//! neighbours as far as the order and the distances allow. Deterministic: the same graph is drawn the same.

use std::collections::BTreeMap;

use super::point::Point;
use super::ports::spread_ports;

/// Columns are this far apart, in pixels, from centre to centre.
pub(super) const COLUMN: f64 = 290.0;
/// The width of what is in a column.
pub(super) const WIDTH: f64 = 170.0;
/// The height of a node with its text, and the distance of its centre from its top.
const NODE_HEIGHT: f64 = 112.0;
pub(super) const NODE_TOP: f64 = 42.0;
/// The height that an edge takes where it passes a column.
const EDGE_HEIGHT: f64 = 30.0;
/// The margin around everything.
const MARGIN: f64 = 16.0;
/// How often columns are sorted and moved, alternately from the left and from the right.
const SWEEPS: usize = 12;

/// Where everything is.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Layout {
    pub(super) width: f64,
    pub(super) height: f64,
    /// The centre of each node.
    pub(super) nodes: Vec<Point>,
    /// For each edge, where it leaves its source, where it passes columns, and where it reaches its destination. An edge
    /// from a node to itself has none.
    pub(super) edges: Vec<Vec<Point>>,
}

/// What takes a place in a column: a node, or an edge on its way.
#[derive(Clone, Debug)]
struct Item {
    above: f64,
    below: f64,
    /// Items in the column before, and in the column after.
    neighbours: [Vec<usize>; 2],
}

/// Places `nodes` nodes with these edges. Nodes that come first are placed further left if there is a choice.
pub(super) fn layout(nodes: usize, edges: &[(usize, usize)]) -> Layout {
    let forward: Vec<(usize, usize)> = turned(nodes, edges);
    let column_of = columns(nodes, &forward);
    let mut items: Vec<Item> = (0..nodes).map(|_| Item::new(NODE_TOP, NODE_HEIGHT - NODE_TOP)).collect();
    let mut columns: Vec<Vec<usize>> = vec![Vec::new(); column_of.iter().max().map_or(0, |last| last + 1)];
    for (node, column) in column_of.iter().enumerate() {
        columns[*column].push(node);
    }
    let chains: Vec<Vec<usize>> = forward
        .iter()
        .map(|&(source, destination)| chain(source, destination, &column_of, &mut items, &mut columns))
        .collect();
    sort(&mut columns, &items);
    let y = place(&columns, &items);

    let x_of: BTreeMap<usize, f64> = columns
        .iter()
        .zip(0_u16..)
        .flat_map(|(column, number)| column.iter().map(move |item| (*item, f64::from(number))))
        .map(|(item, number)| (item, MARGIN + WIDTH / 2.0 + number * COLUMN))
        .collect();
    let point = |item: &usize| Point { x: x_of.get(item).copied().unwrap_or_default(), y: y[*item] };
    let mut routes: Vec<Vec<Point>> = chains.iter().map(|chain| chain.iter().map(point).collect()).collect();
    spread_ports(&chains, &mut routes);
    for ((route, &(source, _)), forward) in routes.iter_mut().zip(edges).zip(&forward) {
        if source != forward.0 {
            route.reverse();
        }
    }
    let bottom = items.iter().zip(&y).map(|(item, y)| y + item.below).fold(0.0, f64::max);
    let right = x_of.values().map(|x| x + WIDTH / 2.0).fold(0.0, f64::max);
    Layout {
        width: right + MARGIN,
        height: bottom + MARGIN,
        nodes: (0..nodes).map(|node| point(&node)).collect(),
        edges: routes,
    }
}

impl Item {
    fn new(above: f64, below: f64) -> Self {
        Self { above, below, neighbours: [Vec::new(), Vec::new()] }
    }
}

/// Returns the edges, those turned around that would close a circle.
fn turned(nodes: usize, edges: &[(usize, usize)]) -> Vec<(usize, usize)> {
    #[derive(Clone, Copy, PartialEq)]
    enum Seen {
        Never,
        OnTheWay,
        Done,
    }
    let mut turned = edges.to_vec();
    let mut seen = vec![Seen::Never; nodes];
    let mut called = vec![false; nodes];
    let mut from: Vec<Vec<usize>> = vec![Vec::new(); nodes];
    for (number, &(source, destination)) in edges.iter().enumerate().filter(|(_, edge)| edge.0 != edge.1) {
        from[source].push(number);
        called[destination] = true;
    }
    // Depth first, from entry points first; without recursion, since a chain of services may be long.
    let (inner, entries): (Vec<usize>, Vec<usize>) = (0..nodes).partition(|node| called[*node]);
    for start in entries.into_iter().chain(inner) {
        let mut way = vec![(start, 0)];
        while let Some((node, next)) = way.last_mut() {
            let node = *node;
            if *next == 0 {
                if seen[node] == Seen::Done {
                    way.pop();
                    continue;
                }
                seen[node] = Seen::OnTheWay;
            }
            let Some(&edge) = from[node].get(*next) else {
                seen[node] = Seen::Done;
                way.pop();
                continue;
            };
            *next += 1;
            let destination = edges[edge].1;
            match seen[destination] {
                Seen::OnTheWay => turned[edge] = (destination, node),
                Seen::Never => way.push((destination, 0)),
                Seen::Done => {}
            }
        }
    }
    turned
}

/// Returns the column of each node: one more than the last of its callers', or, if it has none, one less than the first of
/// those it calls.
fn columns(nodes: usize, edges: &[(usize, usize)]) -> Vec<usize> {
    let mut column = vec![0; nodes];
    let mut waiting = vec![0_usize; nodes];
    let mut called = vec![false; nodes];
    let mut from: Vec<Vec<usize>> = vec![Vec::new(); nodes];
    for &(source, destination) in edges.iter().filter(|edge| edge.0 != edge.1) {
        from[source].push(destination);
        waiting[destination] += 1;
        called[destination] = true;
    }
    let mut ready: Vec<usize> = (0..nodes).filter(|node| waiting[*node] == 0).collect();
    while let Some(node) = ready.pop() {
        for &next in &from[node] {
            column[next] = column[next].max(column[node] + 1);
            waiting[next] -= 1;
            if waiting[next] == 0 {
                ready.push(next);
            }
        }
    }
    for node in (0..nodes).filter(|node| !called[*node]) {
        let first = from[node].iter().map(|next| column[*next]).min();
        column[node] = first.map_or(0, |first| first - 1);
    }
    column
}

/// Adds what an edge takes in the columns between its ends, and returns all items on its way.
fn chain(
    source: usize,
    destination: usize,
    column_of: &[usize],
    items: &mut Vec<Item>,
    columns: &mut [Vec<usize>],
) -> Vec<usize> {
    if source == destination {
        return Vec::new();
    }
    let mut chain = vec![source];
    for column in &mut columns[column_of[source] + 1..column_of[destination]] {
        column.push(items.len());
        chain.push(items.len());
        items.push(Item::new(EDGE_HEIGHT / 2.0, EDGE_HEIGHT / 2.0));
    }
    chain.push(destination);
    for pair in chain.windows(2) {
        items[pair[0]].neighbours[1].push(pair[1]);
        items[pair[1]].neighbours[0].push(pair[0]);
    }
    chain
}

/// Sorts each column by the mean place of the neighbours in the column before, or after, alternately.
fn sort(columns: &mut [Vec<usize>], items: &[Item]) {
    let mut rank = vec![0.0; items.len()];
    let number = |column: &[usize], rank: &mut [f64]| {
        for (&item, place) in column.iter().zip(0_u32..) {
            rank[item] = f64::from(place);
        }
    };
    for column in columns.iter() {
        number(column, &mut rank);
    }
    for sweep in 0..SWEEPS {
        for index in in_turn(columns.len(), sweep) {
            let column = &mut columns[index];
            let wanted = |item: usize| mean(&items[item].neighbours[sweep % 2], &rank).unwrap_or(rank[item]);
            let mut keyed: Vec<(f64, usize)> = column.iter().map(|item| (wanted(*item), *item)).collect();
            keyed.sort_by(|a, b| a.0.total_cmp(&b.0));
            *column = keyed.into_iter().map(|(_, item)| item).collect();
            number(column, &mut rank);
        }
    }
}

/// Returns how far down the centre of each item is.
fn place(columns: &[Vec<usize>], items: &[Item]) -> Vec<f64> {
    let mut y = vec![0.0; items.len()];
    for column in columns {
        settle(column, items, &mut y, |_, y| y);
    }
    for sweep in 0..SWEEPS {
        for index in in_turn(columns.len(), sweep) {
            let before = y.clone();
            settle(&columns[index], items, &mut y, |item, own| {
                // In the last sweeps both sides count, so that an item does not merely follow one of them.
                let sides = &items[item].neighbours;
                let both: Vec<usize> = sides.iter().flatten().copied().collect();
                let side = if sweep + 4 < SWEEPS { &sides[sweep % 2] } else { &both };
                mean(side, &before).unwrap_or(own)
            });
        }
    }
    let top = items.iter().zip(&y).map(|(item, y)| y - item.above).fold(f64::INFINITY, f64::min);
    y.iter().map(|y| y - top + MARGIN).collect()
}

/// Moves the items of a column as close as possible to where they want to be, in their order and without overlap.
///
/// Less the room that the items above need, the wanted places must not decrease; items whose places do share the mean of
/// them (pool adjacent violators), which keeps the sum of the squared distances smallest.
fn settle(column: &[usize], items: &[Item], y: &mut [f64], wanted: impl Fn(usize, f64) -> f64) {
    let mut room = 0.0;
    let mut rooms = Vec::with_capacity(column.len());
    for &item in column {
        rooms.push(room + items[item].above);
        room += items[item].above + items[item].below;
    }
    let mut pools: Vec<(f64, u32)> = Vec::new();
    for (&item, room) in column.iter().zip(&rooms) {
        let mut pool = (wanted(item, y[item]) - room, 1);
        while let Some(&(value, count)) = pools.last().filter(|last| last.0 > pool.0) {
            let all = count + pool.1;
            pool = ((value * f64::from(count) + pool.0 * f64::from(pool.1)) / f64::from(all), all);
            pools.pop();
        }
        pools.push(pool);
    }
    let values = pools.iter().flat_map(|(value, count)| (0..*count).map(move |_| *value));
    for ((&item, room), value) in column.iter().zip(&rooms).zip(values) {
        y[item] = value + room;
    }
}

/// Iterates over columns from the left in even sweeps, and from the right in odd ones.
fn in_turn(columns: usize, sweep: usize) -> Box<dyn Iterator<Item = usize>> {
    if sweep.is_multiple_of(2) { Box::new(0..columns) } else { Box::new((0..columns).rev()) }
}

fn mean(items: &[usize], of: &[f64]) -> Option<f64> {
    let count = u32::try_from(items.len()).ok().filter(|count| *count > 0)?;
    Some(items.iter().map(|item| of[*item]).sum::<f64>() / f64::from(count))
}

#[cfg(test)]
mod tests {
    use rand::rngs::StdRng;
    use rand::{RngExt as _, SeedableRng as _};

    use super::*;

    fn random(seed: u64) -> (usize, Vec<(usize, usize)>) {
        let mut random = StdRng::seed_from_u64(seed);
        let nodes = random.random_range(1..25);
        let edges = random.random_range(0..40);
        let edges = (0..edges).map(|_| (random.random_range(0..nodes), random.random_range(0..nodes)));
        (nodes, edges.collect())
    }

    /// Asserts what every drawing must hold.
    fn check(nodes: usize, edges: &[(usize, usize)]) -> Layout {
        let layout = layout(nodes, edges);
        assert_eq!((layout.nodes.len(), layout.edges.len()), (nodes, edges.len()));
        for (number, a) in layout.nodes.iter().enumerate() {
            assert!(
                a.x >= MARGIN + WIDTH / 2.0 && a.x + WIDTH / 2.0 + MARGIN <= layout.width + 0.01,
                "{a:?}"
            );
            assert!(
                a.y - NODE_TOP >= MARGIN - 0.01 && a.y - NODE_TOP + NODE_HEIGHT <= layout.height,
                "{a:?}"
            );
            for b in &layout.nodes[..number] {
                let apart = (a.x - b.x).abs() >= WIDTH || (a.y - b.y).abs() >= NODE_HEIGHT - 0.01;
                assert!(apart, "{a:?} overlaps {b:?}");
            }
        }
        for (route, &(source, destination)) in layout.edges.iter().zip(edges) {
            if source == destination {
                assert!(route.is_empty());
                continue;
            }
            let (first, last) = (route.first().unwrap(), route.last().unwrap());
            let (from, to) = (layout.nodes[source], layout.nodes[destination]);
            assert!((first.x - from.x).abs() < 0.01 && (last.x - to.x).abs() < 0.01, "it ends at its nodes");
            assert!((first.y - from.y).abs() < NODE_TOP && (last.y - to.y).abs() < NODE_TOP);
            for pass in &route[1..route.len() - 1] {
                let clear = |node: &Point| {
                    (node.x - pass.x).abs() > 1.0
                        || pass.y + EDGE_HEIGHT / 2.0 <= node.y - NODE_TOP + 0.01
                        || pass.y - EDGE_HEIGHT / 2.0 >= node.y - NODE_TOP + NODE_HEIGHT - 0.01
                };
                assert!(layout.nodes.iter().all(clear), "{pass:?} is under a node");
            }
            let steps: Vec<f64> = route.windows(2).map(|pair| pair[1].x - pair[0].x).collect();
            let way = steps[0].signum() * COLUMN;
            assert!(steps.iter().all(|step| (step - way).abs() < 0.01), "{steps:?}");
        }
        layout
    }

    #[test]
    fn nothing_overlaps_and_every_edge_is_drawn() {
        for seed in 0..400 {
            let (nodes, edges) = random(seed);
            let drawn = check(nodes, &edges);
            assert_eq!(drawn, layout(nodes, &edges), "the same graph is drawn the same");
        }
    }

    #[test]
    fn a_chain_is_a_straight_line() {
        let layout = check(4, &[(0, 1), (1, 2), (2, 3)]);
        assert!(layout.nodes.iter().all(|node| (node.y - layout.nodes[0].y).abs() < 0.01), "{layout:?}");
        let x: Vec<f64> = layout.nodes.iter().map(|node| node.x).collect();
        assert!(x.is_sorted() && x[3] > x[0]);
    }

    #[test]
    fn edges_between_the_same_nodes_do_not_hide_each_other() {
        let layout = check(2, &[(0, 1), (0, 1), (1, 0)]);
        let ways: std::collections::BTreeSet<String> = layout
            .edges
            .iter()
            .map(|route| {
                let mut points: Vec<String> = route.iter().map(|point| format!("{point:?}")).collect();
                points.sort();
                points.join(" ")
            })
            .collect();
        assert_eq!(ways.len(), 3, "{layout:?}");
    }

    #[test]
    fn long_chains_and_nothing_at_all_can_be_drawn() {
        let edges: Vec<_> = (0..2000).map(|node| (node, node + 1)).collect();
        check(1, &[(0, 0)]);
        assert_eq!(layout(2001, &edges).nodes.len(), 2001);
        assert_eq!(layout(0, &[]).nodes, []);
    }
}
