//! Wrapping of customers' data keys with a branch key, which KMS wraps in turn.
//!
//! It is the design of AWS's hierarchical keyring
//! (<https://docs.aws.amazon.com/encryption-sdk/latest/developer-guide/use-hierarchical-keyring.html>): a branch key stays in
//! memory for a bounded time, and a key is derived from it for each data key that is wrapped, with a random salt.

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, Salt};
use ring::rand::{SecureRandom as _, SystemRandom};

use crate::data_key::CipherError;

/// What a data key that a branch key has wrapped begins with. No ciphertext of KMS does.
const PREFIX: &[u8] = b"branch:";
/// The length of a branch's name, such as `2026-03`.
const NAME_LEN: usize = 7;
/// As the hierarchical keyring has it.
const SALT_LEN: usize = 16;
/// The length of a data key, for AES-256, and of a branch key.
pub(crate) const KEY_LEN: usize = 32;

/// A key that wraps the data keys made in one month, named like it (`2026-03`).
///
/// Each is wrapped with a key of its own, derived by HKDF-SHA-256 from the branch key, a random salt and the customer, so that
/// any number of them is safe with random nonces.
pub(crate) struct BranchKey {
    name: String,
    material: [u8; KEY_LEN],
    random: SystemRandom,
}

impl BranchKey {
    /// # Errors
    /// [`CipherError::Length`] if the name or the key has another length.
    pub(crate) fn new(name: &str, material: &[u8]) -> Result<Self, CipherError> {
        let material = material.try_into().map_err(|_| CipherError::Length)?;
        if name.len() != NAME_LEN {
            return Err(CipherError::Length);
        }
        Ok(Self { name: name.to_owned(), material, random: SystemRandom::new() })
    }

    /// Makes a data key.
    pub(crate) fn generate(&self) -> Result<[u8; KEY_LEN], CipherError> {
        let mut key = [0; KEY_LEN];
        self.random.fill(&mut key).map_err(|_| CipherError::Seal)?;
        Ok(key)
    }

    /// Wraps the data key of `customer`.
    pub(crate) fn wrap(&self, customer: &str, key: &[u8]) -> Result<Vec<u8>, CipherError> {
        let (mut salt, mut nonce) = ([0; SALT_LEN], [0; NONCE_LEN]);
        self.random.fill(&mut salt).map_err(|_| CipherError::Seal)?;
        self.random.fill(&mut nonce).map_err(|_| CipherError::Seal)?;
        let mut sealed = key.to_vec();
        let additional = Aad::from(customer.as_bytes());
        self.derived(&salt, customer)
            .ok_or(CipherError::Seal)?
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), additional, &mut sealed)
            .map_err(|_| CipherError::Seal)?;
        Ok([PREFIX, self.name.as_bytes(), &salt, &nonce, &sealed].concat())
    }

    /// Unwraps what [`wrap`](Self::wrap) returned for the same customer.
    pub(crate) fn unwrap(&self, customer: &str, wrapped: &[u8]) -> Result<Vec<u8>, CipherError> {
        let open = || {
            let rest = wrapped.strip_prefix(PREFIX)?.strip_prefix(self.name.as_bytes())?;
            let (salt, rest) = rest.split_at_checked(SALT_LEN)?;
            let (nonce, sealed) = rest.split_at_checked(NONCE_LEN)?;
            let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
            let mut sealed = sealed.to_vec();
            let key = self.derived(salt, customer)?.open_in_place(
                nonce,
                Aad::from(customer.as_bytes()),
                &mut sealed,
            );
            Some(key.ok()?.to_vec())
        };
        open().ok_or(CipherError::Open)
    }

    fn derived(&self, salt: &[u8], customer: &str) -> Option<LessSafeKey> {
        let key = Salt::new(HKDF_SHA256, salt).extract(&self.material);
        let info = [customer.as_bytes()];
        let key = key.expand(&info, &AES_256_GCM).ok()?;
        Some(LessSafeKey::new(UnboundKey::from(key)))
    }
}

/// `Debug` shows the name alone.
impl std::fmt::Debug for BranchKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BranchKey").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Returns the name of the branch key that wrapped a data key; `None` if KMS wrapped it itself.
pub(crate) fn branch_of(wrapped: &[u8]) -> Option<&str> {
    let name = wrapped.strip_prefix(PREFIX)?.get(..NAME_LEN)?;
    std::str::from_utf8(name).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn branch(name: &str, byte: u8) -> BranchKey {
        BranchKey::new(name, &[byte; KEY_LEN]).unwrap()
    }

    #[test]
    fn a_data_key_is_unwrapped_for_its_customer_with_its_branch_key_alone() {
        let key = branch("2026-03", 7).generate().unwrap();
        let wrapped = branch("2026-03", 7).wrap("123456789012", &key).unwrap();
        assert_eq!(branch_of(&wrapped), Some("2026-03"));
        assert_eq!(branch("2026-03", 7).unwrap("123456789012", &wrapped).unwrap(), key);
        for (branch, customer) in [
            (branch("2026-03", 7), "123456789013"),
            (branch("2026-03", 8), "123456789012"),
            (branch("2026-04", 7), "123456789012"),
        ] {
            assert_eq!(branch.unwrap(customer, &wrapped), Err(CipherError::Open));
        }
        for broken in [&wrapped[..40], &wrapped[..wrapped.len() - 1], b"branch:2026-03", b""] {
            assert_eq!(branch("2026-03", 7).unwrap("123456789012", broken), Err(CipherError::Open));
        }
    }

    #[test]
    fn no_two_keys_are_the_same_and_none_is_shown() {
        let branch = branch("2026-03", 7);
        let (one, other) = (branch.generate().unwrap(), branch.generate().unwrap());
        assert_ne!(one, other);
        let (one, other) = (branch.wrap("1", &one).unwrap(), branch.wrap("1", &one).unwrap());
        assert_ne!(one[14..30], other[14..30], "the salts");
        assert_eq!(format!("{branch:?}"), r#"BranchKey { name: "2026-03", .. }"#);
        assert_eq!(BranchKey::new("2026-3", &[7; KEY_LEN]).unwrap_err(), CipherError::Length);
    }

    #[test]
    fn what_kms_wrapped_names_no_branch() {
        // A ciphertext of KMS begins with a version and the type of its key.
        assert_eq!(branch_of(&[1, 2, 2, 0, 120]), None);
        assert_eq!(branch_of(b"branch:"), None);
    }
}
