//! Which names buckets may have (Amazon S3 user guide, "General purpose bucket naming rules").

use std::net::Ipv4Addr;

const RESERVED_PREFIXES: [&str; 4] = ["xn--", "sthree-", "amzn-s3-demo-", "sthree-configurator"];
const RESERVED_SUFFIXES: [&str; 5] = ["-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"];

pub(super) fn is_valid(name: &str) -> bool {
    let edge =
        |character: Option<char>| character.is_some_and(|it| it.is_ascii_lowercase() || it.is_ascii_digit());
    (3..=63).contains(&name.len())
        && name.chars().all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || matches!(it, '-' | '.'))
        && edge(name.chars().next())
        && edge(name.chars().last())
        && !name.contains("..")
        && name.parse::<Ipv4Addr>().is_err()
        && !RESERVED_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
        && !RESERVED_SUFFIXES.iter().any(|suffix| name.ends_with(suffix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_rules() {
        for name in ["abc", "foostore-dev-event-archive-000000000000-eu-central-1", "a.b-c", "1-2"] {
            assert!(is_valid(name), "{name}");
        }
        let long = "a".repeat(64);
        for name in [
            "ab",
            &long,
            "Abc",
            "a_b",
            "-ab",
            "ab-",
            ".ab",
            "a..b",
            "192.168.5.4",
            "xn--a",
            "a-s3alias",
            "ä12",
        ] {
            assert!(!is_valid(name), "{name}");
        }
    }
}
