//! What the issuer of passes is known by: the certificate of the pass type, its key, and the intermediate certificate.

use std::fmt;

use pkpass::{PassError, Signer};
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use thiserror::Error;

/// The certificate of the pass type in both of its uses: it signs passes, and it is the client's at Apple's push service,
/// which accepts pushes for the passes of this type from nobody else.
pub(crate) struct Identity {
    signer: Signer,
    leaf: String,
    intermediate: String,
    key: String,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("signer", &self.signer).finish_non_exhaustive()
    }
}

/// Why a text is no identity. The message does not quote it.
#[derive(Debug, Error)]
pub(crate) enum InvalidIdentity {
    /// There is too much or too little.
    #[error("expected a key, its certificate and the intermediate certificate in PEM, one after another")]
    Parts,
    /// One of the three is wrong.
    #[error(transparent)]
    Wrong(#[from] PassError),
}

impl Identity {
    /// Reads a key, its certificate and the intermediate certificate, in any order.
    pub(crate) fn read(text: &str) -> Result<Self, InvalidIdentity> {
        let (keys, certificates): (Vec<_>, Vec<_>) =
            blocks(text).into_iter().partition(|block| !block.starts_with("-----BEGIN CERTIFICATE-----"));
        let ([key], [first, second]) = (keys.as_slice(), certificates.as_slice()) else {
            return Err(InvalidIdentity::Parts);
        };
        let (signer, leaf, intermediate) = match Signer::from_pem(first, second, key) {
            Err(PassError::Mismatch) => (Signer::from_pem(second, first, key)?, second, first),
            read => (read?, first, second),
        };
        Ok(Self { signer, leaf: leaf.clone(), intermediate: intermediate.clone(), key: key.clone() })
    }

    /// Returns the chain and the key with which a client of TLS identifies itself.
    pub(crate) fn of_client(
        &self,
    ) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), pem::Error> {
        let certificates =
            [&self.leaf, &self.intermediate].map(|it| CertificateDer::from_pem_slice(it.as_bytes()));
        let chain = certificates.into_iter().collect::<Result<_, _>>()?;
        Ok((chain, PrivateKeyDer::from_pem_slice(self.key.as_bytes())?))
    }

    /// Returns what signs passes.
    pub(crate) fn into_signer(self) -> Signer {
        self.signer
    }
}

/// Splits a text at the beginning of each block of PEM.
fn blocks(text: &str) -> Vec<String> {
    let mut blocks: Vec<String> = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if line.starts_with("-----BEGIN ") {
            blocks.push(String::new());
        }
        if let Some(block) = blocks.last_mut() {
            block.push_str(line);
            block.push('\n');
        }
    }
    blocks
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCAL: &str = service_test::PASS_IDENTITY;

    #[test]
    fn the_parts_come_in_any_order_and_all_are_needed() {
        let [key, leaf, intermediate] = blocks(LOCAL).try_into().unwrap();
        for order in
            [[&key, &leaf, &intermediate], [&intermediate, &key, &leaf], [&leaf, &intermediate, &key]]
        {
            let identity = Identity::read(&order.map(String::as_str).concat()).unwrap();
            assert_eq!((&identity.leaf, &identity.intermediate), (&leaf, &intermediate));
            assert_eq!(identity.of_client().unwrap().0.len(), 2);
            let shown = format!("{identity:?}");
            assert!(!shown.contains(&key[40..60]), "{shown}");
        }
        for parts in
            [vec![], vec![&key, &leaf], vec![&leaf, &intermediate], vec![&key, &key, &leaf, &intermediate]]
        {
            let text: String = parts.into_iter().map(String::as_str).collect();
            assert!(matches!(Identity::read(&text), Err(InvalidIdentity::Parts)));
        }
        let none = [&key, &intermediate, &intermediate].map(String::as_str).concat();
        assert!(matches!(Identity::read(&none), Err(InvalidIdentity::Wrong(PassError::Mismatch))));
    }
}
