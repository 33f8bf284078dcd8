//! The MD5 digests that SDKs compare with what they sent or received (SQS developer guide, "Calculating the MD5 message
//! digest for message attributes").

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest as _, Md5};

use super::outgoing::MessageAttributeValue;

const STRING: u8 = 1;
const BINARY: u8 = 2;

pub(super) fn of_body(body: &str) -> [u8; 16] {
    Md5::digest(body.as_bytes()).into()
}

/// Returns the digest of attributes, which must come in the order of their names, or `None` if there are none.
pub(super) fn of_attributes<'a>(
    attributes: impl IntoIterator<Item = (&'a String, &'a MessageAttributeValue)>,
) -> Option<String> {
    let mut attributes = attributes.into_iter().peekable();
    attributes.peek()?;
    let mut digest = Md5::new();
    for (name, value) in attributes {
        add(&mut digest, name.as_bytes());
        add(&mut digest, value.data_type.as_bytes());
        if let Some(text) = &value.string_value {
            digest.update([STRING]);
            add(&mut digest, text.as_bytes());
        } else if let Some(encoded) = &value.binary_value {
            digest.update([BINARY]);
            add(&mut digest, &STANDARD.decode(encoded).unwrap_or_default());
        }
    }
    Some(hex::encode(digest.finalize()))
}

fn add(digest: &mut Md5, bytes: &[u8]) {
    digest.update(u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
    digest.update(bytes);
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn the_digests_are_those_of_aws() {
        assert_eq!(hex::encode(of_body("message")), "78e731027d8fd50ed642340b7c9a63b3");
        let attributes = BTreeMap::from(
            [("Help.Me", "Me"), ("Hello", "There"), ("General", "Kenobi")]
                .map(|(name, value)| (name.to_owned(), MessageAttributeValue::string(value))),
        );
        assert_eq!(of_attributes(&attributes).as_deref(), Some("4c360f3fdafd970e05fae2f149d997f5"));
        assert_eq!(of_attributes(&BTreeMap::new()), None);
    }

    #[test]
    fn a_binary_value_counts_as_bytes() {
        let value = MessageAttributeValue {
            data_type: "Binary".to_owned(),
            string_value: None,
            binary_value: Some(
                STANDARD.encode(b"traceparent\x1e00-774062d6c37081a5a0b9b5b88e30627c-2d2482211f6489da-01"),
            ),
        };
        let attributes = BTreeMap::from([("attr1".to_owned(), value)]);
        assert_eq!(of_attributes(&attributes).as_deref(), Some("8cbe4db156db8a94db8b801b7addb984"));
    }
}
