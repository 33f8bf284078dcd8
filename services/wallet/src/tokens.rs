//! The tokens that phones show.

use std::str::FromStr;

use ring::hmac::{self, HMAC_SHA256, Key};
use thiserror::Error;

use crate::domain::serial::Serial;

/// The fewest characters of a secret: as many as a key of HMAC-SHA256 should have bytes.
const LEAST: usize = 32;

/// Derives and checks the authentication tokens of passes. A token is a function of the serial and a secret, so none is
/// stored beside the pass that shows it.
#[derive(Clone, Debug)]
pub(crate) struct Tokens {
    /// New passes get their tokens from the first. `Debug` of a key shows the algorithm alone.
    keys: Vec<Key>,
}

/// Why a text is no secret. The message does not quote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("expected at least {LEAST} characters, or several such secrets separated by commas")]
pub(crate) struct InvalidSecret;

impl Tokens {
    /// Returns the token for a new pass.
    pub(crate) fn issue(&self, serial: Serial) -> String {
        let tag = self.keys.first().map(|key| hmac::sign(key, serial.to_string().as_bytes()));
        tag.map(hex::encode).unwrap_or_default()
    }

    /// Whether `token` is that of the pass, by any of the secrets. Takes the same time whatever is wrong with it.
    pub(crate) fn accept(&self, serial: Serial, token: &str) -> bool {
        let Ok(tag) = hex::decode(token) else { return false };
        let serial = serial.to_string();
        self.keys.iter().any(|key| hmac::verify(key, serial.as_bytes(), &tag).is_ok())
    }
}

impl FromStr for Tokens {
    type Err = InvalidSecret;

    fn from_str(text: &str) -> Result<Self, InvalidSecret> {
        let key = |secret: &str| {
            let secret = secret.trim();
            (secret.len() >= LEAST).then(|| Key::new(HMAC_SHA256, secret.as_bytes())).ok_or(InvalidSecret)
        };
        Ok(Self { keys: text.split(',').map(key).collect::<Result<_, _>>()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "0123456789abcdef0123456789abcdef";
    const NEW: &str = "fedcba9876543210fedcba9876543210";

    #[test]
    fn a_token_is_good_for_its_pass_and_for_any_current_secret() {
        let serial = |number: &str| Serial::of(&number.parse().unwrap());
        let (own, other) = (serial("123456789012"), serial("123456789013"));
        let old: Tokens = OLD.parse().unwrap();
        let token = old.issue(own);
        assert!(token.len() >= 16 && token != old.issue(other));
        assert!(old.accept(own, &token) && !old.accept(other, &token));
        for wrong in ["", "00", &token[2..], &token.replace(&token[..1], "g")] {
            assert!(!old.accept(own, wrong), "{wrong}");
        }
        let both: Tokens = format!("{NEW}, {OLD}").parse().unwrap();
        assert!(both.accept(own, &token) && both.accept(own, &both.issue(own)));
        let new: Tokens = NEW.parse().unwrap();
        assert_eq!(new.issue(own), both.issue(own));
        assert!(!new.accept(own, &token));
        assert!(!format!("{both:?}").contains("0123"));
    }

    #[test]
    fn a_short_secret_is_refused() {
        for wrong in ["", "short", &format!("{OLD},"), &OLD[1..]] {
            assert_eq!(wrong.parse::<Tokens>().unwrap_err(), InvalidSecret);
        }
    }
}
