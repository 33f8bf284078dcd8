//! How a key encrypts: AES-256-GCM, bound to the encryption context. A ciphertext names its key, as AWS's do.

use std::collections::BTreeMap;

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use uuid::Uuid;

/// The first byte of every ciphertext.
const VERSION: u8 = 1;
const HEAD_BYTES: usize = 1 + 16 + NONCE_LEN;

/// What a ciphertext is bound to, in the order of its keys.
pub(super) type Context = BTreeMap<String, String>;

/// The secret of a key.
pub(super) struct Material(LessSafeKey);

impl std::fmt::Debug for Material {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Material")
    }
}

impl Material {
    /// Returns a new random secret, if the bytes have the length of one.
    pub(super) fn new() -> Option<Self> {
        let secret: [u8; 32] = rand::random();
        UnboundKey::new(&AES_256_GCM, &secret).ok().map(|key| Self(LessSafeKey::new(key)))
    }

    /// Encrypts a text; the result contains the key's id.
    pub(super) fn seal(&self, key: Uuid, context: &Context, plaintext: &[u8]) -> Option<Vec<u8>> {
        let nonce: [u8; NONCE_LEN] = rand::random();
        let mut sealed = plaintext.to_vec();
        let aad = Aad::from(bound_to(context));
        self.0.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), aad, &mut sealed).ok()?;
        let mut ciphertext = vec![VERSION];
        ciphertext.extend_from_slice(key.as_bytes());
        ciphertext.extend_from_slice(&nonce);
        ciphertext.append(&mut sealed);
        Some(ciphertext)
    }

    /// Decrypts a ciphertext, if this key has encrypted it with the same context.
    pub(super) fn open(&self, context: &Context, ciphertext: &[u8]) -> Option<Vec<u8>> {
        let nonce = Nonce::try_assume_unique_for_key(ciphertext.get(17..HEAD_BYTES)?).ok()?;
        let mut sealed = ciphertext.get(HEAD_BYTES..)?.to_vec();
        let opened = self.0.open_in_place(nonce, Aad::from(bound_to(context)), &mut sealed).ok()?;
        Some(opened.to_vec())
    }
}

/// Returns the id of the key that a ciphertext names.
pub(super) fn key_of(ciphertext: &[u8]) -> Option<Uuid> {
    let id = ciphertext.get(1..17).filter(|_| ciphertext.first() == Some(&VERSION))?;
    Uuid::from_slice(id).ok()
}

/// Returns bytes that differ for different contexts.
fn bound_to(context: &Context) -> Vec<u8> {
    serde_json::to_vec(context).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ciphertext_opens_with_its_key_and_context_only() {
        let (material, other) = (Material::new().unwrap(), Material::new().unwrap());
        let id = Uuid::new_v4();
        let context = Context::from([("customer".to_owned(), "1".to_owned())]);
        let ciphertext = material.seal(id, &context, b"secret").unwrap();
        assert_eq!(key_of(&ciphertext), Some(id));
        assert_eq!(material.open(&context, &ciphertext).as_deref(), Some(&b"secret"[..]));
        assert_eq!(other.open(&context, &ciphertext), None);
        assert_eq!(material.open(&Context::new(), &ciphertext), None);
        for length in 0..ciphertext.len() {
            assert_eq!(material.open(&context, &ciphertext[..length]), None);
        }
        assert_eq!(key_of(b"x"), None);
    }
}
