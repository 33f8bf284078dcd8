//! `CustomerEnrolled` makes a customer a member, whose changes are announced from then on.

use contracts::{CustomerEnrolled, CustomerNumber, MemberEnrolled};

use super::{Announcement, Change, Member, UpdatesMember, Version, advance};

/// Sets the enrolment and each field of which nothing later is known.
///
/// A later event that arrived earlier, such as a rename, keeps its effect: the announcement holds the merged
/// contact. An enrolment that occurred after an erasure begins a new membership.
impl UpdatesMember for CustomerEnrolled {
    fn customer_number(&self) -> &CustomerNumber {
        &self.customer_number
    }

    fn apply(self, member: Member, version: Version) -> Change {
        member.update(
            version,
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
            |customer_number, update| {
                Announcement::Enrolled(MemberEnrolled {
                    customer_number,
                    contact: update.after.clone(),
                    enrolled_at: Some(update.enrolled_at()),
                    previous_email: update.previous_email(),
                })
            },
        )
    }
}
