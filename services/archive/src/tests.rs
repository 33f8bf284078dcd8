//! The service on AWS in this process.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::time::Duration;

use contracts::{CustomerErased, CustomerRenamed, MemberErased, Name};
use envelope::{Envelope, Event};
use flate2::read::MultiGzDecoder;
use jiff::Timestamp;
use opentelemetry::metrics::MeterProvider as _;
use opentelemetry::metrics::noop::NoopMeterProvider;
use serde::{Deserialize, Serialize};
use service_test::{TestCloud, delivery, envelope_at};
use sqs_consumer::{AtLeastOnceHandler as _, Done, Failure};
use tokio_util::sync::CancellationToken;

use crate::batch::{BatchSettings, Batches};
use crate::bucket::EventArchive;
use crate::domain::Line;
use crate::handler::ArchiveEvents;
use crate::keys::{KeySettings, Keys};
use crate::metrics::Metrics;

mod branches;
mod erasing;
mod storing;

const CUSTOMER: &str = "123456789012";
const WITHOUT_DATA: Done = Done::APPLIED.because("erased");

/// An event of a domain that this service knows nothing of, about nobody.
#[derive(Serialize, Deserialize)]
struct WeatherChanged {
    sky: String,
}

impl Event for WeatherChanged {
    const TYPE: &'static str = "WeatherChanged";
    const SOURCE: &'static str = "weather";
    fn customer_number(&self) -> &'static str {
        ""
    }
}

/// The service's resources.
struct House {
    cloud: TestCloud,
    s3: aws_sdk_s3::Client,
}

impl House {
    async fn build() -> Self {
        let cloud = TestCloud::start([crate::topology()]).await;
        let s3 = aws_clients::s3(cloud.aws());
        Self { cloud, s3 }
    }

    /// One task of the service, with its own keys in memory. It stores each line as soon as nothing more is there.
    fn task(&self) -> ArchiveEvents {
        self.task_with(BatchSettings { age: Duration::ZERO, bytes: usize::MAX, events: 100 })
    }

    fn task_with(&self, settings: BatchSettings) -> ArchiveEvents {
        self.task_of(settings, self.keys())
    }

    fn task_of(&self, settings: BatchSettings, keys: Keys) -> ArchiveEvents {
        let metrics = Metrics::new(&NoopMeterProvider::new().meter("test"));
        let bucket = EventArchive::new(aws_clients::untraced_s3(self.cloud.aws()), self.bucket());
        let (batches, storing) = Batches::new(bucket, settings, metrics, CancellationToken::new());
        tokio::spawn(storing);
        ArchiveEvents::new(keys, batches)
    }

    fn keys(&self) -> Keys {
        self.keys_wrapped_by(true)
    }

    fn keys_wrapped_by(&self, branch_keys: bool) -> Keys {
        let settings = KeySettings {
            table: self.cloud.variable(crate::NAME, "ARCHIVE_KEYS_TABLE_NAME"),
            key_id: self.cloud.variable(crate::NAME, "ARCHIVE_KEY_ID"),
            life: Duration::from_mins(5),
            branch_keys,
            branch_life: Duration::from_hours(1),
        };
        Keys::new(self.cloud.dynamodb(), aws_clients::kms(self.cloud.aws()), settings)
    }

    fn bucket(&self) -> String {
        self.cloud.variable(crate::NAME, "EVENT_ARCHIVE_BUCKET_NAME")
    }

    /// Returns the text of every object, by its key.
    async fn objects(&self) -> BTreeMap<String, String> {
        let listed = self.s3.list_objects_v2().bucket(self.bucket()).send().await.unwrap();
        let mut objects = BTreeMap::new();
        for object in listed.contents.unwrap_or_default() {
            let key = object.key.unwrap();
            let got = self.s3.get_object().bucket(self.bucket()).key(&key).send().await.unwrap();
            let body = got.body.collect().await.unwrap().into_bytes();
            let mut text = String::new();
            MultiGzDecoder::new(body.as_ref()).read_to_string(&mut text).unwrap();
            objects.insert(key, text);
        }
        objects
    }

    /// Returns every line, in no particular order.
    async fn lines(&self) -> Vec<Line> {
        let objects = self.objects().await;
        objects
            .values()
            .flat_map(|text| text.lines())
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// Returns the data of each line that can be decrypted.
    async fn readable(&self) -> Vec<String> {
        let keys = self.keys();
        let mut readable = Vec::new();
        for line in self.lines().await {
            if let Some(key) = keys.of_line(&line).await.unwrap() {
                let data = key.open(&line.additional_data(), line.data.as_ref().unwrap()).unwrap();
                readable.push(String::from_utf8(data).unwrap());
            }
        }
        readable.sort();
        readable
    }
}

async fn handle(task: &ArchiveEvents, event: &Envelope) -> Result<Done, Failure> {
    task.handle(&delivery(event)).await
}

fn at(time: &str) -> Timestamp {
    time.parse().unwrap()
}

fn renamed(occurred_at: &str, given: &str) -> Envelope {
    let name = Name { given: given.parse().unwrap(), family: "Lovelace".parse().unwrap() };
    envelope_at(at(occurred_at), &CustomerRenamed { customer_number: CUSTOMER.parse().unwrap(), name })
}

fn erased(occurred_at: &str) -> Envelope {
    let event =
        MemberErased { customer_number: CUSTOMER.parse().unwrap(), contact: None, enrolled_again_at: None };
    envelope_at(at(occurred_at), &event)
}

fn asks_for_erasure(occurred_at: &str) -> Envelope {
    envelope_at(at(occurred_at), &CustomerErased { customer_number: CUSTOMER.parse().unwrap() })
}
