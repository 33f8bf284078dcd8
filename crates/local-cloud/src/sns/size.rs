//! The size of a message, and its limit.

use rustack_sns_model::types::PublishBatchRequestEntry;

/// Largest size of one message, or of all messages of a batch (SNS quotas).
pub(super) const MAX_BYTES: usize = 256 * 1024;

/// Returns the size that counts towards [`MAX_BYTES`].
pub(super) fn size_of(entry: &PublishBatchRequestEntry) -> usize {
    let attributes: usize = entry
        .message_attributes
        .iter()
        .map(|(name, value)| {
            name.len()
                + value.data_type.len()
                + value.string_value.as_ref().map_or(0, String::len)
                + value.binary_value.as_ref().map_or(0, String::len)
        })
        .sum();
    entry.message.len() + attributes
}
