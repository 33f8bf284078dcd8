//! `CustomerRenamed`: the name, and nothing else.

use contracts::{CustomerNumber, CustomerRenamed, MemberRenamed};

use super::{Announcement, Change, Member, UpdatesMember, Version, advance};

/// Sets the name if it is the latest word on it. An equal name counts too: the customer has asked for it
/// and is answered.
impl UpdatesMember for CustomerRenamed {
    fn customer_number(&self) -> &CustomerNumber {
        &self.customer_number
    }

    fn apply(self, member: Member, version: Version) -> Change {
        member.update(
            |profile| advance(&mut profile.name, self.name, version),
            |customer_number, contact| Announcement::Renamed(MemberRenamed { customer_number, contact }),
        )
    }
}
