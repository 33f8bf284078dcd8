//! What S3 refuses, and requests that no SDK of this workspace sends.

use aws_sdk_s3::types::{
    BucketLifecycleConfiguration, ExpirationStatus, LifecycleExpiration, LifecycleRule, LifecycleRuleFilter,
    ObjectCannedAcl, StorageClass,
};

use crate::refusal::{assert_refused, refusal};
use crate::s3::{bucket, put};
use crate::support::{ACCOUNT, Cloud, cloud, cloud_of};

fn request(cloud: &Cloud, method: reqwest::Method, path: &str) -> reqwest::RequestBuilder {
    cloud.http.request(method, cloud.url(path)).header(
        "authorization",
        "AWS4-HMAC-SHA256 Credential=test/20260101/eu-central-1/s3/aws4_request, SignedHeaders=host, Signature=0",
    )
}

async fn answer(request: reqwest::RequestBuilder) -> (u16, String) {
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

#[tokio::test]
async fn what_the_cloud_does_not_do_is_named() {
    let cloud = cloud().await;
    bucket(&cloud, "mine").await;
    let (code, message) = refusal(cloud.s3.create_multipart_upload().bucket("mine").key("a").send().await);
    assert_eq!(
        (code.as_str(), message.as_str()),
        ("NotImplemented", "The local cloud does not support CreateMultipartUpload of s3")
    );
    let (code, message) = refusal(cloud.s3.get_object().bucket("mine").key("a").version_id("1").send().await);
    assert_eq!(
        (code.as_str(), message.as_str()),
        ("NotImplemented", "The local cloud does not support VersionId in GetObject")
    );
    let (_, message) = refusal(put(&cloud, "a", b"x").tagging("a=b").send().await);
    assert_eq!(message, "The local cloud does not support Tagging in PutObject");
    cloud.local.shutdown().await;
}

#[tokio::test]
async fn limits_and_values_are_those_of_aws() {
    let cloud = cloud().await;
    bucket(&cloud, "mine").await;
    for name in ["Mine", "my_bucket", "192.168.0.1", "xn--mine"] {
        assert_refused(
            cloud.s3.create_bucket().bucket(name).send().await,
            "InvalidBucketName",
            "The specified bucket is not valid.",
        );
    }
    let long = "k".repeat(1_025);
    assert_refused(put(&cloud, &long, b"x").send().await, "KeyTooLongError", "Your key is too long");
    put(&cloud, &long[1..], b"x").send().await.unwrap();
    let metadata = |bytes: usize| put(&cloud, "a", b"x").metadata("m", "v".repeat(bytes - 1)).send();
    metadata(2_048).await.unwrap();
    assert_eq!(refusal(metadata(2_049).await).0, "MetadataTooLarge");
    assert_refused(
        put(&cloud, "a", b"x").acl(ObjectCannedAcl::PublicRead).send().await,
        "AccessControlListNotSupported",
        "The bucket does not allow ACLs",
    );
    put(&cloud, "a", b"x").acl(ObjectCannedAcl::BucketOwnerFullControl).send().await.unwrap();
    assert_refused(
        put(&cloud, "a", b"x").storage_class(StorageClass::from("COLD")).send().await,
        "InvalidStorageClass",
        "The storage class you specified is not valid",
    );
    cloud.local.shutdown().await;
}

#[tokio::test]
async fn documents_follow_the_schema() {
    let cloud = cloud().await;
    bucket(&cloud, "mine").await;
    let put_lifecycle = |body: &'static str| {
        request(&cloud, reqwest::Method::PUT, "/mine?lifecycle")
            .header("x-amz-checksum-sha256", sha256(body))
            .body(body)
    };
    for body in
        ["<LifecycleConfiguration><Rule><Status>On</Status></Rule></LifecycleConfiguration>", "<a/>", "no"]
    {
        let (status, text) = answer(put_lifecycle(body)).await;
        assert_eq!(status, 400);
        assert!(text.contains("<Code>MalformedXML</Code>"), "{text}");
    }
    let (status, text) = answer(request(&cloud, reqwest::Method::PUT, "/mine?lifecycle").body("<a/>")).await;
    assert_eq!(status, 400);
    assert!(
        text.contains("Missing required header for this request: Content-MD5 OR x-amz-checksum-*"),
        "{text}"
    );
    cloud.local.shutdown().await;
}

fn sha256(text: &str) -> String {
    use base64::Engine as _;
    use sha2::Digest as _;
    base64::engine::general_purpose::STANDARD.encode(sha2::Sha256::digest(text))
}

#[tokio::test]
async fn an_error_is_a_document_and_a_head_has_none() {
    let cloud = cloud().await;
    bucket(&cloud, "mine").await;
    let response = request(&cloud, reqwest::Method::GET, "/mine/a%26b").send().await.unwrap();
    assert_eq!(response.status(), 404);
    assert_eq!(response.headers()["content-type"], "application/xml");
    let id = response.headers()["x-amz-request-id"].to_str().unwrap().to_owned();
    let text = response.text().await.unwrap();
    assert_eq!(
        text,
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>NoSuchKey</Code><Message>The specified key does not \
             exist.</Message><Key>a&amp;b</Key><RequestId>{id}</RequestId><HostId>local-cloud</HostId></Error>"
        )
    );
    let (status, text) = answer(request(&cloud, reqwest::Method::HEAD, "/mine/a")).await;
    assert_eq!((status, text.as_str()), (404, ""));
    cloud.local.shutdown().await;
}

#[tokio::test]
async fn the_body_is_what_its_digest_says() {
    let cloud = cloud().await;
    bucket(&cloud, "mine").await;
    let put = |hash: &str| {
        request(&cloud, reqwest::Method::PUT, "/mine/a").header("x-amz-content-sha256", hash).body("hello")
    };
    let digest = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
    assert_eq!(answer(put(digest)).await.0, 200);
    let (status, text) = answer(put(&digest.replace('2', "3"))).await;
    assert_eq!(status, 400);
    assert!(text.contains("<Code>XAmzContentSHA256Mismatch</Code>"), "{text}");
    assert_eq!(answer(put("x")).await.0, 400);
    let large = request(&cloud, reqwest::Method::PUT, "/mine/large").body(vec![0; 17 * 1024 * 1024]);
    let (status, text) = answer(large).await;
    assert_eq!(status, 400);
    assert!(text.contains("<Code>EntityTooLarge</Code>"), "{text}");
    cloud.local.shutdown().await;
}

#[tokio::test]
async fn a_bucket_can_be_in_the_host_name() {
    let cloud = cloud().await;
    bucket(&cloud, "mine").await;
    let put = request(&cloud, reqwest::Method::PUT, "/a").header("host", "mine.localhost").body("hello");
    assert_eq!(answer(put).await.0, 200);
    let (status, text) = answer(request(&cloud, reqwest::Method::GET, "/mine/a")).await;
    assert_eq!((status, text.as_str()), (200, "hello"));
    cloud.local.shutdown().await;
}

#[tokio::test]
async fn objects_have_room_for_as_much_as_the_settings_say() {
    let any = "127.0.0.1:0".parse().unwrap();
    let mut cloud = cloud_of("us-east-1", ACCOUNT).await;
    let small = local_cloud::Settings {
        address: any,
        otlp_address: any,
        region: "us-east-1".to_owned(),
        memory_mib: 8,
        ..local_cloud::Settings::default()
    };
    let small = local_cloud::start(small).await.unwrap();
    let retries = aws_sdk_s3::config::retry::RetryConfig::disabled();
    let sdk = cloud.sdk.to_builder().endpoint_url(small.endpoint_url()).retry_config(retries).build();
    cloud.s3 = aws_sdk_s3::Client::new(&sdk);
    cloud.s3.create_bucket().bucket("mine").send().await.unwrap();
    // Bytes are in files; what is known of an object is in memory, of which there is a mebibyte, and takes a kilobyte.
    let put = |key: usize| {
        let body = vec![0; if key == 0 { 4_000_000 } else { 10 }];
        cloud.s3.put_object().bucket("mine").key(format!("{key:05}")).body(body.into()).send()
    };
    let mut stored = 0;
    let full = loop {
        match put(stored).await {
            Ok(_) => stored += 1,
            refused => break refusal(refused).0,
        }
    };
    assert_eq!(full, "ServiceUnavailable");
    assert!((500..1_200).contains(&stored), "{stored}");
    cloud.s3.delete_object().bucket("mine").key("00007").send().await.unwrap();
    put(stored).await.unwrap();

    // Where objects expire, those that were written first make room.
    let rule = LifecycleRule::builder().status(ExpirationStatus::Enabled);
    let rule = rule.filter(LifecycleRuleFilter::builder().prefix("").build());
    let rule = rule.expiration(LifecycleExpiration::builder().days(30).build()).build().unwrap();
    let rules = BucketLifecycleConfiguration::builder().rules(rule).build().unwrap();
    let expire = cloud.s3.put_bucket_lifecycle_configuration().bucket("mine");
    expire.lifecycle_configuration(rules).send().await.unwrap();
    for later in 1..=300 {
        put(stored + later).await.unwrap();
    }
    let get = |key: usize| cloud.s3.get_object().bucket("mine").key(format!("{key:05}")).send();
    assert_eq!(refusal(get(0).await).0, "NoSuchKey");
    assert!(get(stored).await.is_ok() && get(stored + 1).await.is_ok());
    small.shutdown().await;
    cloud.local.shutdown().await;
}
