//! Renders dead letters for people.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use jiff::Timestamp;
use serde_json::Value;

use super::letter::Letter;
use crate::style::{Colour, Style, printable};

/// Renders messages in groups of one queue and one reason, a line each.
pub(super) fn list(letters: &[Letter], style: Style) -> String {
    let mut groups: BTreeMap<(&str, &str), Vec<&Letter>> = BTreeMap::new();
    for letter in letters {
        groups.entry((&letter.queue.name, &letter.reason)).or_default().push(letter);
    }
    let mut text = String::new();
    for ((queue, reason), letters) in groups {
        let count = match letters.len() {
            1 => "1 message".to_owned(),
            count => format!("{count} messages"),
        };
        let forced = if letters.iter().any(|letter| letter.is_permanent()) {
            ", redriven only with --force"
        } else {
            ""
        };
        let queue = style.paint(Colour::Bold, queue);
        let reason = style.paint(Colour::Red, &printable(reason));
        // Writing to a String cannot fail.
        _ = writeln!(text, "{queue}  {reason}  {count}{forced}");
        for letter in letters {
            _ = writeln!(text, "  {}", line(letter, style));
        }
    }
    text.truncate(text.trim_end().len());
    text
}

fn line(letter: &Letter, style: Style) -> String {
    let mut parts = vec![name(letter)];
    if let Some(event) = &letter.event {
        parts.push(printable(&event.kind));
        parts
            .extend(event.customer_number.as_deref().map(|number| format!("customer {}", printable(number))));
    }
    parts.extend(attempts(letter).map(|attempts| format!("attempts {attempts}")));
    parts.push(style.paint(Colour::Dim, &format!("{} ago", age(letter.failed_at, Timestamp::now()))));
    parts.extend(letter.trace_id().map(|id| style.paint(Colour::Dim, &id.to_string())));
    parts.join("  ")
}

/// Returns the id that names a message: the event's, which is in logs and traces too, or else the message's own.
pub(super) fn name(letter: &Letter) -> String {
    letter.event.as_ref().map_or_else(|| printable(&letter.message_id), |event| event.id.to_string())
}

fn attempts(letter: &Letter) -> Option<String> {
    match letter.explanation.get("attempts")? {
        Value::String(attempts) => Some(printable(attempts)),
        Value::Number(attempts) => Some(attempts.to_string()),
        _ => None,
    }
}

/// Renders everything known about a message, one fact to a line.
pub(super) fn show(letter: &Letter, with_body: bool) -> String {
    let mut text = format!("{}\n", name(letter));
    let mut fact = |name: &str, value: &str| {
        _ = writeln!(text, "  {name:<16}{}", printable(value));
    };
    fact("message", &letter.message_id);
    fact("queue", &letter.queue.name);
    fact("reason", &letter.reason);
    fact("failed", &letter.failed_at.to_string());
    if let Some(event) = &letter.event {
        fact("type", &event.kind);
        fact("customer", event.customer_number.as_deref().unwrap_or("-"));
    }
    // The others are printed above.
    let explanation =
        letter.explanation.iter().filter(|(name, _)| !["reason", "failed_at"].contains(&name.as_str()));
    for (name, value) in explanation {
        match value {
            Value::Null => {}
            Value::String(value) => fact(name, value),
            other => fact(name, &other.to_string()),
        }
    }
    let mut attributes: Vec<_> = letter.attributes.iter().collect();
    attributes.sort_unstable_by_key(|(name, _)| *name);
    for (name, value) in attributes {
        fact("attribute", &format!("{name} = {}", value.string_value().unwrap_or("(binary)")));
    }
    fact("trace header", letter.trace_header.as_deref().unwrap_or("-"));
    if with_body {
        fact("body", &letter.body);
    }
    text
}

/// Returns a length of time in its two largest units.
fn age(from: Timestamp, to: Timestamp) -> String {
    let seconds = to.duration_since(from).as_secs().max(0);
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_has_its_two_largest_units() {
        let to = Timestamp::from_second(1_000_000).unwrap();
        let ages = [(9, "9 s"), (61, "1 min"), (7384, "2 h 3 min"), (200_000, "2 d 7 h"), (-5, "0 s")];
        for (seconds, expected) in ages {
            let from = Timestamp::from_second(1_000_000 - seconds).unwrap();
            assert_eq!(age(from, to), expected);
        }
    }
}
