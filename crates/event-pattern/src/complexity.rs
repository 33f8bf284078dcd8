//! How much work a field's wildcards make.
//!
//! AWS refuses a rule if a value exists that more than ten beginnings of the wildcards of one field match at the same
//! time: `a*b` has the beginnings `a`, `a*` and `a*b`, of which `ab` matches the last two (EventBridge user guide,
//! "Complexity of wildcard matching"; Event Ruler, `MachineComplexityEvaluator`).

use std::collections::{BTreeSet, HashSet};

use crate::condition::Condition;
use crate::wildcard::Wildcard;

pub(crate) const TOO_COMPLEX: &str = "Rule is too complex - try using fewer wildcard characters or fewer repeating \
                                      character sequences after a wildcard character";
const MAX_BEGINNINGS: usize = 10;
/// Sets of beginnings to look at. No pattern that AWS accepts was seen to need as many.
const MAX_SETS: usize = 20_000;

/// One wildcard with the quotes that AWS's engine matches too, and a number for each of its beginnings.
struct Path {
    tokens: Vec<Option<u8>>,
    beginnings: Vec<usize>,
}

pub(crate) fn is_too_complex(conditions: &[Condition]) -> bool {
    let paths = paths(conditions);
    let alphabet: BTreeSet<Option<u8>> =
        paths.iter().flat_map(|path| path.tokens.iter().copied().flatten()).map(Some).chain([None]).collect();
    let start: BTreeSet<(usize, usize)> = (0..paths.len()).map(|path| (path, 0)).collect();
    let mut seen = HashSet::new();
    let mut pending = vec![start];
    while let Some(active) = pending.pop() {
        for byte in &alphabet {
            let next = step(&paths, &active, *byte);
            let beginnings: BTreeSet<usize> =
                next.iter().map(|(path, length)| paths[*path].beginnings[*length - 1]).collect();
            if beginnings.len() > MAX_BEGINNINGS || seen.len() > MAX_SETS {
                return true;
            }
            if !next.is_empty() && seen.insert(next.clone()) {
                pending.push(next);
            }
        }
    }
    false
}

/// Returns the beginnings, by path and length, that match what the active ones match with one more byte; `None` stands for
/// any byte that no wildcard names.
fn step(paths: &[Path], active: &BTreeSet<(usize, usize)>, byte: Option<u8>) -> BTreeSet<(usize, usize)> {
    let mut next = BTreeSet::new();
    for &(path, length) in active {
        let tokens = &paths[path].tokens;
        if length > 0 && tokens[length - 1].is_none() {
            next.insert((path, length));
        }
        if byte.is_some() && tokens.get(length) == Some(&byte) {
            next.insert((path, length + 1));
            if tokens.get(length + 1) == Some(&None) {
                next.insert((path, length + 2));
            }
        }
    }
    next
}

fn paths(conditions: &[Condition]) -> Vec<Path> {
    let mut paths = Vec::new();
    let mut count = 0;
    let mut seen: Vec<&[Condition]> = Vec::new();
    for condition in conditions {
        let alternatives = match condition {
            Condition::AnythingBut(alternatives) => alternatives,
            other => std::slice::from_ref(other),
        };
        if seen.contains(&alternatives) {
            continue;
        }
        seen.push(alternatives);
        let mut of_condition: Vec<Path> = Vec::new();
        for alternative in alternatives {
            if let Condition::Wildcard(wildcard) = alternative {
                let path = path(wildcard, &of_condition, &mut count);
                of_condition.push(path);
            }
        }
        paths.append(&mut of_condition);
    }
    paths
}

/// Within one `anything-but`, wildcards share what they have in common up to the first `*`, and the end.
fn path(wildcard: &Wildcard, others: &[Path], count: &mut usize) -> Path {
    let tokens: Vec<_> =
        [Some(b'"')].into_iter().chain(wildcard.tokens().iter().copied()).chain([Some(b'"')]).collect();
    let shared = others
        .iter()
        .map(|other| {
            let same = other.tokens.iter().zip(&tokens).take_while(|(one, other)| one == other).count();
            let star = tokens.iter().position(Option::is_none).map_or(tokens.len(), |star| star + 1);
            (same.min(star), other)
        })
        .max_by_key(|(length, _)| *length);
    let mut beginnings = Vec::with_capacity(tokens.len());
    if let Some((length, other)) = shared {
        beginnings.extend_from_slice(&other.beginnings[..length]);
    }
    while beginnings.len() < tokens.len() {
        *count += 1;
        beginnings.push(*count);
    }
    if let (Some(end), Some(other)) = (beginnings.last_mut(), others.first())
        && let Some(of_other) = other.beginnings.last()
    {
        *end = *of_other;
    }
    Path { tokens, beginnings }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_refused(wildcards: &[&str]) -> bool {
        let conditions: Vec<_> =
            wildcards.iter().map(|text| Condition::Wildcard(Wildcard::read(text).unwrap())).collect();
        is_too_complex(&conditions)
    }

    #[test]
    fn what_follows_many_wildcards_must_not_repeat() {
        assert!(!is_refused(&["arn:aws:events:us-east-1:*:event-bus/*"]));
        assert!(!is_refused(&["/Users/*/dir/dir/dir/dir/dir/doc.txt"]));
        assert!(!is_refused(&["*"]));
        assert!(is_refused(&["*:*:*:*:*:event-bus/*"]));
        assert!(is_refused(&["*aaaaaaaaaaaa"]));
        assert!(!is_refused(&["*aaaaaaaa"]));
    }

    #[test]
    fn the_same_wildcard_counts_once() {
        assert!(is_refused(&["ab*cd", "ab*wx", "ab*yz", "ab*ij", "ab*kl", "ab*mn"]));
        assert!(!is_refused(&["ab*cd"; 9]));
    }

    #[test]
    fn wildcards_of_one_anything_but_share_what_they_have_in_common() {
        let wildcards = ["*/a", "*/b", "*/c", "*/d", "*/e", "*/f"];
        let conditions =
            wildcards.iter().map(|text| Condition::Wildcard(Wildcard::read(text).unwrap())).collect();
        assert!(!is_too_complex(&[Condition::AnythingBut(conditions)]));
        assert!(is_refused(&wildcards));
    }
}
