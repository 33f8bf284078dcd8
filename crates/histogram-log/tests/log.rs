//! A log is read as it was written.

use std::time::{Duration, SystemTime};

use histogram_log::{Interval, empty, read, write};

fn interval(began: SystemTime, values: &[u64]) -> Interval {
    let mut histogram = empty();
    for value in values {
        histogram.saturating_record(*value);
    }
    Interval { began, length: Duration::from_millis(1_500), histogram }
}

#[test]
fn a_log_is_read_as_it_was_written() {
    // The format has milliseconds.
    let began = SystemTime::UNIX_EPOCH + Duration::from_millis(1_790_000_000_250);
    let written = [
        interval(began, &[0, 1, 900, 1_234_567]),
        interval(began + Duration::from_secs(3), &[]),
        interval(began + Duration::from_secs(6), &[u64::MAX]),
    ];
    let file = tempfile::NamedTempFile::new().unwrap();
    write(file.path(), "answers\nof two lines", &written).unwrap();
    assert_eq!(read(file.path()).unwrap(), written);
}

#[test]
fn the_file_says_what_it_holds() {
    let file = tempfile::NamedTempFile::new().unwrap();
    write(file.path(), "answers", &[interval(SystemTime::now(), &[2_000])]).unwrap();
    let text = std::fs::read_to_string(file.path()).unwrap();
    assert!(text.starts_with("#answers\n#values in microseconds"), "{text}");
    let line = text.lines().last().unwrap();
    // Its largest value, in milliseconds, is the third column; the name of the compressed form begins the fourth.
    assert!(line.starts_with("0.000,1.500,2.0") && line.contains(",HISTFAA"), "{line}");
}

#[test]
fn another_file_is_refused() {
    let file = tempfile::NamedTempFile::new().unwrap();
    for text in ["no log", "0.0,1.0,2.0,####\n", "0.0,1.0,2.0,AAAA\n"] {
        std::fs::write(file.path(), text).unwrap();
        assert!(read(file.path()).is_err(), "{text}");
    }
}
