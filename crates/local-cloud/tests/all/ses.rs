use aws_sdk_sesv2::types::{Body, Content, Destination, EmailContent, Message, MessageHeader, MessageTag};

use crate::support::{Cloud, cloud};

async fn send(
    cloud: &Cloud,
    subject: &str,
) -> Result<String, aws_sdk_sesv2::operation::send_email::SendEmailError> {
    let content = |text: &str| Content::builder().data(text).charset("UTF-8").build().unwrap();
    let message = Message::builder()
        .subject(content(subject))
        .body(Body::builder().text(content("the text")).build())
        .headers(MessageHeader::builder().name("X-Entity-Ref-ID").value("1").build().unwrap())
        .build();
    cloud
        .ses
        .send_email()
        .from_email_address("FooStore <loyalty@foostore.example>")
        .destination(Destination::builder().to_addresses("zoe@customer.example").build())
        .content(EmailContent::builder().simple(message).build())
        .email_tags(MessageTag::builder().name("event_id").value("e1").build().unwrap())
        .send()
        .await
        .map(|sent| sent.message_id.unwrap())
        .map_err(aws_sdk_sesv2::error::SdkError::into_service_error)
}

#[tokio::test]
async fn sent_mail_is_listed_oldest_first() {
    let cloud = cloud().await;
    let identity =
        cloud.ses.create_email_identity().email_identity("loyalty@foostore.example").send().await.unwrap();
    assert!(identity.verified_for_sending_status());
    let first = send(&cloud, "first").await.unwrap();
    send(&cloud, "second").await.unwrap();
    let mail = cloud.mail().await;
    assert_eq!(mail.len(), 2);
    assert_eq!(mail[0]["message_id"], first.as_str());
    assert_eq!(mail[0]["from"], "FooStore <loyalty@foostore.example>");
    assert_eq!(mail[0]["to"], serde_json::json!(["zoe@customer.example"]));
    assert_eq!(mail[0]["subject"], "first");
    assert_eq!(mail[0]["text"], "the text");
    assert_eq!(mail[0]["tags"], serde_json::json!({"event_id": "e1"}));
    assert_eq!(mail[0]["headers"], serde_json::json!({"X-Entity-Ref-ID": "1"}));
    assert!(mail[0]["timestamp"].as_str().unwrap().starts_with("20"));
    assert_eq!(mail[1]["subject"], "second");

    cloud.http.delete(cloud.url("/_local/mail")).send().await.unwrap();
    assert!(cloud.mail().await.is_empty());
    cloud.local.shutdown().await;
}

#[tokio::test]
async fn a_sender_or_its_domain_must_be_verified() {
    let cloud = cloud().await;
    assert!(send(&cloud, "x").await.unwrap_err().is_message_rejected());
    assert!(cloud.mail().await.is_empty());
    cloud.ses.create_email_identity().email_identity("foostore.example").send().await.unwrap();
    send(&cloud, "x").await.unwrap();

    let again = cloud.ses.create_email_identity().email_identity("foostore.example").send().await;
    assert!(again.unwrap_err().into_service_error().is_already_exists_exception());
    let got = cloud.ses.get_email_identity().email_identity("foostore.example").send().await.unwrap();
    assert!(got.verified_for_sending_status());
    assert_eq!(cloud.ses.list_email_identities().send().await.unwrap().email_identities().len(), 1);
    cloud.ses.delete_email_identity().email_identity("foostore.example").send().await.unwrap();
    assert!(send(&cloud, "x").await.is_err());
    cloud.local.shutdown().await;
}
