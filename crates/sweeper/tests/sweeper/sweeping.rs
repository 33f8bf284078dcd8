//! What is due is handled once.

use jiff::SignedDuration;

use crate::vouchers::{Running, Vouchers, s, text, until};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_due_is_announced_once_and_the_rest_when_its_time_comes() {
    let vouchers = Vouchers::start().await;
    for number in 0..40 {
        vouchers.store(&format!("VOUCHER#{number}"), -60 + number, "expire").await;
    }
    vouchers.store("VOUCHER#later", 3_600, "expire").await;
    let running = vouchers.sweep();
    vouchers.await_announced(40).await;
    assert!(vouchers.cloud.item("vouchers", "VOUCHER#later").await.unwrap().contains_key("due_at"));

    vouchers.clock.jump(SignedDuration::from_hours(2));
    vouchers.await_announced(41).await;
    let swept = vouchers.cloud.item("vouchers", "VOUCHER#later").await.unwrap();
    let mut kept: Vec<_> = swept.keys().map(String::as_str).collect();
    kept.sort_unstable();
    assert_eq!(kept, ["does", "pk", "revision", "times"], "nothing of the sweeper stays on the item");
    running.stop().await;
    vouchers.cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_sweepers_and_lost_answers_announce_each_item_once() {
    let vouchers = Vouchers::start().await;
    for number in 0..200 {
        vouchers.store(&format!("VOUCHER#{number}"), -60, "expire").await;
    }
    // Their clocks are an hour apart, so each takes the other's leases for over, and both sweep every bucket at once.
    vouchers.cloud.fail("dynamodb", "TransactWriteItems", "drop-response", 25).await;
    let one = vouchers.sweep();
    let ahead = vouchers.clock.clone();
    let ahead = vouchers.sweeper().with_clock(move || ahead.now() + SignedDuration::from_hours(1));
    let other = Running::start(ahead);
    let calls = || vouchers.expiry.calls.load(std::sync::atomic::Ordering::Relaxed);
    vouchers.await_announced(200).await;
    assert!(calls() >= 200);
    one.stop().await;
    other.stop().await;
    vouchers.await_announced(200).await;
    vouchers.cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_item_that_is_changed_meanwhile_is_left_to_its_new_time() {
    let vouchers = Vouchers::start().await;
    vouchers.store("VOUCHER#1", -60, "transient").await;
    let running = vouchers.sweep();
    until("an attempt", || async {
        (vouchers.expiry.calls.load(std::sync::atomic::Ordering::Relaxed) > 0).then_some(())
    })
    .await;
    // Extended before the next attempt.
    vouchers.store("VOUCHER#1", 3_600, "expire").await;
    *vouchers.expiry.mended.lock().unwrap() = true;
    vouchers.store("VOUCHER#2", -60, "expire").await;
    vouchers.await_announced(1).await;
    assert!(text(&vouchers.announced().await[0], "data").contains("VOUCHER#2"));
    vouchers.clock.jump(SignedDuration::from_hours(2));
    vouchers.await_announced(2).await;
    running.stop().await;
    vouchers.cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn more_than_a_page_is_swept_page_by_page() {
    let vouchers = Vouchers::start().await;
    let mut stored = 0;
    for number in 0.. {
        let key = format!("VOUCHER#{number}");
        let due = sweeper::Due::at("2026-11-30T00:00:00Z".parse().unwrap());
        if due.attributes(&key)["due_bucket"] == s("03") {
            vouchers.store_due(&key, &due, "expire").await;
            stored += 1;
        }
        if stored == 120 {
            break;
        }
    }
    let running = vouchers.sweep();
    vouchers.await_announced(120).await;
    running.stop().await;
    vouchers.cloud.shutdown().await;
}
