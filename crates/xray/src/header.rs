//! The tracing header, `X-Amzn-Trace-Id`, which is also EventBridge's `TraceHeader` and SQS's `AWSTraceHeader`.
//!
//! Specified at <https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader>.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::{ParseIdError, SegmentId, TraceId};

/// Most characters that the unknown fields may take together.
///
/// The `TraceHeader` of a PutEvents entry takes at most 500 characters, and a longer one fails the whole request
/// (<https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEventsRequestEntry.html>). With this
/// limit the header still fits once Root, Parent and Sampled are filled in.
pub const MAX_EXTRA_LENGTH: usize = 400;

/// Whether the trace is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SamplingDecision {
    /// `Sampled=1`.
    Sampled,
    /// `Sampled=0`.
    NotSampled,
    /// `Sampled=?`: the receiver decides.
    Requested,
}

/// A tracing header, written as `Root=…;Parent=…;Sampled=…` followed by the unknown fields in their order.
///
/// Parsing is lenient about form (any order of fields, spaces around them, empty fields, upper-case hexadecimal) and
/// strict about content: one invalid field invalidates the whole header, because half a context would join the wrong
/// traces.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TraceHeader {
    /// The trace.
    pub root: Option<TraceId>,
    /// The segment or subsegment that made the call.
    pub parent: Option<SegmentId>,
    /// The sampling decision, if one was made or requested.
    pub sampled: Option<SamplingDecision>,
    /// Fields that are passed on unread, such as `Self` (load balancers) and `Lineage` (loop detection), in their order.
    pub extra: Vec<(String, String)>,
}

/// Why a string is not a tracing header. It is not repeated, because it comes from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum HeaderError {
    /// Nothing but separators and spaces.
    #[error("the trace header is empty")]
    Empty,
    /// A part between semicolons is not `name=value`.
    #[error("the trace header has a field that is not name=value")]
    Malformed,
    /// A character outside printable ASCII.
    #[error("the trace header has a character that is not printable ASCII")]
    InvalidCharacter,
    /// `Root` is not a trace id.
    #[error("the trace header has an invalid root: {0}")]
    InvalidRoot(#[source] ParseIdError),
    /// `Parent` is not a segment id.
    #[error("the trace header has an invalid parent: {0}")]
    InvalidParent(#[source] ParseIdError),
    /// `Sampled` is none of `1`, `0` and `?`.
    #[error("the trace header has a sampling decision other than 1, 0 and ?")]
    InvalidSampled,
    /// `Root`, `Parent` or `Sampled` occurs twice.
    #[error("the trace header has a field twice: {0}")]
    Repeated(&'static str),
    /// The unknown fields take more than [`MAX_EXTRA_LENGTH`] characters.
    #[error("the trace header has more than {MAX_EXTRA_LENGTH} characters of unknown fields")]
    TooLong,
}

const ROOT: &str = "Root";
const PARENT: &str = "Parent";
const SAMPLED: &str = "Sampled";

impl fmt::Display for SamplingDecision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sampled => "1",
            Self::NotSampled => "0",
            Self::Requested => "?",
        })
    }
}

impl fmt::Display for TraceHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        if let Some(root) = self.root {
            write!(f, "{ROOT}={root}")?;
            separator = ";";
        }
        if let Some(parent) = self.parent {
            write!(f, "{separator}{PARENT}={parent}")?;
            separator = ";";
        }
        if let Some(sampled) = self.sampled {
            write!(f, "{separator}{SAMPLED}={sampled}")?;
            separator = ";";
        }
        for (name, value) in &self.extra {
            write!(f, "{separator}{name}={value}")?;
            separator = ";";
        }
        Ok(())
    }
}

impl FromStr for TraceHeader {
    type Err = HeaderError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if !text.bytes().all(|byte| matches!(byte, b' '..=b'~' | b'\t')) {
            return Err(HeaderError::InvalidCharacter);
        }
        let mut header = Self::default();
        let mut fields = 0;
        let mut extra_length = 0;
        for part in text.split(';').map(str::trim).filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').ok_or(HeaderError::Malformed)?;
            let (name, value) = (name.trim(), value.trim());
            fields += 1;
            match name {
                "" => return Err(HeaderError::Malformed),
                ROOT => set(&mut header.root, ROOT, value.parse().map_err(HeaderError::InvalidRoot)?)?,
                PARENT => {
                    set(&mut header.parent, PARENT, value.parse().map_err(HeaderError::InvalidParent)?)?;
                }
                SAMPLED => set(&mut header.sampled, SAMPLED, value.parse()?)?,
                _ => {
                    extra_length += name.len() + value.len() + 2;
                    header.extra.push((name.to_owned(), value.to_owned()));
                }
            }
        }
        if extra_length > MAX_EXTRA_LENGTH {
            return Err(HeaderError::TooLong);
        }
        if fields == 0 { Err(HeaderError::Empty) } else { Ok(header) }
    }
}

fn set<T>(place: &mut Option<T>, name: &'static str, value: T) -> Result<(), HeaderError> {
    if place.replace(value).is_some() { Err(HeaderError::Repeated(name)) } else { Ok(()) }
}

impl FromStr for SamplingDecision {
    type Err = HeaderError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "1" => Ok(Self::Sampled),
            "0" => Ok(Self::NotSampled),
            "?" => Ok(Self::Requested),
            _ => Err(HeaderError::InvalidSampled),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ID: &str = "1-5759e988-bd862e3fe1be46a994272793";

    fn parse(text: &str) -> Result<TraceHeader, HeaderError> {
        text.parse()
    }

    #[test]
    fn the_usual_header_is_read() {
        let header =
            parse("Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1").unwrap();
        assert_eq!(header.root, Some(ID.parse().unwrap()));
        assert_eq!(header.parent, Some("53995c3f42cd8ad8".parse().unwrap()));
        assert_eq!(header.sampled, Some(SamplingDecision::Sampled));
        assert!(header.extra.is_empty());
    }

    #[test]
    fn a_load_balancers_header_keeps_self() {
        let text = "Self=1-67891234-12456789abcdef012345678;Root=1-5759e988-bd862e3fe1be46a994272793";
        let header = parse(text).unwrap();
        assert_eq!(header.root, Some(ID.parse().unwrap()));
        assert_eq!(header.parent, None);
        assert_eq!(
            header.to_string(),
            "Root=1-5759e988-bd862e3fe1be46a994272793;Self=1-67891234-12456789abcdef012345678"
        );
    }

    #[test]
    fn order_spaces_and_empty_fields_do_not_matter() {
        let header =
            parse(" Sampled=? ;; Lineage=1:a87bd80c:0; Root = 1-5759E988-BD862E3FE1BE46A994272793 ;")
                .unwrap();
        assert_eq!(header.sampled, Some(SamplingDecision::Requested));
        assert_eq!(header.extra, [("Lineage".to_owned(), "1:a87bd80c:0".to_owned())]);
        assert_eq!(header.to_string(), format!("Root={ID};Sampled=?;Lineage=1:a87bd80c:0"));
    }

    #[test]
    fn a_header_may_have_only_a_root_or_no_root() {
        assert_eq!(parse(&format!("Root={ID}")).unwrap().to_string(), format!("Root={ID}"));
        assert_eq!(parse("Sampled=0").unwrap().root, None);
    }

    #[test]
    fn invalid_headers_are_refused_with_the_reason() {
        let cases = [
            ("", HeaderError::Empty),
            (" ; ;", HeaderError::Empty),
            ("malformed", HeaderError::Malformed),
            ("=1", HeaderError::Malformed),
            ("Root=rubbish", HeaderError::InvalidRoot(ParseIdError::MalformedTraceId)),
            ("Root=", HeaderError::InvalidRoot(ParseIdError::MalformedTraceId)),
            ("Root=1-00000000-000000000000000000000000", HeaderError::InvalidRoot(ParseIdError::Zero)),
            ("Parent=0000000000000000", HeaderError::InvalidParent(ParseIdError::Zero)),
            ("Parent=53995c3f42cd8ad8f", HeaderError::InvalidParent(ParseIdError::MalformedSegmentId)),
            ("Sampled=true", HeaderError::InvalidSampled),
            ("Sampled=1;Sampled=1", HeaderError::Repeated("Sampled")),
            ("Self=1\r\nX-Other: 1", HeaderError::InvalidCharacter),
            ("Self=é", HeaderError::InvalidCharacter),
        ];
        for (text, error) in cases {
            assert_eq!(parse(text), Err(error), "{text:?}");
        }
        assert_eq!(parse(&format!("Root={ID};Self={}", "x".repeat(400))), Err(HeaderError::TooLong));
    }

    fn any_header() -> impl Strategy<Value = TraceHeader> {
        let decision = prop_oneof![
            Just(SamplingDecision::Sampled),
            Just(SamplingDecision::NotSampled),
            Just(SamplingDecision::Requested)
        ];
        let extra = proptest::collection::vec(("[A-Z][a-z]{2,8}x", "[0-9a-zA-Z:=-]{0,40}"), 0..4);
        let ids = (proptest::option::of(any::<[u8; 16]>()), proptest::option::of(any::<[u8; 8]>()));
        (ids, proptest::option::of(decision), extra).prop_map(|((root, parent), sampled, extra)| {
            TraceHeader {
                root: root.filter(|bytes| *bytes != [0; 16]).map(TraceId::from_bytes),
                parent: parent.filter(|bytes| *bytes != [0; 8]).map(SegmentId::from_bytes),
                sampled,
                extra,
            }
        })
    }

    proptest! {
        #[test]
        fn a_header_survives_being_written_and_read(header in any_header()) {
            let text = header.to_string();
            if header == TraceHeader::default() {
                prop_assert_eq!(parse(&text), Err(HeaderError::Empty));
            } else {
                prop_assert_eq!(parse(&text), Ok(header));
                prop_assert!(text.len() <= 500);
            }
        }

        #[test]
        fn reading_and_writing_is_idempotent(text in "(Root=1-5759e988-bd862e3fe1be46a994272793|Parent=53995c3f42cd8ad8|Sampled=[01?]|[A-D]=[a-z]{0,3}|[;= a-zA-Z0-9-]{0,9}){0,6}(;)?") {
            if let Ok(header) = parse(&text) {
                prop_assert_eq!(parse(&header.to_string()), Ok(header));
            }
        }
    }
}
