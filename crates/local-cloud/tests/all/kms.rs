//! Keys: what they encrypt, what they are bound to, and who may use them when.

use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::{DataKeySpec, KeyState};

use crate::refusal::{assert_refused, refusal};
use crate::support::{ACCOUNT, Cloud, cloud};

async fn key(cloud: &Cloud) -> String {
    cloud.kms.create_key().description("for tests").send().await.unwrap().key_metadata.unwrap().key_id
}

#[tokio::test]
async fn a_data_key_is_returned_by_its_ciphertext_and_context() {
    let cloud = cloud().await;
    let id = key(&cloud).await;
    cloud.kms.create_alias().alias_name("alias/archive").target_key_id(&id).send().await.unwrap();
    let made = cloud
        .kms
        .generate_data_key()
        .key_id("alias/archive")
        .key_spec(DataKeySpec::Aes256)
        .encryption_context("customer_number", "1")
        .encryption_context("service", "archive")
        .send()
        .await
        .unwrap();
    let plaintext = made.plaintext().unwrap().as_ref();
    assert_eq!(plaintext.len(), 32);
    assert_eq!(made.key_id(), Some(format!("arn:aws:kms:eu-central-1:{ACCOUNT}:key/{id}").as_str()));
    let ciphertext = made.ciphertext_blob().unwrap();
    assert!(!ciphertext.as_ref().windows(32).any(|part| part == plaintext));

    let decrypt = |customer: &str| {
        cloud
            .kms
            .decrypt()
            .ciphertext_blob(ciphertext.clone())
            .encryption_context("service", "archive")
            .encryption_context("customer_number", customer)
    };
    let opened = decrypt("1").key_id(&id).send().await.unwrap();
    assert_eq!(opened.plaintext().unwrap().as_ref(), plaintext);
    decrypt("1").send().await.unwrap();
    let other = decrypt("2").send().await.unwrap_err();
    assert!(other.as_service_error().unwrap().is_invalid_ciphertext_exception());
    let without = cloud.kms.decrypt().ciphertext_blob(ciphertext.clone()).send().await.unwrap_err();
    assert!(without.as_service_error().unwrap().is_invalid_ciphertext_exception());
    let second = key(&cloud).await;
    let incorrect = decrypt("1").key_id(second).send().await.unwrap_err();
    assert!(incorrect.as_service_error().unwrap().is_incorrect_key_exception());
    let mut tampered = ciphertext.as_ref().to_vec();
    *tampered.last_mut().unwrap() ^= 1;
    let tampered = cloud.kms.decrypt().ciphertext_blob(Blob::new(tampered)).send().await.unwrap_err();
    assert!(tampered.as_service_error().unwrap().is_invalid_ciphertext_exception());
    cloud.local.shutdown().await;
}

#[tokio::test]
async fn a_key_encrypts_while_it_is_enabled() {
    let cloud = cloud().await;
    let id = key(&cloud).await;
    let arn = format!("arn:aws:kms:eu-central-1:{ACCOUNT}:key/{id}");
    let encrypt = || cloud.kms.encrypt().key_id(&id).plaintext(Blob::new("secret")).send();
    let ciphertext = encrypt().await.unwrap().ciphertext_blob.unwrap();
    let decrypt = || cloud.kms.decrypt().ciphertext_blob(ciphertext.clone()).send();
    cloud.kms.disable_key().key_id(&id).send().await.unwrap();
    assert_refused(encrypt().await, "DisabledException", &format!("{arn} is disabled."));
    assert_eq!(refusal(decrypt().await).0, "DisabledException");
    cloud.kms.enable_key().key_id(&arn).send().await.unwrap();
    assert_eq!(decrypt().await.unwrap().plaintext.unwrap().as_ref(), b"secret");
    cloud.kms.enable_key_rotation().key_id(&id).send().await.unwrap();
    let rotation = cloud.kms.get_key_rotation_status().key_id(&id).send().await.unwrap();
    assert!(rotation.key_rotation_enabled());

    let scheduled =
        cloud.kms.schedule_key_deletion().key_id(&id).pending_window_in_days(7).send().await.unwrap();
    assert_eq!(scheduled.key_state(), Some(&KeyState::PendingDeletion));
    assert_refused(encrypt().await, "KMSInvalidStateException", &format!("{arn} is pending deletion."));
    assert_eq!(refusal(decrypt().await).0, "KMSInvalidStateException");
    cloud.kms.cancel_key_deletion().key_id(&id).send().await.unwrap();
    let described = cloud.kms.describe_key().key_id(&id).send().await.unwrap().key_metadata.unwrap();
    assert_eq!(described.key_state(), Some(&KeyState::Disabled));
    cloud.local.shutdown().await;
}

#[tokio::test]
async fn names_are_checked_in_awss_words() {
    let cloud = cloud().await;
    let id = key(&cloud).await;
    let describe = |id: &str| cloud.kms.describe_key().key_id(id).send();
    let arn = |name: &str| format!("arn:aws:kms:eu-central-1:{ACCOUNT}:{name}");
    assert_refused(describe("x").await, "NotFoundException", "Invalid keyId 'x'");
    let none = "11111111-2222-3333-4444-555555555555";
    let key_arn = arn(&format!("key/{none}"));
    assert_refused(describe(none).await, "NotFoundException", &format!("Key '{key_arn}' does not exist"));
    assert_refused(
        describe("alias/none").await,
        "NotFoundException",
        &format!("Alias {} is not found.", arn("alias/none")),
    );
    let alias = |name: &str| cloud.kms.create_alias().alias_name(name).target_key_id(&id).send();
    alias("alias/a").await.unwrap();
    assert_eq!(refusal(alias("alias/a").await).0, "AlreadyExistsException");
    assert_eq!(refusal(alias("a").await).0, "ValidationException");
    assert_eq!(refusal(alias("alias/aws/s3").await).0, "NotAuthorizedException");
    let listed = cloud.kms.list_aliases().send().await.unwrap();
    assert_eq!(listed.aliases()[0].target_key_id(), Some(id.as_str()));
    assert_eq!(cloud.kms.list_keys().send().await.unwrap().keys().len(), 1);
    assert_refused(
        cloud.kms.generate_data_key().key_id(&id).send().await,
        "ValidationException",
        "Please specify either number of bytes or key spec.",
    );
    let (code, message) = refusal(
        cloud
            .kms
            .sign()
            .key_id(&id)
            .message(Blob::new("m"))
            .signing_algorithm("ECDSA_SHA_256".into())
            .send()
            .await,
    );
    assert_eq!(
        (code.as_str(), message.as_str()),
        ("UnknownOperationException", "The local cloud does not support Sign of kms")
    );
    cloud.local.shutdown().await;
}
