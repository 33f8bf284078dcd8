//! The places of entries in the index of a customer's ledger, as texts whose order is that of the places.

use jiff::Timestamp;
use jiff::fmt::temporal::DateTimePrinter;
use uuid::Uuid;

use crate::domain::{Mark, Movement};

/// Writes times with nine decimal places, so that their order as texts is theirs as times. Points that count are earned
/// after the year 0 and before 9999.
const SORTABLE: DateTimePrinter = DateTimePrinter::new().precision(Some(9));
/// In place of the time where points do not count: before every time.
const NEVER: &str = "-";
const SEPARATOR: char = '#';

/// Returns the place of an entry.
pub(crate) fn place(movement: &Movement) -> String {
    if movement.counts { text(movement.mark()) } else { format!("{NEVER}{SEPARATOR}{}", movement.event_id) }
}

/// Returns the place of points that count.
pub(crate) fn text(mark: Mark) -> String {
    format!("{}{SEPARATOR}{}", SORTABLE.timestamp_to_string(&mark.at), mark.event_id)
}

/// Reads the place of points that count; `None` if they do not.
pub(crate) fn read(place: &str) -> Option<Mark> {
    let (at, event_id) = place.split_once(SEPARATOR)?;
    Some(Mark { at: at.parse::<Timestamp>().ok()?, event_id: event_id.parse::<Uuid>().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Kind;

    #[test]
    fn texts_are_in_the_order_of_their_marks_and_what_does_not_count_comes_first() {
        let mark = |at: &str, id| Mark { at: at.parse().unwrap(), event_id: Uuid::from_u128(id) };
        let marks = [
            mark("2026-01-01T00:00:00Z", 9),
            mark("2026-01-01T00:00:00.000000001Z", 1),
            mark("2026-01-01T00:00:00.000000001Z", u128::MAX - 1),
            mark("2026-01-01T00:00:00.1Z", 2),
            mark("2027-01-01T00:00:00Z", 0),
        ];
        let texts: Vec<_> = marks.into_iter().map(text).collect();
        assert!(marks.is_sorted() && texts.is_sorted(), "{texts:?}");
        for (mark, text) in marks.into_iter().zip(&texts) {
            assert_eq!(read(text), Some(mark));
        }
        let points = 5.try_into().unwrap();
        let never = place(&Movement::new(Uuid::max(), Kind::Redeemed, points, Timestamp::MAX));
        assert!(never < texts[0] && read(&never).is_none(), "{never}");
    }
}
