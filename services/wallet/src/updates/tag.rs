//! The tag by which a phone says what it knows.
//!
//! It consists of a digest for each version of a pass that the phone was told of, so a list needs neither a clock nor a
//! counter: what the tag lacks has changed.

use std::collections::BTreeSet;

use ring::digest::{SHA256, digest};

use crate::domain::serial::Serial;
use crate::registrations::MOST;

/// The characters of a version, of which one in a million million million is that of another.
const CHARACTERS: usize = 16;

/// The version of a pass, as a tag names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version(String);

impl Version {
    pub(super) fn of(serial: Serial, etag: &str) -> Self {
        let digest = digest(&SHA256, format!("{serial} {etag}").as_bytes());
        Self(hex::encode(&digest.as_ref()[..CHARACTERS / 2]))
    }
}

/// Returns the tag for these versions.
pub(super) fn write(versions: &BTreeSet<Version>) -> String {
    versions.iter().map(|version| version.0.as_str()).collect()
}

/// Reads a tag. What is none of ours names nothing, so that the phone gets everything.
pub(super) fn read(tag: &str) -> BTreeSet<Version> {
    let is_ours = tag.len() <= CHARACTERS * MOST && tag.bytes().all(|byte| byte.is_ascii_hexdigit());
    let chunks = tag.as_bytes().chunks_exact(CHARACTERS).filter(|_| is_ours);
    chunks.filter_map(|chunk| Some(Version(std::str::from_utf8(chunk).ok()?.to_owned()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_names_the_versions_it_was_made_of() {
        let serial = |number: &str| Serial::of(&number.parse().unwrap());
        let version = |number, etag| Version::of(serial(number), etag);
        let versions = BTreeSet::from([version("123456789012", "\"a\""), version("123456789013", "\"a\"")]);
        let known = read(&write(&versions));
        assert_eq!(known, versions);
        assert!(!known.contains(&version("123456789012", "\"b\"")));
        for other in ["", "1711234567", "ä", &"x".repeat(16), &"0".repeat(16 * 21)] {
            assert!(read(other).is_empty(), "{other}");
        }
    }
}
