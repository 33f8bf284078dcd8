//! One change of an item, and what a stream shows of it.

use serde_json::{Map, Value, json};

use super::super::size;

/// The first sequence number is the one after this. Sequence numbers have 21 to 40 digits (API reference, `StreamRecord`).
const SEQUENCE_NUMBERS_AFTER: u128 = 100_000_000_000_000_000_000;

/// A change as the engine recorded it, with both images.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    pub(crate) table: String,
    pub(crate) event_name: String,
    pub(crate) keys: String,
    pub(crate) new_image: Option<String>,
    pub(crate) old_image: Option<String>,
    /// Whether the item expired.
    pub(crate) by_time_to_live: bool,
}

impl Change {
    /// Returns whether the item changed. A write that changes nothing makes no record
    /// (developer guide, "Change data capture for DynamoDB Streams").
    pub(super) fn changes_something(&self) -> bool {
        let (Some(old), Some(new)) = (&self.old_image, &self.new_image) else { return true };
        if old == new {
            return false;
        }
        // Images that differ only in the order of members and of the elements of sets have the same bytes in another order,
        // and few others do. Only these have to be read.
        if bytes_of(old) != bytes_of(new) {
            return true;
        }
        match (serde_json::from_str::<Value>(old), serde_json::from_str::<Value>(new)) {
            (Ok(mut old), Ok(mut new)) => {
                size::sort_sets(&mut old);
                size::sort_sets(&mut new);
                old != new
            }
            _ => true,
        }
    }
}

/// Returns how often each byte occurs in a text.
fn bytes_of(text: &str) -> [usize; 256] {
    let mut counts = [0; 256];
    for byte in text.bytes() {
        counts[usize::from(byte)] += 1;
    }
    counts
}

/// What a stream shows of each change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum View {
    KeysOnly,
    NewImage,
    OldImage,
    NewAndOldImages,
}

impl View {
    pub(crate) fn read(name: &str) -> Option<Self> {
        Some(match name {
            "KEYS_ONLY" => Self::KeysOnly,
            "NEW_IMAGE" => Self::NewImage,
            "OLD_IMAGE" => Self::OldImage,
            "NEW_AND_OLD_IMAGES" => Self::NewAndOldImages,
            _ => return None,
        })
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::KeysOnly => "KEYS_ONLY",
            Self::NewImage => "NEW_IMAGE",
            Self::OldImage => "OLD_IMAGE",
            Self::NewAndOldImages => "NEW_AND_OLD_IMAGES",
        }
    }

    fn shows_new(self) -> bool {
        matches!(self, Self::NewImage | Self::NewAndOldImages)
    }

    fn shows_old(self) -> bool {
        matches!(self, Self::OldImage | Self::NewAndOldImages)
    }
}

/// A record in a stream. Keys and images are kept as the JSON text that the engine stores, the smallest form at hand.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) position: u64,
    pub(crate) created_s: i64,
    event_id: String,
    event_name: String,
    keys: String,
    new_image: Option<String>,
    old_image: Option<String>,
    by_time_to_live: bool,
    view: View,
}

impl Record {
    pub(super) fn new(change: Change, position: u64, view: View, created_s: i64) -> Self {
        Self {
            position,
            created_s,
            event_id: uuid::Uuid::new_v4().simple().to_string(),
            event_name: change.event_name,
            keys: change.keys,
            new_image: change.new_image.filter(|_| view.shows_new()),
            old_image: change.old_image.filter(|_| view.shows_old()),
            by_time_to_live: change.by_time_to_live,
            view,
        }
    }

    pub(crate) fn sequence_number(&self) -> String {
        sequence_number(self.position)
    }

    pub(crate) fn is_by_time_to_live(&self) -> bool {
        self.by_time_to_live
    }

    /// Returns roughly how much memory the record takes, in bytes.
    pub(super) fn bytes(&self) -> usize {
        let images = [&self.new_image, &self.old_image];
        let text: usize = images.into_iter().flatten().map(String::len).sum();
        size_of::<Self>() + self.event_id.len() + self.event_name.len() + self.keys.len() + text
    }

    /// Returns the record as `GetRecords` does (API reference, `Record`). Pipes and Lambda see the same, but for the
    /// identity of the caller.
    pub(crate) fn to_value(&self, region: &str) -> Result<Value, serde_json::Error> {
        let keys: Value = serde_json::from_str(&self.keys)?;
        let mut bytes = size::of_item(&keys);
        let mut change = Map::new();
        for (name, image) in [("NewImage", &self.new_image), ("OldImage", &self.old_image)] {
            if let Some(image) = image {
                let image: Value = serde_json::from_str(image)?;
                bytes += size::of_item(&image);
                change.insert(name.to_owned(), image);
            }
        }
        change.insert("ApproximateCreationDateTime".to_owned(), self.created_s.into());
        change.insert("Keys".to_owned(), keys);
        change.insert("SequenceNumber".to_owned(), self.sequence_number().into());
        change.insert("SizeBytes".to_owned(), bytes.into());
        change.insert("StreamViewType".to_owned(), self.view.name().into());
        let mut record = json!({
            "eventID": self.event_id,
            "eventName": self.event_name,
            "eventVersion": "1.1",
            "eventSource": "aws:dynamodb",
            "awsRegion": region,
        });
        // Apart, since `json!` copies what it is given.
        record["dynamodb"] = Value::Object(change);
        Ok(record)
    }
}

/// Returns the sequence number of the record at a position.
pub(super) fn sequence_number(position: u64) -> String {
    (SEQUENCE_NUMBERS_AFTER + 1 + u128::from(position)).to_string()
}

/// Returns the sequence number that lies before every record.
pub(super) fn sequence_number_before() -> String {
    SEQUENCE_NUMBERS_AFTER.to_string()
}

/// Returns the position that a sequence number stands for.
pub(super) fn position(sequence_number: &str) -> Option<u64> {
    let number: u128 = sequence_number.parse().ok()?;
    u64::try_from(number.checked_sub(SEQUENCE_NUMBERS_AFTER + 1)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(old: &str, new: &str) -> Change {
        Change {
            table: "t".to_owned(),
            event_name: "MODIFY".to_owned(),
            keys: r#"{"pk":{"S":"a"}}"#.to_owned(),
            new_image: Some(new.to_owned()),
            old_image: Some(old.to_owned()),
            by_time_to_live: false,
        }
    }

    #[test]
    fn members_and_set_elements_in_another_order_change_nothing() {
        let old = r#"{"pk":{"S":"a"},"n":{"M":{"s":{"SS":["x","y"]}}}}"#;
        assert!(!change(old, r#"{"n":{"M":{"s":{"SS":["y","x"]}}},"pk":{"S":"a"}}"#).changes_something());
        assert!(change(old, r#"{"n":{"M":{"s":{"SS":["y","z"]}}},"pk":{"S":"a"}}"#).changes_something());
        assert!(
            change(r#"{"l":{"L":[{"S":"SS"},{"S":"b"}]}}"#, r#"{"l":{"L":[{"S":"b"},{"S":"SS"}]}}"#)
                .changes_something()
        );
    }

    #[test]
    fn a_sequence_number_has_21_digits_and_stands_for_its_position() {
        assert_eq!(sequence_number(0).len(), 21);
        assert_eq!(position(&sequence_number(7)), Some(7));
        assert_eq!(position("7"), None);
    }

    #[test]
    fn a_view_hides_images_and_the_size_counts_what_is_shown() {
        let change = || change(r#"{"pk":{"S":"a"},"v":{"S":"old"}}"#, r#"{"pk":{"S":"a"},"v":{"S":"new!"}}"#);
        let shown = |view| Record::new(change(), 0, view, 0).to_value("eu-central-1").unwrap();
        assert_eq!(shown(View::KeysOnly)["dynamodb"]["SizeBytes"], 3);
        let both = shown(View::NewAndOldImages);
        assert_eq!(both["dynamodb"]["SizeBytes"], 3 + 8 + 7);
        assert_eq!(both["dynamodb"]["OldImage"]["v"]["S"], "old");
        assert!(shown(View::NewImage)["dynamodb"].get("OldImage").is_none());
    }
}
