//! The files of a pass, their manifest, and the zip file.

use std::collections::BTreeMap;
use std::io::{Cursor, Read as _, Write as _};

use jiff::Timestamp;
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipArchive, ZipWriter};

use crate::{PassError, Signer, signature};

const PASS: &str = "pass.json";
const MANIFEST: &str = "manifest.json";
const SIGNATURE: &str = "signature";

/// The files of a pass.
#[derive(Clone, Debug)]
pub struct Package {
    files: BTreeMap<String, Vec<u8>>,
}

impl Package {
    /// Creates a package with `pass.json`.
    #[must_use]
    pub fn new(pass: Vec<u8>) -> Self {
        Self { files: BTreeMap::from([(PASS.to_owned(), pass)]) }
    }

    /// Adds a file, such as `icon.png` or `de.lproj/pass.strings`.
    ///
    /// # Errors
    /// [`PassError::Name`] for a name that is taken, or no relative path.
    pub fn file(&mut self, name: &str, content: Vec<u8>) -> Result<(), PassError> {
        let part_is_fine = |part: &str| !part.is_empty() && part != "." && part != "..";
        let taken = self.files.contains_key(name) || [MANIFEST, SIGNATURE].contains(&name);
        if taken || name.contains('\\') || !name.split('/').all(part_is_fine) {
            return Err(PassError::Name(name.to_owned()));
        }
        self.files.insert(name.to_owned(), content);
        Ok(())
    }

    /// Returns the digest of each file, as the manifest lists it: SHA-1 in hexadecimal, which is what Wallet reads.
    #[must_use]
    pub fn manifest(&self) -> BTreeMap<&str, String> {
        let of = |content: &[u8]| hex::encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, content));
        self.files.iter().map(|(name, content)| (name.as_str(), of(content))).collect()
    }

    /// Signs the pass at `signing_time` and returns the zip file, with the media type
    /// `application/vnd.apple.pkpass`.
    ///
    /// # Errors
    /// [`PassError`] if the manifest cannot be signed or the file not be written.
    pub fn sign(&self, signer: &Signer, signing_time: Timestamp) -> Result<Vec<u8>, PassError> {
        let manifest = serde_json::to_vec(&self.manifest()).map_err(std::io::Error::from)?;
        let signature = signature::of(&manifest, signer, signing_time)?;
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        // Images are compressed already; without compression and times, the same content gives the same bytes.
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Stored)
            .last_modified_time(DateTime::default());
        let own = [(MANIFEST, &manifest), (SIGNATURE, &signature)];
        for (name, content) in self.files.iter().map(|(name, content)| (name.as_str(), content)).chain(own) {
            zip.start_file(name, options)?;
            zip.write_all(content)?;
        }
        Ok(zip.finish()?.into_inner())
    }
}

/// Reads `pass.json` from the zip file of a pass that this crate has written. The signature is not verified.
///
/// Files in a package are not compressed, so it is never larger than `zip`.
///
/// # Errors
/// [`PassError`] if it is no zip file with uncompressed files, or has no `pass.json`.
pub fn pass_in(zip: &[u8]) -> Result<Vec<u8>, PassError> {
    let mut archive = ZipArchive::new(Cursor::new(zip))?;
    let mut pass = Vec::new();
    archive.by_name(PASS)?.read_to_end(&mut pass)?;
    Ok(pass)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_relative_path_and_not_taken() {
        let mut package = Package::new(Vec::new());
        for right in ["icon.png", "icon@2x.png", "de.lproj/pass.strings"] {
            package.file(right, Vec::new()).unwrap();
        }
        for wrong in [
            "",
            "icon.png",
            "pass.json",
            "manifest.json",
            "signature",
            "/x",
            "../x",
            "a//b",
            "a/../b",
            "a\\b",
            "a/",
        ] {
            assert!(matches!(package.file(wrong, Vec::new()), Err(PassError::Name(_))), "{wrong}");
        }
    }

    #[test]
    fn what_is_no_package_has_no_pass() {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        zip.start_file(
            "icon.png",
            SimpleFileOptions::default().compression_method(CompressionMethod::Stored),
        )
        .unwrap();
        let without = zip.finish().unwrap().into_inner();
        for wrong in [&b""[..], b"PK", &without] {
            assert!(pass_in(wrong).is_err());
        }
    }

    #[test]
    fn the_manifest_lists_sha_1_of_every_file() {
        // By `printf abc | sha1sum`.
        let package = Package::new(b"abc".to_vec());
        assert_eq!(package.manifest()["pass.json"], "a9993e364706816aba3e25717850c26c9cd0d89d");
    }
}
