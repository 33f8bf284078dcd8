//! The header of a raw message (RFC 5322), as far as SES reads it.

use super::refusal::Refusal;

/// The header fields that a message has once at most.
const SINGLE: [&str; 9] =
    ["bcc", "cc", "date", "from", "message-id", "reply-to", "return-path", "subject", "to"];

/// A header, with its fields in the order of the message.
pub(super) struct Header(Vec<(String, String)>);

impl Header {
    /// Reads the header of a message; lines that continue a field are unfolded.
    pub(super) fn parse(message: &str) -> Result<Self, Refusal> {
        let mut fields: Vec<(String, String)> = Vec::new();
        for line in message.lines().take_while(|line| !line.is_empty()) {
            if line.starts_with([' ', '\t']) {
                let (_, value) = fields.last_mut().ok_or("Illegal header")?;
                value.push(' ');
                value.push_str(line.trim());
            } else {
                let (name, value) = line.split_once(':').ok_or("Illegal header")?;
                fields.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
            }
        }
        for name in SINGLE {
            if fields.iter().filter(|(it, _)| it == name).count() > 1 {
                return Err(Refusal::Invalid(format!("Duplicate header '{}'.", title_case(name))));
            }
        }
        Ok(Self(fields))
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(it, _)| it == name).map(|(_, value)| value.as_str())
    }

    /// Returns the addresses of a field, which are separated by commas outside of quotes.
    pub(super) fn addresses(&self, name: &str) -> Vec<String> {
        let (mut addresses, mut current, mut quoted) = (Vec::new(), String::new(), false);
        for c in self.get(name).unwrap_or_default().chars().chain([',']) {
            quoted ^= c == '"';
            if c == ',' && !quoted {
                addresses.push(std::mem::take(&mut current).trim().to_owned());
            } else {
                current.push(c);
            }
        }
        addresses.retain(|address| !address.is_empty());
        addresses
    }
}

/// Returns `Reply-To` for `reply-to`.
fn title_case(name: &str) -> String {
    let mut start = true;
    name.chars()
        .map(|c| {
            let titled = if start { c.to_ascii_uppercase() } else { c };
            start = c == '-';
            titled
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_unfolded_and_addresses_split() {
        let header = Header::parse(
            "From: \"Shop, Ltd\" <a@b.example>\r\nTo: x@c.example,\r\n y@c.example\r\nSubject: s\r\n\r\nFrom: body",
        );
        let header = header.unwrap();
        assert_eq!(header.addresses("from"), ["\"Shop, Ltd\" <a@b.example>"]);
        assert_eq!(header.addresses("to"), ["x@c.example", "y@c.example"]);
        assert_eq!((header.get("subject"), header.get("cc")), (Some("s"), None));
    }

    #[test]
    fn a_malformed_header_is_refused() {
        for (message, reason) in [
            ("no header", "Illegal header"),
            (" continues: nothing", "Illegal header"),
            ("To: a@b\nto: c@d", "Duplicate header 'To'."),
            ("Reply-To: a@b\nReply-To: c@d", "Duplicate header 'Reply-To'."),
        ] {
            let refused = Header::parse(message).err();
            assert_eq!(refused, Some(Refusal::Invalid(reason.to_owned())), "{message}");
        }
    }
}
