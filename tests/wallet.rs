//! A customer's wallet pass, from the CRM's event to the phone.

use std::io::{Cursor, Read as _};
use std::path::Path;
use std::process::{Command, Output};

use contracts::CustomerNumber;
use reqwest::{Method, Response};
use serde_json::{Value, json};
use wallet::domain::serial::Serial;

use crate::documents::Documents;
use crate::faults::depth;
use crate::mails::{enrolled, erased, event};
use crate::world::{World, until};

const BUCKET: &str = "foostore-local-wallet-passes-000000000000-eu-central-1";
const PASS_TYPE: &str = "pass.com.example.foostore";

/// A phone with a customer's pass.
pub(crate) struct Phone<'a> {
    world: &'a World,
    /// What Apple's push service calls it.
    push_token: &'static str,
    serial: Serial,
    token: String,
}

/// Returns a customer's pass as the bucket has it, if there is one.
async fn stored(world: &World, customer: &str) -> Option<Vec<u8>> {
    let serial = Serial::of(&customer.parse::<CustomerNumber>().unwrap());
    let s3 = aws_clients::s3(&world.config);
    let object = s3.get_object().bucket(BUCKET).key(serial.key()).send().await.ok()?;
    Some(object.body.collect().await.unwrap().to_vec())
}

/// Returns `pass.json` of a pass.
fn pass(package: &[u8]) -> Value {
    serde_json::from_slice(&pkpass::pass_in(package).unwrap()).unwrap()
}

impl<'a> Phone<'a> {
    /// Adds the pass of a customer to a phone, once there is one.
    pub(crate) async fn with_pass(world: &'a World, customer: &str, push_token: &'static str) -> Self {
        let package =
            until(&format!("the pass of {customer}"), || async { stored(world, customer).await }).await;
        let serial = Serial::of(&customer.parse::<CustomerNumber>().unwrap());
        let token = pass(&package)["authenticationToken"].as_str().unwrap().to_owned();
        Self { world, push_token, serial, token }
    }

    /// Sends a request to the web service, where `PHONE` is the phone, `TYPE` that of the pass and `SERIAL` its number.
    async fn ask(&self, method: Method, path: &str, headers: &[(&str, &str)], body: &Value) -> Response {
        let path = path.replace("PHONE", &format!("phone-{}", self.push_token)).replace("TYPE", PASS_TYPE);
        let url = self.world.address("wallet") + &path.replace("SERIAL", &self.serial.to_string());
        let mut request = self.world.http.request(method, url).json(body);
        request = request.header("authorization", format!("ApplePass {}", self.token));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.send().await.unwrap()
    }

    /// Asks to be told of changes. Returns the status.
    pub(crate) async fn register(&self) -> u16 {
        let body = json!({"pushToken": self.push_token});
        self.ask(Method::POST, "/v1/devices/PHONE/registrations/TYPE/SERIAL", &[], &body)
            .await
            .status()
            .as_u16()
    }

    /// Asks not to be told any longer. Returns the status.
    pub(crate) async fn unregister(&self) -> u16 {
        let path = "/v1/devices/PHONE/registrations/TYPE/SERIAL";
        self.ask(Method::DELETE, path, &[], &Value::Null).await.status().as_u16()
    }

    /// Asks which passes have changed, and returns the tag; `None` if none has.
    pub(crate) async fn changed(&self, since: &str) -> Option<String> {
        let path = format!("/v1/devices/PHONE/registrations/TYPE?passesUpdatedSince={since}");
        let answer = self.ask(Method::GET, &path, &[], &Value::Null).await;
        if answer.status() == 204 {
            return None;
        }
        assert_eq!(answer.status(), 200);
        let changed: Value = answer.json().await.unwrap();
        assert_eq!(changed["serialNumbers"], json!([self.serial]));
        Some(changed["lastUpdated"].as_str().unwrap().to_owned())
    }

    /// Fetches the pass.
    pub(crate) async fn fetch(&self, headers: &[(&str, &str)]) -> Response {
        self.ask(Method::GET, "/v1/passes/TYPE/SERIAL", headers, &Value::Null).await
    }

    /// Waits for a number of pushes to the phone and returns the last.
    pub(crate) async fn told(&self, count: usize) -> Value {
        let url = format!("{}/_local/apns", self.world.endpoint);
        until(&format!("{count} pushes to the phone"), || async {
            let pushes: Vec<Value> = self.world.http.get(&url).send().await.unwrap().json().await.unwrap();
            let own = pushes.into_iter().filter(|push| push["token"] == self.push_token);
            let mut own: Vec<_> = own.collect();
            (own.len() >= count).then(|| own.pop()).flatten()
        })
        .await
    }

    /// Reports a failure. Returns the status.
    pub(crate) async fn report(&self) -> u16 {
        let body = json!({"logs": ["Get pass task encountered error: The request timed out"]});
        self.ask(Method::POST, "/v1/log", &[], &body).await.status().as_u16()
    }
}

/// Has OpenSSL verify the signature of a pass against the authority of the local environment.
fn verified_by_openssl(package: &[u8]) -> Output {
    let directory = tempfile::tempdir().unwrap();
    let mut archive = zip::ZipArchive::new(Cursor::new(package)).unwrap();
    for name in ["manifest.json", "signature"] {
        let mut content = Vec::new();
        archive.by_name(name).unwrap().read_to_end(&mut content).unwrap();
        std::fs::write(directory.path().join(name), content).unwrap();
    }
    let authority = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/local-cloud/passes/authority.pem");
    let arguments =
        "smime -verify -inform DER -in signature -content manifest.json -binary -purpose any -CAfile";
    let mut openssl = Command::new("openssl");
    openssl.args(arguments.split(' ')).arg(authority.canonicalize().unwrap());
    openssl.current_dir(directory.path()).output().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_registers_is_pushed_fetches_and_sees_the_new_balance() {
    const CUSTOMER: &str = "520000000001";
    let world = World::start().await;
    world.send(&enrolled(CUSTOMER, "Ada", "ada@mail.example"), &[]).await;
    let phone = Phone::with_pass(&world, CUSTOMER, "0a1b").await;
    assert_eq!((phone.register().await, phone.register().await), (201, 200));
    let tag = phone.changed("").await.unwrap();
    let first = phone.fetch(&[]).await;
    let etag = first.headers()["etag"].to_str().unwrap().to_owned();
    let package = first.bytes().await.unwrap();
    let verified = verified_by_openssl(&package);
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
    assert_eq!(pass(&package)["storeCard"]["primaryFields"][0]["value"], 0);
    assert_eq!(phone.fetch(&[("if-none-match", &etag)]).await.status(), 304);
    assert_eq!(phone.changed(&tag).await, None);

    let trace_id = world.send(&event("PointsEarned", CUSTOMER, &json!({"points": 1_250})), &[]).await;
    let push = phone.told(1).await;
    assert_eq!((&push["status"], &push["topic"]), (&json!(200), &json!(PASS_TYPE)), "{push}");
    assert!(phone.changed(&tag).await.is_some());
    let trace = "Root=1-6955b900-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";
    let second = phone.fetch(&[("if-none-match", &etag), ("x-amzn-trace-id", trace)]).await;
    assert_eq!(second.status(), 200);
    assert_eq!(second.headers()["content-type"], "application/vnd.apple.pkpass");
    let shown = pass(&second.bytes().await.unwrap());
    assert_eq!(shown["storeCard"]["primaryFields"][0]["value"], 1_250);
    assert_eq!(shown["storeCard"]["headerFields"][0]["value"], "tier-silver");

    // The event's trace leads to the pass and to the phone, and the phone's request continues its own.
    let documents = until("the pass and the push in the trace", || async {
        let documents = Documents::get(&world, &trace_id).await?;
        let there = documents.find("S3", "PutObject").is_some()
            && documents.all().iter().any(|document| document["name"] == "APNs")
            && documents.is_one_tree(None);
        there.then_some(documents)
    })
    .await;
    let push_of = documents.all().iter().find(|document| document["name"] == "APNs").unwrap();
    assert_eq!(push_of["namespace"], "remote");
    let header = push["trace"].as_str().unwrap();
    assert!(
        header.contains(&format!("Root={trace_id};Parent={}", push_of["id"].as_str().unwrap())),
        "{header}"
    );
    let text = documents.as_text();
    assert!(!text.contains("0a1b") && !text.contains("Lovelace") && !text.contains(&phone.token), "{text}");
    until("the phone's request in its trace", || async {
        let documents = Documents::get(&world, "1-6955b900-bd862e3fe1be46a994272793").await?;
        let segment = documents.segments().find(|segment| segment["name"] == "wallet")?.clone();
        (segment["parent_id"] == "53995c3f42cd8ad8" && segment["http"]["response"]["status"] == 200)
            .then_some(())
    })
    .await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erased_customers_pass_is_void_on_the_phone() {
    const CUSTOMER: &str = "520000000002";
    let world = World::start().await;
    world.send(&enrolled(CUSTOMER, "Ada", "ada@mail.example"), &[]).await;
    let phone = Phone::with_pass(&world, CUSTOMER, "0a2b").await;
    assert_eq!(phone.register().await, 201);
    world.send(&erased(CUSTOMER), &[]).await;
    phone.told(1).await;
    let shown = pass(&phone.fetch(&[]).await.bytes().await.unwrap());
    assert_eq!((&shown["voided"], &shown["storeCard"]), (&json!(true), &json!({})));
    assert!(!shown.to_string().contains("Ada"), "{shown}");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pass_that_was_written_when_its_service_died_is_pushed_all_the_same() {
    const CUSTOMER: &str = "520000000003";
    let world = World::start_with(&[], &[("CONSUMER_VISIBILITY_TIMEOUT_S", "3")]).await;
    world.send(&enrolled(CUSTOMER, "Ada", "ada@mail.example"), &[]).await;
    let phone = Phone::with_pass(&world, CUSTOMER, "0a3b").await;
    assert_eq!(phone.register().await, 201);
    // The push waits for an answer while the service dies.
    world.fault(&json!({"service": "apns", "error": "timeout", "times": 1})).await;
    world.send(&event("PointsEarned", CUSTOMER, &json!({"points": 100})), &[]).await;
    until("the pass to be written", || async {
        let pass = pass(&stored(&world, CUSTOMER).await?);
        (pass["storeCard"]["primaryFields"][0]["value"] == 100).then_some(())
    })
    .await;
    until("the push to hang", || async {
        (world.faults().await.first()?["injected"].as_u64()? > 0).then_some(())
    })
    .await;
    world.kill("wallet").await;
    assert_eq!(phone.told(1).await["status"], 200);
    until("empty queues", || async { (depth(&world, false).await == 0).then_some(()) }).await;
    assert_eq!(depth(&world, true).await, 0, "nothing is dead-lettered");
    world.stop().await;
}
