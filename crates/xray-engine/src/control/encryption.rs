//! How traces are encrypted (<https://docs.aws.amazon.com/xray/latest/api/API_EncryptionConfig.html>).

use serde::{Deserialize, Serialize};

use super::error::ControlError;

/// `EncryptionType`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum EncryptionType {
    /// The default encryption.
    #[default]
    None,
    /// A key of KMS.
    Kms,
}

/// The encryption that the account has chosen. It is remembered and reported, without effect: this engine encrypts
/// nothing, and does not look whether the key exists.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Encryption {
    pub(crate) kind: EncryptionType,
    pub(crate) key_id: Option<String>,
}

impl Encryption {
    pub(crate) fn update(&mut self, kind: EncryptionType, key_id: Option<&str>) -> Result<(), ControlError> {
        match (kind, key_id) {
            (EncryptionType::Kms, None) => Err(ControlError::invalid("KeyId must be given if Type is KMS")),
            (EncryptionType::None, Some(_)) => {
                Err(ControlError::invalid("KeyId must be left out if Type is NONE"))
            }
            (kind, key_id) => {
                *self = Self { kind, key_id: key_id.map(str::to_owned) };
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_belongs_to_kms() {
        let mut encryption = Encryption::default();
        assert!(encryption.update(EncryptionType::Kms, None).is_err());
        assert!(encryption.update(EncryptionType::None, Some("alias/a")).is_err());
        encryption.update(EncryptionType::Kms, Some("alias/a")).unwrap();
        assert_eq!(encryption.key_id.as_deref(), Some("alias/a"));
        encryption.update(EncryptionType::None, None).unwrap();
        assert_eq!(encryption, Encryption::default());
    }
}
