//! Encryption of an event's data with a data key.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom as _, SystemRandom};
use thiserror::Error;
use uuid::Uuid;

use crate::domain::Sealed;

/// The key of one customer, for AES-256-GCM. Each event has a random nonce, which is safe for 2³² events
/// ([NIST SP 800-38D, section 8.3](https://doi.org/10.6028/NIST.SP.800-38D)).
///
/// `Debug` shows its id alone.
pub struct DataKey {
    id: Uuid,
    key: LessSafeKey,
    random: SystemRandom,
}

/// Data that could not be encrypted or decrypted. Neither data nor key is part of it.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum CipherError {
    /// The key does not have 32 bytes.
    #[error("data key has another length than 32 bytes")]
    Length,
    /// The system has no random numbers, or the data is too long.
    #[error("data cannot be encrypted")]
    Seal,
    /// The data is encrypted with another key, or belongs to another event or customer, or was changed.
    #[error("data cannot be decrypted with this key")]
    Open,
}

impl DataKey {
    /// Creates a key of 32 bytes.
    ///
    /// # Errors
    /// [`CipherError::Length`].
    pub fn new(id: Uuid, material: &[u8]) -> Result<Self, CipherError> {
        let key = UnboundKey::new(&AES_256_GCM, material).map_err(|_| CipherError::Length)?;
        Ok(Self { id, key: LessSafeKey::new(key), random: SystemRandom::new() })
    }

    /// Returns the key's id, which is no secret.
    #[must_use]
    pub fn id(&self) -> Uuid {
        self.id
    }

    /// Encrypts data and authenticates `additional` with it.
    ///
    /// # Errors
    /// [`CipherError::Seal`].
    pub fn seal(&self, additional: &[u8], data: &[u8]) -> Result<Sealed, CipherError> {
        let mut nonce = [0; NONCE_LEN];
        self.random.fill(&mut nonce).map_err(|_| CipherError::Seal)?;
        let mut buffer = data.to_vec();
        self.key
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(additional), &mut buffer)
            .map_err(|_| CipherError::Seal)?;
        Ok(Sealed { key_id: self.id, nonce: STANDARD.encode(nonce), ciphertext: STANDARD.encode(buffer) })
    }

    /// Decrypts what [`seal`](Self::seal) returned for the same `additional`.
    ///
    /// # Errors
    /// [`CipherError::Open`].
    pub fn open(&self, additional: &[u8], sealed: &Sealed) -> Result<Vec<u8>, CipherError> {
        let decode = |text: &str| STANDARD.decode(text).map_err(|_| CipherError::Open);
        let nonce =
            Nonce::try_assume_unique_for_key(&decode(&sealed.nonce)?).map_err(|_| CipherError::Open)?;
        let mut buffer = decode(&sealed.ciphertext)?;
        let data = self.key.open_in_place(nonce, Aad::from(additional), &mut buffer);
        Ok(data.map_err(|_| CipherError::Open)?.to_vec())
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DataKey").field("id", &self.id).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> DataKey {
        DataKey::new(Uuid::from_u128(1), &[7; 32]).unwrap()
    }

    #[test]
    fn what_was_sealed_is_opened_with_the_same_key_and_additional_data_alone() {
        let sealed = key().seal(b"123456789012/1", b"Ada Lovelace").unwrap();
        assert_eq!(key().open(b"123456789012/1", &sealed).unwrap(), b"Ada Lovelace");
        assert_eq!(key().open(b"123456789013/1", &sealed), Err(CipherError::Open));
        let other = DataKey::new(Uuid::from_u128(1), &[8; 32]).unwrap();
        assert_eq!(other.open(b"123456789012/1", &sealed), Err(CipherError::Open));
        for broken in [
            Sealed { nonce: "?".into(), ..sealed.clone() },
            Sealed { nonce: "AAAA".into(), ..sealed.clone() },
            Sealed { ciphertext: "AAAA".into(), ..sealed.clone() },
        ] {
            assert_eq!(key().open(b"123456789012/1", &broken), Err(CipherError::Open));
        }
    }

    #[test]
    fn the_same_data_is_encrypted_differently_each_time_and_no_key_is_shown() {
        let (one, other) = (key().seal(b"", b"Ada").unwrap(), key().seal(b"", b"Ada").unwrap());
        assert_ne!(one.nonce, other.nonce);
        assert_ne!(one.ciphertext, other.ciphertext);
        assert_eq!(format!("{:?}", key()), format!("DataKey {{ id: {}, .. }}", Uuid::from_u128(1)));
        assert_eq!(DataKey::new(Uuid::nil(), &[7; 31]).unwrap_err(), CipherError::Length);
    }
}
