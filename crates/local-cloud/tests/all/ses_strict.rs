//! What SES refuses, and what becomes of what it accepts.

use aws_sdk_sesv2::operation::send_email::builders::SendEmailFluentBuilder;
use aws_sdk_sesv2::types::{
    Body, Content, Destination, EmailContent, Message, MessageTag, RawMessage, SuppressionListReason,
    Template,
};
use aws_smithy_types::Blob;
use serde_json::json;

use crate::refusal::{assert_refused, refusal};
use crate::support::{Cloud, cloud};

const FROM: &str = "FooStore <loyalty@foostore.example>";
const BOUNCE: &str = "bounce@simulator.amazonses.com";

async fn verified() -> Cloud {
    let cloud = cloud().await;
    cloud.ses.create_email_identity().email_identity("foostore.example").send().await.unwrap();
    cloud
}

fn text(data: &str, charset: &str) -> Content {
    Content::builder().data(data).charset(charset).build().unwrap()
}

fn simple(subject: &str, charset: &str) -> EmailContent {
    let message = Message::builder()
        .subject(text(subject, charset))
        .body(Body::builder().text(text("the text", charset)).build())
        .build();
    EmailContent::builder().simple(message).build()
}

fn raw(message: &str) -> EmailContent {
    let data = RawMessage::builder().data(Blob::new(message)).build().unwrap();
    EmailContent::builder().raw(data).build()
}

fn mail(cloud: &Cloud, to: &[&str]) -> SendEmailFluentBuilder {
    let to = to.iter().map(|to| (*to).to_owned()).collect();
    cloud
        .ses
        .send_email()
        .from_email_address(FROM)
        .destination(Destination::builder().set_to_addresses(Some(to)).build())
        .content(simple("s", "UTF-8"))
}

#[tokio::test]
async fn invalid_mails_are_refused_in_ses_words() {
    let cloud = verified().await;
    let zoe = ["zoe@customer.example"];
    let many = vec!["zoe@customer.example"; 51];
    for (call, message) in vec![
        (mail(&cloud, &["zoe"]), "Missing final '@domain'"),
        (mail(&cloud, &["Zoe zoe@customer.example"]), "Local address contains control or whitespace"),
        (mail(&cloud, &["zoë@customer.example"]), "Local address contains illegal character"),
        (mail(&cloud, &["zoe@bücher.example"]), "Domain contains illegal character"),
        (mail(&cloud, &many), "Recipient count exceeds 50."),
        (mail(&cloud, &[]), "Empty required header 'To'."),
        (mail(&cloud, &zoe).from_email_address("loyalty"), "Missing final '@domain'"),
        (mail(&cloud, &zoe).reply_to_addresses("nobody"), "Missing final '@domain'"),
        (
            mail(&cloud, &zoe).content(simple("a\r\nBcc: x@y.example", "UTF-8")),
            "Subject contains control characters",
        ),
        (mail(&cloud, &zoe).content(simple("s", "UTF-9")), "Unsupported charset: UTF-9"),
        (
            mail(&cloud, &zoe).content(raw("Subject: s\n\nb")).set_from_email_address(None),
            "Missing required header 'From'.",
        ),
        (
            mail(&cloud, &zoe).content(
                EmailContent::builder().template(Template::builder().template_name("t").build()).build(),
            ),
            "the local cloud does not support templates",
        ),
        (mail(&cloud, &zoe).tenant_name("t"), "the local cloud does not support the parameter TenantName"),
    ] {
        assert_refused(call.send().await, "BadRequestException", message);
    }
    let tag = MessageTag::builder().name("a b").value("x").build().unwrap();
    assert_eq!(refusal(mail(&cloud, &zoe).email_tags(tag).send().await).0, "BadRequestException");
    assert_refused(
        mail(&cloud, &zoe).configuration_set_name("main").send().await,
        "NotFoundException",
        "Configuration set <main> does not exist.",
    );
    assert_refused(
        mail(&cloud, &zoe).from_email_address("a@other.example").send().await,
        "MessageRejected",
        "Email address is not verified. The following identities failed the check in region EU-CENTRAL-1: \
         a@other.example",
    );
    assert!(cloud.mail().await.is_empty());
}

#[tokio::test]
async fn a_raw_message_names_its_recipients() {
    let cloud = verified().await;
    let message =
        "From: a@foostore.example\r\nTo: x@c.example,\r\n y@c.example\r\nSubject: hello\r\n\r\nbody";
    let sent = cloud.ses.send_email().content(raw(message)).send().await.unwrap();
    let mail = &cloud.mail().await[0];
    assert_eq!(mail["message_id"], sent.message_id().unwrap());
    assert_eq!((&mail["from"], &mail["subject"]), (&json!("a@foostore.example"), &json!("hello")));
    assert_eq!((&mail["to"], &mail["raw"]), (&json!(["x@c.example", "y@c.example"]), &json!(message)));
}

#[tokio::test]
async fn a_paused_account_sends_nothing() {
    let cloud = verified().await;
    let pause = |enabled| cloud.ses.put_account_sending_attributes().sending_enabled(enabled).send();
    pause(false).await.unwrap();
    assert!(!cloud.ses.get_account().send().await.unwrap().sending_enabled());
    let refused = mail(&cloud, &["zoe@customer.example"]).send().await.unwrap_err().into_service_error();
    assert!(refused.is_sending_paused_exception(), "{refused:?}");
    pause(true).await.unwrap();
    mail(&cloud, &["zoe@customer.example"]).send().await.unwrap();
    assert_eq!(cloud.mail().await.len(), 1);
}

#[tokio::test]
async fn suppressed_and_simulated_recipients_show_what_became_of_the_mail() {
    let cloud = verified().await;
    let zoe = "zoe@customer.example";
    let get = || cloud.ses.get_suppressed_destination().email_address(zoe).send();
    assert!(get().await.unwrap_err().into_service_error().is_not_found_exception());
    let put = cloud.ses.put_suppressed_destination().email_address(zoe);
    put.reason(SuppressionListReason::Complaint).send().await.unwrap();
    let found = get().await.unwrap().suppressed_destination.unwrap();
    assert_eq!((found.email_address(), found.reason()), (zoe, &SuppressionListReason::Complaint));
    let list = |reason| cloud.ses.list_suppressed_destinations().reasons(reason).send();
    let summaries = list(SuppressionListReason::Complaint).await.unwrap();
    assert_eq!(summaries.suppressed_destination_summaries().len(), 1);
    let none = list(SuppressionListReason::Bounce).await.unwrap();
    assert!(none.suppressed_destination_summaries().is_empty());

    mail(&cloud, &[zoe, BOUNCE, "success@simulator.amazonses.com"]).send().await.unwrap();
    assert_eq!(cloud.mail().await[0]["feedback"], json!({zoe: "suppressed", BOUNCE: "bounce"}));

    let delete = || cloud.ses.delete_suppressed_destination().email_address(zoe).send();
    delete().await.unwrap();
    assert!(delete().await.unwrap_err().into_service_error().is_not_found_exception());
    mail(&cloud, &[zoe]).send().await.unwrap();
    assert!(cloud.mail().await[1].get("feedback").is_none());
}

#[tokio::test]
async fn identities_are_addresses_or_domains() {
    let cloud = verified().await;
    for name in ["no domain", "a@", "bücher.example"] {
        let create = cloud.ses.create_email_identity().email_identity(name).send().await;
        assert_eq!(refusal(create).0, "BadRequestException", "{name}");
    }
    let get = cloud.ses.get_email_identity().email_identity("other.example").send().await;
    assert_refused(get, "NotFoundException", "Email identity other.example does not exist.");
    let delete = cloud.ses.delete_email_identity().email_identity("other.example").send().await;
    assert_refused(delete, "NotFoundException", "Email identity other.example does not exist.");
    // A verified domain verifies its subdomains too.
    mail(&cloud, &["zoe@customer.example"])
        .from_email_address("a@mail.foostore.example")
        .send()
        .await
        .unwrap();
}
