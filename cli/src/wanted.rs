//! The id by which a user looks something up.

use uuid::Uuid;
use xray::{TraceHeader, TraceId};

/// An id, in any form found in logs, traces, headers and messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// An event id or a correlation id, or in log lines a message id.
    Event(Uuid),
    /// A trace id.
    Trace(TraceId),
    /// 32 hexadecimal digits: a trace id as OpenTelemetry writes it, or an event id without hyphens.
    TraceOrEvent(TraceId, Uuid),
    /// A customer number.
    Customer(String),
}

impl std::str::FromStr for Wanted {
    type Err = String;

    /// Reads an id, or a pasted `X-Amzn-Trace-Id` or `traceparent`, with the name of the header or without.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let value = text.split_once(':').map_or(text, |(_, value)| value.trim());
        if let Ok(TraceHeader { root: Some(root), .. }) = value.parse() {
            return Ok(Self::Trace(root));
        }
        if let ["00", trace, parent, flags] = value.split('-').collect::<Vec<_>>()[..]
            && (trace.len(), parent.len(), flags.len()) == (32, 16, 2)
            && let Ok(id) = trace.parse()
        {
            return Ok(Self::Trace(id));
        }
        if !text.is_empty() && text.len() <= 20 && text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Ok(Self::Customer(text.to_owned()));
        }
        match (text.parse::<TraceId>(), text.parse::<Uuid>()) {
            (Ok(trace), Ok(event)) => Ok(Self::TraceOrEvent(trace, event)),
            (Ok(trace), Err(_)) => Ok(Self::Trace(trace)),
            (Err(_), Ok(event)) => Ok(Self::Event(event)),
            (Err(_), Err(_)) => Err(
                "neither an event id (a UUID), nor a trace id (1-5759e988-bd862e3fe1be46a994272793, or its \
                 32 digits), nor a customer number, nor a trace header"
                    .to_owned(),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_told_apart_by_their_form() {
        let parse = |text: &str| text.parse::<Wanted>();
        let event = "0190b7c4-3c6e-4a50-8d2c-6a9f6a1b2c3d";
        assert_eq!(parse(event), Ok(Wanted::Event(event.parse().unwrap())));
        let trace = Wanted::Trace("1-5759e988-bd862e3fe1be46a994272793".parse().unwrap());
        for form in [
            "1-5759e988-bd862e3fe1be46a994272793",
            "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1",
            "X-Amzn-Trace-Id: Self=1-67891234-12456789abcdef012345678;Root=1-5759e988-bd862e3fe1be46a994272793",
            "00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-01",
            "traceparent: 00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-01 ",
        ] {
            assert_eq!(parse(form), Ok(trace.clone()), "{form}");
        }
        let both = "0190b7c43c6e4a508d2c6a9f6a1b2c3d";
        assert_eq!(parse(both), Ok(Wanted::TraceOrEvent(both.parse().unwrap(), both.parse().unwrap())));
        assert_eq!(parse("123456789012"), Ok(Wanted::Customer("123456789012".to_owned())));
        for rubbish in ["", "rubbish", "Root=rubbish", "00-0-0-0", "1-2-3"] {
            assert!(parse(rubbish).unwrap_err().starts_with("neither"), "{rubbish}");
        }
    }
}
