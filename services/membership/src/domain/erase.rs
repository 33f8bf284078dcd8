//! `CustomerErased` ends a membership and leaves a tombstone.

use contracts::{CustomerErased, CustomerNumber, MemberErased};

use super::{Announced, Announcement, Change, Member, UpdatesMember, Version};

/// Removes all personal data that occurred no later, and leaves a tombstone that wins over every event as old.
///
/// The erasure of an enrolled member is announced, with the contact as the last use of the address. Nothing
/// was ever announced about other customers, so neither is their erasure. If the customer has enrolled again
/// after the erasure occurred, the announcement ends only the earlier membership: it carries no contact, since there
/// is nothing to say farewell to.
impl UpdatesMember for CustomerErased {
    fn customer_number(&self) -> &CustomerNumber {
        &self.customer_number
    }

    fn apply(self, mut member: Member, version: Version) -> Change {
        if member.erased.is_some_and(|known| version <= known) {
            return Change::Erased;
        }
        let contact = member.contact();
        member.erased = Some(version);
        member.profile.forget(version);
        let enrolled_again_at = member.profile.enrolled.map(|enrolled| enrolled.occurred_at);
        let announcement = contact.map(|contact| {
            Box::new(Announced {
                unchanged: false,
                event: Announcement::Erased(MemberErased {
                    customer_number: member.customer_number.clone(),
                    contact: enrolled_again_at.is_none().then_some(contact),
                    enrolled_again_at,
                }),
            })
        });
        Change::Applied { member, announcement }
    }
}
