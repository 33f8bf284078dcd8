//! What a phone sees of the web service.

use super::*;

/// A phone with the pass of a customer.
struct Phone<'a> {
    router: &'a Router,
    serial: Serial,
    token: String,
}

/// An answer, read to its end.
#[derive(Debug)]
struct Answer {
    status: u16,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

async fn send(router: &Router, request: Request<Body>) -> Answer {
    let (parts, body) = router.clone().oneshot(request).await.unwrap().into_parts();
    let body = body.collect().await.unwrap().to_bytes().to_vec();
    Answer { status: parts.status.as_u16(), headers: parts.headers, body }
}

impl Phone<'_> {
    async fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Answer {
        let path = path.replace("TYPE", PASS_TYPE).replace("SERIAL", &self.serial.to_string());
        let authorization = format!("ApplePass {}", self.token);
        let mut request = Request::builder().method(method).uri(path).header("authorization", authorization);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        send(self.router, request.body(body.into()).unwrap()).await
    }

    async fn register(&self, body: &str) -> u16 {
        let path = "/v1/devices/phone/registrations/TYPE/SERIAL";
        self.ask("POST", path, &[], body.to_owned()).await.status
    }

    async fn changed(&self, since: Option<&str>) -> Answer {
        let query = since.map(|tag| format!("?passesUpdatedSince={tag}")).unwrap_or_default();
        let path = format!("/v1/devices/phone/registrations/TYPE{query}");
        self.ask("GET", &path, &[], "").await
    }

    async fn fetch(&self, headers: &[(&str, &str)]) -> Answer {
        self.ask("GET", "/v1/passes/TYPE/SERIAL", headers, "").await
    }
}

const REGISTRATION: &str = r#"{"pushToken": "0a1b"}"#;

async fn phone<'a>(house: &House, router: &'a Router, customer: &CustomerNumber) -> Phone<'a> {
    let (pass, _) = house.pass(customer).await;
    let token = pass["authenticationToken"].as_str().unwrap().to_owned();
    Phone { router, serial: Serial::of(customer), token }
}

#[tokio::test]
async fn a_phone_registers_is_told_fetches_and_unregisters() {
    let house = House::build().await;
    let (service, router, customer) = (house.service(), house.web_service(), customer(1));
    handle(&service, &enrolled(&customer, 0)).await.unwrap();
    let phone = phone(&house, &router, &customer).await;
    assert_eq!(phone.changed(None).await.status, 204);
    assert_eq!(phone.register(REGISTRATION).await, 201);
    assert_eq!(phone.register(REGISTRATION).await, 200);

    let all = phone.changed(None).await;
    assert_eq!(all.status, 200);
    assert_eq!(all.json()["serialNumbers"], serde_json::json!([phone.serial]));
    let tag = all.json()["lastUpdated"].as_str().unwrap().to_owned();
    assert_eq!(phone.changed(Some(&tag)).await.status, 204);
    let first = phone.fetch(&[]).await;
    assert_eq!((first.status, first.header("content-type")), (200, Some("application/vnd.apple.pkpass")));
    let etag = first.header("etag").unwrap();
    let known = phone.fetch(&[("if-none-match", etag)]).await;
    assert_eq!((known.status, known.body.len()), (304, 0));

    handle(&service, &points(&customer, 1, 150, 1)).await.unwrap();
    assert_eq!(house.cloud.pushes_to_phones().await.len(), 1);
    let changed = phone.changed(Some(&tag)).await;
    assert_eq!(changed.json()["serialNumbers"], serde_json::json!([phone.serial]));
    let tag = changed.json()["lastUpdated"].as_str().unwrap().to_owned();
    assert_eq!(phone.changed(Some(&tag)).await.status, 204);
    let second = phone.fetch(&[("if-none-match", etag)]).await;
    assert_eq!(second.status, 200);
    let pass: Value = serde_json::from_slice(&pkpass::pass_in(&second.body).unwrap()).unwrap();
    assert_eq!(pass["storeCard"]["primaryFields"][0]["value"], 150);

    let path = "/v1/devices/phone/registrations/TYPE/SERIAL";
    assert_eq!(phone.ask("DELETE", path, &[], "").await.status, 200);
    assert_eq!(phone.ask("DELETE", path, &[], "").await.status, 200);
    assert_eq!(phone.changed(None).await.status, 204);
    house.cloud.shutdown().await;
}

#[tokio::test]
async fn a_time_says_that_a_pass_is_known_once_no_other_can_have_it() {
    let house = House::build().await;
    let (service, router, customer) = (house.service(), house.web_service(), customer(2));
    handle(&service, &enrolled(&customer, 0)).await.unwrap();
    let phone = phone(&house, &router, &customer).await;
    assert_eq!(phone.fetch(&[]).await.header("last-modified"), None, "it may change in the same second");
    let future = [("if-modified-since", "Thu, 01 Jan 2099 00:00:00 GMT")];
    assert_eq!(phone.fetch(&future).await.status, 304);
    let past = ("if-modified-since", "Thu, 01 Jan 2015 00:00:00 GMT");
    assert_eq!(phone.fetch(&[past]).await.status, 200);
    let both = [future[0], ("if-none-match", "\"other\"")];
    assert_eq!(phone.fetch(&both).await.status, 200, "the tag decides");
    assert_eq!(phone.fetch(&[("if-modified-since", "yesterday")]).await.status, 200);
    house.cloud.shutdown().await;
}

#[tokio::test]
async fn without_the_token_of_the_pass_nothing_is_read_or_changed() {
    let house = House::build().await;
    let (service, router) = (house.service(), house.web_service());
    let (own, other) = (customer(3), customer(4));
    for customer in [&own, &other] {
        handle(&service, &enrolled(customer, 0)).await.unwrap();
    }
    let mut phone = phone(&house, &router, &own).await;
    phone.serial = Serial::of(&other);
    let refused = phone.fetch(&[]).await;
    assert_eq!((refused.status, refused.header("www-authenticate")), (401, Some("ApplePass")));
    assert_eq!(phone.register(REGISTRATION).await, 401);
    let path = "/v1/devices/phone/registrations/TYPE/SERIAL";
    assert_eq!(phone.ask("DELETE", path, &[], "").await.status, 401);
    let uri = format!("/v1/passes/{PASS_TYPE}/{}", Serial::of(&own));
    let bare = Request::get(&uri).body(Body::empty()).unwrap();
    assert_eq!(send(&router, bare).await.status, 401);
    let bearer = Request::get(&uri).header("authorization", format!("Bearer {}", phone.token));
    assert_eq!(send(&router, bearer.body(Body::empty()).unwrap()).await.status, 401);
    assert!(house.cloud.items("wallet-registrations", "").await.is_empty());
    house.cloud.shutdown().await;
}

#[tokio::test]
async fn what_makes_no_sense_is_refused() {
    let house = House::build().await;
    let (service, router, customer) = (house.service(), house.web_service(), customer(5));
    handle(&service, &enrolled(&customer, 0)).await.unwrap();
    let phone = phone(&house, &router, &customer).await;
    for body in ["", "{", "{}", r#"{"pushToken": 7}"#, r#"{"pushToken": "a/b"}"#, r#"{"pushToken": ""}"#] {
        assert_eq!(phone.register(body).await, 400, "{body}");
    }
    assert_eq!(phone.register(&"x".repeat(40_000)).await, 413);
    for (method, path, status) in [
        ("GET", "/v1/passes/pass.com.example.other/SERIAL", 404),
        ("GET", "/v1/passes/TYPE/123456789012", 404),
        ("GET", "/v1/devices/a%2Fb/registrations/TYPE", 400),
        ("PUT", "/v1/passes/TYPE/SERIAL", 405),
        ("GET", "/v1/other", 404),
    ] {
        assert_eq!(phone.ask(method, path, &[], "").await.status, status, "{method} {path}");
    }
    let unknown = Serial::of(&"999999999999".parse().unwrap());
    let tokens: Tokens = SECRET.parse().unwrap();
    let nobody = Phone { router: &router, serial: unknown, token: tokens.issue(unknown) };
    assert_eq!(nobody.fetch(&[]).await.status, 404);
    house.cloud.shutdown().await;
}

#[tokio::test]
async fn a_report_of_failures_is_taken() {
    let house = House::build().await;
    let router = house.web_service();
    let post = |body: &'static str| Request::post("/v1/log").body(Body::from(body)).unwrap();
    assert_eq!(send(&router, post(r#"{"logs": ["encountered error: …"]}"#)).await.status, 200);
    assert_eq!(send(&router, post(r#"{"logs": 7}"#)).await.status, 400);
    house.cloud.shutdown().await;
}

#[tokio::test]
async fn a_request_is_bounded_in_time_and_number() {
    let house = House::build().await;
    let (service, customer) = (house.service(), customer(6));
    handle(&service, &enrolled(&customer, 0)).await.unwrap();
    let limits = Limits { concurrent_requests: 1, request_timeout: Duration::from_millis(300) };
    let router = house.web_service_within(limits);
    let phone = phone(&house, &router, &customer).await;
    house.cloud.delay("s3", "GetObject", 2_000, 1).await;
    let (late, refused) = tokio::join!(phone.fetch(&[]), phone.fetch(&[]));
    for answer in [late, refused] {
        assert_eq!((answer.status, answer.header("retry-after")), (503, Some("5")));
    }
    house.cloud.mend().await;
    assert_eq!(phone.fetch(&[]).await.status, StatusCode::OK);
    house.cloud.shutdown().await;
}
