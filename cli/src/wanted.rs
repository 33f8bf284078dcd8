//! The id that a person looks something up by.

use uuid::Uuid;
use xray::TraceId;

/// An id of an event or of a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// An event id or a correlation id.
    Event(Uuid),
    /// A trace id.
    Trace(TraceId),
}

impl std::str::FromStr for Wanted {
    type Err = String;

    /// A UUID with hyphens is an event id; `1-…` and 32 hexadecimal digits are trace ids.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        if text.len() == 36
            && let Ok(id) = text.parse()
        {
            return Ok(Self::Event(id));
        }
        text.parse().map(Self::Trace).map_err(|_| {
            "neither an event id (a UUID with hyphens) nor a trace id (1-5759e988-bd862e3fe1be46a994272793, or its 32 \
             digits)"
                .to_owned()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_told_apart_by_their_form() {
        let (event, trace) = ("0190b7c4-3c6e-4a50-8d2c-6a9f6a1b2c3d", "1-5759e988-bd862e3fe1be46a994272793");
        assert!(matches!(event.parse(), Ok(Wanted::Event(_))));
        assert!(matches!(trace.parse(), Ok(Wanted::Trace(_))));
        assert!("rubbish".parse::<Wanted>().unwrap_err().starts_with("neither"));
    }
}
