//! Log lines that went through `docker compose logs`.

use serde_json::Value;

use super::line::Line;
use super::select::Record;

/// Reads the record in a line as a service wrote it or as `docker compose logs` prints it: behind the name of its
/// container and perhaps a timestamp, with or without colour. Returns `None` for any other line.
pub(crate) fn prefixed(line: &str) -> Option<Record> {
    let start = line.find('{')?;
    // Behind the record there may be a carriage return or the end of a colour.
    let end = line.rfind('}')?;
    let Line::Record(fields) = Line::read(line.get(start..=end)?) else { return None };
    let service = match fields.get("service").and_then(Value::as_str) {
        Some(service) => service.to_owned(),
        None => container(&line[..start]),
    };
    Some(Record { service, fields })
}

/// Returns the service of a prefix such as `membership-1  | `; nothing if there is no prefix.
fn container(prefix: &str) -> String {
    let Some((name, _)) = prefix.split_once('|') else { return String::new() };
    let name = name.trim();
    // A colour is the character ESC and the codes up to the letter m.
    let name = match name.strip_prefix('\u{1b}').and_then(|codes| codes.split_once('m')) {
        Some((_, name)) => name,
        None => name,
    };
    match name.rsplit_once('-') {
        Some((service, number)) if number.parse::<u32>().is_ok() => service.to_owned(),
        _ => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Option<(String, String)> {
        prefixed(line).map(|record| {
            let message = record.fields["message"].as_str().unwrap_or_default().to_owned();
            (record.service, message)
        })
    }

    #[test]
    fn a_record_is_found_behind_the_prefix_of_compose() {
        let expected = Some(("email".to_owned(), "sent {1}".to_owned()));
        for line in [
            r#"{"message":"sent {1}","service":"email"}"#,
            "email-1  | {\"message\":\"sent {1}\"}\r\n",
            "\u{1b}[36memail-1       | \u{1b}[0m{\"message\":\"sent {1}\"}",
            "\u{1b}[36memail-12  |\u{1b}[0m 2026-11-23T02:34:05.006789123Z {\"message\":\"sent {1}\"}\u{1b}[0m",
            r#"foostore-email-1 | {"message":"sent {1}","service":"email"}"#,
        ] {
            assert_eq!(read(line), expected, "{line}");
        }
        assert_eq!(read(r#"wallet-pass-2 | {"message":"m"}"#).unwrap().0, "wallet-pass");
    }

    #[test]
    fn other_lines_are_no_records() {
        for line in [
            "",
            "email-1 | thread 'main' panicked",
            "tempo-1 | {level=info}",
            "a } b {",
            "grafana | {\"a\":1}",
        ] {
            assert_eq!(read(line), None, "{line}");
        }
    }
}
