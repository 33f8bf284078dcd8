//! The certificate of a pass type and its key.

use std::fmt;

use cms::cert::x509::Certificate;
use der::{DecodePem as _, SecretDocument};
use ring::rand::SystemRandom;
use ring::rsa;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256};

use crate::PassError;

/// Signs passes with the certificate of a pass type, which is issued by an intermediate authority: Apple's "Worldwide
/// Developer Relations", whose certificate a signature contains too.
pub struct Signer {
    pub(crate) certificate: Certificate,
    pub(crate) intermediate: Certificate,
    key: Key,
}

enum Key {
    /// What Apple issues certificates for.
    Rsa(rsa::KeyPair),
    /// What is quickly made for a certificate of one's own.
    EcdsaP256(EcdsaKeyPair),
}

/// The algorithm of a signer's signatures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Algorithm {
    Rsa,
    EcdsaP256,
}

impl Signer {
    /// Reads the certificate, the intermediate authority's, and the key of the certificate, each in PEM. The key is one of
    /// PKCS#8 (`PRIVATE KEY`) or PKCS#1 (`RSA PRIVATE KEY`), not encrypted.
    ///
    /// # Errors
    /// [`PassError`] says which one is wrong, or that key and certificate do not belong together.
    pub fn from_pem(certificate: &str, intermediate: &str, key: &str) -> Result<Self, PassError> {
        let read = |pem: &str, what| Certificate::from_pem(pem).map_err(|_| PassError::Certificate(what));
        let certificate = read(certificate, "certificate")?;
        let intermediate = read(intermediate, "intermediate certificate")?;
        let key = Key::read(key)?;
        let public = certificate.tbs_certificate.subject_public_key_info.subject_public_key.raw_bytes();
        if public != key.public() {
            return Err(PassError::Mismatch);
        }
        Ok(Self { certificate, intermediate, key })
    }

    pub(crate) fn algorithm(&self) -> Algorithm {
        match self.key {
            Key::Rsa(_) => Algorithm::Rsa,
            Key::EcdsaP256(_) => Algorithm::EcdsaP256,
        }
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, PassError> {
        let random = SystemRandom::new();
        let failed = |_| PassError::Sign("the key cannot be used".to_owned());
        match &self.key {
            Key::Rsa(key) => {
                let mut signature = vec![0; key.public().modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).map_err(failed)?;
                Ok(signature)
            }
            Key::EcdsaP256(key) => Ok(key.sign(&random, message).map_err(failed)?.as_ref().to_vec()),
        }
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer")
            .field("subject", &self.certificate.tbs_certificate.subject.to_string())
            .field("algorithm", &self.algorithm())
            .finish_non_exhaustive()
    }
}

impl Key {
    fn read(pem: &str) -> Result<Self, PassError> {
        let (label, document) = SecretDocument::from_pem(pem).map_err(|_| PassError::Key)?;
        let bytes = document.as_bytes();
        match label {
            "RSA PRIVATE KEY" => rsa::KeyPair::from_der(bytes).map(Self::Rsa).map_err(|_| PassError::Key),
            "PRIVATE KEY" => rsa::KeyPair::from_pkcs8(bytes)
                .map(Self::Rsa)
                .or_else(|_| {
                    EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, bytes, &SystemRandom::new())
                        .map(Self::EcdsaP256)
                })
                .map_err(|_| PassError::Key),
            _ => Err(PassError::Key),
        }
    }

    /// Returns the public key as a certificate contains it.
    fn public(&self) -> &[u8] {
        match self {
            Self::Rsa(key) => key.public().as_ref(),
            Self::EcdsaP256(key) => key.public_key().as_ref(),
        }
    }
}
