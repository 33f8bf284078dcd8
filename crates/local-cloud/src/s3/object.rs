//! An object: its bytes, and what requests can read about it.

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::bodies::Body;
use super::checksum::Checksum;

/// Members that an object returns as they were given.
pub(super) const GIVEN: [&str; 6] =
    ["CacheControl", "ContentDisposition", "ContentEncoding", "ContentLanguage", "ContentType", "Expires"];

pub(super) struct Object {
    pub(super) body: Body,
    pub(super) length: usize,
    /// In quotation marks, as everywhere on the wire.
    pub(super) etag: String,
    pub(super) modified: Timestamp,
    pub(super) checksum: Checksum,
    pub(super) storage_class: String,
    /// The members [`GIVEN`], the metadata and the encryption.
    pub(super) members: Map<String, Value>,
}

impl std::fmt::Debug for Object {
    /// Leaves out bytes and metadata, which may be personal.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Object")
            .field("etag", &self.etag)
            .field("length", &self.length)
            .finish_non_exhaustive()
    }
}

impl Object {
    /// Returns the members of an output that describe the object.
    pub(super) fn described(&self, with_checksum: bool) -> Map<String, Value> {
        let mut members = self.members.clone();
        members.insert("ETag".to_owned(), self.etag.as_str().into());
        members.insert("LastModified".to_owned(), self.modified.as_second().into());
        members.insert("AcceptRanges".to_owned(), "bytes".into());
        members.insert("ContentLength".to_owned(), self.length.into());
        if self.storage_class != "STANDARD" {
            members.insert("StorageClass".to_owned(), self.storage_class.as_str().into());
        }
        if with_checksum {
            members.extend(of_checksum(&self.checksum));
        }
        members
    }
}

/// Returns the members of an output that carry a checksum.
pub(super) fn of_checksum(checksum: &Checksum) -> [(String, Value); 2] {
    [(checksum.member(), checksum.value.as_str().into()), ("ChecksumType".to_owned(), "FULL_OBJECT".into())]
}
