use proptest::prelude::*;
use xray::{AnnotationValue, SegmentId};

use super::block::{Entry, TRACES, decode, encode};
use super::search::Times;
use super::*;
use crate::filter::FilterExpression;

/// Far from now, so that nothing expires meanwhile.
const NOW: f64 = 4_000_000_000.0;
const PLENTY: u64 = u64::MAX;

fn id(number: u128) -> TraceId {
    TraceId::from_bytes(number.to_be_bytes())
}

fn segment(number: u64, start: f64) -> Segment {
    Segment {
        end_time: Some(start + 1.0),
        ..Segment::new("ingest", SegmentId::from_bytes(number.to_be_bytes()), start)
    }
}

fn put(store: &TraceStore, trace: u128, segment: &Segment) {
    store.put(id(trace), segment, &segment.to_json(), NOW).unwrap();
}

fn search(filter: &str) -> Search {
    Search::started(0.0, f64::MAX, filter.parse::<FilterExpression>().unwrap()).unwrap()
}

fn found(store: &TraceStore, filter: &str) -> Vec<TraceId> {
    let page = store.page(0, usize::MAX, &search(filter)).unwrap();
    page.traces.into_iter().map(|trace| trace.id).collect()
}

fn annotated(number: u64, key: &str, value: impl Into<AnnotationValue>) -> Segment {
    let mut segment = segment(number, NOW);
    segment.annotations.insert(key.to_owned(), value.into());
    segment
}

#[test]
fn traces_documents_and_texts_are_there_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let below = directory.path().join("new");
    let store = TraceStore::open(&below, PLENTY).unwrap();
    put(&store, 7, &annotated(1, "event", "e1"));
    store.keep("settings", "{}").unwrap();
    drop(store);
    let store = TraceStore::open(&below, PLENTY).unwrap();
    assert_eq!(store.documents(id(7)).unwrap().unwrap()[0].json, annotated(1, "event", "e1").to_json());
    assert_eq!(found(&store, "annotation.event = \"e1\""), [id(7)]);
    assert_eq!(store.kept("settings").unwrap().as_deref(), Some("{}"));
    assert_eq!(store.kept("others").unwrap(), None);
    // A document of a trace that was indexed by an earlier process.
    put(&store, 7, &annotated(2, "event", "e2"));
    put(&store, 8, &annotated(1, "event", "e3"));
    assert_eq!(found(&store, "annotation.event = \"e1\" AND annotation.event = \"e2\""), [id(7)]);
    assert_eq!(found(&store, "annotation.event"), [id(7), id(8)]);
}

#[test]
fn a_directory_that_cannot_be_used_is_named() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let error = TraceStore::open(&file.path().join("traces"), PLENTY).unwrap_err();
    assert!(error.to_string().contains(file.path().to_str().unwrap()), "{error}");
    std::fs::write(file.path(), "no database".repeat(1_000)).unwrap();
    assert!(matches!(Database::open(Some(file.path()), PLENTY), Err(StoreError::Database(_))));
}

#[test]
fn what_was_not_indexed_before_a_crash_is_indexed_after_it() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join(FILE);
    let mut database = Database::open(Some(&file), PLENTY).unwrap();
    let segment = annotated(1, "event", "e1");
    database.put(id(1), &segment, &segment.to_json(), NOW).unwrap();
    database.commit().unwrap();
    drop(database);
    let store = TraceStore::open(directory.path(), PLENTY).unwrap();
    assert_eq!(found(&store, "annotation.event = \"e1\""), [id(1)]);
}

#[test]
fn the_oldest_traces_are_dropped_when_there_is_no_room() {
    let large = |number: u64| {
        let mut segment = annotated(number, "number", 1);
        segment.metadata.insert("text".to_owned(), "x".repeat(10_000).into());
        segment
    };
    let store = TraceStore::temporary(3_000_000).unwrap();
    let blocks = 4;
    for number in 0..u128::from(blocks * TRACES) {
        put(&store, number, &large(1));
    }
    let left = found(&store, "annotation.number = 1");
    assert_eq!(left.len(), usize::try_from(TRACES).unwrap(), "a block has 2.6 MB");
    assert_eq!(left.last(), Some(&id(u128::from(blocks * TRACES - 1))));
    assert_eq!(store.documents(id(0)).unwrap(), None);
    // A dropped trace can return.
    put(&store, 0, &large(1));
    assert_eq!(found(&store, "").last(), Some(&id(0)));
}

#[test]
fn traces_that_nothing_was_added_to_for_long_expire() {
    let mut database = Database::open(None, PLENTY).unwrap();
    for number in 0..=u128::from(TRACES) {
        let segment = segment(1, NOW);
        let put = if number < u128::from(TRACES) { NOW } else { NOW + 10.0 };
        database.put(id(number), &segment, &segment.to_json(), put).unwrap();
    }
    database.index().unwrap();
    database.expire(NOW + 5.0).unwrap();
    assert!(database.documents(id(0)).unwrap().is_none());
    assert!(database.documents(id(u128::from(TRACES))).unwrap().is_some());
}

#[test]
fn a_document_in_progress_never_replaces_a_complete_one() {
    let store = TraceStore::temporary(PLENTY).unwrap();
    let complete = segment(1, NOW);
    let open = Segment { end_time: None, in_progress: Some(true), ..complete.clone() };
    for (first, second) in [(&open, &complete), (&complete, &open)] {
        put(&store, 1, first);
        put(&store, 1, second);
        let documents = store.documents(id(1)).unwrap().unwrap();
        assert_eq!(documents, [Document { id: complete.id, json: complete.to_json() }]);
        assert_eq!(found(&store, "partial"), []);
    }
}

#[test]
fn after_a_document_was_replaced_nothing_that_only_the_old_one_said_is_found() {
    let store = TraceStore::temporary(PLENTY).unwrap();
    put(&store, 1, &annotated(1, "event", "old"));
    assert_eq!(found(&store, "annotation.event = \"old\""), [id(1)]);
    put(&store, 1, &annotated(1, "event", "new"));
    assert_eq!(found(&store, "annotation.event = \"old\""), []);
    assert_eq!(found(&store, "annotation.event = \"new\""), [id(1)]);
}

#[test]
fn a_walk_in_pages_passes_every_trace_once() {
    let store = TraceStore::temporary(PLENTY).unwrap();
    let all = TRACES * 2 + 10;
    for number in 0..all {
        // Every third is wanted.
        put(&store, u128::from(number), &annotated(1, "wanted", number % 3 == 0));
    }
    let wanted = search("annotation.wanted");
    let (mut ids, mut from, mut examined) = (Vec::new(), Some(0), 0);
    while let Some(at) = from {
        let page = store.page(at, 50, &wanted).unwrap();
        assert!(page.traces.len() <= 50);
        ids.extend(page.traces.iter().map(|trace| trace.id));
        examined += page.examined;
        from = page.next;
    }
    let expected: Vec<_> =
        (0..all).filter(|number| number % 3 == 0).map(|number| id(number.into())).collect();
    assert_eq!(ids, expected);
    assert!(examined >= usize::try_from(all).unwrap(), "{examined}");
}

#[test]
fn a_share_of_the_traces_is_always_the_same() {
    let store = TraceStore::temporary(PLENTY).unwrap();
    for number in 0..2_000_u128 {
        // As the ids of traces are.
        put(&store, number << 32 | u128::from(rand::random::<u32>()), &segment(1, NOW));
    }
    let ids = |share| {
        let page = store.page(0, usize::MAX, &search("").of_a_share(share)).unwrap();
        page.traces.into_iter().map(|trace| trace.id).collect::<Vec<_>>()
    };
    let tenth = ids(0.1);
    assert!((120..290).contains(&tenth.len()), "{} of 2,000", tenth.len());
    assert_eq!(ids(0.1), tenth);
    assert_eq!((ids(0.0).len(), ids(1.0).len()), (0, 2_000));
}

#[test]
fn blocks_without_what_is_needed_are_not_read() {
    let store = TraceStore::temporary(PLENTY).unwrap();
    for number in 0..TRACES * 3 {
        put(&store, u128::from(number), &annotated(1, "event", format!("e{number}")));
    }
    let candidates = |filter: &str| {
        let search = search(filter);
        let (mut next, mut numbers) = (0, Vec::new());
        store.database().index().unwrap();
        while let Some((number, _)) = store.database().candidate(next, &search).unwrap().block {
            numbers.push(number);
            next = number + 1;
        }
        numbers
    };
    assert_eq!(candidates("annotation.event = \"e300\""), [1]);
    assert_eq!(candidates("annotation.event = \"e300\" OR annotation.event = \"e600\""), [1, 2]);
    assert_eq!(candidates("annotation.event = \"e300\" AND annotation.event = \"e600\""), [0; 0]);
    assert_eq!(candidates("service(\"ingest\") { fault }"), [0; 0]);
    assert_eq!(candidates("!service(\"ingest\")"), [0, 1, 2]);
    assert_eq!(
        candidates("service(\"ingest\") { responsetime > 5 }"),
        [0, 1, 2],
        "known of each trace, not of a block"
    );
    assert_eq!(candidates("annotation.event CONTAINS \"e\""), [0, 1, 2]);
}

#[test]
fn a_damaged_block_is_an_error() {
    let entry = |number| Entry {
        number,
        id: id(u128::from(number)),
        times: Times { start: NOW, end: NOW, updated: NOW },
        revision: 1,
        bytes: 10,
        facts: Arc::new(Facts::of(&Trace::assemble(
            id(u128::from(number)),
            vec![annotated(1, "event", "e")],
        ))),
    };
    let encoded = encode(&[entry(1), entry(2)]);
    assert_eq!(decode(&encoded.data).unwrap().len(), 2);
    for length in 0..encoded.data.len() {
        assert!(decode(&encoded.data[..length]).is_none(), "{length}");
    }
}

fn arbitrary_segment() -> impl Strategy<Value = Segment> {
    let annotation = prop_oneof![
        any::<bool>().prop_map(AnnotationValue::from),
        any::<i64>().prop_map(AnnotationValue::from),
        "[a-z]{0,3}".prop_map(AnnotationValue::from),
    ];
    let annotations = prop::collection::btree_map("[a-c]", annotation, 0..4);
    let parent = prop::option::of(0_u64..6);
    let flags = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    (0_u64..6, parent, 0.0..10.0, annotations, "[a-d]", flags).prop_map(
        |(number, parent, start, annotations, name, (fault, error, subsegment, remote))| {
            let segment = segment(number, NOW + start);
            Segment {
                name,
                parent_id: parent.map(|parent| SegmentId::from_bytes(parent.to_be_bytes())),
                annotations: annotations.into_iter().collect(),
                fault: fault.then_some(true),
                error: error.then_some(true),
                kind: subsegment.then(|| "subsegment".to_owned()),
                namespace: remote.then(|| "remote".to_owned()),
                ..segment
            }
        },
    )
}

proptest! {
    /// The index leaves nothing out: what is found is what the facts of each trace match.
    #[test]
    fn an_index_finds_what_the_facts_say(
        traces in prop::collection::vec(prop::collection::vec(arbitrary_segment(), 1..6), 1..12),
    ) {
        let store = TraceStore::temporary(PLENTY).unwrap();
        for (number, segments) in traces.iter().enumerate() {
            for segment in segments {
                put(&store, u128::try_from(number).unwrap(), segment);
            }
        }
        for filter in [
            "fault", "error", "service() { fault }", "service(\"a\") { error AND annotation.a }", "annotation.b = \"a\"",
            "annotation.a > 5 OR service(\"b\")", "edge(\"a\", \"b\") { fault }", "!service(\"c\") AND responsetime >= 1",
            "duration > 2 AND (fault OR annotation.c = \"\")", "rootcause.fault.service { name = \"d\" }", "inferred",
            "service(id(name: \"a\", type: \"remote\"))", "partial OR annotation.c = false", "name = \"a\" OR throttle", "service(\"a\") { responsetime >= 1 }",
            "annotation.a CONTAINS \"a\" OR name BEGINSWITH \"b\"", "edge(\"a\", \"b\") { responsetime < 2 !fault }",
            "rootcause.responsetime.entity { coverage > 0.5 AND name ENDSWITH \"a\" }", "service() { name != \"a\" }",
        ] {
            let expected: Vec<_> = (0..traces.len())
                .map(|number| id(u128::try_from(number).unwrap()))
                .filter(|id| {
                    let facts = store.facts(*id).unwrap().unwrap();
                    filter.parse::<FilterExpression>().unwrap().matches(&facts)
                })
                .collect();
            prop_assert_eq!(found(&store, filter), expected, "{}", filter);
        }
    }

    #[test]
    fn facts_are_read_as_they_were_written(segments in prop::collection::vec(arbitrary_segment(), 1..8)) {
        let facts = Facts::of(&Trace::assemble(id(1), segments));
        let times = Times { start: 1.0, end: 2.0, updated: 3.0 };
        let entry =
            Entry { number: 9, id: id(1), times, revision: 4, bytes: 5, facts: Arc::new(facts.clone()) };
        let read = decode(&encode(&[entry]).data).unwrap().remove(0);
        prop_assert_eq!(&*read.facts, &facts);
        prop_assert_eq!((read.number, read.id, read.times, read.revision, read.bytes), (9, id(1), times, 4, 5));
    }
}
