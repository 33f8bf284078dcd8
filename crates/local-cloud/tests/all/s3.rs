//! Objects: what is written can be read, in parts and on conditions.

use aws_sdk_s3::error::ProvideErrorMetadata as _;
use aws_sdk_s3::operation::put_object::builders::PutObjectFluentBuilder;
use aws_sdk_s3::primitives::{ByteStream, DateTime};
use aws_sdk_s3::types::{
    BucketLocationConstraint, ChecksumAlgorithm, ChecksumMode, CreateBucketConfiguration, Delete,
    ObjectIdentifier, StorageClass,
};
use serde_json::json;

use crate::refusal::refusal;
use crate::support::{Cloud, cloud};

/// Creates a bucket.
pub(crate) async fn bucket(cloud: &Cloud, name: &str) {
    let place = CreateBucketConfiguration::builder()
        .location_constraint(BucketLocationConstraint::EuCentral1)
        .build();
    cloud.s3.create_bucket().bucket(name).create_bucket_configuration(place).send().await.unwrap();
}

pub(crate) fn put(cloud: &Cloud, key: &str, body: &'static [u8]) -> PutObjectFluentBuilder {
    cloud.s3.put_object().bucket("mine").key(key).body(ByteStream::from_static(body))
}

async fn content(cloud: &Cloud, key: &str) -> Vec<u8> {
    let got = cloud.s3.get_object().bucket("mine").key(key).send().await.unwrap();
    got.body.collect().await.unwrap().to_vec()
}

#[tokio::test]
async fn an_object_is_read_as_it_was_written() {
    let cloud = cloud().await;
    bucket(&cloud, "mine").await;
    let put = put(&cloud, "year=2026/a b+ä.txt", b"hello")
        .content_type("text/plain")
        .content_encoding("gzip")
        .cache_control("no-store")
        .metadata("traceparent", "00-1-2-01")
        .storage_class(StorageClass::StandardIa)
        .send()
        .await
        .unwrap();
    assert_eq!(put.e_tag(), Some("\"5d41402abc4b2a76b9719d911017c592\""));
    assert_eq!(put.checksum_crc32(), Some("NhCmhg=="), "the SDK's default");
    assert_eq!(put.server_side_encryption().map(|it| it.as_str()), Some("AES256"));

    let get = cloud.s3.get_object().bucket("mine").key("year=2026/a b+ä.txt");
    let got = get.clone().checksum_mode(ChecksumMode::Enabled).send().await.unwrap();
    assert_eq!(got.content_type(), Some("text/plain"));
    assert_eq!(got.content_encoding(), Some("gzip"), "without the encoding on the way");
    assert_eq!(got.cache_control(), Some("no-store"));
    assert_eq!(got.metadata().unwrap()["traceparent"], "00-1-2-01");
    assert_eq!((got.content_length(), got.e_tag()), (Some(5), put.e_tag()));
    assert_eq!(got.checksum_crc32(), Some("NhCmhg=="));
    assert_eq!(got.storage_class(), Some(&StorageClass::StandardIa));
    assert_eq!(got.body.collect().await.unwrap().to_vec(), b"hello");

    let head = cloud.s3.head_object().bucket("mine").key("year=2026/a b+ä.txt").send().await.unwrap();
    assert_eq!((head.content_length(), head.e_tag()), (Some(5), put.e_tag()));
    assert!(head.last_modified().unwrap().secs() > 1_700_000_000);

    cloud.s3.delete_object().bucket("mine").key("year=2026/a b+ä.txt").send().await.unwrap();
    let missing = get.send().await.unwrap_err();
    assert!(missing.as_service_error().unwrap().is_no_such_key());
    let missing = cloud.s3.head_object().bucket("mine").key("x").send().await.unwrap_err();
    assert!(missing.as_service_error().unwrap().is_not_found());
    cloud.s3.delete_object().bucket("mine").key("x").send().await.unwrap();
    cloud.local.shutdown().await;
}

#[tokio::test]
async fn every_checksum_is_verified_and_returned() {
    let cloud = cloud().await;
    bucket(&cloud, "mine").await;
    for algorithm in [
        ChecksumAlgorithm::Crc32,
        ChecksumAlgorithm::Crc32C,
        ChecksumAlgorithm::Crc64Nvme,
        ChecksumAlgorithm::Sha1,
        ChecksumAlgorithm::Sha256,
    ] {
        put(&cloud, "a", b"hello").checksum_algorithm(algorithm.clone()).send().await.unwrap();
        let get = cloud.s3.get_object().bucket("mine").key("a").checksum_mode(ChecksumMode::Enabled);
        let got = get.send().await.unwrap();
        let checksums = [
            got.checksum_crc32(),
            got.checksum_crc32_c(),
            got.checksum_crc64_nvme(),
            got.checksum_sha1(),
            got.checksum_sha256(),
        ];
        assert_eq!(checksums.iter().flatten().count(), 1, "{algorithm}");
        assert_eq!(got.body.collect().await.unwrap().to_vec(), b"hello", "the SDK verifies the checksum");
    }
    let (code, message) = refusal(put(&cloud, "b", b"hello").checksum_crc32("AAAAAA==").send().await);
    assert_eq!(code, "BadDigest");
    assert_eq!(message, "The CRC32 you specified did not match the calculated checksum.");
    let (code, _) = refusal(put(&cloud, "b", b"hello").content_md5("AAAAAAAAAAAAAAAAAAAAAA==").send().await);
    assert_eq!(code, "BadDigest");
    let (code, _) = refusal(put(&cloud, "b", b"hello").content_md5("AA==").send().await);
    assert_eq!(code, "InvalidDigest");
    assert!(cloud.s3.head_object().bucket("mine").key("b").send().await.is_err());
    cloud.local.shutdown().await;
}

#[tokio::test]
async fn conditional_writes_replace_what_they_expect() {
    let cloud = cloud().await;
    bucket(&cloud, "mine").await;
    let create = |body| put(&cloud, "a", body).if_none_match("*").send();
    let first = create(b"1").await.unwrap();
    let (code, message) = refusal(create(b"2").await);
    assert_eq!(code, "PreconditionFailed");
    assert_eq!(message, "At least one of the pre-conditions you specified did not hold");
    let refused = create(b"2").await.unwrap_err();
    assert_eq!(refused.raw_response().unwrap().status().as_u16(), 412);
    assert_eq!(content(&cloud, "a").await, b"1");

    let replace = |etag: &str, body| put(&cloud, "a", body).if_match(etag).send();
    let second = replace(first.e_tag().unwrap(), b"2").await.unwrap();
    assert_eq!(refusal(replace(first.e_tag().unwrap(), b"3").await).0, "PreconditionFailed");
    assert_eq!(content(&cloud, "a").await, b"2");
    let nothing = put(&cloud, "none", b"3").if_match(second.e_tag().unwrap()).send().await.unwrap_err();
    assert_eq!(nothing.code(), Some("NoSuchKey"));
    assert_eq!(nothing.raw_response().unwrap().status().as_u16(), 404);
    let (code, _) = refusal(put(&cloud, "a", b"3").if_none_match(first.e_tag().unwrap()).send().await);
    assert_eq!(code, "NotImplemented", "writes know no other value than *");
    cloud.local.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_that_create_an_object_at_once_one_succeeds() {
    let cloud = cloud().await;
    bucket(&cloud, "mine").await;
    let creating: Vec<_> =
        (0..20).map(|_| tokio::spawn(put(&cloud, "a", b"1").if_none_match("*").send())).collect();
    let mut created = 0;
    for created_one in creating {
        created += u32::from(created_one.await.unwrap().is_ok());
    }
    assert_eq!(created, 1);
    cloud.local.shutdown().await;
}

#[tokio::test]
async fn ranges_and_conditions_decide_what_a_read_returns() {
    let cloud = cloud().await;
    bucket(&cloud, "mine").await;
    let etag = put(&cloud, "a", b"0123456789").send().await.unwrap().e_tag.unwrap();
    let get = || cloud.s3.get_object().bucket("mine").key("a");
    for (range, part, shown) in [
        ("bytes=0-3", &b"0123"[..], "bytes 0-3/10"),
        ("bytes=8-", b"89", "bytes 8-9/10"),
        ("bytes=-1", b"9", "bytes 9-9/10"),
        ("bytes=5-500", b"56789", "bytes 5-9/10"),
    ] {
        let got = get().range(range).send().await.unwrap();
        assert_eq!(got.content_range(), Some(shown));
        assert_eq!(got.content_length(), i64::try_from(part.len()).ok());
        assert_eq!(got.body.collect().await.unwrap().to_vec(), part);
    }
    let beyond = get().range("bytes=10-").send().await.unwrap_err();
    assert_eq!(beyond.code(), Some("InvalidRange"));
    assert_eq!(beyond.raw_response().unwrap().status().as_u16(), 416);

    let unchanged = get().if_none_match(&etag).send().await.unwrap_err();
    assert_eq!(unchanged.raw_response().unwrap().status().as_u16(), 304);
    let head = cloud.s3.head_object().bucket("mine").key("a").if_none_match(&etag).send().await.unwrap_err();
    assert_eq!(head.raw_response().unwrap().status().as_u16(), 304);
    let now = DateTime::from_secs(4_000_000_000);
    let unchanged = get().if_modified_since(now).send().await.unwrap_err();
    assert_eq!(unchanged.raw_response().unwrap().status().as_u16(), 304);
    get().if_none_match("\"other\"").if_modified_since(now).send().await.unwrap();
    assert_eq!(refusal(get().if_match("\"other\"").send().await).0, "PreconditionFailed");
    let long_ago = DateTime::from_secs(1_000_000_000);
    assert_eq!(refusal(get().if_unmodified_since(long_ago).send().await).0, "PreconditionFailed");
    get().if_match(&etag).if_unmodified_since(long_ago).send().await.unwrap();
    let overridden = get().response_content_type("text/csv").send().await.unwrap();
    assert_eq!(overridden.content_type(), Some("text/csv"));
    cloud.local.shutdown().await;
}

#[tokio::test]
async fn many_objects_are_deleted_at_once() {
    let cloud = cloud().await;
    bucket(&cloud, "mine").await;
    for key in ["a", "b&<c>", "d"] {
        put(&cloud, key, b"x").send().await.unwrap();
    }
    let objects = ["a", "b&<c>", "never"].map(|key| ObjectIdentifier::builder().key(key).build().unwrap());
    let delete = Delete::builder().set_objects(Some(objects.to_vec())).build().unwrap();
    let deleted = cloud.s3.delete_objects().bucket("mine").delete(delete).send().await.unwrap();
    let keys: Vec<_> = deleted.deleted().iter().filter_map(|it| it.key()).collect();
    assert_eq!(keys, ["a", "b&<c>", "never"]);
    let left = cloud.s3.list_objects_v2().bucket("mine").send().await.unwrap();
    assert_eq!(left.contents().iter().filter_map(|it| it.key()).collect::<Vec<_>>(), ["d"]);
    cloud.local.shutdown().await;
}

#[tokio::test]
async fn faults_reach_objects_by_bucket_and_key() {
    let cloud = cloud().await;
    bucket(&cloud, "mine").await;
    cloud.fault(json!({"service": "s3", "operation": "PutObject", "resource": "mine", "error": "drop-response", "times": 1})).await;
    let lost = put(&cloud, "a", b"1").customize().config_override(
        aws_sdk_s3::config::Builder::new().retry_config(aws_sdk_s3::config::retry::RetryConfig::disabled()),
    );
    assert!(lost.send().await.is_err());
    assert_eq!(content(&cloud, "a").await, b"1", "stored, although the answer was lost");
    cloud.fault(json!({"service": "s3", "resource": "a", "error": "throttle", "times": 1})).await;
    put(&cloud, "b", b"1").send().await.unwrap();
    put(&cloud, "a", b"1").send().await.unwrap();
    let faults: serde_json::Value =
        cloud.http.get(cloud.url("/_local/faults")).send().await.unwrap().json().await.unwrap();
    assert_eq!(
        (&faults[1]["matched"], &faults[1]["injected"]),
        (&json!(2), &json!(1)),
        "the SDK tried again"
    );
    cloud.local.shutdown().await;
}

#[tokio::test]
async fn bytes_are_in_files_while_the_cloud_runs() {
    let directory = tempfile::tempdir().unwrap();
    let any = "127.0.0.1:0".parse().unwrap();
    let settings = local_cloud::Settings {
        address: any,
        otlp_address: any,
        data_dir: Some(directory.path().to_owned()),
        ..local_cloud::Settings::default()
    };
    let mut cloud = cloud().await;
    let on_disk = local_cloud::start(settings.clone()).await.unwrap();
    let endpoint = on_disk.endpoint_url();
    cloud.s3 = aws_sdk_s3::Client::new(&cloud.sdk.to_builder().endpoint_url(endpoint).build());
    bucket(&cloud, "mine").await;
    put(&cloud, "a", b"1").send().await.unwrap();
    put(&cloud, "a", b"2").send().await.unwrap();
    let files =
        || std::fs::read_dir(directory.path().join("objects")).map(Iterator::count).unwrap_or_default();
    assert_eq!(files(), 1, "the replaced one is gone");
    assert_eq!(content(&cloud, "a").await, b"2");
    on_disk.shutdown().await;
    let again = local_cloud::start(settings).await.unwrap();
    assert_eq!(files(), 0);
    again.shutdown().await;
    cloud.local.shutdown().await;
}
