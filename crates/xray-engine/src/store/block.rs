//! Blocks: the facts of up to 256 traces that arrived one after the other, and an index of them.
//!
//! The strings of a block are written once. Most of them (services, keys, types of events) occur in every trace, so this
//! saves most of the space, and a search makes each string once for a block instead of once for each trace.

use std::sync::Arc;

use xray::TraceId;

use super::codec::{Sink, Source};
use super::facts;
use super::search::{Search, Times};
use crate::facts::{Facts, SegmentFacts};
use crate::filter::{Indexed, Mark};

/// How many traces have one block.
pub(super) const TRACES: u64 = 256;

/// A trace in a block.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) number: u64,
    pub(super) id: TraceId,
    pub(super) times: Times,
    /// How often a document was put.
    pub(super) revision: u32,
    /// What its documents take, in bytes.
    pub(super) bytes: u64,
    pub(super) facts: Arc<Facts>,
}

/// A block as it is stored.
#[derive(Debug)]
pub(super) struct Encoded {
    /// See [`Words`].
    pub(super) words: Vec<u8>,
    /// See [`Marks`].
    pub(super) marks: u8,
    pub(super) data: Vec<u8>,
}

/// Which marks occur, one bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Marks(pub(super) u8);

/// Which strings occur: the hashes of all, four bytes each, in order. Two strings rarely have the same; it is then found by
/// reading the facts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Words<'a>(pub(super) &'a [u8]);

/// What is known of a block without reading it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Index<'a> {
    pub(super) words: Words<'a>,
    pub(super) marks: Marks,
}

/// What is known of a trace without reading its facts.
struct Header {
    number: u64,
    id: TraceId,
    times: Times,
    revision: u32,
    bytes: u64,
    marks: Marks,
    duration: Option<f64>,
    response_time: Option<f64>,
    /// The longest response time of anything in the trace.
    longest: f64,
}

/// The strings of a block.
struct Dictionary<'a>(&'a [Arc<str>]);

/// Returns entries, in the order of their numbers, as a block.
pub(super) fn encode(entries: &[Entry]) -> Encoded {
    let mut sink = Sink::default();
    let mut all = Marks::default();
    sink.length(entries.len());
    for entry in entries {
        let marks = Marks::of(&entry.facts);
        all.0 |= marks.0;
        // The facts come after their length, so that a search can pass over them.
        let header = header(&mut sink, entry, marks);
        facts::write(&mut sink, &entry.facts);
        let facts = sink.bytes.split_off(header);
        sink.length(facts.len());
        sink.bytes.extend_from_slice(&facts);
    }
    let mut strings = Sink::default();
    strings.list(sink.strings(), |sink, text| {
        sink.length(text.len());
        sink.bytes.extend_from_slice(text.as_bytes());
    });
    let mut data = strings.bytes;
    data.extend_from_slice(&sink.bytes);
    Encoded { words: Words::encode(sink.strings()), marks: all.0, data }
}

/// Writes what comes before the facts, and returns where it ends.
fn header(sink: &mut Sink, entry: &Entry, marks: Marks) -> usize {
    sink.number(entry.number);
    sink.bytes.extend_from_slice(&entry.id.to_bytes());
    for time in [entry.times.start, entry.times.end, entry.times.updated] {
        sink.float(time);
    }
    sink.number(u64::from(entry.revision));
    sink.number(entry.bytes);
    sink.byte(marks.0);
    // A missing time is none that compares.
    sink.float(entry.facts.duration.unwrap_or(f64::NAN));
    let response_time = entry.facts.root().and_then(|root| root.response_time);
    sink.float(response_time.unwrap_or(f64::NAN));
    sink.float(longest(&entry.facts));
    sink.bytes.len()
}

/// Returns the longest response time of anything in a trace, in seconds.
fn longest(facts: &Facts) -> f64 {
    let segments = facts.segments.iter().map(|segment| segment.response_time);
    let calls = facts.calls.iter().map(|call| call.response_time);
    segments.chain(calls).flatten().fold(0.0, f64::max)
}

impl Header {
    fn read(source: &mut Source<'_>) -> Option<Self> {
        let number = source.number()?;
        let id = TraceId::from_bytes(source.take(16)?.try_into().ok()?);
        let times = Times { start: source.float()?, end: source.float()?, updated: source.float()? };
        let revision = u32::try_from(source.number()?).ok()?;
        let bytes = source.number()?;
        let marks = Marks(source.byte()?);
        let known = |time: f64| (!time.is_nan()).then_some(time);
        let (duration, response_time) = (known(source.float()?), known(source.float()?));
        let longest = source.float()?;
        Some(Self { number, id, times, revision, bytes, marks, duration, response_time, longest })
    }

    fn entry(self, facts: Facts) -> Entry {
        let Self { number, id, times, revision, bytes, .. } = self;
        Entry { number, id, times, revision, bytes, facts: Arc::new(facts) }
    }
}

/// Reads all entries of a block; `None` if it is damaged.
pub(super) fn decode(data: &[u8]) -> Option<Vec<Entry>> {
    let mut source = Source::new(data, &[]);
    let strings = strings(&mut source)?;
    source.with_strings(&strings).list(|source| {
        let (header, mut facts) = next(source)?;
        Some(header.entry(facts::read_whole(&mut facts)?))
    })
}

/// Passes the entries of a block that a search wants, from a number on, to `take`, until that returns false. Returns how many
/// traces of the time range were examined, or `None` if the block is damaged.
pub(super) fn search(
    data: &[u8],
    from: u64,
    search: &Search,
    mut take: impl FnMut(Entry) -> bool,
) -> Option<usize> {
    let mut source = Source::new(data, &[]);
    let strings = strings(&mut source)?;
    let mut source = source.with_strings(&strings);
    let possible = search.needs().may_hold(&Dictionary(&strings));
    let mut examined = 0;
    for _ in 0..source.length()? {
        let (header, mut facts) = next(&mut source)?;
        if header.number < from || !search.covers(&header.times) || !search.looks_at(header.id) {
            continue;
        }
        examined += 1;
        if possible
            && search.needs().may_hold(&header)
            && let Some(facts) = matching(&mut facts, search)?
            && !take(header.entry(facts))
        {
            break;
        }
    }
    Some(examined)
}

/// Reads facts, if they match. Root causes are the last of them, and few filters ask for those.
#[expect(clippy::option_option, reason = "without a match is not unreadable")]
fn matching(source: &mut Source<'_>, search: &Search) -> Option<Option<Facts>> {
    let mut facts = facts::read(source)?;
    let causes_first = search.needs_causes();
    if causes_first {
        facts::read_causes(source, &mut facts)?;
    }
    if !search.filter().matches(&facts) {
        return Some(None);
    }
    if !causes_first {
        facts::read_causes(source, &mut facts)?;
    }
    Some(Some(facts))
}

fn strings(source: &mut Source<'_>) -> Option<Vec<Arc<str>>> {
    source.list(|source| {
        let length = source.length()?;
        std::str::from_utf8(source.take(length)?).ok().map(Arc::<str>::from)
    })
}

/// Reads a header, and returns it with the facts, which are yet to be read.
fn next<'a>(source: &mut Source<'a>) -> Option<(Header, Source<'a>)> {
    let header = Header::read(source)?;
    let length = source.length()?;
    Some((header, source.part(length)?))
}

impl Marks {
    /// Returns the marks of everything in a trace.
    fn of(facts: &Facts) -> Self {
        let segments = facts.segments.iter().map(|segment| segment.outcome);
        let outcomes = segments.chain(facts.calls.iter().map(|call| call.outcome));
        let mut marks = Self::default();
        for outcome in outcomes.chain([facts.outcome()]) {
            marks.set(Mark::Error, outcome.error);
            marks.set(Mark::Throttle, outcome.throttle);
            marks.set(Mark::Fault, outcome.fault);
            marks.set(Mark::Partial, outcome.partial);
        }
        let services = facts.causes().flat_map(|cause| &cause.services);
        let inferred = services.map(|service| service.inferred);
        let segments = facts.segments.iter().map(|segment: &SegmentFacts| segment.inferred);
        marks.set(Mark::Inferred, segments.chain(inferred).any(|inferred| inferred));
        marks
    }

    fn set(&mut self, mark: Mark, is: bool) {
        if is {
            self.0 |= Self::bit(mark);
        }
    }

    fn has(self, mark: Mark) -> bool {
        self.0 & Self::bit(mark) != 0
    }

    fn bit(mark: Mark) -> u8 {
        match mark {
            Mark::Error => 1,
            Mark::Throttle => 2,
            Mark::Fault => 4,
            Mark::Partial => 8,
            Mark::Inferred => 16,
        }
    }
}

impl Words<'_> {
    fn encode(words: &[Arc<str>]) -> Vec<u8> {
        let mut hashes: Vec<_> = words.iter().map(|word| hash(word)).collect();
        hashes.sort_unstable();
        hashes.dedup();
        hashes.into_iter().flat_map(u32::to_be_bytes).collect()
    }

    fn has(self, word: &str) -> bool {
        let (hashes, _) = self.0.as_chunks::<4>();
        hashes.binary_search(&hash(word).to_be_bytes()).is_ok()
    }
}

/// FNV-1a (<https://datatracker.ietf.org/doc/draft-eastlake-fnv/>), which stays the same in every version of Rust.
fn hash(word: &str) -> u32 {
    word.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

impl Indexed for Index<'_> {
    fn has_word(&self, word: &str) -> bool {
        self.words.has(word)
    }

    fn has_text(&self, _: impl Fn(&str) -> bool) -> bool {
        true
    }

    fn has_taken(&self, _: f64) -> bool {
        true
    }

    fn has_mark(&self, mark: Mark) -> bool {
        self.marks.has(mark)
    }

    fn has_response_time(&self, _: impl Fn(f64) -> bool) -> bool {
        true
    }

    fn has_duration(&self, _: impl Fn(f64) -> bool) -> bool {
        true
    }
}

impl Indexed for Dictionary<'_> {
    fn has_word(&self, word: &str) -> bool {
        self.0.iter().any(|found| **found == *word)
    }

    fn has_text(&self, wanted: impl Fn(&str) -> bool) -> bool {
        self.0.iter().any(|found| wanted(found))
    }

    fn has_taken(&self, _: f64) -> bool {
        true
    }

    fn has_mark(&self, _: Mark) -> bool {
        true
    }

    fn has_response_time(&self, _: impl Fn(f64) -> bool) -> bool {
        true
    }

    fn has_duration(&self, _: impl Fn(f64) -> bool) -> bool {
        true
    }
}

impl Indexed for Header {
    fn has_word(&self, _: &str) -> bool {
        true
    }

    fn has_text(&self, _: impl Fn(&str) -> bool) -> bool {
        true
    }

    fn has_taken(&self, seconds: f64) -> bool {
        self.longest >= seconds
    }

    fn has_mark(&self, mark: Mark) -> bool {
        self.marks.has(mark)
    }

    fn has_response_time(&self, wanted: impl Fn(f64) -> bool) -> bool {
        self.response_time.is_some_and(wanted)
    }

    fn has_duration(&self, wanted: impl Fn(f64) -> bool) -> bool {
        self.duration.is_some_and(wanted)
    }
}
