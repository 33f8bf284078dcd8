//! Where segments are stored (<https://docs.aws.amazon.com/xray/latest/api/API_UpdateTraceSegmentDestination.html>).

use std::fmt;

use serde::{Deserialize, Serialize};

use super::error::ControlError;

/// A place for segments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Destination {
    #[default]
    XRay,
    CloudWatchLogs,
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::XRay => "XRay",
            Self::CloudWatchLogs => "CloudWatchLogs",
        })
    }
}

/// The destination that the account has chosen. It is remembered and reported, without effect: this engine keeps segments
/// where it keeps them, and all its queries find them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TraceSegmentDestination {
    pub(crate) destination: Destination,
    /// The ARN of the key for the log group of spans.
    kms_key: Option<String>,
}

impl TraceSegmentDestination {
    pub(crate) fn update(
        &mut self,
        destination: Option<Destination>,
        kms_key: Option<&str>,
    ) -> Result<(), ControlError> {
        let Some(destination) = destination else {
            return Err(ControlError::invalid("Destination must be XRay or CloudWatchLogs"));
        };
        // In AWS's words, on which scripts match.
        if destination == self.destination {
            return Err(ControlError::invalid(format!("The destination is already set to {destination}")));
        }
        if kms_key.is_some() && destination == Destination::XRay {
            return Err(ControlError::invalid(
                "CloudWatchLogsConfiguration can only be given if Destination is CloudWatchLogs",
            ));
        }
        if kms_key.is_some_and(|arn| !is_key_arn(arn)) {
            return Err(ControlError::invalid(
                "CloudWatchLogsConfiguration.SpansLogGroupKmsKeyId must be the ARN of a key, not an id or an alias",
            ));
        }
        *self = Self { destination, kms_key: kms_key.map(str::to_owned) };
        Ok(())
    }
}

fn is_key_arn(arn: &str) -> bool {
    let parts: Vec<_> = arn.splitn(6, ':').collect();
    matches!(parts[..], ["arn", _, "kms", _, _, key] if key.starts_with("key/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_destination_is_set_once() {
        let mut current = TraceSegmentDestination::default();
        let error = current.update(Some(Destination::XRay), None).unwrap_err();
        assert_eq!(error.to_string(), "The destination is already set to XRay");
        current.update(Some(Destination::CloudWatchLogs), None).unwrap();
        let error = current.update(Some(Destination::CloudWatchLogs), None).unwrap_err();
        assert_eq!(error.to_string(), "The destination is already set to CloudWatchLogs");
        current.update(Some(Destination::XRay), None).unwrap();
        assert_eq!(current, TraceSegmentDestination::default());
        assert!(current.update(None, None).is_err());
    }

    #[test]
    fn a_key_is_named_by_its_arn_and_only_for_logs() {
        let mut current = TraceSegmentDestination::default();
        let arn = "arn:aws:kms:eu-central-1:000000000000:key/1234";
        for key in ["1234", "alias/a", "arn:aws:kms:eu-central-1:000000000000:alias/a"] {
            assert!(current.update(Some(Destination::CloudWatchLogs), Some(key)).is_err(), "{key}");
        }
        current.update(Some(Destination::CloudWatchLogs), Some(arn)).unwrap();
        assert_eq!(current.kms_key.as_deref(), Some(arn));
        assert!(current.update(Some(Destination::XRay), Some(arn)).is_err());
    }
}
