//! A service's whole templates as text, to be read in a review.

use std::path::Path;

use topology::{Http, Index, Service, Table, TableAccess, Topic, Topology, topic};

#[test]
fn the_stacks_of_a_small_service() {
    let resources = Topology::new("shop", cloudformation::ENVIRONMENT)
        .service(
            Service::new("intake").listens(Http::new()).publishes(Topic::new("notices").attribute("channel")),
        )
        .service(
            Service::new("sms").receives(topic("notices").with("channel", "sms")).owns(
                Table::new("texts")
                    .expires_at("expires_at")
                    .index(Index::new("due").partition_key("due_bucket").sort_key("due_at"))
                    .access([TableAccess::Put, TableAccess::QueryIndex]),
            ),
        )
        .resources()
        .unwrap();
    let files = cloudformation::render(&resources, "receivers: {}\n").unwrap();
    for (file, snapshot) in [("data/sms.yaml", "sms-data.yaml"), ("services/sms.yaml", "sms.yaml")] {
        let snapshot = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots").join(snapshot);
        if std::fs::read_to_string(&snapshot).unwrap_or_default() != files[file] {
            let new = Path::new(env!("CARGO_TARGET_TMPDIR")).join(snapshot.file_name().unwrap());
            std::fs::write(&new, &files[file]).unwrap();
            panic!("the template has changed; if it should: cp {} {}", new.display(), snapshot.display());
        }
    }
}
