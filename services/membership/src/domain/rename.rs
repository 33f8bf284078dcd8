//! `CustomerRenamed` sets the name and nothing else.

use contracts::{CustomerNumber, CustomerRenamed, MemberRenamed};

use super::{Announcement, Change, Member, UpdatesMember, Version, advance};

/// Sets the name unless a later one is known. The same name again counts as a change: the customer asked for
/// it and gets an answer.
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
