//! Circles in a graph of files.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::PathBuf;

use super::modules::Imports;

/// Files that import each other, and the shortest path around.
#[derive(Debug)]
pub(super) struct Circle {
    pub(super) files: BTreeSet<PathBuf>,
    /// Steps such as `a.rs imports crate::b::B from b.rs`, until the first file is reached again.
    pub(super) way: Vec<String>,
}

/// Returns the strongly connected components that have more than one file.
pub(super) fn circles(imports: &Imports) -> Vec<Circle> {
    let reached: BTreeMap<_, _> = imports.keys().map(|file| (file, reachable(imports, file))).collect();
    let mut known = BTreeSet::new();
    let mut circles = Vec::new();
    for (&file, from_here) in &reached {
        if !from_here.contains(file) || known.contains(file) {
            continue;
        }
        let files: BTreeSet<_> = from_here
            .iter()
            .filter(|other| reached.get(other).is_some_and(|back| back.contains(file)))
            .cloned()
            .collect();
        known.extend(files.iter().cloned());
        circles.push(Circle { way: shortest(imports, &files), files });
    }
    circles
}

fn reachable(imports: &Imports, from: &PathBuf) -> BTreeSet<PathBuf> {
    let (mut reached, mut next) = (BTreeSet::new(), vec![from]);
    while let Some(file) = next.pop() {
        for other in imports.get(file).into_iter().flat_map(BTreeMap::keys) {
            if reached.insert(other.clone()) {
                next.push(other);
            }
        }
    }
    reached
}

/// Returns the shortest path within these files that ends where it began.
fn shortest(imports: &Imports, files: &BTreeSet<PathBuf>) -> Vec<String> {
    files.iter().filter_map(|file| way_back(imports, files, file)).min_by_key(Vec::len).unwrap_or_default()
}

fn way_back(imports: &Imports, files: &BTreeSet<PathBuf>, start: &PathBuf) -> Option<Vec<String>> {
    let mut ways = VecDeque::from([(start, Vec::new())]);
    let mut seen = BTreeSet::new();
    while let Some((file, way)) = ways.pop_front() {
        for (other, path) in imports.get(file)?.iter().filter(|(other, _)| files.contains(*other)) {
            let mut longer = way.clone();
            longer.push(format!("{} imports {path} from {}", file.display(), other.display()));
            if other == start {
                return Some(longer);
            }
            if seen.insert(other) {
                ways.push_back((other, longer));
            }
        }
    }
    None
}
