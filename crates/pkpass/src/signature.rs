//! The signature of a manifest: a detached one of
//! [CMS](https://www.rfc-editor.org/rfc/rfc5652#section-5) (PKCS#7) with the certificates and the time of signing.

use cms::cert::x509::attr::Attribute;
use cms::cert::x509::spki::AlgorithmIdentifierOwned;
use cms::cert::{CertificateChoices, IssuerAndSerialNumber};
use cms::content_info::{CmsVersion, ContentInfo};
use cms::signed_data::{
    CertificateSet, EncapsulatedContentInfo, SignedAttributes, SignedData, SignerIdentifier, SignerInfo,
    SignerInfos,
};
use der::asn1::{Any, ObjectIdentifier, OctetString, SetOfVec, UtcTime};
use der::{Encode as _, EncodeValue, Tagged};
use jiff::Timestamp;
use ring::digest::{SHA256, digest};

use crate::PassError;
use crate::signer::{Algorithm, Signer};

const DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.1");
const SIGNED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.2");
const CONTENT_TYPE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.3");
const MESSAGE_DIGEST: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.4");
const SIGNING_TIME: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.5");
const SHA_256: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");
const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const ECDSA_WITH_SHA_256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2");

/// Signs `content` and returns the signature in DER.
pub(crate) fn of(content: &[u8], signer: &Signer, signing_time: Timestamp) -> Result<Vec<u8>, PassError> {
    let sha_256 = AlgorithmIdentifierOwned { oid: SHA_256, parameters: None };
    let attributes = attributes(content, signing_time)?;
    // What is signed is the set itself, not the implicitly tagged field (RFC 5652, section 5.4).
    let signature = signer.sign(&attributes.to_der()?)?;
    let certificate = &signer.certificate.tbs_certificate;
    let info = SignerInfo {
        version: CmsVersion::V1,
        sid: SignerIdentifier::IssuerAndSerialNumber(IssuerAndSerialNumber {
            issuer: certificate.issuer.clone(),
            serial_number: certificate.serial_number.clone(),
        }),
        digest_alg: sha_256.clone(),
        signed_attrs: Some(attributes),
        signature_algorithm: match signer.algorithm() {
            Algorithm::Rsa => AlgorithmIdentifierOwned { oid: RSA_ENCRYPTION, parameters: Some(Any::null()) },
            Algorithm::EcdsaP256 => AlgorithmIdentifierOwned { oid: ECDSA_WITH_SHA_256, parameters: None },
        },
        signature: OctetString::new(signature)?,
        unsigned_attrs: None,
    };
    let certificates =
        [&signer.certificate, &signer.intermediate].map(|it| CertificateChoices::Certificate(it.clone()));
    let document = SignedData {
        version: CmsVersion::V1,
        digest_algorithms: SetOfVec::try_from(vec![sha_256])?,
        // Detached: the content is in the package.
        encap_content_info: EncapsulatedContentInfo { econtent_type: DATA, econtent: None },
        certificates: Some(CertificateSet(SetOfVec::try_from(certificates.to_vec())?)),
        crls: None,
        signer_infos: SignerInfos(SetOfVec::try_from(vec![info])?),
    };
    Ok(ContentInfo { content_type: SIGNED_DATA, content: any(&document)? }.to_der()?)
}

fn attributes(content: &[u8], signing_time: Timestamp) -> Result<SignedAttributes, PassError> {
    let digest = OctetString::new(digest(&SHA256, content).as_ref())?;
    let since_epoch = std::time::Duration::from_secs(signing_time.as_second().try_into().unwrap_or(0));
    let time = UtcTime::from_unix_duration(since_epoch)?;
    let one = |oid, value: Any| -> Result<Attribute, der::Error> {
        Ok(Attribute { oid, values: SetOfVec::try_from(vec![value])? })
    };
    Ok(SetOfVec::try_from(vec![
        one(CONTENT_TYPE, any(&DATA)?)?,
        one(MESSAGE_DIGEST, any(&digest)?)?,
        one(SIGNING_TIME, any(&time)?)?,
    ])?)
}

fn any<T: EncodeValue + Tagged>(value: &T) -> Result<Any, der::Error> {
    Any::encode_from(value)
}
