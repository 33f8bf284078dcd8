//! Which notifications an event leads to, and what to remember of the member.
//!
//! Pure: it knows only the contracts.

use contracts::{
    Channel, Contact, CustomerNumber, DiscountActivated, DiscountExpired, EmailAddress, MemberEnrolled,
    MemberErased, MemberPreferencesChanged, MemberRenamed, NotificationRequested, Subject, TierAscended,
    TierDescended,
};
use jiff::Timestamp;
use uuid::Uuid;

/// What an event tells the notifier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Occurrence {
    /// A member's event, with the contact.
    Member(Notice),
    /// Something else that happened to a customer. The event carries no contact.
    Other(News),
}

/// What happened to a customer, of whom the notifier must know how to reach them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct News {
    /// The customer it concerns.
    pub customer_number: CustomerNumber,
    /// What happened.
    pub subject: Subject,
}

impl News {
    /// Returns one request for each channel in `contact`, which belongs to the membership that began at `enrolled_at`.
    #[must_use]
    pub fn requests(
        &self,
        contact: &Contact,
        enrolled_at: Timestamp,
        event_id: Uuid,
        announced_at: Timestamp,
    ) -> Vec<NotificationRequested> {
        let request = |&channel| NotificationRequested {
            customer_number: self.customer_number.clone(),
            notification_id: notification_id(event_id, channel),
            channel,
            subject: self.subject.clone(),
            contact: contact.clone(),
            enrolled_at: Some(enrolled_at),
            announced_at: Some(announced_at),
        };
        contact.channels.iter().map(request).collect()
    }
}

/// The part of a member's event that concerns the notifier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    customer_number: CustomerNumber,
    subject: Subject,
    /// The contact in the event. Only an erasure may lack one.
    contact: Option<Contact>,
    /// When the membership began; for an erasure, when another one did.
    enrolled_at: Option<Timestamp>,
    /// The address before the event, if the event changed it.
    previous_email: Option<EmailAddress>,
}

/// What the notifier remembers of a member after an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View<'a> {
    /// The contact in a membership.
    Contact {
        /// The contact.
        contact: &'a Contact,
        /// When the membership began. `None` in events of earlier releases.
        enrolled_at: Option<Timestamp>,
    },
    /// Only that the member was erased.
    Erased {
        /// When the customer enrolled again, if that is known.
        enrolled_again_at: Option<Timestamp>,
    },
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
        match (&self.subject, &self.contact) {
            (Subject::MemberErased, _) | (_, None) => View::Erased { enrolled_again_at: self.enrolled_at },
            (_, Some(contact)) => View::Contact { contact, enrolled_at: self.enrolled_at },
        }
    }

    /// Returns one request for each channel in the event's contact, and one more to the previous address if the event
    /// changed it; none without a contact. `event_id` is the event's, and `announced_at` the time of its publication.
    ///
    /// The requests depend on the event alone, not on what is remembered of the member: an event that arrives
    /// late is notified all the same, with the contact that it carries. The delivering service decides whether the
    /// customer is still to hear of it.
    #[must_use]
    pub fn requests(&self, event_id: Uuid, announced_at: Timestamp) -> Vec<NotificationRequested> {
        let Some(contact) = &self.contact else { return Vec::new() };
        let request = |channel, subject, notification_id, contact| NotificationRequested {
            customer_number: self.customer_number.clone(),
            notification_id,
            channel,
            subject,
            contact,
            enrolled_at: self.enrolled_at,
            announced_at: Some(announced_at),
        };
        let to_previous = self.previous_contact().map(|previous| {
            let id = previous_address_id(event_id);
            request(Channel::Email, Subject::EmailChanged, id, previous)
        });
        contact
            .channels
            .iter()
            .map(|&channel| {
                request(channel, self.subject.clone(), notification_id(event_id, channel), contact.clone())
            })
            .chain(to_previous)
            .collect()
    }

    /// Returns the contact with the previous address, and without the new one: who reads the old mailbox need not learn
    /// it. `None` if the address did not change, or the customer gets no mail.
    fn previous_contact(&self) -> Option<Contact> {
        let contact = self.contact.as_ref().filter(|contact| contact.channels.contains(&Channel::Email))?;
        Some(Contact { email: self.previous_email.clone()?, ..contact.clone() })
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

/// Returns the id of the notification to the previous address.
fn previous_address_id(event_id: Uuid) -> Uuid {
    Uuid::new_v5(&event_id, b"notification/previous-email")
}

/// Makes events [`Occurrence`]s.
macro_rules! occurrences {
    ($($event:ty => $variant:ident),* $(,)?) => {
        $(impl From<$event> for Occurrence {
            fn from(event: $event) -> Self {
                Self::$variant(event.into())
            }
        })*
    };
}
occurrences! {
    MemberEnrolled => Member,
    MemberRenamed => Member,
    MemberPreferencesChanged => Member,
    MemberErased => Member,
    TierAscended => Other,
    TierDescended => Other,
    DiscountActivated => Other,
    DiscountExpired => Other,
}

impl From<MemberEnrolled> for Notice {
    fn from(event: MemberEnrolled) -> Self {
        Self {
            customer_number: event.customer_number,
            subject: Subject::MemberEnrolled,
            contact: Some(event.contact),
            enrolled_at: event.enrolled_at,
            previous_email: event.previous_email,
        }
    }
}

impl From<MemberRenamed> for Notice {
    fn from(event: MemberRenamed) -> Self {
        Self {
            customer_number: event.customer_number,
            subject: Subject::MemberRenamed,
            contact: Some(event.contact),
            enrolled_at: event.enrolled_at,
            previous_email: None,
        }
    }
}

impl From<MemberPreferencesChanged> for Notice {
    fn from(event: MemberPreferencesChanged) -> Self {
        Self {
            customer_number: event.customer_number,
            subject: Subject::MemberPreferencesChanged,
            contact: Some(event.contact),
            enrolled_at: event.enrolled_at,
            previous_email: event.previous_email,
        }
    }
}

impl From<MemberErased> for Notice {
    fn from(event: MemberErased) -> Self {
        Self {
            customer_number: event.customer_number,
            subject: Subject::MemberErased,
            contact: event.contact,
            enrolled_at: event.enrolled_again_at,
            previous_email: None,
        }
    }
}

impl From<TierAscended> for News {
    fn from(event: TierAscended) -> Self {
        let TierAscended { customer_number, tier, previous_tier, .. } = event;
        Self { customer_number, subject: Subject::TierAscended { tier, previous_tier } }
    }
}

impl From<TierDescended> for News {
    fn from(event: TierDescended) -> Self {
        let TierDescended { customer_number, tier, previous_tier, .. } = event;
        Self { customer_number, subject: Subject::TierDescended { tier, previous_tier } }
    }
}

impl From<DiscountActivated> for News {
    fn from(event: DiscountActivated) -> Self {
        let DiscountActivated { customer_number, discount_id, value, valid_until, .. } = event;
        Self { customer_number, subject: Subject::DiscountActivated { discount_id, value, valid_until } }
    }
}

impl From<DiscountExpired> for News {
    fn from(event: DiscountExpired) -> Self {
        let DiscountExpired { customer_number, discount_id, value, valid_until, .. } = event;
        Self { customer_number, subject: Subject::DiscountExpired { discount_id, value, valid_until } }
    }
}

#[cfg(test)]
mod tests {
    use contracts::{Channels, Name};

    use super::*;

    const ENROLLED_AT: Timestamp = Timestamp::UNIX_EPOCH;
    const ANNOUNCED_AT: Timestamp = Timestamp::constant(1, 0);
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
        MemberEnrolled {
            customer_number: customer(),
            contact: contact(channels),
            enrolled_at: Some(ENROLLED_AT),
            previous_email: None,
        }
        .into()
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
        let requests = enrolled([Channel::Email, Channel::Wallet]).requests(EVENT, ANNOUNCED_AT);
        let channels: Vec<Channel> = requests.iter().map(|request| request.channel).collect();
        assert_eq!(channels, [Channel::Email, Channel::Wallet]);
        for request in &requests {
            assert_eq!(request.notification_id, notification_id(EVENT, request.channel));
            assert_eq!(request.subject, Subject::MemberEnrolled);
            assert_eq!(request.contact, contact([Channel::Email, Channel::Wallet]));
            assert_eq!((request.enrolled_at, request.announced_at), (Some(ENROLLED_AT), Some(ANNOUNCED_AT)));
        }
        assert!(enrolled([]).requests(EVENT, ANNOUNCED_AT).is_empty());
    }

    #[test]
    fn an_erasure_is_confirmed_but_its_contact_not_remembered() {
        let farewell = Some(contact([Channel::Email]));
        let erased: Notice =
            MemberErased { customer_number: customer(), contact: farewell, enrolled_again_at: None }.into();
        assert_eq!(erased.view(), View::Erased { enrolled_again_at: None });
        assert_eq!(erased.requests(EVENT, ANNOUNCED_AT).len(), 1);

        let enrolled_again_at = Some(ENROLLED_AT);
        let silent: Notice =
            MemberErased { customer_number: customer(), contact: None, enrolled_again_at }.into();
        assert_eq!(silent.view(), View::Erased { enrolled_again_at });
        assert!(silent.requests(EVENT, ANNOUNCED_AT).is_empty());
    }

    #[test]
    fn every_other_event_is_remembered_and_told_by_its_own_subject() {
        let contact = contact([Channel::App]);
        let enrolled_at = Some(ENROLLED_AT);
        let notices: [(Notice, Subject); 3] = [
            (enrolled([Channel::App]), Subject::MemberEnrolled),
            (
                MemberRenamed { customer_number: customer(), contact: contact.clone(), enrolled_at }.into(),
                Subject::MemberRenamed,
            ),
            (preferences(contact.clone(), None), Subject::MemberPreferencesChanged),
        ];
        for (notice, subject) in notices {
            assert_eq!(notice.view(), View::Contact { contact: &contact, enrolled_at });
            assert_eq!(notice.subject, subject);
        }
    }

    fn preferences(contact: Contact, previous_email: Option<EmailAddress>) -> Notice {
        let enrolled_at = Some(ENROLLED_AT);
        MemberPreferencesChanged { customer_number: customer(), contact, enrolled_at, previous_email }.into()
    }

    #[test]
    fn a_changed_address_is_told_to_the_previous_one_without_the_new_one() {
        let previous: EmailAddress = "byron@example.com".parse().unwrap();
        let new_contact = contact([Channel::Email, Channel::App]);
        let requests = preferences(new_contact, Some(previous.clone())).requests(EVENT, ANNOUNCED_AT);
        let subjects: Vec<_> =
            requests.iter().map(|request| (request.channel, request.subject.clone())).collect();
        assert_eq!(
            subjects,
            [
                (Channel::Email, Subject::MemberPreferencesChanged),
                (Channel::App, Subject::MemberPreferencesChanged),
                (Channel::Email, Subject::EmailChanged),
            ]
        );
        let notice = requests.last().unwrap();
        assert_eq!(notice.contact.email, previous);
        assert!(!serde_json::to_string(notice).unwrap().contains("ada@example.com"));
        assert_eq!(notice.notification_id.to_string(), "e17aa7aa-b2dc-52bd-a92a-c772e45f396d");
    }

    #[test]
    fn a_changed_address_of_a_customer_who_gets_no_mail_is_told_to_neither() {
        let previous = Some("byron@example.com".parse().unwrap());
        assert!(preferences(contact([]), previous).requests(EVENT, ANNOUNCED_AT).is_empty());
    }
}
