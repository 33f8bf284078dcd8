//! Leases: tasks share the buckets, give them back, and take over those of a dead one.

use std::collections::HashMap;
use std::time::Duration;

use jiff::SignedDuration;

use crate::vouchers::{Vouchers, text, until};

impl Vouchers {
    /// Returns how many buckets each task holds.
    async fn holders(&self) -> HashMap<String, usize> {
        let mut holders = HashMap::new();
        for lease in self.all(sweeper::LEASE_PREFIX).await {
            let until: i64 = lease["lease_until"].as_n().unwrap().parse().unwrap();
            if until > self.clock.now().as_millisecond() {
                *holders.entry(text(&lease, "holder")).or_default() += 1;
            }
        }
        holders
    }

    async fn await_holders(&self, what: &str, good: impl Fn(&[usize]) -> bool) {
        until(what, || async {
            let mut counts: Vec<_> = self.holders().await.into_values().collect();
            counts.sort_unstable();
            good(&counts).then_some(())
        })
        .await;
    }

    /// Lets the tests' clock run with the real one until the returned guard is dropped.
    fn let_time_pass(&self) -> impl Drop + use<> {
        let clock = self.clock.clone();
        let running = tokio::spawn(async move {
            loop {
                tokio::time::sleep(Duration::from_millis(10)).await;
                clock.jump(SignedDuration::from_millis(10));
            }
        });
        tokio_util::task::AbortOnDropHandle::new(running)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tasks_share_the_buckets_evenly_and_give_them_back() {
    let vouchers = Vouchers::start().await;
    let _time = vouchers.let_time_pass();
    let one = vouchers.sweep();
    vouchers.await_holders("one task with all buckets", |counts| counts == [8]).await;
    let other = vouchers.sweep();
    vouchers.await_holders("an even share", |counts| matches!(counts, [3..=4, 4..=5])).await;
    one.stop().await;
    vouchers.await_holders("the other with all buckets", |counts| counts == [8]).await;
    other.stop().await;
    assert!(vouchers.holders().await.is_empty(), "given back");
    vouchers.cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_buckets_of_a_killed_task_are_taken_over_and_nothing_is_lost() {
    let vouchers = Vouchers::start().await;
    let time = vouchers.let_time_pass();
    for number in 0..100 {
        vouchers.store(&format!("VOUCHER#{number}"), -60, "expire").await;
    }
    // Killed in the middle, with answers under way.
    vouchers.cloud.delay("dynamodb", "TransactWriteItems", 20, 100).await;
    let killed = vouchers.sweep();
    until("the first announcements", || async { (vouchers.announced().await.len() > 10).then_some(()) })
        .await;
    killed.kill().await;
    assert!(vouchers.announced().await.len() < 100, "killed too late to show anything");
    let running = vouchers.sweep();
    vouchers.await_announced(100).await;
    running.stop().await;
    drop(time);
    vouchers.cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_written_by_a_clock_that_was_ahead_ends_all_the_same() {
    let vouchers = Vouchers::start().await;
    vouchers.clock.jump(SignedDuration::from_hours(24));
    let ahead = vouchers.sweep();
    vouchers.await_holders("all buckets", |counts| counts == [8]).await;
    ahead.kill().await;
    vouchers.clock.jump(-SignedDuration::from_hours(24));
    vouchers.store("VOUCHER#now", -60, "expire").await;
    vouchers.store("VOUCHER#tomorrow", 3_600, "expire").await;
    let running = vouchers.sweep();
    vouchers.await_announced(1).await;
    running.stop().await;
    vouchers.cloud.shutdown().await;
}
