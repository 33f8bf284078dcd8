//! Which notifications a member's event leads to, and what to remember of the member.
//!
//! Pure: it knows only the contracts.

use contracts::{
    Channel, Contact, CustomerNumber, MemberEnrolled, MemberErased, MemberPreferencesChanged, MemberRenamed,
    NotificationRequested, Template,
};
use uuid::Uuid;

/// The part of a member's event that concerns the notifier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    customer_number: CustomerNumber,
    template: Template,
    /// The contact in the event. Only an erasure may lack one.
    contact: Option<Contact>,
}

/// What the notifier remembers of a member after an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View<'a> {
    /// The contact.
    Contact(&'a Contact),
    /// Only that the member was erased.
    Erased,
}

impl Notice {
    /// Returns the number of the customer it concerns.
    #[must_use]
    pub fn customer_number(&self) -> &CustomerNumber {
        &self.customer_number
    }

    /// Returns what to remember of the member.
    ///
    /// An erasure's contact is the last use of the address and never remembered.
    #[must_use]
    pub fn view(&self) -> View<'_> {
        match (self.template, &self.contact) {
            (Template::MemberErased, _) | (_, None) => View::Erased,
            (_, Some(contact)) => View::Contact(contact),
        }
    }

    /// Returns one request for each channel in the event's contact; none without a contact.
    ///
    /// The requests depend on the event alone, not on what is remembered of the member: an event that arrives
    /// late is notified all the same, with the contact that it carries.
    #[must_use]
    pub fn requests(&self, event_id: Uuid) -> Vec<NotificationRequested> {
        let Some(contact) = &self.contact else { return Vec::new() };
        contact
            .channels
            .iter()
            .map(|&channel| NotificationRequested {
                customer_number: self.customer_number.clone(),
                notification_id: notification_id(event_id, channel),
                channel,
                template: self.template,
                contact: contact.clone(),
            })
            .collect()
    }
}

/// Returns the id of the notification that the event `event_id` leads to over `channel`.
///
/// It is a function of the two (a version 5 UUID in the event's namespace), so that every redelivery of the
/// event requests the same notifications, and the delivering service recognizes a repetition.
#[must_use]
pub fn notification_id(event_id: Uuid, channel: Channel) -> Uuid {
    Uuid::new_v5(&event_id, format!("notification/{}", channel.as_str()).as_bytes())
}

impl From<MemberEnrolled> for Notice {
    fn from(event: MemberEnrolled) -> Self {
        Self::about(event.customer_number, Template::MemberEnrolled, Some(event.contact))
    }
}

impl From<MemberRenamed> for Notice {
    fn from(event: MemberRenamed) -> Self {
        Self::about(event.customer_number, Template::MemberRenamed, Some(event.contact))
    }
}

impl From<MemberPreferencesChanged> for Notice {
    fn from(event: MemberPreferencesChanged) -> Self {
        Self::about(event.customer_number, Template::MemberPreferencesChanged, Some(event.contact))
    }
}

impl From<MemberErased> for Notice {
    fn from(event: MemberErased) -> Self {
        Self::about(event.customer_number, Template::MemberErased, event.contact)
    }
}

impl Notice {
    fn about(customer_number: CustomerNumber, template: Template, contact: Option<Contact>) -> Self {
        Self { customer_number, template, contact }
    }
}

#[cfg(test)]
mod tests {
    use contracts::{Channels, Name};

    use super::*;

    const EVENT: Uuid = Uuid::from_u128(0x0192_6f4e_7c1a_4b7e_8d2c_3f5a_6b7c_8d9e);

    fn contact(channels: impl IntoIterator<Item = Channel>) -> Contact {
        Contact {
            name: Name { given: "Ada".parse().unwrap(), family: "Lovelace".parse().unwrap() },
            email: "ada@example.com".parse().unwrap(),
            channels: Channels::from_iter(channels),
            locale: "en".parse().unwrap(),
        }
    }

    fn customer() -> CustomerNumber {
        "123456789012".parse().unwrap()
    }

    fn enrolled(channels: impl IntoIterator<Item = Channel>) -> Notice {
        MemberEnrolled { customer_number: customer(), contact: contact(channels) }.into()
    }

    #[test]
    fn ids_are_stable_and_differ_by_event_and_channel() {
        // Spelled out: if an upgrade changed the value, every mail in flight would be sent again.
        assert_eq!(
            notification_id(EVENT, Channel::Email).to_string(),
            "c100ff19-0ca2-54b3-96a3-7a168f952e85"
        );
        let mut ids: Vec<Uuid> = Channel::ALL.map(|channel| notification_id(EVENT, channel)).to_vec();
        ids.extend(Channel::ALL.map(|channel| notification_id(Uuid::nil(), channel)));
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), 6);
    }

    #[test]
    fn one_request_for_each_channel_of_the_events_contact() {
        let requests = enrolled([Channel::Email, Channel::Wallet]).requests(EVENT);
        let channels: Vec<Channel> = requests.iter().map(|request| request.channel).collect();
        assert_eq!(channels, [Channel::Email, Channel::Wallet]);
        for request in &requests {
            assert_eq!(request.notification_id, notification_id(EVENT, request.channel));
            assert_eq!(request.template, Template::MemberEnrolled);
            assert_eq!(request.contact, contact([Channel::Email, Channel::Wallet]));
        }
        assert!(enrolled([]).requests(EVENT).is_empty());
    }

    #[test]
    fn an_erasure_is_confirmed_but_its_contact_not_remembered() {
        let erased: Notice =
            MemberErased { customer_number: customer(), contact: Some(contact([Channel::Email])) }.into();
        assert_eq!(erased.view(), View::Erased);
        assert_eq!(erased.requests(EVENT).len(), 1);

        let silent: Notice = MemberErased { customer_number: customer(), contact: None }.into();
        assert_eq!(silent.view(), View::Erased);
        assert!(silent.requests(EVENT).is_empty());
    }

    #[test]
    fn every_other_event_is_remembered_and_told_by_its_own_template() {
        let contact = contact([Channel::App]);
        let notices: [(Notice, Template); 3] = [
            (enrolled([Channel::App]), Template::MemberEnrolled),
            (
                MemberRenamed { customer_number: customer(), contact: contact.clone() }.into(),
                Template::MemberRenamed,
            ),
            (
                MemberPreferencesChanged { customer_number: customer(), contact: contact.clone() }.into(),
                Template::MemberPreferencesChanged,
            ),
        ];
        for (notice, template) in notices {
            assert_eq!(notice.view(), View::Contact(&contact));
            assert_eq!(notice.template, template);
        }
    }
}
