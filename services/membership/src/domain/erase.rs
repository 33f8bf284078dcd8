//! `CustomerErased`: a tombstone, for good.

use contracts::{CustomerErased, CustomerNumber, MemberErased};

use super::{Announcement, Change, Member, State, UpdatesMember, Version};

/// Removes every personal field and leaves a tombstone that wins over everything, older or newer.
///
/// It is announced, with the contact as the last use of the address, if the member had been enrolled: of
/// others the world was never told anything. A further erasure only moves the tombstone's version back to
/// the earliest, so that it does not depend on the order either.
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
