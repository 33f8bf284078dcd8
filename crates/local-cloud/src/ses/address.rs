//! Addresses, as SES parses them. Its words for what is wrong with one are those of the Java mail library.

const MAX_LOCAL: usize = 64;
const MAX_ADDRESS: usize = 320;
/// The characters with a meaning in RFC 5322, without the dot.
const SPECIALS: &str = "()<>,;:\\\"[]@";

/// Returns `a@b` for `Name <a@b>`: identities are addresses without a name.
pub(crate) fn bare_address(address: &str) -> &str {
    match address.rsplit_once('<') {
        Some((_, rest)) => rest.trim_end().trim_end_matches('>'),
        None => address.trim(),
    }
}

/// Returns the part of an address behind the last `@`.
pub(super) fn domain(address: &str) -> Option<&str> {
    address.rsplit_once('@').map(|(_, domain)| domain)
}

/// Checks an address, which may have a name in front. The error has SES's words, without the address.
pub(super) fn check(address: &str) -> Result<(), &'static str> {
    if address.contains(['\r', '\n']) {
        return Err("Illegal address");
    }
    let trimmed = address.trim();
    let bare = match trimmed.rsplit_once('<') {
        Some((_, rest)) => rest.strip_suffix('>').ok_or("Missing '>'")?,
        None => trimmed,
    };
    check_bare(bare)
}

/// Checks an address without a name.
pub(super) fn check_bare(address: &str) -> Result<(), &'static str> {
    if address.is_empty() {
        return Err("Empty address");
    }
    let quoted = address.starts_with('"');
    let (local, domain) = if quoted { address.rsplit_once('@') } else { address.split_once('@') }
        .map_or((address, None), |(local, domain)| (local, Some(domain)));
    check_local(local, quoted)?;
    check_domain(domain.ok_or("Missing final '@domain'")?)?;
    // SES developer guide, "Amazon SES quotas": 64 characters before the @, 255 after it.
    if local.len() > MAX_LOCAL || address.len() > MAX_ADDRESS {
        Err("Local address too long")
    } else {
        Ok(())
    }
}

fn check_local(local: &str, quoted: bool) -> Result<(), &'static str> {
    if local.is_empty() {
        return Err("Missing local name");
    }
    if local.contains(|c: char| c.is_control() || c == ' ' && !quoted) {
        return Err("Local address contains control or whitespace");
    }
    if quoted {
        return if local.len() > 1 && local.ends_with('"') { Ok(()) } else { Err("Unterminated quote") };
    }
    if local.starts_with('.') {
        return Err("Local address starts with dot");
    }
    if local.ends_with('.') {
        return Err("Local address ends with dot");
    }
    if local.contains("..") {
        return Err("Local address contains dot-dot");
    }
    // SES does not support SMTPUTF8: the local part is 7-bit ASCII (API reference, `Destination`).
    if local.contains(|c: char| SPECIALS.contains(c) || !c.is_ascii()) {
        return Err("Local address contains illegal character");
    }
    Ok(())
}

/// Checks a domain, which SES takes in Punycode if it has other characters than ASCII (API reference, `Destination`).
pub(super) fn check_domain(domain: &str) -> Result<(), &'static str> {
    if domain.is_empty() {
        return Err("Missing domain");
    }
    if domain.contains(|c: char| c.is_control() || c == ' ') {
        return Err("Domain contains control or whitespace");
    }
    if domain.starts_with('.') {
        return Err("Domain starts with dot");
    }
    if domain.ends_with('.') {
        return Err("Domain ends with dot");
    }
    if domain.contains("..") {
        return Err("Domain contains dot-dot");
    }
    if domain.contains(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '.')) {
        return Err("Domain contains illegal character");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_found_behind_the_name() {
        assert_eq!(bare_address("Shop <a@b.example>"), "a@b.example");
        assert_eq!(bare_address(" a@b.example"), "a@b.example");
        assert_eq!(domain("a@b.example"), Some("b.example"));
    }

    #[test]
    fn valid_addresses() {
        for address in [
            "a@b.example",
            "Zoë <zoe+x@b.example>",
            " a@b.example ",
            "\"a b\"@b.example",
            "a@xn--bcher-kva.example",
        ] {
            assert_eq!(check(address), Ok(()), "{address}");
        }
        assert_eq!(check(&format!("{}@b.example", "a".repeat(64))), Ok(()));
    }

    #[test]
    fn invalid_addresses_are_refused_in_ses_words() {
        for (address, reason) in [
            ("", "Empty address"),
            ("zoe", "Missing final '@domain'"),
            ("@b.example", "Missing local name"),
            ("a@", "Missing domain"),
            ("a b@c.example", "Local address contains control or whitespace"),
            ("Zoe zoe@c.example", "Local address contains control or whitespace"),
            ("zoë@b.example", "Local address contains illegal character"),
            ("a,b@c.example", "Local address contains illegal character"),
            (".a@b.example", "Local address starts with dot"),
            ("a.@b.example", "Local address ends with dot"),
            ("a..b@c.example", "Local address contains dot-dot"),
            ("a@b c.example", "Domain contains control or whitespace"),
            ("a@bücher.example", "Domain contains illegal character"),
            ("a@b@c.example", "Domain contains illegal character"),
            ("a@b.example, c@d.example", "Domain contains control or whitespace"),
            ("a@.example", "Domain starts with dot"),
            ("a@b.example.", "Domain ends with dot"),
            ("a@b..example", "Domain contains dot-dot"),
            ("Zoe <a@b.example", "Missing '>'"),
            ("Zoe\r\nBcc: x <a@b.example>", "Illegal address"),
        ] {
            assert_eq!(check(address), Err(reason), "{address}");
        }
        assert!(check(&format!("{}@b.example", "a".repeat(65))).is_err());
    }
}
