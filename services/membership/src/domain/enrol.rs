//! `CustomerEnrolled`: the member is announced from here on.

use contracts::{CustomerEnrolled, CustomerNumber, MemberEnrolled};

use super::{Announcement, Change, Member, UpdatesMember, Version, advance};

/// Sets every field it is the latest word on, and the enrolment itself.
///
/// What arrived before it, such as a later rename, stays: the announcement holds the merged contact. A
/// further enrolment is announced again if it is the latest word on anything.
impl UpdatesMember for CustomerEnrolled {
    fn customer_number(&self) -> &CustomerNumber {
        &self.customer_number
    }

    fn apply(self, member: Member, version: Version) -> Change {
        member.update(
            |profile| {
                let enrolled = profile.enrolled.is_none_or(|known| known < version);
                if enrolled {
                    profile.enrolled = Some(version);
                }
                let advanced = [
                    enrolled,
                    advance(&mut profile.name, self.name, version),
                    advance(&mut profile.email, self.email, version),
                    advance(&mut profile.channels, self.channels, version),
                    self.locale.is_some_and(|locale| advance(&mut profile.locale, locale, version)),
                ];
                advanced.contains(&true)
            },
            |customer_number, contact| Announcement::Enrolled(MemberEnrolled { customer_number, contact }),
        )
    }
}
