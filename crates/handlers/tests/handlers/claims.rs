//! Effects outside DynamoDB.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::time::Duration;

use envelope::Event;
use handlers::{Claimed, Lease, Perform, Subscriber, subscriptions};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use service_test::{TestCloud, delivery, envelope};
use sqs_consumer::{AtLeastOnceHandler as _, Delivery, Done, Failure};
use topology::{Service, Table, TableAccess};

const LEASE: Lease = Lease { duration: Duration::from_secs(20), effect: Duration::from_secs(5) };

#[derive(Serialize, Deserialize)]
struct ParcelSent {
    customer_number: String,
}

impl Event for ParcelSent {
    const TYPE: &'static str = "ParcelSent";
    const SOURCE: &'static str = "shop";

    fn customer_number(&self) -> &str {
        &self.customer_number
    }
}

/// The number of calls made, and of calls that are still to fail.
#[derive(Default)]
struct Calls {
    made: AtomicU32,
    fail: AtomicU32,
}

struct Notices(Arc<Calls>);

impl Subscriber for Notices {
    type Events = (ParcelSent,);
}

impl Perform<ParcelSent> for Notices {
    fn claim(&self, _: &ParcelSent, delivery: &Delivery) -> Result<String, Failure> {
        Ok(format!("NOTICE#{}", delivery.envelope.metadata.event_id))
    }

    async fn perform(&self, _: ParcelSent, _: &Delivery) -> Result<Done, Failure> {
        if self.0.fail.load(Ordering::SeqCst) > 0 {
            self.0.fail.fetch_sub(1, Ordering::SeqCst);
            return Err(Failure::transient("carrier-unavailable"));
        }
        self.0.made.fetch_add(1, Ordering::SeqCst);
        Ok(Done::new("sent"))
    }
}

struct Bench {
    cloud: TestCloud,
    calls: Arc<Calls>,
    clock: Arc<AtomicI64>,
    handler: Claimed<Notices>,
}

impl Bench {
    async fn start() -> Self {
        Self::with(LEASE).await
    }

    async fn with(lease: Lease) -> Self {
        let access = [TableAccess::Update, TableAccess::Delete];
        let service = Service::new("notices")
            .consumes(subscriptions::<Notices>())
            .owns(Table::new("notices").markers().access(access));
        let shop = Service::new("shop").publishes_to_bus().emits::<(ParcelSent,)>();
        let cloud = TestCloud::start([service, shop]).await;
        let calls = Arc::new(Calls::default());
        let clock = Arc::new(AtomicI64::new(1_772_366_400));
        let table = cloud.variable("notices", "NOTICES_TABLE_NAME");
        let seconds = Arc::clone(&clock);
        let handler = Claimed::new(cloud.dynamodb(), table, lease, Notices(Arc::clone(&calls)))
            .with_clock(move || Timestamp::from_second(seconds.load(Ordering::SeqCst)).unwrap());
        Self { cloud, calls, clock, handler }
    }

    fn made(&self) -> u32 {
        self.calls.made.load(Ordering::SeqCst)
    }
}

fn sent() -> Delivery {
    delivery(&envelope(&ParcelSent { customer_number: "7".to_owned() }))
}

#[tokio::test]
async fn an_effect_happens_once_however_often_its_event_is_delivered() {
    let bench = Bench::start().await;
    let delivery = sent();
    let (one, two) = tokio::join!(bench.handler.handle(&delivery), bench.handler.handle(&delivery));
    assert_eq!([&one, &two].iter().filter(|result| result.is_ok()).count(), 1, "{one:?} {two:?}");
    bench.clock.fetch_add(3_600, Ordering::SeqCst);
    assert_eq!(bench.handler.handle(&delivery).await.unwrap(), Done::DUPLICATE);
    assert_eq!(bench.made(), 1);
    bench.cloud.shutdown().await;
}

#[tokio::test]
async fn a_failed_effect_can_be_retried_at_once() {
    let bench = Bench::start().await;
    let delivery = sent();
    bench.calls.fail.store(1, Ordering::SeqCst);
    assert_eq!(bench.handler.handle(&delivery).await.unwrap_err().reason(), "carrier-unavailable");
    assert_eq!(bench.handler.handle(&delivery).await.unwrap(), Done::new("sent"));
    assert_eq!(bench.made(), 1);
    bench.cloud.shutdown().await;
}

#[tokio::test]
async fn a_second_worker_waits_for_what_is_left_of_the_lease() {
    let bench = Bench::start().await;
    let delivery = sent();
    // Stands for a process that claims the effect and dies.
    let claims = idempotency::Claims::new(bench.cloud.variable("notices", "NOTICES_TABLE_NAME"));
    let id = bench.handler_claim(&delivery);
    let now = Timestamp::from_second(bench.clock.load(Ordering::SeqCst)).unwrap();
    claims.claim(&bench.cloud.dynamodb(), &id, LEASE.duration, now, None).await.unwrap();

    bench.clock.fetch_add(5, Ordering::SeqCst);
    let failure = bench.handler.handle(&delivery).await.unwrap_err();
    let Failure::Transient { reason, retry_after, .. } = failure else { panic!("{failure:?}") };
    assert_eq!((reason, retry_after), ("claimed-by-another", Some(Duration::from_secs(15))));
    bench.clock.fetch_add(15, Ordering::SeqCst);
    assert_eq!(bench.handler.handle(&delivery).await.unwrap(), Done::new("sent"));
    bench.cloud.shutdown().await;
}

impl Bench {
    fn handler_claim(&self, delivery: &Delivery) -> String {
        let event = delivery.envelope.decode::<ParcelSent>().unwrap();
        Notices(Arc::clone(&self.calls)).claim(&event, delivery).unwrap()
    }
}

#[tokio::test]
async fn a_record_that_never_succeeds_does_not_repeat_the_effect() {
    let bench = Bench::start().await;
    bench.cloud.fail("dynamodb", "UpdateItem", "500", 1_000).await;
    assert_eq!(bench.handler.handle(&sent()).await.unwrap(), Done::new("sent"));
    assert_eq!(bench.made(), 1);
    bench.cloud.shutdown().await;
}

/// What is left of the lease would not be enough for the record, and the effect would happen again.
#[tokio::test]
async fn an_effect_whose_claim_took_long_waits_for_another_claim() {
    let bench = Bench::with(Lease { duration: Duration::from_secs(5), effect: Duration::from_secs(1) }).await;
    let delivery = sent();
    bench.cloud.delay("dynamodb", "PutItem", 1_500, 1).await;
    assert_eq!(bench.handler.handle(&delivery).await.unwrap_err().reason(), "claim-took-too-long");
    assert_eq!(bench.made(), 0);
    assert_eq!(bench.handler.handle(&delivery).await.unwrap(), Done::new("sent"));
    bench.cloud.shutdown().await;
}
