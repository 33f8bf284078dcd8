//! `CustomerErased` ends a membership and leaves a tombstone.

use contracts::{CustomerErased, CustomerNumber, MemberErased};

use super::{Announced, Announcement, Change, Member, UpdatesMember, Version};

/// Removes all personal data that occurred no later, and leaves a tombstone that wins over every event as old.
///
/// Every erasure is announced, even that of a customer who never enrolled: other services may hold points or discounts
/// under the number. The announcement carries a member's contact, as the last use of the address. If the customer has
/// enrolled again after the erasure occurred, it ends only the earlier membership and carries no contact, since there is
/// nothing to say farewell to.
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
        let announcement = Announced {
            unchanged: false,
            event: Announcement::Erased(MemberErased {
                customer_number: member.customer_number.clone(),
                contact: contact.filter(|_| enrolled_again_at.is_none()),
                enrolled_again_at,
            }),
        };
        Change::Applied { member, announcement: Some(Box::new(announcement)) }
    }
}
