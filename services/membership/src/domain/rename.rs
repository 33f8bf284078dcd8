//! `CustomerRenamed` sets the name and nothing else.

use contracts::{CustomerNumber, CustomerRenamed, MemberRenamed};

use super::{Announcement, Change, Member, UpdatesMember, Version, advance};

/// Sets the name unless a later one is known.
impl UpdatesMember for CustomerRenamed {
    fn customer_number(&self) -> &CustomerNumber {
        &self.customer_number
    }

    fn apply(self, member: Member, version: Version) -> Change {
        member.update(
            version,
            |profile| advance(&mut profile.name, self.name, version),
            |customer_number, update| {
                let (contact, enrolled_at) = (update.after.clone(), Some(update.enrolled_at()));
                Announcement::Renamed(MemberRenamed { customer_number, contact, enrolled_at })
            },
        )
    }
}
