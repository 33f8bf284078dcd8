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
/// Only an invalid `Root`, or two that differ, make a header invalid, because the trace would be a wrong one. Everything
/// else costs no more than itself, so that one odd field does not break a trace:
///
/// | in the header | is read as |
/// |---|---|
/// | any order of fields, spaces around them, empty fields, names and hexadecimal digits in either case | the same |
/// | a `Parent` that is empty, zero or not a segment id; two that differ | none |
/// | a `Sampled` other than `1`, `0` and `?`; two that differ | no decision |
/// | a part that is not `name=value`, an unknown field with a character that is not printable ASCII | absent |
/// | unknown fields beyond [`MAX_EXTRA_LENGTH`] | absent |
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
    /// No field that can be read.
    #[error("the trace header is empty")]
    Empty,
    /// `Root` is not a trace id.
    #[error("the trace header has an invalid root: {0}")]
    InvalidRoot(#[source] ParseIdError),
    /// `Root` occurs twice, with different traces.
    #[error("the trace header has two roots")]
    TwoRoots,
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
        if let Some(header) = Self::usual(text) {
            return Ok(header);
        }
        let mut header = Self::default();
        let (mut parent, mut sampled) = (Field::Absent, Field::Absent);
        let mut extra_length = 0;
        for part in text.split(';') {
            let Some((name, value)) = part.split_once('=') else { continue };
            let (name, value) = (name.trim(), value.trim());
            if name.eq_ignore_ascii_case(ROOT) {
                let root = value.parse().map_err(HeaderError::InvalidRoot)?;
                if header.root.replace(root).is_some_and(|first| first != root) {
                    return Err(HeaderError::TwoRoots);
                }
            } else if name.eq_ignore_ascii_case(PARENT) {
                parent.read(value.parse().ok());
            } else if name.eq_ignore_ascii_case(SAMPLED) {
                sampled.read(SamplingDecision::read(value));
            } else if !name.is_empty() && is_printable(name) && is_printable(value) {
                let length = name.len() + value.len() + 2;
                if extra_length + length <= MAX_EXTRA_LENGTH {
                    extra_length += length;
                    header.extra.push((name.to_owned(), value.to_owned()));
                }
            }
        }
        header.parent = parent.value();
        header.sampled = sampled.value();
        if header == Self::default() { Err(HeaderError::Empty) } else { Ok(header) }
    }
}

impl TraceHeader {
    /// Reads `Root=…;Parent=…;Sampled=…` with nothing before, between or after. Nearly every header is that, and reading it
    /// so takes a fraction of the time. `None` says nothing about the header.
    fn usual(text: &str) -> Option<Self> {
        let (root, rest) = text.strip_prefix("Root=")?.split_at_checked(TraceId::LENGTH)?;
        let (parent, rest) = rest.strip_prefix(";Parent=")?.split_at_checked(SegmentId::LENGTH)?;
        Some(Self {
            root: Some(root.parse().ok()?),
            parent: Some(parent.parse().ok()?),
            sampled: Some(SamplingDecision::read(rest.strip_prefix(";Sampled=")?)?),
            extra: Vec::new(),
        })
    }
}

/// A field that may occur more than once.
enum Field<T> {
    Absent,
    Once(T),
    /// Invalid, or with two values.
    Unknown,
}

impl<T: PartialEq> Field<T> {
    fn read(&mut self, value: Option<T>) {
        *self = match (&self, value) {
            (Self::Absent, Some(value)) => Self::Once(value),
            (Self::Once(first), Some(value)) if *first == value => Self::Once(value),
            _ => Self::Unknown,
        };
    }

    fn value(self) -> Option<T> {
        match self {
            Self::Once(value) => Some(value),
            Self::Absent | Self::Unknown => None,
        }
    }
}

impl SamplingDecision {
    fn read(text: &str) -> Option<Self> {
        match text {
            "1" => Some(Self::Sampled),
            "0" => Some(Self::NotSampled),
            "?" => Some(Self::Requested),
            _ => None,
        }
    }
}

fn is_printable(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
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
    fn an_odd_field_costs_no_more_than_itself() {
        let root = format!("Root={ID}");
        let long = "x".repeat(MAX_EXTRA_LENGTH);
        let cases = [
            (format!("{root};Parent=;Sampled=1"), format!("{root};Sampled=1")),
            (format!("{root};Parent=0000000000000000;Sampled=1"), format!("{root};Sampled=1")),
            (format!("{root};Parent=53995c3f42cd8ad8f"), root.clone()),
            (format!("{root};Parent=53995c3f42cd8ad8;Parent=00f067aa0ba902b7"), root.clone()),
            (
                format!("{root};Parent=53995c3f42cd8ad8;Parent=53995C3F42CD8AD8"),
                format!("{root};Parent=53995c3f42cd8ad8"),
            ),
            (format!("{root};Sampled=true"), root.clone()),
            (format!("{root};Sampled="), root.clone()),
            (format!("{root};Sampled=1;Sampled=0"), root.clone()),
            (format!("{root};Sampled=1;Sampled=x"), root.clone()),
            (format!("{root};word;Sampled=1"), format!("{root};Sampled=1")),
            (format!("{root};=1;Self=a"), format!("{root};Self=a")),
            (format!("{root};Name=Müller;Self=a"), format!("{root};Self=a")),
            (format!("{root};A={long};Self=a"), format!("{root};Self=a")),
            (format!("{root};{root}"), root.clone()),
            (
                format!("root={ID};PARENT=53995c3f42cd8ad8;sampled=0"),
                format!("{root};Parent=53995c3f42cd8ad8;Sampled=0"),
            ),
            (format!("{root};Self=1\r\nX-Other: 1"), root.clone()),
        ];
        for (text, expected) in cases {
            assert_eq!(parse(&text).map(|header| header.to_string()), Ok(expected), "{text:?}");
        }
    }

    #[test]
    fn a_header_without_a_trace_to_rely_on_is_refused_with_the_reason() {
        let cases = [
            ("", HeaderError::Empty),
            (" ; ;", HeaderError::Empty),
            ("malformed", HeaderError::Empty),
            ("=1", HeaderError::Empty),
            ("Self=é", HeaderError::Empty),
            ("Root=rubbish", HeaderError::InvalidRoot(ParseIdError::MalformedTraceId)),
            ("Root=", HeaderError::InvalidRoot(ParseIdError::MalformedTraceId)),
            ("Root=1-00000000-000000000000000000000000", HeaderError::InvalidRoot(ParseIdError::Zero)),
            (
                "Root=1-5759e988-bd862e3fe1be46a994272793;Root=1-5759e988-bd862e3fe1be46a994272794",
                HeaderError::TwoRoots,
            ),
        ];
        for (text, error) in cases {
            assert_eq!(parse(text), Err(error), "{text:?}");
        }
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
        fn the_usual_header_is_read_as_any_other(root: [u8; 16], parent: [u8; 8], sampled in "[01?x]|", upper: bool) {
            let (root, parent) = (TraceId::from_bytes(root), SegmentId::from_bytes(parent));
            let text = format!("Root={root};Parent={parent};Sampled={sampled}");
            let text = if upper { text.replace('a', "A") } else { text };
            // An empty field makes it unusual.
            prop_assert_eq!(parse(&text), parse(&format!("{text};")));
        }

        #[test]
        fn reading_and_writing_is_idempotent(text in "(Root=1-5759e988-bd862e3fe1be46a994272793|Parent=53995c3f42cd8ad8|Sampled=[01?]|[A-D]=[a-z]{0,3}|[;= a-zA-Z0-9-]{0,9}){0,6}(;)?") {
            if let Ok(header) = parse(&text) {
                prop_assert_eq!(parse(&header.to_string()), Ok(header));
            }
        }
    }
}
