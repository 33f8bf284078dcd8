//! Histograms of latencies in files that `HdrHistogram`'s own tools read: the interval log of its `HistogramLogWriter`.
//!
//! A file has a line for each interval, such as a round of a benchmark. Values are in microseconds, and only the column
//! `Interval_Max` is in milliseconds. Java's `HistogramLogProcessor` prints milliseconds with `-outputValueUnitRatio 1000`.
//!
//! ```
//! use std::time::{Duration, SystemTime};
//!
//! use histogram_log::{Interval, empty};
//!
//! let mut histogram = empty();
//! histogram.saturating_record(1_500);
//! let interval = Interval { began: SystemTime::now(), length: Duration::from_secs(1), histogram };
//!
//! let file = tempfile::NamedTempFile::new()?;
//! histogram_log::write(file.path(), "from the request to its answer", std::slice::from_ref(&interval))?;
//! assert_eq!(histogram_log::read(file.path())?[0].histogram, interval.histogram);
//! # Ok::<(), std::io::Error>(())
//! ```

use std::fs::File;
use std::io::{self, BufWriter, Cursor, Write as _};
use std::path::Path;
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::interval_log::{IntervalLogIterator, IntervalLogWriterBuilder, LogEntry};
use hdrhistogram::serialization::{Deserializer, V2DeflateSerializer};

/// The largest value: an hour.
const LONGEST_US: u64 = 3_600_000_000;
/// Significant decimal digits.
const DIGITS: u8 = 3;
/// Microseconds in a millisecond.
const TO_MILLISECONDS: f64 = 1e3;

/// What was recorded in one interval.
#[derive(Clone, Debug, PartialEq)]
pub struct Interval {
    /// When it began.
    pub began: SystemTime,
    /// How long it took.
    pub length: Duration,
    /// The latencies, in microseconds.
    pub histogram: Histogram<u64>,
}

/// Returns a histogram without values, of up to an hour in microseconds with three significant digits, whose memory does not
/// depend on how many are recorded. Longer times count as an hour if they are recorded with `saturating_record`.
#[must_use]
pub fn empty() -> Histogram<u64> {
    match Histogram::new_with_bounds(1, LONGEST_US, DIGITS) {
        Ok(histogram) => histogram,
        Err(error) => unreachable!("the bounds are valid: {error}"),
    }
}

/// Writes a log with these intervals, oldest first. `what` says what was measured, in a comment at the top.
///
/// # Errors
/// When the file cannot be written.
pub fn write(path: &Path, what: &str, intervals: &[Interval]) -> io::Result<()> {
    let mut out = BufWriter::new(File::create(path)?);
    let mut serializer = V2DeflateSerializer::new();
    let mut builder = IntervalLogWriterBuilder::new();
    builder.add_comment(what).add_comment("values in microseconds, Interval_Max in milliseconds");
    let origin = intervals.first().map_or(SystemTime::UNIX_EPOCH, |first| first.began);
    builder.with_start_time(origin).with_base_time(origin).with_max_value_divisor(TO_MILLISECONDS);
    let mut log = builder.begin_log_with(&mut out, &mut serializer)?;
    for Interval { began, length, histogram } in intervals {
        // A clock that was set back in between is no reason to lose what was measured.
        let since = began.duration_since(origin).unwrap_or_default();
        log.write_histogram(histogram, since, *length, None)
            .map_err(|error| io::Error::other(error.to_string()))?;
    }
    out.flush()
}

/// Reads a log back.
///
/// # Errors
/// When the file cannot be read, or is not such a log.
pub fn read(path: &Path) -> io::Result<Vec<Interval>> {
    let wrong = |what: String| io::Error::new(io::ErrorKind::InvalidData, what);
    let text = std::fs::read(path)?;
    let (mut origin, mut intervals) = (SystemTime::UNIX_EPOCH, Vec::new());
    for entry in IntervalLogIterator::new(&text) {
        match entry.map_err(|error| wrong(format!("not a histogram log: {error:?}")))? {
            LogEntry::BaseTime(since_epoch) => origin = SystemTime::UNIX_EPOCH + since_epoch,
            LogEntry::StartTime(_) => {}
            LogEntry::Interval(line) => {
                let bytes = BASE64_STANDARD.decode(line.encoded_histogram());
                let bytes = bytes.map_err(|error| wrong(error.to_string()))?;
                let histogram = Deserializer::new().deserialize(&mut Cursor::new(bytes));
                let histogram = histogram.map_err(|error| wrong(error.to_string()))?;
                let began = origin + line.start_timestamp();
                intervals.push(Interval { began, length: line.duration(), histogram });
            }
        }
    }
    Ok(intervals)
}
