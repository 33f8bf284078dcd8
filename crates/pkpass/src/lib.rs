//! Apple's wallet passes: a pass is a zip file with `pass.json`, images and strings, a manifest of their digests, and a
//! signature of the manifest
//! ([Creating the source for a pass](https://developer.apple.com/documentation/walletpasses/creating-the-source-for-a-pass),
//! [Building a pass](https://developer.apple.com/documentation/walletpasses/building-a-pass)).
//!
//! The same files and the same time of signing give the same bytes as long as the key is one of RSA, so that an unchanged
//! pass can be recognised.
//!
//! ```
//! use pkpass::Package;
//!
//! let mut package = Package::new(r#"{"formatVersion": 1}"#.into());
//! package.file("icon.png", vec![0x89, 0x50, 0x4e, 0x47])?;
//! package.file("de.lproj/pass.strings", "\"tier\" = \"Status\";\n".into())?;
//! // With a certificate from Apple: let bytes = package.sign(&signer, jiff::Timestamp::now())?;
//! assert_eq!(package.manifest()["pass.json"], "e64a44d70caf88d3aa2be97d2ef8d703f8be333a");
//! # Ok::<(), pkpass::PassError>(())
//! ```

mod package;
mod signature;
mod signer;

use thiserror::Error;

pub use package::{Package, pass_in};
pub use signer::Signer;

/// Why a pass cannot be built. No message quotes a key.
#[derive(Debug, Error)]
pub enum PassError {
    /// A file would be taken for one that the package adds itself, or its name is no path within the package.
    #[error("{0} cannot be the name of a file in a pass")]
    Name(String),
    /// The certificate, or the intermediate one, is not a certificate in PEM.
    #[error("{0} is not a certificate in PEM")]
    Certificate(&'static str),
    /// The key is not one in PEM that passes can be signed with.
    #[error("key is not an RSA or P-256 key in PEM")]
    Key,
    /// The certificate is for another key.
    #[error("key does not belong to the certificate")]
    Mismatch,
    /// The manifest cannot be signed.
    #[error("manifest cannot be signed: {0}")]
    Sign(String),
    /// The zip file cannot be written, or read.
    #[error("package cannot be written or read")]
    Zip(#[from] zip::result::ZipError),
    /// The zip file cannot be written, or read.
    #[error("package cannot be written or read")]
    Write(#[from] std::io::Error),
}

impl From<der::Error> for PassError {
    fn from(error: der::Error) -> Self {
        Self::Sign(error.to_string())
    }
}
