//! `CustomerErased` leaves a permanent tombstone.

use contracts::{CustomerErased, CustomerNumber, MemberErased};

use super::{Announcement, Change, Member, State, UpdatesMember, Version};

/// Removes all personal data and leaves a tombstone that wins over every other event, older or newer.
///
/// The erasure of an enrolled member is announced, with the contact as the last use of the address. Nothing
/// was ever announced about other customers, so neither is their erasure. A further erasure only moves the
/// tombstone's version back to the earliest, so that the order does not matter here either.
impl UpdatesMember for CustomerErased {
    fn customer_number(&self) -> &CustomerNumber {
        &self.customer_number
    }

    fn apply(self, member: Member, version: Version) -> Change {
        if let State::Erased(known) = member.state
            && known <= version
        {
            return Change::Erased;
        }
        let customer_number = member.customer_number.clone();
        let announcement = member.contact().map(|contact| {
            Box::new(Announcement::Erased(MemberErased { customer_number, contact: Some(contact) }))
        });
        Change::Applied { member: Member { state: State::Erased(version), ..member }, announcement }
    }
}
