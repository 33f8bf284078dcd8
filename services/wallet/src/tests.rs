//! The service on AWS in this process: what becomes of passes, whatever arrives in whatever order, and what phones see.

mod passes;
mod phones;
mod pushes;
mod server;

use std::io::{Cursor, Read as _};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use contracts::{
    Channel, Channels, Contact, CustomerNumber, DiscountActivated, DiscountExpired, DiscountUsed,
    MemberEnrolled, MemberErased, MemberRenamed, Name, Percentage, PointsBalanceChanged, Tier,
};
use envelope::{Envelope, Event, Metadata};
use handlers::AtLeastOnce;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt as _;
use jiff::{SignedDuration, Timestamp};
use opentelemetry::metrics::MeterProvider as _;
use opentelemetry::metrics::noop::NoopMeterProvider;
use serde_json::Value;
use service_runtime::Health;
use service_test::{TestCloud, delivery};
use sqs_consumer::{AtLeastOnceHandler as _, Done, Failure};
use topology::Service;
use tower::ServiceExt as _;
use uuid::Uuid;
use zip::ZipArchive;

use crate::apns::Apns;
use crate::domain::pass::Issuer;
use crate::domain::serial::Serial;
use crate::endpoint::Endpoint;
use crate::handler::KeepPasses;
use crate::identity::Identity;
use crate::passes::Passes;
use crate::registrations::Registrations;
use crate::tokens::Tokens;
use crate::updates::{self, Limits, Updates};

const UNCHANGED: Done = Done::without_effect("unchanged");
const PASS_TYPE: &str = "pass.com.example.loyalty";
const SECRET: &str = "0123456789abcdef0123456789abcdef";
const LIMITS: Limits = Limits { concurrent_requests: 8, request_timeout: Duration::from_secs(5) };

type Announced = (
    MemberEnrolled,
    MemberRenamed,
    MemberErased,
    PointsBalanceChanged,
    DiscountActivated,
    DiscountExpired,
    DiscountUsed,
);

/// The service's resources, and the receiver of its pushes.
struct House {
    cloud: TestCloud,
}

impl House {
    async fn build() -> Self {
        let others = Service::new("others").publishes_to_bus().emits::<Announced>();
        Self { cloud: TestCloud::start([crate::topology(), others]).await }
    }

    fn passes(&self) -> Passes {
        let issuer = Issuer {
            pass_type: PASS_TYPE.to_owned(),
            team: "A1B2C3D4E5".to_owned(),
            organization: "FooStore".to_owned(),
            web_service_url: "https://wallet.example.com".to_owned(),
        };
        let bucket = self.cloud.variable(crate::NAME, "WALLET_PASSES_BUCKET_NAME");
        let signer = identity().into_signer();
        let s3 = aws_clients::s3(self.cloud.aws());
        Passes::new(s3, bucket, issuer, signer, SECRET.parse().unwrap(), Timestamp::now)
    }

    fn registrations(&self) -> Registrations {
        let table = self.cloud.variable(crate::NAME, "WALLET_REGISTRATIONS_TABLE_NAME");
        Registrations::new(self.cloud.dynamodb(), table)
    }

    /// Returns a task of the service.
    fn service(&self) -> AtLeastOnce<KeepPasses> {
        let endpoint = Endpoint::read(&self.cloud.apns_url(), true).unwrap();
        let apns = Apns::new(endpoint, PASS_TYPE, &identity(), Duration::from_secs(2)).unwrap();
        AtLeastOnce::new(KeepPasses { passes: self.passes(), registrations: self.registrations(), apns })
    }

    /// Returns the web service.
    fn web_service(&self) -> Router {
        self.web_service_within(LIMITS)
    }

    fn web_service_within(&self, limits: Limits) -> Router {
        let meter = NoopMeterProvider::new().meter("test");
        let labels = ("foostore".to_owned(), "test".to_owned());
        let tokens = SECRET.parse().unwrap();
        let updates = Updates::new(self.passes(), self.registrations(), tokens, limits, labels, &meter);
        updates::router(updates, &Health::new())
    }

    /// Returns `pass.json` of a customer's pass, and the names of all files.
    async fn pass(&self, customer: &CustomerNumber) -> (Value, Vec<String>) {
        let package = self.passes().fetch(Serial::of(customer)).await.unwrap().unwrap();
        let mut archive = ZipArchive::new(Cursor::new(&package.bytes)).unwrap();
        let mut pass = String::new();
        archive.by_name("pass.json").unwrap().read_to_string(&mut pass).unwrap();
        (
            serde_json::from_str(&pass).unwrap(),
            archive.file_names().map(|name| name.unwrap().into_owned()).collect(),
        )
    }

    async fn version(&self, customer: &CustomerNumber) -> String {
        self.passes().version(Serial::of(customer)).await.unwrap().unwrap()
    }
}

fn identity() -> Identity {
    Identity::read(service_test::PASS_IDENTITY).unwrap()
}

fn customer(number: u64) -> CustomerNumber {
    format!("{number:012}").parse().unwrap()
}

fn at(second: i64) -> Timestamp {
    "2026-03-01T12:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_secs(second)
}

/// Wraps an event that occurs at a second, and is published half a second later.
fn event<E: Event>(second: i64, event: &E) -> Envelope {
    let published_at = at(second) + SignedDuration::from_millis(500);
    Envelope::new(Metadata::first(Uuid::new_v4(), at(second), published_at), event).unwrap()
}

fn contact(given: &str) -> Contact {
    Contact {
        name: Name { given: given.parse().unwrap(), family: "Lovelace".parse().unwrap() },
        email: "ada@example.com".parse().unwrap(),
        channels: Channels::from([Channel::Wallet]),
        locale: "en".parse().unwrap(),
    }
}

fn enrolled(customer: &CustomerNumber, second: i64) -> Envelope {
    event(
        second,
        &MemberEnrolled {
            customer_number: customer.clone(),
            contact: contact("Ada"),
            enrolled_at: Some(at(second)),
            previous_email: None,
        },
    )
}

fn erased(customer: &CustomerNumber, second: i64) -> Envelope {
    let erased = serde_json::from_value::<MemberErased>(serde_json::json!({"customer_number": customer}));
    event(second, &erased.unwrap())
}

fn points(customer: &CustomerNumber, second: i64, balance: u64, revision: u64) -> Envelope {
    let tier = Tier::of(balance);
    event(
        second,
        &PointsBalanceChanged {
            customer_number: customer.clone(),
            balance,
            tier,
            tier_points: balance,
            revision,
        },
    )
}

async fn handle(service: &AtLeastOnce<KeepPasses>, event: &Envelope) -> Result<Done, Failure> {
    service.handle(&delivery(event)).await
}
