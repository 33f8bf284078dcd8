//! Where edges leave and reach a node.

use std::collections::BTreeMap;

use super::point::Point;

/// Edges leave and reach a node over this height, half of it above the centre.
const HEIGHT: f64 = 34.0;
/// Edges at a node are at most this far apart.
const APART: f64 = 11.0;

/// Spreads the ends of edges over the side of the node, by where they come from or go to, so that none hides another.
/// `chains` are the items on the way of each edge from left to right, `routes` their places.
pub(super) fn spread_ports(chains: &[Vec<usize>], routes: &mut [Vec<Point>]) {
    for side in [Side::Left, Side::Right] {
        let mut ends: BTreeMap<usize, Vec<(f64, usize)>> = BTreeMap::new();
        for (edge, (chain, route)) in chains.iter().zip(routes.iter()).enumerate() {
            if let (Some(node), Some(other)) = (side.end(chain), side.next(route)) {
                ends.entry(*node).or_default().push((other.y, edge));
            }
        }
        for edges in ends.values_mut() {
            edges.sort_by(|a, b| a.0.total_cmp(&b.0));
            let gaps = u32::try_from(edges.len().saturating_sub(1)).unwrap_or(u32::MAX);
            let apart = APART.min(HEIGHT / f64::from(gaps.max(1)));
            for ((_, edge), place) in edges.iter().zip(0_u32..) {
                if let Some(end) = side.end_mut(&mut routes[*edge]) {
                    end.y += (f64::from(place) - f64::from(gaps) / 2.0) * apart;
                }
            }
        }
    }
}

/// A side of an edge. Its left end is at the right side of a node.
#[derive(Clone, Copy)]
enum Side {
    Left,
    Right,
}

impl Side {
    fn end<T>(self, way: &[T]) -> Option<&T> {
        match self {
            Self::Left => way.first(),
            Self::Right => way.last(),
        }
    }

    fn end_mut<T>(self, way: &mut [T]) -> Option<&mut T> {
        match self {
            Self::Left => way.first_mut(),
            Self::Right => way.last_mut(),
        }
    }

    /// Returns the place next to the end.
    fn next<T>(self, way: &[T]) -> Option<&T> {
        match self {
            Self::Left => way.get(1),
            Self::Right => way.len().checked_sub(2).and_then(|next| way.get(next)),
        }
    }
}
