use std::net::Ipv4Addr;
use std::time::Duration;

use super::*;

const ATTACKER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
const CRM: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 7));

fn admission(connections: usize, bytes: usize) -> Admission {
    Admission::new(Bounds { connections, bytes }, Refusals::for_tests())
}

async fn enter(admission: &Admission, address: IpAddr) -> Place {
    tokio::time::advance(Duration::from_millis(1)).await;
    admission.enter(address).unwrap()
}

fn gave_way(places: &[&Place]) -> Vec<bool> {
    places.iter().map(|place| place.displaced.is_cancelled()).collect()
}

#[tokio::test(start_paused = true)]
async fn the_longest_waiting_of_the_peer_with_the_most_gives_way() {
    let admission = admission(4, 0);
    let crm = enter(&admission, CRM).await;
    let first = enter(&admission, ATTACKER).await;
    let second = enter(&admission, ATTACKER).await;
    let third = enter(&admission, ATTACKER).await;
    // That some of its bytes arrived does not help it.
    first.arrived();
    second.is_in(Phase::Body);
    let fourth = enter(&admission, ATTACKER).await;
    assert_eq!(gave_way(&[&crm, &first, &second, &third, &fourth]), [false, false, true, false, false]);
    drop(third);
    let fifth = enter(&admission, CRM).await;
    assert_eq!(gave_way(&[&crm, &first, &fourth, &fifth]), [false; 4], "a place was free");
    assert_eq!(admission.in_use().0, 4);
}

#[tokio::test(start_paused = true)]
async fn a_complete_request_keeps_its_place() {
    let admission = admission(2, 0);
    let first = enter(&admission, CRM).await;
    let second = enter(&admission, CRM).await;
    first.is_in(Phase::Answering);
    let third = enter(&admission, ATTACKER).await;
    assert_eq!(gave_way(&[&first, &second]), [false, true]);
    third.is_in(Phase::Answering);
    assert!(admission.enter(CRM).is_none(), "nobody waits");
    first.answered();
    assert!(admission.enter(CRM).is_some());
    assert_eq!(gave_way(&[&first, &third]), [true, false]);
}

#[tokio::test(start_paused = true)]
async fn bytes_of_bodies_that_do_not_end_are_given_to_others() {
    let admission = admission(8, 100);
    let (slow, complete) = (enter(&admission, CRM).await, enter(&admission, CRM).await);
    let (held, kept) = (slow.hold(), complete.hold());
    slow.is_in(Phase::Body);
    complete.is_in(Phase::Answering);
    assert!(held.take(60) && kept.take(40));
    let other = enter(&admission, CRM).await;
    other.is_in(Phase::Body);
    let own = other.hold();
    assert!(!own.take(30), "the slow one may still arrive");
    tokio::time::advance(PAUSE).await;
    assert!(own.take(30));
    held.gives_way().await;
    assert!(!own.take(31), "what belongs to complete requests is not taken away");
    assert_eq!(admission.in_use(), (3, 70));
    drop((held, kept, own));
    assert_eq!(admission.in_use(), (3, 0));
}

#[tokio::test(start_paused = true)]
async fn a_peer_with_far_more_bytes_gives_way_at_once() {
    let admission = admission(8, 100);
    let (first, second) = (enter(&admission, ATTACKER).await, enter(&admission, ATTACKER).await);
    let held = [first.hold(), second.hold()];
    first.is_in(Phase::Body);
    second.is_in(Phase::Body);
    assert!(held[0].take(50) && held[1].take(50));
    let crm = enter(&admission, CRM).await;
    crm.is_in(Phase::Body);
    let own = crm.hold();
    assert!(own.take(40));
    held[0].gives_way().await;
    assert!(!own.take(40), "now it has no less than the other");
}

#[tokio::test(start_paused = true)]
async fn small_bodies_have_room_beside_large_ones() {
    let admission = admission(8, 8 * SMALL_BODY);
    let large = enter(&admission, CRM).await;
    large.is_in(Phase::Answering);
    let held = large.hold();
    assert!(held.take(6 * SMALL_BODY) && !held.take(1));
    let (first, second) = (enter(&admission, CRM).await, enter(&admission, CRM).await);
    let (first, second) = (first.hold(), second.hold());
    assert!(first.take(SMALL_BODY) && !first.take(1));
    assert!(second.take(SMALL_BODY));
}

#[test]
fn a_network_of_64_bits_is_one_peer() {
    let peer = |address: &str| peer(address.parse().unwrap());
    assert_eq!(peer("2001:db8::1"), peer("2001:db8::ffff:1"));
    assert_ne!(peer("2001:db8::1"), peer("2001:db8:0:1::1"));
    assert_eq!(peer("::ffff:192.0.2.1"), peer("192.0.2.1"));
    assert_ne!(peer("192.0.2.1"), peer("192.0.2.2"));
}
