//! Failures: one item's stays its own, a dependency's is visible.

use sqs_consumer::Readiness;
use sweeper::{PARKED, Sweeper};

use crate::vouchers::{Running, TABLE, Vouchers, meter, s, settings, text, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_permanent_failure_parks_its_item_and_an_operator_returns_it() {
    let vouchers = Vouchers::start().await;
    vouchers.store("VOUCHER#unfit", -120, "permanent").await;
    vouchers.store("VOUCHER#idle", -120, "nothing").await;
    for number in 0..20 {
        vouchers.store(&format!("VOUCHER#{number}"), -60, "expire").await;
    }
    let running = vouchers.sweep();
    vouchers.await_announced(20).await;

    // As the documentation of the crate has it.
    let dynamodb = vouchers.cloud.dynamodb();
    let parked = || async {
        let query = dynamodb.query().table_name(TABLE).index_name(sweeper::INDEX);
        let query = query.key_condition_expression("due_bucket = :p");
        let found = query.expression_attribute_values(":p", s(PARKED)).send().await.unwrap();
        (found.count() == 2).then(|| found.items.unwrap())
    };
    until("two parked items", parked).await;
    let reason = |item: &service_test::Item| text(item, "parked_reason");
    let unfit = vouchers.cloud.item("vouchers", "VOUCHER#unfit").await.unwrap();
    assert_eq!(reason(&unfit), "unfit");
    assert!(unfit.contains_key("parked_at"));
    let idle = vouchers.cloud.item("vouchers", "VOUCHER#idle").await.unwrap();
    assert_eq!(reason(&idle), "still-due", "an effect that leaves its item due would be repeated for ever");

    *vouchers.expiry.mended.lock().unwrap() = true;
    let update = dynamodb.update_item().table_name(TABLE).key("pk", s("VOUCHER#unfit"));
    update
        .update_expression("SET due_bucket = parked_bucket REMOVE parked_bucket, parked_reason, parked_at")
        .condition_expression("due_bucket = :p")
        .expression_attribute_values(":p", s(PARKED))
        .send()
        .await
        .unwrap();
    vouchers.await_announced(21).await;
    running.stop().await;
    vouchers.cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn transient_failures_panics_and_rejections_hinder_no_other_and_are_tried_again() {
    let vouchers = Vouchers::start().await;
    vouchers.store("VOUCHER#rejected", -120, "rejected").await;
    vouchers.store("VOUCHER#transient", -120, "transient").await;
    vouchers.store("VOUCHER#panic", -120, "panic").await;
    vouchers.store("VOUCHER#good", -60, "expire").await;
    let running = vouchers.sweep();
    vouchers.await_announced(1).await;
    *vouchers.expiry.mended.lock().unwrap() = true;
    vouchers.await_announced(4).await;
    assert!(matches!(running.readiness.lock().unwrap().as_slice(), [Readiness::Up]), "no dependency failed");
    running.stop().await;
    vouchers.cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_time_that_cannot_be_read_parks_its_item() {
    let vouchers = Vouchers::start().await;
    vouchers.store("VOUCHER#1", -60, "expire").await;
    let update = vouchers.cloud.dynamodb().update_item().table_name(TABLE).key("pk", s("VOUCHER#1"));
    let update = update.update_expression("SET due_at = :at").expression_attribute_values(":at", s("1 May"));
    update.send().await.unwrap();
    let running = vouchers.sweep();
    let reason = until("the parked item", || async {
        vouchers.cloud.item("vouchers", "VOUCHER#1").await.unwrap().remove("parked_reason")
    })
    .await;
    assert_eq!(reason, s("malformed-due"));
    running.stop().await;
    vouchers.cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_cannot_be_reached_is_visible_until_it_can() {
    let vouchers = Vouchers::start().await;
    vouchers.store("VOUCHER#1", -60, "expire").await;
    vouchers.cloud.fail("dynamodb", "Query", "500", 10_000).await;
    let running = vouchers.sweep();
    let last = |down: bool| {
        let readiness = running.readiness.lock().unwrap().last().cloned();
        async move { readiness.filter(|last| matches!(last, Readiness::Down { .. }) == down) }
    };
    let Readiness::Down { reason } = until("a report", || last(true)).await else { unreachable!() };
    assert!(reason.starts_with("sweeping fails: DynamoDB"), "{reason}");
    vouchers.cloud.mend().await;
    until("a report that it works", || last(false)).await;
    vouchers.await_announced(1).await;
    running.stop().await;

    let clock = vouchers.clock.clone();
    let elsewhere =
        Sweeper::new(vouchers.cloud.aws(), "no-such-table", vouchers.expiry.clone(), settings(), &meter());
    let running = Running::start(elsewhere.with_clock(move || clock.now()));
    until("a report about another table", || async { running.readiness.lock().unwrap().last().cloned() })
        .await;
    assert!(matches!(running.readiness.lock().unwrap().as_slice(), [Readiness::Down { .. }]));
    running.stop().await;
    vouchers.cloud.shutdown().await;
}
