//! What one event does to the layer, counted from the services' declarations.
//!
//! The event is one whose announcement goes out: a customer is renamed, the member is updated and announced, and a mail is
//! sent. Services beyond the declared ones are taken to consume the announcement as `notifier` does: one invocation of a
//! rule, one message, one write of one unit, one log line.

use std::collections::BTreeSet;

use envelope::Event as _;
use topology::{
    BucketAccess, BucketResource, Resources, RuleBus, ServiceResources, TableAccess, TableResource,
};

/// Assumption A2 of docs/capacity.md: channels a member is announced on, e-mail and the app.
const CHANNELS: u32 = 2;
/// Bytes of an event's log line, with the 26 that CloudWatch adds: measured in a local run.
const LOG_BYTES_OF_INGEST: u32 = 402;
const LOG_BYTES_OF_A_MESSAGE: u32 = 488;
/// Documents in X-Ray of a sampled event, by service: counted in a local run. Another service has as many as `notifier`.
const DOCUMENTS: [(&str, u32); 7] = [
    ("ingest", 2),
    ("membership", 3),
    ("notifier", 4),
    ("email", 6),
    ("app", 6),
    ("wallet", 4),
    // Of two events.
    ("archive", 6),
];
const DOCUMENTS_OF_A_CONSUMER: u32 = 4;
/// Tables with an item that is written before the effect, beside the claim and its record: email's recipient, who has a mail in
/// flight from then on. app's recipient is only read.
const WRITTEN_BEFORE: [&str; 1] = ["email-deliveries"];
/// Tables of which each event reads two items: app's recipient and its endpoint.
const READ_TWICE: [&str; 1] = ["app-deliveries"];
/// Tables that hardly any event reads or writes, because only bounces and complaints do.
const RARELY_USED: [&str; 1] = ["email-announcements"];
/// Tables that events read, and only a new customer or a new phone writes.
const RARELY_WRITTEN: [&str; 2] = ["archive-keys", "wallet-registrations"];

/// One event, in numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Flow {
    /// Services that run, declared and added.
    pub(super) services: u32,
    /// Of these, those beyond the declared ones.
    pub(super) added: u32,
    /// Events on the bus: the CRM's and the announcement.
    pub(super) events: u32,
    /// Invocations of rules.
    pub(super) invocations: u32,
    /// Invocations of rules if the event is an enrolment, which more services consume.
    pub(super) invocations_of_an_enrolment: u32,
    /// Records that a Pipe takes.
    pub(super) piped: u32,
    /// Messages to a topic, each a notification on one channel.
    pub(super) notifications: u32,
    /// Messages in queues.
    pub(super) messages: u32,
    /// Every table of the declared services, and every index after its table's name and a slash.
    pub(super) tables: Vec<String>,
    /// Write units, by the table's logical name.
    pub(super) writes: Vec<(String, u32)>,
    /// Read units, by the table's logical name.
    pub(super) reads: Vec<(String, u32)>,
    /// Objects that are read and written again.
    pub(super) objects: u32,
    /// Services that write objects with many events each.
    pub(super) batches: u32,
    /// Services that encrypt with a key of KMS.
    pub(super) key_owners: u32,
    pub(super) mails: u32,
    pub(super) log_bytes: u32,
    /// Documents in X-Ray, if the event is sampled.
    pub(super) documents: u32,
}

impl Flow {
    /// Counts what the declared services do with an event, and adds `added` services.
    pub(super) fn of(resources: &Resources, added: u32) -> Self {
        let renaming =
            matching(resources, &[contracts::CustomerRenamed::TYPE, contracts::MemberRenamed::TYPE]);
        let enrolment =
            matching(resources, &[contracts::CustomerEnrolled::TYPE, contracts::MemberEnrolled::TYPE]);
        let subscribed: Vec<&str> =
            resources.subscriptions.iter().map(|subscription| subscription.queue.as_str()).collect();
        let reached: BTreeSet<&str> = renaming.iter().chain(&subscribed).copied().collect();
        let services: Vec<&ServiceResources> = resources
            .services
            .iter()
            .filter(|service| service.queue.as_deref().is_some_and(|queue| reached.contains(queue)))
            .collect();
        let is_one = |table: &TableResource, names: &[&str]| {
            names.iter().any(|name| resources.physical_name(name) == table.name)
        };
        let tables: Vec<&TableResource> = services
            .iter()
            .flat_map(|service| &service.tables)
            .filter_map(|name| resources.tables.iter().find(|table| table.name == *name))
            .filter(|table| !is_one(table, &RARELY_USED))
            .collect();
        let mut writes: Vec<_> = tables
            .iter()
            .filter(|table| !is_one(table, &RARELY_WRITTEN))
            .map(|table| {
                let before = u32::from(is_one(table, &WRITTEN_BEFORE));
                (logical(resources, &table.name), write_units(table) + before)
            })
            .collect();
        let (rewritten, written): (Vec<_>, Vec<_>) = services
            .iter()
            .flat_map(|service| &service.buckets)
            .filter_map(|name| resources.buckets.iter().find(|bucket| bucket.name == *name))
            .partition(|bucket: &&BucketResource| bucket.access.contains(&BucketAccess::Get));
        if added > 0 {
            writes.push(("a table of each added service".to_owned(), 1));
        }
        let messages = count(renaming.len() + subscribed.len()) + added;
        Self {
            services: count(resources.services.len()) + added,
            added,
            events: 2,
            invocations: count(renaming.len()) + added,
            invocations_of_an_enrolment: count(enrolment.len()) + added,
            piped: 1,
            notifications: CHANNELS.min(count(subscribed.len())),
            messages,
            tables: resources.tables.iter().flat_map(|table| with_indexes(resources, table)).collect(),
            writes,
            reads: tables
                .iter()
                .filter(|table| table.access.contains(&TableAccess::Get))
                .map(|table| {
                    let reads = if is_one(table, &READ_TWICE) { 2 } else { 1 };
                    (logical(resources, &table.name), reads)
                })
                .collect(),
            objects: count(rewritten.len()),
            batches: count(written.len()),
            key_owners: services.iter().map(|service| count(service.keys.len())).sum(),
            mails: u32::from(resources.services.iter().any(|service| service.sends_email)),
            log_bytes: LOG_BYTES_OF_INGEST + messages * LOG_BYTES_OF_A_MESSAGE,
            documents: documents(resources, &reached) + added * DOCUMENTS_OF_A_CONSUMER,
        }
    }

    /// Returns the write units of all tables together.
    pub(super) fn write_units(&self) -> u32 {
        let declared = self.writes.len() - usize::from(self.added > 0);
        self.writes.iter().take(declared).map(|(_, units)| units).sum::<u32>() + self.added
    }

    /// Returns the read units of all tables together.
    pub(super) fn read_units(&self) -> u32 {
        self.reads.iter().map(|(_, units)| units).sum()
    }
}

/// Returns the queues of the rules on the application's bus that match one of the types, once for each rule and type.
fn matching<'a>(resources: &'a Resources, types: &[&str]) -> Vec<&'a str> {
    let of_bus = resources.rules.iter().filter(|rule| rule.bus == RuleBus::Own);
    of_bus
        .flat_map(|rule| types.iter().filter(|name| rule.delivers(name)).map(|_| rule.target_queue.as_str()))
        .collect()
}

/// Write units of an event, if no item exceeds 1 KB (A1 of docs/capacity.md): a transaction of item and marker, which carries
/// the announcement, counts double; without an outbox, a claim and its record; else one write. A marker or claim is put, so a
/// table whose items expire but are only updated has none.
fn write_units(table: &TableResource) -> u32 {
    let markers = table.expires_at.is_some() && table.access.contains(&TableAccess::Put);
    match (markers, table.stream) {
        (_, true) => 4,
        (true, false) => 2,
        (false, false) => 1,
    }
}

fn documents(resources: &Resources, reached: &BTreeSet<&str>) -> u32 {
    resources
        .services
        .iter()
        .filter(|service| {
            service.listens || service.queue.as_deref().is_some_and(|queue| reached.contains(queue))
        })
        .map(|service| {
            DOCUMENTS
                .iter()
                .find(|(name, _)| *name == service.service)
                .map_or(DOCUMENTS_OF_A_CONSUMER, |(_, documents)| *documents)
        })
        .sum()
}

fn with_indexes(resources: &Resources, table: &TableResource) -> Vec<String> {
    let name = logical(resources, &table.name);
    let indexes = table.indexes.iter().map(|index| format!("{name}/{}", index.name));
    [name.clone()].into_iter().chain(indexes).collect()
}

fn logical(resources: &Resources, physical: &str) -> String {
    physical.strip_prefix(&resources.physical_name("")).unwrap_or(physical).to_owned()
}

fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layer;

    fn flow(added: u32) -> Flow {
        Flow::of(&layer::resources("foostore", "prod").unwrap(), added)
    }

    #[test]
    fn the_declared_services_are_counted() {
        let flow = flow(0);
        assert_eq!((flow.services, flow.added), (9, 0));
        assert_eq!((flow.events, flow.piped, flow.notifications, flow.mails), (2, 1, 2, 1));
        assert_eq!((flow.invocations, flow.invocations_of_an_enrolment), (5, 7));
        // membership, notifier, wallet, archive twice, and email and app from the topic
        assert_eq!(flow.messages, 7);
        assert_eq!((flow.objects, flow.batches, flow.key_owners), (1, 1, 1));
        let writes = [("members", 4), ("notifications", 1), ("email-deliveries", 3), ("app-deliveries", 2)];
        assert_eq!(flow.writes, writes.map(|(table, units)| (table.to_owned(), units)));
        assert_eq!((flow.write_units(), flow.read_units()), (10, 7));
        assert_eq!(flow.tables.len(), 13);
        // 402 + 7 × 488; 2 + 3 + 4 + 6 + 6 + 4 + 6
        assert_eq!((flow.log_bytes, flow.documents), (3_818, 31));
    }

    #[test]
    fn an_added_service_consumes_the_announcement() {
        let flow = flow(5);
        assert_eq!((flow.services, flow.added), (14, 5));
        assert_eq!((flow.invocations, flow.messages), (10, 12));
        assert_eq!((flow.write_units(), flow.read_units()), (15, 7));
        assert_eq!((flow.log_bytes, flow.documents), (6_258, 51));
        assert_eq!((flow.events, flow.notifications), (2, 2));
    }
}
