//! OpenSSL, which knows nothing of this crate, verifies the signature of a pass.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{Cursor, Read as _};
use std::path::Path;
use std::process::{Command, Output};

use jiff::Timestamp;
use pkpass::{Package, PassError, Signer};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use tempfile::TempDir;
use zip::ZipArchive;

/// A root authority, an intermediate one and a certificate, in PEM.
struct Authority {
    root: String,
    intermediate: String,
    certificate: String,
    key: String,
}

fn openssl(directory: &Path, arguments: &[&str]) -> Output {
    Command::new("openssl").args(arguments).current_dir(directory).output().unwrap()
}

fn params(name: &str, is_ca: bool) -> CertificateParams {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    if is_ca {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    }
    params
}

impl Authority {
    /// Issues a certificate for a new key, of P-256.
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let pem = key.serialize_pem();
        Self::for_key(&key, pem)
    }

    fn for_key(key: &KeyPair, pem: String) -> Self {
        let root_key = KeyPair::generate().unwrap();
        let root_params = params("Root of a test", true);
        let root = root_params.self_signed(&root_key).unwrap();
        let root_issuer = Issuer::new(root_params, root_key);
        let intermediate_key = KeyPair::generate().unwrap();
        let intermediate_params = params("Intermediate of a test", true);
        let intermediate = intermediate_params.signed_by(&intermediate_key, &root_issuer).unwrap();
        let issuer = Issuer::new(intermediate_params, intermediate_key);
        let certificate =
            params("Pass Type ID: pass.com.example.loyalty", false).signed_by(key, &issuer).unwrap();
        Self { root: root.pem(), intermediate: intermediate.pem(), certificate: certificate.pem(), key: pem }
    }

    fn signer(&self) -> Signer {
        Signer::from_pem(&self.certificate, &self.intermediate, &self.key).unwrap()
    }
}

/// Generates an RSA key with OpenSSL, since ring cannot, in the form of PKCS#8 or PKCS#1.
fn rsa_key(traditional: bool) -> String {
    let directory = tempfile::tempdir().unwrap();
    let mut arguments = vec!["genrsa"];
    if traditional {
        arguments.push("-traditional");
    }
    arguments.push("2048");
    let output = openssl(directory.path(), &arguments);
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn pass() -> Package {
    let mut package = Package::new(br#"{"formatVersion": 1, "serialNumber": "123456789012"}"#.to_vec());
    package.file("icon.png", vec![0x89, 0x50, 0x4e, 0x47]).unwrap();
    package.file("de.lproj/pass.strings", "\"tier\" = \"Status\";\n".into()).unwrap();
    package
}

fn at() -> Timestamp {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

/// Unpacks a pass beside its root certificate.
fn unpacked(zip: &[u8], authority: &Authority) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let mut archive = ZipArchive::new(Cursor::new(zip)).unwrap();
    for index in 0..archive.len() {
        let mut file = archive.by_index(index).unwrap();
        let path = directory.path().join(file.enclosed_name().unwrap());
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let mut content = Vec::new();
        file.read_to_end(&mut content).unwrap();
        std::fs::write(path, content).unwrap();
    }
    std::fs::write(directory.path().join("root.pem"), &authority.root).unwrap();
    directory
}

fn verify(directory: &Path) -> Output {
    openssl(
        directory,
        &[
            "smime",
            "-verify",
            "-binary",
            "-purpose",
            "any",
            "-inform",
            "DER",
            "-in",
            "signature",
            "-content",
            "manifest.json",
            "-CAfile",
            "root.pem",
        ],
    )
}

#[test]
fn openssl_verifies_what_either_kind_of_key_signs() {
    let rsa = |traditional| {
        let pem = rsa_key(traditional);
        // rcgen reads PKCS#8 only.
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("key.pem"), &pem).unwrap();
        let arguments = ["pkcs8", "-topk8", "-nocrypt", "-in", "key.pem"];
        let pkcs8 = String::from_utf8(openssl(directory.path(), &arguments).stdout).unwrap();
        Authority::for_key(&KeyPair::from_pem(&pkcs8).unwrap(), pem)
    };
    for authority in [Authority::new(), rsa(false), rsa(true)] {
        let directory = unpacked(&pass().sign(&authority.signer(), at()).unwrap(), &authority);
        let verified = verify(directory.path());
        assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
        assert_eq!(verified.stdout, std::fs::read(directory.path().join("manifest.json")).unwrap());

        let attributes = openssl(directory.path(), &["asn1parse", "-inform", "DER", "-in", "signature"]);
        let attributes = String::from_utf8(attributes.stdout).unwrap();
        assert!(attributes.contains("signingTime") && attributes.contains("260301120000Z"), "{attributes}");

        std::fs::write(directory.path().join("manifest.json"), "{}").unwrap();
        assert!(!verify(directory.path()).status.success(), "a changed manifest is refused");
    }
}

#[test]
fn the_same_pass_has_the_same_bytes() {
    let pem = rsa_key(false);
    let authority = Authority::for_key(&KeyPair::from_pem(&pem).unwrap(), pem);
    let signer = authority.signer();
    let zip = pass().sign(&signer, at()).unwrap();
    assert_eq!(zip, pass().sign(&signer, at()).unwrap());
    assert!(pkpass::pass_in(&zip).unwrap().starts_with(br#"{"formatVersion": 1"#));
}

#[test]
fn what_cannot_sign_is_named_and_no_key_is_shown() {
    let (own, other) = (Authority::new(), Authority::new());
    let read = |certificate: &str, intermediate: &str, key: &str| {
        Signer::from_pem(certificate, intermediate, key).unwrap_err()
    };
    assert!(matches!(read(&own.certificate, &own.intermediate, &other.key), PassError::Mismatch));
    assert!(matches!(read(&own.certificate, &own.intermediate, "x"), PassError::Key));
    assert!(matches!(read(&own.certificate, &own.intermediate, &own.certificate), PassError::Key));
    assert_eq!(read("", &own.intermediate, &own.key).to_string(), "certificate is not a certificate in PEM");
    let error = read(&own.certificate, &own.key, &own.key);
    assert_eq!(error.to_string(), "intermediate certificate is not a certificate in PEM");
    let shown = format!("{:?}", own.signer());
    assert!(shown.contains("Pass Type ID") && !shown.contains(&own.key[40..60]), "{shown}");
}
